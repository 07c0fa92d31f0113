"""gunicorn -c gunicorn.conf.py wsgi:app; executed anew on HUP, so that it sees a changed .env."""

import os

from tensoria.config import Settings, environment
from tensoria.server.settings import gunicorn_settings

globals().update(gunicorn_settings(Settings.from_env(environment(os.environ))))

"""gunicorn -c gunicorn.conf.py wsgi:app; executed anew on HUP, so that it sees a changed .env."""

import os

from tensoria.admission import kept_keys
from tensoria.config import Settings, environment
from tensoria.server.settings import gunicorn_settings

tensoria_settings = Settings.from_env(environment(os.environ))
kept_keys.accept(tensoria_settings.api_keys_file)
globals().update(gunicorn_settings(tensoria_settings))

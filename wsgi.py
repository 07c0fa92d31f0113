"""The WSGI app, for gunicorn and any other server: `wsgi:app`."""

import os

from tensoria import logs
from tensoria.app import create_app, look_at_engine
from tensoria.config import Settings, environment
from tensoria.metrics.base import FOLDER

settings = Settings.from_env(environment(os.environ))
logs.configure(settings.log_level, settings.log_format)
app = create_app(settings, metrics_folder=os.environ.get(FOLDER))
look_at_engine(app)

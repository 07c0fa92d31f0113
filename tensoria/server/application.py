"""gunicorn started by a function, for `tensoria serve`: no configuration file is needed."""

import logging
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from tensoria.admission import kept_keys
from tensoria.config import ConfigError, Settings
from tensoria.server.settings import gunicorn_settings

LoadSettings = Callable[[], Settings]
LoadApp = Callable[[Settings], Any]


def run(load_settings: LoadSettings, load_app: LoadApp) -> None:
    """Run until a signal ends it; never returns normally.

    Both are called anew on HUP: for the settings in the arbiter, for the app in each new worker.
    """
    _Service(load_settings, load_app).run()


class _Service(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, load_settings: LoadSettings, load_app: LoadApp) -> None:
        self._load_settings = load_settings
        self._load_app = load_app
        super().__init__()

    def load_config(self) -> None:
        self._settings = self._load_settings()
        kept_keys.accept(self._settings.api_keys_file)
        for name, value in gunicorn_settings(self._settings).items():
            self.cfg.set(name, value)

    def reload(self) -> None:
        """Called on HUP: a bad value must not end what is running, as it would in gunicorn."""
        try:
            kept_keys.check(self._load_settings().api_keys_file)
        except ConfigError as error:
            logging.getLogger("tensoria.server").error("the old settings stay: %s", error)
            return
        super().reload()

    def load(self) -> Any:
        return self._load_app(self._settings)

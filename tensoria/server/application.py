"""gunicorn started by a function, for `tensoria serve`: no configuration file is needed."""

from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from tensoria.config import Settings
from tensoria.server.settings import gunicorn_settings


def run(load_settings: Callable[[], Settings], load_app: Callable[[], Any]) -> None:
    """Run until a signal ends it; never returns normally.

    Both are called anew on HUP: the settings in the arbiter, the app in each new worker.
    """
    _Service(load_settings, load_app).run()


class _Service(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, load_settings: Callable[[], Settings], load_app: Callable[[], Any]) -> None:
        self._load_settings = load_settings
        self._load_app = load_app
        super().__init__()

    def load_config(self) -> None:
        for name, value in gunicorn_settings(self._load_settings()).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._load_app()

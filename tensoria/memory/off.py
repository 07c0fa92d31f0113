"""The memory that keeps nothing (STORE=0)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from tensoria.errors import StorageUnavailable
from tensoria.memory.store import Aside, Memory


class NoMemory(Memory):
    """Has no file and no thread; views say so before they ask it for anything."""

    on = False

    def __init__(self) -> None:
        super().__init__(Path(), days=0, max_bytes=0)
        self.started = True

    def start(self, aside: Aside | None) -> None:
        """There is nothing to forget."""

    def _call(self, work: Callable[[], Any]) -> NoReturn:
        raise StorageUnavailable("Nothing is kept here (STORE=0).")

"""Whether an engine answers, and what its operator should know; `/ready` tells it."""

import logging
from collections.abc import Callable, Iterable

from tensoria.backends.base import EngineStatus
from tensoria.backends.ollama_models import MAX_AGE_SECONDS
from tensoria.backends.recent import Recent
from tensoria.errors import RequestError, TensoriaError
from tensoria.translate.aliases import Aliases

_log = logging.getLogger("tensoria.engine")


class Status:
    """The status that `fetch` told a moment ago; each new warning is logged once."""

    def __init__(
        self, fetch: Callable[[], EngineStatus], *, max_age_seconds: float = MAX_AGE_SECONDS
    ) -> None:
        self._fetch = fetch
        self._recent = Recent(self._fetched, max_age_seconds=max_age_seconds)
        self._logged: set[str] = set()

    def get(self) -> EngineStatus:
        """Return the status, or raise what the engine answered instead of one."""
        status = self._recent.get()
        if isinstance(status, TensoriaError):
            raise status
        return status

    def _fetched(self) -> EngineStatus | TensoriaError:
        """An error is kept as long as a status: a probe must not wait for a dead engine anew."""
        try:
            status = self._fetch()
        except TensoriaError as error:
            return error
        for warning in status.warnings:
            if warning not in self._logged:
                _log.warning("%s", warning)
        # What was mended and comes back is news again.
        self._logged = set(status.warnings)
        return status


def hidden(aliases: Aliases, installed: Iterable[str]) -> list[str]:
    """Say which models cannot be reached, because an alias has their name."""
    return [
        f"The alias '{name}' (MODEL_ALIASES) hides the model of that name: requests for it go to "
        f"'{aliases.meant(name)}'."
        for name in aliases.hiding(installed)
    ]


def dead_ends(aliases: Aliases, resolve: Callable[[str], object]) -> list[str]:
    """Say which aliases lead nowhere: `resolve` raises for their names."""
    warnings = []
    for alias in aliases.names():
        try:
            resolve(alias)
        except RequestError as error:
            warnings.append(error.message)
    return warnings

"""The fingerprints of one engine's models, made once for each."""

from collections.abc import Callable
from contextlib import suppress

from tensoria.backends.recent import Recent
from tensoria.config import Settings
from tensoria.errors import TensoriaError
from tensoria.translate.fingerprint import to_fingerprint

# An engine that does not tell its release is not asked for it with every request.
MAX_AGE_SECONDS = 15.0


class Fingerprints:
    """Knows the engine's release as it was last told: a fingerprint never fails an answer."""

    def __init__(self, settings: Settings, release: Callable[[], str] | None = None) -> None:
        self._settings = settings
        self._ask = release
        self._told = ""
        self._release = Recent(self._fetch_release, max_age_seconds=MAX_AGE_SECONDS)
        self._made: dict[tuple[str, str], str] = {}

    def of(self, model: str) -> str:
        """Return the fingerprint for what names a model's weights."""
        key = (model, self._release.get())
        if key not in self._made:
            self._made[key] = to_fingerprint(*key, self._settings)
        return self._made[key]

    def _fetch_release(self) -> str:
        if self._ask is not None:
            with suppress(TensoriaError):
                self._told = self._ask()
        return self._told

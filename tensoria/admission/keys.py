"""The keys that admit a caller."""

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping

from tensoria.admission.key import Key
from tensoria.errors import AuthenticationError

# Enough to tell keys apart, and nothing to find one by.
_NAME_DIGITS = 12


class Keys:
    """The configured keys, as digests; with none configured everybody is admitted.

    `keys` are those of API_KEY, `listed` those of API_KEYS_FILE by their digests: an empty file
    admits nobody, None is no file.
    """

    def __init__(
        self,
        keys: Iterable[str],
        listed: Mapping[bytes, Key] | None = None,
        metrics_key: str | None = None,
    ) -> None:
        self._own = [_own(key) for key in keys]
        self._metrics = _own(metrics_key) if metrics_key else None
        self._listed = dict(listed or {})
        if self._metrics:
            self._listed.pop(self._metrics[0], None)
        self._open = not self._own and listed is None

    def check(self, offered: Iterable[bytes]) -> Key | None:
        """Return the offered key that is one of ours, None where no key is needed.

        Raises AuthenticationError if none is, or if it has expired.
        """
        if self._open:
            return None
        found, any_offered = None, False
        for each in offered:
            any_offered = True
            key = self._find(digest(each))
            # Of two keys that are both ours, the one that still holds.
            if found is None or (key is not None and _has_expired(found)):
                found = key
        if found is None:
            raise _refusal(any_offered)
        if found.expires is not None and _has_expired(found):
            raise AuthenticationError(
                f"Incorrect API key provided: it expired on {found.expires:%Y-%m-%d at %H:%M UTC}."
            )
        return found

    def check_metrics(self, offered: Iterable[bytes]) -> None:
        """Raise AuthenticationError unless a key is METRICS_KEY, or one of API_KEY.

        Those of the file do not count: their holders are not to see each other's numbers.
        """
        if self._open and self._metrics is None:
            return
        admitting = [*self._own, self._metrics] if self._metrics else self._own
        found, any_offered = None, False
        for each in offered:
            any_offered = True
            found = _compared(digest(each), admitting) or found
        if found is None:
            raise _refusal(any_offered)

    def _find(self, candidate: bytes) -> Key | None:
        # A dict of digests tells nothing by its time: Python hashes bytes with a secret of the
        # process, so how far a look-up gets says nothing about the digests in it, and nobody can
        # make a key for a digest that is wanted. A thousand keys thus cost no more than one.
        return self._listed.get(candidate) or _compared(candidate, self._own)


def digest(key: bytes) -> bytes:
    """Return what is kept of a key."""
    return hashlib.sha256(key).digest()


def _own(key: str) -> tuple[bytes, Key]:
    # A variable that is not UTF-8 comes from the environment with surrogates in it.
    kept = digest(key.encode(errors="surrogateescape"))
    return kept, Key(name=f"key {kept.hex()[:_NAME_DIGITS]}")


def _compared(candidate: bytes, own: Iterable[tuple[bytes, Key]]) -> Key | None:
    """Compare with all of them and in constant time: people choose these keys, and there are few.

    Neither the length of a key nor how much of it was right can be measured.
    """
    found = None
    for kept, key in own:
        if hmac.compare_digest(candidate, kept):
            found = key
    return found


def _has_expired(key: Key) -> bool:
    return key.expires is not None and time.time() >= key.expires.timestamp()


def _refusal(any_offered: bool) -> AuthenticationError:
    if not any_offered:
        return AuthenticationError(
            "No API key was sent. Send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."
        )
    # OpenAI's own words: LiteLLM takes a 401 without them for a 400
    # (`exception_mapping_utils.py`), and so never asks for another key.
    return AuthenticationError("Incorrect API key provided. It is not valid here.")

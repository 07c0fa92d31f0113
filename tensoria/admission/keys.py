"""The keys that admit a caller."""

import hashlib
import hmac
from collections.abc import Iterable

from tensoria.errors import AuthenticationError

# Enough to tell keys apart, and nothing to find one by.
_NAME_DIGITS = 12


class Keys:
    """The configured keys, as digests; with none configured everybody is admitted."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [
            # A variable that is not UTF-8 comes from the environment with surrogates in it.
            _digest(key.encode(errors="surrogateescape"))
            for key in keys
        ]

    def check(self, offered: Iterable[bytes]) -> str | None:
        """Return the name of the offered key that is one of ours, None where no key is needed.

        Raises AuthenticationError if none is. The name is made from the digest, and no secret.

        Digests are compared, all with all and in constant time: neither the length of a key nor
        how much of it was right can be measured.
        """
        if not self._digests:
            return None
        name, any_offered = None, False
        for key in offered:
            any_offered = True
            candidate = _digest(key)
            for digest in self._digests:
                if hmac.compare_digest(candidate, digest):
                    name = f"key {digest.hex()[:_NAME_DIGITS]}"
        if not any_offered:
            raise AuthenticationError(
                "No API key was sent. Send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'."
            )
        if name is None:
            # OpenAI's own words: LiteLLM takes a 401 without them for a 400
            # (`exception_mapping_utils.py`), and so never asks for another key.
            raise AuthenticationError("Incorrect API key provided. It is not valid here.")
        return name


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()

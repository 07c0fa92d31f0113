"""One request on its key: what it takes of the key's limits, and what it has used."""

import threading

from tensoria.admission.key import Key
from tensoria.admission.limits import Allowance, Limits
from tensoria.admission.usage import Aside, Usage


class Accounts:
    """Opens an account for each request that comes with a key; one of these for a worker."""

    def __init__(self, limits: Limits, usage: Usage) -> None:
        self._limits = limits
        self._usage = usage

    def open(self, key: Key, end_user: str | None, aside: Aside) -> "Account":
        """Return the account of a request that begins; raises RateLimited."""
        self._usage.aside = aside
        allowance = self._limits.of(key)
        if allowance is not None:
            allowance.enter()
        return Account(key.name, end_user, allowance, self._usage)

    def close(self) -> None:
        """Write what is left of the usage; the process's end does it by itself."""
        self._usage.close()


class Account:
    """Open until `settle`, which whoever ends the answer calls."""

    __slots__ = ("_allowance", "_end_user", "_key", "_once", "_usage")

    def __init__(
        self, key: str, end_user: str | None, allowance: Allowance | None, usage: Usage
    ) -> None:
        self._key = key
        self._allowance = allowance
        self._usage = usage
        self._end_user = end_user
        self._once = threading.Lock()

    def headers(self) -> dict[str, str]:
        """Return what the key has left, for the answer's head."""
        return {} if self._allowance is None else self._allowance.headers()

    def settle(self, tokens_in: int, tokens_out: int, seconds: float) -> None:
        """Count what the request has used; waits for no disk, and a second call does nothing."""
        if not self._once.acquire(blocking=False):
            return
        if self._allowance is not None:
            self._allowance.leave(tokens_in + tokens_out, seconds)
        self._usage.add(self._key, self._end_user, tokens_in, tokens_out)

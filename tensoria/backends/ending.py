"""How a run of the engine is ended by somebody else than the thread that reads it."""

import threading
from contextvars import ContextVar, Token

from tensoria.backends.connection import Connection


class Ending:
    """The end of one run, which has at most one connection to the engine at a time.

    | state | entered by             | a connection that is held                 |
    | ----- | ---------------------- | ----------------------------------------- |
    | open  | creation               | stays open until `end`, or is let go      |
    | ended | `end`, from any thread | is cut: who waits for it wakes, and fails |

    A connection is let go before it goes back to the pool, so that nobody else's is hit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self.ended = False

    def hold(self, connection: Connection) -> None:
        """Called before anything is sent on a connection; after `end` nothing leaves on it."""
        with self._lock:
            self._connection = connection
            if self.ended:
                connection.cut()

    def let_go(self) -> None:
        """Called when nothing more is read."""
        with self._lock:
            self._connection = None

    def end(self) -> None:
        """End what is sent or read now, and whatever would be; it waits for nobody."""
        with self._lock:
            self.ended = True
            if self._connection is not None:
                self._connection.cut()


class _Unended(Ending):
    """The run of a thread that nobody else ends."""

    def hold(self, connection: Connection) -> None:
        """Nothing would shut it down."""

    def let_go(self) -> None:
        """Nothing was held."""


_UNENDED = _Unended()
# Which run the engine is asked for. What is sent is made far below the one who knows that, behind
# every engine's dialect and requests.
_CURRENT: ContextVar[Ending] = ContextVar("ending", default=_UNENDED)


def current() -> Ending:
    """Return the ending of the run that this thread is in."""
    return _CURRENT.get()


class ended_by:
    """Have `ending` end what this thread asks the engine for meanwhile.

    Used as a function: as one, made by contextlib, it would take four times as long.
    """

    __slots__ = ("_ending", "_token")

    def __init__(self, ending: Ending) -> None:
        self._ending = ending
        self._token: Token[Ending]

    def __enter__(self) -> None:
        self._token = _CURRENT.set(self._ending)

    def __exit__(self, *error: object) -> None:
        _CURRENT.reset(self._token)


def apart() -> ended_by:
    """Have nobody end what this thread asks meanwhile: other requests may wait for it as well."""
    return ended_by(_UNENDED)

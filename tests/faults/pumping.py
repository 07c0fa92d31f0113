"""A server that writes the events of streams itself, from gevent's hub, as the worker does."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from tensoria.api.services import UnwatchedClient
from tensoria.server.pump import Batch, Pump, Step


class Pumping:
    """WSGI middleware whose client pumps."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        written = Written()
        environ["tensoria.client"] = PumpingClient(written)
        events = self._app(environ, start_response)
        try:
            for item in events:
                yield from written.take()
                yield item
            yield from written.take()
        finally:
            close = getattr(events, "close", None)
            if close:
                close()


class Written:
    """Stands for gunicorn's response: keeps what is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def take(self) -> list[bytes]:
        taken, self.pieces = self.pieces, []
        return taken


class PumpingClient(UnwatchedClient):
    """A client that stays, and is written to from gevent's hub; `pumps` counts the streams."""

    pumps: ClassVar[int] = 0

    def __init__(self, response: Any) -> None:
        self._response = response

    def pump(self, source: int, step: Step) -> None:
        PumpingClient.pumps += 1
        Pump(self._response, step, Batch()).run(source)

"""A word for the clients of streams that are silent, so that nobody on the way hangs up."""

import time
from contextlib import suppress
from typing import Any

import gevent

from tensoria.server.response import OneSendResponse

# How often the streams are looked at, at the least. A heartbeat comes late by two looks at most.
LOOK_SECONDS = 1.0
_LOOKS = 4


class _Beat:
    """One stream: what to say on it, and since when it has been silent."""

    __slots__ = ("comment", "seconds", "sent", "since")

    def __init__(self, seconds: float, comment: bytes) -> None:
        self.seconds = seconds
        self.comment = comment
        self.sent = -1
        self.since = 0.0


class Heartbeats:
    """One loop for all streams of a worker, which runs while there are any.

    A write costs nothing more for it: gunicorn counts the bytes of each response, and the loop sees
    whether the count has moved since it last looked.
    """

    def __init__(self) -> None:
        self._beats: dict[OneSendResponse, _Beat] = {}
        self._loop: Any = None
        self._look_seconds = LOOK_SECONDS

    def begin(self, response: OneSendResponse, seconds: float, comment: bytes) -> None:
        """Write a comment on a stream whenever nothing was written for so long."""
        self._beats[response] = _Beat(seconds, comment)
        self._look_seconds = min(self._look_seconds, seconds / _LOOKS)
        if self._loop is None:
            self._loop = gevent.spawn(self._run)

    def end(self, response: OneSendResponse) -> None:
        """Say nothing more on a stream; a second call does nothing."""
        self._beats.pop(response, None)

    def _run(self) -> None:
        try:
            while self._beats:
                gevent.sleep(self._look_seconds)
                now = time.monotonic()
                # Nothing below gives way to other greenlets, so nobody comes or goes meanwhile.
                for response, beat in self._beats.items():
                    self._look(response, beat, now)
        finally:
            self._loop = None

    def _look(self, response: OneSendResponse, beat: _Beat, now: float) -> None:
        if response.sent != beat.sent:
            beat.sent, beat.since = response.sent, now
        elif now - beat.since >= beat.seconds:
            beat.since = now
            # A client that is gone is the concern of those who watch it.
            with suppress(OSError):
                response.remark(beat.comment)

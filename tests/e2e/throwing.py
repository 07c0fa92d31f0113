"""Ends answers of four choices at each of their steps, in gevent's world, and tells how they ended.

A step is a wait of the answer's own greenlet: it is thrown at in the first, in the second, and so
on. Fails when a slot, a thread or a request to the engine is left over. `test_at_a_time.py` runs it
in a process of its own, which has to be patched before this is imported.
"""

import sys
from collections import Counter
from dataclasses import replace

import gevent
import greenlet

from tensoria.backends.ollama import OllamaBackend
from tensoria.config import Settings
from tensoria.errors import ClientClosed, RequestEnded
from tests.backends.conftest import ANSWER
from tests.backends.slots import FreeSlots, reading_threads
from tests.backends.test_together import asked
from tests.fake_ollama import FakeOllama, chat_line, done_line, stream
from tests.waiting import until

# So many answers come to their end before the throw: then there is no further step.
FINISHED = 20


def answer(backend: OllamaBackend, slots: FreeSlots, ends: Counter[str]) -> None:
    """Read an answer to its end, and note how it came."""
    end = "thrown while it is opened"
    try:
        opened = backend.chat(asked(4), replace(ANSWER, slots=slots))
        end = "thrown while it is read"
        try:
            for _ in opened:
                pass
            end = "finished"
        finally:
            opened.close()
    except RequestEnded:
        pass
    ends[end] += 1


class Thrower:
    """Throws at a greenlet as soon as it has waited so many times."""

    def __init__(self, waits: int) -> None:
        self._left = waits
        self.reading: gevent.Greenlet | None = None

    def __call__(self, event: str, switch: tuple[object, object]) -> None:
        """Called by greenlet for each switch."""
        if event != "switch" or switch[0] is not self.reading or self.reading is None:
            return
        self._left -= 1
        if self._left == 0:
            ended = RequestEnded(ClientClosed())
            gevent.get_hub().loop.run_callback(self.reading.throw, ended)


def main() -> None:
    """Throw at each wait, until there is none any more."""
    ends: Counter[str] = Counter()
    with FakeOllama() as fake:
        fake.script("/api/chat", stream([*[chat_line("a")] * 6, done_line()]))
        variables = {"OLLAMA_BASE_URL": fake.url, "DEFAULT_MODEL": "smollm2:135m"}
        backend = OllamaBackend(Settings.from_env(variables))
        waits = 0
        while ends["finished"] < FINISHED:
            waits += 1
            slots, thrower = FreeSlots(1 + waits % 3), Thrower(waits)
            greenlet.settrace(thrower)
            thrower.reading = gevent.spawn(answer, backend, slots, ends)
            thrower.reading.join()
            greenlet.settrace(None)
            assert slots.taken == 0, f"slots are left after {waits} waits"
            until(lambda: reading_threads() == 0)
            fake.wait_until_idle()
    sys.stdout.write("".join(f"{count} {end}\n" for end, count in sorted(ends.items())))

"""Models that do not answer any more while Ollama itself does.

A slot of Ollama's can leak for ever (github.com/ollama/ollama, issue 17131), and a runner can
freeze: requests then wait in silence until the model is loaded anew.
"""

import logging
import threading
from _thread import start_new_thread
from contextlib import suppress

from tensoria.backends.limits import UNWATCHED, Watch
from tensoria.backends.ollama_client import OllamaClient
from tensoria.backends.ollama_models import OllamaModels, is_elsewhere
from tensoria.errors import TensoriaError
from tensoria.metrics.base import Metrics
from tensoria.translate.loading import to_unload
from tensoria.wire import ollama

# One may have been a long prompt.
LATE_IN_A_ROW = 2

_log = logging.getLogger("tensoria.engine")


class Wedged:
    """Watches every model that answers here; `wedged_total` counts how often one stopped to."""

    def __init__(self, client: OllamaClient, models: OllamaModels, metrics: Metrics) -> None:
        self._metrics = metrics
        self._client = client
        self._models = models
        self._watches: dict[str, ModelWatch] = {}
        self._lock = threading.Lock()
        self.wedged_total = 0

    def watch(self, entry: ollama.ModelEntry) -> Watch:
        """Return who is to be told of a model's answers; of one that runs elsewhere nobody is."""
        name = entry["name"]
        found = self._watches.get(name)
        if found is None:
            if is_elsewhere(entry):
                return UNWATCHED
            found = self._watches.setdefault(name, ModelWatch(name, self))
        return found

    def warnings(self) -> list[str]:
        """Say which models are wedged now, for `/ready`."""
        return [
            f"The model '{name}' is wedged: it left {LATE_IN_A_ROW} requests in a row without a "
            "first token in time (OLLAMA_TIMEOUT), while Ollama itself answers. It was told to "
            "unload; if this stays, restart Ollama."
            for name, watch in list(self._watches.items())
            if watch.wedged
        ]

    def look_at(self, watch: "ModelWatch") -> None:
        """Unload a model that keeps silent while Ollama answers; once, until it answers again."""
        try:
            self._client.version()
        except TensoriaError:
            # It is the engine that is silent, which every request is told, and /ready.
            return
        with self._lock:
            if watch.wedged or watch.late_in_a_row < LATE_IN_A_ROW:
                return
            watch.wedged = True
            self.wedged_total += 1
        self._metrics.wedged(watch.name)
        _log.warning("%s does not answer while Ollama does: unloading it", watch.name)
        try:
            self._client.unload(to_unload(watch.name))
            self._models.look_again()
        except TensoriaError as error:
            _log.warning("could not unload %s: %s", watch.name, error.message)


class ModelWatch:
    """What became of one model's last requests.

    | state  | entered                                         | left                |
    | ------ | ----------------------------------------------- | ------------------- |
    | well   | a first token came                              | the second late one |
    | late   | LATE_IN_A_ROW without one; Ollama is looked at  | a first token came  |
    | wedged | Ollama answered meanwhile; the model is unloaded | a first token came  |
    """

    def __init__(self, name: str, owner: Wedged) -> None:
        self.name = name
        self.late_in_a_row = 0
        self.wedged = False
        self._owner = owner

    def answered(self) -> None:
        """See `Watch.answered`."""
        self.late_in_a_row = 0
        self.wedged = False

    def late(self) -> None:
        """See `Watch.late`; what has to wait for Ollama does so in a thread of its own."""
        self.late_in_a_row += 1
        if self.late_in_a_row >= LATE_IN_A_ROW and not self.wedged:
            # Without a thread to be had, the next late request looks.
            with suppress(RuntimeError):
                start_new_thread(self._owner.look_at, (self,))

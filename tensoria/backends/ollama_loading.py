"""Models that are not in memory, loaded by the gateway itself before a request is sent to them.

Ollama ends a load when its caller goes, and the next one starts from zero. So no client's request
loads a model: a thread of its own does, and who does not want to wait any longer just leaves.
"""

import logging
import threading
import time
from _thread import start_new_thread
from contextlib import suppress
from typing import Protocol

from tensoria.backends.limits import Total
from tensoria.backends.ollama_client import OllamaClient
from tensoria.backends.ollama_models import OllamaModels, is_elsewhere
from tensoria.config import Settings
from tensoria.errors import BackendError, BackendTimeout, RequestError, TensoriaError
from tensoria.metrics.base import Metrics
from tensoria.translate.loading import Endpoint, to_load
from tensoria.wire import ollama

# Who waits is answered after LOAD_TIMEOUT, and the load goes on: a large model on a slow disk is
# there in the end. Ollama itself ends a load that stalls (OLLAMA_LOAD_TIMEOUT), so the longest time
# is for an engine that is gone without a word.
LOAD_TIMEOUTS_PER_LOAD = 6

_log = logging.getLogger("tensoria.engine")


class Loading(Protocol):
    """What a backend asks before it sends a request."""

    def wait_for(self, entry: ollama.ModelEntry, endpoint: Endpoint, total: Total) -> None: ...


class NoLoading:
    """For a dry run, which asks nothing of a model."""

    def wait_for(self, entry: ollama.ModelEntry, endpoint: Endpoint, total: Total) -> None:
        """Return at once."""


class Load:
    """One load under way: once `over` is set, `error` is what it ended in."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.error: TensoriaError | None = BackendError("The model's load broke off.")


class OllamaLoading:
    """The loads of one Ollama: one a model at a time, whoever waits for it."""

    def __init__(
        self,
        client: OllamaClient,
        models: OllamaModels,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._metrics = metrics
        self._client = client
        self._models = models
        self._settings = settings
        self._lock = threading.Lock()
        # A model that embeds is loaded in another way than one that chats, so by both.
        self._under_way: dict[tuple[str, bool], Load] = {}

    def wait_for(self, entry: ollama.ModelEntry, endpoint: Endpoint, total: Total) -> None:
        """Return when the model is in memory (as of two seconds ago), loaded for this if need be.

        Raises what the load ended in, and BackendTimeout when LOAD_TIMEOUT or the total passes.
        """
        name = entry["name"]
        # Looked at first, because before 0.30 Ollama lists a model that it is still loading.
        load = self._under_way.get((name, endpoint == "embed"))
        if load is None:
            if self._models.is_loaded(name) or is_elsewhere(entry):
                return
            load = self._joined(name, endpoint)
        limit = self._settings.load_timeout_seconds
        seconds = min(limit, total.ends_at - time.monotonic())
        if not load.over.wait(seconds):
            raise _still_loading(name, limit) if seconds == limit else total.error()
        if load.error:
            raise load.error

    def _joined(self, name: str, endpoint: Endpoint) -> Load:
        """Return the load that is under way, or begin one."""
        key = (name, endpoint == "embed")
        with self._lock:
            load = self._under_way.get(key)
            if load is None:
                load = Load()
                # Neither waits for the new thread nor can be interrupted, as Thread.start can:
                # what is noted down below is certain to run.
                start_new_thread(self._run, (load, name, endpoint))
                self._under_way[key] = load
        return load

    def _run(self, load: Load, name: str, endpoint: Endpoint) -> None:
        started = time.monotonic()
        try:
            load.error = self._outcome(name, endpoint)
            seconds = time.monotonic() - started
            self._metrics.loaded(name, seconds, failed=load.error is not None)
            # Also after a failure: another load may have pushed a model out.
            with suppress(TensoriaError):
                self._models.look_again()
        finally:
            with self._lock:
                self._under_way.pop((name, endpoint == "embed"), None)
            load.over.set()

    def _outcome(self, name: str, endpoint: Endpoint) -> TensoriaError | None:
        settings, started = self._settings, time.monotonic()
        longest = LOAD_TIMEOUTS_PER_LOAD * settings.load_timeout_seconds
        payload = to_load(
            name,
            endpoint,
            keep_alive=settings.keep_alive,
            context_length=settings.context_length,
        )
        _log.info("loading %s", name)
        try:
            self._client.load(endpoint, payload, seconds=longest)
        except RequestError:
            # Refused, such as a chat by a model that only embeds: those who wait are told when
            # they ask, each about their own request.
            return None
        except TensoriaError as error:
            if isinstance(error, BackendTimeout):
                error = BackendTimeout(
                    f"The model '{name}' did not load within {longest:g} seconds."
                )
            _log.warning("could not load %s: %s", name, error.message)
            return error
        _log.info("loaded %s in %.1f s", name, time.monotonic() - started)
        return None


def _still_loading(name: str, seconds: float) -> BackendTimeout:
    return BackendTimeout(
        f"The model '{name}' is still loading after {seconds:g} seconds (LOAD_TIMEOUT). "
        "The load goes on: ask again later."
    )

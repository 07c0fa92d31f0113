"""What the doctor asks of the engine, with the service's own clients of it."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from tensoria.app import create_backend
from tensoria.backends.base import AnswerId
from tensoria.backends.ollama_client import OllamaClient
from tensoria.backends.ollama_models import OllamaModels
from tensoria.backends.ollama_status import OVERFLOW_SINCE
from tensoria.backends.transport import Transport
from tensoria.cli.findings import Finding, Said, Unknown
from tensoria.config import Settings, is_loopback
from tensoria.errors import ModelNotFound, TensoriaError
from tensoria.translate.names import canonical
from tensoria.translate.traits import to_version
from tensoria.wire.openai import ChatRequest

# Below a quarter of what the model was trained with, and below what a long chat needs.
FAR_BELOW = 4
ENOUGH_CONTEXT = 16384
# Two that run at a time end at the same time; of two in turn the first takes half as long.
IN_TURN = 0.7
ROUNDS = 3
# Below it the times say more of this machine than of the engine's slots.
LEAST_SECONDS = 0.03
GPUS = ("nvidia[0-9]*", "kfd")
DEVICES = Path("/dev")

_UPDATE = "curl -fsSL https://ollama.com/install.sh | sh  (Docker: docker compose pull ollama)"
_NOT_ASKED = Unknown("The engine does not answer, or does not have the model.")
_ONLY_OLLAMA = Unknown("An engine with ENGINE=openai does not tell.")
# Long enough that its prefill takes a while.
_WORDS = "Repeat the first of these words and nothing else: " + "river stone cloud apple " * 60


class EngineChecks:
    """`reachable` and `default_model` come first: the others ask nothing where these failed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._backend = create_backend(settings)
        transport = Transport(
            settings.engine_base_url,
            concurrency=1,
            connect_seconds=settings.connect_timeout_seconds,
        )
        self._client = OllamaClient(transport)
        self._models = OllamaModels(self._client, settings)
        self._answers = False
        self._model: str | None = None

    @property
    def _is_ollama(self) -> bool:
        return self._settings.engine == "ollama"

    def reachable(self) -> Iterator[Said]:
        """The engine has to answer where the settings say."""
        settings = self._settings
        try:
            self._backend.status()
            self._answers = True
        except TensoriaError as error:
            name = "OLLAMA_BASE_URL" if self._is_ollama else "ENGINE_BASE_URL"
            start = "systemctl start ollama  (Docker: docker compose up -d ollama)"
            yield Finding(
                f"No engine answers at {settings.engine_base_url}: {error.message}",
                f"{start}, or {name}= in .env" if self._is_ollama else f"{name}= in .env",
            )

    def release(self) -> Iterator[Said]:
        """An old Ollama cuts prompts without a word."""
        if not self._answers or not self._is_ollama:
            yield _ONLY_OLLAMA if self._answers else _NOT_ASKED
            return
        version = self._client.version()
        release = to_version(version)
        if release is not None and release < OVERFLOW_SINCE:
            yield Finding(
                f"Ollama {version} cuts a prompt that is longer than the context without a word; "
                "0.12.6 and later refuse it.",
                _UPDATE,
            )

    def default_model(self) -> Iterator[Said]:
        """Clients that name no model get this one."""
        if not self._answers:
            yield _NOT_ASKED
            return
        try:
            self._model = self._backend.resolve(None)
        except ModelNotFound as error:
            wanted = self._settings.default_model
            pull = (
                f"ollama pull {wanted}  (Docker: docker exec tensoria-ollama ollama pull {wanted})"
            )
            yield Finding(error.message, pull if self._is_ollama else "DEFAULT_MODEL= in .env")
        except TensoriaError as error:
            yield Finding(error.message, "DEFAULT_MODEL= in .env")

    def context(self) -> Iterator[Said]:
        """Ollama's own choice of a context is often far below what the model could do."""
        if not self._is_ollama or not self._loaded:
            yield self._why_not_loaded()
            return
        assert self._model is not None  # noqa: S101  # it is loaded
        trained = self._models.about(self._models.resolve(None)).trained_context
        in_use = self._models.context_in_use(self._model, now=True)
        if trained is None or in_use is None:
            yield Unknown(f"Ollama does not tell the context of {self._model}.")
        elif in_use < trained // FAR_BELOW and in_use < ENOUGH_CONTEXT:
            yield Finding(
                f"{self._model} runs with a context of {in_use} tokens and was trained with "
                f"{trained}: longer prompts are refused.",
                f"OLLAMA_CONTEXT_LENGTH={min(trained, ENOUGH_CONTEXT)} in .env "
                "(it takes memory: look at `ollama ps` afterwards)",
            )

    def gpu(self) -> Iterator[Said]:
        """What does not fit into the GPU's memory runs on the processor."""
        if not self._is_ollama or not self._loaded:
            yield self._why_not_loaded()
            return
        self._models.look_again()
        entry = self._models.loaded().get(canonical(str(self._model)))
        size = entry.get("size", 0) if entry else 0
        on_gpu = entry.get("size_vram", 0) if entry else 0
        if not size and not on_gpu:
            yield Unknown(f"Ollama tells no sizes of {self._model}.")
        elif 0 < on_gpu < size:
            yield Finding(
                f"Only {on_gpu * 100 // size} % of {self._model} is in the GPU's memory; the rest "
                "runs on the processor.",
                "a smaller model, OLLAMA_CONTEXT_LENGTH or OLLAMA_NUM_PARALLEL (in .env)",
            )
        elif not on_gpu and self._sees_gpu():
            yield Finding(
                f"This machine has a GPU, and {self._model} does not use it.",
                "nvidia-smi && systemctl restart ollama  (Docker: docker compose -f "
                "docker-compose.yml -f compose.gpu.yml up -d)",
            )

    def _sees_gpu(self) -> bool:
        """Tell whether there is one, where the engine runs on this machine."""
        host = urlsplit(self._settings.engine_base_url).hostname
        return is_loopback(host or "") and any(any(DEVICES.glob(name)) for name in GPUS)

    def parallel(self) -> Iterator[Said]:
        """Two requests of one token each, at the same time, tell how many slots the engine has."""
        if self._settings.max_concurrency == 1:
            return
        if not self._loaded:
            yield self._why_not_loaded()
            return
        try:
            pairs = [self._pair(number) for number in range(ROUNDS)]
        except TensoriaError as error:
            yield Unknown(f"The model did not answer: {error.message}")
            return
        if max(second for _, second in pairs) < LEAST_SECONDS:
            yield Unknown("The model answers too fast to tell.")
        elif sorted(first / second for first, second in pairs)[ROUNDS // 2] < IN_TURN:
            slots = self._settings.max_concurrency
            yield Finding(
                f"MAX_CONCURRENCY={slots}, and of two requests the engine ran the second after the "
                "first.",
                f"OLLAMA_NUM_PARALLEL={slots} in the environment of Ollama itself (systemctl edit "
                "ollama), or MAX_CONCURRENCY=1 in .env",
            )

    @cached_property
    def _loaded(self) -> bool:
        """Have the default model loaded as a request does, and tell whether it is."""
        if self._model is None:
            return False
        try:
            self._ask("once")
        except TensoriaError:
            return False
        return True

    def _why_not_loaded(self) -> Unknown:
        return _ONLY_OLLAMA if self._answers and not self._is_ollama else _NOT_ASKED

    def _pair(self, number: int) -> tuple[float, float]:
        """Return the seconds after which the first and the second of two requests ended."""
        ended: list[float] = []
        failed: list[TensoriaError] = []
        both = threading.Barrier(2)

        def one(which: int) -> None:
            both.wait()
            begun = time.monotonic()
            try:
                # Each its own: the engine keeps what it has read of a prompt's beginning.
                self._ask(f"{number}.{which}")
            except TensoriaError as error:
                failed.append(error)
            ended.append(time.monotonic() - begun)

        threads = [threading.Thread(target=one, args=(which,)) for which in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        return min(ended), max(ended)

    def _ask(self, mark: str) -> None:
        request: ChatRequest = {
            "model": str(self._model),
            "messages": [{"role": "user", "content": f"{mark}: {_WORDS}"}],
            "max_tokens": 1,
        }
        with closing(self._backend.chat(request, AnswerId("doctor", 0))) as answer:
            for _ in answer:
                pass

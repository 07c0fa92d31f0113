"""The embedded engine as `tensoria up` uses it: what it needs, and what it sets for the gateway."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tensoria.config import EMBEDDED_LABEL
from tensoria.engine import install, minilm, model, preflight
from tensoria.engine.child import Told
from tensoria.engine.model import Model
from tensoria.engine.supervisor import Patience

_MOST_THREADS = 2
# How long an engine thread spins for the others before it sleeps. libgomp's default is for ever,
# in effect: with 2 threads on 2 cores and one other busy process, 0.4 tokens/s instead of 46.
_SPIN = {"GOMP_SPINCOUNT": "1000"}
# A disk that is slower than this would make any use of the model a pain.
_SLOWEST_BYTES_PER_SECOND = 50_000_000


@dataclass(frozen=True)
class Embeddings:
    """A second process of the engine, for the model that embeds: llama.cpp serves one a process."""

    model: Model
    told: Told
    patience: Patience


@dataclass(frozen=True)
class Embedded:
    """An engine that can be started: everything it needs is on this machine."""

    model: Model
    told: Told
    environ: dict[str, str]
    patience: Patience
    embeddings: Embeddings | None = None

    @property
    def description(self) -> str:
        """Say honestly what it is."""
        return f"{self.model.description}, llama.cpp"

    @property
    def embeddings_description(self) -> str | None:
        """Say what embeds and under which name; None where nothing does."""
        if self.embeddings is None:
            return None
        return f'{self.embeddings.model.description}, as "{self.embeddings.model.alias}"'

    def defaults(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the settings that suit it, without those that the user has set."""
        suitable = {
            "DEFAULT_MODEL": self.model.alias,
            # Without a limit it runs on to the end of its context.
            "MAX_TOKENS": "512",
            "DEFAULT_TEMPERATURE": "0",
            # Its slots.
            "MAX_CONCURRENCY": "2",
        }
        return {name: value for name, value in suitable.items() if not environ.get(name)}

    def connection(self, port: int, embeddings_port: int | None = None) -> dict[str, str]:
        """Return the settings that lead the gateway to it."""
        found = {
            "ENGINE": "openai",
            "ENGINE_BASE_URL": f"http://127.0.0.1:{port}",
            "ENGINE_API_KEY": self.told["api_key"],
            "ENGINE_LABEL": EMBEDDED_LABEL,
        }
        if embeddings_port is not None:
            found["EMBEDDINGS_BASE_URL"] = f"http://127.0.0.1:{embeddings_port}"
        return found


def prepare(
    path: Path | None,
    environ: Mapping[str, str],
    report: Callable[[str], None],
    *,
    embeddings: bool = False,
) -> Embedded:
    """Install, check and fetch what is missing, or raise EngineError.

    The models come last: a machine that cannot run the engine need not fetch them.
    """
    own = model.own_model(path) if path else None
    install.ensure_engine(environ, report)
    usable = preflight.check(environ, report)
    chosen = own or model.demo_model(environ, report)
    key = secrets.token_hex(16)
    second = None
    if embeddings:
        embeds = minilm.embedding_model(environ, report)
        second = Embeddings(embeds, _told(embeds, key, embedding=True), _patience(embeds))
    told = _told(chosen, key, embedding=False)
    return Embedded(chosen, told, _SPIN | usable, _patience(chosen), second)


def _told(chosen: Model, key: str, *, embedding: bool) -> Told:
    return {
        "model": str(chosen.path),
        "alias": chosen.alias,
        "other_names": list(chosen.other_names),
        "embedding": embedding,
        "chat_template": chosen.chat_template(),
        "port": 0,
        "api_key": key,
        "threads": min(_MOST_THREADS, os.cpu_count() or 1),
    }


def _patience(chosen: Model) -> Patience:
    loading = chosen.path.stat().st_size / _SLOWEST_BYTES_PER_SECOND
    return Patience(ready_seconds=20 + loading)

"""The embedded engine as `tensoria up` uses it: what it needs, and what it sets for the gateway."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tensoria.engine import install, model, preflight
from tensoria.engine.child import Told
from tensoria.engine.model import Model
from tensoria.engine.supervisor import Patience

LABEL = "tensoria-embedded (llama.cpp)"
_MOST_THREADS = 2
# How long an engine thread spins for the others before it sleeps. libgomp's default is for ever,
# in effect: with 2 threads on 2 cores and one other busy process, 0.4 tokens/s instead of 46.
_SPIN = {"GOMP_SPINCOUNT": "1000"}
# A disk that is slower than this would make any use of the model a pain.
_SLOWEST_BYTES_PER_SECOND = 50_000_000


@dataclass(frozen=True)
class Embedded:
    """An engine that can be started: everything it needs is on this machine."""

    model: Model
    told: Told
    environ: dict[str, str]
    patience: Patience

    @property
    def description(self) -> str:
        """Say honestly what it is."""
        return f"{self.model.description}, llama.cpp"

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

    def connection(self, port: int) -> dict[str, str]:
        """Return the settings that lead the gateway to it."""
        return {
            "ENGINE": "openai",
            "ENGINE_BASE_URL": f"http://127.0.0.1:{port}",
            "ENGINE_API_KEY": self.told["api_key"],
            "ENGINE_LABEL": LABEL,
        }


def prepare(
    path: Path | None, environ: Mapping[str, str], report: Callable[[str], None]
) -> Embedded:
    """Install, check and fetch what is missing, or raise EngineError.

    The model comes last: a machine that cannot run the engine need not fetch it.
    """
    own = model.own_model(path) if path else None
    install.ensure_engine(environ, report)
    usable = preflight.check(environ, report)
    chosen = own or model.demo_model(environ, report)
    told: Told = {
        "model": str(chosen.path),
        "alias": chosen.alias,
        "chat_template": chosen.chat_template(),
        "port": 0,
        "api_key": secrets.token_hex(16),
        "threads": min(_MOST_THREADS, os.cpu_count() or 1),
    }
    loading = chosen.path.stat().st_size / _SLOWEST_BYTES_PER_SECOND
    return Embedded(chosen, told, _SPIN | usable, Patience(ready_seconds=20 + loading))

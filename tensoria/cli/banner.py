"""What `tensoria up` prints once the service answers."""

import shlex
from collections.abc import Mapping, Sequence

from tensoria import __version__
from tensoria.config import Settings

# Even the demo model gets this one right.
_EXAMPLE = '{{"model": "{model}", "messages": [{{"role": "user", "content": "{question}"}}]}}'
_QUESTION = "What is the capital of France?"
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "[::]": "::1"}  # noqa: S104 - not bound here


def address(settings: Settings) -> str:
    """Return where a client on this machine reaches the service, without a path."""
    host = _WILDCARDS.get(settings.api_host, settings.api_host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{settings.api_port}"


def banner(
    settings: Settings,
    engine: str,
    *,
    model: str,
    defaults: Mapping[str, str],
    embeddings: str | None = None,
    no_models: bool,
    key_in_file: bool,
) -> str:
    """Say what answers where, on what engine, with which defaults, and how to ask it.

    Holds no key: the example takes it from the environment, or from `.env` where it stands there.
    """
    lines = [
        f"Tensoria {__version__} answers at {address(settings)}/v1",
        f"Engine: {engine}",
    ]
    if embeddings:
        lines.append(f"Embeddings: {embeddings}")
    if defaults:
        chosen = " ".join(f"{name}={value}" for name, value in defaults.items())
        lines.append(f"Set for it: {chosen}")
    lines += _no_models(settings) if no_models else _example(settings, model, key_in_file)
    return "\n".join((*lines, "Ctrl-C stops it."))


def _no_models(settings: Settings) -> Sequence[str]:
    return (
        "This Ollama has no model yet. Two ways on:",
        f"  ollama pull {settings.default_model}",
        "  tensoria up --embedded    (a small demo model, no Ollama)",
    )


def _example(settings: Settings, model: str, key_in_file: bool) -> Sequence[str]:
    body = _EXAMPLE.format(model=model, question=_QUESTION)
    key = ""
    if settings.api_keys:
        # The first key, where API_KEY holds several.
        key = '-H "Authorization: Bearer ${API_KEY%%,*}" '
    elif settings.api_keys_file:
        # The file has hashes alone.
        key = '-H "Authorization: Bearer $KEY" '
    curl = (
        f"curl {address(settings)}/v1/chat/completions {key}"
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )
    return "Try it:", f"  (. ./.env; {curl})" if settings.api_keys and key_in_file else f"  {curl}"

"""`tensoria up`: find an engine, or start the embedded one, and serve the API."""

import argparse
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from tensoria.cli import banner as banners
from tensoria.cli.discovery import Found, find_engine
from tensoria.cli.embedded import Embedded, prepare
from tensoria.cli.gateway import check_port_is_free
from tensoria.cli.session import Session, on_signals, say
from tensoria.config import Settings, environment
from tensoria.translate.names import find

# The shell's own code for a program that Ctrl-C ended.
_INTERRUPTED = 130


def run(args: argparse.Namespace) -> int:
    """Return the exit code. Raise ConfigError, CommandError or EngineError; see `cli.main`."""
    on_signals(signal.default_int_handler)
    try:
        return _run(args)
    except KeyboardInterrupt:
        say("stopped before anything was started.")
        return _INTERRUPTED


def _run(args: argparse.Namespace) -> int:
    environ = environment(os.environ)
    settings = Settings.from_env(environ)
    own = args.model or settings.embedded_model
    model = Path(own) if own else None
    embeddings = args.embeddings or settings.embedded_embeddings
    if args.fetch_only:
        prepare(model, os.environ, say, embeddings=embeddings)
        return 0
    check_port_is_free(settings.api_host, settings.api_port)
    wants_embedded = args.embedded or args.embeddings or args.model is not None
    found = None if wants_embedded else find_engine(environ, settings)
    if found is not None:
        return _serve_found(found, environ, settings)
    return _serve_embedded(prepare(model, os.environ, say, embeddings=embeddings), environ)


def _serve_found(found: Found, environ: Mapping[str, str], settings: Settings) -> int:
    model = _model_to_ask(found, settings)
    # Somebody with one model of their own should not have to name it in every request.
    chosen = model != settings.default_model and not environ.get("DEFAULT_MODEL")
    defaults = {"DEFAULT_MODEL": model} if chosen else {}
    text = banners.banner(
        settings,
        found.description,
        model=model,
        defaults=defaults,
        embeddings=settings.embeddings_base_url and f"engine at {settings.embeddings_base_url}",
        no_models=settings.engine == "ollama" and found.models == (),
        key_in_file=_key_in_file(),
    )
    return Session().run(None, {**os.environ, **defaults}, banners.address(settings), text)


def _serve_embedded(embedded: Embedded, environ: Mapping[str, str]) -> int:
    defaults = embedded.defaults(environ)
    # The port is not known yet, and nothing that is read here depends on it.
    settings = Settings.from_env({**environ, **defaults, **embedded.connection(1)})
    text = banners.banner(
        settings,
        embedded.description,
        model=embedded.model.alias,
        defaults=defaults,
        embeddings=embedded.embeddings_description,
        no_models=False,
        key_in_file=_key_in_file(),
    )
    return Session().run(embedded, {**os.environ, **defaults}, banners.address(settings), text)


def _model_to_ask(found: Found, settings: Settings) -> str:
    """Return the default model where it is installed, else the first one that is."""
    names = found.models or (settings.default_model,)
    return settings.default_model if find(settings.default_model, names) else names[0]


def _key_in_file() -> bool:
    """Tell whether API_KEY is known from `.env` only, where a shell does not see it."""
    return not os.environ.get("API_KEY")

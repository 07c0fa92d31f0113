"""The composition root: the only module that knows every room."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from flask.typing import ResponseReturnValue

from tensoria.admission.accounts import Accounts
from tensoria.admission.callers import Callers
from tensoria.admission.kept_keys import accepted
from tensoria.admission.keys import Keys
from tensoria.admission.limits import Limits
from tensoria.admission.shares import share_of
from tensoria.admission.tickets import Admission
from tensoria.admission.usage import Usage
from tensoria.api import (
    chat,
    compat,
    completions,
    conversations,
    docs,
    embeddings,
    error_handlers,
    health,
    hooks,
    kept_responses,
    messages,
    models,
    responses,
)
from tensoria.api import metrics as metrics_view
from tensoria.api.cors import Cors
from tensoria.api.paths import Slashes
from tensoria.api.services import Services
from tensoria.backends.base import Backend
from tensoria.backends.ollama import OllamaBackend
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.backends.router import with_embeddings
from tensoria.config import Settings
from tensoria.errors import RequestEnded, TensoriaError
from tensoria.memory.off import NoMemory
from tensoria.memory.runs import Runs
from tensoria.memory.store import Memory
from tensoria.metrics.base import Metrics, NullMetrics
from tensoria.metrics.shared import SharedMetrics
from tensoria.schemas.endpoints import FIELDS

_log = logging.getLogger("tensoria.engine")
_memory_log = logging.getLogger("tensoria.memory")
_admission_log = logging.getLogger("tensoria.admission")


class NoSessions(SessionInterface):
    """Gives every request the same empty session, which nothing can be written into."""

    def __init__(self) -> None:
        self._nothing = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """Called for each request."""
        return self._nothing


class Tensoria(Flask):
    """Flask, in which a request that is ended from outside has an answer as any other.

    It has no sessions, and no view that is a coroutine; to look whether it has costs each request.
    """

    session_interface = NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Called for each view and hook: they are functions."""
        return func

    def dispatch_request(self) -> ResponseReturnValue:
        """Turn what ended a request into its error, which is answered and logged as errors are."""
        try:
            return super().dispatch_request()
        except RequestEnded as ended:
            raise ended.error from None


def create_app(
    settings: Settings, backend: Backend | None = None, metrics_folder: str | None = None
) -> Flask:
    """Build the WSGI app for these settings; tests may bring a backend of their own.

    Without a folder for them there are no metrics.
    """
    metrics = SharedMetrics(Path(metrics_folder), FIELDS) if metrics_folder else NullMetrics()
    app = Tensoria("tensoria", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    memory = memory_of(settings)
    app.extensions["tensoria"] = Services(
        settings=settings,
        keys=Keys(settings.api_keys, accepted(settings.api_keys_file), settings.metrics_key),
        callers=Callers(settings.trusted_proxies),
        admission=Admission(share_of(settings)),
        accounts=Accounts(Limits(settings.workers), Usage(settings.data_dir / "usage")),
        backend=backend or create_backend(settings, metrics),
        metrics=metrics,
        memory=memory,
        runs=Runs(memory),
    )
    hooks.install(app, Cors(settings.cors_origins))
    error_handlers.install(app)
    for blueprint in (chat.bp, completions.bp, embeddings.bp, messages.bp, responses.bp):
        app.register_blueprint(blueprint)
    for blueprint in (kept_responses.bp, conversations.bp):
        app.register_blueprint(blueprint)
    for blueprint in (models.bp, compat.bp, health.bp):
        app.register_blueprint(blueprint)
    if not (settings.api_keys or settings.api_keys_file):
        app.register_blueprint(docs.bp)
    if isinstance(metrics, SharedMetrics):
        app.register_blueprint(metrics_view.blueprint(metrics))
    _tell_share(settings)
    app.wsgi_app = Slashes(app.wsgi_app)  # type: ignore[method-assign]
    return app


def create_backend(settings: Settings, metrics: Metrics | None = None) -> Backend:
    """Return the engine, or the two of them, that the settings name."""
    if settings.embeddings_base_url is not None:
        return with_embeddings(settings, settings.embeddings_base_url)
    return (
        OpenAIBackend(settings) if settings.engine == "openai" else OllamaBackend(settings, metrics)
    )


def memory_of(settings: Settings) -> Memory:
    """Return what keeps responses, or keeps none."""
    if not settings.store:
        _memory_log.info("responses are answered and not kept (STORE=0)")
        return NoMemory()
    return Memory(
        settings.data_dir / "memory", days=settings.store_days, max_bytes=settings.store_max_bytes
    )


def _tell_share(settings: Settings) -> None:
    """Say what each worker has of the whole, where there are several."""
    if settings.workers == 1:
        return
    share = share_of(settings)
    _admission_log.info(
        "this worker is one of %d (WEB_CONCURRENCY): it runs %d of MAX_CONCURRENCY=%d requests of "
        "a model at a time, and %d wait",
        settings.workers,
        share.slots,
        settings.max_concurrency,
        share.most_waiting,
    )


def look_at_engine(app: Flask) -> None:
    """Log what /ready would warn of, as soon as the engine tells it; the start does not wait."""
    backend: Backend = app.extensions["tensoria"].backend
    threading.Thread(target=_look, args=(backend,), name="first-look", daemon=True).start()


def _look(backend: Backend) -> None:
    try:
        backend.status()
    except TensoriaError as error:
        _log.warning("%s /ready tells when it answers.", error.message)

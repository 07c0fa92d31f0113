"""What gunicorn is told; `gunicorn.conf.py` and `tensoria serve` both use it.

Source: docs.gunicorn.org/en/stable/settings.html, release 27.
"""

from typing import Any

from tensoria import logs
from tensoria.config import Settings
from tensoria.server import metrics_folder

# gunicorn's own default of 1000 would also be the cap on open streams.
WORKER_CONNECTIONS = 4096
# For requests that wait for no turn while every place is taken: probes, lists, refusals.
SPARE_CONNECTIONS = 1024
# Longer than nginx's 60 s for idle upstream connections, so that nginx is the one that closes.
KEEPALIVE_SECONDS = 75
# For the error events of the answers that outlast the grace.
LAST_WORDS_SECONDS = 5


def gunicorn_settings(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's settings by their names there."""
    host = f"[{settings.api_host}]" if ":" in settings.api_host else settings.api_host
    return {
        "bind": f"{host}:{settings.api_port}",
        "workers": settings.workers,
        "worker_class": "tensoria.server.worker.TensoriaWorker",
        "worker_connections": max(
            WORKER_CONNECTIONS, settings.max_concurrency + settings.max_queue + SPARE_CONNECTIONS
        ),
        "keepalive": KEEPALIVE_SECONDS,
        # After it the arbiter kills what is left.
        "graceful_timeout": round(settings.shutdown_grace_seconds) + 2 * LAST_WORDS_SECONDS,
        # gevent patches in the worker, before it loads the app: preloading would import ssl
        # unpatched.
        "preload_app": False,
        # Whose X-Forwarded-For counts is TRUSTED_PROXIES' business; what is left for gunicorn to
        # believe anybody is that its client came by https, which only shows in a hint.
        "forwarded_allow_ips": "*",
        "forwarder_headers": "",
        "secure_scheme_headers": {"X-FORWARDED-PROTO": "https"},
        "control_socket_disable": True,
        "logger_class": "tensoria.server.log.Logger",
        "logconfig_dict": logs.config(settings.log_level, settings.log_format),
        "loglevel": settings.log_level.lower(),
        "proc_name": "tensoria",
        "when_ready": metrics_folder.make,
        "on_exit": metrics_folder.remove,
    }


def grace_seconds(graceful_timeout: float) -> float:
    """Return SHUTDOWN_GRACE_SECONDS as a worker finds it among gunicorn's settings."""
    return graceful_timeout - 2 * LAST_WORDS_SECONDS

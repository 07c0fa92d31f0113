"""GET /metrics, for Prometheus; there only where a server has made a folder for the numbers."""

from flask import Blueprint, Response

from tensoria.api.services import services
from tensoria.backends.base import Backend
from tensoria.errors import TensoriaError
from tensoria.metrics.shared import CONTENT_TYPE, SharedMetrics


def blueprint(metrics: SharedMetrics) -> Blueprint:
    """Return the view of these metrics; `hooks.check_key` decides who may see it."""
    bp = Blueprint("metrics", __name__)

    @bp.get("/metrics")
    def show_metrics() -> Response:
        """Answer with the sums over all workers."""
        text = metrics.text(engine_up=_answers(services().backend))
        return Response(text, content_type=CONTENT_TYPE)

    return bp


def _answers(engine: Backend) -> bool:
    """Ask as /ready does: at most two seconds old, a dead engine included."""
    try:
        engine.status()
    except TensoriaError:
        return False
    return True

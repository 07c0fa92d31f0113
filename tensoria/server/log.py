"""gunicorn's logger, without its access log: Tensoria writes its own line a request."""

from typing import Any

from gunicorn import glogging


class Logger(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn turns its access log on whenever `logconfig_dict` is set; this keeps it off."""

    access_log_enabled = False

    def access(self, *_: Any, **__: Any) -> None:
        """Write nothing."""

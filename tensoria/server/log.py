"""gunicorn's logger: no access log (Tensoria writes its own line), and no client's words."""

import re
from typing import Any

from gunicorn import glogging

# Of a request that is not HTTP gunicorn quotes what it stumbled over: a header without a colon, or
# the rest of a body whose length was wrong. That may be a key or a prompt.
_QUOTED = re.compile(r""":? b?['"].*""", re.DOTALL)


class Logger(glogging.Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn turns its access log on whenever `logconfig_dict` is set; this keeps it off."""

    access_log_enabled = False

    def access(self, *_: Any, **__: Any) -> None:
        """Write nothing."""

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Name the class of an exception in place of its words."""
        named = (type(each).__name__ if isinstance(each, Exception) else each for each in args)
        super().debug(msg, *named, **kwargs)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Say what is wrong with a request without quoting it."""
        if str(msg).startswith("Invalid request from "):
            msg = _QUOTED.sub("", str(msg))
        super().warning(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Leave out the query string of a request that failed."""
        super().exception(msg, *(str(each).partition("?")[0] for each in args), **kwargs)

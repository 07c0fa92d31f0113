"""The service's WSGI app, which also tells how many greenlets there are and who runs or waits.

For `aborts.py` alone: nothing of it belongs into a service, and it asks for no key.
"""

import gc
import json
from collections.abc import Callable, Iterable
from typing import Any

from greenlet import greenlet

from wsgi import app as served

PATH = "/__state"


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one path here, and leave all others to the service."""
    if environ["PATH_INFO"] != PATH:
        return served(environ, start_response)
    # Dead ones in cycles would be counted as left over.
    gc.collect()
    queues = [lane.queue for lane in served.extensions["tensoria"].admission._lanes.values()]
    state = {
        "greenlets": sum(isinstance(each, greenlet) and not each.dead for each in gc.get_objects()),
        "running": sum(queue.running for queue in queues),
        "waiting": sum(queue.waiting for queue in queues),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(state).encode()]

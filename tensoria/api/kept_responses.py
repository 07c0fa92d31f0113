"""GET and DELETE /v1/responses/{id}, GET …/input_items, POST …/cancel."""

import time

from flask import Blueprint, Response, request

from tensoria.api.following import follow
from tensoria.api.item_lists import asked_span, flag, item_list, unknown_after, whole_number
from tensoria.api.json import json_response
from tensoria.api.memory import OFF, owner
from tensoria.api.services import services
from tensoria.errors import InvalidRequest, NotFound
from tensoria.memory import items, responses
from tensoria.memory.items import UnknownItem
from tensoria.memory.responses import Body, UnknownResponse
from tensoria.memory.run import Run
from tensoria.memory.runs import LOOK_SECONDS
from tensoria.memory.store import Memory

bp = Blueprint("kept_responses", __name__, url_prefix="/v1/responses")

# A run that is cancelled ends between two receives of the engine; its caller is told so far.
CANCEL_SECONDS = 5.0


@bp.get("/<response_id>")
def retrieve_response(response_id: str) -> Response:
    """Return a response as it is now, or the events of one that runs in the background."""
    memory, whose = _memory(response_id), owner()
    after = whole_number("starting_after", -1)
    streams = flag("stream")
    if not streams and after >= 0:
        raise InvalidRequest("'starting_after' is for a stream.", param="starting_after")
    run = services().runs.get(whose, response_id)
    if run is None:
        kept = _found(memory, whose, response_id)
        body, background = kept.body, kept.background
    else:
        body, background = run.body, True
    if not streams:
        return _told(json_response(body))
    if not background:
        raise InvalidRequest(
            "Only a response that was created with 'background' can be streamed again.",
            param="stream",
        )
    return _told(follow(whose, response_id, after))


@bp.delete("/<response_id>")
def delete_response(response_id: str) -> Response:
    """Forget a response; one that still runs is cancelled."""
    memory, whose = _memory(response_id), owner()
    run = services().runs.get(whose, response_id)
    if run is not None:
        run.cancel()
        run.wait(CANCEL_SECONDS)
    try:
        memory.erase(lambda db: responses.delete(db, whose, response_id))
    except UnknownResponse:
        raise _missing(response_id) from None
    return json_response({"id": response_id, "object": "response", "deleted": True})


@bp.get("/<response_id>/input_items")
def list_input_items(response_id: str) -> Response:
    """List what a response was asked."""
    memory, whose, span = _memory(response_id), owner(), asked_span()
    _found(memory, whose, response_id)
    try:
        page = memory.read(lambda db: items.page_of_response(db, response_id, span))
    except UnknownItem as unknown:
        raise unknown_after(str(unknown)) from None
    return _told(item_list(page))


@bp.post("/<response_id>/cancel")
def cancel_response(response_id: str) -> Response:
    """End a response that runs in the background; one that is over stays as it is."""
    memory, whose = _memory(response_id), owner()
    run = services().runs.get(whose, response_id)
    if run is not None:
        return json_response(_cancelled_here(run))
    kept = _found(memory, whose, response_id)
    if not kept.background:
        raise InvalidRequest(
            "Only a response that was created with 'background' can be cancelled.",
            param="background",
        )
    body = kept.body if kept.worker is None else _cancelled_elsewhere(memory, whose, response_id)
    return json_response(body)


def _cancelled_here(run: Run) -> Body:
    run.cancel()
    run.wait(CANCEL_SECONDS)
    return run.body


def _cancelled_elsewhere(memory: Memory, whose: str, response_id: str) -> Body:
    """Another worker runs it, and looks some times a second whether it is to be ended."""
    memory.write(lambda db: responses.ask_to_cancel(db, whose, response_id))
    deadline = time.monotonic() + CANCEL_SECONDS
    while True:
        kept = _found(memory, whose, response_id)
        if kept.worker is None or time.monotonic() > deadline:
            return kept.body
        time.sleep(LOOK_SECONDS)


def _memory(response_id: str) -> Memory:
    memory = services().memory
    if not memory.on:
        raise NotFound(f"Response with id '{response_id[:100]}' not found: {OFF}.")
    return memory


def _found(memory: Memory, whose: str, response_id: str) -> responses.Kept:
    try:
        return memory.find(whose, response_id)
    except UnknownResponse:
        raise _missing(response_id) from None


def _missing(response_id: str) -> NotFound:
    return NotFound(f"Response with id '{response_id[:100]}' not found.")


def _told(response: Response) -> Response:
    """What a response was kept with is what it is told with, whatever is to be included."""
    if any(name in request.args for name in ("include", "include[]")):
        response.headers["X-Tensoria-Ignored"] = "include"
    return response

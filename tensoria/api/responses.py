"""POST /v1/responses."""

import time
from dataclasses import replace
from functools import partial

from flask import Blueprint, Response, request

from tensoria.api.background import Asked, begin_in_background
from tensoria.api.ids import new_id
from tensoria.api.json import json_body
from tensoria.api.memory import Keeping, recall, references, told_of_store
from tensoria.api.notices import notices
from tensoria.api.response_encoding import ResponseEncoding, WholeResponse
from tensoria.api.services import backend, services
from tensoria.api.streaming import stream_answer, whole_answer
from tensoria.api.turns import in_turn
from tensoria.backends.base import AnswerId, AnswerStream, Backend, Explained
from tensoria.errors import TensoriaError
from tensoria.schemas import responses as schema
from tensoria.schemas.base import Loaded
from tensoria.schemas.chat_messages import settle_history
from tensoria.schemas.response_images import unseen
from tensoria.translate.response_events import ResponseFrame, ToEvents
from tensoria.translate.response_items import identify
from tensoria.translate.responses import SEALED, reword, to_chat, to_name, to_response
from tensoria.wire.openai import ChatRequest, Chunk
from tensoria.wire.responses import Item, ResponseRequest

bp = Blueprint("responses", __name__, url_prefix="/v1")


@bp.post("/responses")
def create_response() -> Response:
    """Answer items with items, streamed or whole."""
    try:
        return _answer(schema.load(json_body()))
    except TensoriaError as error:
        reword(error)
        raise
    except Explained as explained:
        explained.adjusted = {to_name(name): told for name, told in explained.adjusted.items()}
        raise


def _answer(loaded: Loaded[ResponseRequest]) -> Response:
    asked = loaded.request
    items = identify(references(asked["input"]), new_id)
    chat, unmatched = to_settled_chat(asked, items)
    told = notices(
        schema.ResponseSchema, replace(loaded, ignored=(*loaded.ignored, *map(to_name, unmatched)))
    )
    told = told_of_store(asked, replace(told, names=to_name))
    answer_id = AnswerId(new_id("resp_"), int(time.time()))
    events = ToEvents(to_frame(asked, answer_id))

    def open_chat(engine: Backend, answer: AnswerId) -> AnswerStream[Chunk]:
        return engine.chat(chat, answer)

    if asked.get("background"):
        return begin_in_background(Asked(asked, items, chat, open_chat, answer_id), events, told)
    kept = Keeping(asked, items)
    open_answer = partial(in_turn, open_chat, chat, answer_id)
    if asked.get("stream"):
        lines = "application/x-ndjson" in request.headers.get("Accept", "")
        return stream_answer(open_answer, told, ResponseEncoding(events, kept, lines=lines))
    return whole_answer(open_answer, WholeResponse(events, kept), told)


def to_settled_chat(asked: ResponseRequest, items: list[Item]) -> tuple[ChatRequest, set[str]]:
    """Return the chat with all that was said before, and name what of it could not be matched.

    Raises for images that the model could not see, also those of earlier turns.
    """
    earlier = recall(asked)
    if earlier:
        unseen(earlier, lambda: backend().traits(asked.get("model")), "previous_response_id")
    chat = to_chat(asked, [*earlier, *items])
    return chat, settle_history(chat["messages"])


def to_frame(asked: ResponseRequest, answer: AnswerId) -> ResponseFrame:
    """Return what is known of a response before its answer."""
    settings = services().settings
    begun = to_response(
        asked,
        answer.id,
        answer.created,
        model=settings.default_model,
        truncates=settings.context_overflow == "truncate",
    )
    return ResponseFrame(
        begun,
        lambda: int(time.time()),
        summary="summary" in asked.get("reasoning", {}),
        sealed=SEALED in asked.get("include", ()),
    )

"""POST /v1/messages and POST /v1/messages/count_tokens: Anthropic's API."""

import time
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, Response

from tensoria.api.dialect import envelope_of_request
from tensoria.api.ids import new_id
from tensoria.api.json import json_body, json_response
from tensoria.api.message_encoding import MessageEncoding
from tensoria.api.notices import Notices, notices
from tensoria.api.services import backend, key
from tensoria.api.streaming import stream_answer, whole_answer
from tensoria.api.turns import in_turn
from tensoria.backends.base import AnswerId
from tensoria.schemas import messages as schema
from tensoria.schemas.base import Loaded
from tensoria.schemas.chat_messages import settle_history
from tensoria.translate.message_count import estimate
from tensoria.translate.message_events import Collected, ToMessage
from tensoria.translate.messages import thoughts_of, to_chat, to_name
from tensoria.wire.messages import TokenCount
from tensoria.wire.openai import ChatRequest

bp = Blueprint("messages", __name__, url_prefix="/v1")

ESTIMATED = "X-Tensoria-Estimated"


@bp.post("/messages")
def create_message() -> Response:
    """Answer a conversation, streamed or whole."""
    loaded = schema.load(json_body())
    told = _notices(schema.MessageSchema, loaded)
    chat = _chat(loaded)
    open_answer = partial(
        in_turn,
        lambda backend, answer: backend.chat(chat, answer),
        chat,
        AnswerId(new_id("msg_"), int(time.time())),
    )
    message = ToMessage(thoughts_of(loaded.request))
    if chat.get("stream"):
        return stream_answer(open_answer, told, MessageEncoding(message, envelope_of_request()))
    return whole_answer(open_answer, Collected(message), told)


@bp.post("/messages/count_tokens")
def count_message_tokens() -> Response:
    """Count the tokens of a prompt; a header says so where the engine could not, and it is guessed.

    Nothing is generated, and no slot is taken.
    """
    loaded = schema.load_count(json_body())
    told = _notices(schema.CountSchema, loaded)
    chat = _chat(loaded)
    backend().resolve(chat.get("model"))
    counted = backend().count(chat)
    body: TokenCount = {"input_tokens": estimate(chat) if counted is None else counted}
    response = json_response(body)
    told.tell(response, {}, {})
    if counted is None:
        response.headers[ESTIMATED] = "input_tokens"
    return response


def _chat(loaded: Loaded[Any]) -> ChatRequest:
    chat = to_chat(loaded.request)
    settle_history(chat["messages"])
    return chat


def _notices(of: Any, loaded: Loaded[Any]) -> Notices:
    found, used = notices(of, loaded), key()
    ignored = found.ignored
    if used is not None and used.end_users:
        # Here a user's id tells callers apart.
        ignored = tuple(name for name in ignored if name != "metadata")
    return replace(found, ignored=ignored, names=to_name)

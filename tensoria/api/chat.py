"""POST /v1/chat/completions."""

import time
from functools import partial

from flask import Blueprint, Response

from tensoria.api.ids import new_id
from tensoria.api.json import json_body
from tensoria.api.notices import notices
from tensoria.api.streaming import stream_answer, whole_answer
from tensoria.api.turns import in_turn
from tensoria.backends.base import AnswerId
from tensoria.schemas import chat as schema
from tensoria.translate.chunks import ToCompletion

bp = Blueprint("chat", __name__, url_prefix="/v1")


@bp.post("/chat/completions")
def create_chat_completion() -> Response:
    """Answer a chat, streamed or whole."""
    loaded = schema.load(json_body())
    told = notices(schema.ChatSchema, loaded)
    answer_id = AnswerId(new_id("chatcmpl-"), int(time.time()))
    open_answer = partial(
        in_turn,
        lambda backend, answer: backend.chat(loaded.request, answer),
        loaded.request,
        answer_id,
    )
    if loaded.request.get("stream"):
        return stream_answer(open_answer, told)
    return whole_answer(open_answer, ToCompletion(), told)

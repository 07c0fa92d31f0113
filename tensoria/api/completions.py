"""POST /v1/completions."""

import time
from functools import partial

from flask import Blueprint, Response

from tensoria.api.ids import new_id
from tensoria.api.json import json_body
from tensoria.api.notices import notices
from tensoria.api.streaming import stream_answer, whole_answer
from tensoria.api.turns import in_turn
from tensoria.backends.base import AnswerId
from tensoria.schemas import completions as schema
from tensoria.translate.completion_chunks import ToTextCompletion

bp = Blueprint("completions", __name__, url_prefix="/v1")


@bp.post("/completions")
def create_completion() -> Response:
    """Continue a text, or several, streamed or whole."""
    loaded = schema.load(json_body())
    told = notices(schema.CompletionSchema, loaded)
    answer_id = AnswerId(new_id("cmpl-"), int(time.time()))
    open_answer = partial(
        in_turn,
        lambda backend, answer: backend.complete(loaded.request, answer),
        loaded.request,
        answer_id,
    )
    if loaded.request.get("stream"):
        return stream_answer(open_answer, told)
    return whole_answer(open_answer, ToTextCompletion(), told)

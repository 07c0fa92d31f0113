"""`prompt_tokens_details.cached_tokens`: there when the engine tells it, in whatever place."""

from typing import Any

import orjson
import pytest

from tensoria.translate.chat import ToChunks
from tensoria.translate.chat_passthrough import FromOpenAI, usage_of
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import sum_usage
from tensoria.translate.completions import ToTextChunks
from tensoria.translate.completions_passthrough import FromOpenAIText
from tensoria.wire.openai import Usage

FRAME = Frame(id="x", created=7, model="m")
PLAIN: Usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
CACHED: Usage = {**PLAIN, "prompt_tokens_details": {"cached_tokens": 5}}
NONE: Usage = {**PLAIN, "prompt_tokens_details": {"cached_tokens": 0}}
COUNTS = {"prompt_tokens": 9, "completion_tokens": 2}
DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 2}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, PLAIN),
        ({"prompt_eval_cached_count": 5}, CACHED),
        ({"prompt_eval_cached_count": 0}, NONE),
        ({"prompt_eval_cached_count": "5"}, PLAIN),
    ],
)
def test_ollama_tells_it_on_the_last_line(told: dict[str, Any], expected: Usage) -> None:
    chat, text = ToChunks(FRAME), ToTextChunks(FRAME)
    chat.feed([orjson.dumps({"message": {"content": ""}, **DONE, **told})])
    text.feed([orjson.dumps({"response": "", **DONE, **told})])

    assert chat.usage == expected
    assert text.usage == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"usage": COUNTS}, PLAIN),
        ({"usage": {**COUNTS, "prompt_tokens_details": {"cached_tokens": 5}}}, CACHED),
        ({"usage": {**COUNTS, "prompt_tokens_details": None}}, PLAIN),
        ({"usage": {**COUNTS, "prompt_tokens_details": {"audio_tokens": 1}}}, PLAIN),
        ({"usage": COUNTS, "timings": {"cache_n": 5, "prompt_n": 4}}, CACHED),
        ({"usage": COUNTS, "timings": {"cache_n": 0}}, NONE),
        ({"usage": COUNTS, "timings": {"cache_n": None}}, PLAIN),
        ({"usage": COUNTS, "timings": 5}, PLAIN),
        (
            {
                "usage": {**COUNTS, "prompt_tokens_details": {"cached_tokens": 5}},
                "timings": {"cache_n": 1},
            },
            CACHED,
        ),
        ({"usage": None, "timings": {"cache_n": 5}}, None),
        ({}, None),
    ],
)
def test_an_openai_engine_tells_it_in_its_usage_or_its_timings(
    event: dict[str, Any], expected: Usage | None
) -> None:
    assert usage_of(event) == expected


def test_an_event_after_the_usage_does_not_take_it_away() -> None:
    events = [orjson.dumps({"usage": COUNTS, "timings": {"cache_n": 5}}), b'{"choices": []}']
    chat, text = FromOpenAI(FRAME), FromOpenAIText(FRAME)
    chat.feed(events)
    text.feed(events)

    assert chat.usage == CACHED
    assert text.usage == CACHED


@pytest.mark.parametrize(
    ("usages", "cached"),
    [([CACHED, CACHED], 10), ([CACHED, PLAIN], 5), ([PLAIN, NONE], 0), ([PLAIN, PLAIN], None)],
)
def test_what_several_prompts_had_in_the_cache_is_summed(
    usages: list[Usage], cached: int | None
) -> None:
    total = sum_usage(usages)

    assert total is not None
    assert total.get("prompt_tokens_details") == (
        None if cached is None else {"cached_tokens": cached}
    )

"""Chat with Ollama: requests up, lines down to chunks."""

import json
from typing import Any

import pytest

from tensoria.errors import BackendError, ContextLengthExceeded, TensoriaError
from tensoria.translate.chat import ToChunks, to_messages, to_ollama, token_limit, wants_usage
from tensoria.translate.chunks import Frame
from tensoria.wire.openai import ChatRequest

FRAME = Frame(id="chatcmpl-1", created=7, model="m", fingerprint="fp_1")


def upstream(**members: Any) -> dict[str, Any]:
    """What goes up for a request of one message and these fields."""
    request: Any = {"messages": [{"role": "user", "content": "hi"}], **members}
    body: dict[str, Any] = {
        **to_ollama(
            request,
            model="m:latest",
            max_tokens=256,
            temperature=None,
            keep_alive="5m",
            context_length=None,
        )
    }
    return body


# Requests.


def test_whole_request() -> None:
    """Every field at once; `model` is the canonical name, and not what the client wrote."""
    request: ChatRequest = {
        "model": "M",
        "messages": [
            {"role": "developer", "content": "Be terse."},
            {"role": "user", "content": "What is it?"},
        ],
        "stream": False,
        "stream_options": {"include_usage": True},
        "temperature": 0.2,
        "top_p": 0.9,
        "max_tokens": 9,
        "max_completion_tokens": 9,
        "stop": ["END"],
        "seed": 7,
        "presence_penalty": 0.1,
        "frequency_penalty": -0.1,
        "user": "somebody",
    }
    body = to_ollama(
        request,
        model="m:latest",
        max_tokens=64,
        temperature=0.7,
        keep_alive=-1,
        context_length=8192,
    )
    assert body == {
        "model": "m:latest",
        "messages": [
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "What is it?"},
        ],
        "stream": True,
        "truncate": False,
        "shift": False,
        "keep_alive": -1,
        "options": {
            "num_predict": 64,
            "num_ctx": 8192,
            "temperature": 0.2,
            "top_p": 0.9,
            "stop": ["END"],
            "seed": 7,
            "presence_penalty": 0.1,
            "frequency_penalty": -0.1,
        },
    }


def test_smallest_request() -> None:
    assert upstream() == {
        "model": "m:latest",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "truncate": False,
        "shift": False,
        "keep_alive": "5m",
        "options": {"num_predict": 256},
    }


# (field, value, the options beside num_predict)
OPTIONS = [
    ("temperature", 0, {"temperature": 0}),
    ("top_p", 0, {"top_p": 0}),
    ("seed", 0, {"seed": 0}),
    ("seed", -1, {"seed": -1}),
    ("presence_penalty", 0.0, {"presence_penalty": 0.0}),
    ("frequency_penalty", 2, {"frequency_penalty": 2}),
    ("stop", ["a", "b"], {"stop": ["a", "b"]}),
    ("top_k", 0, {"top_k": 0}),
    ("min_p", 0, {"min_p": 0}),
    ("repeat_penalty", 1, {"repeat_penalty": 1}),
    ("options", {"typical_p": 0.5, "mirostat": 0}, {"typical_p": 0.5, "mirostat": 0}),
    ("options", {"num_ctx": 9, "num_gpu": 1, "num_predict": 5}, {}),
    ("user", "u", {}),
    ("stream", True, {}),
    ("max_tokens", 5, {}),
    ("stream_options", {"include_usage": True}, {}),
]


@pytest.mark.parametrize(("name", "value", "expected"), OPTIONS)
def test_field_becomes_an_option_even_when_it_is_zero(
    name: str, value: object, expected: dict[str, Any]
) -> None:
    assert upstream(**{name: value})["options"] == {"num_predict": 256} | expected


@pytest.mark.parametrize(
    ("clients", "gateways", "expected"),
    [(0.2, 0.7, 0.2), (0, 0.7, 0), (None, 0.7, 0.7), (None, 0.0, 0.0), (None, None, None)],
)
def test_clients_temperature_wins_over_the_gateways(
    clients: float | None, gateways: float | None, expected: float | None
) -> None:
    request: Any = {"messages": [], **({} if clients is None else {"temperature": clients})}
    body = to_ollama(
        request,
        model="m",
        max_tokens=1,
        temperature=gateways,
        keep_alive=0,
        context_length=None,
    )
    assert body["options"].get("temperature") == expected


# (name, messages, messages for Ollama)
MESSAGES: list[tuple[str, list[Any], list[Any]]] = [
    ("none", [], []),
    (
        "developer is system",
        [{"role": "developer", "content": "a"}],
        [{"role": "system", "content": "a"}],
    ),
    (
        "leading system and developer are one",
        [
            {"role": "system", "content": "a"},
            {"role": "developer", "content": "b"},
            {"role": "system", "content": "c"},
            {"role": "user", "content": "d"},
        ],
        [{"role": "system", "content": "a\n\nb\n\nc"}, {"role": "user", "content": "d"}],
    ),
    (
        "an empty one leaves no blank lines",
        [
            {"role": "system", "content": ""},
            {"role": "developer", "content": "b"},
            {"role": "system", "content": ""},
        ],
        [{"role": "system", "content": "b"}],
    ),
    (
        "system in the middle and at the end stays where it is",
        [
            {"role": "system", "content": "a"},
            {"role": "user", "content": "b"},
            {"role": "developer", "content": "c"},
            {"role": "system", "content": "d"},
        ],
        [
            {"role": "system", "content": "a"},
            {"role": "user", "content": "b"},
            {"role": "system", "content": "c"},
            {"role": "system", "content": "d"},
        ],
    ),
    (
        "system after the first user turn is not moved to the front",
        [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}],
        [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}],
    ),
    (
        "two user turns in a row are two",
        [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
        [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    ),
    (
        "a prefill",
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "The"}],
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "The"}],
    ),
    (
        "tool",
        [{"role": "tool", "content": "4 C", "tool_call_id": "c1"}],
        [{"role": "tool", "content": "4 C", "tool_call_id": "c1"}],
    ),
    (
        "tool with a name",
        [{"role": "tool", "content": "4 C", "tool_call_id": "c1", "name": "weather"}],
        [{"role": "tool", "content": "4 C", "tool_call_id": "c1", "tool_name": "weather"}],
    ),
    (
        "function is tool",
        [{"role": "function", "content": "4 C", "name": "weather"}],
        [{"role": "tool", "content": "4 C", "tool_name": "weather"}],
    ),
    (
        "a person's name has no place",
        [{"role": "user", "content": "a", "name": "bob", "tool_call_id": "c1"}],
        [{"role": "user", "content": "a"}],
    ),
]


@pytest.mark.parametrize(("_name", "sent", "expected"), MESSAGES, ids=[row[0] for row in MESSAGES])
def test_messages_for_ollama(_name: str, sent: list[Any], expected: list[Any]) -> None:
    assert to_messages(sent) == expected


def test_request_is_not_changed() -> None:
    sent: list[Any] = [{"role": "system", "content": "a"}, {"role": "system", "content": "b"}]
    to_messages(sent)
    assert sent == [{"role": "system", "content": "a"}, {"role": "system", "content": "b"}]


# (name, request, default, ceiling, the limit, what was adjusted)
LIMITS: list[tuple[str, Any, int, int | None, int, dict[str, str]]] = [
    ("none named", {}, 4096, None, 4096, {}),
    ("none named, under the ceiling", {}, 4096, 8192, 4096, {}),
    ("none named, over the ceiling", {}, 4096, 512, 512, {}),
    ("minus one is none", {"max_tokens": -1}, 4096, None, 4096, {}),
    ("both minus one", {"max_tokens": -1, "max_completion_tokens": -1}, 9, None, 9, {}),
    ("minus one and a number", {"max_tokens": -1, "max_completion_tokens": 5}, 9, None, 5, {}),
    ("a number and minus one", {"max_tokens": 5, "max_completion_tokens": -1}, 9, None, 5, {}),
    ("old spelling", {"max_tokens": 5}, 4096, None, 5, {}),
    ("new spelling", {"max_completion_tokens": 5}, 4096, None, 5, {}),
    ("one token", {"max_tokens": 1}, 4096, 8192, 1, {}),
    ("more than the default", {"max_tokens": 5000}, 4096, None, 5000, {}),
    ("old one smaller", {"max_tokens": 5, "max_completion_tokens": 6}, 9, None, 5, {}),
    ("new one smaller", {"max_tokens": 6, "max_completion_tokens": 5}, 9, None, 5, {}),
    ("at the ceiling", {"max_tokens": 8192}, 9, 8192, 8192, {}),
    ("over it", {"max_tokens": 8193}, 9, 8192, 8192, {"max_tokens": "8192"}),
    (
        "over it in the new spelling",
        {"max_completion_tokens": 10**9},
        9,
        8192,
        8192,
        {"max_completion_tokens": "8192"},
    ),
    (
        "one over it, one under it",
        {"max_tokens": 10**9, "max_completion_tokens": 5},
        9,
        8192,
        5,
        {},
    ),
    (
        "more than an engine's 32 bits hold",
        {"max_tokens": 2**40},
        9,
        None,
        2**31 - 1,
        {"max_tokens": "2147483647"},
    ),
]


@pytest.mark.parametrize(
    ("_name", "request_", "default", "ceiling", "limit", "adjusted"),
    LIMITS,
    ids=[row[0] for row in LIMITS],
)
def test_token_limit(
    _name: str,
    request_: Any,
    default: int,
    ceiling: int | None,
    limit: int,
    adjusted: dict[str, str],
) -> None:
    assert token_limit(request_, default=default, ceiling=ceiling) == (limit, adjusted)


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ({}, True),
        ({"stream": False, "stream_options": {"include_usage": False}}, True),
        ({"stream": True}, False),
        ({"stream": True, "stream_options": {}}, False),
        ({"stream": True, "stream_options": {"include_usage": False}}, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True),
    ],
)
def test_usage_is_in_every_whole_answer_and_in_a_stream_on_demand(
    request_: Any, wanted: bool
) -> None:
    assert wants_usage(request_) is wanted


# Lines.


def line(content: str = "", **members: Any) -> bytes:
    message = {"role": "assistant", "content": content, **members.pop("message", {})}
    whole = {"model": "m:latest", "created_at": "2026-08-21T10:00:00.1Z", "message": message}
    return json.dumps(whole | {"done": False} | members).encode()


def last(content: str = "", **members: Any) -> bytes:
    whole = {"done_reason": "stop", "prompt_eval_count": 26, "eval_count": 3} | members
    return line(content, done=True, **whole)


def chunk(finish_reason: str | None = None, **delta: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "system_fingerprint": "fp_1",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
        "usage": None,
    }


def usage_chunk(prompt: int, completion: int) -> dict[str, Any]:
    return chunk() | {
        "choices": [],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }


ROLE = chunk(role="assistant", content="")

# (name, the lines of an answer that ends well, its chunks)
ANSWERS: list[tuple[str, list[bytes], list[dict[str, Any]]]] = [
    (
        "text",
        [line("Hel"), line("lo"), last()],
        [ROLE, chunk(content="Hel"), chunk(content="lo"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "cut at its limit",
        [line("Hi"), last(done_reason="length")],
        [ROLE, chunk(content="Hi"), chunk("length"), usage_chunk(26, 3)],
    ),
    ("no text", [last()], [ROLE, chunk("stop"), usage_chunk(26, 3)]),
    (
        "text in the last line",
        [line("a"), last("b")],
        [ROLE, chunk(content="a"), chunk(content="b"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "everything in one line",
        [last("all")],
        [ROLE, chunk(content="all"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "empty lines between",
        [line(), line("a"), line(), last()],
        [ROLE, chunk(content="a"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "space is text",
        [line(" "), line("\n"), last()],
        [ROLE, chunk(content=" "), chunk(content="\n"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "thinking, then text",
        [line(message={"thinking": "Hm."}), line("Yes"), last()],
        [
            ROLE,
            chunk(reasoning_content="Hm.", reasoning="Hm."),
            chunk(content="Yes"),
            chunk("stop"),
            usage_chunk(26, 3),
        ],
    ),
    (
        "thinking and text in one line",
        [line("Yes", message={"thinking": "Hm."}), last()],
        [
            ROLE,
            chunk(reasoning_content="Hm.", reasoning="Hm."),
            chunk(content="Yes"),
            chunk("stop"),
            usage_chunk(26, 3),
        ],
    ),
    (
        "thinking that is none",
        [line("a", message={"thinking": ""}), line("b", message={"thinking": None}), last()],
        [ROLE, chunk(content="a"), chunk(content="b"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "thinking that is no text",
        [line("a", message={"thinking": True}), last()],
        [ROLE, chunk(content="a"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "counts of zero are left out",
        [json.dumps({"message": {"content": ""}, "done": True, "done_reason": "stop"}).encode()],
        [ROLE, chunk("stop"), usage_chunk(0, 0)],
    ),
    (
        "message without content",
        [b'{"message":{"role":"assistant"},"done":false}', last("a")],
        [ROLE, chunk(content="a"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "characters that some readers split at",
        [line("a\u0085b\u2028c\r\nd"), last()],
        [ROLE, chunk(content="a\u0085b\u2028c\r\nd"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "another role is still the assistant",
        [line("a", message={"role": "model"}), last()],
        [ROLE, chunk(content="a"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "a second end",
        [last("a"), last("b", done_reason="length")],
        [ROLE, chunk(content="a"), chunk("stop"), usage_chunk(26, 3)],
    ),
    (
        "an error after the end",
        [last("a"), b'{"error":"too late"}'],
        [ROLE, chunk(content="a"), chunk("stop"), usage_chunk(26, 3)],
    ),
]


@pytest.mark.parametrize("at_a_time", [1, 2, 100])
@pytest.mark.parametrize(("_name", "lines", "expected"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_lines_become_chunks(
    _name: str, lines: list[bytes], expected: list[dict[str, Any]], at_a_time: int
) -> None:
    """However many lines one block brings."""
    translator = ToChunks(FRAME)
    found: list[Any] = []
    for start in range(0, len(lines), at_a_time):
        found += translator.feed(lines[start : start + at_a_time])
    assert found == expected
    assert translator.finished
    assert translator.error is None
    assert translator.usage == expected[-1]["usage"]


def test_usage_is_not_in_the_stream_unless_asked_for() -> None:
    """It is still counted: the log tells it."""
    translator = ToChunks(Frame(id="i", created=1, model="m", include_usage=False))
    chunks = translator.feed([line("a"), last()])
    assert [len(chunk["choices"]) for chunk in chunks] == [1, 1, 1]
    assert all("usage" not in chunk for chunk in chunks)
    assert translator.usage == {"prompt_tokens": 26, "completion_tokens": 3, "total_tokens": 29}


def test_nothing_fed_nothing_said() -> None:
    translator = ToChunks(FRAME)
    assert translator.feed([]) == []
    assert (translator.finished, translator.error, translator.usage) == (False, None, None)


def test_stream_that_stops_without_an_end_is_not_finished() -> None:
    """Ollama's repeat guard, or a killed process: the stream's owner makes an error of it."""
    translator = ToChunks(FRAME)
    translator.feed([line("ha"), line("ha")])
    assert (translator.finished, translator.error) == (False, None)


# (name, the line that fails)
FAULTS: list[tuple[str, bytes]] = [
    ("an error", b'{"error":"an error was encountered while running the model: unexpected EOF"}'),
    ("an error that is an object", b'{"error":{"message":"it broke"}}'),
    ("an error beside a message", b'{"error":"it broke","message":{"content":"x"}}'),
    ("an error without words", b'{"error":""}'),
    ("no JSON", b"<html>"),
    ("half of a line", line("a")[:40]),
    ("no UTF-8", b'{"message":{"content":"\xff"}}'),
    ("nothing", b""),
    ("a list", b"[]"),
    ("a string", b'"error"'),
    ("null", b"null"),
    ("a number", b"1"),
    ("an empty object", b"{}"),
    ("no message", b'{"done":true,"done_reason":"stop"}'),
    ("message null", b'{"message":null,"done":true,"done_reason":"stop"}'),
    ("message a string", b'{"message":"hi"}'),
    ("content a number", b'{"message":{"content":5}}'),
    ("content null", b'{"message":{"content":null}}'),
    ("an answer of /api/generate", b'{"response":"","done":true,"done_reason":"unload"}'),
    ("the end without a reason", last(done_reason="")),
    ("the end with reason null", last(done_reason=None)),
    ("the end of a load", last(done_reason="load")),
    ("the end of an unload", last(done_reason="unload")),
    ("the end for an unknown reason", last(done_reason="bored")),
]


@pytest.mark.parametrize(("_name", "fault"), FAULTS, ids=[row[0] for row in FAULTS])
def test_fault_after_text_gives_the_text_first_and_then_the_error(_name: str, fault: bytes) -> None:
    """In one block with the text: nothing is lost, and what comes later is not read."""
    translator = ToChunks(FRAME)
    found: list[Any] = list(translator.feed([line("a"), fault, line("later")]))
    assert found == [ROLE, chunk(content="a")]
    assert type(translator.error) is BackendError
    assert not translator.finished
    assert translator.usage is None
    assert translator.feed([last("later")]) == []


@pytest.mark.parametrize(
    ("_name", "fault"),
    [row for row in FAULTS if "the end" not in row[0]],
    ids=[row[0] for row in FAULTS if "the end" not in row[0]],
)
def test_fault_in_the_first_line_gives_no_chunk(_name: str, fault: bytes) -> None:
    """So the answer can still have its true status."""
    translator = ToChunks(FRAME)
    assert translator.feed([fault]) == []
    assert isinstance(translator.error, TensoriaError)


@pytest.mark.parametrize("reason", ["load", "unload", "", None])
def test_first_line_that_is_no_answer_gives_no_finish(reason: str | None) -> None:
    translator = ToChunks(FRAME)
    chunks = translator.feed([last(done_reason=reason)])
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks)
    assert translator.error is not None
    assert "reason" in translator.error.message


def test_overflow_in_a_stream_names_the_context_that_is_known() -> None:
    translator = ToChunks(FRAME, context=4096)
    translator.feed([b'{"error":"the input length exceeds the context length"}'])
    assert isinstance(translator.error, ContextLengthExceeded)
    assert "4096" in translator.error.message


def test_json_object_goes_up_as_ollamas_word_for_it() -> None:
    assert upstream(response_format={"type": "json_object"})["format"] == "json"


def test_schema_goes_up_alone_and_in_its_order() -> None:
    schema = {"type": "object", "properties": {"zip": {}, "city": {}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}
    found = upstream(response_format=form)["format"]
    assert found == schema
    assert list(found["properties"]) == ["zip", "city"]


def test_plain_request_has_no_format() -> None:
    assert "format" not in upstream()

"""Several features in one request: choices of choices that are forced, checked, cut and named."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tensoria.backends.llama_cpp import MAX_STREAMS
from tests.api.test_chat import events
from tests.backends.fake_openai import DONE, delta, event, speak_openai, usage
from tests.backends.fake_openai import events as sse
from tests.fake_ollama import (
    FakeOllama,
    Handler,
    answer_json,
    chat_line,
    close,
    done_line,
    hang,
    model_entry,
    stream,
)
from tests.waiting import until

PATH = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Hi"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
NUMBER = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": NUMBER}}
CALL, FITS = '{"name": "f", "arguments": {}}', '{"a": 1}'
VERBOSE = {"X-Tensoria-Verbose": "1"}
TOO_LONG = answer_json({"error": "the input length exceeds the context length"}, 400)

Body = dict[str, Any]


@pytest.fixture
def make_app(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Run choices in their order, as scripts have it; `test_at_a_time.py` has them mixed."""
    return lambda **variables: make_app(**{"MAX_CONCURRENCY": "1", **variables})


@pytest.fixture(autouse=True)
def _able(fake: FakeOllama) -> None:
    fake.models = [model_entry("m:latest", capabilities=("completion", "tools"))]


def asked(**fields: Any) -> Body:
    return {"model": "m", "messages": MESSAGES, **fields}


def answer(text: str, prompt: int = 3, **members: Any) -> Handler:
    return stream([chat_line(text), done_line(prompt=prompt, eval=2, **members)])


def test_a_repeated_choice_has_the_seed_of_no_other(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    """With a neighbour's seed it would be the neighbour's answer again."""
    fake.script("/api/chat", *[answer(text) for _ in range(3) for text in ("no", FITS)])
    client = make_app(STRUCTURED_RETRY="1").test_client()
    response = client.post(PATH, json=asked(n=3, seed=6, response_format=SCHEMA))

    seeds = [received.json["options"]["seed"] for received in fake.received("/api/chat")]
    assert response.status_code == 200
    assert seeds[::2] == [6, 7, 8]
    assert len(set(seeds)) == 6


@pytest.mark.parametrize("choice", ["auto", "required"])
@pytest.mark.parametrize("streaming", [True, False], ids=["stream", "whole"])
def test_calls_of_all_choices_have_ids_of_their_own(
    fake: FakeOllama, client: FlaskClient, choice: str, streaming: bool
) -> None:
    fake.script("/api/chat", answer(CALL))
    response = client.post(PATH, json=asked(n=3, tools=TOOLS, tool_choice=choice, stream=streaming))
    chunks = events(response)[:-1] if streaming else [response.json]
    key = "delta" if streaming else "message"
    calls = [
        (each["index"], call["id"])
        for chunk in chunks
        for each in chunk["choices"]
        for call in each[key].get("tool_calls", ())
    ]

    assert [index for index, _ in calls] == [0, 1, 2]
    assert len({id_ for _, id_ in calls}) == 3


def test_one_stream_has_one_id_one_fingerprint_and_the_name_that_was_asked(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    fake.script("/api/chat", answer("text"), answer(FITS), answer(CALL))
    body = asked(model="gpt", n=2, tools=TOOLS, response_format=SCHEMA, stream=True)
    *chunks, done = events(make_app(MODEL_ALIASES="gpt=m").test_client().post(PATH, json=body))

    assert done == "[DONE]"
    assert {chunk["model"] for chunk in chunks} == {"gpt"}
    for name in ("id", "created", "system_fingerprint"):
        assert len({chunk[name] for chunk in chunks}) == 1
    ends = [each["finish_reason"] for chunk in chunks for each in chunk["choices"]]
    assert [end for end in ends if end] == ["stop", "tool_calls"]


def test_usage_is_that_of_every_run_of_every_choice(fake: FakeOllama, client: FlaskClient) -> None:
    """The prompt of one choice counts as often as that choice ran, and no other choice's."""
    fake.script("/api/chat", answer("text", 10), answer(FITS, 7), answer(CALL, 10))
    body = asked(n=2, tools=TOOLS, response_format=SCHEMA)

    assert client.post(PATH, json=body).json["usage"] == {  # type: ignore[index]
        "prompt_tokens": 17,
        "completion_tokens": 6,
        "total_tokens": 23,
    }


def test_what_a_later_choice_adjusted_is_told(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    """The last chunk knows; of a stream the headers have left by then."""
    fake.script("/api/chat", TOO_LONG, answer("text"), TOO_LONG, answer(CALL))
    client = make_app(CONTEXT_OVERFLOW="truncate", MAX_TOKENS_LIMIT="9").test_client()
    body = asked(n=2, tools=TOOLS, max_tokens=99)
    adjusted = {"context": "truncated", "max_tokens": "9", "tool_calls": "rescued"}
    response = client.post(PATH, json={**body, "stream": True}, headers=VERBOSE)

    assert response.headers["X-Tensoria-Adjusted"] == "max_tokens=9,context=truncated"
    assert events(response)[-2]["tensoria"]["adjusted"] == adjusted


def test_what_was_adjusted_for_an_answer_that_was_thrown_away_is_not_told(
    fake: FakeOllama, make_app: Callable[..., Flask]
) -> None:
    """Without its tools the prompt fits, and what comes out was not cut."""
    go = threading.Event()
    second = stream([chat_line('{"a":'), go, chat_line("1}"), done_line()])
    fake.script("/api/chat", TOO_LONG, answer("text"), second, answer(CALL))
    client = make_app(CONTEXT_OVERFLOW="truncate").test_client()
    body = asked(n=2, tools=TOOLS, response_format=SCHEMA, stream=True)
    response = client.post(PATH, json=body)
    go.set()

    assert "X-Tensoria-Adjusted" not in response.headers
    assert events(response)[-1] == "[DONE]"


def test_timings_are_those_of_every_choice(fake: FakeOllama, client: FlaskClient) -> None:
    fake.script("/api/chat", answer("A", eval_duration=10_000_000))
    body = client.post(PATH, json=asked(n=3), headers=VERBOSE).json

    timings = body["tensoria"]["timings"]  # type: ignore[index]
    assert (timings["decode_ms"], timings["decode_tokens_per_second"]) == (30, 200)


@pytest.mark.parametrize("name", ["user", "web_search_options"])
def test_what_was_ignored_is_told_of_a_composed_answer_and_refused_in_strict_mode(
    fake: FakeOllama, client: FlaskClient, name: str
) -> None:
    fake.script("/api/chat", answer(CALL))
    value: Any = "u" if name == "user" else {}
    body = asked(n=2, tools=TOOLS, tool_choice="required", **{name: value})
    told = client.post(PATH, json=body)
    strict = client.post(PATH, json=body, headers={"X-Tensoria-Strict": "1"})

    assert told.headers["X-Tensoria-Ignored"] == name
    assert strict.status_code == (200 if name == "user" else 400)


def test_a_client_that_leaves_a_checked_choice_frees_the_engine(
    fake: FakeOllama, client: FlaskClient
) -> None:
    fake.script(
        "/api/chat", answer("text"), answer(FITS), answer("no"), stream([chat_line("{"), hang])
    )
    body = asked(n=3, tools=TOOLS, response_format=SCHEMA, stream=True)
    response = client.post(PATH, json=body)
    received = iter(response.response)
    while b'"content":"{"' not in next(received):  # type: ignore[operator]
        pass
    response.close()

    fake.wait_for_disconnect()
    assert len(fake.received("/api/chat")) == 4


def test_a_tool_that_must_be_strict_is_refused_in_strict_mode(
    fake: FakeOllama, client: FlaskClient
) -> None:
    """No engine holds the calls that a model makes by itself to their schema."""
    strict = {**TOOLS[0]["function"], "strict": True}  # type: ignore[dict-item]
    body = asked(tools=[{"type": "function", "function": strict}])

    assert client.post(PATH, json=body).headers["X-Tensoria-Ignored"] == "tools.function.strict"
    response = client.post(PATH, json=body, headers={"X-Tensoria-Strict": "1"})
    assert response.json["error"]["param"] == "tools.function.strict"  # type: ignore[index]


FEATURES: list[Body] = [
    {"n": 2},
    {"tools": TOOLS},
    {"tools": TOOLS, "tool_choice": "required"},
    {"response_format": SCHEMA},
    {"stream": True},
    {"logprobs": True},
]
TOGETHER = [
    {name: value for each in chosen for name, value in each.items()}
    for size in range(1, len(FEATURES) + 1)
    for chosen in itertools.combinations(FEATURES, size)
]
CUT = sse(delta("{"), close)
ANSWERS = {
    "call": [CALL],
    "fits": [FITS],
    "misses": ["no"],
    "repeated": ["no", FITS],
    "then cut": ["no", None],
    "cut": [None],
}


@pytest.mark.parametrize("at_a_time", ["1", "64"])
@pytest.mark.parametrize("says", ANSWERS.values(), ids=ANSWERS)
def test_each_run_gives_its_thread_of_llama_cpp_back_once(
    fake: FakeOllama, make_app: Callable[..., Flask], says: list[str | None], at_a_time: str
) -> None:
    """A semaphore that is bounded raises when it is given back twice."""
    speak_openai(fake, "m", owned_by="llamacpp")
    settings = {"ENGINE": "openai", "ENGINE_BASE_URL": f"{fake.url}/v1", "STRUCTURED_RETRY": "1"}
    app = make_app(MAX_CONCURRENCY=at_a_time, **settings)
    app.test_client_class = FlaskClient
    client = app.test_client()
    for fields in TOGETHER:
        fake.script(PATH, *[_says(text) for text in says])
        response = client.post(PATH, json=asked(**fields))
        response.get_data()
        response.close()
        assert response.status_code in (200, 502), response.text
        assert '"internal_error"' not in response.text

    fake.wait_until_idle()
    threads = app.extensions["tensoria"].backend._threads
    until(lambda: threads._free._value == MAX_STREAMS)


def _says(text: str | None) -> Handler:
    if text is None:
        return CUT
    token = {"token": text, "logprob": -0.1, "bytes": None, "top_logprobs": []}
    choice = {"index": 0, "delta": {"content": text}, "logprobs": {"content": [token]}}
    return sse(event(choices=[choice]), delta(finish="stop"), usage(), DONE)

"""POST /v1/responses, whole and streamed, through the whole service."""

import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.conftest import KEY, Lines
from tests.backends.fake_openai import HELLO, speak_openai
from tests.backends.fake_openai import events as sse
from tests.contract.response_streams import check_response_stream
from tests.fake_ollama import (
    FakeOllama,
    answer_json,
    chat_line,
    close,
    done_line,
    error_line,
    model_entry,
    stream,
)

PATH = "/v1/responses"
MODEL = "smollm2:135m"
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
NAMED = {"type": "function", "name": "look"}
CALLED = [{"function": {"name": "look", "arguments": {}}}]
CAPABLE = ("completion", "tools", "thinking", "vision")
PNG = "data:image/png;base64,iVBORw0KGgo="
OVERFLOW = {"error": "the prompt is longer than the context length"}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORM = {"format": {"type": "json_schema", "name": "city", "schema": CITY}}


@pytest.fixture
def able(fake: FakeOllama) -> FakeOllama:
    """A fake whose model can do everything."""
    fake.models = [model_entry(MODEL, capabilities=CAPABLE)]
    return fake


def ask(client: FlaskClient, **members: Any) -> TestResponse:
    return client.post(PATH, json={"model": MODEL, "input": "Hi", **members})


def body(client: FlaskClient, **members: Any) -> dict[str, Any]:
    response = ask(client, **members)
    assert response.status_code == 200, response.text
    return {**response.get_json()}


def events(client: FlaskClient, **members: Any) -> list[dict[str, Any]]:
    with ask(client, stream=True, **members) as response:
        assert response.status_code == 200, response.text
        assert response.mimetype == "text/event-stream"
        return check_response_stream(response.data)


def items(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the kind of each item, and what it holds."""
    return [(item["type"], _held(item)) for item in answer["output"]]


def _held(item: dict[str, Any]) -> str:
    if item["type"] == "function_call":
        return f"{item['name']}{item['arguments']}"
    return str((item["content"] or item["summary"])[0]["text"])


def refusal(response: TestResponse) -> tuple[int, str, str]:
    error = response.get_json()["error"]
    return response.status_code, error["code"], error["param"]


def sent(fake: FakeOllama) -> Any:
    """Return the last chat that the engine was sent."""
    return fake.received("/api/chat")[-1].json


def says(fake: FakeOllama, *lines: bytes) -> None:
    fake.script("/api/chat", stream([*lines]))


def test_a_whole_answer(client: FlaskClient) -> None:
    answer = body(client)

    assert answer["id"].startswith("resp_")
    assert (answer["status"], answer["model"]) == ("completed", MODEL)
    assert items(answer) == [("message", "Hello")]
    assert (answer["usage"]["input_tokens"], answer["usage"]["output_tokens"]) == (27, 8)
    assert answer["created_at"] <= answer["completed_at"]
    assert answer["store"] is True


def test_a_streamed_answer_adds_up_to_the_whole_one(client: FlaskClient) -> None:
    told = events(client)
    whole, final = body(client), told[-1]["response"]
    changing = ("id", "created_at", "completed_at", "output")

    assert [event["delta"] for event in told if "delta" in event] == ["Hel", "lo"]
    assert items(final) == items(whole)
    assert {name: final[name] for name in final if name not in changing} == {
        name: whole[name] for name in whole if name not in changing
    }


def test_an_answer_without_a_model_names_the_default(
    make_app: Callable[..., Flask], fake: FakeOllama
) -> None:
    client = make_app(DEFAULT_MODEL=MODEL).test_client()

    assert client.post(PATH, json={"input": "Hi"}).get_json()["model"] == MODEL


def test_the_instructions_and_the_items_are_a_chat(client: FlaskClient, fake: FakeOllama) -> None:
    said = [
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "two"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "three"}]},
    ]
    body(client, instructions="Be brief.", input=said, max_output_tokens=5, temperature=0.5)

    assert [(each["role"], each["content"]) for each in sent(fake)["messages"]] == [
        ("system", "Be brief."),
        ("user", "One"),
        ("assistant", "two"),
        ("user", "three"),
    ]
    assert sent(fake)["options"]["num_predict"] == 5
    assert sent(fake)["options"]["temperature"] == 0.5


def test_tools_in_a_loop_with_the_whole_history(client: FlaskClient, able: FakeOllama) -> None:
    says(able, chat_line("Let me look.", tool_calls=CALLED), done_line())
    first = body(client, tools=[LOOK])
    output = first["output"]
    result = {"type": "function_call_output", "call_id": output[1]["call_id"], "output": "A cat."}
    says(able, chat_line("A cat"), done_line())
    history = [{"role": "user", "content": "Hi"}, *output, result]
    second = body(client, tools=[LOOK], input=history)

    assert items(first) == [("message", "Let me look."), ("function_call", "look{}")]
    assert items(second) == [("message", "A cat")]
    _, called, answered = sent(able)["messages"]
    assert called["content"] == "Let me look."
    assert called["tool_calls"][0]["function"]["name"] == "look"
    assert (answered["content"], answered["tool_name"]) == ("A cat.", "look")


def test_a_streamed_call_has_its_events(client: FlaskClient, able: FakeOllama) -> None:
    says(able, chat_line("", tool_calls=CALLED), done_line())
    told = events(client, tools=[LOOK])

    assert [event["type"].removeprefix("response.") for event in told[2:]] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_forced_call_is_called(client: FlaskClient, able: FakeOllama, choice: Any) -> None:
    says(able, chat_line('{"name": "look", "arguments": {}}'), done_line())
    answer = body(client, tools=[LOOK], tool_choice=choice)

    assert items(answer) == [("function_call", "look{}")]
    assert answer["tool_choice"] == choice
    assert "format" in sent(able)


def test_kinds_of_tools_that_cannot_run_are_named(client: FlaskClient, able: FakeOllama) -> None:
    response = ask(client, tools=[LOOK, {"type": "web_search"}, {"type": "custom", "name": "p"}])

    assert response.headers["X-Tensoria-Ignored"] == "tools[1],tools[2]"
    assert [tool["function"]["name"] for tool in sent(able)["tools"]] == ["look"]
    assert [tool["name"] for tool in response.get_json()["tools"]] == ["look"]


def test_a_result_whose_call_is_gone_is_told(client: FlaskClient, able: FakeOllama) -> None:
    result = {"type": "function_call_output", "call_id": "gone", "output": "1"}
    response = ask(client, input=[result])

    assert response.headers["X-Tensoria-Ignored"] == "input.call_id"


def test_an_answer_in_a_form(client: FlaskClient, fake: FakeOllama) -> None:
    says(fake, chat_line('{"city": "Rome"}'), done_line())
    answer = body(client, text=FORM)

    assert items(answer) == [("message", '{"city": "Rome"}')]
    assert sent(fake)["format"] == CITY
    assert answer["text"] == FORM


def test_an_answer_that_misses_its_form_is_the_engines_fault(
    client: FlaskClient, fake: FakeOllama
) -> None:
    says(fake, chat_line('{"town": "Rome"}'), done_line())

    assert refusal(ask(client, text=FORM)) == (502, "structured_output_invalid", "text.format")
    assert events(client, text=FORM)[-1]["type"] == "response.failed"


def test_the_limit_makes_an_incomplete_answer(client: FlaskClient, fake: FakeOllama) -> None:
    says(fake, chat_line("Onc"), done_line("length"))
    answer = body(client, max_output_tokens=1)

    assert answer["status"] == "incomplete"
    assert answer["incomplete_details"] == {"reason": "max_output_tokens"}
    assert events(client)[-1]["type"] == "response.incomplete"


def test_thoughts_are_an_item(client: FlaskClient, able: FakeOllama) -> None:
    says(able, chat_line("", thinking="Hm."), chat_line("Yes"), done_line())

    assert items(body(client, reasoning={"effort": "high"})) == [
        ("reasoning", "Hm."),
        ("message", "Yes"),
    ]
    assert sent(able)["think"] == "high"


def test_thoughts_come_back_and_reach_the_model(client: FlaskClient, able: FakeOllama) -> None:
    says(able, chat_line("", thinking="Hm."), chat_line("Yes"), done_line())
    include = ["reasoning.encrypted_content"]
    told = events(client, include=include, reasoning={"summary": "auto"})
    thought, answer = told[-1]["response"]["output"]
    sealed = {
        "type": "reasoning",
        "summary": [],
        "encrypted_content": thought["encrypted_content"],
    }
    body(client, input=[{"role": "user", "content": "Hi"}, sealed, answer])

    assert thought["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert sent(able)["messages"][1]["thinking"] == "Hm."
    assert sent(able)["messages"][1]["content"] == "Yes"


def test_anothers_sealed_thought_is_named(client: FlaskClient) -> None:
    foreign = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}
    response = ask(client, input=[foreign, {"role": "user", "content": "Hi"}])

    assert response.headers["X-Tensoria-Ignored"] == "input.encrypted_content"


def test_probabilities_are_told_where_they_are_asked_for(
    client: FlaskClient, fake: FakeOllama
) -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    line = orjson.loads(chat_line("Hi"))
    says(fake, orjson.dumps({**line, "logprobs": [token]}) + b"\n", done_line())
    answer = body(client, include=["message.output_text.logprobs"])

    assert answer["output"][0]["content"][0]["logprobs"] == [token]


def test_an_image_reaches_a_model_that_sees(client: FlaskClient, able: FakeOllama) -> None:
    content = [{"type": "input_image", "image_url": PNG}, {"type": "input_text", "text": "What?"}]
    body(client, input=[{"role": "user", "content": content}])

    assert sent(able)["messages"] == [
        {"role": "user", "content": "What?", "images": ["iVBORw0KGgo="]}
    ]


def test_an_image_for_a_blind_model_is_refused_by_its_place(
    client: FlaskClient, fake: FakeOllama
) -> None:
    fake.models = [model_entry(MODEL, capabilities=("completion",))]
    content = [{"type": "input_image", "image_url": PNG}]
    response = ask(client, input=[{"role": "user", "content": content}])

    place = "input[0].content[0].image_url"
    assert refusal(response) == (400, "unsupported_parameter", place)


def test_an_overflow_names_the_input(client: FlaskClient, fake: FakeOllama) -> None:
    fake.script("/api/chat", answer_json(OVERFLOW, 400))

    assert refusal(ask(client)) == (400, "context_length_exceeded", "input")
    assert refusal(ask(client, stream=True)) == (400, "context_length_exceeded", "input")


def test_an_unknown_model_is_a_404(client: FlaskClient) -> None:
    assert refusal(ask(client, model="nobody", stream=True)) == (404, "model_not_found", "model")


def test_a_stream_that_breaks_is_a_failed_response(client: FlaskClient, fake: FakeOllama) -> None:
    says(fake, chat_line("Hel"), error_line("it broke"))
    told = events(client)
    failed = told[-1]["response"]

    assert told[-1]["type"] == "response.failed"
    assert (failed["status"], failed["error"]["code"]) == ("failed", "server_error")
    assert "it broke" in failed["error"]["message"]
    assert items(failed) == [("message", "Hel")]
    assert failed["output"][0]["status"] == "incomplete"


def test_a_stream_that_ends_without_a_word_is_a_failed_response(
    client: FlaskClient, fake: FakeOllama
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), close]))

    assert events(client)[-1]["type"] == "response.failed"


@pytest.mark.parametrize("lines", [(error_line("it broke"),), (chat_line("Hel"), close)])
def test_a_whole_answer_that_breaks_is_an_error(
    client: FlaskClient, fake: FakeOllama, lines: Any
) -> None:
    fake.script("/api/chat", stream([*lines]))

    assert refusal(ask(client)) == (502, "engine_error", None)


def test_a_failure_behind_the_headers_is_a_failed_response(
    make_app: Callable[..., Flask], fake: FakeOllama
) -> None:
    gate = threading.Event()
    fake.script("/api/chat", stream([gate, error_line("it broke")]))
    client = make_app(STREAM_HEARTBEAT_SECONDS="0.05").test_client()
    with ask(client, stream=True) as response:
        parts = iter(response.response)
        first = next(parts)
        gate.set()
        told = check_response_stream(b"".join(parts))  # type: ignore[arg-type]

    assert first == b": keep-alive\n"
    assert [event["type"] for event in told] == [
        "response.created",
        "response.in_progress",
        "response.failed",
    ]


def test_a_client_that_wants_lines_gets_the_same_events(client: FlaskClient) -> None:
    asked = {"model": MODEL, "input": "Hi", "stream": True}
    with client.post(PATH, json=asked, headers={"Accept": "application/x-ndjson"}) as response:
        told = check_response_stream(response.data, ndjson=True)

    assert response.mimetype == "application/x-ndjson"
    assert [event["type"] for event in told] == [event["type"] for event in events(client)]


@pytest.mark.parametrize("streams", [True, False])
def test_what_was_done_is_told_inside_where_it_is_asked_for(
    client: FlaskClient, streams: bool
) -> None:
    asked = {"model": MODEL, "input": "Hi", "stream": streams, "top_logprobs": 2}
    with client.post(PATH, json=asked, headers={"X-Tensoria-Verbose": "1"}) as response:
        if streams:
            member = check_response_stream(response.data)[-1]["response"]["tensoria"]
        else:
            member = response.get_json()["tensoria"]

    assert member["ignored"] == ["top_logprobs"]


@pytest.mark.parametrize("streams", [True, False])
def test_a_limit_that_was_cut_is_told_by_the_clients_name(
    make_app: Callable[..., Flask], fake: FakeOllama, log: Lines, streams: bool
) -> None:
    client = make_app(MAX_TOKENS_LIMIT="5").test_client()
    with ask(client, max_output_tokens=9, stream=streams) as response:
        response.get_data()

    assert response.headers["X-Tensoria-Adjusted"] == "max_output_tokens=5"


def test_strict_mode_refuses_what_would_be_ignored(client: FlaskClient) -> None:
    asked = {"model": MODEL, "input": "Hi", "truncation": "auto"}
    response = client.post(PATH, json=asked, headers={"X-Tensoria-Strict": "1"})

    assert refusal(response) == (400, "unsupported_parameter", "truncation")


def test_explain_shows_the_chat_and_runs_nothing(
    make_app: Callable[..., Flask], fake: FakeOllama
) -> None:
    app = make_app(MAX_TOKENS_LIMIT="5")
    # The contract knows no explanation.
    app.test_client_class = FlaskClient
    asked = {"model": MODEL, "input": "Hi", "stream": True, "max_output_tokens": 9}
    response = app.test_client().post(PATH, json=asked, headers={"X-Tensoria-Explain": "1"})

    assert response.get_json()["adjusted"] == {"max_output_tokens": "5"}
    assert response.get_json()["engine"]["body"]["messages"] == [{"role": "user", "content": "Hi"}]
    assert fake.received("/api/chat") == []


def test_a_key_is_asked_for(keyed: FlaskClient) -> None:
    asked = {"model": MODEL, "input": "Hi"}

    assert keyed.post(PATH, json=asked).status_code == 401
    told = keyed.post(PATH, json=asked, headers={"Authorization": f"Bearer {KEY}"})
    assert told.status_code == 200


def test_an_engine_that_speaks_openai_answers_as_well(
    make_app: Callable[..., Flask], fake: FakeOllama
) -> None:
    speak_openai(fake, "m")
    fake.script("/v1/chat/completions", sse(*HELLO))
    client = make_app(ENGINE="openai", ENGINE_BASE_URL=f"{fake.url}/v1").test_client()

    assert items(body(client, model="m")) == [("message", "Hello")]
    assert items(events(client, model="m")[-1]["response"]) == [("message", "Hello")]

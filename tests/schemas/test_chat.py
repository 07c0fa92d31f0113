"""The body of a chat: every field that OpenAI has, and what becomes of it."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from tensoria.errors import InvalidRequest, RequestError, UnsupportedParameter
from tensoria.schemas.chat import ChatSchema, load
from tensoria.schemas.support import narrow, table
from tensoria.translate.traits import Traits
from tensoria.wire.openai import ChatRequest
from tests.schemas.taken import taken

CONTRACT = json.loads(
    (Path(__file__).parent.parent / "contract" / "openai.schema.json").read_text()
)["$defs"]
MESSAGES = [{"role": "user", "content": "hi"}]


def body(**members: Any) -> dict[str, Any]:
    return {"model": "m", "messages": MESSAGES, **members}


def request(**members: Any) -> dict[str, Any]:
    """The checked request without what every body here has."""
    loaded: dict[str, Any] = {**load(body(**members)).request}
    assert loaded.pop("messages") == MESSAGES
    assert loaded.pop("model") == "m"
    return loaded


def refused(**members: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        load(body(**members))
    return caught.value


def properties(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return properties(CONTRACT[schema["$ref"].rpartition("/")[2]])
    found: dict[str, Any] = {}
    for part in schema.get("allOf", ()):
        found |= properties(part)
    return found | schema.get("properties", {})


# (field, value sent, value in the checked request)
TAKEN = [
    ("stream", True, True),
    ("stream", False, False),
    ("stream_options", {"include_usage": True}, {"include_usage": True}),
    ("stream_options", {"include_usage": False}, {"include_usage": False}),
    ("stream_options", {"include_usage": None}, {}),
    ("stream_options", {}, {}),
    ("temperature", 0, 0),
    ("temperature", 2, 2),
    ("top_p", 0, 0),
    ("top_p", 1, 1),
    ("presence_penalty", -2, -2),
    ("frequency_penalty", 2, 2),
    ("max_tokens", 1, 1),
    ("max_tokens", 5.0, 5),
    ("max_tokens", -1, -1),
    ("max_tokens", -1.0, -1),
    ("max_tokens", 10_000_000, 10_000_000),
    ("max_completion_tokens", 1, 1),
    ("max_completion_tokens", -1, -1),
    ("seed", 0, 0),
    ("seed", -1, -1),
    ("seed", 2**63 - 1, 2**63 - 1),
    ("seed", -(2**63), -(2**63)),
    ("stop", "END", ["END"]),
    ("stop", ["a"], ["a"]),
    ("stop", ["\n", "a", "a"], ["\n", "a", "a"]),
    ("stop", [str(n) for n in range(64)], [str(n) for n in range(64)]),
    ("user", "somebody", "somebody"),
    ("response_format", {"type": "json_object"}, {"type": "json_object"}),
    ("logprobs", True, True),
    ("n", 2, 2),
    ("n", 128.0, 128),
    ("logit_bias", {"50256": -100, "7": 100, "0": 0.5}, {"50256": -100, "7": 100, "0": 0.5}),
    ("top_k", 40, 40),
    ("top_k", 0, 0),
    ("top_k", -1, -1),
    ("min_p", 0.05, 0.05),
    ("repeat_penalty", 1, 1),
    ("keep_alive", "5m", "5m"),
    ("keep_alive", 0, 0),
    ("options", {"num_ctx": 4096}, {"num_ctx": 4096}),
    ("reasoning_effort", "none", "none"),
    ("reasoning_effort", "medium", "medium"),
    ("reasoning_effort", "xhigh", "xhigh"),
    ("reasoning_effort", "max", "max"),
    ("reasoning", {"effort": "minimal"}, {"effort": "minimal"}),
    ("think", True, True),
    ("think", False, False),
    ("think", "low", "low"),
    ("enable_thinking", False, False),
    ("chat_template_kwargs", {"enable_thinking": False}, {"enable_thinking": False}),
    ("chat_template_kwargs", {"tone": "dry", "x": None}, {"tone": "dry"}),
]

# (field, value, param)
REFUSED = [
    ("messages", [], "messages"),
    ("messages", {}, "messages"),
    ("messages", "hi", "messages"),
    ("model", 1, "model"),
    ("model", ["m"], "model"),
    ("stream", "off", "stream"),
    ("stream", 1, "stream"),
    ("stream_options", True, "stream_options"),
    ("stream_options", [], "stream_options"),
    ("stream_options", {"include_usage": 1}, "stream_options.include_usage"),
    ("stream_options", {"include_usage": "true"}, "stream_options.include_usage"),
    ("temperature", 2.1, "temperature"),
    ("temperature", -0.1, "temperature"),
    ("temperature", "1", "temperature"),
    ("temperature", True, "temperature"),
    ("top_p", 1.01, "top_p"),
    ("top_p", -0.01, "top_p"),
    ("presence_penalty", -2.1, "presence_penalty"),
    ("presence_penalty", 2.1, "presence_penalty"),
    ("frequency_penalty", -2.1, "frequency_penalty"),
    ("frequency_penalty", 2.1, "frequency_penalty"),
    ("max_tokens", 0, "max_tokens"),
    ("max_tokens", -2, "max_tokens"),
    ("max_tokens", 0.5, "max_tokens"),
    ("max_tokens", "1_0", "max_tokens"),
    ("max_tokens", True, "max_tokens"),
    ("max_tokens", [1], "max_tokens"),
    ("max_tokens", 2**63, "max_tokens"),
    ("max_completion_tokens", 0, "max_completion_tokens"),
    ("max_completion_tokens", False, "max_completion_tokens"),
    ("seed", 1.5, "seed"),
    ("seed", "1", "seed"),
    ("seed", 2**63, "seed"),
    ("seed", -(2**63) - 1, "seed"),
    ("seed", 1e30, "seed"),
    ("stop", "", "stop"),
    ("stop", ["a", ""], "stop"),
    ("stop", ["a", 1], "stop"),
    ("stop", ["a", None], "stop"),
    ("stop", {"a": 1}, "stop"),
    ("stop", 5, "stop"),
    ("stop", [str(n) for n in range(65)], "stop"),
    ("user", 5, "user"),
    ("response_format", "json", "response_format"),
    ("response_format", {}, "response_format.type"),
    ("logprobs", 1, "logprobs"),
    ("logprobs", "true", "logprobs"),
    ("top_logprobs", 1, "top_logprobs"),
    ("top_logprobs", 21, "top_logprobs"),
    ("top_logprobs", -1, "top_logprobs"),
    ("top_logprobs", True, "top_logprobs"),
    ("n", 0, "n"),
    ("n", 129, "n"),
    ("n", True, "n"),
    ("n", 1.5, "n"),
    ("n", "2", "n"),
    ("logit_bias", [], "logit_bias"),
    ("logit_bias", "50256", "logit_bias"),
    ("logit_bias", {"hello": 1}, "logit_bias"),
    ("logit_bias", {"-1": 1}, "logit_bias"),
    ("logit_bias", {"": 1}, "logit_bias"),
    ("logit_bias", {"\u00b2": 1}, "logit_bias"),
    ("logit_bias", {"7": 101}, "logit_bias.7"),
    ("logit_bias", {"7": "1"}, "logit_bias.7"),
    ("logit_bias", {"7": None}, "logit_bias.7"),
    ("logit_bias", {"7": True}, "logit_bias.7"),
    ("top_k", 0.5, "top_k"),
    ("top_k", -2, "top_k"),
    ("top_k", 2**31, "top_k"),
    ("top_k", "40", "top_k"),
    ("min_p", 1.1, "min_p"),
    ("min_p", "0.1", "min_p"),
    ("repeat_penalty", 0, "repeat_penalty"),
    ("repeat_penalty", True, "repeat_penalty"),
    ("keep_alive", "soon", "keep_alive"),
    ("options", [], "options"),
    ("options", {"temperature": "hot"}, "options.temperature"),
    ("reasoning_effort", "ultra", "reasoning_effort"),
    ("reasoning_effort", "High", "reasoning_effort"),
    ("reasoning_effort", 1, "reasoning_effort"),
    ("reasoning_effort", True, "reasoning_effort"),
    ("reasoning", "high", "reasoning"),
    ("reasoning", {"effort": 1}, "reasoning.effort"),
    ("reasoning", {"effort": "most"}, "reasoning.effort"),
    ("think", 1, "think"),
    ("think", "yes", "think"),
    ("think", "true", "think"),
    ("enable_thinking", "false", "enable_thinking"),
    ("chat_template_kwargs", [], "chat_template_kwargs"),
    ("chat_template_kwargs", {"enable_thinking": 0}, "chat_template_kwargs.enable_thinking"),
]

# OpenAI's own defaults, and the empty forms that clients send for "not used".
DEFAULTS = [
    ("function_call", "none"),
    ("function_call", "auto"),
    ("functions", []),
    ("logit_bias", {}),
    ("logprobs", False),
    ("metadata", {}),
    ("modalities", ["text"]),
    ("n", 1),
    ("n", 1.0),
    ("parallel_tool_calls", True),
    ("response_format", {"type": "text"}),
    ("service_tier", "auto"),
    ("service_tier", "default"),
    ("store", False),
    ("tool_choice", "none"),
    ("tool_choice", "auto"),
    ("tools", []),
    ("top_logprobs", 0),
    ("verbosity", "medium"),
]

NEVER = [
    ("audio", {"voice": "alloy", "format": "wav"}),
    ("function_call", {"name": "f"}),
    ("functions", [{"name": "f"}]),
    ("modalities", ["text", "audio"]),
]


def test_schema_has_every_field_of_openais_contract() -> None:
    missing = properties(CONTRACT["CreateChatCompletionRequest"]).keys() - ChatSchema().fields
    assert missing == set()


def test_typed_request_has_the_fields_that_reach_an_engine() -> None:
    assert taken(ChatSchema) | {"user"} == ChatRequest.__annotations__.keys()


def test_every_field_that_is_never_served_is_tried_here() -> None:
    assert {name for name, _ in NEVER} >= {
        name for name, each in table(ChatSchema).items() if each.never
    }


@pytest.mark.parametrize(("name", "value", "expected"), TAKEN)
def test_value_is_taken(name: str, value: object, expected: object) -> None:
    found = request(**{name: value})
    assert found == {name: expected}
    assert type(found[name]) is type(expected)


@pytest.mark.parametrize(("name", "value", "param"), REFUSED)
def test_value_is_refused_at_its_place(name: str, value: object, param: str) -> None:
    error = refused(**{name: value})
    assert isinstance(error, InvalidRequest)
    assert (error.param, error.code) == (param, "invalid_value")
    assert f"'{param}'" in error.message


@pytest.mark.parametrize(("name", "value"), DEFAULTS)
def test_default_value_passes_without_a_word(name: str, value: object) -> None:
    loaded = load(body(**{name: value}))
    assert loaded.request == body()
    assert loaded.ignored == ()


@pytest.mark.parametrize(("name", "value"), NEVER)
def test_field_that_is_never_served_is_refused_by_name(name: str, value: object) -> None:
    """Without a look at the model: no engine serves it."""
    loaded = load(body(**{name: value}))
    with pytest.raises(UnsupportedParameter, match=f"'{name}' is not supported") as caught:
        narrow(ChatSchema, loaded, asked_in_vain, strict=False)
    assert caught.value.param == name


def asked_in_vain() -> Traits:
    pytest.fail("the engine was asked for nothing")


@pytest.mark.parametrize("name", sorted(ChatSchema().fields.keys() - {"messages"}))
def test_null_means_absent(name: str) -> None:
    loaded = load(body() | {name: None})
    assert loaded.request == {key: value for key, value in body().items() if key != name}
    assert loaded.ignored == ()


@pytest.mark.parametrize("sent", [{}, {"messages": None}])
def test_missing_messages_are_named(sent: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="required") as caught:
        load({"model": "m"} | sent)
    assert caught.value.param == "messages"


def test_model_may_be_missing_or_empty() -> None:
    """DEFAULT_MODEL stands in."""
    assert "model" not in load({"messages": MESSAGES}).request
    assert load(body(model="")).request["model"] == ""


def test_empty_list_of_stops_is_absent() -> None:
    """As an option of Ollama's it would take the place of the model's own stop strings."""
    assert request(stop=[]) == {}


@pytest.mark.parametrize(
    ("options", "stream", "ignored"),
    [
        ({"include_usage": True}, True, ()),
        ({"include_usage": True}, False, ("stream_options",)),
        ({"include_usage": True}, None, ("stream_options",)),
        ({"include_obfuscation": False}, True, ()),
        ({"include_obfuscation": None}, True, ()),
        ({"include_obfuscation": True}, True, ("stream_options.include_obfuscation",)),
        (
            {"include_usage": True, "chunk_size": 5},
            True,
            ("stream_options.chunk_size",),
        ),
    ],
)
def test_stream_options_without_effect_are_told(
    options: dict[str, Any], stream: bool | None, ignored: tuple[str, ...]
) -> None:
    assert load(body(stream_options=options, stream=stream)).ignored == ignored


def test_unknown_fields_are_told_with_their_place_and_in_order() -> None:
    loaded = load(
        {
            "messages": [{"role": "user", "content": "hi", "metadata": {"a": 1}}],
            "x_session": 1,
            "stream": True,
            "stream_options": {"x": 1},
        }
    )
    assert loaded.ignored == ("messages.metadata", "stream_options.x", "x_session")


def test_unknown_field_may_be_nested_deeply() -> None:
    """orjson's own limit is 1024 levels: what it lets through must not exhaust the stack here."""
    text = b'{"messages":[{"role":"user","content":"hi"}],"x":' + b"[" * 900 + b"]" * 900 + b"}"
    assert load(orjson.loads(text)).ignored == ("x",)


@pytest.mark.parametrize("name", ["metadata", "prediction"])
def test_field_that_is_taken_may_be_nested_deeply(name: str) -> None:
    nested = orjson.loads(b'{"a":' * 900 + b"1" + b"}" * 900)
    assert request(**{name: nested}) == {name: nested}


@pytest.mark.parametrize("count", [1, 20])
def test_alternatives_are_taken_beside_log_probabilities(count: int) -> None:
    assert request(logprobs=True, top_logprobs=count) == {"logprobs": True, "top_logprobs": count}


@pytest.mark.parametrize("told", [{}, {"logprobs": False}, {"logprobs": None}])
def test_alternatives_without_log_probabilities_are_refused(told: dict[str, Any]) -> None:
    error = refused(top_logprobs=2, **told)
    assert (error.param, error.code) == ("top_logprobs", "invalid_value")


@pytest.mark.parametrize("name", ["logprobs", "top_logprobs"])
def test_log_probabilities_are_refused_where_the_release_has_none(name: str) -> None:
    loaded = load(body(logprobs=True, top_logprobs=1))
    del loaded.request["logprobs" if name == "top_logprobs" else "top_logprobs"]  # type: ignore[misc]
    with pytest.raises(UnsupportedParameter, match=r"needs Ollama 0\.12\.11") as caught:
        narrow(ChatSchema, loaded, lambda: Traits("ollama", "m", (0, 12, 10)), strict=False)
    assert caught.value.param == name


def test_biases_are_refused_on_ollama_alone() -> None:
    loaded = load(body(logit_bias={"7": 1}))
    with pytest.raises(UnsupportedParameter, match="no place for it") as caught:
        narrow(ChatSchema, loaded, lambda: Traits("ollama", "m"), strict=False)
    assert caught.value.param == "logit_bias"
    assert narrow(ChatSchema, loaded, lambda: Traits("llamacpp", "m"), strict=True) == ()
    assert narrow(ChatSchema, loaded, lambda: Traits("openai", "m"), strict=True) == ()


def test_deep_nesting_in_place_of_a_value_is_refused() -> None:
    assert refused(stop=orjson.loads(b"[" * 900 + b"]" * 900)).param == "stop"


def test_number_beyond_64_bits_is_refused_at_its_place() -> None:
    """orjson reads it as a float."""
    sent = orjson.loads(b'{"messages":[{"role":"user"}],"seed":18446744073709551616}')
    with pytest.raises(InvalidRequest) as caught:
        load(sent)
    assert caught.value.param == "seed"


def test_refusal_repeats_no_text_of_the_client() -> None:
    for name, value in (("stop", {"secret words": 1}), ("user", ["secret words"])):
        assert "secret" not in refused(**{name: value}).message

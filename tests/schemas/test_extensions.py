"""Ollama's own fields, as a client may write them."""

from typing import Any

import orjson
import pytest

from tensoria.errors import InvalidRequest, UnsupportedParameter
from tensoria.schemas import chat, completions, embeddings
from tensoria.schemas.support import narrow
from tensoria.translate.traits import Traits

OLLAMA = Traits("ollama", "m", (0, 32, 15), frozenset({"completion"}), context_length=4096)
LLAMA_CPP = Traits("llamacpp", "m")


def body(**members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi"}], **members}


def request(**members: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = {**chat.load(body(**members)).request}
    del loaded["messages"]
    return loaded


def refused(**members: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        chat.load(body(**members))
    return caught.value


def told(traits: Traits, **members: Any) -> tuple[str, ...]:
    return narrow(chat.ChatSchema, chat.load(body(**members)), lambda: traits, strict=False)


# (as sent, as it goes up)
KEPT: list[tuple[object, object]] = [
    (300, 300),
    (0, 0),
    (-1, -1),
    (1.5, 1.5),
    ("300", 300),
    ("-1", -1),
    ("1.5", 1.5),
    ("5m", "5m"),
    (" 5m ", "5m"),
    ("1h30m", "1h30m"),
    ("-1m", "-1m"),
    ("100ms", "100ms"),
    ("10µs", "10µs"),
]


@pytest.mark.parametrize(("sent", "expected"), KEPT)
def test_keep_alive_is_seconds_or_a_duration(sent: object, expected: object) -> None:
    found = request(keep_alive=sent)
    assert found == {"keep_alive": expected}
    assert type(found["keep_alive"]) is type(expected)


@pytest.mark.parametrize("sent", ["", "  ", None])
def test_empty_keep_alive_is_absent(sent: object) -> None:
    assert request(keep_alive=sent) == {}


@pytest.mark.parametrize(
    "sent", ["soon", "5 m", "m", "5d", "\u0665m", True, [], {}, 1e10, "9" * 400, "9999999999h"]
)
def test_keep_alive_that_ollama_would_not_read_is_refused(sent: object) -> None:
    assert refused(keep_alive=sent).param == "keep_alive"


# (options as sent, the checked request)
SPREAD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"seed": None}, {}),
    ({"stop": []}, {}),
    (
        {"temperature": 0, "top_p": 1, "top_k": 5, "min_p": 0, "repeat_penalty": 1.1},
        {"temperature": 0, "top_p": 1, "top_k": 5, "min_p": 0, "repeat_penalty": 1.1},
    ),
    ({"seed": 7.0, "stop": "END"}, {"seed": 7, "stop": ["END"]}),
    (
        {"presence_penalty": 1, "frequency_penalty": -1},
        {"presence_penalty": 1, "frequency_penalty": -1},
    ),
    ({"num_predict": 5}, {"max_tokens": 5}),
    ({"num_predict": -1}, {"max_tokens": -1}),
    ({"num_predict": -2}, {"max_tokens": -1}),
    ({"typical_p": 0.5, "x": 1}, {"options": {"typical_p": 0.5, "x": 1}}),
]


@pytest.mark.parametrize(("options", "expected"), SPREAD)
def test_option_with_a_field_of_its_own_becomes_that_field(
    options: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert request(options=options) == expected
    loaded: dict[str, Any] = {**completions.load({"prompt": "x", "options": options}).request}
    assert loaded == {"prompt": ["x"], **expected}


# (fields, the checked request, what is told)
OVERRULED: list[tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = [
    (
        {"temperature": 0, "options": {"temperature": 1}},
        {"temperature": 0},
        ("options.temperature",),
    ),
    ({"temperature": 1, "options": {"temperature": 1}}, {"temperature": 1}, ()),
    ({"max_tokens": 5, "options": {"num_predict": 9}}, {"max_tokens": 5}, ("options.num_predict",)),
    (
        {"max_completion_tokens": 5, "options": {"num_predict": 9}},
        {"max_completion_tokens": 5},
        ("options.num_predict",),
    ),
    ({"max_tokens": -1, "options": {"num_predict": 9}}, {"max_tokens": 9}, ()),
]


@pytest.mark.parametrize(("fields", "left", "names"), OVERRULED)
def test_field_wins_over_its_name_in_options(
    fields: dict[str, Any], left: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert request(**fields) == left
    assert chat.load(body(**fields)).ignored == names
    assert completions.load({"prompt": "x", **fields}).ignored == names


# Ollama answers 500 to most of these.
WRONG = [
    ("temperature", "hot"),
    ("top_p", 2),
    ("top_k", 1.5),
    ("min_p", "0"),
    ("repeat_penalty", 0),
    ("seed", "1"),
    ("stop", 5),
    ("num_predict", 0),
    ("num_predict", "5"),
    ("typical_p", 2),
    ("repeat_last_n", 0.5),
    ("presence_penalty", 3),
    ("frequency_penalty", True),
    ("mirostat", 3),
    ("mirostat_eta", "x"),
    ("mirostat_tau", -1),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_option_of_the_wrong_type_is_refused_at_its_place(name: str, value: object) -> None:
    assert refused(options={name: value}).param == f"options.{name}"


def test_options_without_effect_are_told_by_their_names() -> None:
    options = {"num_ctx": 8192, "num_gpu": 1, "typical_p": 0.5, "a b": 1, "shift": False}
    assert told(OLLAMA, options=options) == ("options.a b", "options.num_ctx", "options.num_gpu")


def test_servers_own_context_in_options_passes_without_a_word() -> None:
    assert told(OLLAMA, options={"num_ctx": 4096}) == ()


def test_strict_mode_refuses_an_option_without_effect() -> None:
    loaded = chat.load(body(options={"num_ctx": 8192}))
    with pytest.raises(UnsupportedParameter) as caught:
        narrow(chat.ChatSchema, loaded, lambda: OLLAMA, strict=True)
    assert caught.value.param == "options.num_ctx"


def test_keep_alive_means_nothing_to_other_engines() -> None:
    assert told(OLLAMA, keep_alive="5m") == ()
    assert told(LLAMA_CPP, keep_alive="5m") == ("keep_alive",)


def test_embedding_takes_keep_alive_and_tells_its_options() -> None:
    loaded = embeddings.load({"input": "x", "keep_alive": "300", "options": {"num_ctx": 1}})
    found = narrow(embeddings.EmbeddingSchema, loaded, lambda: OLLAMA, strict=True)
    assert loaded.request["keep_alive"] == 300
    assert found == ("options",)


def test_options_may_be_nested_deeply() -> None:
    nested = orjson.loads(b'{"a":' * 900 + b"1" + b"}" * 900)
    assert request(options=nested) == {"options": nested}

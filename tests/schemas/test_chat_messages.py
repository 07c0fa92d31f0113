"""Messages: what each odd form that real clients send becomes."""

from typing import Any

import pytest

from tensoria.errors import InvalidRequest, RequestError, UnsupportedParameter
from tensoria.schemas.chat import load

ROLES = ["system", "developer", "user", "assistant", "tool", "function"]


def messages(*sent: Any) -> list[dict[str, Any]]:
    found: list[Any] = list(load({"messages": list(sent)}).request["messages"])
    return found


def ignored(*sent: Any) -> tuple[str, ...]:
    return load({"messages": list(sent)}).ignored


def refused(*sent: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        load({"messages": list(sent)})
    return caught.value


def text(words: str, kind: str = "text") -> dict[str, str]:
    return {"type": kind, "text": words}


# (name, content as sent, the text that it becomes)
CONTENTS = [
    ("a string", "hi", "hi"),
    ("an empty string", "", ""),
    ("a space", " ", " "),
    ("null", None, ""),
    ("no parts", [], ""),
    ("one part", [text("a")], "a"),
    ("parts are one message", [text("a"), text("b")], "a\nb"),
    ("an empty part", [text("")], ""),
    ("input_text", [text("a", "input_text")], "a"),
    ("output_text", [text("a", "output_text")], "a"),
    ("a refusal", [{"type": "refusal", "refusal": "no"}], "no"),
    (
        "parts of all kinds",
        [text("a"), text("b", "input_text"), {"type": "refusal", "refusal": "c"}],
        "a\nb\nc",
    ),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("_name", "content", "expected"), CONTENTS, ids=[row[0] for row in CONTENTS]
)
def test_content_becomes_one_string_whatever_the_role(
    role: str, _name: str, content: object, expected: str
) -> None:
    assert messages({"role": role, "content": content}) == [{"role": role, "content": expected}]
    assert ignored({"role": role, "content": content}) == ()


@pytest.mark.parametrize("role", ROLES)
def test_message_without_content_is_empty(role: str) -> None:
    assert messages({"role": role}) == [{"role": role, "content": ""}]


def test_order_and_number_of_messages_are_kept() -> None:
    sent = [{"role": role, "content": str(index)} for index, role in enumerate([*ROLES, *ROLES])]
    assert messages(*sent) == sent


@pytest.mark.parametrize("role", ["tool", "function"])
def test_results_keep_what_names_their_call(role: str) -> None:
    sent = {"role": role, "content": "4", "tool_call_id": "c1", "name": "f"}
    assert messages(sent) == [sent]


def test_result_without_content_keeps_what_names_its_call() -> None:
    sent = {"role": "tool", "tool_call_id": "c1"}
    assert messages(sent) == [{"role": "tool", "content": "", "tool_call_id": "c1"}]


@pytest.mark.parametrize("key", ["name", "tool_call_id", "tool_calls", "audio", "refusal", "x"])
def test_null_inside_a_message_means_absent(key: str) -> None:
    sent = {"role": "tool", "content": "a", key: None}
    assert messages(sent) == [{"role": "tool", "content": "a"}]
    assert ignored(sent) == ()


# (name, a message, what is told)
EXTRAS = [
    ("a key of another engine", {"content": "a", "reasoning_details": []}, "reasoning_details"),
    ("the same without content", {"id": "msg_1"}, "id"),
    ("a refusal beside the text", {"content": "a", "refusal": "no"}, "refusal"),
    ("a false value", {"content": "a", "prefix": False}, "prefix"),
    ("a name, which templates have no place for", {"content": "a", "name": "bob"}, "name"),
    ("a name without content", {"name": "bob"}, "name"),
    ("a call's id on no result", {"content": "a", "tool_call_id": "c1"}, "tool_call_id"),
]


@pytest.mark.parametrize(("_name", "extra", "told"), EXTRAS, ids=[row[0] for row in EXTRAS])
def test_unknown_key_of_a_message_is_told(_name: str, extra: dict[str, Any], told: str) -> None:
    assert ignored({"role": "assistant", **extra}) == (f"messages.{told}",)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (text("a") | {"cache_control": {"type": "ephemeral"}}, ("messages.content.cache_control",)),
        (text("a", "output_text") | {"annotations": []}, ("messages.content.annotations",)),
        (text("a") | {"cache_control": None}, ()),
        ({"type": "refusal", "refusal": "a", "text": "b"}, ("messages.content.text",)),
    ],
)
def test_unknown_key_of_a_part_is_told(part: dict[str, Any], told: tuple[str, ...]) -> None:
    assert ignored({"role": "user", "content": [part]}) == told


def test_unknown_key_in_every_message_is_told_once() -> None:
    sent = {"role": "user", "content": "a", "x": 1}
    assert ignored(sent, sent, sent) == ("messages.x",)


# (name, message, param); it stands second.
REFUSED = [
    ("a string", "hi", "messages[1]"),
    ("null", None, "messages[1]"),
    ("a list", [], "messages[1]"),
    ("no role", {"content": "a"}, "messages[1].role"),
    ("role null", {"role": None}, "messages[1].role"),
    ("unknown role", {"role": "robot", "content": "a"}, "messages[1].role"),
    ("role in capitals", {"role": "User", "content": "a"}, "messages[1].role"),
    ("role a list", {"role": ["user"]}, "messages[1].role"),
    ("content a number", {"role": "user", "content": 5}, "messages[1].content"),
    ("content a boolean", {"role": "user", "content": False}, "messages[1].content"),
    ("content an object", {"role": "user", "content": text("a")}, "messages[1].content"),
    ("part a string", {"role": "user", "content": ["a"]}, "messages[1].content[0]"),
    ("part null", {"role": "user", "content": [None]}, "messages[1].content[0]"),
    ("part without type", {"role": "user", "content": [{}]}, "messages[1].content[0].type"),
    (
        "part of unknown type",
        {"role": "user", "content": [text("a"), {"type": "hologram"}]},
        "messages[1].content[1].type",
    ),
    (
        "part whose type is a list",
        {"role": "user", "content": [{"type": ["text"], "text": "a"}]},
        "messages[1].content[0].type",
    ),
    (
        "text a number",
        {"role": "user", "content": [{"type": "text", "text": 5}]},
        "messages[1].content[0].text",
    ),
    (
        "text missing",
        {"role": "user", "content": [{"type": "text"}]},
        "messages[1].content[0].text",
    ),
    (
        "refusal missing",
        {"role": "assistant", "content": [{"type": "refusal", "text": "a"}]},
        "messages[1].content[0].refusal",
    ),
    ("name a number", {"role": "user", "content": "a", "name": 5}, "messages[1].name"),
    (
        "call's id a number",
        {"role": "tool", "content": "a", "tool_call_id": 5},
        "messages[1].tool_call_id",
    ),
]


@pytest.mark.parametrize(("_name", "message", "param"), REFUSED, ids=[row[0] for row in REFUSED])
def test_wrong_message_is_refused_at_its_place(_name: str, message: object, param: str) -> None:
    error = refused({"role": "user", "content": "first"}, message)
    assert isinstance(error, InvalidRequest)
    assert (error.param, error.code) == (param, "invalid_value")
    assert error.message.startswith(f"Invalid value for '{param}': expected ")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "c2VjcmV0", "format": "wav"}},
        {"type": "file", "file": {"file_id": "secret"}},
        {"type": "input_file", "file_id": "secret"},
    ],
    ids=lambda part: part["type"],
)
def test_part_that_is_no_text_is_refused_by_name_with_its_place(part: dict[str, Any]) -> None:
    error = refused(
        {"role": "user", "content": "first"}, {"role": "user", "content": [text("a"), part]}
    )
    assert isinstance(error, UnsupportedParameter)
    assert error.param == "messages[1].content[1].type"
    assert f"'{part['type']}'" in error.message
    assert "secret" not in error.message


CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize("content", [{}, {"content": None}, {"content": "text"}])
def test_spoken_history_is_refused_by_name(content: dict[str, Any]) -> None:
    """Left out, it would change the meaning of what follows."""
    error = refused({"role": "user"}, {"role": "assistant", "audio": {"id": "a1"}} | content)
    assert isinstance(error, UnsupportedParameter)
    assert error.param == "messages[1].audio"


@pytest.mark.parametrize("value", [[], None])
@pytest.mark.parametrize("content", [{}, {"content": "text"}])
def test_empty_list_of_calls_passes_without_a_word(value: object, content: dict[str, Any]) -> None:
    assert ignored({"role": "assistant", "tool_calls": value} | content) == ()


def test_refusal_repeats_no_text_of_the_client() -> None:
    for message in (
        {"role": "secret words"},
        {"role": "user", "content": [{"type": "secret words"}]},
        {"role": "user", "content": [{"type": "text", "text": ["secret words"]}]},
        {"role": "user", "content": {"secret words": 1}},
        "secret words",
    ):
        assert "secret" not in refused(message).message


def test_ten_thousand_messages_are_taken() -> None:
    sent = [{"role": "user", "content": [text("a"), text("b")]}] * 10_000
    assert len(messages(*sent)) == 10_000

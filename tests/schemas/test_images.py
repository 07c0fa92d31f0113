"""Image parts of messages: what is taken, told and refused, each at its place."""

from typing import Any

import pytest

from tensoria.errors import InvalidRequest, RequestError, UnsupportedParameter
from tensoria.schemas.chat import ChatSchema, load
from tensoria.schemas.support import narrow
from tensoria.translate.traits import Traits

URL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)
IMAGE = {"type": "image_url", "image_url": {"url": URL}}
SEES = Traits("ollama", "m", (0, 32, 15), frozenset({"completion", "vision"}))
TALKS = Traits("ollama", "m", (0, 32, 15), frozenset({"completion"}))


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def message(*parts: Any, role: str = "user") -> Any:
    return load({"messages": [{"role": role, "content": list(parts)}]}).request["messages"][0]


def ignored(*parts: Any) -> tuple[str, ...]:
    return load({"messages": [{"role": "user", "content": list(parts)}]}).ignored


def refused(*parts: Any, role: str = "user") -> RequestError:
    with pytest.raises(RequestError) as caught:
        load({"messages": [{"role": "user"}, {"role": role, "content": list(parts)}]})
    return caught.value


@pytest.mark.parametrize(
    "part",
    [
        IMAGE,
        {"type": "image_url", "image_url": URL},
        {"type": "input_image", "image_url": URL},
        {"type": "input_image", "image_url": {"url": URL}},
        {"type": "image_url", "image_url": {"url": URL, "detail": "auto"}},
        {"type": "input_image", "image_url": URL, "file_id": None, "detail": "auto"},
    ],
)
def test_every_form_of_an_image_becomes_one(part: dict[str, Any]) -> None:
    assert message(part) == {"role": "user", "content": "", "parts": [IMAGE]}
    assert ignored(part) == ()


@pytest.mark.parametrize("role", ["user", "assistant", "tool", "function"])
def test_texts_are_one_string_and_parts_keep_their_order(role: str) -> None:
    sent = [text("a"), IMAGE, {"type": "refusal", "refusal": "b"}, IMAGE]
    assert message(*sent, role=role) == {
        "role": role,
        "content": "a\nb",
        "parts": [text("a"), IMAGE, text("b"), IMAGE],
    }


def test_message_without_an_image_has_no_parts() -> None:
    assert message(text("a"), text("b")) == {"role": "user", "content": "a\nb"}


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (
            {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
            ("messages.content.image_url.detail",),
        ),
        (
            {"type": "input_image", "image_url": URL, "detail": "high"},
            ("messages.content.detail",),
        ),
        (IMAGE | {"cache_control": {"type": "ephemeral"}}, ("messages.content.cache_control",)),
        ({"type": "image_url", "image_url": {"url": URL, "x": None}}, ()),
    ],
)
def test_what_no_engine_sees_of_an_image_is_told(
    part: dict[str, Any], told: tuple[str, ...]
) -> None:
    assert ignored(text("a") | {"x": 1}, part) == tuple(sorted({*told, "messages.content.x"}))


PLACE = "messages[1].content[1]"

# (name, part, param)
REFUSED = [
    (
        "an address",
        {"type": "image_url", "image_url": {"url": "https://example.org/secret.png"}},
        f"{PLACE}.image_url.url",
    ),
    (
        "an address in a string",
        {"type": "input_image", "image_url": "http://example.org/secret.png"},
        f"{PLACE}.image_url",
    ),
    (
        "no image in it",
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,c2VjcmV0"}},
        f"{PLACE}.image_url.url",
    ),
    ("no address", {"type": "image_url", "image_url": {}}, f"{PLACE}.image_url.url"),
    ("nothing", {"type": "image_url"}, f"{PLACE}.image_url"),
    ("a number", {"type": "image_url", "image_url": 5}, f"{PLACE}.image_url"),
    (
        "a list for an address",
        {"type": "image_url", "image_url": {"url": [URL]}},
        f"{PLACE}.image_url.url",
    ),
]


@pytest.mark.parametrize(("_name", "part", "param"), REFUSED, ids=[row[0] for row in REFUSED])
def test_broken_image_is_refused_at_its_place(_name: str, part: dict[str, Any], param: str) -> None:
    error = refused(text("a"), part)
    assert isinstance(error, InvalidRequest)
    assert (error.param, error.code) == (param, "invalid_value")
    assert "secret" not in error.message


def test_address_is_answered_with_what_to_send_instead() -> None:
    error = refused({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}})
    assert "as a data URL" in error.message


def test_image_of_a_file_is_refused_by_name() -> None:
    error = refused({"type": "input_image", "file_id": "file-1"})
    assert isinstance(error, UnsupportedParameter)
    assert error.param == "messages[1].content[0].file_id"


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_cannot_hold_an_image(role: str) -> None:
    error = refused(text("a"), IMAGE, role=role)
    assert isinstance(error, UnsupportedParameter)
    assert error.param == "messages[1].content[1].type"


def test_twenty_images_are_taken_and_one_more_is_not() -> None:
    def sent(number: int) -> Any:
        return {"messages": [{"role": "user", "content": [IMAGE]}] * number}

    assert len(load(sent(20)).request["messages"]) == 20
    with pytest.raises(InvalidRequest, match="at most 20 images, got 21") as caught:
        load(sent(21))
    assert caught.value.param == "messages"


def test_model_that_cannot_see_is_refused_before_it_is_asked() -> None:
    loaded = load({"messages": [{"role": "user", "content": [text("a"), IMAGE]}]})
    assert narrow(ChatSchema, loaded, lambda: SEES, strict=True) == ()
    with pytest.raises(UnsupportedParameter, match="'vision'") as caught:
        narrow(ChatSchema, loaded, lambda: TALKS, strict=False)
    assert caught.value.param == "messages[0].content[1].image_url.url"


def test_text_alone_costs_no_look_at_the_model() -> None:
    def asked_in_vain() -> Traits:
        pytest.fail("the engine was asked for nothing")

    loaded = load({"messages": [{"role": "user", "content": [text("a")]}]})
    assert narrow(ChatSchema, loaded, asked_in_vain, strict=False) == ()

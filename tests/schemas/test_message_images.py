"""Images of a message, and the models that see none."""

from typing import Any

import pytest

from tensoria.errors import InvalidRequest, UnsupportedParameter
from tensoria.schemas.message_images import unseen
from tensoria.translate.traits import Traits

PNG = {"type": "image", "url": "data:image/png;base64,AAAA"}
GIF = {"type": "image", "url": "data:image/gif;base64,AAAA"}
TEXT = {"type": "text", "text": "a"}
SEES = Traits("ollama", "m", version=(0, 20, 0), capabilities=frozenset({"vision"}))
BLIND = Traits("ollama", "m", version=(0, 20, 0), capabilities=frozenset())


def in_result(*content: Any) -> Any:
    return {"type": "tool_result", "tool_use_id": "t", "content": list(content), "is_error": False}


def turns(*content: Any) -> Any:
    return [{"role": "user", "content": [TEXT]}, {"role": "user", "content": list(content)}]


def test_without_images_the_model_is_not_looked_at() -> None:
    assert unseen(turns(TEXT, in_result(TEXT)), lambda: pytest.fail("looked")) == set()


@pytest.mark.parametrize("traits", [SEES, Traits("openai", "m")])
def test_a_model_that_sees_or_may_see_gets_them(traits: Traits) -> None:
    assert unseen(turns(PNG, in_result(PNG)), lambda: traits) == set()


@pytest.mark.parametrize(
    ("content", "param"),
    [
        ([TEXT, PNG], "messages[1].content[1]"),
        ([in_result(TEXT, PNG)], "messages[1].content[0].content[1]"),
    ],
)
def test_a_model_that_cannot_see_is_refused_by_the_place(content: list[Any], param: str) -> None:
    with pytest.raises(UnsupportedParameter, match="capability 'vision'") as raised:
        unseen(turns(*content), lambda: BLIND)

    assert raised.value.param == param


def test_a_format_that_the_engine_may_not_read_is_named() -> None:
    with pytest.raises(InvalidRequest, match="PNG or JPEG") as raised:
        unseen(turns(GIF), lambda: SEES)

    assert raised.value.param == "messages[1].content[0]"

"""The content blocks of a message."""

from typing import Any

import pytest
from marshmallow import ValidationError

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.message_blocks import Role, ignored_in_blocks, to_blocks

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
CHECKED_IMAGE = {"type": "image", "url": f"data:image/png;base64,{PNG}"}
TEXT = {"type": "text", "text": "a"}


def document(source: Any, **more: Any) -> dict[str, Any]:
    return {"type": "document", "source": source, **more}


def result(**more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t", **more}


def checked_result(*content: Any, id_: str = "t", is_error: bool = False) -> dict[str, Any]:
    return {
        "type": "tool_result",
        "tool_use_id": id_,
        "content": list(content),
        "is_error": is_error,
    }


@pytest.mark.parametrize(
    ("role", "content", "expected"),
    [
        ("user", None, []),
        ("user", "", []),
        ("user", [], []),
        ("user", "a", [TEXT]),
        ("system", [TEXT], [TEXT]),
        ("user", [TEXT, {**TEXT, "cache_control": {"type": "ephemeral"}}], [TEXT, TEXT]),
        ("user", [IMAGE], [CHECKED_IMAGE]),
        (
            "user",
            [document({"type": "text", "media_type": "text/plain", "data": "d"}, title="T")],
            [{"type": "text", "text": "T\nd"}],
        ),
        (
            "user",
            [document({"type": "content", "content": [TEXT, TEXT]}, context="C", title=None)],
            [{"type": "text", "text": "C\na\na"}],
        ),
        (
            "user",
            [document({"type": "content", "content": "d"})],
            [{"type": "text", "text": "d"}],
        ),
        (
            "user",
            [{"type": "search_result", "source": "s", "title": "T", "content": [TEXT]}],
            [{"type": "text", "text": "T\ns\na"}],
        ),
        (
            "assistant",
            [{"type": "thinking", "thinking": "Hm", "signature": "theirs"}],
            [{"type": "thinking", "thinking": "Hm"}],
        ),
        (
            "assistant",
            [{"type": "redacted_thinking", "data": "x"}],
            [{"type": "thinking", "thinking": ""}],
        ),
        (
            "assistant",
            [{"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}],
            [{"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}],
        ),
        (
            "assistant",
            [{"type": "tool_use", "name": "f"}],
            [{"type": "tool_use", "id": "", "name": "f", "input": {}}],
        ),
        ("user", [result(content="a")], [checked_result(TEXT)]),
        ("user", [result()], [checked_result()]),
        (
            "user",
            [result(tool_use_id=None, is_error=True)],
            [checked_result(id_="", is_error=True)],
        ),
        ("user", [result(is_error=None, content=[IMAGE])], [checked_result(CHECKED_IMAGE)]),
    ],
)
def test_content_becomes_blocks(role: Role, content: Any, expected: list[Any]) -> None:
    assert to_blocks("p", role, content) == expected


DEEP: Any = {}
for _ in range(70):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("role", "content", "place"),
    [
        ("user", 5, []),
        ("user", {}, []),
        ("user", [5], [0]),
        ("user", [{}], [0, "type"]),
        ("user", [{"type": 5}], [0, "type"]),
        ("user", [{"type": "x"}], [0, "type"]),
        ("user", [TEXT, {"type": "tool_use", "name": "f"}], [1, "type"]),
        ("assistant", [result()], [0, "type"]),
        ("assistant", [IMAGE], [0, "type"]),
        ("system", [IMAGE], [0, "type"]),
        ("user", [{"type": "text"}], [0, "text"]),
        ("user", [{"type": "image"}], [0, "source"]),
        ("user", [{"type": "image", "source": {}}], [0, "source", "type"]),
        ("user", [{"type": "image", "source": {"type": "base64"}}], [0, "source", "data"]),
        (
            "user",
            [{"type": "image", "source": {"type": "base64", "data": "AAAA"}}],
            [0, "source", "data"],
        ),
        ("user", [document({"type": "text"})], [0, "source", "data"]),
        (
            "user",
            [document({"type": "content", "content": [IMAGE]})],
            [0, "source", "content", 0, "type"],
        ),
        ("user", [document({"type": "text", "data": "d"}, title=5)], [0, "title"]),
        (
            "user",
            [{"type": "search_result", "source": 5, "content": []}],
            [0, "source"],
        ),
        ("assistant", [{"type": "thinking"}], [0, "thinking"]),
        ("assistant", [{"type": "tool_use"}], [0, "name"]),
        ("assistant", [{"type": "tool_use", "name": ""}], [0, "name"]),
        ("assistant", [{"type": "tool_use", "name": "f", "id": 5}], [0, "id"]),
        ("assistant", [{"type": "tool_use", "name": "f", "input": "{}"}], [0, "input"]),
        ("assistant", [{"type": "tool_use", "name": "f", "input": DEEP}], [0, "input"]),
        ("user", [result(is_error="true")], [0, "is_error"]),
        ("user", [result(content=5)], [0, "content"]),
        ("user", [result(content=[result()])], [0, "content", 0, "type"]),
    ],
)
def test_what_is_wrong_is_named(role: Role, content: Any, place: list[Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        to_blocks("p", role, content)

    messages: Any = raised.value.messages
    for key in place:
        messages = messages[key]
    assert isinstance(messages, list)


@pytest.mark.parametrize(
    ("role", "content", "param"),
    [
        ("assistant", [{"type": "server_tool_use"}], "p[0].type"),
        ("assistant", [TEXT, {"type": "web_search_tool_result"}], "p[1].type"),
        ("user", [{"type": "container_upload"}], "p[0].type"),
        (
            "user",
            [result(content=[{"type": "tool_reference", "tool_name": "f"}])],
            "p[0].content[0].type",
        ),
        ("user", [document({"type": "base64", "data": ""})], "p[0].source"),
        ("user", [document({"type": "url", "url": "http://x"})], "p[0].source"),
        ("user", [document(None)], "p[0].source"),
        (
            "user",
            [{"type": "image", "source": {"type": "url", "url": "http://x"}}],
            "p[0].source",
        ),
        (
            "user",
            [{"type": "image", "source": {"type": "file", "file_id": "f"}}],
            "p[0].source",
        ),
    ],
)
def test_what_nothing_here_could_honour_is_refused(role: Role, content: Any, param: str) -> None:
    with pytest.raises(UnsupportedParameter) as raised:
        to_blocks("p", role, content)

    assert raised.value.param == param
    assert param.removesuffix(".type") in raised.value.message


def test_a_data_url_is_an_image_too() -> None:
    url = f"data:image/png;base64,{PNG}"
    block = {"type": "image", "source": {"type": "url", "url": url}}

    assert to_blocks("p", "user", [block]) == [CHECKED_IMAGE]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a", set()),
        (None, set()),
        ([TEXT], set()),
        ([{**TEXT, "citations": None}, {**TEXT, "citations": []}], set()),
        ([{**TEXT, "cache_control": {"type": "ephemeral"}}], {"messages.content.cache_control"}),
        ([{**TEXT, "citations": [{}]}], {"messages.content.citations"}),
        ([{"type": "redacted_thinking", "data": "x"}], {"p[0]"}),
        ([{"type": "thinking", "thinking": "", "signature": "x"}], set()),
        ([{"type": "tool_use", "name": "f", "caller": {"type": "direct"}}], set()),
        (
            [result(content=[{**IMAGE, "transformations": {"a": 1}}])],
            {"messages.content.transformations"},
        ),
    ],
)
def test_what_no_engine_sees_is_named(content: Any, names: set[str]) -> None:
    assert ignored_in_blocks("p", content) == names

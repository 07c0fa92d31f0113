"""Items of a response to the messages of a chat."""

from typing import Any

import pytest

from tensoria.translate.response_items import identify, to_messages
from tensoria.translate.response_thoughts import seal

URL = "data:image/png;base64,iVBORw0KGgo="


def message(role: str, *texts: str) -> dict[str, Any]:
    type_ = "output_text" if role == "assistant" else "input_text"
    content = [{"type": type_, "text": text} for text in texts]
    return {"type": "message", "role": role, "content": content}


def call(id_: str, name: str = "f") -> dict[str, Any]:
    return {"type": "function_call", "call_id": id_, "name": name, "arguments": '{"a":1}'}


def result(id_: str, output: Any = "1") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": id_, "output": output}


def thought(text: str, **members: Any) -> dict[str, Any]:
    content = [{"type": "reasoning_text", "text": text}]
    return {"type": "reasoning", "summary": [], "content": content, **members}


def called(*ids: str, **members: Any) -> dict[str, Any]:
    function = {"name": "f", "arguments": '{"a":1}'}
    calls = [{"id": id_, "type": "function", "function": function} for id_ in ids]
    return {"role": "assistant", "content": "", "tool_calls": calls, **members}


CASES: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    ("a question", [message("user", "Hi")], [{"role": "user", "content": "Hi"}]),
    ("parts", [message("user", "a", "b")], [{"role": "user", "content": "a\nb"}]),
    ("nothing", [message("user")], [{"role": "user", "content": ""}]),
    (
        "an image between texts",
        [
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look"},
                    {"type": "input_image", "image_url": URL, "detail": "auto"},
                ],
            }
        ],
        [
            {
                "role": "user",
                "content": "Look",
                "parts": [
                    {"type": "text", "text": "Look"},
                    {"type": "image_url", "image_url": {"url": URL}},
                ],
            }
        ],
    ),
    (
        "a refusal",
        [
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "refusal", "refusal": "No."}],
            }
        ],
        [{"role": "assistant", "content": "No."}],
    ),
    (
        "one turn of the assistant",
        [thought("Hm."), message("assistant", "Well"), call("1"), call("2"), result("1")],
        [
            called("1", "2", content="Well", reasoning_content="Hm."),
            {"role": "tool", "content": "1", "tool_call_id": "1"},
        ],
    ),
    (
        "a text between calls and results",
        [message("assistant", "One"), call("1"), message("assistant", "two"), result("1")],
        [called("1", content="One\ntwo"), {"role": "tool", "content": "1", "tool_call_id": "1"}],
    ),
    (
        "a thought between calls",
        [thought("a"), call("1"), thought("b"), call("2")],
        [called("1", "2", reasoning_content="a\nb")],
    ),
    (
        "two answers in a row",
        [message("assistant", "One"), message("assistant", "two")],
        [{"role": "assistant", "content": "One"}, {"role": "assistant", "content": "two"}],
    ),
    (
        "a thought after an answer",
        [message("assistant", "One"), thought("b"), message("assistant", "two")],
        [
            {"role": "assistant", "content": "One"},
            {"role": "assistant", "content": "two", "reasoning_content": "b"},
        ],
    ),
    (
        "a result with an image",
        [result("1", [{"type": "input_image", "image_url": URL, "detail": "auto"}])],
        [
            {
                "role": "tool",
                "content": "",
                "tool_call_id": "1",
                "parts": [{"type": "image_url", "image_url": {"url": URL}}],
            }
        ],
    ),
    (
        "a custom tool",
        [
            {"type": "custom_tool_call", "call_id": "1", "name": "patch", "input": "+a"},
            {"type": "custom_tool_call_output", "call_id": "1", "output": "done"},
        ],
        [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {
                        "id": "1",
                        "type": "function",
                        "function": {"name": "patch", "arguments": '{"input":"+a"}'},
                    }
                ],
            },
            {"role": "tool", "content": "done", "tool_call_id": "1"},
        ],
    ),
    ("a record", [{"type": "web_search_call", "id": "ws_1"}], []),
    ("a thought of nothing", [thought("")], []),
    (
        "a summary",
        [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}],
        [{"role": "assistant", "content": "", "reasoning_content": "Hm."}],
    ),
    (
        "our own seal, rather than its summary",
        [
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "Hm."}],
                "encrypted_content": seal("Hm, hm."),
            }
        ],
        [{"role": "assistant", "content": "", "reasoning_content": "Hm, hm."}],
    ),
    (
        "another's seal",
        [
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "Hm."}],
                "encrypted_content": "gAAAA",
            }
        ],
        [{"role": "assistant", "content": "", "reasoning_content": "Hm."}],
    ),
]


@pytest.mark.parametrize(
    ("items", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_items_to_messages(items: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert to_messages(items) == expected


def test_items_without_an_id_get_one_of_their_kind() -> None:
    items = [
        message("user", "Hi"),
        thought("a"),
        call("1"),
        result("1"),
        {"type": "custom_tool_call"},
        {"type": "custom_tool_call_output"},
        {"type": "web_search_call"},
        {**message("user", "Ho"), "id": "mine"},
    ]
    identified = identify(items, lambda prefix: prefix + "1")

    assert [item["id"] for item in identified] == [
        *("msg_1", "rs_1", "fc_1", "fco_1", "ctc_1", "ctco_1", "item_1", "mine")
    ]
    assert "id" not in items[0]

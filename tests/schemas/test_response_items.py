"""The items of a response's `input`, and the forms in which clients send them."""

from typing import Any

import pytest
from marshmallow import ValidationError

from tensoria.errors import InvalidRequest, TensoriaError, UnsupportedParameter
from tensoria.schemas.response_images import unseen
from tensoria.schemas.response_items import Items, ignored_in_items
from tensoria.schemas.responses import load
from tensoria.translate.response_thoughts import seal
from tensoria.translate.traits import Traits

PNG = "data:image/png;base64,iVBORw0KGgo="
IMAGE = {"type": "input_image", "image_url": PNG, "detail": "auto"}
DONE = {"status": "completed"}


def said(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def items(value: Any) -> Any:
    return load({"input": value}).request["input"]


def ignored(*sent: Any) -> tuple[str, ...]:
    return load({"input": [*sent]}).ignored


def refusal(value: Any) -> TensoriaError:
    with pytest.raises((InvalidRequest, UnsupportedParameter)) as caught:
        load({"input": value})
    return caught.value


# (what it is, what is sent, what comes out)
TAKEN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "the easy form",
        {"role": "user", "content": "Hi"},
        {
            "type": "message",
            **DONE,
            "role": "user",
            "content": [{"type": "input_text", "text": "Hi"}],
        },
    ),
    (
        "the whole form",
        {
            "type": "message",
            "id": "msg_1",
            "status": "incomplete",
            "role": "developer",
            "content": [{"type": "input_text", "text": "Hi"}],
        },
        {
            "type": "message",
            "id": "msg_1",
            "status": "incomplete",
            "role": "developer",
            "content": [{"type": "input_text", "text": "Hi"}],
        },
    ),
    (
        "no content",
        {"role": "system", "content": None, "id": ""},
        {"type": "message", **DONE, "role": "system", "content": []},
    ),
    (
        "an earlier answer",
        {
            "role": "assistant",
            "type": None,
            "status": "odd",
            "content": [
                {"type": "output_text", "text": "a", "annotations": [{"a": 1}], "logprobs": []},
                {"type": "refusal", "refusal": "b"},
                {"type": "text", "text": "c"},
            ],
        },
        {
            "type": "message",
            **DONE,
            "role": "assistant",
            "content": [said("a"), {"type": "refusal", "refusal": "b"}, said("c")],
        },
    ),
    (
        "a refusal that the user cites",
        {"role": "user", "content": [{"type": "refusal", "refusal": "b"}]},
        {
            "type": "message",
            **DONE,
            "role": "user",
            "content": [{"type": "input_text", "text": "b"}],
        },
    ),
    (
        "an image",
        {"role": "user", "content": [{"type": "input_image", "image_url": PNG, "detail": "low"}]},
        {
            "type": "message",
            **DONE,
            "role": "user",
            "content": [{"type": "input_image", "image_url": PNG, "detail": "low"}],
        },
    ),
    (
        "a chat's image",
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG}}]},
        {"type": "message", **DONE, "role": "user", "content": [IMAGE]},
    ),
    (
        "a call without an id of its own",
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""},
        {"type": "function_call", **DONE, "call_id": "c", "name": "f", "arguments": "{}"},
    ),
    (
        "a call with arguments as an object",
        {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": {"a": 1}},
        {
            "type": "function_call",
            "id": "fc",
            **DONE,
            "call_id": "c",
            "name": "f",
            "arguments": '{"a":1}',
        },
    ),
    (
        "a result",
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"type": "function_call_output", **DONE, "call_id": "c", "output": "1"},
    ),
    (
        "a result in parts",
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [{"type": "input_text", "text": "1"}, IMAGE],
        },
        {
            "type": "function_call_output",
            **DONE,
            "call_id": "c",
            "output": [{"type": "input_text", "text": "1"}, IMAGE],
        },
    ),
    (
        "a custom tool's call",
        {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"},
        {"type": "custom_tool_call", **DONE, "call_id": "c", "name": "f", "input": "x"},
    ),
    (
        "a custom tool's result",
        {"type": "custom_tool_call_output", "call_id": "c", "output": "y"},
        {"type": "custom_tool_call_output", **DONE, "call_id": "c", "output": "y"},
    ),
    (
        "a thought",
        {
            "type": "reasoning",
            "id": "rs",
            "summary": [{"type": "summary_text", "text": "a"}],
            "content": [{"type": "reasoning_text", "text": "b"}],
            "encrypted_content": "c",
        },
        {
            "type": "reasoning",
            "id": "rs",
            **DONE,
            "summary": [{"type": "summary_text", "text": "a"}],
            "content": [{"type": "reasoning_text", "text": "b"}],
            "encrypted_content": "c",
        },
    ),
    (
        "a thought as Codex sends it",
        {"type": "reasoning", "summary": [], "content": None, "encrypted_content": None},
        {"type": "reasoning", **DONE, "summary": [], "content": []},
    ),
    (
        "a reference",
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1", "type": "item_reference"},
    ),
    ("a reference without a type", {"id": "msg_1"}, {"id": "msg_1", "type": "item_reference"}),
    (
        "a record",
        {"type": "web_search_call", "id": "ws_1", "action": {"query": "x"}},
        {"type": "web_search_call", "id": "ws_1", "action": {"query": "x"}},
    ),
]


@pytest.mark.parametrize(("sent", "expected"), [c[1:] for c in TAKEN], ids=[c[0] for c in TAKEN])
def test_an_item_comes_out_in_one_form(sent: Any, expected: Any) -> None:
    assert items([sent]) == [expected]


def test_a_text_is_what_the_user_says() -> None:
    content = [{"type": "input_text", "text": "Hi"}]

    assert items("Hi") == [{"type": "message", **DONE, "role": "user", "content": content}]


# (what it is, what is sent, the field that the error names, a part of its message)
WRONG: list[tuple[Any, str, str]] = [
    (5, "input", "a string or an array of items, got a number"),
    ([5], "input[0]", "expected an object, got a number"),
    ([{"type": "telepathy"}], "input[0].type", "expected one of custom_tool_call,"),
    ([{"type": 5}], "input[0].type", "expected one of"),
    ([{"type": "computer_call"}], "input[0].type", "no such tool runs here"),
    ([{"id": 5, "role": "user"}], "input[0].id", "expected a string, got a number"),
    ([{}], "input[0].id", "expected a string that is not empty"),
    ([{"role": "critic"}], "input[0].role", "expected one of assistant, developer"),
    ([{"role": "user", "content": 5}], "input[0].content", "a string or an array of parts"),
    ([{"role": "user", "content": [5]}], "input[0].content[0]", "expected an object"),
    ([{"role": "user", "content": [{"type": "x"}]}], "input[0].content[0].type", "input_image"),
    ([{"role": "user", "content": [{"type": 5}]}], "input[0].content[0].type", "input_image"),
    ([{"role": "assistant", "content": [{}]}], "input[0].content[0].type", "output_text, refusal"),
    (
        [{"role": "user", "content": [{"type": "input_text"}]}],
        "input[0].content[0].text",
        "expected a string, got null",
    ),
    (
        [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}],
        "input[0].content[0].type",
        "is not supported",
    ),
    ([{"role": "system", "content": [IMAGE]}], "input[0].content[0].type", "is an image"),
    ([{"role": "assistant", "content": [IMAGE]}], "input[0].content[0].type", "is an image"),
    (
        [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}],
        "input[0].content[0].file_id",
        "no files are kept here",
    ),
    (
        [{"role": "user", "content": [{"type": "input_image"}]}],
        "input[0].content[0].image_url",
        "expected a data URL, got null",
    ),
    (
        [{"role": "user", "content": [{"type": "input_image", "image_url": "https://a/b.png"}]}],
        "input[0].content[0].image_url",
        "nothing is fetched",
    ),
    ([{"role": "user", "content": [IMAGE] * 21}], "input", "at most 20 images, got 21"),
    ([{"type": "function_call", "name": "f"}], "input[0].call_id", "not empty"),
    ([{"type": "function_call", "call_id": "c"}], "input[0].name", "not empty"),
    (
        [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "["}],
        "input[0].arguments",
        "expected a JSON object",
    ),
    ([{"type": "function_call_output", "call_id": "c"}], "input[0].output", "got null"),
    ([{"type": "function_call_output", "output": "1"}], "input[0].call_id", "not empty"),
    (
        [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file"}]}],
        "input[0].output[0].type",
        "is not supported",
    ),
    ([{"type": "custom_tool_call", "call_id": "c", "name": "f"}], "input[0].input", "got null"),
    ([{"type": "reasoning", "encrypted_content": 5}], "input[0].encrypted_content", "a number"),
    ([{"type": "reasoning", "summary": "a"}], "input[0].summary", "expected an array of parts"),
    ([{"type": "reasoning", "content": [5]}], "input[0].content[0]", "an object with a text"),
    ([{"type": "reasoning", "content": [{}]}], "input[0].content[0]", "an object with a text"),
]


@pytest.mark.parametrize(("sent", "param", "message"), WRONG)
def test_a_wrong_item_is_refused_by_its_place(sent: Any, param: str, message: str) -> None:
    error = refusal(sent)

    assert error.param == param
    assert message in error.message


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ({"role": "user", "content": "a", "phase": "final_answer", "name": None}, ["input.phase"]),
        (
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {}},
                    {**IMAGE, "detail": "low"},
                    IMAGE,
                ],
            },
            ["input.content.detail", "input.content.prompt_cache_breakpoint"],
        ),
        ({"role": "assistant", "content": [said("a")]}, []),
        (
            {"type": "function_call", "call_id": "c", "name": "f", "namespace": "n"},
            ["input.namespace"],
        ),
        (
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_text", "text": "a", "odd": 1}],
            },
            ["input.output.odd"],
        ),
        (
            {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"},
            ["input.encrypted_content"],
        ),
        ({"type": "reasoning", "summary": [], "encrypted_content": seal("a")}, []),
        ({"type": "reasoning", "summary": [], "encrypted_content": ""}, []),
        ({"type": "web_search_call", "id": "ws_1"}, ["input[0]"]),
        ({"id": "msg_1"}, []),
    ],
)
def test_what_no_model_is_told_is_named(sent: Any, names: list[str]) -> None:
    assert [*ignored(sent)] == names


def test_items_of_another_field_are_named_by_it() -> None:
    with pytest.raises(ValidationError):
        Items().deserialize([5], "items")

    assert ignored_in_items([{"type": "web_search_call"}], "items") == {"items[0]"}


BLIND = Traits("ollama", "m", (0, 24, 0), frozenset({"completion"}))


@pytest.mark.parametrize(
    ("item", "place"),
    [
        ({"role": "user", "content": [{"type": "input_text", "text": "a"}, IMAGE]}, "content[1]"),
        ({"type": "function_call_output", "call_id": "c", "output": [IMAGE]}, "output[0]"),
    ],
)
def test_an_image_for_a_blind_model_is_refused_by_its_place(item: Any, place: str) -> None:
    checked = items([{"role": "user", "content": "a"}, item])
    with pytest.raises(UnsupportedParameter) as caught:
        unseen(checked, lambda: BLIND)

    assert caught.value.param == f"input[1].{place}.image_url"
    assert caught.value.message.startswith(f"'input[1].{place}.image_url' needs a model")


def test_a_model_is_not_looked_at_for_texts() -> None:
    checked = items(
        [
            {"role": "user", "content": "a"},
            {"type": "reasoning", "summary": []},
            {"type": "function_call_output", "call_id": "c", "output": "1"},
        ]
    )

    assert unseen(checked, _unknown) == set()


def _unknown() -> Traits:
    raise AssertionError("the model was looked at")

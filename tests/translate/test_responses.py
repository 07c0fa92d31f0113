"""Responses: the request to the house's chat, and the object with which its answer begins."""

from typing import Any

import pytest

from tensoria.errors import ContextLengthExceeded, InvalidRequest
from tensoria.translate.responses import reword, to_chat, to_echo, to_name, to_response
from tensoria.wire.responses import ResponseRequest
from tests.contract import check

HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": {}}}
LOGPROBS = "message.output_text.logprobs"


def chat(**members: Any) -> dict[str, Any]:
    request: Any = {"input": [HI], **members}
    return {**to_chat(request, [HI])}


def test_items_are_messages() -> None:
    assert chat() == {"messages": [{"role": "user", "content": "Hi"}]}


def test_instructions_stand_before_all_that_was_said() -> None:
    assert chat(instructions="Be brief.")["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"max_output_tokens": 7}, {"max_completion_tokens": 7}),
        (
            {"text": {"format": {"type": "json_object"}}},
            {"response_format": {"type": "json_object"}},
        ),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning": {"effort": "low"}}),
        ({"reasoning": {"summary": "auto"}}, {}),
        ({"include": [LOGPROBS]}, {"logprobs": True}),
        ({"include": [LOGPROBS], "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"include": ["reasoning.encrypted_content"]}, {}),
        (
            {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
            {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
        ),
        (
            {"model": "m", "temperature": 0, "top_p": 1, "seed": 5, "stop": ["END"], "user": "u"},
            {"model": "m", "temperature": 0, "top_p": 1, "seed": 5, "stop": ["END"], "user": "u"},
        ),
        (
            {"think": True, "keep_alive": "5m", "options": {"a": 1}, "top_k": 3},
            {"think": True, "keep_alive": "5m", "options": {"a": 1}, "top_k": 3},
        ),
        ({"metadata": {"a": "b"}, "store": True, "stream": True, "echo": {}}, {}),
    ],
)
def test_a_field_of_a_response_is_one_of_a_chat(
    members: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = chat(**members)
    del found["messages"]

    assert found == expected


def response(*, truncates: bool = False, **members: Any) -> dict[str, Any]:
    request: ResponseRequest = {"input": [], **members}  # type: ignore[typeddict-item]
    request["echo"] = to_echo(request)
    return {**to_response(request, "resp_1", 7, model="mistral", truncates=truncates)}


def test_a_response_begins_as_the_contract_says() -> None:
    begun = response()

    check("response", begun)
    assert (begun["id"], begun["created_at"], begun["status"]) == ("resp_1", 7, "in_progress")
    assert (begun["model"], begun["truncation"]) == ("mistral", "disabled")
    assert (begun["background"], begun["store"]) == (False, True)


def test_a_response_names_the_model_that_was_asked_for() -> None:
    assert response(model="smollm2")["model"] == "smollm2"


def test_a_service_that_cuts_prompts_says_so() -> None:
    assert response(truncates=True)["truncation"] == "auto"


def test_what_was_asked_to_be_kept_is_told() -> None:
    begun = response(store=False, background=True)

    assert (begun["background"], begun["store"]) == (True, False)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("messages", "input"),
        ("messages[3].content[0].image_url.url", "input"),
        ("messages.tool_call_id", "input.call_id"),
        ("response_format", "text.format"),
        ("reasoning_effort", "reasoning.effort"),
        ("max_tokens", "max_output_tokens"),
        ("max_completion_tokens", "max_output_tokens"),
        ("tool_choice.function.name", "tool_choice.name"),
        ("tools", "tools"),
    ],
)
def test_a_field_has_the_name_that_the_client_knows(theirs: str, ours: str) -> None:
    assert to_name(theirs) == ours


def test_an_overflow_is_the_inputs() -> None:
    error = ContextLengthExceeded(context=4, prompt=5)
    reword(error)

    assert error.param == "input"
    assert error.message.endswith("However, your input resulted in 5 tokens.")


def test_an_error_names_the_clients_field_in_its_text_too() -> None:
    error = InvalidRequest("'max_tokens' is wrong.", param="max_tokens")
    reword(error)

    assert (error.param, error.message) == ("max_output_tokens", "'max_output_tokens' is wrong.")


def test_an_error_of_no_field_stays_as_it_is() -> None:
    error = InvalidRequest("No.")
    reword(error)

    assert (error.param, error.message) == (None, "No.")

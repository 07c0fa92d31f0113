"""The bodies of POST /v1/messages and of its count."""

from typing import Any

import pytest

from tensoria.errors import InvalidRequest
from tensoria.schemas.messages import CountSchema, MessageSchema, load, load_count
from tensoria.wire.messages import CountRequest, MessageRequest
from tests.schemas.taken import taken

HI = {"messages": [{"role": "user", "content": "Hi"}]}
ASK = {**HI, "max_tokens": 5}


def test_every_field_that_an_engine_sees_is_one_of_the_request() -> None:
    assert taken(MessageSchema) - {"messages"} <= MessageRequest.__annotations__.keys()
    assert taken(CountSchema) <= CountRequest.__annotations__.keys()


def test_a_request_is_checked_and_nothing_is_told() -> None:
    loaded = load({**ASK, "system": "s", "stream": True, "top_p": None})

    assert loaded.ignored == ()
    assert loaded.request == {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "max_tokens": 5,
        "system": "s",
        "stream": True,
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, None),
        ({"temperature": 1.01}, "temperature"),
        ({"stop_sequences": "x"}, "stop_sequences"),
        ({"stop_sequences": [""]}, "stop_sequences"),
        ({"stream": 1}, "stream"),
        ({"top_k": -2}, "top_k"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str | None) -> None:
    with pytest.raises(InvalidRequest) as raised:
        load({**ASK, **fields})

    assert raised.value.param == (param or "messages[0].content[0].text")


@pytest.mark.parametrize(
    "default",
    [
        {"stop_sequences": []},
        {"tools": []},
        {"mcp_servers": []},
        {"service_tier": "standard_only"},
        {"speed": "standard"},
        {"context_management": {}},
        {"metadata": {}},
        {"output_config": {}},
    ],
)
def test_defaults_say_nothing(default: dict[str, Any]) -> None:
    (name,) = default
    loaded = load({**ASK, **default})

    assert loaded.ignored == ()
    assert name not in loaded.request


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"made_up": {"a": 1}}, ("made_up",)),
        ({"output_config": {"effort": "low"}}, ("output_config.effort",)),
        ({"output_config": {"effort": "low"}, "thinking": {"type": "adaptive"}}, ()),
        ({"tool_choice": {"type": "auto", "x": 1}}, ("tool_choice.x",)),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, ("tools[0]",)),
        ({"system": [{"type": "text", "text": "", "x": 1}]}, ("system.x",)),
    ],
)
def test_what_has_no_effect_is_named(fields: dict[str, Any], names: tuple[str, ...]) -> None:
    assert load({**ASK, **fields}).ignored == names


def test_a_result_whose_call_is_not_in_the_history_is_told() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    known = {"type": "tool_result", "tool_use_id": "t"}
    history = [
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [known, {"type": "tool_result"}]},
    ]
    lost = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u"}]}

    assert load({**ASK, "messages": history}).ignored == ()
    assert load({**ASK, "messages": [*history, lost]}).ignored == ("messages.content.tool_use_id",)


def test_a_count_needs_no_limit_and_ignores_one() -> None:
    assert load_count(HI).ignored == ()
    assert load_count(ASK).ignored == ("max_tokens",)

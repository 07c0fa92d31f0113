"""How many tokens a prompt may have: four bytes each, and what stands around."""

from typing import Any

import pytest

from tensoria.translate.message_count import estimate

CALL = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:"}}


@pytest.mark.parametrize(
    ("chat", "expected"),
    [
        ({"messages": [{"role": "user", "content": "x" * 8}]}, 2 + 4),
        ({"messages": [{"role": "user", "content": "x" * 9}]}, 3 + 4),
        ({"messages": [{"role": "user", "content": "€" * 4}]}, 3 + 4),
        ({"messages": [{"role": "user", "content": "\ud800" * 4}]}, 1 + 4),
        ({"messages": [{"role": "user", "content": "x"}] * 2}, 1 + 8),
        (
            {"messages": [{"role": "assistant", "content": "xx", "reasoning_content": "yy"}]},
            1 + 4,
        ),
        # The call is 71 bytes of JSON with its brackets, the tool 61.
        ({"messages": [{"role": "assistant", "content": "", "tool_calls": [CALL]}]}, 18 + 4),
        ({"messages": [{"role": "user", "content": ""}], "tools": [TOOL]}, 16 + 4),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": "x",
                        "parts": [{"type": "text", "text": "x"}, IMAGE],
                    }
                ]
            },
            1 + 4 + 1000,
        ),
    ],
)
def test_estimates(chat: Any, expected: int) -> None:
    assert estimate(chat) == expected

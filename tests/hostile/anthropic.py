"""Anthropic's messages with values that they cannot have, and some odd ones that they can."""

from typing import Any

from tests.hostile.fields import LONG, NO_FLAG, NO_OBJECT, NO_TEXT, NO_WHOLE
from tests.hostile.rows import MESSAGES, PORT, UNSUPPORTED, Row, refused, taken


def _deep(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def _said(*blocks: Any, role: str = "user") -> list[Any]:
    return [{"role": role, "content": list(blocks)}]


def _image(**source: Any) -> list[Any]:
    return _said({"type": "image", "source": source})


_HERE = "messages[0].content[0]"
_TOOL = {"name": "f", "input_schema": {}}

ROWS: list[Row] = [
    *refused(MESSAGES, "max_tokens", [*NO_WHOLE, 0, -1, None]),
    *refused(MESSAGES, "stream", NO_FLAG),
    *refused(MESSAGES, "temperature", ["1", True, [], 1.01, -0.01]),
    *refused(MESSAGES, "stop_sequences", ["x", 5, {}, [5], [""], ["x"] * 65]),
    *refused(MESSAGES, "thinking", [5, "enabled", True, [], [{}]]),
    *refused(MESSAGES, "thinking.type", [{}, {"type": 5}, {"type": []}, {"type": "x"}]),
    *refused(MESSAGES, "output_config", NO_OBJECT),
    *refused(MESSAGES, "output_config.effort", [{"effort": 5}, {"effort": LONG}]),
    *refused(MESSAGES, "output_config.format", [{"format": 5}, {"format": []}]),
    *refused(MESSAGES, "metadata", NO_OBJECT),
    *refused(MESSAGES, "metadata.user_id", [{"user_id": 5}, {"user_id": {}}]),
    *refused(MESSAGES, "system", [5, True, {}]),
    *refused(MESSAGES, "system[0].type", [[{}], [{"type": "image"}], [{"type": [[]]}]]),
    *refused(MESSAGES, "tools", [5, "x", {}, [_TOOL] * 513, [{**_TOOL, "a": _deep(100)}]]),
    *refused(MESSAGES, "tools[0].name", [[{}], [{**_TOOL, "name": LONG}], [{"name": "a\nb"}]]),
    *refused(MESSAGES, "tool_choice", [5, "auto", []]),
    *refused(MESSAGES, "tool_choice.name", [{"type": "tool", "name": LONG}]),
    *refused(MESSAGES, "messages", [5, "x", {}, [], None]),
    *refused(MESSAGES, "messages[0].role", [[{}], [{"role": []}], [{"role": LONG}]]),
    *refused(MESSAGES, "messages[0].content", [[{"role": "user", "content": 5}]]),
    *refused(MESSAGES, f"{_HERE}.type", [_said({}), _said({"type": LONG}), _said({"type": {}})]),
    *refused(
        MESSAGES,
        f"{_HERE}.text",
        [_said({"type": "text", "text": value}) for value in NO_TEXT],
    ),
    *refused(
        MESSAGES,
        f"{_HERE}.input",
        [
            _said({"type": "tool_use", "name": "f", "input": value}, role="assistant")
            for value in ("{}", [], _deep(100))
        ],
    ),
    *refused(
        MESSAGES,
        f"{_HERE}.source",
        [
            _image(type="url", url=f"http://127.0.0.1:{PORT}/a.png"),
            _image(type="url", url=f" HTTP://127.0.0.1:{PORT}/a.png"),
            _image(type="url", url="file:///etc/passwd"),
            _image(type="file", file_id="f"),
        ],
        UNSUPPORTED,
    ),
    *refused(MESSAGES, f"{_HERE}.source.data", [_image(type="base64", data="\x00" * 99)]),
    *refused(
        MESSAGES,
        "mcp_servers",
        [[{"type": "url", "url": f"http://127.0.0.1:{PORT}", "name": "n"}]],
        UNSUPPORTED,
    ),
    *taken(
        MESSAGES,
        system=["", [], LONG, "\x00\u202e"],
        metadata=[{}, {"user_id": LONG}, {LONG: LONG}],
        context_management=[5, _deep(100)],
        service_tier=[5, LONG],
        tool_choice=[{"type": "none"}, {"type": "auto", LONG: LONG}],
        messages=[
            _said(),
            _said({"type": "text", "text": LONG, LONG: LONG}),
            [{"role": "user", "content": "x"}] * 2000,
            _said({"type": "tool_result", "tool_use_id": LONG}),
        ],
    ),
]

"""Bodies as clients may send them, and JSON of any kind, for the property tests."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson
from hypothesis import strategies as st

PNG = b"\x89PNG\r\n\x1a\n"
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NAME = st.from_regex(r"[A-Za-z0-9_.-]{1,8}", fullmatch=True)
EFFORT = st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"])
SCHEMA = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", "object", "array", ["string", "null"]]),
            "enum": st.lists(JSON, max_size=2),
            "description": TEXT,
            "default": JSON,
            "$ref": st.sampled_from(["#", "#/$defs/a", "#/properties/x", "#/nowhere", "x"]),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(NAME, inner, max_size=2),
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "allOf": st.lists(inner, max_size=2),
            "oneOf": st.lists(inner, max_size=2),
            "$defs": st.fixed_dictionaries({"a": inner}),
            "required": st.lists(NAME, max_size=2),
        },
    ),
    max_leaves=4,
)
TOOL = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": NAME},
            optional={"parameters": SCHEMA, "description": TEXT, "strict": st.booleans()},
        ),
    }
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "stream": st.booleans(),
    "stream_options": st.fixed_dictionaries({}, optional={"include_usage": st.booleans()}),
    "temperature": st.floats(0, 2),
    "top_p": st.floats(0, 1),
    "max_tokens": st.integers(1, 2**40) | st.just(-1),
    "max_completion_tokens": st.integers(1, 9),
    "stop": TEXT | st.lists(TEXT, max_size=3),
    "seed": st.integers(-(2**63), 2**63 - 1),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 20),
    "n": st.integers(1, 4),
    "user": TEXT,
    "reasoning_effort": EFFORT,
    "reasoning": st.fixed_dictionaries({}, optional={"effort": EFFORT}),
    "think": EFFORT | st.booleans(),
    "enable_thinking": st.booleans(),
    "chat_template_kwargs": st.dictionaries(NAME, JSON, max_size=2)
    | st.fixed_dictionaries({"enable_thinking": st.booleans()}),
    "keep_alive": st.integers(-1, 99) | st.sampled_from(["5m", "1h30m", "300", "-1", ""]),
    "top_k": st.integers(-1, 99),
    "min_p": st.floats(0, 1),
    "repeat_penalty": st.floats(0.5, 2),
    "options": st.dictionaries(
        st.sampled_from(["temperature", "num_predict", "top_k", "num_ctx", "mirostat", "x"]),
        st.integers(0, 2),
    ),
    "tools": st.lists(TOOL, max_size=3),
    "tool_choice": st.sampled_from(["none", "auto", "required"]),
    "parallel_tool_calls": st.booleans(),
    "response_format": st.sampled_from([{"type": "text"}, {"type": "json_object"}])
    | st.builds(lambda s: {"type": "json_schema", "json_schema": {"schema": s}}, SCHEMA),
}
ANY_FIELD = st.sampled_from(sorted({*FIELDS, "model", "metadata", "audio", "logit_bias"}))


@dataclass
class Conversation:
    """Messages as a client sends them, and what of them has to go up, in order."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    calls: list[tuple[str, Any]] = field(default_factory=list)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Draw a history of any roles; each text is another one, so that none stands for another."""
    told, numbers = Conversation(), count()
    roles = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])
    for role in draw(st.lists(roles, min_size=1, max_size=7)):
        message: dict[str, Any] = {"role": role}
        _add_content(draw, message, told, numbers)
        if role == "assistant":
            _add_turn(draw, message, told, numbers)
        elif role in ("tool", "function"):
            message |= draw(
                st.fixed_dictionaries({}, optional={"tool_call_id": NAME, "name": NAME})
            )
        told.messages.append(message)
    return told


def _add_content(
    draw: st.DrawFn, message: dict[str, Any], told: Conversation, numbers: Iterator[int]
) -> None:
    form = draw(st.sampled_from(["text", "parts", "null", "none"]))
    if form == "text":
        message["content"] = _text(draw, told.texts, numbers)
    elif form == "null":
        message["content"] = None
    elif form == "parts":
        kinds = ["text", "input_text", "refusal"]
        if message["role"] not in ("system", "developer"):
            kinds.append("image")
        drawn = draw(st.lists(st.sampled_from(kinds), max_size=3))
        message["content"] = [_part(draw, kind, told, numbers) for kind in drawn]


def _part(draw: st.DrawFn, kind: str, told: Conversation, numbers: Iterator[int]) -> dict[str, Any]:
    if kind != "image":
        key = "refusal" if kind == "refusal" else "text"
        return {"type": kind, key: _text(draw, told.texts, numbers)}
    text = base64.b64encode(PNG + str(next(numbers)).encode()).decode()
    told.images.append(text)
    url = f"data:image/png;base64,{draw(st.sampled_from([text, text.rstrip('=')]))}"
    return {"type": "image_url", "image_url": draw(st.sampled_from([url, {"url": url}]))}


def _add_turn(
    draw: st.DrawFn, message: dict[str, Any], told: Conversation, numbers: Iterator[int]
) -> None:
    if draw(st.booleans()):
        key = draw(st.sampled_from(["reasoning_content", "reasoning"]))
        message[key] = _text(draw, told.thoughts, numbers)
    forms = draw(st.lists(st.sampled_from(["string", "object", "custom"]), max_size=3))
    if forms:
        message["tool_calls"] = [_call(draw, form, told, numbers) for form in forms]
    elif draw(st.booleans()):
        name = f"f{next(numbers)}"
        told.calls.append((name, {}))
        message["function_call"] = {"name": name, "arguments": "{}"}


def _call(draw: st.DrawFn, form: str, told: Conversation, numbers: Iterator[int]) -> dict[str, Any]:
    name = f"f{next(numbers)}"
    call: dict[str, Any] = draw(
        st.fixed_dictionaries({}, optional={"id": NAME, "type": st.just("function")})
    )
    if form == "custom":
        told.calls.append((name, {"input": "x"}))
        return {**call, "type": "custom", "custom": {"name": name, "input": "x"}}
    arguments = draw(st.dictionaries(TEXT, JSON, max_size=2))
    told.calls.append((name, arguments))
    written = orjson.dumps(arguments).decode() if form == "string" else arguments
    return {**call, "function": {"name": name, "arguments": written}}


def _text(draw: st.DrawFn, texts: list[str], numbers: Iterator[int]) -> str:
    text = f"{next(numbers)}:{draw(TEXT)}"
    texts.append(text)
    return text

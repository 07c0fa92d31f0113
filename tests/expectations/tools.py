"""Chats with tools. The arguments are those of a small model: silly, but exact."""

from tests.expectations.shapes import (
    A,
    Answer,
    B,
    ByRelease,
    C,
    Called,
    Refused,
    everywhere,
)

_OSLO = ("get_weather", '{"city":"Oslo"}')
# The model took the schema of the argument for its value.
_SILLY = ("get_weather", '{"city":{"description":"name of the city","type":"string"}}')
_INVALID = Refused(400, "invalid_request")
_NO_TOOLS = Refused(400, "unsupported_parameter", "tools", says=("does not support tools",))
_WHO = "I am an AI language model created by OpenAI. How can I assist you today?"
# As a client of OpenAI's sends what the recording's request has in Ollama's form.
_HISTORY: tuple[dict[str, object], ...] = (
    {"role": "user", "content": "Weather in Oslo?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
            }
        ],
    },
    {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": [{"type": "text", "text": "4 degrees, rain"}],
    },
)

EXPECTED: dict[str, ByRelease] = {
    # The call comes in a line of its own, the reason "stop" in the next.
    "tools-one-stream": {
        A: Called((_OSLO,), (None,), 158, 30),
        B: Called((_SILLY,), ("call_h604l18x",), 152, 41),
        C: Called((_SILLY,), ("call_ol08r3lu",), 152, 34),
    },
    "tools-one-plain": {
        A: Called((_OSLO,), (None,), 158, 30),
        B: Called((_SILLY,), ("call_xi0ywa51",), 152, 41),
        C: Called((_SILLY,), ("call_rsgls58z",), 152, 34),
    },
    # Asked for two; only the newest made two, in two lines.
    "tools-two-stream": {
        A: Called((_OSLO,), (None,), 211, 30),
        B: Called((_SILLY,), ("call_m6ikpopn",), 196, 41),
        C: Called((_SILLY, _SILLY), ("call_2cbhasvj", "call_ye8nltbv"), 196, 63),
    },
    # It has the result before it, and asks again.
    "tools-history": {
        A: Called((_OSLO,), (None,), 192, 21, _HISTORY),
        B: Called((_OSLO,), ("call_yvf1fawd",), 186, 21, _HISTORY),
        C: Called((_OSLO,), ("call_szywbx13",), 186, 21, _HISTORY),
    },
    "tools-none-needed": {
        A: Answer(_WHO, "stop", 151, 19),
        B: Answer(_WHO, "stop", 145, 19),
        C: Answer(_WHO, "stop", 145, 19),
    },
    # A boolean in place of a schema; the gateway sends none.
    "tools-lossy-schema": everywhere(_INVALID),
    # Arguments as a string; the gateway sends an object.
    "tools-string-arguments": everywhere(_INVALID),
    # Without a Go template there is no place for tools before 0.30.
    "own-tools-few-shot": {
        A: _NO_TOOLS,
        B: _NO_TOOLS,
        C: Answer("It is 22 degrees in Oslo.", "stop", 303, 10),
    },
    # 0.32.15 has a place for them, and the model writes its call as text.
    "own-tools-stream": {
        A: _NO_TOOLS,
        B: _NO_TOOLS,
        C: Answer('{"name": "get_weather", "arguments": {"city": "Oslo"}}', "stop", 183, 18),
    },
}

"""A call of a tool that the client forces: an answer under a schema, made into a call.

No local engine enforces `tool_choice`: Ollama does not know it, and llama.cpp lets a model write
text first. Sources: recordings forced-call-by-schema; ollama-api.md 1.3; ggml-org/llama.cpp#27217.
"""

from typing import Any, cast

import orjson

from tensoria.errors import BackendError, TensoriaError
from tensoria.translate.offered import Offered, parsed, to_deltas
from tensoria.wire.openai import ChatRequest, Chunk, ChunkChoice, Message, Tool

_ASKED = (
    "Answer with the call of one function and nothing else, as a JSON object: "
    '{"name": "the name of the function", "arguments": {its arguments}}\n'
    "The functions, one a line, each with the JSON schema of its arguments:\n"
)


def forced_tools(request: ChatRequest) -> list[Tool]:
    """Return the tools that may be called: all of them, or the one that `tool_choice` names."""
    choice = request["tool_choice"]
    if choice == "required":
        return request["tools"]
    name = choice["function"]["name"]
    return [tool for tool in request["tools"] if tool["function"]["name"] == name]


def to_forced(request: ChatRequest) -> ChatRequest:
    """Return the request as the engine gets it: no tools, a schema, and the tools told in words.

    In words even to models whose template has a place for tools: with tools the engine would read
    the answer as it comes, and make what it likes of JSON that looks like a call.
    """
    tools = forced_tools(request)
    forced = cast("dict[str, Any]", request.copy())
    # A call has no text to stop at, and a line break would end its JSON.
    for field in ("tools", "tool_choice", "parallel_tool_calls", "stop"):
        forced.pop(field, None)
    forced["messages"] = _told(request["messages"], tools)
    forced["response_format"] = {
        "type": "json_schema",
        "json_schema": {"name": "tool_call", "schema": call_schema(tools), "strict": True},
    }
    return cast("ChatRequest", forced)


def call_schema(tools: list[Tool]) -> dict[str, Any]:
    """Return the JSON schema of a call of one of these tools."""
    defined: dict[str, Any] = {}
    calls = [_one_schema(tool, str(index), defined) for index, tool in enumerate(tools)]
    schema = calls[0] if len(calls) == 1 else {"anyOf": calls}
    return {**schema, "$defs": defined} if defined else schema


def _one_schema(tool: Tool, key: str, defined: dict[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = tool["function"]["parameters"]
    moved = _moved(arguments, f"#/$defs/{key}")
    if moved != arguments:
        # It refers to parts of itself, which are found from the root.
        defined[key] = moved
        arguments = {"$ref": f"#/$defs/{key}"}
    return {
        "type": "object",
        "properties": {"name": {"const": tool["function"]["name"]}, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }


def _moved(schema: Any, to: str) -> Any:
    """Return a schema whose references hold after it was moved to another place."""
    if isinstance(schema, list):
        return [_moved(part, to) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: to + part[1:]
        if key == "$ref" and isinstance(part, str) and part.startswith("#")
        else _moved(part, to)
        for key, part in schema.items()
    }


def _told(messages: list[Message], tools: list[Tool]) -> list[Message]:
    """Put the tools behind the leading system messages, with which they become one."""
    lines = [orjson.dumps(tool["function"]).decode() for tool in tools]
    told: Message = {"role": "system", "content": _ASKED + "\n".join(lines)}
    leading = 0
    while leading < len(messages) and messages[leading]["role"] in ("system", "developer"):
        leading += 1
    return [*messages[:leading], told, *messages[leading:]]


class ForcedCall:
    """A stage (see `backends/staged.py`) that makes an answer under `call_schema` into a call.

    The role is held back for the first letter of the answer, so that one that is not JSON is still
    a plain error. The call comes out whole before the finish chunk, as Ollama's own calls do:
    clients run what they can make of a part of one (LangChain closes its open brackets). An answer
    that was cut has no call, and its finish reason says why. One that is no such call, and was not
    cut, is the engine's fault.
    """

    def __init__(self, tools: list[Tool]) -> None:
        self._offered = Offered(tools)
        self._pieces: list[str] = []
        self._begun = False
        self._role: list[Chunk] = []
        self.error: TensoriaError | None = None

    def feed(self, chunks: list[Chunk]) -> list[Chunk]:
        """Return what may go out by now; sets `error`."""
        out: list[Chunk] = []
        for chunk in chunks:
            made = self._take(chunk)
            if self.error:
                break
            out += made
        return out

    def _take(self, chunk: Chunk) -> list[Chunk]:
        if not chunk["choices"]:
            return [chunk]
        choice = chunk["choices"][0]
        if choice["finish_reason"]:
            return [*self._opened(), *self._finish(chunk, choice)]
        if text := choice["delta"].get("content"):
            self._add(text)
            return self._opened() if self._begun else []
        if "role" in choice["delta"]:
            self._role = [chunk]
            return []
        return [*self._opened(), chunk]

    def _opened(self) -> list[Chunk]:
        role, self._role = self._role, []
        return role

    def _add(self, text: str) -> None:
        """An engine that did not keep to the schema mostly shows it with its first letter."""
        self._pieces.append(text)
        if not self._begun and (beginning := text.lstrip()):
            self._begun = True
            self._check(beginning.startswith("{"))

    def _finish(self, chunk: Chunk, choice: ChunkChoice) -> list[Chunk]:
        answer = parsed("".join(self._pieces))
        arguments = answer.get("arguments") if isinstance(answer, dict) else None
        call = isinstance(answer, dict) and self._offered.call(answer.get("name"), arguments)
        if not call:
            self._check(choice["finish_reason"] != "stop")
            return [] if self.error else [chunk]
        called, finish = chunk.copy(), chunk.copy()
        called["choices"] = [
            {
                **choice,
                "delta": {"tool_calls": to_deltas([call], chunk["id"])},
                "finish_reason": None,
            }
        ]
        if choice["finish_reason"] == "stop":
            finish["choices"] = [{**choice, "finish_reason": "tool_calls"}]
        return [called, finish]

    def _check(self, kept: bool) -> None:
        if not kept:
            self.error = BackendError(
                "The engine did not keep to the format of a forced tool call, which 'tool_choice' "
                "asked for.",
                param="tool_choice",
            )

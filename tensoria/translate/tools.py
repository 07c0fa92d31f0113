"""Tools: definitions and history up to Ollama, and its calls down to deltas.

Sources: Ollama's api/types.go and recordings of 0.9.6 to 0.32.15.
"""

import hashlib
from typing import Any

import orjson

from tensoria.translate.images import to_images
from tensoria.translate.schema_budget import Budget
from tensoria.translate.tool_schemas import to_parameters
from tensoria.translate.traits import Version
from tensoria.wire import ollama
from tensoria.wire.openai import Message, Tool, ToolCallDelta

# From this release on Ollama keeps the properties of a property; before it they are told in words.
NESTED_SINCE: Version = (0, 13, 0)


def to_ollama_tools(tools: list[Tool], version: Version | None) -> list[ollama.Tool]:
    """Return the definitions as this release keeps them (None counts as the newest).

    What it would drop without a word (a default, a pattern, bounds) stands in the descriptions.
    """
    nested = version is None or version >= NESTED_SINCE
    budget = Budget()
    return [_to_tool(tool, nested, budget) for tool in tools]


def to_ollama_history(messages: list[Message]) -> list[ollama.ChatMessage]:
    """Return messages in Ollama's form; calls that follow the assistant's own words join them.

    Go templates merge messages of one role that follow each other, and of the second one they take
    the text alone: its calls would be lost.
    """
    history: list[ollama.ChatMessage] = []
    more: list[ollama.ChatMessage] = []
    for message in messages:
        turn = _message(message)
        if "parts" in message:
            turn["images"] = to_images(message["parts"])
        if "tool_calls" in turn and history and history[-1]["role"] == "assistant":
            more.append(turn)
            continue
        if more:
            _join(history[-1], more)
            more = []
        history.append(turn)
    if more:
        _join(history[-1], more)
    return history


def _join(first: ollama.ChatMessage, more: list[ollama.ChatMessage]) -> None:
    """Put what follows into the first, all at once: a history may hold thousands of calls."""
    turns = [first, *more]
    first["content"] = "\n\n".join(filter(None, (turn["content"] for turn in turns)))
    if thoughts := "\n\n".join(turn["thinking"] for turn in turns if "thinking" in turn):
        first["thinking"] = thoughts
    if images := [image for turn in turns for image in turn.get("images", ())]:
        first["images"] = images
    first["tool_calls"] = [call for turn in turns for call in turn.get("tool_calls", ())]
    for index, call in enumerate(first["tool_calls"]):
        call["function"]["index"] = index


def _message(message: Message) -> ollama.ChatMessage:
    """Return one message of whatever role; what has no place in its role is left out."""
    role = message["role"]
    if role == "tool":
        return _result(message)
    if role == "assistant" and len(message) > 2:
        return _turn(message)
    return {"role": role, "content": message["content"]}


def _result(message: Message) -> ollama.ChatMessage:
    result: ollama.ChatMessage = {"role": "tool", "content": message["content"]}
    if "name" in message:
        result["tool_name"] = message["name"]
    if "tool_call_id" in message:
        result["tool_call_id"] = message["tool_call_id"]
    return result


def _turn(message: Message) -> ollama.ChatMessage:
    """Return an assistant's message with its thoughts and calls; arguments become an object."""
    turn: ollama.ChatMessage = {"role": message["role"], "content": message["content"]}
    if "reasoning_content" in message:
        turn["thinking"] = message["reasoning_content"]
    if "tool_calls" in message:
        turn["tool_calls"] = [
            {
                "id": call["id"],
                "function": {
                    "index": index,
                    "name": call["function"]["name"],
                    "arguments": orjson.loads(call["function"]["arguments"]),
                },
            }
            for index, call in enumerate(message["tool_calls"])
        ]
    return turn


def _to_tool(tool: Tool, nested: bool, budget: Budget) -> ollama.Tool:
    function = tool["function"]
    parameters, lost = to_parameters(function["parameters"], nested=nested, budget=budget)
    described: ollama.ToolFunction = {"name": function["name"], "parameters": parameters}
    description = " ".join(filter(None, (function.get("description"), lost)))
    if description:
        described["description"] = description
    return {"type": "function", "function": described}


class CallIds:
    """One id a call: the engine's, or one made of the answer's id and the call's index.

    Releases before 0.12.10 send none, later ones may send an empty one, and some engines repeat
    theirs.
    """

    def __init__(self, answer: str) -> None:
        self._answer = answer
        self._given: set[str] = set()

    def take(self, index: int, id_: object) -> str:
        """Return the id of the call with this index, given what the engine said."""
        if not isinstance(id_, str) or not id_ or id_ in self._given:
            seed = f"{self._answer}/{index}".encode()
            id_ = f"call_{hashlib.blake2b(seed, digest_size=12).hexdigest()}"
        self._given.add(id_)
        return id_


class OllamaCalls:
    """Ollama's whole calls to deltas, numbered as they arrive: its own indexes may all be 0."""

    def __init__(self, answer: str) -> None:
        self._ids = CallIds(answer)
        self.count = 0

    def take(self, call: Any) -> ToolCallDelta:
        """Return one call; raises ValueError for one that is none."""
        function = call.get("function") if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name:
            raise ValueError("a call without a function")
        index = self.count
        self.count += 1
        return {
            "index": index,
            "id": self._ids.take(index, call.get("id")),
            "type": "function",
            "function": {"name": name, "arguments": to_arguments(function.get("arguments"))},
        }


def to_arguments(value: object) -> str:
    """Return a whole call's arguments as compact JSON; raises ValueError if they are no object."""
    if value is None or value == "":
        return "{}"
    try:
        parsed = orjson.loads(value) if isinstance(value, str) else value
        if not isinstance(parsed, dict):
            raise ValueError("arguments that are no object")
        return orjson.dumps(parsed).decode()
    except TypeError as error:
        # orjson's own limit when writing is 254 levels.
        raise ValueError("arguments that are nested too deeply") from error

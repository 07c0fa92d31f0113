"""Answers in a form that was asked for: `response_format` on its way up, and the finished text.

Sources: OpenAI's ResponseFormatJsonSchema; Ollama's docs/api.md (`format`).
"""

from typing import Any, cast

import orjson

from tensoria.errors import StructuredOutputInvalid, TensoriaError
from tensoria.translate.json_schema import to_checker
from tensoria.wire.openai import ChatRequest, Chunk, ResponseFormat

RETRY_BIT = 1 << 30
_TOOLS = frozenset(("tools", "tool_choice", "parallel_tool_calls"))


def to_format(response_format: ResponseFormat) -> str | dict[str, Any]:
    """Return Ollama's `format`: "json", or the schema alone."""
    if response_format["type"] == "json_object":
        return "json"
    return response_format["json_schema"]["schema"]


def to_attempts(request: ChatRequest, *, retry: bool) -> list[ChatRequest]:
    """Return the requests to make, one after the other, until an answer has its form.

    With tools, the first goes without the form: an engine that holds a model to a grammar keeps it
    from writing a call. The next is held to the form and has no tools. A repeated one has another
    seed, because the same would give the same.
    """
    if not request.get("tools"):
        attempts = [request]
    else:
        attempts = [_without(request, {"response_format"}), _without(request, _TOOLS)]
    if retry:
        again = attempts[-1].copy()
        if "seed" in again:
            # Another number in every case, never one of more bits than an engine keeps, and far
            # from the seeds of other choices, which lie side by side.
            again["seed"] ^= RETRY_BIT
        attempts.append(again)
    return attempts


def _without(request: ChatRequest, names: frozenset[str] | set[str]) -> ChatRequest:
    kept = {name: value for name, value in request.items() if name not in names}
    return cast("ChatRequest", kept)


def fits(response_format: ResponseFormat, text: str) -> bool:
    """Tell whether a finished answer has the form that was asked for."""
    if response_format["type"] == "json_schema":
        return to_checker(response_format["json_schema"]["schema"]).fits(text)
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


class FormCheck:
    """A stage that lets a finish chunk pass only if the text before it has its form.

    An answer cut by length or ended in calls passes as it is; thoughts are not looked at.

    | state    | after                                    | what comes out                   |
    | -------- | ---------------------------------------- | -------------------------------- |
    | holding  | the start, if it holds                   | nothing                          |
    | checking | the start, if not                        | everything                       |
    | passed   | a call, or a finish chunk that may pass  | everything, what was held first  |
    | failed   | a finish chunk behind a text that misses | nothing; `error` is to be raised |
    """

    def __init__(self, response_format: ResponseFormat, *, holds: bool) -> None:
        self._format = response_format
        self._text: list[str] = []
        self._holds = holds
        self._held: list[Chunk] = []
        self._passed = False
        self.error: TensoriaError | None = None

    def feed(self, chunks: list[Chunk]) -> list[Chunk]:
        """Return what may come out; sets `error`."""
        for position, chunk in enumerate(chunks):
            if self._passed:
                break
            self._look(chunk)
            if self.error:
                return [] if self._holds else chunks[:position]
        if self._holds and not self._passed:
            self._held += chunks
            return []
        held, self._held = self._held, []
        return held + chunks if held else chunks

    def _look(self, chunk: Chunk) -> None:
        for choice in chunk["choices"]:
            self._text.append(choice["delta"].get("content", ""))
            reason = choice["finish_reason"]
            if reason == "stop" and not fits(self._format, "".join(self._text)):
                self._fail()
            elif reason or "tool_calls" in choice["delta"]:
                self._passed = True

    def _fail(self) -> None:
        asked = "the schema of" if self._format["type"] == "json_schema" else "the form of"
        self.error = StructuredOutputInvalid(
            f"The model's answer misses {asked} response_format, or is too long to be checked. "
            "Another model, a simpler schema, or an example in the messages may help.",
            param="response_format",
        )

"""The items of an answer while they are written, each with the events that tell of it.

| item      | opens with                                    | grows by                      |
| --------- | --------------------------------------------- | ----------------------------- |
| `Text`    | output_item.added, content_part.added         | output_text.delta             |
| `Thought` | the same two                                  | reasoning_text.delta          |
| a summary | output_item.added, reasoning_summary_part.added | reasoning_summary_text.delta |
| `Call`    | output_item.added                             | function_call_arguments.delta |

Each closes with the `.done` of all that it has, the inner ones first.
Source: OpenAI's ResponseStreamEvent; the names of all events begin with `response.`.
"""

from collections.abc import Iterable
from typing import Any, Literal

import orjson

from tensoria.translate.response_thoughts import seal
from tensoria.wire.openai import TokenLogprob
from tensoria.wire.responses import Event, Item

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class Numbers:
    """Gives events their numbers, which rise from 0 over all of a response."""

    def __init__(self) -> None:
        self._next = 0

    def event(self, name: str, /, **members: Any) -> Event:
        """Return the event `response.<name>`."""
        number, self._next = self._next, self._next + 1
        return {"type": f"response.{name}", "sequence_number": number, **members}


class Text:
    """A message: what the model says."""

    def __init__(self, numbers: Numbers, id_: str, index: int) -> None:
        self._numbers = numbers
        self._id, self._index = id_, index
        self._written: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._place = {"item_id": id_, "output_index": index, "content_index": 0}

    def open(self) -> list[Event]:
        """Return the events that say that it begins."""
        item = self._item("in_progress", [])
        return [
            self._numbers.event("output_item.added", output_index=self._index, item=item),
            self._numbers.event("content_part.added", **self._place, part=_part("", [])),
        ]

    def add(self, text: str, tokens: Iterable[TokenLogprob] = ()) -> Event:
        """Return the event for some more of it."""
        self._written.append(text)
        self._logprobs += tokens
        told = [_to_told(token) for token in tokens]
        return self._numbers.event("output_text.delta", **self._place, delta=text, logprobs=told)

    def close(self, status: ItemStatus) -> tuple[Item, list[Event]]:
        """Return the finished item, and the events that say so."""
        text, event = "".join(self._written), self._numbers.event
        told = [_to_told(token) for token in self._logprobs]
        part = _part(text, [_to_logprob(token) for token in self._logprobs])
        item = self._item(status, [part])
        return item, [
            event("output_text.done", **self._place, text=text, logprobs=told),
            event("content_part.done", **self._place, part=part),
            event("output_item.done", output_index=self._index, item=item),
        ]

    def _item(self, status: ItemStatus, content: list[dict[str, Any]]) -> Item:
        return {
            "id": self._id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }


class Thought:
    """A reasoning item: as content, or as the one part of a summary."""

    def __init__(
        self, numbers: Numbers, id_: str, index: int, *, summary: bool, sealed: bool
    ) -> None:
        self._numbers = numbers
        self._id, self._index = id_, index
        self._written: list[str] = []
        self._sealed = sealed
        self._type = "summary_text" if summary else "reasoning_text"
        self._part_event = "reasoning_summary_part" if summary else "content_part"
        self._text_event = "reasoning_summary_text" if summary else "reasoning_text"
        place = "summary_index" if summary else "content_index"
        self._place = {"item_id": id_, "output_index": index, place: 0}

    def open(self) -> list[Event]:
        """Return the events that say that it begins."""
        event, part = self._numbers.event, {"type": self._type, "text": ""}
        item = self._item("in_progress", [], "" if self._sealed else None)
        return [
            event("output_item.added", output_index=self._index, item=item),
            event(f"{self._part_event}.added", **self._place, part=part),
        ]

    def add(self, text: str) -> Event:
        """Return the event for some more of it."""
        self._written.append(text)
        return self._numbers.event(f"{self._text_event}.delta", **self._place, delta=text)

    def close(self, status: ItemStatus) -> tuple[Item, list[Event]]:
        """Return the finished item, and the events that say so."""
        text, event = "".join(self._written), self._numbers.event
        part = {"type": self._type, "text": text}
        item = self._item(status, [part], seal(text) if self._sealed else None)
        return item, [
            event(f"{self._text_event}.done", **self._place, text=text),
            event(f"{self._part_event}.done", **self._place, part=part),
            event("output_item.done", output_index=self._index, item=item),
        ]

    def _item(self, status: ItemStatus, parts: list[dict[str, str]], sealed: str | None) -> Item:
        summary = self._type == "summary_text"
        return {
            "id": self._id,
            "type": "reasoning",
            "status": status,
            "summary": parts if summary else [],
            "content": [] if summary else parts,
            **({} if sealed is None else {"encrypted_content": sealed}),
        }


class Call:
    """A call of a function."""

    def __init__(self, numbers: Numbers, id_: str, index: int, call_id: str, name: str) -> None:
        self._numbers = numbers
        self._id, self._index = id_, index
        self._call = {"call_id": call_id, "name": name}
        self._place = {"item_id": id_, "output_index": index}
        self._written: list[str] = []

    @property
    def bare(self) -> bool:
        """Tell whether it has no arguments yet."""
        return not self._written

    def open(self) -> list[Event]:
        """Return the event that says that it begins."""
        item = self._item("in_progress", "")
        return [self._numbers.event("output_item.added", output_index=self._index, item=item)]

    def add(self, arguments: str) -> Event:
        """Return the event for some more of its arguments."""
        self._written.append(arguments)
        return self._numbers.event("function_call_arguments.delta", **self._place, delta=arguments)

    def close(self, status: ItemStatus) -> tuple[Item, list[Event]]:
        """Return the finished item, and the events that say so.

        A limit that was met behind a call, as behind a forced one, has not cut it off.
        """
        arguments, event = "".join(self._written), self._numbers.event
        item = self._item("completed" if _is_json(arguments) else status, arguments)
        done = {"name": self._call["name"], "arguments": arguments}
        return item, [
            event("function_call_arguments.done", **self._place, **done),
            event("output_item.done", output_index=self._index, item=item),
        ]

    def _item(self, status: ItemStatus, arguments: str) -> Item:
        return {
            "id": self._id,
            "type": "function_call",
            "status": status,
            "arguments": arguments,
            **self._call,
        }


def _is_json(arguments: str) -> bool:
    try:
        orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return False
    return True


def _part(text: str, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def _to_told(token: TokenLogprob) -> dict[str, Any]:
    """Return a token as events have it: without bytes."""
    top = [{"token": each["token"], "logprob": each["logprob"]} for each in token["top_logprobs"]]
    return {"token": token["token"], "logprob": token["logprob"], "top_logprobs": top}


def _to_logprob(token: TokenLogprob) -> dict[str, Any]:
    """Return a token as items have it; there bytes are a list, also of a token that has none."""
    top = [{**each, "bytes": each["bytes"] or []} for each in token["top_logprobs"]]
    return {**token, "bytes": token["bytes"] or [], "top_logprobs": top}

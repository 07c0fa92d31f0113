"""Judge a streamed response as a whole: its framing, every event, and their sequence.

Created, in progress, items that are opened and closed, and exactly one terminal event, whose items
are those that were said to be done. Numbers rise from 0 without a gap. NDJSON is the same in lines.
"""

from typing import Any

import orjson

from tests.contract.schemas import check

TERMINAL = {"response.completed", "response.incomplete", "response.failed"}
Event = dict[str, Any]


def check_response_stream(body: bytes, *, ndjson: bool = False) -> list[Event]:
    """Raise AssertionError unless `body` is a whole and honest stream of events; return these."""
    events = _lines(body) if ndjson else _sse(body)
    for number, event in enumerate(events):
        check("response.event", event)
        _demand(event["sequence_number"] == number, f"event {number} has another number: {event}")
    names = [event["type"] for event in events]
    _demand(
        names[:2] == ["response.created", "response.in_progress"], f"it begins with {names[:2]}"
    )
    ends = [name for name in names if name in TERMINAL]
    _demand(len(ends) == 1 and names[-1] in TERMINAL, f"its terminal events are {ends}")
    _check_items(events)
    ids = {event["response"]["id"] for event in events if "response" in event}
    _demand(len(ids) == 1, f"it has several ids: {ids}")
    return events


def check_response_events(body: bytes, *, ndjson: bool = False) -> list[Event]:
    """Raise AssertionError unless `body` is the rest of a stream: rising, and ended once."""
    events = _lines(body) if ndjson else _sse(body)
    for event in events:
        check("response.event", event)
    numbers = [event["sequence_number"] for event in events]
    _demand(numbers == sorted(set(numbers)), f"the numbers do not rise: {numbers}")
    ends = [event["type"] for event in events if event["type"] in {*TERMINAL, "error"}]
    _demand(len(ends) == 1 and events[-1]["type"] == ends[0], f"its terminal events are {ends}")
    return events


def _check_items(events: list[Event]) -> None:
    opened: dict[int, str] = {}
    done: dict[int, Any] = {}
    for event in events:
        index = event.get("output_index")
        if event["type"] == "response.output_item.added":
            _demand(index == len(opened), f"item {index} is opened out of order")
            opened[len(opened)] = event["item"]["id"]
        elif index is not None:
            id_ = event["item"]["id"] if "item" in event else event["item_id"]
            _demand(opened.get(index) == id_, f"{event['type']} is of an item that is not open")
            _demand(index not in done, f"item {index} goes on after its end")
            if event["type"] == "response.output_item.done":
                done[index] = event["item"]
    _demand(opened.keys() == done.keys(), f"of the items {[*opened]} these are done: {[*done]}")
    final = events[-1]["response"]["output"]
    _demand(final == [done[index] for index in sorted(done)], "the object has other items")


def _sse(body: bytes) -> list[Event]:
    *blocks, rest = body.decode().split("\n\n")
    _demand(_without_comments(rest) == "", f"the stream is cut inside an event: {rest!r}")
    events = []
    for block in blocks:
        name, _, data = _without_comments(block).partition("\n")
        event = orjson.loads(data.removeprefix("data: "))
        _demand(name == f"event: {event['type']}", f"an event of another name: {block!r}")
        events.append(event)
    return events


def _without_comments(block: str) -> str:
    while block.startswith(":"):
        block = block.partition("\n")[2]
    return block


def _lines(body: bytes) -> list[Event]:
    *lines, rest = body.decode().split("\n")
    _demand(rest == "", f"the stream is cut inside a line: {rest!r}")
    return [orjson.loads(line) for line in lines if line]


def _demand(condition: object, message: str) -> None:
    if not condition:
        raise AssertionError(message)

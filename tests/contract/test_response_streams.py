"""The judge of streamed responses, judged by streams that it must take and must not take."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tensoria.translate.chunks import Frame, to_chunk, to_last_chunks
from tensoria.translate.response_events import ResponseFrame, ToEvents
from tensoria.translate.responses import to_echo, to_response
from tests.contract.response_streams import check_response_stream

Events = list[dict[str, Any]]


def told() -> Events:
    """Return the events of an answer that says "Hi"."""
    request: Any = {"input": []}
    request["echo"] = to_echo(request)
    begun = to_response(request, "resp_0123456789abcdef", 7, model="m", truncates=False)
    frame = Frame("chatcmpl-1", 7, "m")
    events = ToEvents(ResponseFrame(begun, lambda: 9))
    said = events.feed([to_chunk(frame, {"content": "Hi"}), *to_last_chunks(frame, "stop", None)])
    return orjson.loads(orjson.dumps([*said, *events.end()]))  # type: ignore[no-any-return]


def sse(events: Events) -> bytes:
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event))
        for event in events
    )


def renumbered(events: Events) -> Events:
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def test_a_whole_stream_passes() -> None:
    assert check_response_stream(b": keep-alive\n" + sse(told())) == told()


def test_whole_lines_pass() -> None:
    lines = b"\n" + b"".join(orjson.dumps(event) + b"\n" for event in told())

    assert check_response_stream(lines, ndjson=True) == told()


def without(name: str) -> Callable[[Events], Events]:
    return lambda events: renumbered([each for each in events if each["type"] != name])


def other_items(events: Events) -> Events:
    events[-1]["response"]["output"] = []
    return events


def other_id(events: Events) -> Events:
    events[-1]["response"]["id"] = "resp_other"
    return events


def of_no_item(events: Events) -> Events:
    events[4]["item_id"] = "msg_other"
    return events


SPOILT: list[tuple[Callable[[Events], Events], str]] = [
    (lambda events: events[1:], "has another number"),
    (without("response.created"), "it begins with"),
    (without("response.completed"), "its terminal events are"),
    (lambda events: renumbered([*events, events[-1]]), "its terminal events are"),
    (without("response.output_item.done"), "these are done"),
    (without("response.output_item.added"), "of an item that is not open"),
    (lambda events: renumbered([*events[:-1], events[5], events[-1]]), "goes on after its end"),
    (other_items, "has other items"),
    (other_id, "has several ids"),
    (of_no_item, "of an item that is not open"),
    (lambda events: [{**events[0], "response": {}}, *events[1:]], "not a valid response.event"),
]


@pytest.mark.parametrize(("spoil", "fault"), SPOILT)
def test_a_spoilt_stream_does_not(spoil: Callable[[Events], Events], fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        check_response_stream(sse(spoil(told())))


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda body: body[:-3], "cut inside an event"),
        (lambda body: body.replace(b"event: response.created", b"event: x"), "another name"),
    ],
)
def test_bytes_that_are_no_events_do_not(spoil: Callable[[bytes], bytes], fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        check_response_stream(spoil(sse(told())))


def test_a_line_that_is_cut_does_not() -> None:
    with pytest.raises(AssertionError, match="cut inside a line"):
        check_response_stream(b"{}", ndjson=True)

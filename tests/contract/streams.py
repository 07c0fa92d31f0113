"""Judge a streamed answer as a whole: its framing, every chunk, and their sequence.

For each choice: the role first, then deltas, then exactly one finish chunk. After all of them the
usage chunk with empty `choices`, when it was asked for. Then `[DONE]`; or, anywhere before the end
of the answer, one error event and nothing after it. One id, one model, one time of creation.
NDJSON is the same in lines, each of them JSON, so without `[DONE]`. A text completion's chunks have
text in place of a delta, and no role.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from tests.contract.schemas import check

DONE = "[DONE]"
Event = dict[str, Any] | str


def check_stream(
    body: bytes,
    *,
    ndjson: bool = False,
    include_usage: bool | None = None,
    text: bool = False,
    choices: int | None = None,
) -> None:
    """Raise AssertionError unless `body` is a whole and honest stream of chunks.

    `include_usage` is what the request asked for; None when that is not known. `text` says that
    the chunks are those of a text completion, and not of a chat. `choices` is how many the request
    asked for; None when that is not known.
    """
    events = list(_ndjson_events(body) if ndjson else _sse_events(body))
    _demand(events, "the stream is empty")
    for event in events[:-1]:
        _demand(event != DONE, "an event follows [DONE]")
        _demand("error" not in event, "an event follows the error event")
    last = events[-1]
    chunks = [event for event in events if isinstance(event, dict) and "error" not in event]
    failed = isinstance(last, dict) and "error" in last
    if failed:
        check("error", last)
    # A line `[DONE]` is no JSON, so an NDJSON stream may end without it.
    _demand(
        failed or last == DONE or ndjson, f"the stream ends without {DONE} and without an error"
    )
    for chunk in chunks:
        _check_text_chunk(chunk) if text else check("chat.chunk", chunk)
    _check_chunks(chunks, include_usage=include_usage, failed=failed, choices=choices)


def _check_text_chunk(chunk: dict[str, Any]) -> None:
    """The contract has one shape for chunk and answer; in a chunk the reason may be null."""
    choices = [
        {**choice, "finish_reason": choice.get("finish_reason", "missing") or "stop"}
        for choice in chunk.get("choices", ())
    ]
    check("completion.response", {**chunk, "choices": choices})


def _check_chunks(
    chunks: list[dict[str, Any]], *, include_usage: bool | None, failed: bool, choices: int | None
) -> None:
    for name in ("id", "model", "created"):
        found = {chunk[name] for chunk in chunks}
        _demand(len(found) <= 1, f"chunks of one stream differ in {name}: {found}")
    usage = [chunk for chunk in chunks if not chunk["choices"]]
    _check_choices([chunk for chunk in chunks if chunk["choices"]], failed=failed, choices=choices)
    _demand(
        not usage or (len(usage) == 1 and usage[0] is chunks[-1]), "usage is not the last chunk"
    )
    _demand(all(chunk.get("usage") for chunk in usage), "a chunk has neither choices nor usage")
    if include_usage is False:
        _demand(not any(chunk.get("usage") for chunk in chunks), "usage that was not asked for")
    if include_usage and not failed:
        _demand(usage, "no usage chunk, though it was asked for")


def _check_choices(chunks: list[dict[str, Any]], *, failed: bool, choices: int | None) -> None:
    state: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            _step(state, choice)
    whole = len(state) == choices if choices else bool(state)
    finished = whole and all(word == "finished" for word in state.values())
    if failed:
        _demand(not finished, "an error event after the answer was finished")
    else:
        _demand(finished, f"the stream ends before each choice has its finish chunk: {state}")


def _step(state: dict[int, str], choice: dict[str, Any]) -> None:
    index, delta = choice["index"], choice.get("delta")
    before = state.get(index)
    _demand(before != "finished", f"choice {index} goes on after its finish chunk")
    if delta is None:
        _demand("text" in choice, f"choice {index} has neither a delta nor a text")
    elif before is None:
        role = delta.get("role")
        _demand(role == "assistant", f"the first delta of choice {index} has the role {role!r}")
    else:
        _demand(not delta.get("role"), f"choice {index} names its role twice")
    state[index] = "finished" if choice["finish_reason"] else "open"


def _sse_events(body: bytes) -> Iterator[Event]:
    """Split server-sent events. Comment lines stand between events only, each on one line."""
    *blocks, rest = body.decode().split("\n\n")
    _demand(_without_comments(rest) == "", f"the stream is cut inside an event: {rest!r}")
    for block in blocks:
        event = _without_comments(block)
        _demand(event.startswith("data: "), f"not an event with data: {block!r}")
        _demand("\n" not in event, f"an event of several lines: {block!r}")
        data = event.removeprefix("data: ")
        yield DONE if data == DONE else _decode(data)


def _without_comments(block: str) -> str:
    """Drop the comment lines at the start of a block; one further in stays, and is refused."""
    while block.startswith(":"):
        block = block.partition("\n")[2]
    return block


def _ndjson_events(body: bytes) -> Iterator[Event]:
    *lines, rest = body.decode().split("\n")
    _demand(rest == "", f"the stream is cut inside a line: {rest!r}")
    return (_decode(line) for line in lines)


def _decode(text: str) -> dict[str, Any]:
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise AssertionError(f"an event is not JSON ({exc}): {text!r}") from exc
    _demand(isinstance(event, dict), f"an event is not an object: {text!r}")
    return event  # type: ignore[no-any-return]


def _demand(condition: object, fault: str) -> None:
    if not condition:
        raise AssertionError(fault)

"""Chunks of a chat to the events of a response, and the object that they add up to."""

from typing import Any

import pytest

from tensoria.errors import (
    BackendError,
    BackendTimeout,
    ContextLengthExceeded,
    RateLimited,
    TensoriaError,
)
from tensoria.translate.chunks import Frame, to_chunk, to_last_chunks, to_usage
from tensoria.translate.response_events import ResponseFrame, ToEvents
from tensoria.translate.response_thoughts import seal
from tensoria.translate.responses import to_echo, to_response
from tensoria.wire.openai import Chunk, Delta, FinishReason, Logprobs, TokenLogprob, ToolCallDelta
from tests.contract import check

ID = "resp_" + "0123456789abcdef" * 1 + "0123456789ab"
MSG, FC, RS = (f"{kind}_0123456789abcdef01234567" for kind in ("msg", "fc", "rs"))
FRAME = Frame("chatcmpl-1", 7, "smollm2:135m")


def said(delta: Delta, logprobs: Logprobs | None = None) -> Chunk:
    return to_chunk(FRAME, delta, None, logprobs)


def text(words: str) -> Chunk:
    return said({"content": words})


def thought(words: str) -> Chunk:
    return said({"reasoning_content": words, "reasoning": words})


def call(index: int, name: str, arguments: str) -> Chunk:
    delta: ToolCallDelta = {
        "index": index,
        "id": f"call_{index}",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    return said({"tool_calls": [delta]})


def more(index: int, arguments: str) -> Chunk:
    return said({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})


def last(reason: FinishReason = "stop") -> list[Chunk]:
    return to_last_chunks(FRAME, reason, to_usage(5, 3, 2))


def to_events(**options: bool) -> ToEvents:
    request: Any = {"input": [], "model": "smollm2"}
    request["echo"] = to_echo(request)
    begun = to_response(request, ID, 7, model="smollm2", truncates=False)
    return ToEvents(ResponseFrame(begun, lambda: 9, **options))


def told(*chunks: Chunk, reason: FinishReason = "stop", **options: bool) -> list[dict[str, Any]]:
    """Return all events of an answer, each of which keeps OpenAI's contract."""
    events = to_events(**options)
    found = [*events.feed(chunks), *events.feed(last(reason)), *events.end()]
    return checked(found)


def checked(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for event in events:
        check("response.event", event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def output(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items of the final object, which are those that were said to be done."""
    items: list[dict[str, Any]] = events[-1]["response"]["output"]
    done = {
        event["output_index"]: event["item"]
        for event in events
        if event["type"] == "response.output_item.done"
    }
    assert [done[index] for index in sorted(done)] == items
    return items


def test_a_text_is_a_message_with_all_of_its_events() -> None:
    events = told(said({"role": "assistant", "content": ""}), text("Hel"), text("lo"))
    message = {
        "id": MSG + "0000",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}],
    }
    place = {"item_id": MSG + "0000", "output_index": 0, "content_index": 0}

    assert events[2:-1] == [
        {
            "type": "response.output_item.added",
            "sequence_number": 2,
            "output_index": 0,
            "item": {**message, "status": "in_progress", "content": []},
        },
        {
            "type": "response.content_part.added",
            "sequence_number": 3,
            **place,
            "part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
        },
        {
            "type": "response.output_text.delta",
            "sequence_number": 4,
            **place,
            "delta": "Hel",
            "logprobs": [],
        },
        {
            "type": "response.output_text.delta",
            "sequence_number": 5,
            **place,
            "delta": "lo",
            "logprobs": [],
        },
        {
            "type": "response.output_text.done",
            "sequence_number": 6,
            **place,
            "text": "Hello",
            "logprobs": [],
        },
        {
            "type": "response.content_part.done",
            "sequence_number": 7,
            **place,
            "part": message["content"][0],
        },
        {
            "type": "response.output_item.done",
            "sequence_number": 8,
            "output_index": 0,
            "item": message,
        },
    ]
    assert names(events)[:2] == ["created", "in_progress"]
    assert output(events) == [message]


def test_the_object_begins_without_an_answer_and_ends_with_it() -> None:
    events = told(text("Hello"))
    first, final = events[0]["response"], events[-1]["response"]

    assert first == events[1]["response"]
    assert (first["status"], first["output"], first["usage"]) == ("in_progress", [], None)
    assert first["completed_at"] is None
    assert (final["status"], final["completed_at"], final["created_at"]) == ("completed", 9, 7)
    assert final["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 8,
    }
    assert first["model"] == final["model"] == "smollm2:135m"


def test_what_no_engine_told_of_its_cache_is_zero() -> None:
    events = to_events()
    events.feed([text("a"), *to_last_chunks(FRAME, "stop", to_usage(5, 3))])
    usage = events.response["usage"]

    assert usage is not None
    assert usage["input_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}


def test_an_engine_that_counts_nothing_leaves_no_usage() -> None:
    events = to_events()
    events.feed([text("a"), *to_last_chunks(FRAME, "stop", None)])

    assert events.end()[-1]["response"]["usage"] is None


def test_a_thought_goes_out_as_the_content_of_a_reasoning_item() -> None:
    events = told(thought("Hm"), thought("m."), text("Yes"))

    assert names(events)[2:9] == [
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
    ]
    assert events[4]["delta"] == "Hm"
    assert output(events)[0] == {
        "id": RS + "0000",
        "type": "reasoning",
        "status": "completed",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Hmm."}],
    }
    assert output(events)[1]["id"] == MSG + "0001"


def test_a_thought_that_is_asked_for_as_a_summary_has_the_summary_events() -> None:
    events = told(thought("Hmm."), text("Yes"), summary=True)

    assert names(events)[2:8] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    assert events[4]["summary_index"] == 0
    assert output(events)[0]["summary"] == [{"type": "summary_text", "text": "Hmm."}]
    assert output(events)[0]["content"] == []


def test_a_thought_is_sealed_where_the_client_wants_to_carry_it() -> None:
    events = told(thought("Hmm."), text("Yes"), sealed=True)

    assert events[2]["item"]["encrypted_content"] == ""
    assert output(events)[0]["encrypted_content"] == seal("Hmm.")


def test_a_call_is_an_item_with_its_arguments() -> None:
    events = told(call(0, "look", '{"a'), more(0, '":1}'), reason="tool_calls")

    assert names(events)[2:] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert events[5] == {
        "type": "response.function_call_arguments.done",
        "sequence_number": 5,
        "item_id": FC + "0000",
        "output_index": 0,
        "name": "look",
        "arguments": '{"a":1}',
    }
    assert output(events) == [
        {
            "id": FC + "0000",
            "type": "function_call",
            "status": "completed",
            "call_id": "call_0",
            "name": "look",
            "arguments": '{"a":1}',
        }
    ]


def test_text_before_calls_and_after_them_is_two_messages() -> None:
    events = told(text("One"), call(0, "f", "{}"), call(1, "g", "{}"), text("two"))

    assert [(item["type"], item["id"][-4:]) for item in output(events)] == [
        ("message", "0000"),
        ("function_call", "0001"),
        ("function_call", "0002"),
        ("message", "0003"),
    ]
    assert output(events)[3]["content"][0]["text"] == "two"


def test_a_call_whose_arguments_come_last_stays_open_for_them() -> None:
    events = told(call(0, "f", ""), call(1, "g", "{}"), text("Wait"), more(0, "{}"))

    assert [item["type"] for item in output(events)] == [
        "function_call",
        "function_call",
        "message",
    ]
    assert [item.get("arguments") for item in output(events)] == ["{}", "{}", None]


def test_a_piece_of_a_call_that_is_over_is_the_engines_fault() -> None:
    events = to_events()

    with pytest.raises(BackendError, match="a call that was over"):
        events.feed([call(0, "f", "{}"), text("Well"), more(0, "{}")])


def test_thoughts_between_texts_are_items_of_their_own() -> None:
    events = told(text("One"), thought("Hm."), text("two"))

    assert [item["type"] for item in output(events)] == ["message", "reasoning", "message"]


def test_the_limit_of_tokens_makes_an_incomplete_response() -> None:
    events = told(text("Onc"), reason="length")
    final = events[-1]["response"]

    assert events[-1]["type"] == "response.incomplete"
    assert final["status"] == "incomplete"
    assert final["incomplete_details"] == {"reason": "max_output_tokens"}
    assert final["completed_at"] is None
    assert output(events)[0]["status"] == "incomplete"


def test_of_several_calls_the_last_is_the_one_that_the_limit_cut_off() -> None:
    events = told(call(0, "f", "{}"), call(1, "g", '{"a'), reason="length")

    assert [item["status"] for item in output(events)] == ["completed", "incomplete"]


def test_a_whole_call_before_the_limit_is_completed() -> None:
    events = told(call(0, "f", '{"a":1}'), reason="length")

    assert events[-1]["type"] == "response.incomplete"
    assert output(events)[0]["status"] == "completed"


def test_a_filtered_answer_is_incomplete_too() -> None:
    final = told(text("Onc"), reason="content_filter")[-1]["response"]

    assert final["incomplete_details"] == {"reason": "content_filter"}


def test_an_answer_that_says_nothing_is_an_empty_message() -> None:
    events = told(said({"role": "assistant", "content": ""}))

    assert output(events)[0]["content"][0]["text"] == ""
    assert "output_text.delta" not in names(events)


def test_a_limit_that_leaves_room_for_thoughts_alone_leaves_no_message() -> None:
    events = told(thought("Hm"), reason="length")

    assert [item["type"] for item in output(events)] == ["reasoning"]


def test_a_limit_that_leaves_room_for_nothing_leaves_nothing() -> None:
    assert output(told(said({"role": "assistant", "content": ""}), reason="length")) == []


def test_log_probabilities_are_in_the_events_and_with_bytes_in_the_item() -> None:
    token: TokenLogprob = {
        "token": "Hi",
        "logprob": -0.5,
        "bytes": None,
        "top_logprobs": [{"token": "Ho", "logprob": -1.5, "bytes": [72, 111]}],
    }
    events = told(said({"content": "Hi"}, {"content": [token], "refusal": None}))
    in_events = {
        "token": "Hi",
        "logprob": -0.5,
        "top_logprobs": [{"token": "Ho", "logprob": -1.5}],
    }

    assert events[4]["logprobs"] == events[5]["logprobs"] == [in_events]
    assert output(events)[0]["content"][0]["logprobs"] == [{**token, "bytes": []}]


def test_an_end_without_a_reason_is_the_engines_fault() -> None:
    events = to_events()
    events.feed([text("Hel")])

    with pytest.raises(BackendError, match="without a reason"):
        events.end()


def test_a_failure_before_the_first_word_is_three_events() -> None:
    events = to_events()
    found = checked(events.fail(BackendTimeout("Too long.")))

    assert names(found) == ["created", "in_progress", "failed"]
    assert found[-1]["response"]["error"] == {"code": "server_error", "message": "Too long."}
    assert found[-1]["response"]["status"] == events.response["status"] == "failed"
    assert found[-1]["response"]["model"] == "smollm2"


def test_a_failure_in_the_middle_closes_what_was_open() -> None:
    events = to_events()
    found = checked([*events.feed([text("Hel")]), *events.fail(BackendError("It broke."))])

    assert names(found)[-2:] == ["output_item.done", "failed"]
    assert output(found)[0]["status"] == "incomplete"
    assert output(found)[0]["content"][0]["text"] == "Hel"


def test_a_failure_after_the_end_is_no_completion() -> None:
    events = to_events()
    events.feed([text("Hel"), *last()])
    events.end()
    failed = events.fail(BackendError("It broke."))[-1]["response"]

    assert (failed["status"], failed["completed_at"]) == ("failed", None)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RateLimited("Wait."), "rate_limit_exceeded"),
        (ContextLengthExceeded(context=4, prompt=5), "invalid_prompt"),
        (BackendError("It broke."), "server_error"),
    ],
)
def test_a_failure_has_one_of_openais_codes(error: TensoriaError, code: str) -> None:
    assert to_events().fail(error)[-1]["response"]["error"]["code"] == code


def test_a_response_can_be_told_before_anything_is_said() -> None:
    began = to_events().began()

    check("response", began)
    assert (began["id"], began["status"]) == (ID, "in_progress")

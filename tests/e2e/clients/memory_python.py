"""Do with OpenAI's Python client what programs do with responses that are kept; print it as JSON.

    python memory_python.py BASE_URL KEY

The client checks what it gets strictly; memory_node.mjs does the same in Node.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import openai
from pydantic import BaseModel

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
RUNNING = ("queued", "in_progress")


class Place(BaseModel):
    """What an answer in a form holds."""

    city: str


def main(base_url: str, key: str) -> dict[str, Any]:
    """Return the report: one member a step."""
    client = openai.OpenAI(
        base_url=base_url, api_key=key, max_retries=0, _strict_response_validation=True
    )
    responses = client.responses
    return {
        "chain": chain(responses),
        "tools": [tool_loop(responses, streaming=streaming) for streaming in (False, True)],
        "background": background(responses),
        "resumed": resumed(responses),
        "cancelled": cancelled(responses),
        "conversation": conversation(client),
        "errors": errors(client),
    }


def chain(responses: Any) -> dict[str, Any]:
    """Ask, follow up whole, streamed and in a form, read it again, and forget it."""
    first = responses.create(model="recalls", input="One", metadata={"topic": "x"})
    second = responses.create(model="recalls", input="Two", previous_response_id=first.id)
    asked = {"model": "recalls", "input": "Three", "previous_response_id": first.id}
    with responses.stream(**asked) as stream:
        streamed = stream.get_final_response()
    place = responses.parse(
        model="says-json", input="Where?", text_format=Place, previous_response_id=first.id
    )
    kept = responses.retrieve(second.id)
    items = list(responses.input_items.list(second.id, order="asc"))
    responses.delete(second.id)
    return {
        "second": second.output_text,
        "streamed": streamed.output_text,
        "parsed": place.output_parsed.city,
        "same": kept == second,
        "metadata": responses.retrieve(first.id).metadata,
        "items": [item.content[0].text for item in items],
        "deleted": failure(lambda: responses.retrieve(second.id)),
        "followed": failure(
            lambda: responses.create(model="recalls", input="x", previous_response_id=second.id)
        ),
    }


def tool_loop(responses: Any, *, streaming: bool) -> dict[str, Any]:
    """Send nothing but the results of tools, until there are no calls."""
    cities: list[str] = []
    told: dict[str, Any] = {"input": "Weather?"}
    while True:
        asked = {"model": "calls-twice", "tools": [WEATHER], **told}
        if streaming:
            with responses.stream(**asked) as stream:
                said = stream.get_final_response()
        else:
            said = responses.create(**asked)
        calls = [item for item in said.output if item.type == "function_call"]
        if not calls:
            return {"cities": cities, "answer": said.output_text, "tokens": said.usage.total_tokens}
        (call,) = calls
        cities.append(json.loads(call.arguments)["city"])
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "4 C"}
        told = {"input": [result], "previous_response_id": said.id}


def background(responses: Any) -> dict[str, Any]:
    """Ask without waiting, and poll as OpenAI's guide does."""
    asked = responses.create(model="waits", input="Hi", background=True)
    states = [asked.status]
    release(responses)
    while asked.status in RUNNING:
        time.sleep(0.02)
        asked = responses.retrieve(asked.id)
    return {"first": states[0], "last": asked.status, "text": asked.output_text}


def resumed(responses: Any) -> dict[str, Any]:
    """Leave a stream in its middle and read the rest: by `retrieve`, and by the helper."""
    stream = responses.create(model="waits", input="Hi", background=True, stream=True)
    seen, id_ = [], ""
    for event in stream:
        seen.append(event)
        if event.type == "response.created":
            id_ = event.response.id
        if event.type == "response.output_text.delta":
            break
    stream.close()
    release(responses)
    after = seen[-1].sequence_number
    rest = list(responses.retrieve(id_, stream=True, starting_after=after))
    events = [*seen, *rest]
    with responses.stream(response_id=id_, starting_after=after) as helped:
        types = [event.type for event in helped]
    return {
        "in order": [event.sequence_number for event in events] == list(range(len(events))),
        "before": text_of(seen),
        "after": text_of(rest),
        "last": events[-1].type,
        "whole": events[-1].response.output_text,
        "helped": types[-1],
    }


def text_of(events: list[Any]) -> str:
    """Add up the text of events."""
    return "".join(each.delta for each in events if each.type == "response.output_text.delta")


def cancelled(responses: Any) -> dict[str, Any]:
    """End an answer that would never end."""
    asked = responses.create(model="hangs", input="Hi", background=True)
    ended = responses.cancel(asked.id)
    return {"status": ended.status, "kept": responses.retrieve(asked.id).status}


def release(responses: Any) -> None:
    """Let the model that waits go on, as soon as it has been asked."""
    responses.create(model="releases", input="Go", store=False)


def conversation(client: Any) -> dict[str, Any]:
    """Talk in a conversation, read it, change it, and forget it."""
    first = [{"type": "message", "role": "user", "content": "Before."}]
    made = client.conversations.create(metadata={"topic": "x"}, items=first)
    asked = {"model": "recalls", "conversation": made.id}
    said = client.responses.create(input="One", **asked)
    with client.responses.stream(input="Two", **asked) as stream:
        streamed = stream.get_final_response()
    items = list(client.conversations.items.list(made.id, order="asc"))
    one = client.conversations.items.retrieve(items[1].id, conversation_id=made.id)
    client.conversations.items.delete(items[1].id, conversation_id=made.id)
    left = list(client.conversations.items.list(made.id))
    changed = client.conversations.update(made.id, metadata={"topic": "y"})
    client.conversations.delete(made.id)
    return {
        "named": said.conversation.id == made.id,
        "said": said.output_text,
        "streamed": streamed.output_text,
        "roles": [item.role for item in items],
        "one": one.content[0].text,
        "left": len(left),
        "metadata": changed.metadata,
        "deleted": failure(lambda: client.conversations.retrieve(made.id)),
    }


def errors(client: Any) -> dict[str, Any]:
    """Ask for what was never there."""
    responses = client.responses
    return {
        "unknown response": failure(lambda: responses.retrieve("resp_none")),
        "unknown previous": failure(
            lambda: responses.create(model="recalls", input="x", previous_response_id="resp_none")
        ),
        "unknown conversation": failure(
            lambda: responses.create(model="recalls", input="x", conversation="conv_none")
        ),
        "not in the background": failure(
            lambda: responses.cancel(responses.create(model="recalls", input="x").id)
        ),
    }


def failure(step: Callable[[], object]) -> dict[str, Any]:
    """Describe how a step failed: the client's class, and what OpenAI's envelope told."""
    try:
        step()
    except openai.APIStatusError as error:
        return {"class": type(error).__name__, "code": error.code, "param": error.param}
    return {"class": None}


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)

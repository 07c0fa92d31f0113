"""Do with OpenAI's Python client what programs do with responses, and print it as JSON.

    python responses_python.py BASE_URL KEY

The client checks what it gets strictly; responses_node.mjs does the same in Node.
"""

import json
import sys
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


class Place(BaseModel):
    """What an answer in a form holds."""

    city: str


def main(base_url: str, key: str) -> dict[str, Any]:
    """Return the report: one member a step."""
    client = openai.OpenAI(
        base_url=base_url, api_key=key, max_retries=0, _strict_response_validation=True
    )
    responses = client.responses
    said = responses.create(model="smollm2:135m", input="Hi")
    with responses.stream(model="smollm2:135m", input="Hi") as stream:
        events = [event.type for event in stream]
        streamed = stream.get_final_response()
    place = responses.parse(model="says-json", input="Where?", text_format=Place)
    return {
        "said": said.output_text,
        "tokens": said.usage and said.usage.total_tokens,
        "events": events,
        "streamed": streamed.output_text,
        "parsed": place.output_parsed and place.output_parsed.city,
        "tools": [tool_loop(responses, streaming=streaming) for streaming in (False, True)],
        "broken": broken(responses),
        "unknown model": unknown_model(responses),
    }


def tool_loop(responses: Any, *, streaming: bool) -> dict[str, Any]:
    """Let the model call a tool, send all of it back, and return what was said of it."""
    asked: dict[str, Any] = {"model": "calls-tools", "tools": [WEATHER]}
    question = {"role": "user", "content": "Hi"}
    if streaming:
        with responses.stream(input=[question], **asked) as stream:
            first = stream.get_final_response()
    else:
        first = responses.create(input=[question], **asked)
    (call,) = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "4 C"}
    again = responses.create(input=[question, *first.output, result], **asked)
    return {"city": json.loads(call.arguments)["city"], "answer": again.output_text}


def broken(responses: Any) -> list[str]:
    """Return the last two events of an answer that breaks off."""
    stream = responses.create(model="breaks-off", input="Hi", stream=True)
    return [event.type for event in stream][-2:]


def unknown_model(responses: Any) -> dict[str, Any]:
    """Return how an unknown model is refused."""
    try:
        responses.create(model="no-such-model", input="Hi", stream=True)
    except openai.NotFoundError as error:
        return {"code": error.code, "param": error.param}
    return {}


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)

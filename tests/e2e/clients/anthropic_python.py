"""Do with Anthropic's Python client what programs do with it, and print what came of it as JSON.

    python anthropic_python.py BASE_URL KEY BASE_URL_WITHOUT_ENGINE

The base URLs have no /v1: this client adds it. Answers are read strictly: one that is not of the
SDK's own types is an error.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import anthropic
from anthropic import beta_tool
from pydantic import BaseModel

MODEL = "smollm2:135m"
ASK: Any = [{"role": "user", "content": "Hi"}]
WEATHER: Any = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


class City(BaseModel):
    """What a structured answer is read into."""

    city: str


def client_of(base_url: str, **options: Any) -> anthropic.Anthropic:
    """Return a client that reads strictly and repeats nothing."""
    return anthropic.Anthropic(
        base_url=base_url, max_retries=0, _strict_response_validation=True, **options
    )


def main(base_url: str, key: str, down_url: str) -> dict[str, Any]:
    """Return the report: one member a step."""
    client = client_of(base_url, api_key=key)
    bearer = client_of(base_url, auth_token=key)
    stranger = client_of(base_url, api_key="wrong")
    down = client_of(down_url, api_key=key)
    create = client.messages.create
    counted = client.messages.with_raw_response.count_tokens(model=MODEL, messages=ASK)
    return {
        "models": [model.id for model in client.models.list(limit=2)],
        "retrieved": client.models.retrieve(MODEL).model_dump(mode="json"),
        "message": create(model=MODEL, max_tokens=50, messages=ASK).model_dump(),
        "bearer": bearer.messages.create(model=MODEL, max_tokens=50, messages=ASK).content[0].type,
        "beta": client.beta.messages.create(
            model=MODEL, max_tokens=50, messages=ASK, betas=["interleaved-thinking-2025-05-14"]
        )
        .content[0]
        .type,
        "raw stream": [
            event.type for event in create(model=MODEL, max_tokens=50, messages=ASK, stream=True)
        ],
        "stream": helped(client),
        "thinking": helped(client, model="thinks", thinking={"type": "adaptive"}),
        "count": {
            "input_tokens": counted.parse().input_tokens,
            "estimated": counted.headers.get("x-tensoria-estimated"),
        },
        "parsed": client.messages.parse(
            model="writes-json", max_tokens=50, messages=ASK, output_format=City
        ).parsed_output.city,
        "tools": [tool_loop(client, streaming=streaming) for streaming in (False, True)],
        "tool runner": run_tools(client),
        "errors": {
            "wrong key": failure(stranger.models.list),
            "unknown model": failure(lambda: create(model="none", max_tokens=5, messages=ASK)),
            "unknown model retrieved": failure(lambda: client.models.retrieve("org/none:7b")),
            # The newest SDK has no argument for it, and older ones have.
            "bad value": failure(
                lambda: create(
                    model=MODEL, max_tokens=5, messages=ASK, extra_body={"temperature": 9}
                )
            ),
            "engine broken": failure(lambda: create(model="broken", max_tokens=5, messages=ASK)),
            "engine down": failure(
                lambda: down.messages.create(model="x", max_tokens=5, messages=ASK)
            ),
            "broken in the stream": failure(
                lambda: list(create(model="breaks-off", max_tokens=5, messages=ASK, stream=True))
            ),
        },
    }


def helped(client: anthropic.Anthropic, **asked: Any) -> dict[str, Any]:
    """Stream by the SDK's helper, which adds the events up."""
    request: dict[str, Any] = {"model": MODEL, "max_tokens": 50, "messages": ASK, **asked}
    with client.messages.stream(**request) as stream:
        text = "".join(stream.text_stream)
        return {"text": text, "message": stream.get_final_message().model_dump()}


def tool_loop(client: anthropic.Anthropic, *, streaming: bool) -> dict[str, Any]:
    """Let the model call a tool, send the result back, and return what was said of it."""
    asked: dict[str, Any] = {"model": "calls-tools", "max_tokens": 50, "tools": [WEATHER]}
    if streaming:
        with client.messages.stream(messages=ASK, **asked) as stream:
            said = stream.get_final_message()
    else:
        said = client.messages.create(messages=ASK, **asked)
    (call,) = [block for block in said.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "4 C"}
    history = [
        *ASK,
        {"role": "assistant", "content": said.content},
        {"role": "user", "content": [result]},
    ]
    answer = client.messages.create(messages=history, **asked)
    return {
        "reason": said.stop_reason,
        "city": call.input["city"],
        "answer": answer.content[0].text,
    }


def run_tools(client: anthropic.Anthropic) -> str:
    """Let the SDK's own loop call the tool."""

    @beta_tool
    def weather(city: str) -> str:
        """Tell the weather.

        Args:
            city: Where.
        """
        return f"4 C in {city}"

    runner = client.beta.messages.tool_runner(
        model="calls-tools", max_tokens=50, messages=ASK, tools=[weather]
    )
    return str(runner.until_done().content[0].text)


def failure(step: Callable[[], object]) -> dict[str, Any]:
    """Describe how a step failed: the client's class, and what the envelope told."""
    try:
        step()
    except anthropic.APIStatusError as error:
        told: Any = error.body
        return {
            "class": type(error).__name__,
            "status": error.status_code,
            "type": told["error"]["type"],
            "param": told["error"].get("param"),
            "request_id": error.request_id,
        }
    return {"class": None}


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)

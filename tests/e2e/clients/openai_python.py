"""Do with OpenAI's Python client what programs do with it, and print what came of it as JSON.

    python openai_python.py BASE_URL KEY BASE_URL_WITHOUT_ENGINE

Runs alike with openai 1.x and with the newest one; openai_node.mjs does the same in Node.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import openai

ASK = [{"role": "user", "content": "Hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def main(base_url: str, key: str, down_url: str) -> dict[str, Any]:
    """Return the report: one member a step."""
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
    stranger = openai.OpenAI(base_url=base_url, api_key="wrong", max_retries=0)
    down = openai.OpenAI(base_url=down_url, api_key=key, max_retries=0)
    chat = client.chat.completions.create
    models = [model.id for model in client.models.list()]
    return {
        "models": models,
        "retrieved": [client.models.retrieve(model).id for model in models],
        "chat": chat(model="smollm2:135m", messages=ASK).model_dump(),
        "stream": [
            chunk.model_dump()
            for chunk in chat(
                model="smollm2:135m",
                messages=ASK,
                stream=True,
                stream_options={"include_usage": True},
            )
        ],
        "completion": client.completions.create(
            model="smollm2:135m", prompt=["a", "b"], echo=True
        ).model_dump(),
        "completion stream": [
            chunk.model_dump()
            for chunk in client.completions.create(model="smollm2:135m", prompt="a", stream=True)
        ],
        "tools": [tool_loop(chat, streaming=streaming) for streaming in (False, True)],
        "embeddings": [
            client.embeddings.create(
                model="all-minilm", input=["Hi", "Hello"], **given
            ).model_dump()
            for given in ({}, {"encoding_format": "float"})
        ],
        "errors": {
            "wrong key": failure(stranger.models.list),
            "unknown model": failure(lambda: chat(model="no-such-model", messages=ASK)),
            "unknown model retrieved": failure(lambda: client.models.retrieve("org/none:7b")),
            "bad value": failure(lambda: chat(model="smollm2", messages=ASK, temperature=9)),
            "model that chats": failure(
                lambda: client.embeddings.create(model="smollm2:135m", input="Hi")
            ),
            "engine broken": failure(lambda: chat(model="broken", messages=ASK)),
            "engine down": failure(lambda: down.chat.completions.create(model="x", messages=ASK)),
            "broken in the stream": failure(
                lambda: list(chat(model="breaks-off", messages=ASK, stream=True))
            ),
        },
    }


def tool_loop(chat: Callable[..., Any], *, streaming: bool) -> dict[str, Any]:
    """Let the model call a tool, send the result back, and return what was said of it."""
    asked: dict[str, Any] = {"model": "calls-tools", "tools": [WEATHER]}
    if streaming:
        chunks = list(chat(messages=ASK, stream=True, **asked))
        (call,) = [
            call
            for chunk in chunks
            for choice in chunk.choices
            for call in choice.delta.tool_calls or ()
        ]
        reason = chunks[-1].choices[0].finish_reason
        said = {"role": "assistant", "tool_calls": [call.model_dump()]}
    else:
        choice = chat(messages=ASK, **asked).choices[0]
        (call,) = choice.message.tool_calls
        reason, said = choice.finish_reason, choice.message.model_dump()
    result = {"role": "tool", "tool_call_id": call.id, "content": "4 C"}
    answer = chat(messages=[*ASK, said, result], **asked)
    return {
        "reason": reason,
        "city": json.loads(call.function.arguments)["city"],
        "answer": answer.choices[0].message.content,
    }


def failure(step: Callable[[], object]) -> dict[str, Any]:
    """Describe how a step failed: the client's class, and what OpenAI's envelope told."""
    try:
        step()
    except openai.APIError as error:
        return {
            "class": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "code": error.code,
            "param": error.param,
            "request_id": getattr(error, "request_id", None),
        }
    return {"class": None}


if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)

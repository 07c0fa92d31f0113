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

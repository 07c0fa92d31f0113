"""The fake engine made to speak OpenAI: its list of models, its events, its errors."""

from typing import Any

import orjson

from tests.fake_ollama import FakeOllama, Handler, answer_json, stream
from tests.fake_ollama.behaviours import Step

SSE = (("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))
DONE = b"data: [DONE]\n\n"
CHAT = "/v1/chat/completions"


def event(**members: Any) -> bytes:
    """Return one event of an engine's stream."""
    return (
        b"data: "
        + orjson.dumps({"id": "theirs", "object": "chat.completion.chunk", **members})
        + b"\n\n"
    )


def delta(content: str | None = None, *, finish: str | None = None, **more: Any) -> bytes:
    """Return an event with one choice."""
    found = {**({} if content is None else {"content": content}), **more}
    return event(choices=[{"index": 0, "delta": found, "finish_reason": finish}])


def usage(prompt: int = 3, completion: int = 2) -> bytes:
    """Return the event with the counts and no choices."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return event(choices=[], usage=counts)


HELLO: tuple[bytes, ...] = (delta("Hel"), delta("lo"), delta(finish="stop"), usage(), DONE)


def events(*steps: Step) -> Handler:
    """Answer with a stream of server-sent events."""
    return stream(steps, headers=SSE)


def speak_openai(
    fake: FakeOllama, *models: str, owned_by: str = "vllm", prefix: str = "/v1", **members: Any
) -> None:
    """Script the fake as an engine with these models."""
    data = [
        {"id": m, "object": "model", "created": 5, "owned_by": owned_by, **members} for m in models
    ]
    fake.script(f"{prefix}/models", answer_json({"object": "list", "data": data}))
    fake.script(f"{prefix}/chat/completions", events(*HELLO))

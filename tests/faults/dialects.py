"""How each kind of engine writes an answer at each endpoint, in pieces that can be told apart."""

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from tests.backends.fake_openai import DONE, SSE, delta, event
from tests.fake_ollama import (
    Handler,
    answer_json,
    chat_line,
    done_line,
    error_line,
    generate_done_line,
    generate_line,
    hang,
    stream,
)
from tests.fake_ollama.behaviours import Step

ENGINES = ("ollama", "openai")
ENDPOINTS = ("chat", "completions", "embeddings", "messages", "responses")
VECTOR = [1.0, 0.5]

_NDJSON = (("Content-Type", "application/x-ndjson"), ("Transfer-Encoding", "chunked"))
_JSON = (("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"))


@dataclass(frozen=True)
class Dialect:
    """The pieces of one answer; an embedding has its text in a member that nobody reads.

    `after_error` stands behind an error: an engine that goes on holding its connection. A document
    has to end, or nobody could know that it is whole.
    """

    path: str
    headers: tuple[tuple[str, str], ...]
    text: Callable[[str], bytes]
    done: bytes
    error: Callable[[str], bytes]
    opening: bytes = b""
    after_error: tuple[Handler, ...] = (hang,)

    def answer(self, *steps: Step) -> Handler:
        """Answer with status 200 and these pieces."""
        return stream([self.opening, *steps], headers=self.headers)

    def alone(self, *steps: Step) -> Handler:
        """Answer with these pieces and no opening before them."""
        return stream(steps, headers=self.headers)

    def hello(self) -> Handler:
        """Answer as an engine without a fault does."""
        return self.answer(self.text("Hel"), self.text("lo"), self.done)


def _error_event(text: str) -> bytes:
    return event(error={"message": text, "type": "server_error"})


def _text_event(text: str, finish: str | None = None) -> bytes:
    return event(choices=[{"index": 0, "text": text, "finish_reason": finish}])


def _document(path: str, members: dict[str, object]) -> Dialect:
    """A document whose first member is open for text."""
    return Dialect(
        path,
        _JSON,
        str.encode,
        b'",' + orjson.dumps(members)[1:],
        error_line,
        opening=b'{"note":"',
        after_error=(),
    )


DIALECTS: dict[tuple[str, str], Dialect] = {
    ("ollama", "chat"): Dialect("/api/chat", _NDJSON, chat_line, done_line(), error_line),
    ("ollama", "completions"): Dialect(
        "/api/generate", _NDJSON, generate_line, generate_done_line(), error_line
    ),
    ("ollama", "embeddings"): _document(
        "/api/embed", {"embeddings": [VECTOR], "prompt_eval_count": 2}
    ),
    ("openai", "chat"): Dialect(
        "/v1/chat/completions", SSE, delta, delta(finish="stop") + DONE, _error_event
    ),
    ("openai", "completions"): Dialect(
        "/v1/completions", SSE, _text_event, _text_event("", "stop") + DONE, _error_event
    ),
    ("openai", "embeddings"): _document(
        "/v1/embeddings",
        {"data": [{"index": 0, "embedding": VECTOR}], "usage": {"prompt_tokens": 2}},
    ),
}
# Anthropic's messages are chats to an engine.
DIALECTS |= {(engine, "messages"): DIALECTS[engine, "chat"] for engine in ENGINES}

# To an engine a response is a chat.
DIALECTS |= {(engine, "responses"): DIALECTS[engine, "chat"] for engine in ENGINES}


def refusal(engine: str, status: int, text: str) -> Handler:
    """Answer with an error's status, and its words where this kind of engine puts them."""
    return answer_json({"error": text if engine == "ollama" else {"message": text}}, status)

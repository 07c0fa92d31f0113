"""The tokens of a prompt, counted by llama.cpp's server as it would run it (build 11549)."""

from typing import Any

import orjson

from tensoria.backends.llama_cpp import LlamaCppThreads
from tensoria.backends.ollama_client import CONTROL_SECONDS
from tensoria.backends.openai_models import is_llama_cpp
from tensoria.backends.transport import Transport
from tensoria.config import Settings
from tensoria.translate.chat_passthrough import to_openai
from tensoria.wire.openai import ChatRequest


class LlamaCppCounter:
    """POST /apply-template and POST /tokenize; they stand above the /v1 of the others."""

    def __init__(self, settings: Settings, threads: LlamaCppThreads) -> None:
        self._settings = settings
        self._threads = threads
        self._transport = Transport(
            settings.engine_base_url.removesuffix("/v1"),
            concurrency=1,
            api_key=settings.engine_api_key,
        )

    def count(self, request: ChatRequest, entry: dict[str, Any]) -> int | None:
        """Return the number of tokens, or None where it would not be exact.

        Another engine shows no prompt, an image has no place in a template's text, a forced call
        is no part of the request that goes up, and another build may have neither path. Raises
        BackendError when the engine does not answer.
        """
        if not is_llama_cpp(entry) or "tool_choice" in request:
            return None
        if any("parts" in message for message in request["messages"]):
            return None
        with self._threads.one():
            return self._counted(request, entry["id"])

    def _counted(self, request: ChatRequest, model: str) -> int | None:
        payload = to_openai(
            request,
            model=model,
            max_tokens=1,
            temperature=0,
            progress=True,
            default_effort=self._settings.default_reasoning_effort,
        )
        prompt = self._ask("/apply-template", payload).get("prompt")
        if not isinstance(prompt, str):
            return None
        # As the server reads a chat's prompt: with its first token, and its words for roles.
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        tokens = self._ask("/tokenize", asked).get("tokens")
        return len(tokens) if isinstance(tokens, list) else None

    def _ask(self, path: str, payload: object) -> dict[str, Any]:
        status, body = self._transport.json("POST", path, payload, seconds=CONTROL_SECONDS)
        try:
            answer = orjson.loads(body) if status == 200 else None
        except orjson.JSONDecodeError:
            return {}
        return answer if isinstance(answer, dict) else {}

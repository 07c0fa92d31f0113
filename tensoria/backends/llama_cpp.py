"""What llama.cpp's server tells of its model beside OpenAI's paths."""

import orjson

from tensoria.backends.ollama_client import CONTROL_SECONDS
from tensoria.backends.recent import Recent
from tensoria.backends.transport import Transport
from tensoria.config import Settings
from tensoria.errors import TensoriaError
from tensoria.translate.models import denied_by_props

# A server that is replaced by one with another model is away for a while.
MAX_AGE_SECONDS = 15.0


class LlamaCppProps:
    """GET /props, as of at most fifteen seconds ago; it stands above the /v1 of the others."""

    def __init__(self, settings: Settings) -> None:
        self._transport = Transport(
            settings.engine_base_url.removesuffix("/v1"),
            concurrency=1,
            api_key=settings.engine_api_key,
        )
        self._denied = Recent(self._fetch, max_age_seconds=MAX_AGE_SECONDS)

    def denied(self) -> frozenset[str]:
        """Return the capabilities (Ollama's words) that the model is told not to have.

        A server that tells nothing denies nothing: the chat itself will say what is wrong.
        """
        return self._denied.get()

    def _fetch(self) -> frozenset[str]:
        try:
            status, body = self._transport.json("GET", "/props", seconds=CONTROL_SECONDS)
            return denied_by_props(orjson.loads(body)) if status == 200 else frozenset()
        except (TensoriaError, orjson.JSONDecodeError):
            return frozenset()

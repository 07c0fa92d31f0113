"""The body of POST /v1/embeddings.

Source: OpenAI's CreateEmbeddingRequest; a test walks all of its fields.
"""

from typing import Any

from marshmallow import Schema, ValidationError, fields

from tensoria.errors import UnsupportedParameter
from tensoria.schemas.base import Loaded, ModelName, Text, Whole, kind
from tensoria.schemas.base import load as load_body
from tensoria.schemas.extensions import embedding_options, keep_alive
from tensoria.schemas.support import END_USER, honoured, ignored, support
from tensoria.wire.openai import EmbeddingRequest

# As many as OpenAI takes in one request.
MAX_INPUTS = 2048


class Input(fields.Field[list[str]]):
    """One text or a list of them; the list is what comes out.

    An empty text is refused, as OpenAI does: Ollama would load the model and return no vector.
    """

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[str]:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list):
            raise ValidationError(f"expected a string or an array of strings, got {kind(value)}.")
        if not texts:
            raise ValidationError("expected at least one string.")
        if _is_tokens(texts[0]):
            _refuse_tokens()
        if len(texts) > MAX_INPUTS:
            raise ValidationError(f"expected at most {MAX_INPUTS} strings, got {len(texts)}.")
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise ValidationError({index: [f"expected a string, got {kind(text)}."]})
            if not text:
                empty = "an empty string has no embedding."
                raise ValidationError(empty if texts is not value else {index: [empty]})
        return texts


class EncodingFormat(Text):
    """How the vectors are written; base64 is what OpenAI's own clients ask for."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        if text not in ("float", "base64"):
            raise ValidationError("expected 'float' or 'base64'.")
        return text


class EmbeddingSchema(Schema):
    """Every field of the request, and what becomes of it."""

    input = Input(
        required=True,
        metadata=honoured("Text, or a list of texts; tokens are refused."),
    )
    model = ModelName(metadata=honoured("Absent or empty: DEFAULT_MODEL."))
    dimensions = Whole(minimum=1, metadata=honoured("Up to the model's own number."))
    encoding_format = EncodingFormat(metadata=support("emulated", "Written here, exactly."))
    user = Text(metadata=ignored(END_USER, changes=False))

    # Extensions of local engines.
    keep_alive = keep_alive()
    options = embedding_options()


def load(body: object) -> Loaded[EmbeddingRequest]:
    """Check a parsed body; raises InvalidRequest or UnsupportedParameter naming the field."""
    return load_body(EmbeddingSchema, body)


def _is_tokens(value: object) -> bool:
    """Tell whether the first item says that tokens were sent: a number, or an array of them."""
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, int | float | list) and not isinstance(first, bool)


def _refuse_tokens() -> None:
    raise UnsupportedParameter(
        "'input' holds tokens, which only OpenAI's own models could read; send text. In LangChain: "
        "OpenAIEmbeddings(check_embedding_ctx_length=False).",
        param="input",
    )

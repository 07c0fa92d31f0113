"""Fields that say how many answers to sample, from what, and what to tell of their tokens."""

from typing import Any

from marshmallow import ValidationError, fields, missing

from tensoria.errors import InvalidRequest
from tensoria.schemas.base import Flag, Number, Whole, kind
from tensoria.wire.completions import CompletionRequest
from tensoria.wire.openai import ChatRequest

# OpenAI's own; MAX_CHOICES is far below it.
MOST_CHOICES = 128
# What a chat may ask for in place of each token, and a completion.
MOST_TOP_LOGPROBS = 20
MOST_TEXT_LOGPROBS = 5
MOST_BIAS = 100


class Choices(Whole):
    """`n`; one is what everybody gets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(minimum=1, maximum=MOST_CHOICES, **options)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        count = super()._deserialize(value, *args, **kwargs)
        return missing if count == 1 else count


class Logprobs(Flag):
    """A chat's `logprobs`; false is what everybody gets."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, *args, **kwargs) or missing


class TopLogprobs(Whole):
    """A chat's `top_logprobs`; none is what everybody gets."""

    def __init__(self, **options: Any) -> None:
        super().__init__(minimum=0, maximum=MOST_TOP_LOGPROBS, **options)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, *args, **kwargs) or missing


class LogitBias(fields.Field[dict[str, float]]):
    """What is added to the logits of tokens, by their ids as strings; an empty object is none."""

    _bias = Number(minimum=-MOST_BIAS, maximum=MOST_BIAS)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"expected an object, got {kind(value)}.")
        for token, bias in value.items():
            # What is no id would be a text to llama.cpp, and of more than one token.
            if not (token.isascii() and token.isdigit()):
                raise ValidationError('expected ids of tokens as names, such as "50256".')
            try:
                self._bias.deserialize(bias)
            except ValidationError as error:
                raise ValidationError({token: error.messages}) from None
        return value or missing


def check_logprobs(request: ChatRequest) -> None:
    """Refuse what OpenAI refuses too: alternatives to tokens of which nothing is told."""
    if "top_logprobs" in request and "logprobs" not in request:
        raise InvalidRequest(
            "'top_logprobs' is only allowed when 'logprobs' is true.", param="top_logprobs"
        )


def check_text_logprobs(request: CompletionRequest) -> None:
    """Refuse what OpenAI's clients send to have the prompt itself judged."""
    if "logprobs" in request and request.get("echo"):
        raise InvalidRequest(
            "'echo' must not be true beside 'logprobs': no engine here tells the log probabilities "
            "of a prompt's tokens.",
            param="echo",
        )


def settle_best_of(request: CompletionRequest) -> None:
    """Drop a `best_of` that asks for no more than `n` does; one above `n` stays, to be refused."""
    fields_of_request: Any = request
    count, best_of = fields_of_request.get("n", 1), fields_of_request.get("best_of", 1)
    if best_of not in (1, count) and best_of < count:
        raise InvalidRequest("'best_of' must not be below 'n'.", param="best_of")
    if best_of <= count:
        fields_of_request.pop("best_of", None)

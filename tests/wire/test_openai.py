"""The shapes in `wire/` against OpenAI's published schemas."""

import json
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from tensoria.wire import completions, openai

CONTRACT = json.loads(
    (Path(__file__).parent.parent / "contract" / "openai.schema.json").read_text()
)["$defs"]
STREAMED = CONTRACT["CreateChatCompletionStreamResponse"]["properties"]
TEXT = CONTRACT["CreateCompletionResponse"]["properties"]
WHOLE = CONTRACT["CreateChatCompletionResponse"]["properties"]
EMBEDDINGS = CONTRACT["CreateEmbeddingResponse"]["properties"]

# (our shape, OpenAI's properties of it, names that are extensions)
REASONING = {"reasoning_content", "reasoning"}
SHAPES: list[tuple[Any, dict[str, Any], set[str]]] = [
    (openai.Chunk, STREAMED, set()),
    (openai.ChunkChoice, STREAMED["choices"]["items"]["properties"], {"stop_reason"}),
    (
        openai.Delta,
        CONTRACT["ChatCompletionStreamResponseDelta"]["properties"],
        REASONING,
    ),
    (openai.Completion, WHOLE, set()),
    (openai.Choice, WHOLE["choices"]["items"]["properties"], set()),
    (
        openai.AnswerMessage,
        CONTRACT["ChatCompletionResponseMessage"]["properties"],
        REASONING,
    ),
    (completions.TextChunk, TEXT, set()),
    (
        completions.TextChunkChoice,
        TEXT["choices"]["items"]["properties"],
        {"reasoning_content"},
    ),
    (
        completions.TextLogprobs,
        TEXT["choices"]["items"]["properties"]["logprobs"]["anyOf"][0]["properties"],
        set(),
    ),
    (completions.TextCompletion, TEXT, set()),
    (completions.TextChoice, TEXT["choices"]["items"]["properties"], {"reasoning_content"}),
    (openai.Usage, CONTRACT["CompletionUsage"]["properties"], set()),
    (openai.Embedding, CONTRACT["Embedding"]["properties"], set()),
    (openai.EmbeddingList, EMBEDDINGS, set()),
    (openai.EmbeddingUsage, EMBEDDINGS["usage"]["properties"], set()),
    (
        openai.Model,
        CONTRACT["Model"]["properties"],
        {"alias_of", "capabilities", "context_length", "trained_context_length"},
    ),
]


@pytest.mark.parametrize(
    ("shape", "published", "extensions"), SHAPES, ids=[row[0].__name__ for row in SHAPES]
)
def test_answer_has_no_member_that_openai_has_not(
    shape: Any, published: dict[str, Any], extensions: set[str]
) -> None:
    assert set(get_type_hints(shape)) - set(published) == extensions


def test_finish_reasons_are_openais() -> None:
    published = WHOLE["choices"]["items"]["properties"]["finish_reason"]["enum"]
    assert set(get_args(openai.FinishReason)) <= set(published)

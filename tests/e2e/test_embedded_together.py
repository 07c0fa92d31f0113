"""Several features in one request, by OpenAI's own client, from a real engine."""

from typing import Any

import openai
import pytest

pytestmark = pytest.mark.e2e

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"enum": ["Oslo", "Rome"]}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}]
FORM: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": PARAMETERS}}
ASKED: Any = {
    "model": "smollm2:135m",
    "messages": [{"role": "user", "content": "What is the weather in Rome?"}],
    "temperature": 0,
    "max_tokens": 60,
}


def test_two_forced_calls_in_one_stream(embedded: openai.OpenAI) -> None:
    with embedded.chat.completions.stream(
        **ASKED,
        n=2,
        tools=TOOLS,
        tool_choice="required",
        response_format=FORM,
        stream_options={"include_usage": True},
    ) as stream:
        answer = stream.get_final_completion()

    calls = [call for choice in answer.choices for call in choice.message.tool_calls or []]
    assert [choice.finish_reason for choice in answer.choices] == ["tool_calls"] * 2
    assert [call.function.name for call in calls] == ["weather"] * 2
    assert len({call.id for call in calls}) == 2
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 10


def test_two_checked_choices_with_log_probabilities(embedded: openai.OpenAI) -> None:
    answer = embedded.chat.completions.create(
        **ASKED, n=2, response_format=FORM, logprobs=True, top_logprobs=2
    )

    for choice in answer.choices:
        assert choice.message.content is not None
        assert choice.logprobs is not None
        tokens = choice.logprobs.content or []
        # llama.cpp leaves a first line break out of the text, and tells its token.
        assert "".join(token.token for token in tokens).lstrip() == choice.message.content
        assert {len(token.top_logprobs) for token in tokens} == {2}


def test_two_choices_of_two_prompts(embedded: openai.OpenAI) -> None:
    answer = embedded.completions.create(
        model="smollm2:135m",
        prompt=["One, two,", "Red, green,"],
        n=2,
        echo=True,
        max_tokens=4,
        extra_body={"raw": True},
    )

    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    starts = ["One, two,"] * 2 + ["Red, green,"] * 2
    for choice, start in zip(answer.choices, starts, strict=True):
        assert choice.text.startswith(start)

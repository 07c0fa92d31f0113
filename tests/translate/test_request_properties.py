"""Whatever a client sends is refused by name or goes up whole, to either kind of engine."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensoria.errors import RequestError
from tensoria.schemas import chat, completions, embeddings
from tensoria.translate.chat import to_ollama
from tensoria.translate.chat_passthrough import to_openai
from tensoria.translate.completions import to_generate
from tensoria.translate.completions_passthrough import to_openai_completion
from tensoria.translate.forced_call import to_forced
from tensoria.translate.structured import to_attempts
from tensoria.translate.traits import Version
from tests.translate.strategies import ANY_FIELD, FIELDS, JSON, Conversation, conversations

VERSIONS = st.sampled_from([None, (0, 9, 6), (0, 32, 15)])


def loaded(load: Any, body: dict[str, Any]) -> Any:
    """Return the request as it is after the wire and the schema, or None if it is refused by name.

    Every other exception is a fault.
    """
    try:
        return load(orjson.loads(orjson.dumps(body))).request
    except RequestError as error:
        refused = error
    assert refused.param
    return None


def to_both(request: Any, version: Version | None = None) -> tuple[Any, Any]:
    """Return what Ollama gets and what an engine that speaks OpenAI gets, as they read it."""
    native = to_ollama(
        request,
        model="m",
        max_tokens=5,
        temperature=0.5,
        keep_alive="5m",
        context_length=None,
        version=version,
    )
    passed = to_openai(request, model="m", max_tokens=5, temperature=0.5, progress=True)
    return orjson.loads(orjson.dumps(native)), orjson.loads(orjson.dumps(passed))


def in_order(texts: list[str], whole: str) -> bool:
    at = 0
    for text in texts:
        at = whole.find(text, at)
        if at < 0:
            return False
        at += len(text)
    return True


def check_ollama(told: Conversation, body: Any) -> None:
    sent = body["messages"]
    assert in_order(told.texts, "\n".join(message["content"] for message in sent))
    assert in_order(told.thoughts, "\n".join(message.get("thinking", "") for message in sent))
    assert [image for message in sent for image in message.get("images", ())] == told.images
    calls = [call["function"] for message in sent for call in message.get("tool_calls", ())]
    assert [(call["name"], call["arguments"]) for call in calls] == told.calls


def check_openai(told: Conversation, body: Any) -> None:
    sent = body["messages"]
    parts = [
        part
        for message in sent
        for part in (
            message["content"]
            if isinstance(message["content"], list)
            else [{"type": "text", "text": message["content"]}]
        )
    ]
    assert in_order(told.texts, "\n".join(part["text"] for part in parts if "text" in part))
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert [url.partition(",")[2] for url in urls] == told.images
    thoughts = "\n".join(message.get("reasoning_content", "") for message in sent)
    assert in_order(told.thoughts, thoughts)
    calls = [call["function"] for message in sent for call in message.get("tool_calls", ())]
    assert [(call["name"], orjson.loads(call["arguments"])) for call in calls] == told.calls


@given(conversations())
def test_no_text_thought_image_call_or_result_is_lost(told: Conversation) -> None:
    request = loaded(chat.load, {"messages": told.messages})
    assert request is not None
    native, passed = to_both(request)
    check_ollama(told, native)
    check_openai(told, passed)


@given(conversations())
def test_number_of_turns_is_kept_but_for_those_that_join(told: Conversation) -> None:
    """Leading system messages are one, for Ollama also calls behind the assistant's own words."""
    native, passed = to_both(loaded(chat.load, {"messages": told.messages}))
    leading = 0
    while leading < len(told.messages) and told.messages[leading]["role"] in (
        "system",
        "developer",
    ):
        leading += 1
    assert len(passed["messages"]) == len(told.messages) - max(0, leading - 1)
    of_others = [one for one in passed["messages"] if one["role"] != "assistant"]
    assert len([one for one in native["messages"] if one["role"] != "assistant"]) == len(of_others)


@given(conversations(), st.fixed_dictionaries({}, optional=FIELDS), VERSIONS)
def test_translation_of_a_request_that_was_taken_never_raises(
    told: Conversation, fields: dict[str, Any], version: Version | None
) -> None:
    request = loaded(chat.load, {**fields, "messages": told.messages})
    if request is None:
        return
    native, passed = to_both(request, version)
    check_ollama(told, native)
    check_openai(told, passed)
    if "tool_choice" in request:
        to_both(to_forced(request), version)
    if "response_format" in request:
        for attempt in to_attempts(request, retry=True):
            to_both(attempt, version)


@given(conversations(), st.dictionaries(ANY_FIELD, JSON, max_size=3), VERSIONS)
def test_field_with_any_value_is_refused_by_name_or_goes_up(
    told: Conversation, fields: dict[str, Any], version: Version | None
) -> None:
    request = loaded(chat.load, {**fields, "messages": told.messages})
    if request is not None:
        check_ollama(told, to_both(request, version)[0])


KEYS = [
    "role",
    "content",
    "type",
    "text",
    "name",
    "tool_calls",
    "function",
    "arguments",
    "image_url",
]
WORDS = ["user", "assistant", "tool", "system", "text", "image_url", "function", "", "{}", "f"]
# JSON of the words that messages are made of, most of it none.
LIKE_MESSAGES = st.recursive(
    st.sampled_from(WORDS) | st.none() | st.integers(0, 1),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), LIKE_MESSAGES, max_size=4), max_size=3))
def test_messages_of_any_shape_are_refused_by_name_or_go_up(messages: list[Any]) -> None:
    request = loaded(chat.load, {"messages": messages})
    if request is not None:
        to_both(request)


@given(st.lists(JSON | LIKE_MESSAGES, max_size=2), st.lists(LIKE_MESSAGES, max_size=2), JSON)
def test_tools_of_any_shape_are_refused_by_name_or_go_up(
    some: list[Any], others: list[Any], choice: Any
) -> None:
    tools = [*some, *({"type": "function", "function": other} for other in others)]
    body = {"messages": [{"role": "user"}], "tools": tools, "tool_choice": choice}
    request = loaded(chat.load, body)
    if request is not None:
        to_both(request)


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1), JSON, ANY_FIELD)
def test_prompt_goes_up_as_it_is(prompt: str, value: Any, name: str) -> None:
    request = loaded(completions.load, {"prompt": prompt, name: value})
    if request is None:
        return
    native = to_generate(
        request,
        request["prompt"][0],
        model="m",
        max_tokens=5,
        temperature=0.5,
        keep_alive=5,
        context_length=None,
    )
    assert native["prompt"] == prompt
    passed = to_openai_completion(
        request, prompt, model="m", max_tokens=5, temperature=0.5, llama_cpp=True
    )
    assert passed["prompt"] == prompt
    orjson.dumps([native, passed])


@pytest.mark.parametrize("field", ["input", "dimensions", "encoding_format", "options"])
@given(value=JSON)
def test_embedding_of_anything_is_refused_by_name_or_taken(field: str, value: Any) -> None:
    loaded(embeddings.load, {"input": "x", field: value})

"""Completions behind the Protocol: one prompt or several, on either kind of engine."""

from collections.abc import Callable
from typing import Any

import pytest

from tensoria.backends.llama_cpp import MAX_STREAMS
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.config import Settings
from tensoria.errors import BackendOverloaded, ContextLengthExceeded, TensoriaError
from tensoria.wire.completions import CompletionRequest, TextChunk
from tests.backends.conftest import ANSWER
from tests.backends.fake_openai import DONE, event, events, speak_openai
from tests.fake_ollama import (
    FakeOllama,
    Recording,
    answer_html,
    answer_json,
    close,
    generate_done_line,
    generate_line,
    hang,
    replay,
    stream,
)

PATH = "/api/generate"
COMPLETIONS = "/v1/completions"
OVERFLOW = replay(Recording.load("0.24.0", "generate-overflow-refused"))

Make = Callable[..., Any]


def request(*prompts: str, **fields: Any) -> CompletionRequest:
    return {"prompt": list(prompts or ["a"]), "stream": True, **fields}  # type: ignore[typeddict-item]


def run(backend: Any, *prompts: str, **fields: Any) -> list[TextChunk]:
    opened = backend.complete(request(*prompts, **fields), ANSWER)
    try:
        return [chunk for block in opened for chunk in block]
    finally:
        opened.close()


def failure(backend: Any, *prompts: str, **fields: Any) -> TensoriaError:
    with pytest.raises(TensoriaError) as caught:
        run(backend, *prompts, **fields)
    return caught.value


def texts(chunks: list[TextChunk]) -> list[tuple[int, str, str | None]]:
    return [
        (choice["index"], choice["text"], choice["finish_reason"])
        for chunk in chunks
        for choice in chunk["choices"]
    ]


def answer(text: str, prompt: int = 3, eval: int = 8) -> Any:
    return stream([generate_line(text), generate_done_line(prompt=prompt, eval=eval)])


def test_what_goes_up_to_ollama(fake: FakeOllama, make_backend: Make) -> None:
    run(make_backend(MAX_TOKENS="77", OLLAMA_CONTEXT_LENGTH="2048"), "The sky is", seed=1)

    assert fake.received(PATH)[0].json == {
        "model": "smollm2:135m",
        "prompt": "The sky is",
        "raw": True,
        "think": False,
        "stream": True,
        "truncate": False,
        "shift": False,
        "keep_alive": "5m",
        "options": {"num_predict": 77, "num_ctx": 2048, "temperature": 0.7, "seed": 1},
    }


def test_a_limit_above_the_ceiling_is_clamped_and_told(make_backend: Make) -> None:
    opened = make_backend(MAX_TOKENS_LIMIT="10").complete(request(max_tokens=500), ANSWER)
    opened.close()

    assert opened.adjusted == {"max_tokens": "10"}


def test_several_prompts_are_answered_in_their_order_and_counted_together(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, answer("A", 1, 2), answer("B", 3, 4), answer("C", 5, 6))
    chunks = run(make_backend(), "a", "b", "c", stream_options={"include_usage": True})

    assert texts(chunks) == [
        (0, "A", None),
        (0, "", "stop"),
        (1, "B", None),
        (1, "", "stop"),
        (2, "C", None),
        (2, "", "stop"),
    ]
    assert [r.json["prompt"] for r in fake.received(PATH)] == ["a", "b", "c"]
    assert chunks[-1]["usage"] == {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * 6


def test_prompts_run_one_after_the_other_on_one_connection(
    fake: FakeOllama, make_backend: Make
) -> None:
    backend = make_backend()
    run(backend, "a")
    opened = fake.connections_opened
    run(backend, *"bcdef")

    assert fake.connections_opened == opened
    assert len(fake.received(PATH)) == 6


def test_the_next_prompt_does_not_hold_back_the_end_of_the_one_before(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, answer("A"), hang)
    opened = make_backend().complete(request("a", "b"), ANSWER)
    found = list(next(opened))
    while not found[-1]["choices"][0]["finish_reason"]:
        found += next(opened)

    assert len(fake.received(PATH)) == 1
    assert not opened.finished
    opened.close()


def test_a_prompt_that_is_refused_comes_after_what_was_said(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, answer("A"), OVERFLOW)
    opened = make_backend().complete(request("a", "b"), ANSWER)
    found: list[TextChunk] = []
    with pytest.raises(ContextLengthExceeded) as caught:
        for block in opened:
            found += block
    opened.close()

    assert texts(found) == [(0, "A", None), (0, "", "stop")]
    assert caught.value.param == "prompt"


def test_the_first_prompt_is_refused_before_anything_is_said(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, OVERFLOW)
    with pytest.raises(ContextLengthExceeded, match="4096"):
        make_backend().complete(request("a", "b"), ANSWER)


def test_usage_so_far_is_known_when_a_later_prompt_breaks(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, answer("A", 1, 2), stream([generate_line("B"), close]))
    opened = make_backend().complete(request("a", "b"), ANSWER)
    assert opened.usage is None
    with pytest.raises(TensoriaError, match="broke"):
        list(opened)
    opened.close()

    assert opened.usage == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


def test_closing_in_the_middle_frees_the_engine_and_runs_no_further_prompt(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, stream([generate_line("A"), hang]))
    opened = make_backend().complete(request("a", "b"), ANSWER)
    next(opened)
    opened.close()

    fake.wait_for_disconnect(PATH, timeout=2)
    assert len(fake.received(PATH)) == 1


def test_an_answer_that_is_over_says_no_more(make_backend: Make) -> None:
    opened = make_backend().complete(request(), ANSWER)
    list(opened)

    assert list(opened) == []
    opened.close()


def test_a_model_that_cannot_fill_gaps_is_named_by_its_field(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, replay(Recording.load("0.32.15", "generate-suffix-unsupported")))
    error = failure(make_backend(), "def f(", suffix="return x")

    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", "suffix")
    sent = fake.received(PATH)[0].json
    assert (sent["raw"], sent["suffix"]) == (False, "return x")


def test_an_unknown_model_is_404(fake: FakeOllama, make_backend: Make) -> None:
    assert failure(make_backend(), model="absent").code == "model_not_found"
    assert fake.received(PATH) == []


# An engine that speaks OpenAI.


def choice(text: str = "", reason: str | None = None) -> bytes:
    return event(choices=[{"index": 0, "text": text, "finish_reason": reason}])


def counted(prompt: int, completion: int) -> bytes:
    return event(choices=[], usage={"prompt_tokens": prompt, "completion_tokens": completion})


HELLO = (choice("Hel"), choice("lo"), choice("", "stop"), counted(3, 2), DONE)


@pytest.fixture
def make_openai(fake: FakeOllama) -> Make:
    """Build the backend in front of the fake; `owned_by` is the kind of engine."""

    def build(owned_by: str = "vllm", **variables: str) -> OpenAIBackend:
        speak_openai(fake, "org/Model-1", owned_by=owned_by)
        fake.script(COMPLETIONS, events(*HELLO))
        variables = {"ENGINE": "openai", "ENGINE_BASE_URL": fake.url, **variables}
        return OpenAIBackend(Settings.from_env({"DEFAULT_MODEL": "org/model-1", **variables}))

    return build


def test_what_goes_up_to_an_engine_that_speaks_openai(fake: FakeOllama, make_openai: Make) -> None:
    run(make_openai(DEFAULT_TEMPERATURE="0.3", MAX_TOKENS="77"), "a", suffix="b", echo=True)

    assert fake.received(COMPLETIONS)[0].json == {
        "model": "org/Model-1",
        "prompt": "a",
        "suffix": "b",
        "max_tokens": 77,
        "temperature": 0.3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("owned_by", ["vllm", "llamacpp"])
def test_prompts_of_an_engine_that_speaks_openai(make_openai: Make, owned_by: str) -> None:
    fields = {"echo": True, "stream_options": {"include_usage": True}}
    chunks = run(make_openai(owned_by), "a", "b", **fields)

    assert texts(chunks) == [
        (0, "a", None),
        (0, "Hel", None),
        (0, "lo", None),
        (0, "", "stop"),
        (1, "b", None),
        (1, "Hel", None),
        (1, "lo", None),
        (1, "", "stop"),
    ]
    assert chunks[-1]["usage"] == {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10}
    assert {(c["id"], c["created"], c["model"]) for c in chunks} == {
        ("chatcmpl-test", 1_700_000_000, "org/Model-1")
    }


def test_an_engine_that_tells_no_usage_gets_none_made_up(
    fake: FakeOllama, make_openai: Make
) -> None:
    backend = make_openai()
    fake.script(COMPLETIONS, events(*HELLO), events(choice("a", "stop"), DONE))
    chunks = run(backend, "a", "b", stream_options={"include_usage": True})

    assert all(chunk["choices"] for chunk in chunks)


def test_an_overflow_of_such_an_engine_names_the_prompt(
    fake: FakeOllama, make_openai: Make
) -> None:
    backend = make_openai()
    body = {"error": {"message": "x", "type": "exceed_context_size_error", "n_ctx": 512}}
    fake.script(COMPLETIONS, answer_json(body, 400))
    error = failure(backend)

    assert (error.code, error.param) == ("context_length_exceeded", "prompt")


def test_llama_cpp_is_asked_for_progress(fake: FakeOllama, make_openai: Make) -> None:
    backend = make_openai("llamacpp")
    run(backend)

    assert fake.received(COMPLETIONS)[0].json["return_progress"] is True


def test_all_prompts_of_a_request_hold_one_thread_of_llama_cpp(
    fake: FakeOllama, make_openai: Make
) -> None:
    """A second prompt must not find the house full in the middle of an answer."""
    backend = make_openai("llamacpp")
    opened = [backend.complete(request("a", "b"), ANSWER) for _ in range(MAX_STREAMS)]
    with pytest.raises(BackendOverloaded):
        backend.complete(request(), ANSWER)
    for one in opened:
        one.close()
        one.close()

    assert len(texts(run(backend))) == 3


def test_a_failure_gives_the_thread_of_llama_cpp_back(fake: FakeOllama, make_openai: Make) -> None:
    backend = make_openai("llamacpp")
    fake.script(COMPLETIONS, answer_html(502))
    codes = {failure(backend).code for _ in range(MAX_STREAMS + 1)}

    assert codes == {"engine_error"}

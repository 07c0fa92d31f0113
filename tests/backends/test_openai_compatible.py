"""An engine that speaks OpenAI, behind the same Protocol."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tensoria.backends.llama_cpp import MAX_STREAMS
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.config import Settings
from tensoria.errors import BackendError, TensoriaError
from tensoria.translate.traits import Traits
from tensoria.wire.openai import ChatRequest, Chunk
from tests.backends.conftest import ANSWER
from tests.backends.fake_openai import CHAT, DONE, HELLO, delta, event, events, speak_openai, usage
from tests.fake_ollama import (
    FakeOllama,
    Handler,
    answer_html,
    answer_json,
    answer_text,
    close,
    hang,
    reset,
    stream,
)

Make = Callable[..., OpenAIBackend]


@pytest.fixture
def make(fake: FakeOllama) -> Make:
    """Build the backend in front of the fake; keywords are settings."""
    speak_openai(fake, "org/Model-1")

    def build(**variables: str) -> OpenAIBackend:
        variables = {"ENGINE": "openai", "ENGINE_BASE_URL": fake.url, **variables}
        return OpenAIBackend(Settings.from_env({"DEFAULT_MODEL": "org/model-1", **variables}))

    return build


def request(**fields: Any) -> ChatRequest:
    return {"messages": [{"role": "user", "content": "Hi"}], "stream": True, **fields}  # type: ignore[typeddict-item]


def run(backend: OpenAIBackend, **fields: Any) -> list[Chunk]:
    opened = backend.chat(request(**fields), ANSWER)
    try:
        return [chunk for block in opened for chunk in block]
    finally:
        opened.close()


def text(chunks: list[Chunk]) -> str:
    return "".join(
        choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]
    )


def failure(backend: OpenAIBackend, **fields: Any) -> TensoriaError:
    with pytest.raises(TensoriaError) as caught:
        run(backend, **fields)
    return caught.value


def test_an_answer_is_made_regular(make: Make) -> None:
    """Our id and time, one role chunk, one finish chunk, no usage that was not asked for."""
    chunks = run(make())

    assert {(c["id"], c["created"], c["model"]) for c in chunks} == {
        ("chatcmpl-test", 1_700_000_000, "org/Model-1")
    }
    assert [c["choices"][0]["delta"] for c in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "Hel"},
        {"content": "lo"},
        {},
    ]
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None, None, None, "stop"]


def test_usage_comes_last_when_asked_for(make: Make) -> None:
    last = run(make(), stream_options={"include_usage": True})[-1]

    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_what_goes_up(fake: FakeOllama, make: Make) -> None:
    run(
        make(DEFAULT_TEMPERATURE="0.3", MAX_TOKENS="77"),
        model="ORG/model-1",
        stream=False,
        top_p=0.5,
        stop=["x"],
        seed=1,
    )

    assert fake.received(CHAT)[0].json == {
        "model": "org/Model-1",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 77,
        "temperature": 0.3,
        "top_p": 0.5,
        "stop": ["x"],
        "seed": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("owned_by", "expected"),
    [
        ("llamacpp", {"enable_thinking": True, "reasoning_effort": "low"}),
        ("vllm", None),
    ],
)
def test_default_effort_is_sent_in_the_engines_own_words(
    fake: FakeOllama, make: Make, owned_by: str, expected: dict[str, Any] | None
) -> None:
    backend = make(DEFAULT_REASONING_EFFORT="low")
    speak_openai(fake, "org/model-1", owned_by=owned_by)
    run(backend)
    sent = fake.received(CHAT)[0].json

    assert sent.get("chat_template_kwargs") == expected
    assert sent.get("reasoning_effort") == (None if expected else "low")


@pytest.mark.parametrize(("owned_by", "asked"), [("llamacpp", True), ("vllm", None)])
def test_progress_is_asked_of_llama_cpp_alone(
    fake: FakeOllama, make: Make, owned_by: str, asked: bool | None
) -> None:
    backend = make()
    speak_openai(fake, "org/model-1", owned_by=owned_by)
    run(backend)

    assert fake.received(CHAT)[0].json.get("return_progress") is asked


def test_progress_is_no_answer_and_keeps_the_first_token_limit(
    fake: FakeOllama, make: Make
) -> None:
    progress = event(
        choices=[{"index": 0, "delta": {"role": "assistant", "content": None}}],
        prompt_progress={"total": 9, "processed": 1},
    )
    backend = make(OLLAMA_TIMEOUT="0.3")
    fake.script(CHAT, events(progress, hang))
    started = time.monotonic()
    error = failure(backend)

    assert error.status == 504
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_the_base_url_may_have_its_version_or_not(fake: FakeOllama, make: Make, path: str) -> None:
    assert text(run(make(ENGINE_BASE_URL=f"{fake.url}{path}"))) == "Hello"


def test_a_base_url_with_a_path_of_its_own_is_taken_as_it_is(fake: FakeOllama, make: Make) -> None:
    speak_openai(fake, "org/model-1", prefix="/serving/openai")

    assert text(run(make(ENGINE_BASE_URL=f"{fake.url}/serving/openai"))) == "Hello"


@pytest.mark.parametrize(("key", "sent"), [("sk-engine", "Bearer sk-engine"), ("", None)])
def test_the_engines_own_key_goes_up(
    fake: FakeOllama, make: Make, key: str, sent: str | None
) -> None:
    run(make(ENGINE_API_KEY=key, API_KEY="ours"))

    assert {r.headers.get("authorization") for r in fake.requests} == {sent}


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_the_engine_refuses_is_our_operators_fault(
    fake: FakeOllama, make: Make, status: int
) -> None:
    """A 401 would send the client looking for a fault in its own key."""
    backend = make()
    fake.script(CHAT, answer_json({"error": {"message": "Incorrect API key: sk-123"}}, status))
    error = failure(backend)

    assert (error.status, error.code) == (502, "engine_error")
    assert "sk-123" not in error.message


@pytest.mark.parametrize(
    "handler",
    [
        answer_html(502),
        answer_html(200),
        answer_text("Not Found", 404),
        answer_json({"error": {"code": 404, "message": "File Not Found"}}, 404),
        answer_json({"error": {"message": "no"}}, 401),
        answer_json({"error": {"message": "boom"}}, 500),
        answer_json({"error": {"message": "bad request"}}, 400),
        answer_json([1]),
        answer_json({"data": None}),
        answer_json({"data": "text"}),
        answer_json({"data": [None]}),
        answer_json({"data": [{"id": 5}]}),
        answer_json({"data": [{"name": "x"}]}),
        close,
    ],
)
def test_a_list_of_models_that_is_none_is_502(
    fake: FakeOllama, make: Make, handler: Handler
) -> None:
    backend = make()
    fake.script("/v1/models", handler)
    errors = [failure(backend)]
    with pytest.raises(TensoriaError) as listing:
        backend.models()

    assert {(e.status, e.code) for e in [*errors, listing.value]} == {(502, "engine_error")}


def test_an_unknown_name_is_404_with_the_nearest(fake: FakeOllama, make: Make) -> None:
    """llama.cpp takes any name and echoes it, so the name is checked before."""
    error = failure(make(), model="org/model-2")

    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert "org/model-1" in error.message.lower()
    assert "ollama pull" not in error.message
    assert fake.received(CHAT) == []


def test_models_have_a_stable_date_and_the_owner_that_was_set(fake: FakeOllama, make: Make) -> None:
    """llama.cpp says the time of the question."""
    backend = make(ENGINE_LABEL="tensoria-demo")
    speak_openai(fake, "a", owned_by="llamacpp")
    before = int(time.time())
    first = backend.models()
    speak_openai(fake, "a", owned_by="llamacpp", created=999)
    time.sleep(2.1)  # until the list is too old to be told again

    assert backend.models() == first
    assert first[0]["owned_by"] == "tensoria-demo"
    assert before <= first[0]["created"] <= before + 1


@pytest.mark.parametrize(
    ("created", "expected"), [(5, 5), (None, 0), ("2024-01-01", 0), ("x", 0), ([], 0), (5.5, 5)]
)
def test_a_date_that_is_none_is_no_fault_of_ours(
    fake: FakeOllama, make: Make, created: object, expected: int
) -> None:
    backend = make()
    speak_openai(fake, "a", created=created)

    assert backend.model("a") == {
        "id": "a",
        "object": "model",
        "created": expected,
        "owned_by": "vllm",
    }


def test_an_overflow_has_the_engines_numbers(fake: FakeOllama, make: Make) -> None:
    backend = make()
    detail = {
        "code": 400,
        "message": "request (5000 tokens) exceeds the available context size (4096 tokens)",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 5000,
        "n_ctx": 4096,
    }
    fake.script(CHAT, answer_json({"error": detail}, 400))
    error = failure(backend)

    assert (error.status, error.code, error.param) == (400, "context_length_exceeded", "messages")
    assert "maximum context length is 4096 tokens" in error.message
    assert "resulted in 5000 tokens" in error.message


@pytest.mark.parametrize(
    ("handler", "status"),
    [
        (events(delta("Hel"), close), 502),
        (events(delta("Hel"), reset), 502),
        (events(delta("Hel")), 502),
        (events(delta("Hel"), DONE), 502),
        (events(), 502),
        (events(event(error={"message": "boom"})), 502),
        (events(delta("Hel"), event(error={"message": "boom"})), 502),
        (events(b"data: no JSON\n\n"), 502),
        (events(b"data: [1]\n\n"), 502),
        (events(event(choices=[None])), 502),
        (events(event(choices="text")), 502),
        (events(event(choices=[{"delta": "text"}])), 502),
        (events(event(choices=[{"delta": {"content": 5}}]), *HELLO), 502),
        (answer_html(200), 502),
        (answer_json({"choices": []}), 502),
        (hang, 504),
        (events(delta("Hel"), hang), 504),
        (answer_json({"error": {"message": "busy"}}, 503), 503),
        (answer_text("no", 500), 502),
    ],
)
def test_what_an_engines_fault_becomes(
    fake: FakeOllama, make: Make, handler: Handler, status: int
) -> None:
    backend = make(OLLAMA_TIMEOUT="0.4", STREAM_IDLE_TIMEOUT="0.4")
    fake.script(CHAT, handler)

    assert failure(backend).status == status


def test_text_before_a_death_in_the_middle_is_not_lost(fake: FakeOllama, make: Make) -> None:
    backend = make()
    fake.script(CHAT, events(delta("Hel"), close))
    opened = backend.chat(request(), ANSWER)
    got: list[Chunk] = []
    with pytest.raises(BackendError):
        for block in opened:
            got += block
    opened.close()

    assert text(got) == "Hel"
    assert not opened.finished


def test_events_cut_anywhere_are_the_same_answer(fake: FakeOllama, make: Make) -> None:
    backend = make()
    whole = b"".join((delta("Grüße "), delta("🙂"), delta(finish="length"), usage(), DONE))
    fake.script(CHAT, events(*(whole[at : at + 7] for at in range(0, len(whole), 7))))
    chunks = run(backend)

    assert text(chunks) == "Grüße 🙂"
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"


def test_a_finish_reason_on_the_last_delta_is_a_chunk_of_its_own(
    fake: FakeOllama, make: Make
) -> None:
    """vLLM and LiteLLM put them together."""
    backend = make()
    fake.script(CHAT, events(delta("Hi", finish="stop"), DONE))

    assert [c["choices"][0]["finish_reason"] for c in run(backend)] == [None, None, "stop"]


def test_open_streams_of_llama_cpp_are_capped_and_released(fake: FakeOllama, make: Make) -> None:
    """It holds one of its 64 HTTP threads for each, and /health of its own needs one too."""
    backend = make()
    speak_openai(fake, "org/model-1", owned_by="llamacpp")
    gate = threading.Event()
    fake.script(CHAT, events(gate, *HELLO))
    opened = [backend.chat(request(), ANSWER) for _ in range(MAX_STREAMS)]
    refused = failure(backend)
    opened[0].close()
    opened[0].close()
    again = backend.chat(request(), ANSWER)
    refused_again = failure(backend)
    gate.set()
    for each in [*opened, again]:
        each.close()

    assert (refused.status, refused.code) == (503, "overloaded")
    assert refused.headers["Retry-After"]
    assert refused_again.code == "overloaded"
    assert text(run(backend)) == "Hello"


def test_a_refused_request_does_not_keep_its_place(fake: FakeOllama, make: Make) -> None:
    backend = make()
    speak_openai(fake, "org/model-1", owned_by="llamacpp")
    fake.script(CHAT, answer_json({"error": {"message": "no"}}, 400))
    statuses = {failure(backend).status for _ in range(MAX_STREAMS + 2)}

    assert statuses == {400}


def test_closing_early_frees_the_engine(fake: FakeOllama, make: Make) -> None:
    backend = make()
    fake.script(CHAT, events(delta("Hel"), hang))
    opened = backend.chat(request(), ANSWER)
    next(opened)
    opened.close()

    fake.wait_for_disconnect(CHAT, timeout=2)


def test_answers_read_to_their_end_share_a_connection(fake: FakeOllama, make: Make) -> None:
    backend = make()
    for _ in range(20):
        run(backend)

    assert fake.connections_opened == 1


def test_an_engine_that_is_down_is_503(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    backend = make(ENGINE_BASE_URL=f"http://127.0.0.1:{port}")

    assert failure(backend, model="absent").code == "engine_unavailable"
    with pytest.raises(TensoriaError) as caught:
        backend.status()
    assert caught.value.status == 503


def test_the_status_of_a_good_engine(make: Make) -> None:
    status = make().status()

    assert (status.kind, status.version, status.warnings) == ("openai", None, ())


@pytest.mark.parametrize(("models", "word"), [([], "no model"), (["other"], "DEFAULT_MODEL")])
def test_a_status_with_a_warning(
    fake: FakeOllama, make: Make, models: list[str], word: str
) -> None:
    backend = make()
    speak_openai(fake, *models)
    (warning,) = backend.status().warnings

    assert word in warning


def test_a_stream_is_what_is_asked_of_the_engine_even_when_it_answers_whole(
    fake: FakeOllama, make: Make
) -> None:
    backend = make()
    fake.script(CHAT, stream([b"{}\n"]))

    assert failure(backend).code == "engine_error"


def test_traits_tell_llama_cpp_from_other_engines(fake: FakeOllama, make: Make) -> None:
    assert make().traits(None) == Traits("openai", "org/Model-1")
    speak_openai(fake, "smollm2", owned_by="llamacpp")
    assert make().traits("smollm2") == Traits("llamacpp", "smollm2")


def test_an_overflow_is_refused_where_nothing_can_be_cut(fake: FakeOllama, make: Make) -> None:
    """The setting has no effect here, and /ready says so."""
    words = "This model's maximum context length is 8 tokens. However, you requested 9 tokens."
    backend = make(CONTEXT_OVERFLOW="truncate")
    fake.script(CHAT, answer_json({"error": {"message": words}}, 400))
    (warning,) = backend.status().warnings

    assert failure(backend).code == "context_length_exceeded"
    assert len(fake.received(CHAT)) == 1
    assert "CONTEXT_OVERFLOW" in warning

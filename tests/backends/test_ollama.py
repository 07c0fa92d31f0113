"""Ollama behind the Protocol: names, what goes on the wire, limits, refusals, and /ready."""

import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tensoria.backends.ollama import OllamaBackend
from tensoria.errors import BackendError, TensoriaError
from tensoria.translate.traits import Traits
from tensoria.wire.openai import ChatRequest, Chunk
from tests.backends.conftest import ANSWER
from tests.fake_ollama import (
    FAULTS,
    FakeOllama,
    answer_html,
    answer_json,
    answer_text,
    chat_line,
    close,
    done_line,
    hang,
    model_entry,
    stream,
)

Make = Callable[..., OllamaBackend]
ERRORS = {
    "engine_error": 502,
    "engine_unavailable": 503,
    "model_load_failed": 503,
    "timeout": 504,
}


def request(**fields: Any) -> ChatRequest:
    return {"messages": [{"role": "user", "content": "Hi"}], "stream": True, **fields}  # type: ignore[typeddict-item]


def run(backend: OllamaBackend, **fields: Any) -> list[Chunk]:
    opened = backend.chat(request(**fields), ANSWER)
    try:
        return [chunk for block in opened for chunk in block]
    finally:
        opened.close()


def text(chunks: list[Chunk]) -> str:
    return "".join(
        choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]
    )


def failure(backend: OllamaBackend, **fields: Any) -> TensoriaError:
    with pytest.raises(TensoriaError) as caught:
        run(backend, **fields)
    return caught.value


def sent(fake: FakeOllama) -> dict[str, Any]:
    body: dict[str, Any] = fake.received("/api/chat")[-1].json
    return body


@pytest.mark.parametrize("name", ["smollm2:135m", "SmolLM2:135M", " smollm2:135m "])
def test_a_name_is_found_in_any_case_and_its_own_spelling_goes_up(
    fake: FakeOllama, make_backend: Make, name: str
) -> None:
    assert text(run(make_backend(), model=name)) == "Hello"
    assert sent(fake)["model"] == "smollm2:135m"


@pytest.mark.parametrize("name", ["mistral", "Mistral", "mistral:latest", "library/mistral"])
def test_latest_is_understood(fake: FakeOllama, make_backend: Make, name: str) -> None:
    fake.models = [model_entry("mistral:latest")]
    run(make_backend(), model=name)

    assert sent(fake)["model"] == "mistral:latest"


@pytest.mark.parametrize("fields", [{}, {"model": ""}])
def test_without_a_name_the_default_model_answers(
    fake: FakeOllama, make_backend: Make, fields: dict[str, str]
) -> None:
    chunks = run(make_backend(), **fields)

    assert sent(fake)["model"] == "smollm2:135m"
    assert {chunk["model"] for chunk in chunks} == {"smollm2:135m"}


def test_an_unknown_name_is_404_with_the_nearest_names_and_the_line_to_type(
    fake: FakeOllama, make_backend: Make
) -> None:
    """And never the default model in its place."""
    error = failure(make_backend(), model="smollm:135m")

    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert "smollm2:135m" in error.message
    assert "ollama pull smollm:135m" in error.message
    assert fake.received("/api/chat") == []


def test_a_missing_default_model_says_that_it_is_the_default(make_backend: Make) -> None:
    error = failure(make_backend(DEFAULT_MODEL="absent"))

    assert error.code == "model_not_found"
    assert "DEFAULT_MODEL" in error.message
    assert "ollama pull absent" in error.message


def test_a_name_of_kilobytes_does_not_flood_the_message(make_backend: Make) -> None:
    assert len(failure(make_backend(), model="x" * 100_000).message) < 1000


@pytest.mark.parametrize("name", ["gpt-oss:120b-cloud", "kimi:cloud", "Qwen3:CLOUD"])
def test_a_cloud_model_is_refused_before_anything_leaves(
    fake: FakeOllama, make_backend: Make, name: str
) -> None:
    error = failure(make_backend(), model=name)

    assert (error.status, error.code, error.param) == (400, "model_not_allowed", "model")
    assert fake.received("/api/chat") == []


def test_a_model_with_a_remote_host_is_refused_under_any_name(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.models = [model_entry("harmless:latest", remote_host="https://ollama.com:443")]

    assert failure(make_backend(), model="harmless").code == "model_not_allowed"
    assert fake.received("/api/chat") == []


def test_cloud_models_run_when_they_are_allowed(fake: FakeOllama, make_backend: Make) -> None:
    fake.models = [model_entry("harmless:latest", remote_host="https://ollama.com:443")]
    run(make_backend(ALLOW_CLOUD_MODELS="1"), model="harmless")

    assert sent(fake)["model"] == "harmless:latest"


def with_parameters(fake: FakeOllama, parameters: str) -> None:
    fake.script("/api/show", answer_json({"parameters": parameters}))


@pytest.mark.parametrize(
    ("parameters", "asked", "expected"),
    [
        ("", 0, 0),
        ("temperature   0.2", 1.5, 1.5),
        ("stop   x\ntemperature   0.2", None, None),
        ('stop   "temperature"', None, 0.3),
        ("", None, 0.3),
    ],
    ids=["client's zero", "client over model", "model's own", "a stop of that name", "default"],
)
def test_which_temperature_holds(
    fake: FakeOllama, make_backend: Make, parameters: str, asked: float | None, expected: object
) -> None:
    with_parameters(fake, parameters)
    run(
        make_backend(DEFAULT_TEMPERATURE="0.3"),
        **({} if asked is None else {"temperature": asked}),
    )

    assert sent(fake)["options"].get("temperature") == expected


def test_a_models_own_temperature_is_asked_for_once(fake: FakeOllama, make_backend: Make) -> None:
    backend = make_backend()
    for _ in range(5):
        run(backend)

    assert len(fake.received("/api/show")) == 1


def test_a_model_pulled_anew_is_asked_for_its_temperature_again(
    fake: FakeOllama, make_backend: Make
) -> None:
    backend = make_backend()
    run(backend)
    fake.models = [model_entry(digest="f" * 64)]
    _until(lambda: bool(run(backend)) and len(fake.received("/api/show")) == 2, seconds=4)


def _until(condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("setting", "on_the_wire"), [("300", 300), ("-1", -1), ("5m", "5m"), ("", "5m")]
)
def test_keep_alive_on_the_wire(
    fake: FakeOllama, make_backend: Make, setting: str, on_the_wire: object
) -> None:
    run(make_backend(OLLAMA_KEEP_ALIVE=setting))

    assert sent(fake)["keep_alive"] == on_the_wire


@pytest.mark.parametrize(("setting", "on_the_wire"), [("", None), ("8192", 8192)])
def test_num_ctx_goes_up_always_or_never(
    fake: FakeOllama, make_backend: Make, setting: str, on_the_wire: int | None
) -> None:
    backend = make_backend(OLLAMA_CONTEXT_LENGTH=setting)
    run(backend)
    run(backend, max_tokens=5, temperature=1)

    contexts = [asked.json["options"].get("num_ctx") for asked in fake.received("/api/chat")]
    assert contexts == [on_the_wire] * 2


@pytest.mark.parametrize("streamed", [True, False])
def test_the_engine_is_asked_to_stream_and_never_to_forget(
    fake: FakeOllama, make_backend: Make, streamed: bool
) -> None:
    run(make_backend(), stream=streamed)

    body = sent(fake)
    assert (body["stream"], body["truncate"], body["shift"]) == (True, False, False)


def test_a_limit_over_the_ceiling_is_clamped_and_told(fake: FakeOllama, make_backend: Make) -> None:
    opened = make_backend(MAX_TOKENS_LIMIT="100").chat(request(max_tokens=5000), ANSWER)
    opened.close()

    assert opened.adjusted == {"max_tokens": "100"}
    assert sent(fake)["options"]["num_predict"] == 100


def test_every_chunk_has_the_answers_id_time_and_fingerprint(make_backend: Make) -> None:
    chunks = run(make_backend())

    assert {(c["id"], c["created"]) for c in chunks} == {("chatcmpl-test", 1_700_000_000)}
    (fingerprint,) = {c["system_fingerprint"] for c in chunks}
    assert re.fullmatch(r"fp_[0-9a-f]{10}", str(fingerprint))


def test_an_engine_that_is_down_is_503_and_never_a_missing_model(make_backend: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    backend = make_backend(OLLAMA_BASE_URL=f"http://127.0.0.1:{port}")
    errors = [failure(backend, model="absent"), failure(backend)]
    with pytest.raises(TensoriaError) as listing:
        backend.models()

    assert {e.code for e in [*errors, listing.value]} == {"engine_unavailable"}
    assert {e.status for e in errors} == {503}


def test_a_name_that_does_not_resolve_is_503(make_backend: Make) -> None:
    error = failure(make_backend(OLLAMA_BASE_URL="http://engine.invalid:11434"))

    assert (error.status, error.code) == (503, "engine_unavailable")


@pytest.mark.parametrize(
    "handler",
    [
        answer_html(502),
        answer_html(200),
        answer_text("404 page not found", 404),
        answer_json({"error": {"code": 404, "message": "File Not Found"}}, 404),
        answer_json({"error": "bad request"}, 400),
        answer_text("", 403),
        answer_json([1]),
        close,
    ],
    ids=["502", "200", "404", "404 in JSON", "400", "403", "a list", "closed"],
)
def test_something_else_than_an_ollama_is_502_and_never_a_missing_model(
    fake: FakeOllama, make_backend: Make, handler: Any
) -> None:
    fake.script("/api/tags", handler)
    error = failure(make_backend(), model="smollm2:135m")

    assert (error.status, error.code) == (502, "engine_error")


def test_a_list_without_models_is_an_empty_list(fake: FakeOllama, make_backend: Make) -> None:
    fake.script("/api/tags", answer_json({"models": None}))

    assert make_backend().models() == []


def test_entries_that_are_no_models_are_passed_over(fake: FakeOllama, make_backend: Make) -> None:
    fake.script("/api/tags", answer_json({"models": [None, {"name": 5}, model_entry("a:b")]}))

    assert [model["id"] for model in make_backend().models()] == ["a:b"]


def test_models_are_listed_newest_first_with_their_own_date(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.models = [
        model_entry("old:1", modified_at="2024-01-01T00:00:00.123456789Z"),
        model_entry("hf.co/org/new:2", modified_at="2026-01-01T01:00:00+01:00"),
    ]

    assert make_backend(OLLAMA_CONTEXT_LENGTH="8192").models() == [
        {
            "id": "hf.co/org/new:2",
            "object": "model",
            "created": 1_767_225_600,
            "owned_by": "hf.co/org",
            "context_length": 8192,
            "trained_context_length": 8192,
            "capabilities": ["completion"],
        },
        {
            "id": "old:1",
            "object": "model",
            "created": 1_704_067_200,
            "owned_by": "library",
            "context_length": 8192,
            "trained_context_length": 8192,
            "capabilities": ["completion"],
        },
    ]


def test_one_model_is_found_in_any_spelling(make_backend: Make) -> None:
    assert make_backend().model("SMOLLM2:135m")["id"] == "smollm2:135m"


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_fault_ends_in_an_answer_or_in_an_error_of_the_engine(
    fake: FakeOllama, make_backend: Make, fault: str
) -> None:
    """Never an exception that is not ours, never an end without a finish chunk."""
    fake.script("/api/chat", FAULTS[fault])
    backend = make_backend(OLLAMA_TIMEOUT="0.3", STREAM_IDLE_TIMEOUT="0.3")
    try:
        chunks = run(backend)
    except TensoriaError as error:
        assert error.status == ERRORS[error.code]  # noqa: PT017  # an answer is good as well
    else:
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("hang before headers", 504),
        ("hang after headers", 504),
        ("hang after a line", 504),
        ("close after a line", 502),
        ("reset after headers", 502),
        ("html", 502),
        ("html with status 200", 502),
        ("not http", 502),
        ("end without done", 502),
        ("done without a reason", 502),
        ("error line after a line", 502),
        ("chunk size that is none", 502),
        ("empty body", 502),
    ],
)
def test_what_a_fault_becomes(
    fake: FakeOllama, make_backend: Make, fault: str, status: int
) -> None:
    fake.script("/api/chat", FAULTS[fault])
    backend = make_backend(OLLAMA_TIMEOUT="0.3", STREAM_IDLE_TIMEOUT="0.3")

    assert failure(backend).status == status


@pytest.mark.parametrize("fault", ["one byte at a time", "giant line", "two done lines"])
def test_what_looks_odd_and_is_an_answer_stays_one(
    fake: FakeOllama, make_backend: Make, fault: str
) -> None:
    fake.script("/api/chat", FAULTS[fault])
    said = text(run(make_backend()))

    assert {"one byte at a time": "Grüße 🙂", "two done lines": "Hello"}.get(fault, said) == said
    assert len(said) >= 5


def test_text_before_an_error_in_the_middle_is_not_lost(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script("/api/chat", FAULTS["error line after a line"])
    opened = make_backend().chat(request(), ANSWER)
    got: list[Chunk] = []
    with pytest.raises(BackendError):
        for block in opened:
            got += block
    opened.close()

    assert text(got) == "Hel"


def overflow(fake: FakeOllama) -> None:
    error = {"error": "the input length exceeds the context length"}
    fake.script("/api/chat", answer_json(error, 400))


def test_an_overflow_names_the_context_that_ps_tells(fake: FakeOllama, make_backend: Make) -> None:
    overflow(fake)
    error = failure(make_backend())

    assert (error.status, error.code, error.param) == (400, "context_length_exceeded", "messages")
    assert "This model's maximum context length is 4096 tokens." in error.message


def test_an_overflow_names_the_context_that_was_set(fake: FakeOllama, make_backend: Make) -> None:
    overflow(fake)

    assert "is 2048 tokens" in failure(make_backend(OLLAMA_CONTEXT_LENGTH="2048")).message


def test_an_overflow_is_one_even_when_ps_does_not_answer(
    fake: FakeOllama, make_backend: Make
) -> None:
    overflow(fake)
    backend = make_backend()
    failure(backend)
    time.sleep(0.6)  # until what was told of loaded models is too old to be named
    fake.script("/api/ps", close)

    assert failure(backend).code == "context_length_exceeded"


def test_many_at_once_ask_for_the_list_of_models_once(fake: FakeOllama, make_backend: Make) -> None:
    backend = make_backend(MAX_CONCURRENCY="16")
    threads = [threading.Thread(target=run, args=(backend,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(fake.received("/api/chat")) == 16
    assert len(fake.received("/api/tags")) == 1
    assert len(fake.received("/api/ps")) == 1


def test_a_wrong_name_again_and_again_does_not_flood_the_engine(
    fake: FakeOllama, make_backend: Make
) -> None:
    backend = make_backend()
    started = time.monotonic()
    for _ in range(50):
        failure(backend, model="absent")
    seconds = time.monotonic() - started

    assert len(fake.received("/api/tags")) <= 2 + seconds / 0.4


def test_a_model_pulled_a_moment_ago_is_found_within_a_second(
    fake: FakeOllama, make_backend: Make
) -> None:
    backend = make_backend()
    failure(backend, model="new")
    fake.models.append(model_entry("new:latest"))

    _until(lambda: _found(backend, "new"), seconds=1)


def _found(backend: OllamaBackend, name: str) -> bool:
    try:
        return backend.model(name)["id"] == f"{name}:latest"
    except TensoriaError:
        return False


def test_a_stream_closed_before_its_first_block_frees_the_engine(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script("/api/chat", stream([hang]))
    make_backend().chat(request(), ANSWER).close()

    fake.wait_for_disconnect(timeout=2)


def test_streamed_answers_read_to_their_end_share_a_connection(
    fake: FakeOllama, make_backend: Make
) -> None:
    backend = make_backend()
    for _ in range(20):
        assert text(run(backend)) == "Hello"

    assert fake.connections_opened == 1


def test_the_status_of_a_good_engine_has_no_warning(make_backend: Make) -> None:
    status = make_backend().status()

    assert (status.kind, status.version, status.warnings) == ("ollama", "0.32.15", ())


def test_an_engine_without_models_is_ready_with_a_warning(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.models = []
    (warning,) = make_backend(DEFAULT_MODEL="mistral").status().warnings

    assert "ollama pull mistral" in warning


def test_a_missing_default_model_is_a_warning(make_backend: Make) -> None:
    (warning,) = make_backend(DEFAULT_MODEL="absent").status().warnings

    assert "absent" in warning
    assert "DEFAULT_MODEL" in warning


@pytest.mark.parametrize(
    ("version", "warned"),
    [
        ("0.9.6", True),
        ("0.12.5", True),
        ("0.12.6", False),
        ("0.12.6-rc1", False),
        ("0.0.0", False),
        ("1.0.0", False),
        ("dev", False),
    ],
)
def test_a_release_that_cuts_long_prompts_is_a_warning(
    fake: FakeOllama, make_backend: Make, version: str, warned: bool
) -> None:
    fake.script("/api/version", answer_json({"version": version}))
    status = make_backend().status()

    assert status.version == version
    assert any("0.12.6" in warning for warning in status.warnings) is warned


def test_a_dead_engine_is_asked_once_for_many_probes(fake: FakeOllama, make_backend: Make) -> None:
    fake.script("/api/version", close)
    backend = make_backend()
    for _ in range(5):
        with pytest.raises(BackendError):
            backend.status()

    assert len(fake.received("/api/version")) == 1


def test_a_cloud_name_goes_up_as_it_is_when_allowed(fake: FakeOllama, make_backend: Make) -> None:
    """Ollama runs it without a pull, so no list has it."""
    fake.script("/api/show", answer_json({"capabilities": ["completion"]}))
    fake.script("/api/chat", stream([chat_line("Hi"), done_line()]))

    assert text(run(make_backend(ALLOW_CLOUD_MODELS="1"), model="gpt-oss:120b-cloud")) == "Hi"
    assert sent(fake)["model"] == "gpt-oss:120b-cloud"


def test_a_line_without_an_end_is_502(
    fake: FakeOllama, make_backend: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensoria.backends.ollama.MAX_LINE_BYTES", 1000)
    fake.script("/api/chat", stream([chat_line("Hel"), b"x" * 2000, hang]))

    assert failure(make_backend()).code == "engine_error"
    fake.wait_for_disconnect(timeout=2)


def test_traits_are_those_of_the_release_and_the_model(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.models = [model_entry("smollm2:135m")]
    fake.models[0]["capabilities"] = ["completion", "tools"]

    assert make_backend().traits("SmolLM2:135m") == Traits(
        "ollama", "smollm2:135m", (0, 32, 15), frozenset({"completion", "tools"})
    )


def test_capabilities_that_the_list_lacks_are_asked_for_once(
    fake: FakeOllama, make_backend: Make
) -> None:
    """Before 0.30 only /api/show tells them."""
    fake.script("/api/tags", *[answer_json({"models": [{"name": "m:latest"}]})] * 3)
    fake.script("/api/show", answer_json({"capabilities": ["completion", "insert"]}))
    backend = make_backend()

    assert backend.traits("m").capabilities == {"completion", "insert"}
    assert backend.traits("m").capabilities == {"completion", "insert"}
    assert len(fake.received("/api/show")) == 1

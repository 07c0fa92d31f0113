"""What each error of an engine becomes, as a table of (status, body) to (class, code, param).

The texts are those of `ollama-api.md`, sections 2 and 8.9.
"""

import json
from typing import Any

import pytest

from tensoria.errors import (
    BackendError,
    BackendOverloaded,
    ContextLengthExceeded,
    InvalidRequest,
    ModelLoadFailed,
    ModelNotFound,
    TensoriaError,
    UnsupportedParameter,
)
from tensoria.translate.errors import clean, to_error, to_stream_error


def body(text: str) -> bytes:
    return json.dumps({"error": text}).encode()


def nested(code: int, message: str, **members: Any) -> str:
    """llama-server's whole error, which Ollama 0.30 and later puts into a string."""
    return json.dumps({"error": {"code": code, "message": message, **members}})


OVERFLOW = nested(
    400,
    "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
    type="exceed_context_size_error",
    n_prompt_tokens=5000,
    n_ctx=4096,
)
BAD, NONE = "invalid_request", None
VALUE, FORMAT = "invalid_value", "response_format"

Row = tuple[int, bytes, type[TensoriaError], str, str | None]
ROWS: list[Row] = [
    # The request is at fault.
    (400, body("missing request body"), InvalidRequest, BAD, NONE),
    (400, body("invalid character 'x' looking for beginning of value"), InvalidRequest, BAD, NONE),
    (400, body("unexpected EOF"), InvalidRequest, BAD, NONE),
    (
        400,
        body("json: cannot unmarshal string into Go struct field ChatRequest.stream of type bool"),
        InvalidRequest,
        BAD,
        NONE,
    ),
    (400, body("illegal base64 data at input byte 4"), InvalidRequest, BAD, NONE),
    (400, body("model is required"), InvalidRequest, BAD, NONE),
    (400, body("invalid model name"), InvalidRequest, BAD, NONE),
    (400, body("top_logprobs must be between 0 and 20"), InvalidRequest, BAD, NONE),
    (400, body('think value "low" is not supported for this model'), InvalidRequest, BAD, NONE),
    (400, body(nested(400, "JSON schema conversion failed: x")), InvalidRequest, VALUE, FORMAT),
    (400, body(nested(400, "JSON schema error at #: no enum")), InvalidRequest, VALUE, FORMAT),
    (
        400,
        body("Failed to initialize samplers: failed to parse grammar"),
        InvalidRequest,
        VALUE,
        FORMAT,
    ),
    (400, body("this server cannot run this remote model"), InvalidRequest, BAD, NONE),
    (500, body('option "temperature" must be of type float32'), InvalidRequest, BAD, NONE),
    (500, body('option "stop" must be of type array'), InvalidRequest, BAD, NONE),
    (
        500,
        body('invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object'),
        InvalidRequest,
        VALUE,
        FORMAT,
    ),
    (500, body("invalid JSON schema in format"), InvalidRequest, VALUE, FORMAT),
    # The model cannot do it.
    (
        400,
        body("registry.ollama.ai/library/gemma:2b does not support tools"),
        UnsupportedParameter,
        "unsupported_parameter",
        "tools",
    ),
    (
        400,
        body(
            "registry.ollama.ai/library/m:latest does not support insert\n"
            "registry.ollama.ai/library/m:latest does not support tools"
        ),
        UnsupportedParameter,
        "unsupported_parameter",
        "suffix",
    ),
    (
        400,
        body('"gemma:2b" does not support thinking'),
        UnsupportedParameter,
        "unsupported_parameter",
        "reasoning_effort",
    ),
    (
        400,
        body('"nomic-embed-text" does not support chat'),
        UnsupportedParameter,
        "unsupported_parameter",
        "model",
    ),
    (
        400,
        body('"nomic-embed-text" does not support generate'),
        UnsupportedParameter,
        "unsupported_parameter",
        "model",
    ),
    (
        400,
        body(
            nested(
                400,
                "Multimodal data provided, but model does not support multimodal requests.",
            )
        ),
        UnsupportedParameter,
        "unsupported_parameter",
        "messages",
    ),
    (
        501,
        body("This server does not support embeddings. Start it with `--embeddings`"),
        UnsupportedParameter,
        "unsupported_parameter",
        NONE,
    ),
    (
        400,
        body("registry.ollama.ai/library/m:latest does not support levitation"),
        UnsupportedParameter,
        "unsupported_parameter",
        NONE,
    ),
    # The model is not there.
    (404, body("model 'nope' not found"), ModelNotFound, "model_not_found", "model"),
    (
        404,
        body('model "nope" not found, try pulling it first'),
        ModelNotFound,
        "model_not_found",
        "model",
    ),
    (404, body("model '' not found"), ModelNotFound, "model_not_found", "model"),
    (
        404,
        b'{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","code":404}}',
        ModelNotFound,
        "model_not_found",
        "model",
    ),
    # A wrong address: no word about a model.
    (404, b"404 page not found", BackendError, "engine_error", NONE),
    (404, body("File Not Found"), BackendError, "engine_error", NONE),
    (405, b"405 method not allowed", BackendError, "engine_error", NONE),
    (404, b"<html><body>nginx</body></html>", BackendError, "engine_error", NONE),
    # The prompt is too long.
    (
        400,
        body("the input length exceeds the context length"),
        ContextLengthExceeded,
        "context_length_exceeded",
        "messages",
    ),
    (400, body(OVERFLOW), ContextLengthExceeded, "context_length_exceeded", "messages"),
    (500, body(OVERFLOW), ContextLengthExceeded, "context_length_exceeded", "messages"),
    (
        400,
        body(
            "the prompt is longer than the context length currently available to the model; "
            "increase it"
        ),
        ContextLengthExceeded,
        "context_length_exceeded",
        "messages",
    ),
    (
        500,
        body("input exceeds maximum context length"),
        ContextLengthExceeded,
        "context_length_exceeded",
        "messages",
    ),
    (
        500,
        body("input length exceeds maximum context length"),
        ContextLengthExceeded,
        "context_length_exceeded",
        "messages",
    ),
    # The model does not load.
    (
        500,
        body("model requires more system memory (9.1 GiB) than is available (3.2 GiB)"),
        ModelLoadFailed,
        "model_load_failed",
        NONE,
    ),
    (
        500,
        body("llama-server reported out-of-memory during startup: cudaMalloc failed"),
        ModelLoadFailed,
        "model_load_failed",
        NONE,
    ),
    (
        500,
        body("llama-server process has terminated: exit status 1"),
        ModelLoadFailed,
        "model_load_failed",
        NONE,
    ),
    (
        500,
        body("llama runner process has terminated: exit status 2"),
        ModelLoadFailed,
        "model_load_failed",
        NONE,
    ),
    (
        500,
        body("timed out waiting for llama-server to start - progress 0.30"),
        ModelLoadFailed,
        "model_load_failed",
        NONE,
    ),
    (
        500,
        body("timed out waiting for llama runner to start - progress 0.30"),
        ModelLoadFailed,
        "model_load_failed",
        NONE,
    ),
    (
        500,
        body("unable to load model: /root/.ollama/models/blobs/sha256-5ae0"),
        ModelLoadFailed,
        "model_load_failed",
        NONE,
    ),
    (
        500,
        body(
            "unsupported model format: this model may be incompatible with your version of Ollama. "
            "If you previously pulled this model, try updating it by running `ollama pull m`"
        ),
        ModelLoadFailed,
        "model_load_failed",
        NONE,
    ),
    # The engine is busy.
    (
        503,
        body("server busy, please try again.  maximum pending requests exceeded"),
        BackendOverloaded,
        "overloaded",
        NONE,
    ),
    (
        503,
        b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}',
        BackendOverloaded,
        "overloaded",
        NONE,
    ),
    (429, body("too many requests"), BackendOverloaded, "overloaded", NONE),
    # The engine broke.
    (
        500,
        body(
            "model runner has unexpectedly stopped, this may be due to resource limitations or an "
            "internal error, check ollama server logs for details"
        ),
        BackendError,
        "engine_error",
        NONE,
    ),
    (500, body("template: :3: unexpected EOF"), BackendError, "engine_error", NONE),
    (499, body("request canceled"), BackendError, "engine_error", NONE),
    (502, body("connection to the cloud failed"), BackendError, "engine_error", NONE),
    (500, b"", BackendError, "engine_error", NONE),
    (500, b"null", BackendError, "engine_error", NONE),
    (500, b"[]", BackendError, "engine_error", NONE),
    (500, b'{"detail":"Not Found"}', BackendError, "engine_error", NONE),
    (500, b'{"error":null}', BackendError, "engine_error", NONE),
    (500, body("5"), BackendError, "engine_error", NONE),
    (500, body("[1]"), BackendError, "engine_error", NONE),
    (500, b'{"error":5}', BackendError, "engine_error", NONE),
    (500, b'{"error":["a"]}', BackendError, "engine_error", NONE),
    (500, b'{"error":{}}', BackendError, "engine_error", NONE),
    (500, b'{"error":"\xff"}', BackendError, "engine_error", NONE),
    (500, b'{"error":"{not json"}', BackendError, "engine_error", NONE),
    (502, b"<html>502 Bad Gateway</html>", BackendError, "engine_error", NONE),
    (302, b"", BackendError, "engine_error", NONE),
    # What its operator has to mend, and no caller may read.
    (
        401,
        b'{"error":"unauthorized","signin_url":"https://ollama.com/connect?name=host&key=AAAA"}',
        BackendError,
        "engine_error",
        NONE,
    ),
    (
        403,
        body("ollama cloud is disabled: remote model is unavailable"),
        BackendError,
        "engine_error",
        NONE,
    ),
    (403, b"", BackendError, "engine_error", NONE),
]


@pytest.mark.parametrize(
    ("status", "answer", "kind", "code", "param"),
    ROWS,
    ids=[f"{row[0]} {row[1][:60]!r}" for row in ROWS],
)
def test_answer_of_an_engine(
    status: int, answer: bytes, kind: type[TensoriaError], code: str, param: str | None
) -> None:
    error = to_error(status, answer)
    assert type(error) is kind
    assert (error.code, error.param) == (code, param)
    assert_fit_for_a_client(error.message)


def assert_fit_for_a_client(message: str) -> None:
    assert message.endswith((".", "…", "`")) or len(message) > 20
    assert len(message) < 300
    assert message.isprintable()
    for private in ("://", "ollama.com", "key=", "/root", "sha256", "registry.ollama.ai", "html"):
        assert private not in message


# (name, status, text, context known here, what is told)
OVERFLOWS = [
    ("engine's numbers", body(OVERFLOW), None, "is 4096 tokens", "in 5000 tokens"),
    ("engine's win over ours", body(OVERFLOW), 8192, "is 4096 tokens", "in 5000 tokens"),
    (
        "ours, where the engine tells none",
        body("the input length exceeds the context length"),
        8192,
        "is 8192 tokens",
        "in more tokens",
    ),
    (
        "nobody's",
        body("the input length exceeds the context length"),
        None,
        "is not told",
        "in more tokens",
    ),
    (
        "an out-of-memory log line behind it",
        body(OVERFLOW + "\nggml_cuda: out of memory"),
        None,
        "is 4096 tokens",
        "in 5000 tokens",
    ),
    (
        "numbers that are none",
        body(nested(400, "x", type="exceed_context_size_error", n_ctx="?", n_prompt_tokens=0)),
        None,
        "is not told",
        "in more tokens",
    ),
    (
        "numbers below zero",
        body(nested(400, "x", type="exceed_context_size_error", n_ctx=-1, n_prompt_tokens=-1)),
        None,
        "is not told",
        "in more tokens",
    ),
    (
        "llama-server's own",
        OVERFLOW.encode(),
        None,
        "is 4096 tokens",
        "in 5000 tokens",
    ),
    (
        "vLLM's words",
        json.dumps(
            {
                "error": {
                    "message": "This model's maximum context length is 2048 tokens. However, you "
                    "requested 3000 tokens (2900 in the messages, 100 in the completion).",
                    "type": "BadRequestError",
                    "code": 400,
                }
            }
        ).encode(),
        None,
        "is 2048 tokens",
        "in 3000 tokens",
    ),
]


@pytest.mark.parametrize(
    ("_name", "answer", "context", "limit", "asked"), OVERFLOWS, ids=[row[0] for row in OVERFLOWS]
)
def test_overflow_tells_the_numbers_that_are_known(
    _name: str, answer: bytes, context: int | None, limit: str, asked: str
) -> None:
    error = to_error(400, answer, context=context)
    assert isinstance(error, ContextLengthExceeded)
    assert f"This model's maximum context length {limit}" in error.message
    assert f"your messages resulted {asked}." in error.message


# An `error` inside a stream whose status was 200.
STREAMED = [
    (
        "runner killed",
        "an error was encountered while running the model: unexpected EOF",
        BackendError,
    ),
    (
        "runtime memory",
        "an error was encountered while running the model: CUDA error: out of memory",
        BackendError,
    ),
    ("overflow as JSON in a string", OVERFLOW, ContextLengthExceeded),
    ("overflow as an object", json.loads(OVERFLOW)["error"], ContextLengthExceeded),
    (
        "before 0.12.6 the first line",
        'invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object',
        InvalidRequest,
    ),
    ("the same for a schema", "invalid JSON schema in format", InvalidRequest),
    ("load before 0.12.6", "model requires more system memory (9 GiB)", ModelLoadFailed),
    ("an object", {"code": 500, "message": "it broke", "type": "server_error"}, BackendError),
    ("an object without words", {"code": 500}, BackendError),
    ("an object with null for words", {"message": None}, BackendError),
    ("null", None, BackendError),
    ("nothing", "", BackendError),
    ("a brace that is no JSON", "{{ .Prompt }} is no template", BackendError),
]


@pytest.mark.parametrize(("_name", "detail", "kind"), STREAMED, ids=[row[0] for row in STREAMED])
def test_error_inside_a_stream(_name: str, detail: object, kind: type[TensoriaError]) -> None:
    error = to_stream_error(detail)
    assert type(error) is kind
    assert_fit_for_a_client(error.message)


def test_error_inside_a_stream_names_the_context_that_is_known() -> None:
    error = to_stream_error("the input length exceeds the context length", context=512)
    assert "is 512 tokens" in error.message


def test_json_in_a_string_is_told_by_its_words_alone() -> None:
    error = to_error(500, body(nested(500, "it broke", type="server_error")))
    assert error.message == "The engine reported an error: it broke"


# (name, an engine's words, what a client reads)
CLEANED = [
    ("plain", "it broke", "it broke"),
    ("one line", "it broke\nand the log says", "it broke"),
    ("space", "  it \t broke ", "it broke"),
    ("address", "see https://ollama.com/connect?key=AAAA now", "see … now"),
    ("address in quotes", 'Post "http://127.0.0.1:39999/completion": EOF', 'Post "… EOF'),
    (
        "address without scheme",
        "dial tcp 127.0.0.1:39999: connect: refused",
        "dial tcp …: connect: refused",
    ),
    ("IPv6 address", "dial tcp [::1]:39999: connect: refused", "dial tcp …: connect: refused"),
    ("path", "open /root/.ollama/models/blobs/sha256-5ae0: gone", "open … gone"),
    ("path in quotes", "load '/usr/share/ollama/x'", "load '…"),
    ("short path", "open /model.gguf", "open …"),
    ("Windows path", r"open C:\Users\me\.ollama\models\x: gone", "open … gone"),
    ("a fraction and a choice", "1/2 of input / output", "1/2 of input / output"),
    ("a model's name", "hf.co/bartowski/Foo not found", "hf.co/bartowski/Foo not found"),
    ("nothing", "", "no reason given"),
    ("nothing in its first line", "\n\nx", "no reason given"),
    ("a flood", "x" * 5000, "x" * 200),
]


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_of_the_gateway_itself_repeats_no_word(status: int) -> None:
    """What Ollama says there is about the operator's account."""
    error = to_error(status, body("sign in as host-7 first"))
    assert error.message == ("The engine refused the gateway's request; its operator has to look.")


@pytest.mark.parametrize(("_name", "text", "expected"), CLEANED, ids=[row[0] for row in CLEANED])
def test_engines_words_are_made_fit_for_a_client(_name: str, text: str, expected: str) -> None:
    assert clean(text) == expected

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from flask import Flask, Response

from tests.contract import ContractClient
from tests.contract.test_schemas import ANSWER, ERROR, MODEL
from tests.contract.test_streams import DONE, FINISH, ROLE, ndjson, sse, text_chunk, usage_chunk

TEXT_ANSWER = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1_700_000_000,
    "model": "mistral:latest",
    "choices": [{"index": 0, "text": "a", "logprobs": None, "finish_reason": "stop"}],
}
EMBEDDING = {"object": "embedding", "index": 0, "embedding": [1.0]}
EMBEDDINGS = {
    "object": "list",
    "data": [EMBEDDING],
    "model": "m",
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}


def in_base64(text: str) -> dict[str, Any]:
    return {**EMBEDDINGS, "data": [{**EMBEDDING, "embedding": text}]}


Make = Callable[[Callable[[], Any]], ContractClient]


@pytest.fixture
def answering() -> Make:
    """Make a client of an app that answers every path and method by one function."""

    def make(view: Callable[[], Any]) -> ContractClient:
        app = Flask("judged")
        app.test_client_class = ContractClient
        for rule in ("/", "/<path:anything>"):
            app.add_url_rule(rule, rule, lambda anything=None: view(), methods=["GET", "POST"])
        client = app.test_client()
        assert isinstance(client, ContractClient)
        return client

    return make


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/chat/completions", ANSWER),
        ("POST", "//v1/chat//completions/", ANSWER),
        ("POST", "/v1/completions", TEXT_ANSWER),
        ("POST", "/v1/embeddings", EMBEDDINGS),
        (
            "POST",
            "/v1/embeddings",
            in_base64("AACAPw=="),
        ),
        ("GET", "/v1/models", {"object": "list", "data": [MODEL]}),
        ("GET", "/v1/models/hf.co/org/model:Q4", MODEL),
        ("GET", "/health", {"status": "ok"}),
    ],
)
def test_a_good_answer_passes(answering: Make, method: str, path: str, body: object) -> None:
    assert answering(lambda: body).open(path, method=method).json == body


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/chat/completions", MODEL),
        ("POST", "/v1/completions", ANSWER),
        ("POST", "/v1/embeddings", in_base64("AACAPw=")),
        ("POST", "/v1/embeddings", in_base64("AACA")),
        ("GET", "/v1/models", MODEL),
        ("GET", "/v1/models/mistral", {"object": "list", "data": [MODEL]}),
    ],
)
def test_the_answer_of_another_path_is_refused(
    answering: Make, method: str, path: str, body: object
) -> None:
    with pytest.raises(AssertionError, match="not a valid"):
        answering(lambda: body).open(path, method=method)


def test_a_new_path_without_a_contract_is_refused(answering: Make) -> None:
    with pytest.raises(AssertionError, match="knows no contract"):
        answering(dict).get("/v1/files")


def test_an_error_passes_on_any_path(answering: Make) -> None:
    assert answering(lambda: (ERROR, 404)).get("/nowhere").status_code == 404


@pytest.mark.parametrize("path", ["/v1/models", "/health", "/nowhere"])
def test_an_error_without_the_envelope_is_refused(answering: Make, path: str) -> None:
    with pytest.raises(AssertionError, match="not a valid error"):
        answering(lambda: ({"message": "No."}, 500)).get(path)


def test_an_error_page_in_html_is_refused(answering: Make) -> None:
    with pytest.raises(AssertionError, match="text/html"):
        answering(lambda: ("<h1>Not Found</h1>", 404)).get("/nowhere")


def test_json_that_is_none_is_refused(answering: Make) -> None:
    body = Response('{"object": NaN}', mimetype="application/json")

    with pytest.raises(AssertionError, match="is not JSON"):
        answering(lambda: body).get("/v1/models")


def test_an_error_without_a_body_is_refused(answering: Make) -> None:
    with pytest.raises(AssertionError):
        answering(lambda: Response(status=502)).get("/v1/models")


def test_an_answer_that_has_no_body_passes(answering: Make) -> None:
    assert answering(lambda: Response(status=204)).get("/v1/models").status_code == 204


def test_the_head_of_an_error_passes(answering: Make) -> None:
    assert answering(lambda: (ERROR, 404)).head("/nowhere").status_code == 404


def _stream(*parts: bytes, mimetype: str = "text/event-stream") -> Response:
    def body() -> Iterable[bytes]:
        yield from parts

    return Response(body(), mimetype=mimetype)


def _ask(client: ContractClient, *, include_usage: bool = False) -> bytes:
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    return client.post("/v1/chat/completions", json={"stream": True, **options}).data


def test_a_good_stream_passes_and_arrives_whole(answering: Make) -> None:
    body = sse(ROLE, FINISH, DONE)

    assert _ask(answering(lambda: _stream(body[:40], body[40:]))) == body


def test_a_stream_that_ends_quietly_is_refused(answering: Make) -> None:
    with pytest.raises(AssertionError, match="without"):
        _ask(answering(lambda: _stream(sse(ROLE))))


def test_a_stream_is_judged_by_the_usage_that_the_request_asked_for(answering: Make) -> None:
    with pytest.raises(AssertionError, match="no usage chunk"):
        _ask(answering(lambda: _stream(sse(ROLE, FINISH, DONE))), include_usage=True)
    with pytest.raises(AssertionError, match="not asked for"):
        _ask(answering(lambda: _stream(sse(ROLE, FINISH, usage_chunk(), DONE))))


def test_a_stream_of_text_is_judged_by_its_path_and_its_prompts(answering: Make) -> None:
    body = sse(text_chunk(), text_chunk(finish="stop"), DONE)
    client = answering(lambda: _stream(body))

    assert client.post("/v1/completions", json={"prompt": "a"}).data == body
    with pytest.raises(AssertionError, match="before each choice"):
        client.post("/v1/completions", json={"prompt": ["a", "b"]}).get_data()


def test_a_stream_of_lines_is_judged_as_one(answering: Make) -> None:
    def view() -> Response:
        return _stream(ndjson(ROLE), mimetype="application/x-ndjson")

    with pytest.raises(AssertionError, match="finish chunk"):
        _ask(answering(view))


def test_a_stream_that_the_test_closes_early_is_closed_and_not_judged(answering: Make) -> None:
    closed: list[str] = []

    def body() -> Iterable[bytes]:
        try:
            yield sse(ROLE)
            yield sse(FINISH, DONE)
        finally:
            closed.append("body")

    def view() -> Response:
        return Response(body(), mimetype="text/event-stream")

    response = answering(view).post("/v1/chat/completions", json={"stream": True})
    first = next(iter(response.response))
    response.close()

    assert first == sse(ROLE)
    assert closed == ["body"]

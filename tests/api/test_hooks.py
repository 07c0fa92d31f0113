"""Around every request: its key, its id, its one line in the log."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.conftest import KEY, Lines
from tests.fake_ollama import FakeOllama, chat_line, close, hang, stream

PATH = "/v1/chat/completions"
Headers = dict[str, str]
GOOD: list[Headers] = [
    {"Authorization": f"Bearer {KEY}"},
    {"Authorization": f"bearer {KEY}"},
    {"Authorization": f"Bearer  {KEY}"},
    {"X-API-Key": KEY},
    {"X-API-Key": f" {KEY} "},
    {"X-API-Key": KEY, "Authorization": "Bearer"},
    {"X-API-Key": "", "Authorization": f"Bearer {KEY}"},
    {"X-API-Key": "wrong", "Authorization": f"Bearer {KEY}"},
    {"X-API-Key": KEY, "Authorization": "Bearer wrong"},
    {"X-API-Key": KEY, "Authorization": "Basic dXNlcjpwYXNz"},
]
BAD: list[Headers] = [
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer "},
    {"Authorization": KEY},
    {"Authorization": f"Basic {KEY}"},
    {"Authorization": f"Bearer {KEY}x"},
    {"Authorization": f"Bearer {KEY[:-1]}"},
    {"Authorization": f"Bearer {KEY.upper()}"},
    {"Authorization": f"Bearer {KEY},"},
    {"X-API-Key": ""},
    {"X-API-Key": "wrong"},
    {"X-API-Key": "\xff\xfe\x80"},
    {"Authorization": "Bearer \xff\xfe\x80"},
    {"API-Key": KEY},
    {"Cookie": f"api_key={KEY}"},
]


@pytest.mark.parametrize("headers", GOOD, ids=repr)
def test_a_good_key_is_let_in(keyed: FlaskClient, headers: Headers) -> None:
    assert keyed.get("/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", BAD, ids=repr)
def test_a_request_without_a_good_key_is_401(keyed: FlaskClient, headers: Headers) -> None:
    response = keyed.get("/v1/models", headers=headers)

    assert response.status_code == 401
    assert response.json["error"]["code"] == "invalid_api_key"  # type: ignore[index]
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_in_the_query_is_none(keyed: FlaskClient) -> None:
    assert keyed.get(f"/v1/models?api_key={KEY}&key={KEY}").status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/models"),
        ("POST", PATH),
        ("GET", "/nowhere"),
        ("GET", "/docs"),
        ("DELETE", "/v1/models"),
        ("OPTIONS", PATH),
        ("HEAD", "/v1/models"),
        ("GET", "/health/"),
        ("GET", "/healthz"),
        ("GET", "/v1/health"),
        ("GET", "/health/../v1/models"),
        ("GET", "//v1//models/"),
        ("GET", "/ready/x"),
    ],
)
def test_every_path_but_health_needs_the_key(keyed: FlaskClient, method: str, path: str) -> None:
    open_ = path.rstrip("/") == "/health"

    assert keyed.open(path, method=method).status_code == (200 if open_ else 401)


@pytest.mark.parametrize("key", ["one", "two", "three"])
def test_each_of_several_keys_is_let_in(make_app: Callable[..., Flask], key: str) -> None:
    client = make_app(API_KEY="one, two,,three").test_client()

    assert client.get("/v1/models", headers={"X-API-Key": key}).status_code == 200
    assert client.get("/v1/models", headers={"X-API-Key": "one, two"}).status_code == 401
    assert client.get("/v1/models", headers={"X-API-Key": ""}).status_code == 401


@pytest.mark.parametrize("key", ["clé", "voilà", "ключ", "Å", "鍵"])
@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
def test_a_key_outside_ascii_is_compared_as_bytes(
    make_app: Callable[..., Flask], key: str, header: str
) -> None:
    """The last byte of "à" in UTF-8 is a space in latin-1, and must not be taken off."""
    client = make_app(API_KEY=key).test_client()
    value = key.encode().decode("latin-1")
    sent = f"Bearer {value}" if header == "Authorization" else value

    assert client.get("/v1/models", headers={header: sent}).status_code == 200
    assert client.get("/v1/models", headers={header: sent[:-1]}).status_code == 401


def test_without_a_configured_key_everybody_is_let_in(client: FlaskClient) -> None:
    assert client.get("/v1/models").status_code == 200
    assert client.get("/v1/models", headers={"X-API-Key": "anything"}).status_code == 200


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("127.8.9.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("10.0.0.5", {}, 401),
        ("::ffff:10.0.0.5", {}, 401),
        ("", {}, 401),
        ("not an address", {}, 401),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 401),
        ("127.0.0.1", {"X-Forwarded-For": ""}, 401),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}, 401),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 401),
        ("10.0.0.5", {"X-Forwarded-For": "127.0.0.1"}, 401),
        ("10.0.0.5", {"Host": "127.0.0.1"}, 401),
    ],
)
def test_ready_is_open_from_this_machine_alone(
    keyed: FlaskClient, address: str, headers: Headers, status: int
) -> None:
    overrides = {"REMOTE_ADDR": address}
    response = keyed.get("/ready", headers=headers, environ_overrides=overrides)

    assert response.status_code == status


def test_ready_is_open_from_anywhere_with_the_key(keyed: FlaskClient) -> None:
    headers = {"X-API-Key": KEY, "X-Forwarded-For": "9.9.9.9"}

    assert keyed.get("/ready", headers=headers).status_code == 200


@pytest.mark.parametrize("sent", ["abc-123", "a" * 128, "A.b_c:d-e"])
def test_a_harmless_request_id_is_kept(client: FlaskClient, log: Lines, sent: str) -> None:
    response = client.get("/health", headers={"X-Request-ID": sent})

    assert response.headers["X-Request-ID"] == sent
    assert f"request_id={sent}" in log.of_requests()[0]


@pytest.mark.parametrize("sent", ["", " ", "a b", "a" * 129, "é", 'x"y', "a=b", "<a>", "\x1b[31m"])
def test_a_request_id_that_is_none_is_replaced(client: FlaskClient, log: Lines, sent: str) -> None:
    made = client.get("/health", headers={"X-Request-ID": sent}).headers["X-Request-ID"]

    assert re.fullmatch(r"req_[0-9a-f]{28}", made)
    assert f"request_id={made}" in log.of_requests()[0]


@pytest.mark.parametrize("path", ["/nowhere", "/v1/models/absent", "/v1/models"])
def test_every_answer_has_its_id(keyed: FlaskClient, path: str) -> None:
    headers = {"X-API-Key": KEY}
    ids = {keyed.get(path, headers=headers).headers["X-Request-ID"] for _ in range(5)}
    ids.add(keyed.get(path).headers["X-Request-ID"])

    assert len(ids) == 6


def test_one_line_a_request(client: FlaskClient, log: Lines, hello: dict[str, Any]) -> None:
    client.post(PATH, json=hello)
    client.get("/nowhere")
    whole, missing = log.of_requests()

    assert "INFO tensoria.request: POST /v1/chat/completions 200" in whole
    for member in ("model=smollm2:135m", "prompt_tokens=27", "completion_tokens=8", "status=200"):
        assert member in whole
    assert re.search(r"duration_ms=\d+\.\d", whole)
    assert "client=127.0.0.1" in whole
    assert "GET /nowhere 404" in missing
    assert "error=not_found" in missing


def test_a_streams_line_is_written_at_its_end_with_its_tokens(
    client: FlaskClient, log: Lines, hello: dict[str, Any]
) -> None:
    response = client.post(PATH, json={**hello, "stream": True})
    parts = iter(response.response)
    next(parts)
    before = log.of_requests()
    for _ in parts:
        pass
    response.close()
    response.close()
    (line,) = log.of_requests()

    assert before == []
    assert "completion_tokens=8" in line
    assert "status=200" in line


def test_a_stream_that_fails_in_the_middle_has_a_warning_that_says_why(
    fake: FakeOllama, client: FlaskClient, log: Lines, hello: dict[str, Any]
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), close]))
    with client.post(PATH, json={**hello, "stream": True}) as response:
        assert b"engine_error" in response.data
    (line,) = log.of_requests()

    assert "WARNING" in line
    assert "error=engine_error" in line
    assert "status=502" in line


CANARY = "canary7f3"


def _requests() -> list[tuple[str, str, dict[str, Any]]]:
    """Good and bad requests with a canary wherever a client may put text, but in the path."""
    message = {"role": "user", "content": f"prompt {CANARY}"}
    chat = {"model": "smollm2:135m", "messages": [message]}
    bodies: list[Any] = [
        chat,
        {**chat, "stream": True},
        {**chat, "user": CANARY},
        {**chat, CANARY: CANARY},
        {**chat, f"a {CANARY}\n": {CANARY: [CANARY]}},
        {**chat, "messages": [{**message, CANARY: 1}, {"role": CANARY, "content": ""}]},
        {**chat, "messages": [{**message, CANARY: 1, "name": CANARY}]},
        {**chat, "messages": CANARY},
        {**chat, "messages": [CANARY]},
        {**chat, "model": f"{CANARY}:1b"},
        {**chat, "model": [CANARY]},
        {**chat, "temperature": CANARY},
        {**chat, "stop": {CANARY: CANARY}},
        {**chat, "stop": [CANARY]},
        {**chat, "tools": [{CANARY: 1}]},
        {**chat, "response_format": {"type": CANARY}},
        {**chat, "stream_options": {CANARY: True}, "stream": True},
        {**chat, "logit_bias": {CANARY: 1}},
        [CANARY],
        CANARY,
    ]
    good = {"Authorization": f"Bearer {KEY}"}
    asked = [("POST", PATH, {"json": body, "headers": good}) for body in bodies]
    for headers in (
        {"X-API-Key": CANARY},
        {"Authorization": f"Bearer {CANARY}"},
        {**good, "X-Request-ID": f"{CANARY} not an id"},
        {**good, "User-Agent": CANARY, "Cookie": CANARY, "Origin": f"https://{CANARY}.example"},
        {**good, "X-Forwarded-For": CANARY, CANARY: CANARY, "Referer": CANARY},
        {**good, "Accept": CANARY, "OpenAI-Organization": CANARY, "Content-Encoding": CANARY},
    ):
        asked.append(("POST", f"{PATH}?q={CANARY}&{CANARY}", {"json": chat, "headers": headers}))
    for data, kind in (
        (f'{{"{CANARY}": ', "application/json"),
        (f"{CANARY}\xff", "application/json"),
        (CANARY, CANARY),
        (f"--x {CANARY}", "multipart/form-data"),
    ):
        request = {"data": data, "content_type": kind, "headers": good}
        asked.append(("POST", PATH, request))
    asked.append(("GET", f"/v1/models?{CANARY}={CANARY}", {"headers": good}))
    asked.append(("PUT", f"/v1/models?{CANARY}", {"headers": good}))
    asked.append(("GET", f"/nowhere?{CANARY}", {"headers": good}))
    return asked


@pytest.mark.parametrize("engine", ["answers", "refuses", "breaks", "is silent", "has a fault"])
def test_no_key_and_no_text_of_a_client_ever_reaches_a_log_line(
    make_app: Callable[..., Flask],
    fake: FakeOllama,
    log: Lines,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
) -> None:
    behaviours: dict[str, Any] = {
        "refuses": stream([b'{"error":"option %s"}\n' % CANARY.encode()], status=400),
        "breaks": stream([chat_line(CANARY), b"%s no JSON\n" % CANARY.encode()]),
        "is silent": stream([chat_line(CANARY), hang]),
    }
    if engine in behaviours:
        fake.script("/api/chat", behaviours[engine])
    app = make_app(API_KEY=f"{KEY},{CANARY}-key", STREAM_IDLE_TIMEOUT="0.05", OLLAMA_TIMEOUT="0.2")
    if engine == "has a fault":
        monkeypatch.setattr(app.extensions["tensoria"].backend, "chat", _fault)
    client = app.test_client()
    for method, path, options in _requests():
        with client.open(path, method=method, **options) as response:
            response.get_data()

    assert len(log.of_requests()) == len(_requests())
    assert [line for line in log.lines if CANARY in line or KEY in line] == []


def _fault(*_: object) -> None:
    raise RuntimeError(f"a fault that quotes {CANARY}")


def test_a_path_is_cut_in_the_log_and_stays_on_one_line(client: FlaskClient, log: Lines) -> None:
    client.get("/" + "a" * 5000 + "\n")
    client.get("/a%0AINFO%20forged")
    first, second = log.of_requests()

    assert len(first) < 600
    assert "\n" not in first + second

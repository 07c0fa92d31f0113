"""The pool to one engine: what is reused, what is not, and what the environment has no say in."""

import socket
import threading
from pathlib import Path

import pytest

from tensoria.backends.limits import Limits
from tensoria.backends.transport import Transport
from tensoria.errors import BackendError, BackendTimeout, BackendUnavailable
from tests.fake_ollama import FakeOllama, answer_json, answer_raw, close, hang, reset, stream


def ask(transport: Transport, path: str = "/api/version") -> tuple[int, bytes]:
    return transport.json("GET", path, seconds=5)


def chat(transport: Transport) -> bytes:
    with transport.open("/api/chat", {"a": 1}, Limits(5, 5)) as body:
        return body.read_all(1 << 20)


def test_twenty_requests_one_after_the_other_take_one_connection(
    fake: FakeOllama, transport: Transport
) -> None:
    fake.script("/api/chat", stream([b"a\n", b"b\n"]))
    for _ in range(20):
        assert ask(transport)[0] == 200
        assert chat(transport) == b"a\nb\n"

    assert fake.connections_opened == 1


def test_a_pool_holds_as_many_connections_as_may_run_at_once(fake: FakeOllama) -> None:
    """Beyond requests' ten each would be thrown away after one use."""
    transport = Transport(fake.url, concurrency=16)
    gate = threading.Event()
    for _ in range(2):
        fake.script("/api/chat", stream([gate, b"a\n"]))
        threads = [threading.Thread(target=chat, args=(transport,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        fake.wait_for_request(count=16)
        gate.set()
        for thread in threads:
            thread.join(5)
    transport.close()

    assert len(fake.received("/api/chat")) == 32
    assert fake.connections_opened == 16


def test_an_aborted_connection_is_not_used_again(fake: FakeOllama, transport: Transport) -> None:
    fake.script("/api/chat", stream([b"a\n", hang]), stream([b"b\n"]))
    transport.open("/api/chat", {}, Limits(5, 5)).close()

    assert chat(transport) == b"b\n"
    assert fake.connections_opened == 2


def test_a_pooled_connection_that_the_engine_closed_meanwhile_is_noticed(
    fake: FakeOllama, transport: Transport
) -> None:
    """A restarted engine costs nobody a failed request."""
    for _ in range(10):
        assert ask(transport)[0] == 200
        fake.wait_until_idle()
        assert fake.close_idle_connections() >= 1

    assert ask(transport)[0] == 200
    assert fake.connections_opened == 11


def test_proxies_of_the_environment_have_no_effect(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    transport = Transport(fake.url, concurrency=1)

    assert ask(transport)[0] == 200
    assert chat(transport)
    transport.close()


def test_a_netrc_of_the_environment_is_not_sent(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    transport = Transport(fake.url, concurrency=1)
    ask(transport)
    transport.close()

    assert "authorization" not in fake.requests[0].headers


def test_the_engine_gets_json_with_its_length_and_no_cookies(
    fake: FakeOllama, transport: Transport
) -> None:
    cookie = [("Set-Cookie", "a=b"), ("Transfer-Encoding", "chunked")]
    fake.script("/api/chat", stream([b"a"], headers=cookie))
    chat(transport)
    fake.script("/api/chat")
    chat(transport)
    first, second = fake.received("/api/chat")

    assert first.json == {"a": 1}
    assert first.headers["content-type"] == "application/json"
    assert first.headers["content-length"] == "7"
    assert "cookie" not in second.headers
    assert "origin" not in second.headers


def test_a_get_carries_no_body(fake: FakeOllama, transport: Transport) -> None:
    ask(transport)

    assert fake.requests[0].body == b""
    assert "content-type" not in fake.requests[0].headers


def test_without_a_key_no_authorization_is_sent(fake: FakeOllama, transport: Transport) -> None:
    ask(transport)

    assert "authorization" not in fake.requests[0].headers


@pytest.mark.parametrize("key", ["sk-engine", "schlüssel", "ключ"])
def test_the_engines_key_goes_up_as_it_was_written(fake: FakeOllama, key: str) -> None:
    transport = Transport(fake.url, concurrency=1, api_key=key)
    ask(transport)
    transport.close()

    sent = fake.requests[0].headers["authorization"].encode("latin-1").decode()
    assert sent == f"Bearer {key}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    "address",
    [
        f"127.0.0.1:{free_port()}",
        "engine.invalid:11434",
        "engine..invalid:11434",
        f"{'a' * 70}.invalid:11434",
    ],
    ids=["refused", "no such name", "an empty label", "a label too long"],
)
def test_an_engine_that_cannot_be_reached_is_503(address: str) -> None:
    transport = Transport(f"http://{address}", concurrency=1)

    with pytest.raises(BackendUnavailable) as caught:
        ask(transport)

    assert caught.value.envelope()["error"]["code"] == "engine_unavailable"
    transport.close()


@pytest.mark.parametrize(
    "handler",
    [close, reset, answer_raw(b"\x16\x03\x01 no HTTP\r\n\r\n"), answer_raw(b"")],
)
def test_an_engine_that_does_not_speak_http_is_502(
    fake: FakeOllama, transport: Transport, handler: object
) -> None:
    fake.script("/api/version", handler)  # type: ignore[arg-type]

    with pytest.raises(BackendError) as caught:
        ask(transport)

    assert (caught.value.status, caught.value.code) == (502, "engine_error")


def test_a_head_that_does_not_come_is_504(fake: FakeOllama, transport: Transport) -> None:
    fake.script("/api/version", hang)

    with pytest.raises(BackendTimeout):
        transport.json("GET", "/api/version", seconds=0.2)


def test_a_redirect_is_not_followed(fake: FakeOllama, transport: Transport) -> None:
    """An engine stands at a fixed address; following would send a prompt somewhere else."""
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /api/tags\r\nContent-Length: 0\r\n\r\n"
    fake.script("/api/version", answer_raw(moved))

    assert ask(transport)[0] == 307
    assert fake.received("/api/tags") == []


def test_a_base_url_may_have_a_path(fake: FakeOllama) -> None:
    fake.script("/behind/api/version", answer_json({"version": "1.2.3"}))
    transport = Transport(f"{fake.url}/behind", concurrency=1)

    assert ask(transport) == (200, b'{"version":"1.2.3"}')
    transport.close()


def test_a_body_of_forty_megabytes_arrives_whole(fake: FakeOllama, transport: Transport) -> None:
    text = "x" * (40 * 1024 * 1024)
    with transport.open("/api/chat", {"a": text}, Limits(20, 5)) as body:
        body.read()

    assert len(fake.received("/api/chat")[0].body) == len(text) + len('{"a":""}')

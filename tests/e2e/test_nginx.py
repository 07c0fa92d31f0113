"""The project's nginx.conf in the real nginx, in front of the real service or of a fake one."""

import base64
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.nginx import Nginx, running_nginx
from tests.e2e.service import Service, free_port
from tests.fake_ollama import (
    FakeOllama,
    answer_json,
    chat_line,
    done_line,
    hang,
    model_entry,
    stream,
)
from tests.requirements import need_program

pytestmark = pytest.mark.e2e

CHAT: dict[str, Any] = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}
PATH = "/v1/chat/completions"


@pytest.fixture
def nginx(service: Service, tmp_path: Path) -> Iterator[Nginx]:
    """Nginx in front of the service."""
    with running_nginx(_folder(tmp_path), service.port) as started:
        yield started


@pytest.fixture
def before_fake(fake: FakeOllama, tmp_path: Path) -> Iterator[Nginx]:
    """Nginx in front of the fake, which stands in for the gateway and shows what reached it."""
    fake.script("/health", answer_json({"status": "ok"}))
    with running_nginx(_folder(tmp_path), fake.port) as started:
        yield started


@pytest.fixture
def session(nginx: Nginx) -> Iterator[requests.Session]:
    """A client of the service that comes through nginx."""
    with nginx.session() as made:
        yield made


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "nginx"
    folder.mkdir()
    return folder


def error_of(answer: requests.Response, status: int) -> dict[str, Any]:
    """Return the error of an answer that is in OpenAI's envelope."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"error"}
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


# --- What comes through ---


def test_an_answer_comes_through_with_the_key(
    nginx: Nginx, service: Service, session: requests.Session
) -> None:
    answer = session.post(nginx.url + PATH, json=CHAT, headers=service.headers, timeout=10)

    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_without_the_key_nginx_passes_on_the_401(nginx: Nginx, session: requests.Session) -> None:
    answer = session.post(nginx.url + PATH, json=CHAT, timeout=10)

    assert error_of(answer, 401)["code"] == "invalid_api_key"


def test_a_stream_arrives_unbuffered(
    nginx: Nginx, service: Service, fake: FakeOllama, session: requests.Session
) -> None:
    """The engine holds its second word back until the client has read the first."""
    first_was_read = threading.Event()
    fake.script(
        "/api/chat", stream([chat_line("Hel"), first_was_read, chat_line("lo"), done_line()])
    )
    with session.post(
        nginx.url + PATH,
        json=CHAT | {"stream": True},
        headers=service.headers,
        stream=True,
        timeout=10,
    ) as answer:
        lines = answer.iter_lines(chunk_size=1)
        assert any(b'"Hel"' in line for line in lines)
        first_was_read.set()
        rest = list(lines)

    assert any(b'"lo"' in line for line in rest)
    assert [line for line in rest if line][-1] == b"data: [DONE]"


def test_a_stream_arrives_unbuffered_over_http_2(
    nginx: Nginx, service: Service, fake: FakeOllama
) -> None:
    first_was_read = threading.Event()
    fake.script(
        "/api/chat", stream([chat_line("Hel"), first_was_read, chat_line("lo"), done_line()])
    )
    curl = need_program("curl", "apt-get install --no-install-recommends curl")
    command = [
        curl,
        "-sSN",
        "-i",
        "--http2",
        "--cacert",
        str(nginx.certificate),
        "--max-time",
        "10",
    ]
    command += ["-H", f"Authorization: Bearer {service.key}", "--json"]
    command += ['{"stream": true, "messages": [{"role": "user", "content": "Hi"}]}']
    with subprocess.Popen([*command, nginx.url + PATH], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"HTTP/2 200 \r\n"
        assert any(b'"Hel"' in line for line in process.stdout)
        first_was_read.set()
        rest = process.stdout.read()

    assert rest.endswith(b"data: [DONE]\n\n")
    assert process.returncode == 0


def test_a_client_that_leaves_nginx_frees_the_engine(
    nginx: Nginx, service: Service, fake: FakeOllama, session: requests.Session
) -> None:
    fake.script("/api/chat", stream([chat_line("Hel"), hang]))
    with session.post(
        nginx.url + PATH,
        json=CHAT | {"stream": True},
        headers=service.headers,
        stream=True,
        timeout=10,
    ) as answer:
        assert any(b'"Hel"' in line for line in answer.iter_lines(chunk_size=1))

    fake.wait_for_disconnect(timeout=5)


@pytest.fixture
def seeing(fake: FakeOllama) -> None:
    """The engine's only model sees; asked for first, since the service looks when it starts."""
    fake.models = [model_entry(capabilities=("completion", "vision"))]


@pytest.mark.usefixtures("seeing")
def test_an_image_of_20_megabytes_comes_through(
    nginx: Nginx, service: Service, fake: FakeOllama, session: requests.Session
) -> None:
    image = b"\x89PNG\r\n\x1a\n".ljust(20 * 1024 * 1024, b"\0")
    url = "data:image/png;base64," + base64.b64encode(image).decode()
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]

    answer = session.post(
        nginx.url + PATH,
        json={**CHAT, "messages": [{"role": "user", "content": content}]},
        headers=service.headers,
        timeout=60,
    )

    assert answer.status_code == 200
    (sent,) = fake.wait_for_request().json["messages"][-1]["images"]
    assert len(base64.b64decode(sent)) == len(image)


# --- Who may call ---


def test_an_address_that_is_not_listed_is_refused(before_fake: Nginx, fake: FakeOllama) -> None:
    """The list as it comes lets this machine in and nobody else."""
    with before_fake.session("127.0.0.2") as stranger, before_fake.session() as known:
        refused = stranger.get(f"{before_fake.url}/health", timeout=5)
        allowed = known.get(f"{before_fake.url}/health", timeout=5)

    assert error_of(refused, 403)["code"] == "address_not_allowed"
    assert allowed.json() == {"status": "ok"}
    assert len(fake.received("/health")) == 1


def test_several_addresses_can_be_listed(fake: FakeOllama, tmp_path: Path) -> None:
    fake.script("/health", answer_json({"status": "ok"}))
    allow = "allow 127.0.0.2;\nallow 127.0.7.0/24;\ndeny all;\n"
    with running_nginx(_folder(tmp_path), fake.port, allow=allow) as nginx:
        statuses = []
        for address in ("127.0.0.2", "127.0.7.9", "127.0.0.1"):
            with nginx.session(address) as session:
                statuses.append(session.get(f"{nginx.url}/health", timeout=5).status_code)

    assert statuses == [200, 200, 403]


def test_the_address_of_a_caller_cannot_be_forged(before_fake: Nginx, fake: FakeOllama) -> None:
    forged = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Real-IP": "203.0.113.7",
        "Forwarded": "for=203.0.113.7",
        "X-Forwarded-Proto": "gopher",
    }
    with before_fake.session() as session:
        session.get(f"{before_fake.url}/health", headers=forged, timeout=5)

    (received,) = fake.received("/health")
    assert received.headers["x-forwarded-for"] == "127.0.0.1"
    assert received.headers["x-real-ip"] == "127.0.0.1"
    assert received.headers["x-forwarded-proto"] == "https"
    assert "forwarded" not in received.headers


def test_a_forged_address_does_not_get_past_the_list(before_fake: Nginx) -> None:
    with before_fake.session("127.0.0.2") as stranger:
        answer = stranger.get(
            f"{before_fake.url}/health", headers={"X-Forwarded-For": "127.0.0.1"}, timeout=5
        )

    assert answer.status_code == 403


def test_behind_googles_load_balancer_its_caller_is_the_one_that_counts(
    fake: FakeOllama, tmp_path: Path
) -> None:
    """With the lines of the project's own file, and loopback in place of Google's ranges."""
    fake.script("/health", answer_json({"status": "ok"}))
    with running_nginx(_folder(tmp_path), fake.port) as probe:
        text = (probe.folder / "tensoria" / "allowlist.conf").read_text()
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    balancer = [line for line in lines if line.startswith(("set_real_ip_from", "real_ip_"))]
    rules = "\n".join(["allow 203.0.113.7;", *balancer, "deny all;"])
    rules = rules.replace("130.211.0.0/22", "127.0.0.9/32")
    folder = tmp_path / "balanced"
    folder.mkdir()
    with (
        running_nginx(folder, fake.port, allow=rules) as nginx,
        nginx.session("127.0.0.9") as google,
    ):
        statuses = [
            google.get(
                f"{nginx.url}/health", headers={"X-Forwarded-For": chain}, timeout=5
            ).status_code
            for chain in ("203.0.113.7, 192.0.2.10", "203.0.113.7, 203.0.113.8, 192.0.2.10")
        ]

    assert statuses == [200, 403]
    (received,) = fake.received("/health")
    assert received.headers["x-forwarded-for"] == "203.0.113.7"


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "//metrics", "/v1/../metrics", "/%6detrics"]
)
def test_metrics_are_not_public(before_fake: Nginx, fake: FakeOllama, path: str) -> None:
    answer = _asked_for(before_fake, path)

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"code": "not_found"' in answer
    assert fake.requests == []


def test_the_pages_of_errors_are_no_paths_of_their_own(before_fake: Nginx) -> None:
    with before_fake.session() as session:
        answer = session.get(f"{before_fake.url}/_error/403", timeout=5)

    assert error_of(answer, 404)["code"] == "not_found"


def _asked_for(nginx: Nginx, path: str) -> bytes:
    """Ask by hand: a client would tidy the path."""
    with _connected(nginx) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return _read_all(client)


def _connected(nginx: Nginx, address: str = "127.0.0.1") -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=nginx.certificate)
    raw = socket.create_connection(
        ("127.0.0.1", nginx.https_port), timeout=10, source_address=(address, 0)
    )
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def _read_all(client: socket.socket) -> bytes:
    data = b""
    while received := client.recv(65536):
        data += received
    return data


# --- Port 80, and TLS ---


def test_the_challenge_of_the_certificate_is_open_to_everybody(before_fake: Nginx) -> None:
    folder = before_fake.folder / "acme" / ".well-known" / "acme-challenge"
    folder.mkdir(parents=True)
    (folder / "token").write_text("token.thumbprint")
    with before_fake.session("127.0.0.2") as authority:
        there = authority.get(f"{before_fake.open_url}/.well-known/acme-challenge/token", timeout=5)
        missing = authority.get(
            f"{before_fake.open_url}/.well-known/acme-challenge/other", timeout=5
        )

    assert there.text == "token.thumbprint"
    assert error_of(missing, 404)["code"] == "not_found"


def test_everything_else_on_port_80_is_sent_to_tls(before_fake: Nginx, fake: FakeOllama) -> None:
    with before_fake.session() as session:
        answer = session.get(
            f"{before_fake.open_url}/v1/models?a=b", allow_redirects=False, timeout=5
        )

    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://127.0.0.1/v1/models?a=b"
    assert fake.requests == []


@pytest.mark.parametrize("offered", ["h2", "http/1.1"])
def test_both_versions_of_http_are_served(before_fake: Nginx, offered: str) -> None:
    context = ssl.create_default_context(cafile=before_fake.certificate)
    context.set_alpn_protocols([offered])
    with (
        socket.create_connection(("127.0.0.1", before_fake.https_port), timeout=5) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as client,
    ):
        assert client.selected_alpn_protocol() == offered
        assert client.version() == "TLSv1.3"


def test_connections_to_the_gateway_are_kept(before_fake: Nginx, fake: FakeOllama) -> None:
    with before_fake.session() as session:
        for _ in range(3):
            session.get(f"{before_fake.url}/health", timeout=5)

    # One for each of nginx's workers at most, of which one alone has this client.
    assert {request.connection for request in fake.received("/health")} == {1}


# --- Errors ---


def test_a_body_over_the_gateways_limit_is_refused_in_its_own_words(
    nginx: Nginx, service: Service, session: requests.Session
) -> None:
    body = b'{"model": "' + b"x" * (41 * 1024 * 1024) + b'"}'

    answer = session.post(
        nginx.url + PATH,
        data=body,
        headers=service.headers | {"Content-Type": "application/json"},
        timeout=30,
    )

    assert "MAX_BODY_MB" in error_of(answer, 413)["message"]


def test_a_body_over_nginxs_own_limit_is_413_in_the_envelope(
    before_fake: Nginx, fake: FakeOllama
) -> None:
    """Said at the head, before any of the body was sent."""
    with _connected(before_fake) as client:
        length = 49 * 1024 * 1024
        client.sendall(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        answer = _read_head_and_body(client)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code": "request_too_large"' in answer
    assert fake.requests == []


def _read_head_and_body(client: socket.socket) -> bytes:
    data = b""
    while b'"}}' not in data and (received := client.recv(65536)):
        data += received
    return data


def test_a_gateway_that_is_down_is_502_in_the_envelope(tmp_path: Path) -> None:
    with running_nginx(_folder(tmp_path), free_port()) as nginx, nginx.session() as session:
        answer = session.get(f"{nginx.url}/v1/models", timeout=10)

    assert error_of(answer, 502)["code"] == "service_unavailable"


def test_a_gateway_that_keeps_silent_is_504_in_the_envelope(
    fake: FakeOllama, tmp_path: Path
) -> None:
    fake.script(PATH, hang)
    instead = {"proxy_read_timeout 4500s;": "proxy_read_timeout 1s;"}
    with (
        running_nginx(_folder(tmp_path), fake.port, instead=instead) as nginx,
        nginx.session() as session,
    ):
        answer = session.post(nginx.url + PATH, json=CHAT, timeout=10)

    assert error_of(answer, 504)["code"] == "timeout"
    assert answer.headers["x-should-retry"] == "false"


def test_requests_in_a_loop_are_429_in_the_envelope(fake: FakeOllama, tmp_path: Path) -> None:
    """With a rate that a slow machine reaches too: the burst is served, and then hardly any."""
    fake.script("/health", answer_json({"status": "ok"}))
    instead = {"rate=50r/s;": "rate=1r/s;"}
    with (
        running_nginx(_folder(tmp_path), fake.port, instead=instead) as nginx,
        nginx.session() as session,
    ):
        answers = [session.get(f"{nginx.url}/health", timeout=5) for _ in range(200)]

    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(answers) - len(refused) >= 100
    assert error_of(refused[0], 429)["code"] == "rate_limit_exceeded"
    assert refused[0].headers["Retry-After"] == "1"
    assert len(fake.received("/health")) == len(answers) - len(refused)


def test_what_cannot_be_read_is_400_in_the_envelope(before_fake: Nginx) -> None:
    with _connected(before_fake) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")
        answer = _read_head_and_body(client)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "invalid_request"' in answer


# --- Clients that are slow on purpose ---


def test_heads_and_bodies_that_trickle_in_hold_nobody_up_and_reach_no_gateway(
    fake: FakeOllama, tmp_path: Path
) -> None:
    fake.script("/health", answer_json({"status": "ok"}))
    instead = {
        "client_header_timeout 10s;": "client_header_timeout 2s;",
        "client_body_timeout 10s;": "client_body_timeout 2s;",
    }
    with running_nginx(_folder(tmp_path), fake.port, instead=instead) as nginx:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n".encode()
        slow = []
        for number in range(100):
            slow.append(_connected(nginx))
            whole = b"Content-Length: 1000\r\n\r\n{" if number % 2 else b""
            slow[-1].sendall(head + whole)
        with nginx.session() as session:
            served = session.get(f"{nginx.url}/health", timeout=5).status_code
        ends = [_end_of(client) for client in slow]

    assert served == 200
    assert all(answer == b"" or answer.startswith(b"HTTP/1.1 408 ") for answer in ends)
    assert [request.path for request in fake.requests] == ["/health"]


def test_a_head_that_trickles_in_byte_by_byte_is_ended_all_the_same(
    before_fake_in_haste: Nginx,
) -> None:
    """The time is for the whole head: a byte now and then does not prolong it."""
    with _connected(before_fake_in_haste) as client:
        client.sendall(b"GET /health HTTP/1.1\r\n")
        client.settimeout(0.2)
        for _ in range(40):
            try:
                client.sendall(b"X")
                assert client.recv(1) == b""
                break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("nginx still listens after 8 seconds")


@pytest.fixture
def before_fake_in_haste(fake: FakeOllama, tmp_path: Path) -> Iterator[Nginx]:
    """As `before_fake`, with a second for a head."""
    instead = {"client_header_timeout 10s;": "client_header_timeout 1s;"}
    with running_nginx(_folder(tmp_path), fake.port, instead=instead) as started:
        yield started


def _end_of(client: ssl.SSLSocket) -> bytes:
    """Read until nginx hangs up, which it may do by a reset."""
    try:
        with client:
            return _read_all(client)
    except (ConnectionError, ssl.SSLError):
        return b""

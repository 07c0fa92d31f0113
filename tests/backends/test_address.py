"""Where an engine is: looked up seldom, tried in turn, and trusted as the system says."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from gevent import socket as gevent_socket

from tensoria.backends import address as module
from tensoria.backends.address import Address, Unreached, _connect_at_once
from tensoria.backends.limits import Limits
from tensoria.backends.transport import Transport
from tensoria.errors import BackendError, BackendTimeout, BackendUnavailable
from tests.requirements import need_program

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


class Names:
    """getaddrinfo, with answers written down here; counts how often it is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **known: list[tuple[str, int]]) -> None:
        self.known = known
        self.asked = 0
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: str, port: int, **_: object) -> list[object]:
        self.asked += 1
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in self.known[host]
        ]


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("http://engine:11434", "engine:11434"),
        ("http://Engine", "engine"),
        ("http://engine:80/v1", "engine"),
        ("https://engine:443", "engine"),
        ("https://engine:80", "engine:80"),
        ("http://[::1]:11434", "[::1]:11434"),
        ("http://bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_host_is_named_as_the_base_url_has_it(base_url: str, expected: str) -> None:
    assert Address(base_url).host_header == expected


def test_a_name_is_looked_up_once_for_many_connections(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    names = Names(monkeypatch, engine=[("127.0.0.1", port)])
    address = Address(f"http://engine:{port}")
    for _ in range(5):
        address.connect(5).close()

    assert names.asked == 1


def test_a_name_is_looked_up_anew_after_a_while(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    """A container that is made anew has another address, and another may have its old one."""
    port = listener.getsockname()[1]
    names = Names(monkeypatch, engine=[("127.0.0.1", port)])
    monkeypatch.setattr(module, "RESOLVE_SECONDS", 0.0)
    address = Address(f"http://engine:{port}")
    for _ in range(3):
        address.connect(5).close()

    assert names.asked == 3


def test_a_name_is_looked_up_anew_when_nothing_is_there_any_more(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as gone:
        old = gone.getsockname()
    names = Names(monkeypatch, engine=[old])
    address = Address(f"http://engine:{port}")
    with pytest.raises(Unreached):
        address.connect(5)
    names.known["engine"] = [("127.0.0.1", port)]

    address.connect(5).close()


def test_a_number_is_never_looked_up(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    names = Names(monkeypatch)
    Address(f"http://127.0.0.1:{listener.getsockname()[1]}").connect(5).close()

    assert names.asked == 0


def test_the_second_address_of_a_name_is_tried_when_the_first_refuses(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        refusing = gone.getsockname()
    there = listener.getsockname()
    Names(monkeypatch, engine=[refusing, there])
    with Address("http://engine:1").connect(5) as connected:
        assert connected.getpeername() == there


def test_the_second_address_has_time_left_when_the_first_is_silent(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        filling = [socket.socket() for _ in range(4)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        Names(monkeypatch, engine=[full.getsockname(), listener.getsockname()])
        with Address("http://engine:1").connect(0.6) as connected:
            assert connected.getpeername() == listener.getsockname()
        for one in filling:
            one.close()


def test_a_connection_waits_without_a_limit_of_its_own_and_for_no_acknowledgement(
    listener: socket.socket,
) -> None:
    with Address(f"http://127.0.0.1:{listener.getsockname()[1]}").connect(5) as connected:
        assert connected.gettimeout() is None
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("host", ["nobody.invalid", "a..b", "x" * 64 + ".example"])
def test_a_name_that_leads_nowhere_is_unreached(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    Names(monkeypatch)
    transport = Transport(f"http://{host}:1", concurrency=1)
    with pytest.raises(BackendUnavailable):
        transport.json("GET", "/api/version", seconds=5)


def test_a_connection_that_is_not_taken_in_time_is_a_timeout_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        filling = [socket.socket() for _ in range(4)]
        for one in filling:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(requests.ConnectTimeout):
            Address(f"http://127.0.0.1:{full.getsockname()[1]}").connect(0.2)
        for one in filling:
            one.close()


class TlsEngine:
    """Answers each request with the same chunks, over TLS, on a connection that it keeps."""

    def __init__(self, certificate: Path, *chunks: bytes) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._chunks = chunks
        self.accepted = 0
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                with self._context.wrap_socket(plain, server_side=True) as connection:
                    while connection.recv(65536):
                        for chunk in (HEAD, *self._chunks):
                            connection.sendall(chunk)
            except OSError:
                continue


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and its key, in one file."""
    openssl = need_program("openssl", "apt-get install openssl")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    asked = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout"
    )
    command = [openssl, *asked.split(), f"{file}.key", "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    file.write_bytes(file.read_bytes() + Path(f"{file}.key").read_bytes())
    return file


def test_an_engine_over_tls_keeps_its_connection(
    monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    engine = TlsEngine(certificate, b"2\r\n{}\r\n", b"0\r\n\r\n")
    transport = Transport(f"https://localhost:{engine.port}", concurrency=1)
    answers = [transport.json("POST", "/x", {"a": 1}, seconds=5) for _ in range(3)]
    transport.close()
    engine.stop()

    assert answers == [(200, b"{}")] * 3
    assert engine.accepted == 1


def test_an_engine_whose_certificate_nobody_vouches_for_gets_no_request(certificate: Path) -> None:
    engine = TlsEngine(certificate)
    transport = Transport(f"https://localhost:{engine.port}", concurrency=1)
    with pytest.raises(BackendUnavailable):
        transport.json("GET", "/x", seconds=5)
    engine.stop()


@pytest.mark.parametrize("chunks", [(), (b"1\r\na\r\n",)], ids=["silent", "amid"])
def test_limits_hold_over_tls(
    monkeypatch: pytest.MonkeyPatch, certificate: Path, chunks: tuple[bytes, ...]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    engine = TlsEngine(certificate, *chunks)
    transport = Transport(f"https://localhost:{engine.port}", concurrency=1)
    with transport.open("/x", {}, Limits(0.3, 5)) as body, pytest.raises(BackendTimeout):
        body.read_all(1000)
    engine.stop()


def test_no_tls_where_it_is_expected_is_an_engine_that_cannot_be_reached(
    listener: socket.socket,
) -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    transport = Transport(f"https://127.0.0.1:{listener.getsockname()[1]}", concurrency=1)
    with pytest.raises(BackendError) as caught:
        transport.json("GET", "/x", seconds=5)
    thread.join(5)

    assert caught.value.status == 503


def test_a_connection_to_this_machine_waits_for_no_turn_of_the_loop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = gevent_socket.socket()
        with sock:
            assert _connect_at_once(sock, listener.getsockname())
            sock._sock.send(b"a")
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.recv(10) == b"a"


def test_what_is_not_connected_at_once_is_left_to_gevent() -> None:
    """Of an address that nobody listens on gevent tells the error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = listener.getsockname()
    with gevent_socket.socket() as sock:
        assert not _connect_at_once(sock, nowhere)
        with pytest.raises(ConnectionRefusedError):
            sock.connect(nowhere)


def test_a_socket_of_the_standard_library_connects_as_ever() -> None:
    with socket.socket() as sock:
        assert not _connect_at_once(sock, ("127.0.0.1", 1))

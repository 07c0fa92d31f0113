import socket

import pytest

from tensoria.cli.failures import CommandError
from tensoria.cli.gateway import check_port_is_free, is_healthy
from tests.fake_ollama import FakeOllama, answer_html, answer_json, close


def test_service_that_answers_as_ours_is_healthy(fake: FakeOllama) -> None:
    fake.script("/health", answer_json({"status": "ok"}))
    assert is_healthy(fake.url)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answer_json({"status": "ok"}, status=503), id="503"),
        pytest.param(answer_json({"status": "starting"}), id="another body"),
        pytest.param(answer_html(status=200), id="a web page"),
        pytest.param(close, id="no answer"),
    ],
)
def test_any_other_answer_is_not_healthy(fake: FakeOllama, answer: object) -> None:
    fake.script("/health", answer)
    assert not is_healthy(fake.url)


def test_nothing_there_is_not_healthy(port: int) -> None:
    assert not is_healthy(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_free_port_is_left_free(host: str, port: int) -> None:
    check_port_is_free(host, port)
    check_port_is_free(host, port)


def test_busy_port_is_told_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(CommandError) as raised:
            check_port_is_free("127.0.0.1", port)
    assert str(raised.value) == (
        f"API_PORT {port} on 127.0.0.1 cannot be used: Address already in use. "
        "End what listens there, or set API_PORT to another one."
    )


def test_address_that_is_not_this_machines_is_told(port: int) -> None:
    with pytest.raises(CommandError, match=r"on 192\.0\.2\.1 cannot be used"):
        check_port_is_free("192.0.2.1", port)

"""/health, /ready and /."""

from flask.testing import FlaskClient

from tensoria import __version__
from tests.fake_ollama import FakeOllama, close


def test_health_is_these_bytes_and_touches_no_engine(fake: FakeOllama, client: FlaskClient) -> None:
    response = client.get("/health")

    assert response.data == b'{"status": "ok"}'
    assert response.mimetype == "application/json"
    assert fake.connections_opened == 0


def test_ready_names_the_engine(client: FlaskClient) -> None:
    response = client.get("/ready")

    assert response.status_code == 200
    assert response.json is not None
    assert response.json["status"] == "ready"
    assert response.json["engine"] == {"kind": "ollama", "version": "0.32.15"}


def test_ready_is_200_with_a_warning_for_a_missing_default_model(client: FlaskClient) -> None:
    response = client.get("/ready")

    assert response.status_code == 200
    assert "ollama pull mistral" in response.json["warnings"][0]  # type: ignore[index]


def test_ready_is_503_without_an_engine(fake: FakeOllama, client: FlaskClient) -> None:
    fake.script("/api/version", close)
    response = client.get("/ready")

    assert response.status_code == 503
    assert response.json is not None
    assert response.json["status"] == "unavailable"
    assert response.json["error"]["code"] == "engine_error"


def test_ready_is_503_when_the_service_stops(fake: FakeOllama, client: FlaskClient) -> None:
    """A probe on a connection that is still open is the last to hear of it."""
    response = client.get("/ready", environ_overrides={"tensoria.stopping": True})

    assert response.status_code == 503
    assert response.json is not None
    assert response.json["error"]["message"] == "The service is stopping."
    assert response.json["error"]["code"] == "service_stopping"
    assert fake.received("/api/version") == []


def test_ready_asks_the_engine_once_for_many_probes(fake: FakeOllama, client: FlaskClient) -> None:
    for _ in range(10):
        client.get("/ready")

    assert len(fake.received("/api/version")) == 1


def test_the_root_names_the_service_and_its_parts(client: FlaskClient) -> None:
    body = client.get("/").json

    assert body is not None
    assert (body["name"], body["version"]) == ("Tensoria", __version__)
    assert all(link.startswith("/") for link in body["links"].values())
    assert client.get(body["links"]["models"]).status_code == 200

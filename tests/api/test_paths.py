"""Paths: slashes forgiven without a redirect, and help where nothing is served."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.fake_ollama import FakeOllama, model_entry

PATH = "/v1/chat/completions"


@pytest.mark.parametrize(
    "path", [f"{PATH}/", f"/{PATH}", "/v1//chat/completions", "//v1///chat//completions//"]
)
def test_a_post_with_odd_slashes_is_answered_without_a_redirect(
    client: FlaskClient, hello: dict[str, Any], path: str
) -> None:
    """A redirect would make some clients repeat it as a GET, without its body."""
    overrides = {"PATH_INFO": path}  # in a URL the client would take "//v1" for a host

    assert client.post(PATH, json=hello, environ_overrides=overrides).status_code == 200


@pytest.mark.parametrize("path", ["/v1/models/", "//v1/models", "/v1//models//", "/health/", "//"])
def test_a_get_with_odd_slashes_is_answered_without_a_redirect(
    client: FlaskClient, path: str
) -> None:
    assert client.get("/v1/models", environ_overrides={"PATH_INFO": path}).status_code == 200


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/chat/completions", "lacks /v1"),
        ("/models", "lacks /v1"),
        ("/completions", "lacks /v1"),
        ("/embeddings", "lacks /v1"),
        ("/v1/v1/chat/completions", "/v1 twice"),
        ("/v1/v1/models", "/v1 twice"),
        ("/api/chat", "Ollama's own API"),
        ("/api/tags", "Ollama's own API"),
        ("/api", "Ollama's own API"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_base_url_is_named(client: FlaskClient, method: str, path: str, hint: str) -> None:
    response = client.open(path, method=method, headers={"Host": "gpu.example.org:8002"})

    assert response.status_code == 404
    message = response.json["error"]["message"]  # type: ignore[index]
    assert hint in message
    assert "the base URL http://gpu.example.org:8002/v1" in message


@pytest.mark.parametrize("host", ["[", "a b", ("x" * 60 + ".") * 4, "é", ""])
def test_a_hint_survives_an_odd_host(client: FlaskClient, host: str) -> None:
    response = client.get("/models", environ_overrides={"HTTP_HOST": host})

    assert response.status_code == 404
    assert len(response.json["error"]["message"]) < 400  # type: ignore[index]


@pytest.mark.parametrize(
    "name",
    [
        "files",
        "images",
        "audio",
        "assistants",
        "batches",
        "moderations",
        "fine_tuning",
        "threads",
        "uploads",
        "vector_stores",
        "realtime",
        "evals",
    ],
)
def test_an_endpoint_of_openai_that_is_not_served_is_named(client: FlaskClient, name: str) -> None:
    for path in (f"/v1/{name}", f"/v1/{name}/abc/def"):
        message = client.post(path, json={}).json["error"]["message"]  # type: ignore[index]

        assert f"/v1/{name}" in message
        assert "does not serve" in message


@pytest.mark.parametrize("path", ["/nowhere", "/v1", "/v1/nowhere", "/v2/models", "/\x00", "/é"])
def test_another_path_is_404_in_the_envelope(client: FlaskClient, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.json["error"]["code"] == "not_found"  # type: ignore[index]


def test_a_path_of_kilobytes_is_cut_in_the_message(client: FlaskClient) -> None:
    response = client.get("/v1/" + "a" * 10_000)

    assert len(response.json["error"]["message"]) < 300  # type: ignore[index]


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        (PATH, "GET", {"POST", "OPTIONS"}),
        (PATH, "DELETE", {"POST", "OPTIONS"}),
        ("/v1/models", "POST", {"GET", "HEAD", "OPTIONS"}),
        ("/v1/models/mistral", "DELETE", {"GET", "HEAD", "OPTIONS"}),
        ("/health", "POST", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_405_with_the_right_ones(
    client: FlaskClient, path: str, method: str, allowed: set[str]
) -> None:
    response = client.open(path, method=method)

    assert response.status_code == 405
    assert response.json["error"]["code"] == "method_not_allowed"  # type: ignore[index]
    assert set(response.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    ("path", "status"),
    [("/health", 200), ("/v1/models", 200), ("/", 200), ("/x", 404), (PATH, 405)],
)
def test_head_has_a_status_and_no_body(client: FlaskClient, path: str, status: int) -> None:
    response = client.head(path)

    assert response.status_code == status
    assert response.data == b""


def test_options_tell_the_methods(client: FlaskClient) -> None:
    response = client.options(PATH)

    assert response.status_code == 200
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/"])
def test_a_query_string_changes_nothing(client: FlaskClient, path: str) -> None:
    assert client.get(f"{path}?api-version=2024-10-21&x").status_code == 200


@pytest.mark.parametrize("host", ["a b", "", "exämple", "a" * 300, "[::1", "x:y:z"])
def test_a_host_that_is_none_does_no_harm(client: FlaskClient, host: str) -> None:
    value = host.encode().decode("latin-1")
    response = client.get("/health", environ_overrides={"HTTP_HOST": value})

    assert response.status_code in (200, 400)


@pytest.mark.parametrize(
    "name",
    [
        "hf.co/bartowski/Model-GGUF:Q4_K_M",
        "hf.co%2Fbartowski%2FModel-GGUF%3AQ4_K_M",
        "HF.co/Bartowski/model-gguf:q4_k_m",
        "hf.co/bartowski/Model-GGUF:Q4_K_M/",
        "hf.co//bartowski/Model-GGUF:Q4_K_M",
    ],
)
def test_a_model_id_with_slashes_and_colons(
    fake: FakeOllama, client: FlaskClient, name: str
) -> None:
    fake.models = [model_entry("hf.co/bartowski/Model-GGUF:Q4_K_M")]
    response = client.get(f"/v1/models/{name}")

    assert response.json["id"] == "hf.co/bartowski/Model-GGUF:Q4_K_M"  # type: ignore[index]


@pytest.mark.parametrize("host", ["", "a b", "x/../y"])
def test_a_host_that_is_none_is_not_in_the_base_url(client: FlaskClient, host: str) -> None:
    response = client.get("/v1/v1/models", environ_overrides={"HTTP_HOST": host})

    assert response.status_code == 404
    assert "use the base URL /v1," in response.get_json()["error"]["message"]

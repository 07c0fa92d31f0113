"""What /metrics says after requests of each kind; how workers add up is in e2e/test_metrics.py."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tensoria.api.services import UnwatchedClient
from tensoria.app import create_app
from tensoria.config import Settings
from tensoria.metrics.base import FOLDER
from tests.api.conftest import KEY
from tests.fake_ollama import FakeOllama, chat_line, done_line, error_line, stream
from tests.waiting import until

CHAT = "/v1/chat/completions"
HELLO = {"model": "smollm2:135m", "messages": [{"role": "user", "content": "Hi"}]}
METRICS_KEY = "a-key-for-metrics-alone"

Start = Callable[..., FlaskClient]


@pytest.fixture
def start(fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Build an app that counts; keywords are settings."""
    folder = tmp_path / "metrics"
    folder.mkdir()
    monkeypatch.setenv(FOLDER, str(folder))
    started: list[Flask] = []

    def build(**variables: str) -> FlaskClient:
        settings = Settings.from_env({"OLLAMA_BASE_URL": fake.url, **variables})
        started.append(create_app(settings, metrics_folder=str(folder)))
        return started[-1].test_client()

    yield build
    for app in started:
        app.extensions["tensoria"].metrics.close()


@pytest.fixture
def counting(start: Start) -> FlaskClient:
    return start()


def told(client: FlaskClient, key: str | None = None) -> dict[str, float]:
    """Return every sample by its name and labels, as they stand in the text."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    response = client.get("/metrics", headers=headers)
    assert response.status_code == 200
    assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def requests(samples: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in samples.items() if name.startswith("tensoria_requests_")}


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_is_counted_with_its_tokens_and_times(
    counting: FlaskClient, fake: FakeOllama, streamed: bool
) -> None:
    done = done_line(prompt=7, eval=20, eval_duration=500_000_000)
    fake.script("/api/chat", stream([chat_line("Hello"), done]))

    with counting.post(CHAT, json={**HELLO, "stream": streamed}) as response:
        assert "Hello" in response.text

    samples = told(counting)
    labels = f'endpoint="{CHAT}",key="",model="smollm2:135m",status="200"'
    assert requests(samples) == {f"tensoria_requests_total{{{labels}}}": 1}
    assert samples['tensoria_tokens_in_total{key="",model="smollm2:135m"}'] == 7
    assert samples['tensoria_tokens_out_total{key="",model="smollm2:135m"}'] == 20
    assert samples['tensoria_first_token_seconds_count{model="smollm2:135m"}'] == 1
    assert samples['tensoria_tokens_per_second_sum{model="smollm2:135m"}'] == 40
    assert not [name for name in samples if name.startswith("tensoria_aborts")]


def test_an_answer_that_its_client_did_not_take_whole_was_left_in_writing(
    counting: FlaskClient,
) -> None:
    environ = {"tensoria.client": Leaving()}
    with counting.post(CHAT, json={**HELLO, "stream": True}, environ_overrides=environ) as response:
        assert "[DONE]" in response.text

    assert told(counting)['tensoria_aborts_total{state="writing"}'] == 1


class Leaving(UnwatchedClient):
    """Has read nothing of what was written when the answer is over."""

    def unread(self) -> bool:
        return True


def test_a_name_that_a_client_made_up_is_no_label(counting: FlaskClient) -> None:
    counting.post(CHAT, json={**HELLO, "model": "sk-secret"})
    counting.get("/v1/sk-secret")
    counting.post(CHAT, json={**HELLO, "sk-secret": 1, "store": True})

    text = counting.get("/metrics").text

    assert "sk-secret" not in text
    assert 'tensoria_requests_total{endpoint="other",key="",model="",status="404"} 1.0' in text
    assert 'tensoria_fields_ignored_total{field="other"} 1.0' in text
    assert 'tensoria_fields_ignored_total{field="store"} 1.0' in text


def test_a_model_that_has_not_answered_yet_is_no_label_either(
    start: Start, fake: FakeOllama
) -> None:
    """The names of cloud models are checked by nobody before one of them answers."""
    client = start(ALLOW_CLOUD_MODELS="1")
    fake.script("/api/chat", stream([error_line("no such model")]))

    assert client.post(CHAT, json={**HELLO, "model": "made-up:cloud"}).status_code >= 400

    assert "made-up" not in client.get("/metrics").text


def test_what_was_adjusted_is_counted_by_its_field(start: Start) -> None:
    client = start(MAX_TOKENS_LIMIT="16")

    assert client.post(CHAT, json={**HELLO, "max_tokens": 99}).status_code == 200

    assert told(client)['tensoria_fields_adjusted_total{field="max_tokens"}'] == 1


def test_keys_are_known_by_their_names_alone(start: Start, tmp_path: Path) -> None:
    sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of foo
    (tmp_path / "keys.toml").write_text(f'[[keys]]\nname = "ann"\nsha256 = "{sha256}"\n')
    client = start(API_KEY=KEY, API_KEYS_FILE=str(tmp_path / "keys.toml"))
    for key in ("foo", KEY, "wrong"):
        client.get("/v1/models", headers={"X-API-Key": key})

    text = client.get("/metrics", headers={"X-API-Key": KEY}).text

    counted = re.findall(r'requests_total\{endpoint="/v1/models",key="(.*?)".*status="(.*?)"', text)
    assert sorted(counted) == [("", "401"), ("(API_KEY)", "200"), ("ann", "200")]
    assert KEY not in text
    assert sha256[:8] not in text


def test_the_metrics_key_admits_to_the_metrics_and_to_nothing_else(start: Start) -> None:
    client = start(API_KEY=KEY, METRICS_KEY=METRICS_KEY)

    assert told(client, METRICS_KEY)["tensoria_engine_up"] == 1
    assert client.get("/metrics").status_code == 401
    bearer = {"Authorization": f"Bearer {METRICS_KEY}"}
    assert client.get("/v1/models", headers=bearer).status_code == 401


def test_an_engine_that_is_away_is_not_up(start: Start) -> None:
    client = start(OLLAMA_BASE_URL="http://127.0.0.1:9")

    assert told(client)["tensoria_engine_up"] == 0


def test_without_a_folder_there_are_no_metrics(client: FlaskClient) -> None:
    assert client.get("/metrics").status_code == 404


def test_one_that_waits_is_counted_while_it_waits(counting: FlaskClient, fake: FakeOllama) -> None:
    goes_on = threading.Event()
    fake.script("/api/chat", stream([chat_line("Hel"), goes_on, done_line()]))

    def ask() -> None:
        counting.application.test_client().post(CHAT, json=HELLO)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: told(counting).get("tensoria_queue_waiting") == 1)
    goes_on.set()
    for thread in threads:
        thread.join(10)

    samples = told(counting)
    assert samples["tensoria_queue_waiting"] == 0
    assert samples["tensoria_queue_wait_seconds_count"] == 1


def test_a_load_is_counted(counting: FlaskClient, fake: FakeOllama) -> None:
    fake.loaded = []

    assert counting.post(CHAT, json=HELLO).status_code == 200

    samples = told(counting)
    assert samples['tensoria_loads_total{model="smollm2:135m",outcome="loaded"}'] == 1
    assert samples["tensoria_load_seconds_count"] == 1


def test_the_gauges_of_a_worker_that_ended_are_forgotten_and_its_sums_are_kept(
    start: Start,
) -> None:
    first = start()
    first.get("/health")
    first.application.extensions["tensoria"].metrics.waits(3)
    second = start()
    assert told(second)["tensoria_queue_waiting"] == 3

    first.application.extensions["tensoria"].metrics.close()

    samples = told(second)
    assert samples["tensoria_queue_waiting"] == 0
    health = 'endpoint="/health",key="",model="",status="200"'
    assert samples[f"tensoria_requests_total{{{health}}}"] == 1

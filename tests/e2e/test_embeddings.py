"""`tensoria up --embeddings` with the real engine and the real model.

The numbers were computed from the model's own weights in float64, by a BERT and a WordPiece written
with numpy for this purpose (2026-11), and not by llama.cpp.
"""

import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from tensoria.engine.process import COMMAND
from tests.cli.up_command import STOP_SECONDS, Starter, Up, command_of
from tests.contract.embeddings import numbers
from tests.e2e.service import wait_for
from tests.engine.asking import Engine
from tests.engine.demo import demo_engine, demo_engine_with_embeddings
from tests.requirements import need

pytestmark = pytest.mark.e2e

MODEL = "all-minilm"
PARIS = "The capital of France is Paris."
BREAD = "How do I bake bread?"
# Text, its tokens with [CLS] and [SEP], and the first eight and the last four of its numbers.
REFERENCE = [
    (
        PARIS,
        9,
        [0.10326, 0.03042, 0.0291, -0.03732, 0.07868, -0.05472, 0.00269, -0.00863],
        [-0.02283, 0.05853, 0.08586, -0.00567],
    ),
    (
        BREAD,
        9,
        [0.04219, 0.04323, -0.02057, -0.01827, -0.09989, -0.00113, -0.00707, 0.0149],
        [0.01597, -0.03819, -0.03828, -0.11542],
    ),
    (
        "Olá, mundo \u2013 naïve café!",
        10,
        [0.00788, 0.05738, 0.00105, 0.03826, 0.05158, -0.03373, 0.03471, -0.08094],
        [0.03496, -0.05218, -0.02791, -0.02162],
    ),
]
# Its arithmetic is float32.
NEAR = 0.0005


@pytest.fixture(scope="module")
def cache() -> str:
    """The cache folder that holds both models."""
    need(Path("/proc/self/environ").exists(), "/proc", "a Linux")
    return str(demo_engine_with_embeddings().model.path.parents[2])


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, cache: str) -> Iterator[Up]:
    """One for all tests that leave it as it is."""
    starter = Starter(tmp_path_factory.mktemp("up"))
    running = starter("--embeddings", cache=cache)
    try:
        running.wait_for_banner()
        yield running
    finally:
        running.stop()
        starter.clean()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    starter.clean()


def started(pid: int) -> int:
    """Return when a process was started, in ticks of the kernel's clock (proc(5), field 22)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def ask(http: requests.Session, up: Up, path: str = "/v1/embeddings", **body: Any) -> Any:
    """POST, and return the answer's JSON with its status under `status`."""
    response = http.post(f"{up.url}{path}", json={"model": MODEL, **body}, timeout=60)
    return {"status": response.status_code, **response.json()}


def vectors(answer: Any) -> list[list[float]]:
    assert answer["status"] == 200, answer
    assert [entry["index"] for entry in answer["data"]] == list(range(len(answer["data"])))
    return [entry["embedding"] for entry in answer["data"]]


def cosine(one: list[float], other: list[float]) -> float:
    product = math.fsum(a * b for a, b in zip(one, other, strict=True))
    return product / (math.hypot(*one) * math.hypot(*other))


def error(answer: Any) -> tuple[int, str, str | None]:
    return answer["status"], answer["error"]["code"], answer["error"]["param"]


@pytest.mark.parametrize(("text", "tokens", "first", "last"), REFERENCE)
def test_numbers_are_those_of_the_models_makers(
    up: Up, http: requests.Session, text: str, tokens: int, first: list[float], last: list[float]
) -> None:
    answer = ask(http, up, input=text)
    (vector,) = vectors(answer)
    assert len(vector) == 384
    assert vector[:8] == pytest.approx(first, abs=NEAR)
    assert vector[-4:] == pytest.approx(last, abs=NEAR)
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_what_means_the_same_is_near_and_what_does_not_is_far(
    up: Up, http: requests.Session
) -> None:
    texts = [
        PARIS,
        "Paris is the largest city in France.",
        BREAD,
        "A recipe for sourdough loaves",
    ]
    paris, city, bread, recipe = vectors(ask(http, up, input=texts))
    assert cosine(paris, city) == pytest.approx(0.828, abs=0.002)
    assert cosine(bread, recipe) == pytest.approx(0.585, abs=0.002)
    assert cosine(paris, bread) == pytest.approx(0.104, abs=0.002)
    assert cosine(city, recipe) == pytest.approx(0.034, abs=0.002)


def test_a_list_keeps_its_order(up: Up, http: requests.Session) -> None:
    texts = [f"Item number {number} of a long list." for number in range(70)]
    together = vectors(ask(http, up, input=texts))
    for index in (0, 1, 35, 69):
        (alone,) = vectors(ask(http, up, input=texts[index]))
        assert together[index] == pytest.approx(alone, abs=NEAR)
        similar = [cosine(alone, vector) for vector in together]
        assert similar.index(max(similar)) == index


def test_base64_holds_the_same_numbers(up: Up, http: requests.Session) -> None:
    (plain,) = vectors(ask(http, up, input=PARIS))
    (encoded,) = ask(http, up, input=PARIS, encoding_format="base64")["data"]
    assert numbers(encoded["embedding"]) == pytest.approx(plain, rel=1e-6, abs=1e-9)


def test_fewer_dimensions_are_the_first_ones_made_a_unit_again(
    up: Up, http: requests.Session
) -> None:
    """llama.cpp itself ignores the field."""
    (vector,) = vectors(ask(http, up, input=PARIS, dimensions=4))
    assert vector == pytest.approx([0.87812, 0.2587, 0.24744, -0.3174], abs=0.005)
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-6)
    (whole,) = vectors(ask(http, up, input=PARIS, dimensions=384))
    assert len(whole) == 384


def test_more_dimensions_than_it_has_are_refused(up: Up, http: requests.Session) -> None:
    answer = ask(http, up, input=PARIS, dimensions=385)
    assert error(answer) == (400, "invalid_value", "dimensions")
    assert "384" in answer["error"]["message"]


def test_a_text_over_512_tokens_is_refused_and_not_cut(up: Up, http: requests.Session) -> None:
    """[CLS] and [SEP] are two of them; llama.cpp itself answers 500."""
    assert len(vectors(ask(http, up, input="word " * 510))) == 1
    for over in ("word " * 511, ["short", "word " * 511]):
        answer = ask(http, up, input=over)
        assert error(answer) == (400, "context_length_exceeded", "input")
        assert answer["error"]["message"] == (
            "This model's maximum context length is 512 tokens. "
            "However, your input resulted in 513 tokens."
        )


@pytest.mark.parametrize(
    "name", ["all-minilm:latest", "all-minilm:l6-v2", "all-MiniLM-L6-v2", "ALL-MINILM"]
)
def test_it_answers_to_ollamas_names_and_its_makers(
    up: Up, http: requests.Session, name: str
) -> None:
    answer = ask(http, up, input=PARIS, model=name)
    assert (answer["status"], answer["model"]) == (200, name)


def test_both_models_are_listed(up: Up, http: requests.Session) -> None:
    listed = http.get(f"{up.url}/v1/models", timeout=10).json()["data"]
    assert [(model["id"], model["owned_by"]) for model in listed] == [
        ("smollm2:135m", "tensoria-embedded (llama.cpp)"),
        (MODEL, "tensoria-embedded (llama.cpp)"),
    ]


def test_banner_says_what_embeds(up: Up) -> None:
    assert up.out.read_text().splitlines()[2] == (
        "Embeddings: all-MiniLM-L6-v2 (384 dimensions, 512 tokens, English only, Apache-2.0), "
        'as "all-minilm"'
    )


def test_the_other_model_chats_and_does_not_embed(up: Up, http: requests.Session) -> None:
    answer = ask(
        http,
        up,
        "/v1/chat/completions",
        model="",
        messages=[{"role": "user", "content": "What is the capital of France?"}],
        max_tokens=20,
    )
    assert "Paris" in answer["choices"][0]["message"]["content"]
    refused = ask(http, up, input=PARIS, model="smollm2:135m")
    assert error(refused) == (400, "unsupported_parameter", "model")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}),
        ("/v1/completions", {"prompt": "Hi"}),
    ],
)
def test_the_model_that_embeds_does_not_chat(
    up: Up, http: requests.Session, path: str, body: dict[str, Any]
) -> None:
    answer = ask(http, up, path, **body)
    assert error(answer) == (400, "unsupported_parameter", "model")
    assert "does not chat" in answer["error"]["message"]


def test_openais_client_reads_it(up: Up) -> None:
    """It asks for base64 by itself."""
    with openai.OpenAI(base_url=f"{up.url}/v1", api_key="none", max_retries=0) as client:
        answer = client.embeddings.create(model=MODEL, input=[PARIS, BREAD])
    assert [len(entry.embedding) for entry in answer.data] == [384, 384]
    assert answer.data[1].embedding[:8] == pytest.approx(REFERENCE[1][2], abs=NEAR)


def test_no_text_is_in_the_engines_log(cache: str, http: requests.Session) -> None:
    prepared = demo_engine_with_embeddings()
    assert prepared.embeddings is not None
    told = prepared.embeddings.told
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=prepared.environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(told).encode() + b"\n")
    process.stdin.flush()
    port = json.loads(process.stdout.readline())["port"]
    engine = Engine(port, told["api_key"], http)
    engine.json("/v1/embeddings", {"model": MODEL, "input": "Xylophone zeppelin."})
    assert engine.ask("/v1/embeddings", {"input": "zeppelin " * 600}).status_code == 500
    _, log = process.communicate(timeout=10)
    assert b"listening" in log
    assert b"eppelin" not in log


def test_killed_engine_that_embeds_comes_back(
    start: Starter, cache: str, http: requests.Session
) -> None:
    up = start("--embeddings", cache=cache)
    up.wait_for_banner()
    engines = [pid for pid in up.pids() if b"child.py" in command_of(pid)]
    os.kill(max(engines, key=started), signal.SIGKILL)
    wait_for(
        lambda: "the embeddings engine answers again" in up.err.read_text(), "the engine", up.err
    )
    assert len(vectors(ask(http, up, input=PARIS))) == 1
    assert http.get(f"{up.url}/ready", timeout=10).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_behind(start: Starter, cache: str, number: signal.Signals) -> None:
    up = start("--embeddings", cache=cache)
    up.wait_for_banner()
    assert len([pid for pid in up.pids() if b"child.py" in command_of(pid)]) == 2
    assert up.stop(number) == (-number if number == signal.SIGKILL else 0)
    wait_for(lambda: up.pids() == [], "every process to end", up.err, STOP_SECONDS)


@pytest.mark.parametrize("seconds", [0.6, 1.0, 1.4, 1.8])
def test_a_stop_during_the_start_leaves_no_process_behind(
    start: Starter, cache: str, seconds: float
) -> None:
    """While the first process loads, or the second, or gunicorn is waited for."""
    up = start("--embeddings", cache=cache)
    time.sleep(seconds)
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(STOP_SECONDS) in (0, 130, -signal.SIGTERM)
    assert up.pids() == []


def test_without_the_option_the_command_that_brings_it_is_told(
    start: Starter, http: requests.Session
) -> None:
    up = start("--embedded", cache=str(demo_engine().model.path.parents[2]))
    up.wait_for_banner()
    for name, status in (("smollm2:135m", 400), (MODEL, 404)):
        answer = ask(http, up, input=PARIS, model=name)
        assert answer["status"] == status
        assert "`tensoria up --embeddings`" in answer["error"]["message"]
    assert up.stop() == 0

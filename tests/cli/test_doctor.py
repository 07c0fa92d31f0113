"""Each thing that the doctor finds, provoked, and the line by which it is mended."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tensoria.cli import doctor_engine, doctor_network, doctor_service, main
from tests.backends.fake_openai import speak_openai
from tests.e2e.service import free_port
from tests.fake_ollama import (
    Exchange,
    FakeOllama,
    answer_json,
    chat_line,
    done_line,
    model_entry,
    stream,
)

KEY = "tensoria_0123456789-0123456789"
MODEL = "smollm2:135m"

Told = dict[str, Any]
Examine = Callable[..., Told]


@pytest.fixture
def fake() -> Iterator[FakeOllama]:
    with FakeOllama() as server:
        yield server


@pytest.fixture
def examine(
    fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Examine:
    """Run the doctor with `--json`; keywords are settings, and all is well but for them."""
    monkeypatch.setattr(doctor_service, "NGINX", ("nginx.conf",))
    fake.context_length = 32768

    def run(*arguments: str, **variables: str) -> Told:
        well = {"OLLAMA_BASE_URL": fake.url, "API_KEY": KEY, "DEFAULT_MODEL": MODEL}
        for name, value in {**well, **variables}.items():
            monkeypatch.setenv(name, value)
        code = main(["doctor", "--json", *arguments])
        told: Told = json.loads(capsys.readouterr().out)
        assert code == (1 if told["findings"] else 0)
        return told

    return run


def found(told: Told, check: str) -> tuple[str, str]:
    """Return the one thing that was found, what is wrong and how it is mended."""
    (finding,) = told["findings"]
    assert finding["check"] == check
    return finding["problem"], finding["mend"]


def unknown(told: Told, check: str) -> str:
    return {each["check"]: str(each["why"]) for each in told["unknown"]}[check]


def test_where_all_is_well_nothing_is_found(examine: Examine) -> None:
    told = examine()

    assert told["findings"] == []
    assert set(told["well"]) >= {"key", "engine", "release", "model", "exposed", "clock", "disk"}
    assert unknown(told, "buffering") == "Give --url, the address that clients use."


def test_a_person_reads_what_is_wrong_and_the_line_that_mends_it(
    examine: Examine, fake: FakeOllama, capsys: pytest.CaptureFixture[str]
) -> None:
    examine()

    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("Nothing to mend.\n")
    fake.models = [model_entry("qwen3:8b")]
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "\n    mend: ollama pull smollm2:135m" in told
    assert told.endswith("\n1 to mend.\n")
    assert "Well: key, " in told


@pytest.mark.parametrize(
    ("arguments", "variables"), [(["--url", "example"], {}), ([], {"MAX_TOKENS": "many"})]
)
def test_a_doctor_that_cannot_begin_ends_with_2(
    arguments: list[str], variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert main(["doctor", *arguments]) == 2


def test_no_key(examine: Examine) -> None:
    problem, mend = found(examine(API_KEY=""), "key")

    assert problem == "API_KEY is not set: whoever reaches the service may use it."
    assert ">> .env" in mend


@pytest.mark.parametrize("name", ["API_KEY", "METRICS_KEY"])
def test_a_short_key_is_told_by_its_length_alone(examine: Examine, name: str) -> None:
    problem, mend = found(examine(**{name: "hunter2"}), "key")

    assert problem.startswith(f"{name} has 7 characters")
    assert f'"{name}=$(' in mend
    assert "hunter2" not in problem + mend


def test_the_line_for_a_key_makes_one_that_is_well(examine: Examine, tmp_path: Path) -> None:
    _, mend = found(examine(API_KEY=""), "key")

    subprocess.run(["sh", "-c", mend], check=True, cwd=tmp_path)

    assert found_nothing(examine(API_KEY=(tmp_path / ".env").read_text().strip()[8:]))


def found_nothing(told: Told) -> bool:
    return told["findings"] == []


def test_several_workers(examine: Examine) -> None:
    problem, mend = found(
        examine(WEB_CONCURRENCY="2", MAX_CONCURRENCY="5", OLLAMA_NUM_PARALLEL="5"), "workers"
    )

    assert "each runs 2 at a time, and 1 of MAX_CONCURRENCY stay unused" in problem
    assert mend.startswith("WEB_CONCURRENCY=1")


def test_a_first_token_that_may_come_after_the_end(examine: Examine) -> None:
    problem, mend = found(examine(OLLAMA_TIMEOUT="600", TOTAL_TIMEOUT="300"), "timeouts")

    assert problem.startswith("OLLAMA_TIMEOUT=600")
    assert mend == "TOTAL_TIMEOUT=6000 in .env"


@pytest.mark.parametrize(
    ("line", "seconds"),
    [("", 60), ("proxy_read_timeout 120s;", 120), ("proxy_read_timeout 10m ;", 600)],
)
def test_an_nginx_that_hangs_up_before_the_service(
    examine: Examine, tmp_path: Path, line: str, seconds: int
) -> None:
    (tmp_path / "nginx.conf").write_text(f"proxy_pass http://127.0.0.1:8002;\n{line}\n")

    problem, mend = found(examine(), "timeouts")

    assert f"nginx.conf ends an answer after {seconds} seconds of silence" in problem
    assert "the service may take 4320 for one" in problem
    assert mend.startswith("proxy_read_timeout 4380s;")


@pytest.mark.parametrize(
    "text",
    [
        "proxy_pass http://127.0.0.1:8002;\nproxy_read_timeout 4500s;",
        "proxy_pass http://127.0.0.1:9000;",
        "listen 8002;",
    ],
)
def test_an_nginx_that_waits_longer_or_has_nothing_to_do_with_the_service(
    examine: Examine, tmp_path: Path, text: str
) -> None:
    (tmp_path / "nginx.conf").write_text(text)

    assert found_nothing(examine())


def test_the_projects_own_nginx_waits_long_enough(examine: Examine, tmp_path: Path) -> None:
    own = Path(__file__).parents[2] / "nginx.conf"
    (tmp_path / "nginx.conf").write_text(own.read_text())

    assert found_nothing(examine())


def test_a_disk_with_little_left(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_service, "LEAST_FREE_BYTES", 2**60)

    problem, mend = found(examine(), "disk")

    assert "(DATA_DIR) has " in problem
    assert "ollama rm" in mend


def test_a_low_limit_of_files(fake: FakeOllama, tmp_path: Path) -> None:
    """In a process of its own: a limit that was lowered stays so."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512));"
        "from tensoria.cli import main; sys.exit(main(['doctor']))"
    )
    environ = {"OLLAMA_BASE_URL": fake.url, "API_KEY": KEY, "DEFAULT_MODEL": MODEL}
    environ |= {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "files: A process may open 512 files here" in done.stdout
    assert "mend: LimitNOFILE=65536" in done.stdout


def test_no_engine(examine: Examine) -> None:
    problem, mend = found(examine(OLLAMA_BASE_URL=f"http://127.0.0.1:{free_port()}"), "engine")

    assert problem.startswith("No engine answers at http://127.0.0.1:")
    assert mend.startswith("systemctl start ollama")


def test_without_an_engine_what_hangs_on_it_is_not_known(examine: Examine) -> None:
    told = examine(OLLAMA_BASE_URL=f"http://127.0.0.1:{free_port()}", MAX_CONCURRENCY="2")

    for check in ("release", "model", "context", "gpu", "parallel"):
        assert "does not answer" in unknown(told, check)


def test_an_old_ollama(examine: Examine, fake: FakeOllama) -> None:
    fake.version = "0.12.5"

    problem, mend = found(examine(), "release")

    assert problem.startswith("Ollama 0.12.5 cuts a prompt")
    assert "install.sh" in mend


def test_a_default_model_that_is_missing(examine: Examine) -> None:
    problem, mend = found(examine(DEFAULT_MODEL="mistral"), "model")

    assert "'mistral'" in problem
    assert mend.startswith("ollama pull mistral  (Docker: docker exec ")


def test_a_context_far_below_the_trained_one(examine: Examine, fake: FakeOllama) -> None:
    fake.models = [model_entry(MODEL)]
    fake.models[0]["details"]["context_length"] = 131072
    fake.context_length = 4096

    problem, mend = found(examine(), "context")

    assert "a context of 4096 tokens and was trained with 131072" in problem
    assert mend.startswith("OLLAMA_CONTEXT_LENGTH=16384 in .env")


def running(fake: FakeOllama, size: int, size_vram: int) -> None:
    def ps(exchange: Exchange) -> None:
        entry = {"name": MODEL, "size": size, "size_vram": size_vram, "context_length": 32768}
        body = json.dumps({"models": [entry]}).encode()
        exchange.answer(200, body, "application/json")

    fake.script("/api/ps", ps)


def test_a_model_that_is_in_the_gpu_in_part(examine: Examine, fake: FakeOllama) -> None:
    running(fake, size=1000, size_vram=250)

    problem, mend = found(examine(), "gpu")

    assert problem.startswith(f"Only 25 % of {MODEL} is in the GPU's memory")
    assert mend.startswith("a smaller model")


def test_a_gpu_that_is_not_used(
    examine: Examine, fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(doctor_engine, "DEVICES", tmp_path)
    running(fake, size=1000, size_vram=0)

    problem, mend = found(examine(), "gpu")

    assert problem == f"This machine has a GPU, and {MODEL} does not use it."
    assert "nvidia-smi" in mend


def test_a_machine_without_a_gpu_is_well(
    examine: Examine, fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_engine, "DEVICES", tmp_path)
    running(fake, size=1000, size_vram=0)

    assert "gpu" in examine()["well"]


def test_sizes_that_are_both_0_say_nothing_of_a_gpu(examine: Examine, fake: FakeOllama) -> None:
    running(fake, size=0, size_vram=0)

    assert unknown(examine(), "gpu") == f"Ollama tells no sizes of {MODEL}."


class Slots:
    """A fake's chat that takes a while, in so many slots."""

    def __init__(self, number: int) -> None:
        self._free = threading.Semaphore(number)

    def __call__(self, exchange: Exchange) -> None:
        with self._free:
            time.sleep(0.1)
        stream([chat_line("river"), done_line()])(exchange)


def test_an_engine_with_one_slot_for_two_at_a_time(examine: Examine, fake: FakeOllama) -> None:
    fake.script("/api/chat", Slots(1))

    problem, mend = found(examine(MAX_CONCURRENCY="2"), "parallel")

    assert problem.startswith("MAX_CONCURRENCY=2, and of two requests the engine ran the second")
    assert mend.startswith("OLLAMA_NUM_PARALLEL=2 in the environment of Ollama itself")


def test_an_engine_with_as_many_slots_as_are_used(examine: Examine, fake: FakeOllama) -> None:
    fake.script("/api/chat", Slots(2))

    assert "parallel" in examine(MAX_CONCURRENCY="2")["well"]


def test_an_engine_that_is_too_fast_to_tell(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_engine, "LEAST_SECONDS", 60)

    assert (
        unknown(examine(MAX_CONCURRENCY="2"), "parallel") == "The model answers too fast to tell."
    )


def test_another_engine_is_asked_what_it_can_tell(examine: Examine, fake: FakeOllama) -> None:
    speak_openai(fake, MODEL)

    told = examine(ENGINE="openai", ENGINE_BASE_URL=fake.url, MAX_CONCURRENCY="2")

    assert found_nothing(told)
    assert {"engine", "model", "exposed"} <= set(told["well"])
    for check in ("release", "context", "gpu"):
        assert unknown(told, check) == "An engine with ENGINE=openai does not tell."


def test_another_engine_without_the_default_model(examine: Examine, fake: FakeOllama) -> None:
    speak_openai(fake, "one", "two")

    told = examine(ENGINE="openai", ENGINE_BASE_URL=fake.url)

    assert found(told, "model")[1] == "DEFAULT_MODEL= in .env"


def test_an_ollama_on_another_machine_is_looked_at_there(examine: Examine) -> None:
    told = examine(OLLAMA_BASE_URL="http://192.0.2.1:11434", CONNECT_TIMEOUT="0.1")

    assert unknown(told, "exposed") == "Ollama is not reached by loopback: look at its own machine."


def test_a_model_that_does_not_load_is_not_known(examine: Examine, fake: FakeOllama) -> None:
    fake.script("/api/chat", answer_json({"error": "no memory"}, 500))

    assert "does not answer" in unknown(examine(MAX_CONCURRENCY="2"), "parallel")


def test_an_engine_that_stops_to_answer_in_between(examine: Examine, fake: FakeOllama) -> None:
    answers = stream([chat_line("river"), done_line()])
    fake.script("/api/chat", answers, answer_json({"error": "no memory"}, 500))

    assert "did not answer" in unknown(examine(MAX_CONCURRENCY="2"), "parallel")


# The kernel's own form, little-endian, as on every machine that this runs on.
TABLE = (
    "  sl  local_address rem_address   st tx_queue rx_queue\n   0: {}:{:04X} 00000000:0000 {} 0:0\n"
)
EVERYBODY, LOOPBACK = "00000000", "0100007F"


@pytest.mark.parametrize(
    ("name", "address", "told"),
    [
        ("tcp", EVERYBODY, "0.0.0.0"),
        ("tcp", "0A01A8C0", "192.168.1.10"),
        ("tcp6", EVERYBODY * 4, "::"),
    ],
)
def test_an_ollama_that_listens_to_everybody(
    examine: Examine,
    fake: FakeOllama,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    address: str,
    told: str,
) -> None:
    listed(tmp_path, monkeypatch, name, address, fake.port)

    problem, mend = found(examine(), "exposed")

    assert problem.startswith(f"Ollama listens on {told} port {fake.port}:")
    assert mend.startswith(f"OLLAMA_HOST=127.0.0.1:{fake.port} ")


@pytest.mark.parametrize(
    ("name", "address", "port", "state"),
    [
        ("tcp", LOOPBACK, None, "0A"),
        ("tcp6", "0" * 24 + "01000000", None, "0A"),
        ("tcp6", "0000000000000000FFFF0000" + LOOPBACK, None, "0A"),
        ("tcp", EVERYBODY, 80, "0A"),
        ("tcp", EVERYBODY, None, "01"),
    ],
)
def test_what_listens_to_this_machine_alone_or_elsewhere_is_well(
    examine: Examine,
    fake: FakeOllama,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    address: str,
    port: int | None,
    state: str,
) -> None:
    listed(tmp_path, monkeypatch, name, address, port or fake.port, state)

    assert "exposed" in examine()["well"]


def test_a_system_without_the_kernels_table_is_not_known(
    examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_network, "PROC", tmp_path)

    assert unknown(examine(), "exposed") == "This system has no /proc/net/tcp."


def listed(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    address: str,
    port: int,
    state: str = "0A",
) -> None:
    (folder / "tcp").write_text(TABLE.splitlines()[0] + "\n")
    (folder / name).write_text(TABLE.format(address, port, state))
    monkeypatch.setattr(doctor_network, "PROC", folder)


class Front(BaseHTTPRequestHandler):
    """Stands at the public URL: passes an answer on chunk by chunk, or holds it back."""

    protocol_version = "HTTP/1.0"
    holds_back = False
    status = 200
    day = ""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.day or super().date_time_string(timestamp)

    def do_GET(self) -> None:
        self._head(200)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Authorization"] == f"Bearer {KEY}"
        self._head(self.status)
        if self.status != 200:
            return
        last = {"tensoria": {"timings": {"first_token_ms": 50.0, "total_ms": 350.0}}}
        for number in range(4):
            if not self.holds_back:
                time.sleep(0.1)
            body = last if number == 3 else {"choices": []}
            self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""

    def _head(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()


@pytest.fixture
def front() -> Iterator[Callable[..., str]]:
    """Start a front with these attributes, and return its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(**attributes: object) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Front", (Front,), attributes))
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_front_that_passes_chunks_on(examine: Examine, front: Callable[..., str]) -> None:
    told = examine("--url", front() + "/v1/")

    assert {"buffering", "clock"} <= set(told["well"])


def test_a_front_that_holds_chunks_back(examine: Examine, front: Callable[..., str]) -> None:
    problem, mend = found(examine("--url", front(holds_back=True)), "buffering")

    assert "left within 0.3 seconds and came through" in problem
    assert mend.startswith("proxy_buffering off;")


def test_a_front_that_refuses(examine: Examine, front: Callable[..., str]) -> None:
    problem, mend = found(examine("--url", front(status=502)), "buffering")

    assert problem.endswith("answers a chat with 502.")
    assert mend.startswith("curl -i ")


def test_a_front_with_another_key_says_nothing(examine: Examine, front: Callable[..., str]) -> None:
    assert "wants another key" in unknown(examine("--url", front(status=401)), "buffering")


def test_a_front_that_is_not_there(examine: Examine) -> None:
    problem, mend = found(examine("--url", f"http://127.0.0.1:{free_port()}"), "buffering")

    assert problem.endswith("does not answer (ConnectionError).")
    assert mend.startswith("curl -v ")


def test_clocks_that_are_apart(examine: Examine, front: Callable[..., str]) -> None:
    url = front(day="Mon, 01 Jan 2001 00:00:00 GMT")

    problem, mend = found(examine("--url", url), "clock")

    assert problem.startswith(f"The clocks of this machine and of {url} are ")
    assert mend.startswith("timedatectl set-ntp true")

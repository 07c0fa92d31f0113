"""The child's script, with a stand-in for xllamacpp; the real one is in tests/e2e."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tensoria.engine.child import HTTP_THREADS, Told, configure
from tensoria.engine.process import COMMAND

SERVER = """
import sys, time
class CommonParams:
    def __init__(self):
        self.model = self.cpuparams = self.cpuparams_batch = type("Part", (), {})()
class Server:
    def __init__(self, params):
        print("on stdout, as C++ code might")
        if params.model.path == "bad.gguf":
            raise RuntimeError("failed to load bad.gguf")
        if params.model.path == "slow.gguf":
            sys.stderr.write("loading\\n")
            sys.stderr.flush()
            time.sleep(60)
        self.listening_address = "http://127.0.0.1:4711"
    def __del__(self):
        if hasattr(self, "listening_address"):
            time.sleep(60)
"""


@pytest.fixture
def params() -> SimpleNamespace:
    return SimpleNamespace(
        model=SimpleNamespace(), cpuparams=SimpleNamespace(), cpuparams_batch=SimpleNamespace()
    )


@pytest.fixture
def start(
    tmp_path: Path, environ: dict[str, str], told: Told
) -> Iterator[Callable[[str], "subprocess.Popen[bytes]"]]:
    """Run the real script on a stand-in whose destructor hangs, as the real one's may."""
    (tmp_path / "xllamacpp.py").write_text(SERVER)
    started = []

    def run(model: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ | {"PYTHONPATH": str(tmp_path)},
        )
        started.append(process)
        assert process.stdin is not None
        process.stdin.write(json.dumps({**told, "model": model}).encode() + b"\n")
        process.stdin.flush()
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_browsers_are_kept_out(params: SimpleNamespace, told: Told) -> None:
    """The server's defaults reflect any Origin, with credentials."""
    configure(params, told)
    assert params.api_keys == ["random"]
    assert params.cors_origins == "http://localhost.invalid"
    assert params.cors_origins_explicit is True
    assert params.ui is False


def test_it_listens_on_loopback_only(params: SimpleNamespace, told: Told) -> None:
    configure(params, told)
    assert params.hostnames == ["127.0.0.1"]


def test_each_open_stream_has_a_thread(params: SimpleNamespace, told: Told) -> None:
    configure(params, told)
    assert params.n_threads_http == HTTP_THREADS == 64


def test_memory_and_batches_have_the_measured_sizes(params: SimpleNamespace, told: Told) -> None:
    configure(params, told)
    assert (params.n_ctx, params.n_parallel) == (4096, 2)
    assert (params.n_batch, params.n_ubatch) == (512, 256)
    assert params.cache_ram_mib == 256


def test_chats_are_served_unless_embeddings_are_asked_for(
    params: SimpleNamespace, told: Told
) -> None:
    configure(params, told)
    assert not hasattr(params, "embedding")


def test_an_embedding_model_has_all_its_tokens_in_one_batch(
    params: SimpleNamespace, told: Told
) -> None:
    configure(params, {**told, "embedding": True})
    assert params.embedding is True
    assert (params.n_ctx, params.n_parallel) == (512, 1)
    assert (params.n_batch, params.n_ubatch) == (512, 512)


def test_a_model_answers_to_each_of_its_names(params: SimpleNamespace, told: Told) -> None:
    configure(params, {**told, "other_names": ["some:l6", "some-l6"]})
    assert params.model_alias == {"some", "some:l6", "some-l6"}


def test_the_network_is_never_used(params: SimpleNamespace, told: Told) -> None:
    configure(params, told)
    assert params.offline is True


def test_without_a_template_the_models_own_is_left(params: SimpleNamespace, told: Told) -> None:
    configure(params, told)
    assert not hasattr(params, "chat_template")


def test_our_template_replaces_the_models(params: SimpleNamespace, told: Told) -> None:
    configure(params, {**told, "chat_template": "{{ messages }}"})
    assert params.chat_template == "{{ messages }}"


def test_ready_line_is_all_that_stdout_holds(
    start: Callable[..., "subprocess.Popen[bytes]"],
) -> None:
    output, _ = start("good.gguf").communicate(timeout=30)
    assert output == b'{"port": 4711}\n'


def test_end_of_stdin_ends_it_without_the_destructor(
    start: Callable[..., "subprocess.Popen[bytes]"],
) -> None:
    process = start("good.gguf")
    process.communicate(timeout=30)
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_without_the_destructor(
    start: Callable[..., "subprocess.Popen[bytes]"], number: signal.Signals
) -> None:
    process = start("good.gguf")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    assert process.wait(10) == -number


def test_sigterm_ends_it_while_the_model_loads(
    start: Callable[..., "subprocess.Popen[bytes]"],
) -> None:
    process = start("slow.gguf")
    assert process.stderr is not None
    while b"loading" not in process.stderr.readline():
        pass
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM


def test_bad_model_is_exit_code_1_and_its_reason(
    start: Callable[..., "subprocess.Popen[bytes]"],
) -> None:
    process = start("bad.gguf")
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, b"")
    assert errors.endswith(b"failed to load bad.gguf\n")


def test_files_of_the_current_folder_are_not_taken_for_modules(tmp_path: Path) -> None:
    """Whoever runs `tensoria up` in a folder with a json.py means nothing by it."""
    (tmp_path / "json.py").write_text("raise SystemExit('wrong json')")
    done = subprocess.run(
        COMMAND, cwd=tmp_path, input=b"not json\n", capture_output=True, check=False
    )
    assert b"JSONDecodeError" in done.stderr
    assert sys.executable == COMMAND[0]

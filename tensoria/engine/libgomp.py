"""libgomp.so.1 for machines without it, such as a minimal Debian: no root, no compiler."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tensoria.engine import packages
from tensoria.engine.cache import cache_folder, take_out, temporary_folder
from tensoria.engine.failures import NO_LIBGOMP, EngineError, PackageError

NAME = "libgomp.so.1"
LOCK = Path(__file__).parent / "libgomp.lock"


def libgomp_folder(environ: Mapping[str, str], report: Callable[[str], None]) -> Path:
    """Return a folder that holds libgomp.so.1, fetched once, or raise EngineError.

    xllamacpp links against it and its wheel does not bring it; the wheel of scikit-learn does,
    as `scikit_learn.libs/libgomp-<hash>.so.1.0.0`. The loader goes by the file's name.
    """
    try:
        folder = cache_folder(environ, "lib")
        if not (folder / NAME).is_file():
            report("Fetching libgomp, which this machine lacks (9 MB), once.")
            _fetch(folder, environ)
    except (PackageError, OSError) as exc:
        raise EngineError(NO_LIBGOMP.format(reason=exc)) from exc
    return folder


def _fetch(folder: Path, environ: Mapping[str, str]) -> None:
    tool = packages.find_tool(environ)
    with temporary_folder(folder) as temporary:
        packages.download(tool, LOCK, temporary, environ)
        part = temporary / "part"
        if not take_out(temporary, _is_libgomp, part):
            raise PackageError("the package does not hold it")
        part.replace(folder / NAME)


def _is_libgomp(member: str) -> bool:
    return member.startswith("scikit_learn.libs/libgomp-")

"""The failure table's rows about the machine, with programs that fail as the engine does."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tensoria.engine import preflight
from tensoria.engine.failures import NO_AVX2, EngineError

WITHOUT_LIBGOMP = """
import os, pathlib, sys
for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
    if pathlib.Path(folder, "libgomp.so.1").exists():
        sys.exit(0)
sys.exit("ImportError: libgomp.so.1: cannot open shared object file: No such file or directory")
"""


def python(source: str) -> tuple[str, ...]:
    return (sys.executable, "-c", source)


def find_none(environ: Mapping[str, str], report: Callable[[str], None]) -> Path:
    raise EngineError("libgomp is not to be had")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "libgomp.so.1").touch()
    return folder


def test_machine_that_runs_it_needs_nothing(environ: dict[str, str], reports: list[str]) -> None:
    found = preflight.check(environ, reports.append, probe=python(""), find_libgomp=find_none)
    assert found == environ
    assert reports == []


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGILL)", "sys.exit(132)"])
def test_illegal_instruction_is_a_cpu_without_avx2(
    environ: dict[str, str], reports: list[str], end: str
) -> None:
    with pytest.raises(EngineError) as raised:
        preflight.check(environ, reports.append, probe=python(f"import os, signal, sys; {end}"))
    assert str(raised.value) == NO_AVX2


def test_probe_makes_a_call_because_importing_passes_on_any_cpu() -> None:
    assert "xllamacpp.get_system_info()" in preflight.PROBE[-1]


def test_missing_libgomp_is_put_on_the_childs_library_path(
    environ: dict[str, str], reports: list[str], library: Path
) -> None:
    environ["LD_LIBRARY_PATH"] = "/opt/own"
    found = preflight.check(
        environ,
        reports.append,
        probe=python(WITHOUT_LIBGOMP),
        find_libgomp=lambda _environ, _report: library,
    )
    assert found == environ | {"LD_LIBRARY_PATH": f"{library}:/opt/own"}


def test_library_path_gets_no_empty_part(
    environ: dict[str, str], reports: list[str], library: Path
) -> None:
    """An empty part means the current folder to the loader."""
    environ.pop("LD_LIBRARY_PATH", None)
    found = preflight.check(
        environ,
        reports.append,
        probe=python(WITHOUT_LIBGOMP),
        find_libgomp=lambda _environ, _report: library,
    )
    assert found["LD_LIBRARY_PATH"] == str(library)


def test_libgomp_that_cannot_be_fetched_ends_it(
    environ: dict[str, str], reports: list[str]
) -> None:
    with pytest.raises(EngineError, match="libgomp is not to be had"):
        preflight.check(
            environ, reports.append, probe=python(WITHOUT_LIBGOMP), find_libgomp=find_none
        )


def test_libgomp_that_does_not_load_names_the_debian_package(
    environ: dict[str, str], reports: list[str], tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=r"does not load.*apt-get install libgomp1"):
        preflight.check(
            environ,
            reports.append,
            probe=python(WITHOUT_LIBGOMP),
            find_libgomp=lambda _environ, _report: tmp_path,
        )


def test_any_other_failure_is_told_by_its_last_line(
    environ: dict[str, str], reports: list[str]
) -> None:
    with pytest.raises(
        EngineError, match=r"does not run on this machine: ImportError: GLIBC_2\.99"
    ):
        preflight.check(
            environ, reports.append, probe=python("raise ImportError('GLIBC_2.99 not found')")
        )


def test_failure_without_a_word_is_told_by_its_code(
    environ: dict[str, str], reports: list[str]
) -> None:
    with pytest.raises(EngineError, match="exit code 7"):
        preflight.check(environ, reports.append, probe=python("raise SystemExit(7)"))


def test_probe_that_hangs_is_ended(environ: dict[str, str], reports: list[str]) -> None:
    hanging = python("import time; time.sleep(60)")
    with pytest.raises(EngineError, match=r"did not start within 0\.2 s"):
        preflight.check(environ, reports.append, probe=hanging, seconds=0.2)

import os
import subprocess
import sys

import pytest

from tensoria import __version__
from tensoria.cli import main


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--version"])
    assert raised.value.code == 0
    assert capsys.readouterr().out == f"tensoria {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["down"], ["serve", "--port", "1"]])
def test_wrong_arguments_are_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert "usage: tensoria" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "up"])
def test_wrong_setting_is_one_line_and_exit_code_2(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_TOKENS", "many")
    assert main([command]) == 2
    errors = capsys.readouterr().err
    assert errors == "tensoria: MAX_TOKENS must be a whole number, not 'many'\n"


def test_module_is_a_command_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tensoria", "--version"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert done.stdout == f"tensoria {__version__}\n"


@pytest.mark.parametrize("module", ["tensoria.cli", "tensoria.cli.serve"])
def test_ssl_is_not_loaded_before_gunicorns_workers_patch_it(module: str) -> None:
    """gevent's patch of an ssl that is already in use ends in endless recursion."""
    source = f"import sys, {module}; sys.exit('ssl' in sys.modules)"
    path = ":".join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", source], check=True, env={"PYTHONPATH": path})


def test_the_table_of_fields_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compat"]) == 0
    printed = capsys.readouterr().out
    assert "| `seed` | honoured | honoured | honoured |" in printed
    assert (
        "| `suffix` | honoured | refused | honoured | Where the model can fill a gap. The"
        in printed
    )

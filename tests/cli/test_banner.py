import subprocess
from typing import Any

import pytest

from tensoria import __version__
from tensoria.cli.banner import address, banner
from tensoria.config import Settings


def text(environ: dict[str, str], **options: Any) -> str:
    settings = Settings.from_env(environ)
    told: dict[str, Any] = {
        "model": "smollm2:135m",
        "defaults": {},
        "no_models": False,
        "key_in_file": False,
    }
    return banner(settings, "demo model, llama.cpp", **(told | options))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:8002"),
        ("0.0.0.0", "http://127.0.0.1:8002"),
        ("::", "http://[::1]:8002"),
        ("::1", "http://[::1]:8002"),
        ("localhost", "http://localhost:8002"),
    ],
)
def test_address_is_one_that_a_client_can_use(host: str, expected: str) -> None:
    assert address(Settings.from_env({"API_HOST": host, "API_KEY": "k"})) == expected


def test_banner_names_version_address_and_engine() -> None:
    lines = text({"API_PORT": "8123"}).splitlines()
    assert lines[:2] == [
        f"Tensoria {__version__} answers at http://127.0.0.1:8123/v1",
        "Engine: demo model, llama.cpp",
    ]
    assert lines[-1] == "Ctrl-C stops it."


def test_defaults_that_were_set_are_told() -> None:
    assert "\nSet for it: MAX_TOKENS=512 DEFAULT_TEMPERATURE=0\n" in text(
        {}, defaults={"MAX_TOKENS": "512", "DEFAULT_TEMPERATURE": "0"}
    )


def test_what_embeds_is_told_after_the_engine() -> None:
    lines = text({}, embeddings="some model").splitlines()
    assert lines[1:3] == ["Engine: demo model, llama.cpp", "Embeddings: some model"]


def test_nothing_that_embeds_is_not_told() -> None:
    assert "Embeddings" not in text({})


def test_nothing_set_is_not_told() -> None:
    assert "Set for it" not in text({})


def test_ollama_without_a_model_gets_two_ways_on() -> None:
    banner_text = text({"DEFAULT_MODEL": "qwen3:4b"}, no_models=True)
    assert "\n  ollama pull qwen3:4b\n" in banner_text
    assert "\n  tensoria up --embedded" in banner_text
    assert "curl" not in banner_text


def test_example_without_a_key_has_no_key_header() -> None:
    assert "Authorization" not in text({})


@pytest.mark.parametrize(
    ("keys", "in_file"),
    [("first-key", False), ("first-key,second-key", False), ("first-key", True)],
)
def test_example_takes_the_first_key_from_where_it_stands(
    keys: str, in_file: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Run by a shell, with `curl` replaced by what shows its arguments."""
    if in_file:
        (tmp_path / ".env").write_text(f"API_KEY={keys}\n")
    else:
        monkeypatch.setenv("API_KEY", keys)
    banner_text = text({"API_KEY": keys}, key_in_file=in_file)
    (line,) = [line for line in banner_text.splitlines() if "curl" in line]
    assert "first-key" not in banner_text
    shown = subprocess.run(
        ["sh", "-c", "curl() { printf '%s\\n' \"$@\"; }\n" + line],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert shown[0] == "http://127.0.0.1:8002/v1/chat/completions"
    assert "Authorization: Bearer first-key" in shown
    assert shown[-1].startswith('{"model": "smollm2:135m", "messages": [')


def test_example_with_keys_in_a_file_leaves_a_place_for_one() -> None:
    told = text({"API_KEYS_FILE": "data/keys.toml"}, key_in_file=True)

    assert (
        '\n  curl http://127.0.0.1:8002/v1/chat/completions -H "Authorization: Bearer $KEY" '
        in told
    )

"""Settings: what each variable becomes, and which values stop the start."""

import ast
import os
import re
from dataclasses import fields
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path

import pytest

from tensoria import config
from tensoria.config import ConfigError, Settings, environment, is_loopback

ROOT = Path(__file__).parent.parent

# What holds when nothing is set (design, section 4), by the name in Settings.
DEFAULTS = {
    "api_keys": (),
    "api_keys_file": None,
    "metrics_key": None,
    "data_dir": Path("data"),
    "api_host": "127.0.0.1",
    "api_port": 8002,
    "cors_origins": frozenset(),
    "max_body_bytes": 40 * 1024 * 1024,
    "engine": "ollama",
    "engine_base_url": "http://127.0.0.1:11434",
    "engine_api_key": None,
    "engine_label": None,
    "embeddings_base_url": None,
    "embedded_model": None,
    "embedded_embeddings": False,
    "allow_cloud_models": False,
    "connect_timeout_seconds": 5,
    "timeout_seconds": 120,
    "load_timeout_seconds": 600,
    "stream_idle_timeout_seconds": 60,
    "total_timeout_seconds": 3600,
    "stream_heartbeat_seconds": 25,
    "keep_alive": "5m",
    "context_length": None,
    "default_model": "mistral",
    "default_temperature": 0.7,
    "max_tokens": 4096,
    "max_tokens_limit": None,
    "max_choices": 4,
    "shutdown_grace_seconds": 60,
    "max_concurrency": 1,
    "max_queue": 64,
    "queue_timeout_seconds": 120,
    "trusted_proxies": (),
    "model_aliases": {},
    "default_reasoning_effort": None,
    "context_overflow": "error",
    "strict": False,
    "structured_retry": False,
    "tool_rescue": True,
    "store": True,
    "store_days": 30,
    "store_max_bytes": 1024 * 1024 * 1024,
    "workers": 1,
    "log_level": "INFO",
    "log_format": "text",
}

# (variable, value, name in Settings, what it becomes)
GOOD = [
    ("API_KEY", "one", "api_keys", ("one",)),
    ("API_KEY", " one , two,,three ", "api_keys", ("one", "two", "three")),
    ("API_KEY", "chave-ç", "api_keys", ("chave-ç",)),
    ("API_KEY", "   ", "api_keys", ()),
    ("API_KEYS_FILE", "data/keys.toml", "api_keys_file", Path("data/keys.toml")),
    ("METRICS_KEY", "scrape", "metrics_key", "scrape"),
    ("DATA_DIR", "/srv/tensoria", "data_dir", Path("/srv/tensoria")),
    ("EMBEDDED_MODEL", "own.gguf", "embedded_model", "own.gguf"),
    ("EMBEDDED_EMBEDDINGS", "1", "embedded_embeddings", True),
    ("API_HOST", "localhost", "api_host", "localhost"),
    ("API_HOST", "::1", "api_host", "::1"),
    ("API_HOST", "[::1]", "api_host", "::1"),
    ("API_PORT", "1", "api_port", 1),
    ("API_PORT", "65535", "api_port", 65535),
    ("API_PORT", " 8080 ", "api_port", 8080),
    ("CORS_ORIGINS", "*", "cors_origins", {"*"}),
    (
        "CORS_ORIGINS",
        "https://chat.example.org, http://localhost:3000",
        "cors_origins",
        {"https://chat.example.org", "http://localhost:3000"},
    ),
    ("CORS_ORIGINS", "HTTPS://Chat.Example.Org", "cors_origins", {"https://chat.example.org"}),
    ("CORS_ORIGINS", "http://[::1]:3000", "cors_origins", {"http://[::1]:3000"}),
    ("CORS_ORIGINS", "app://obsidian.md", "cors_origins", {"app://obsidian.md"}),
    ("CORS_ORIGINS", "chrome-extension://abcdef", "cors_origins", {"chrome-extension://abcdef"}),
    ("MAX_BODY_MB", "1", "max_body_bytes", 1_048_576),
    ("MAX_BODY_MB", "0.5", "max_body_bytes", 524_288),
    ("ENGINE", "Ollama", "engine", "ollama"),
    ("OLLAMA_PORT", "11500", "engine_base_url", "http://127.0.0.1:11500"),
    ("OLLAMA_BASE_URL", "http://ollama:11434/", "engine_base_url", "http://ollama:11434"),
    (
        "OLLAMA_BASE_URL",
        "https://gpu.example.org/a",
        "engine_base_url",
        "https://gpu.example.org/a",
    ),
    ("OLLAMA_BASE_URL", "http://[::1]:11434", "engine_base_url", "http://[::1]:11434"),
    ("ENGINE_API_KEY", "secret", "engine_api_key", "secret"),
    ("ENGINE_LABEL", "my engine", "engine_label", "my engine"),
    ("ALLOW_CLOUD_MODELS", "1", "allow_cloud_models", True),
    ("ALLOW_CLOUD_MODELS", "Yes", "allow_cloud_models", True),
    ("ALLOW_CLOUD_MODELS", "off", "allow_cloud_models", False),
    ("OLLAMA_TIMEOUT", "2.5", "timeout_seconds", 2.5),
    ("OLLAMA_TIMEOUT", "3.", "timeout_seconds", 3.0),
    ("OLLAMA_TIMEOUT", ".5", "timeout_seconds", 0.5),
    ("CONNECT_TIMEOUT", "0.5", "connect_timeout_seconds", 0.5),
    ("TOTAL_TIMEOUT", "7200", "total_timeout_seconds", 7200),
    ("LOAD_TIMEOUT", "1200", "load_timeout_seconds", 1200),
    ("STREAM_IDLE_TIMEOUT", "30", "stream_idle_timeout_seconds", 30),
    ("OLLAMA_KEEP_ALIVE", "300", "keep_alive", 300),
    ("OLLAMA_KEEP_ALIVE", "0", "keep_alive", 0),
    ("OLLAMA_KEEP_ALIVE", "-1", "keep_alive", -1),
    ("OLLAMA_KEEP_ALIVE", "1.5", "keep_alive", 1.5),
    ("OLLAMA_KEEP_ALIVE", "5m", "keep_alive", "5m"),
    ("OLLAMA_KEEP_ALIVE", "1h30m", "keep_alive", "1h30m"),
    ("OLLAMA_KEEP_ALIVE", "-1m", "keep_alive", "-1m"),
    ("OLLAMA_KEEP_ALIVE", "1.5h", "keep_alive", "1.5h"),
    ("OLLAMA_KEEP_ALIVE", "100ms", "keep_alive", "100ms"),
    ("OLLAMA_CONTEXT_LENGTH", "4", "context_length", 4),
    ("OLLAMA_CONTEXT_LENGTH", "8192", "context_length", 8192),
    ("DEFAULT_MODEL", "hf.co/a/b:Q4_K_M", "default_model", "hf.co/a/b:Q4_K_M"),
    ("DEFAULT_TEMPERATURE", "0", "default_temperature", 0),
    ("DEFAULT_TEMPERATURE", "2", "default_temperature", 2),
    ("MAX_TOKENS", "1", "max_tokens", 1),
    ("MAX_TOKENS", "1000000000", "max_tokens", 1_000_000_000),
    ("MAX_TOKENS_LIMIT", "8192", "max_tokens_limit", 8192),
    ("MAX_CHOICES", "8", "max_choices", 8),
    ("STREAM_HEARTBEAT_SECONDS", "0", "stream_heartbeat_seconds", 0),
    ("STREAM_HEARTBEAT_SECONDS", "0.2", "stream_heartbeat_seconds", 0.2),
    ("SHUTDOWN_GRACE_SECONDS", "0", "shutdown_grace_seconds", 0),
    (
        "MODEL_ALIASES",
        "gpt-4o = mistral:7b, a=b",
        "model_aliases",
        {"gpt-4o": "mistral:7b", "a": "b"},
    ),
    ("DEFAULT_REASONING_EFFORT", "Low", "default_reasoning_effort", "low"),
    ("CONTEXT_OVERFLOW", "truncate", "context_overflow", "truncate"),
    ("STRICT", "1", "strict", True),
    ("STRUCTURED_RETRY", "1", "structured_retry", True),
    ("TOOL_RESCUE", "0", "tool_rescue", False),
    ("OLLAMA_NUM_PARALLEL", "4", "max_concurrency", 4),
    ("MAX_CONCURRENCY", "1", "max_concurrency", 1),
    ("MAX_CONCURRENCY", "8", "max_concurrency", 8),
    ("MAX_QUEUE", "0", "max_queue", 0),
    ("QUEUE_TIMEOUT", "0.5", "queue_timeout_seconds", 0.5),
    (
        "TRUSTED_PROXIES",
        "192.0.2.1, 10.1.2.3/8, ::1",
        "trusted_proxies",
        tuple(map(ip_network, ("192.0.2.1/32", "10.0.0.0/8", "::1/128"))),
    ),
    ("WEB_CONCURRENCY", "1", "workers", 1),
    ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
    ("LOG_FORMAT", "JSON", "log_format", "json"),
]

# (variable, values that stop the start)
ODD_NUMBERS = (
    "\uff11\uff12",
    "1_000",
    "1e3",
    "+5",
    "0x10",
    "inf",
    "nan",
    "five",
    "1 2",
    "\u0663",
    "1,5",
    "9" * 5000,
)
BAD = [
    ("API_KEY", (",", " , ,, ")),
    ("API_PORT", ("0", "65536", "-1", "8002.0", *ODD_NUMBERS)),
    ("OLLAMA_PORT", ("0", "65536", *ODD_NUMBERS)),
    (
        "CORS_ORIGINS",
        (
            "https://chat.example.org/",
            "https://chat.example.org/path",
            "chat.example.org",
            "https://",
            "https://a b",
            "https://*.example.org",
            "https://user@example.org",
            "https://example.org:port",
            "https://ok.example.org,nonsense",
            "null",
            ",",
        ),
    ),
    ("MAX_BODY_MB", ("0", "-1", "40MB", *ODD_NUMBERS)),
    ("ENGINE", ("vllm", "openai,ollama")),
    ("ALLOW_CLOUD_MODELS", ("2", "ja", "\uff11")),
    ("EMBEDDED_EMBEDDINGS", ("2", "all-minilm")),
    ("ALLOW_NO_KEY", ("2", "maybe")),
    ("OLLAMA_TIMEOUT", ("0", "0.0", "-5", "2m", "120s", ".", *ODD_NUMBERS)),
    ("CONNECT_TIMEOUT", ("0", "5s", *ODD_NUMBERS)),
    ("TOTAL_TIMEOUT", ("0", "1h", *ODD_NUMBERS)),
    ("LOAD_TIMEOUT", ("0", "10m", *ODD_NUMBERS)),
    ("STREAM_IDLE_TIMEOUT", ("0", "60s", *ODD_NUMBERS)),
    ("OLLAMA_KEEP_ALIVE", ("5 minutes", "5min", "m", "-", "1h 30m", "h5", "forever", *ODD_NUMBERS)),
    ("OLLAMA_KEEP_ALIVE", ("\uff11\uff12m", "9" * 30, "-" + "9" * 30)),
    ("OLLAMA_CONTEXT_LENGTH", ("0", "3", "-1", "4k", *ODD_NUMBERS)),
    ("DEFAULT_TEMPERATURE", ("2.1", "-0.1", "hot", *ODD_NUMBERS)),
    ("MAX_TOKENS", ("0", "-1", "4096.5", *ODD_NUMBERS)),
    ("MAX_TOKENS", ("1000000001", "4294967296")),
    ("MAX_TOKENS_LIMIT", ("0", "-1", *ODD_NUMBERS)),
    ("MAX_CHOICES", ("0", "129", *ODD_NUMBERS)),
    ("SHUTDOWN_GRACE_SECONDS", ("-1", "1m")),
    ("STREAM_HEARTBEAT_SECONDS", ("-1", "25s")),
    ("MODEL_ALIASES", ("a", "=b", "a=", "a=b,a=c", "a=b,A=c", "a=b,a:latest=c")),
    ("DEFAULT_REASONING_EFFORT", ("much", "0")),
    ("CONTEXT_OVERFLOW", ("cut", "1")),
    ("STRICT", ("2", "ja")),
    ("STRUCTURED_RETRY", ("2", "ja")),
    ("TOOL_RESCUE", ("2", "ja")),
    ("OLLAMA_NUM_PARALLEL", ("0", "-1", *ODD_NUMBERS)),
    ("MAX_CONCURRENCY", ("0", "-1", *ODD_NUMBERS)),
    ("MAX_QUEUE", ("-1", *ODD_NUMBERS)),
    ("QUEUE_TIMEOUT", ("0", "2m", *ODD_NUMBERS)),
    ("TRUSTED_PROXIES", ("nginx", "10.0.0.0/33", "10.0.0", ",")),
    ("WEB_CONCURRENCY", ("0", "-1", *ODD_NUMBERS)),
    ("LOG_LEVEL", ("LOUD", "20", "WARN")),
    ("LOG_FORMAT", ("xml",)),
]
BAD_URLS = (
    "127.0.0.1:11434",
    "ollama",
    "ftp://ollama",
    "http://",
    "http://:11434",
    "http://host:port",
    "http://host:99999",
    "http://host:0",
    "http://[::1",
    "http://a b",
    "http://host/?a=1",
    "http://host/#here",
    "http://user:password@host",
    "http://:password@host",
)


def read(**variables: str) -> Settings:
    return Settings.from_env(variables)


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_nothing_set_gives_the_designs_default(name: str, value: object) -> None:
    assert getattr(read(), name) == value


def test_every_setting_has_its_default_in_the_table_above() -> None:
    assert {field.name for field in fields(Settings)} == set(DEFAULTS)


@pytest.mark.parametrize(("variable", "value", "name", "expected"), GOOD)
def test_good_value_is_taken(variable: str, value: str, name: str, expected: object) -> None:
    found = getattr(read(**{variable: value}), name)
    assert found == expected
    assert isinstance(found, bool) == isinstance(expected, bool)


def test_keep_alive_in_seconds_is_a_number_for_the_wire() -> None:
    assert type(read(OLLAMA_KEEP_ALIVE="300").keep_alive) is int


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param(variable, value, id=f"{variable}={value[:20]}")
        for variable, values in BAD
        for value in values
    ],
)
def test_bad_value_stops_the_start_and_names_its_variable(variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"\A{variable}\b") as caught:
        read(**{variable: value})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", BAD_URLS)
@pytest.mark.parametrize("variable", ["OLLAMA_BASE_URL", "ENGINE_BASE_URL"])
def test_bad_address_is_refused_without_being_repeated(variable: str, value: str) -> None:
    """It may hold a password."""
    with pytest.raises(ConfigError, match=rf"\A{variable} ") as caught:
        read(**{variable: value})
    message = str(caught.value).replace("such as http://127.0.0.1:11434", "")
    assert message == f"{variable} must be an address "


def test_origin_with_a_trailing_slash_is_named() -> None:
    with pytest.raises(ConfigError, match=r"CORS_ORIGINS .*'https://chat\.example\.org/'"):
        read(CORS_ORIGINS="http://localhost:3000,https://chat.example.org/")


def test_every_variable_may_be_empty() -> None:
    assert Settings.from_env(dict.fromkeys(names_in_config(), "")) == read()


def test_every_variable_may_be_blank() -> None:
    assert Settings.from_env(dict.fromkeys(names_in_config(), " ")) == read()


def test_number_of_slots_is_that_of_ollama_unless_set() -> None:
    assert read(OLLAMA_NUM_PARALLEL="4", MAX_CONCURRENCY="2").max_concurrency == 2


def test_base_url_wins_over_the_port() -> None:
    settings = read(OLLAMA_PORT="1", OLLAMA_BASE_URL="http://gpu:11434")
    assert settings.engine_base_url == "http://gpu:11434"


def test_openai_engine_is_asked_at_its_own_address() -> None:
    settings = read(ENGINE="openai", ENGINE_BASE_URL="http://127.0.0.1:8080/v1/")
    assert (settings.engine, settings.engine_base_url) == ("openai", "http://127.0.0.1:8080/v1")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://gpu:8080", "http://gpu:8080/v1"),
        ("http://gpu:8080/", "http://gpu:8080/v1"),
        ("http://gpu:8080/openai", "http://gpu:8080/openai"),
    ],
)
def test_engine_address_without_a_path_gets_the_version(written: str, meant: str) -> None:
    assert read(ENGINE="openai", ENGINE_BASE_URL=written).engine_base_url == meant


def test_openai_engine_without_an_address_stops_the_start() -> None:
    with pytest.raises(ConfigError, match=r"\AENGINE_BASE_URL "):
        read(ENGINE="openai", OLLAMA_BASE_URL="http://gpu:11434")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("http://gpu:8081", "http://gpu:8081/v1"), ("http://gpu:8081/v1/", "http://gpu:8081/v1")],
)
def test_embeddings_engine_has_an_address_of_its_own(written: str, meant: str) -> None:
    settings = read(ENGINE="openai", ENGINE_BASE_URL="http://x:1", EMBEDDINGS_BASE_URL=written)
    assert settings.embeddings_base_url == meant
    assert settings.engine_base_url == "http://x:1/v1"


def test_embeddings_engine_beside_an_ollama_stops_the_start() -> None:
    with pytest.raises(ConfigError, match=r"\AEMBEDDINGS_BASE_URL is for ENGINE=openai"):
        read(EMBEDDINGS_BASE_URL="http://x:1")


@pytest.mark.parametrize("value", BAD_URLS)
def test_bad_address_of_an_embeddings_engine_is_refused_without_being_repeated(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(EMBEDDINGS_BASE_URL=value)
    assert str(caught.value) == (
        "EMBEDDINGS_BASE_URL must be an address such as http://127.0.0.1:8081/v1"
    )


def test_address_of_another_engine_does_not_move_ollama() -> None:
    assert read(ENGINE_BASE_URL="http://x:1").engine_base_url == "http://127.0.0.1:11434"


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "[::]", "192.168.1.2", "2001:db8::1", "gpu"])
def test_open_address_without_a_key_stops_the_start(address: str) -> None:
    with pytest.raises(ConfigError, match=r"\AAPI_KEY .*ALLOW_NO_KEY=1"):
        read(API_HOST=address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"])
def test_loopback_needs_no_key(address: str) -> None:
    assert read(API_HOST=address).api_keys == ()


def test_open_address_with_a_key_starts() -> None:
    assert read(API_HOST="0.0.0.0", API_KEY="k").api_keys == ("k",)


def test_open_address_with_a_keys_file_starts() -> None:
    """It admits nobody until there is a key in it."""
    assert read(API_HOST="0.0.0.0", API_KEYS_FILE="keys.toml").api_keys == ()


def test_metrics_key_that_would_admit_to_all_stops_the_start() -> None:
    with pytest.raises(ConfigError, match=r"\AMETRICS_KEY ") as caught:
        read(API_KEY="one,two", METRICS_KEY="two")
    assert "two" not in str(caught.value)


def test_open_address_without_a_key_starts_when_that_is_meant() -> None:
    assert read(API_HOST="0.0.0.0", ALLOW_NO_KEY="1").api_host == "0.0.0.0"


@pytest.mark.parametrize("key", [" ", ""])
def test_blank_key_is_no_key(key: str) -> None:
    with pytest.raises(ConfigError, match=r"\AAPI_KEY "):
        read(API_HOST="0.0.0.0", API_KEY=key)


def test_published_loopback_address_counts_and_not_the_one_inside_the_container() -> None:
    assert read(API_HOST="0.0.0.0", API_BIND="127.0.0.1").api_host == "0.0.0.0"


def test_published_open_address_counts_and_not_the_one_inside_the_container() -> None:
    with pytest.raises(ConfigError, match=r"\AAPI_KEY .*0\.0\.0\.0"):
        read(API_HOST="127.0.0.1", API_BIND="0.0.0.0")


def test_name_that_is_no_address_is_not_loopback() -> None:
    assert not is_loopback("localhost.example.org")


def test_more_workers_than_slots_stop_the_start() -> None:
    with pytest.raises(ConfigError, match=r"\AWEB_CONCURRENCY=3 .*MAX_CONCURRENCY=2"):
        read(WEB_CONCURRENCY="3", MAX_CONCURRENCY="2")


def test_as_many_workers_as_slots_start() -> None:
    assert read(WEB_CONCURRENCY="2", OLLAMA_NUM_PARALLEL="2").workers == 2


def test_no_error_repeats_a_key() -> None:
    secrets = {"API_KEY": "sk-caller", "ENGINE_API_KEY": "sk-engine"}
    for variable, values in BAD:
        if variable not in secrets:
            with pytest.raises(ConfigError) as caught:
                read(**secrets, **{variable: values[0]})
            assert "sk-" not in str(caught.value)


def test_keys_do_not_show_in_the_settings_representation() -> None:
    """A traceback or a debugger's line may print it."""
    assert "sk-" not in repr(read(API_KEY="sk-caller", ENGINE_API_KEY="sk-engine"))


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        read().api_port = 1  # type: ignore[misc]


def test_env_file_is_read_below_the_processs_variables(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_KEY=file\nMAX_TOKENS=7\n")
    found = environment({"API_KEY": "process", "HOME": "/h"}, tmp_path)
    assert found == {"API_KEY": "process", "MAX_TOKENS": "7", "HOME": "/h"}


def test_env_file_does_not_touch_the_process(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TENSORIA_TEST_ONLY=1\n")
    before = dict(os.environ)
    assert environment({}, tmp_path) == {"TENSORIA_TEST_ONLY": "1"}
    assert dict(os.environ) == before


def test_empty_process_variable_leaves_the_files_value(tmp_path: Path) -> None:
    """compose passes an unset variable on as an empty one."""
    (tmp_path / ".env").write_text("API_KEY=file\n")
    assert environment({"API_KEY": ""}, tmp_path) == {"API_KEY": "file"}


def test_empty_and_bare_names_of_the_file_are_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_KEY=\nMAX_TOKENS\nAPI_PORT=''\n")
    assert environment({}, tmp_path) == {}


def test_changed_file_is_seen_at_the_next_call(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MAX_TOKENS=1\n")
    first = environment({}, tmp_path)
    (tmp_path / ".env").write_text("MAX_TOKENS=2\n")
    assert (first, environment({}, tmp_path)) == ({"MAX_TOKENS": "1"}, {"MAX_TOKENS": "2"})


def test_dollar_in_the_file_is_a_dollar(tmp_path: Path) -> None:
    """A key may hold one, and must not be filled in from other variables."""
    (tmp_path / ".env").write_text("API_KEY=a${HOME}b\n")
    assert environment({"HOME": "/h"}, tmp_path)["API_KEY"] == "a${HOME}b"


def test_byte_order_mark_does_not_hide_the_first_name(tmp_path: Path) -> None:
    """Windows' editors write one, and the name behind it is API_KEY."""
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfAPI_KEY=k\r\nMAX_TOKENS=5\r\n")
    assert environment({}, tmp_path) == {"API_KEY": "k", "MAX_TOKENS": "5"}


def test_file_in_another_encoding_stops_the_start(tmp_path: Path) -> None:
    """It would have to be guessed; without its API_KEY the service would be open."""
    (tmp_path / ".env").write_bytes("# Segurança\nAPI_KEY=k\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"\A\.env "):
        environment({}, tmp_path)


def test_no_file_is_no_error(tmp_path: Path) -> None:
    assert environment({"A": "1"}, tmp_path) == {"A": "1"}


def test_file_of_the_current_folder_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("MAX_TOKENS=9\n")
    monkeypatch.chdir(tmp_path)
    assert environment({}) == {"MAX_TOKENS": "9"}


# The settings' three homes.


def names_in_config() -> set[str]:
    """The names that config.py reads: the first arguments of `env.integer("MAX_TOKENS", …)`."""
    found = set()
    for node in ast.walk(ast.parse(Path(config.__file__).read_text())):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env")),
                args=[ast.Constant(value=str(name)), *_],
            ):
                found.add(name)
    return found


def lines_of_env_example() -> dict[str, str]:
    text = (ROOT / ".env.example").read_text()
    return dict(re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE))


def test_names_are_found_in_config() -> None:
    assert {"API_KEY", "OLLAMA_PORT", "MAX_TOKENS", "API_BIND"} <= names_in_config()


def test_env_example_names_what_config_reads() -> None:
    assert set(lines_of_env_example()) == names_in_config()


def test_readme_has_a_row_for_what_config_reads() -> None:
    rows = re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(names_in_config())


def test_env_example_shows_the_defaults() -> None:
    assert Settings.from_env(lines_of_env_example()) == read()


def test_env_example_sets_nothing_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes((ROOT / ".env.example").read_bytes())
    assert environment({}, tmp_path) == {}


def test_env_example_begins_with_the_ten_of_the_first_generation() -> None:
    assert list(lines_of_env_example())[:10] == [
        "API_KEY",
        "OLLAMA_PORT",
        "API_PORT",
        "OLLAMA_TIMEOUT",
        "OLLAMA_KEEP_ALIVE",
        "OLLAMA_NUM_PARALLEL",
        "LOG_LEVEL",
        "DEFAULT_MODEL",
        "MAX_TOKENS",
        "DEFAULT_TEMPERATURE",
    ]


def test_env_example_says_one_line_about_each() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    for before, line in pairwise(lines):
        if re.match(r"#[A-Z][A-Z0-9_]*=", line):
            assert re.match(r"# .+\.$", before), line

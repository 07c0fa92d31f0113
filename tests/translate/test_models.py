"""Model lists: entries of both kinds of engine to OpenAI's."""

from typing import Any

import pytest

from tensoria.translate.models import (
    About,
    Facts,
    denied_by_props,
    from_openai,
    names_of,
    to_about,
    to_facts,
    to_model,
    to_unix,
)

# (name, an entry of /api/tags, what is known, what it becomes)
ENTRIES: list[tuple[str, Any, Facts, dict[str, Any]]] = [
    (
        "of the library",
        {"name": "m:latest", "modified_at": "2026-05-04T17:37:44.706015396-07:00"},
        Facts(),
        {"id": "m:latest", "object": "model", "created": 1777941464, "owned_by": "library"},
    ),
    (
        "of somebody",
        {"name": "someone/m:7b", "modified_at": "2026-05-05T00:37:44Z"},
        Facts(8192, 32768, frozenset({"tools", "completion"})),
        {
            "id": "someone/m:7b",
            "object": "model",
            "created": 1777941464,
            "owned_by": "someone",
            "context_length": 8192,
            "trained_context_length": 32768,
            "capabilities": ["completion", "tools"],
        },
    ),
    (
        "of another host",
        {"name": "hf.co/bartowski/Foo-GGUF:Q4_K_M", "modified_at": "1970-01-01T00:00:00Z"},
        Facts(),
        {
            "id": "hf.co/bartowski/Foo-GGUF:Q4_K_M",
            "object": "model",
            "created": 0,
            "owned_by": "hf.co/bartowski",
        },
    ),
    (
        "without a date",
        {"name": "m:latest"},
        Facts(),
        {"id": "m:latest", "object": "model", "created": 0, "owned_by": "library"},
    ),
]
MOMENTS = [
    ("2026-08-21T10:00:00Z", 1787306400),
    ("2026-08-21T10:00:00.1Z", 1787306400),
    ("2026-08-21T10:00:00.123456789Z", 1787306400),
    ("2026-08-21T12:00:00.999999999+02:00", 1787306400),
    ("2318-01-01T00:00:00Z", 10981785600),
    ("0001-01-01T00:00:00Z", 0),
    ("", 0),
    ("yesterday", 0),
    (None, 0),
    (5, 0),
    ({}, 0),
]
PARAMETERS = [
    ('stop                           "<|eot|>"\ntemperature                    0.6', True),
    ("temperature 0", True),
    ("temperature                    0.6\n", True),
    ("", False),
    (None, False),
    ('stop                           "temperature"', False),
    ("top_p                          0.9\n\nnum_ctx 4096", False),
    ("temperature_extra 1", False),
]


@pytest.mark.parametrize(
    ("_name", "entry", "facts", "expected"), ENTRIES, ids=[row[0] for row in ENTRIES]
)
def test_installed_model(_name: str, entry: Any, facts: Facts, expected: dict[str, Any]) -> None:
    assert to_model(entry, facts) == expected


@pytest.mark.parametrize(("moment", "expected"), MOMENTS)
def test_date_becomes_unix_seconds(moment: object, expected: int) -> None:
    assert to_unix(moment) == expected


@pytest.mark.parametrize(
    ("entry", "owned_by", "expected"),
    [
        ({"id": "m", "created": 9, "owned_by": "llamacpp"}, None, "llamacpp"),
        ({"id": "m", "created": 9, "owned_by": "llamacpp"}, "ours", "ours"),
        ({"id": "m", "owned_by": None}, None, "engine"),
        ({"id": "m"}, None, "engine"),
    ],
)
def test_model_of_an_openai_engine(
    entry: dict[str, Any], owned_by: str | None, expected: str
) -> None:
    """Its own `created` is the time of the question."""
    assert from_openai(entry, created=7, owned_by=owned_by) == {
        "id": "m",
        "object": "model",
        "created": 7,
        "owned_by": expected,
    }


@pytest.mark.parametrize(
    ("aliases", "expected"),
    [
        (["m", "m:small"], ["m", "m:small", "m"]),
        ([], ["m"]),
        (None, ["m"]),
        ("m:small", ["m"]),
        ([5, None], ["m"]),
    ],
)
def test_model_of_an_openai_engine_has_its_aliases_too(
    aliases: object, expected: list[str]
) -> None:
    assert names_of({"id": "m", "aliases": aliases}) == expected


@pytest.mark.parametrize(("parameters", "expected"), PARAMETERS)
def test_own_temperature_of_a_model_is_seen(parameters: str | None, expected: bool) -> None:
    details: Any = {"parameters": parameters}
    assert to_about(details).own_temperature is expected


ABOUT = [
    ("nothing told", {}, About(False, None, None, None)),
    ("context of the file", {"parameters": "num_ctx   8192"}, About(False, 8192, None, None)),
    ("context that is none", {"parameters": "num_ctx   big"}, About(False, None, None, None)),
    (
        "trained context",
        {"model_info": {"general.architecture": "llama", "llama.context_length": 2048}},
        About(False, None, 2048, None),
    ),
    (
        "trained context that is none",
        {"model_info": {"general.architecture": "llama", "llama.context_length": "2048"}},
        About(False, None, None, None),
    ),
    ("information that is none", {"model_info": [1]}, About(False, None, None, None)),
    (
        "capabilities",
        {"capabilities": ["completion", "tools"]},
        About(False, None, None, frozenset({"completion", "tools"})),
    ),
    ("capabilities that are none", {"capabilities": "tools"}, About(False, None, None, None)),
]


@pytest.mark.parametrize(("_name", "details", "expected"), ABOUT, ids=[row[0] for row in ABOUT])
def test_what_a_models_own_file_says(_name: str, details: Any, expected: About) -> None:
    assert to_about(details) == expected


@pytest.mark.parametrize(
    ("props", "denied"),
    [
        ({"chat_template_caps": {"supports_tools": False}}, {"tools"}),
        ({"chat_template_caps": {"supports_tools": True}}, set()),
        ({"chat_template_caps": {}}, set()),
        ({"chat_template_caps": None}, set()),
        ({"chat_template": "{{ messages }}"}, set()),
        ([], set()),
        (None, set()),
    ],
)
def test_llama_cpp_says_whether_its_template_has_a_place_for_tools(
    props: object, denied: set[str]
) -> None:
    assert denied_by_props(props) == denied


def entry_of(trained: object = None, capabilities: object = None) -> Any:
    """Return an entry of /api/tags; before 0.30 it has neither."""
    return {
        "name": "m:latest",
        "details": {"context_length": trained},
        "capabilities": capabilities,
    }


TOOLS = frozenset({"tools"})
FACTS: list[tuple[str, Any, About | None, int | None, object, Facts]] = [
    ("nothing told", {"name": "m"}, None, None, None, Facts()),
    ("the setting comes first", entry_of(8192), None, 2048, 4096, Facts(2048, 8192)),
    (
        "then what is in use",
        entry_of(8192),
        About(False, 1024, None, None),
        None,
        4096,
        Facts(4096, 8192),
    ),
    (
        "then the file's own",
        entry_of(8192),
        About(False, 1024, None, None),
        None,
        None,
        Facts(1024, 8192),
    ),
    (
        "the trained one is not in effect by itself",
        entry_of(8192),
        None,
        None,
        None,
        Facts(None, 8192),
    ),
    ("no more than trained", entry_of(512), None, 8192, None, Facts(512, 512)),
    (
        "trained as the file says",
        entry_of(),
        About(False, None, 2048, None),
        4096,
        None,
        Facts(2048, 2048),
    ),
    (
        "the list before the file",
        entry_of(8192),
        About(False, None, 2048, None),
        None,
        None,
        Facts(None, 8192),
    ),
    (
        "capabilities of the list",
        entry_of(None, ["tools"]),
        About(False, None, None, frozenset({"x"})),
        None,
        None,
        Facts(None, None, TOOLS),
    ),
    (
        "capabilities of the file",
        entry_of(),
        About(False, None, None, TOOLS),
        None,
        None,
        Facts(None, None, TOOLS),
    ),
    ("capabilities that are none", entry_of(None, "tools"), None, None, None, Facts()),
    ("a context in use that is none", entry_of(), None, None, "4096", Facts()),
]


@pytest.mark.parametrize(
    ("_name", "entry", "about", "configured", "in_use", "expected"),
    FACTS,
    ids=[row[0] for row in FACTS],
)
def test_what_is_known_of_a_model(
    _name: str,
    entry: Any,
    about: About | None,
    configured: int | None,
    in_use: object,
    expected: Facts,
) -> None:
    assert to_facts(entry, about, configured=configured, in_use=in_use) == expected


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"max_model_len": 4096}, {"context_length": 4096}),
        (
            {"meta": {"n_ctx": 4096, "n_ctx_train": 8192}},
            {"context_length": 4096, "trained_context_length": 8192},
        ),
        ({"meta": {"n_ctx_train": 8192}}, {"trained_context_length": 8192}),
        ({"meta": None, "max_model_len": None}, {}),
        ({"meta": [1], "max_model_len": "4096"}, {}),
        ({"meta": {"n_ctx_train": True, "n_ctx": 0}}, {}),
    ],
)
def test_contexts_that_other_engines_tell(
    members: dict[str, Any], expected: dict[str, int]
) -> None:
    model = from_openai({"id": "m", **members}, created=7, owned_by="us")

    assert model == {"id": "m", "object": "model", "created": 7, "owned_by": "us", **expected}

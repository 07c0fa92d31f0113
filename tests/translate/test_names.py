"""Model names: which spellings mean one model, and what is said when there is none."""

import time

import pytest

from tensoria.translate.names import canonical, find, is_cloud, not_found_message

# (name, the form that all spellings of the model share)
CANONICAL = [
    ("mistral", "mistral:latest"),
    ("mistral:latest", "mistral:latest"),
    ("Mistral:LATEST", "mistral:latest"),
    (" mistral ", "mistral:latest"),
    ("library/mistral", "mistral:latest"),
    ("registry.ollama.ai/library/mistral", "mistral:latest"),
    ("registry.ollama.ai/library/mistral:latest", "mistral:latest"),
    ("Registry.Ollama.AI/Library/Mistral", "mistral:latest"),
    ("mistral:7b-instruct", "mistral:7b-instruct"),
    ("registry.ollama.ai/someone/m", "someone/m:latest"),
    ("someone/m:7b", "someone/m:7b"),
    ("hf.co/bartowski/Foo-GGUF:Q4_K_M", "hf.co/bartowski/foo-gguf:q4_k_m"),
    ("hf.co/bartowski/Foo-GGUF", "hf.co/bartowski/foo-gguf:latest"),
    # What stands behind the last colon is a tag only behind the last slash.
    ("host:5000/ns/m", "host:5000/ns/m:latest"),
    ("host:5000/ns/m:7b", "host:5000/ns/m:7b"),
    ("other.example.org/library/m", "other.example.org/library/m:latest"),
]
INSTALLED = [
    "mistral:latest",
    "Qwen2:7B",
    "hf.co/bartowski/Foo-GGUF:Q4_K_M",
    "host:5000/ns/m:latest",
]
# (name as asked for, name as installed)
FOUND = [
    ("mistral", "mistral:latest"),
    ("MISTRAL", "mistral:latest"),
    ("library/mistral:latest", "mistral:latest"),
    ("qwen2:7b", "Qwen2:7B"),
    ("hf.co/bartowski/foo-gguf:q4_k_m", "hf.co/bartowski/Foo-GGUF:Q4_K_M"),
    ("host:5000/ns/m", "host:5000/ns/m:latest"),
    ("qwen2", None),
    ("mistral:7b", None),
    ("mistra", None),
    ("", None),
    ("huggingface.co/bartowski/Foo-GGUF:Q4_K_M", None),
    ("ns/m", None),
]
CLOUD = [
    ("gpt-oss:cloud", True),
    ("gpt-oss:120b-cloud", True),
    ("GPT-OSS:120B-CLOUD", True),
    (" gpt-oss:cloud ", True),
    ("someone/m:cloud", True),
    ("host:5000/ns/m:cloud", True),
    ("m-cloud", True),
    ("mistral", False),
    ("mistral:latest", False),
    ("cloud", False),
    ("cloud:7b", False),
    ("m:cloudy", False),
    ("m-cloud:7b", False),
    ("cloud/m:7b", False),
    ("host-cloud:5000/ns/m", False),
    ("", False),
]


@pytest.mark.parametrize(("name", "expected"), CANONICAL)
def test_spellings_of_one_model_share_a_form(name: str, expected: str) -> None:
    assert canonical(name) == expected


@pytest.mark.parametrize(("name", "expected"), FOUND)
def test_installed_model_is_found_in_its_own_spelling(name: str, expected: str | None) -> None:
    assert find(name, INSTALLED) == expected


@pytest.mark.parametrize(("name", "expected"), CLOUD)
def test_name_that_leaves_the_machine_is_known(name: str, expected: bool) -> None:
    assert is_cloud(name) is expected


def test_missing_model_is_told_with_its_nearest_names_and_the_line_to_type() -> None:
    assert not_found_message("mistrall", INSTALLED, " To install it: ollama pull mistrall") == (
        "The model 'mistrall' does not exist. Installed and near it: mistral:latest. "
        "To install it: ollama pull mistrall"
    )


def test_nearest_names_are_compared_without_case_and_told_as_installed() -> None:
    message = not_found_message("hf.co/bartowski/foo-gguf:q5_k_m", INSTALLED)
    assert "near it: hf.co/bartowski/Foo-GGUF:Q4_K_M." in message


def test_three_nearest_names_at_most() -> None:
    installed = [f"mistral:{size}b" for size in range(9)]
    assert not_found_message("mistral:77b", installed).count("mistral:") == 4


def test_name_near_to_none_is_told_without_a_list() -> None:
    assert not_found_message("gpt-4o", ["zzz:latest"]) == "The model 'gpt-4o' does not exist."


def test_nothing_installed_is_told_without_a_list() -> None:
    assert not_found_message("gpt-4o", []) == "The model 'gpt-4o' does not exist."


def test_flood_in_place_of_a_name_is_cut_and_costs_no_time() -> None:
    started = time.process_time()
    message = not_found_message("m" * 20_000_000, INSTALLED)
    assert message.startswith("The model '" + "m" * 100 + "' does not exist.")
    assert time.process_time() - started < 1

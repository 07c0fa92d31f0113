"""Other names for models: what they mean, what they hide, and how they are listed."""

import pytest

from tensoria.translate.aliases import Aliases
from tensoria.wire.openai import Model


def by_name(*models: Model) -> dict[str, Model]:
    return {model["id"]: model for model in models}


ALIASES = Aliases({"gpt-4o": "mistral", "GPT-4o-Mini": "smollm2:135m", "chain": "gpt-4o"})


def model(name: str, **more: int) -> Model:
    return {"id": name, "object": "model", "created": 7, "owned_by": "library", **more}  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gpt-4o", "mistral"),
        ("GPT-4o", "mistral"),
        ("gpt-4o:latest", "mistral"),
        ("gpt-4o:7b", "gpt-4o:7b"),
        ("gpt-4o-mini", "smollm2:135m"),
        ("mistral", "mistral"),
        ("Mistral", "Mistral"),
        # A chain is not followed: what it says is a name of the engine's.
        ("chain", "gpt-4o"),
    ],
)
def test_an_alias_means_its_model_in_any_spelling(name: str, meant: str) -> None:
    assert ALIASES.meant(name) == meant


def test_without_aliases_a_name_means_itself() -> None:
    assert Aliases({}).meant("Mistral") == "Mistral"


def test_an_alias_is_named_beside_what_it_stands_for() -> None:
    assert ALIASES.explained("GPT-4o", "It is gone.") == (
        "'GPT-4o' stands for 'mistral' (MODEL_ALIASES). It is gone."
    )


@pytest.mark.parametrize("aliases", [Aliases({}), ALIASES])
def test_another_name_needs_no_explanation(aliases: Aliases) -> None:
    assert aliases.explained("mistral", "It is gone.") == "It is gone."


def test_an_installed_model_of_an_aliass_name_is_hidden() -> None:
    aliases = Aliases({"smollm2:135m": "mistral", "mistral": "mistral:latest"})

    assert aliases.hiding(["SmolLM2:135m", "mistral:latest", "phi:latest"]) == ["SmolLM2:135m"]


def test_a_list_holds_each_alias_with_the_facts_of_its_model() -> None:
    assert ALIASES.added_to(by_name(model("mistral:latest", context_length=4096))) == [
        model("mistral:latest", context_length=4096),
        {
            "id": "gpt-4o",
            "object": "model",
            "created": 7,
            "owned_by": "library",
            "context_length": 4096,
            "alias_of": "mistral:latest",
        },
    ]


def test_a_list_does_not_hold_a_name_twice() -> None:
    aliases = Aliases({"phi": "mistral"})
    listed = aliases.added_to(by_name(model("phi:latest"), model("mistral:latest")))

    assert [(each["id"], each.get("alias_of")) for each in listed] == [
        ("mistral:latest", None),
        ("phi", "mistral:latest"),
    ]


def test_one_model_is_named_by_the_alias_as_it_was_configured() -> None:
    named = ALIASES.named("gpt-4o-MINI", model("smollm2:135m"))

    assert (named["id"], named["alias_of"]) == ("GPT-4o-Mini", "smollm2:135m")


def test_one_model_under_its_own_name_stays_as_it_is() -> None:
    assert ALIASES.named("smollm2:135m", model("smollm2:135m")) == model("smollm2:135m")


def test_an_alias_may_mean_another_name_of_a_model_that_is_listed_once() -> None:
    one = model("one")
    listed = Aliases({"a": "uno"}).added_to({"uno:latest": one, "one:latest": one})

    assert [(each["id"], each.get("alias_of")) for each in listed] == [
        ("one", None),
        ("a", "one"),
    ]

"""The body of a text completion: every field that OpenAI has, and what becomes of it."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from tensoria.errors import InvalidRequest, RequestError, UnsupportedParameter
from tensoria.schemas.completions import CompletionSchema, load
from tensoria.schemas.support import narrow, table
from tensoria.translate.traits import Traits
from tensoria.wire.completions import CompletionRequest
from tests.schemas.taken import taken

CONTRACT = json.loads(
    (Path(__file__).parent.parent / "contract" / "openai.schema.json").read_text()
)["$defs"]["CreateCompletionRequest"]["properties"]


def body(**members: Any) -> dict[str, Any]:
    return {"model": "m", "prompt": "The sky is", **members}


def request(**members: Any) -> dict[str, Any]:
    """The checked request without what every body here has."""
    loaded: dict[str, Any] = {**load(body(**members)).request}
    assert loaded.pop("prompt") == ["The sky is"]
    assert loaded.pop("model") == "m"
    return loaded


def refused(**members: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        load(body(**members))
    return caught.value


# (field, value sent, value in the checked request)
TAKEN = [
    ("suffix", "return x", "return x"),
    ("echo", True, True),
    ("echo", False, False),
    ("raw", False, False),
    ("stream", True, True),
    ("stream_options", {"include_usage": True}, {"include_usage": True}),
    ("temperature", 0, 0),
    ("top_p", 1, 1),
    ("max_tokens", 1, 1),
    ("max_tokens", -1, -1),
    ("max_completion_tokens", 5, 5),
    ("stop", "END", ["END"]),
    ("stop", [str(n) for n in range(64)], [str(n) for n in range(64)]),
    ("seed", -(2**63), -(2**63)),
    ("presence_penalty", -2, -2),
    ("frequency_penalty", 2, 2),
    ("user", "somebody", "somebody"),
    ("logprobs", 0, 0),
    ("logprobs", 5, 5),
    ("n", 2, 2),
    ("logit_bias", {"50256": -100}, {"50256": -100}),
]

# (field, value, param)
REFUSED = [
    ("prompt", "", "prompt"),
    ("prompt", [], "prompt"),
    ("prompt", 5, "prompt"),
    ("prompt", {"text": "a"}, "prompt"),
    ("prompt", [""], "prompt[0]"),
    ("prompt", ["a", ""], "prompt[1]"),
    ("prompt", ["a", 5], "prompt[1]"),
    ("prompt", ["a", None], "prompt[1]"),
    ("prompt", [True], "prompt[0]"),
    ("prompt", [{"text": "a"}], "prompt[0]"),
    ("prompt", ["a"] * 65, "prompt"),
    ("suffix", 5, "suffix"),
    ("suffix", ["a"], "suffix"),
    ("echo", "yes", "echo"),
    ("echo", 1, "echo"),
    ("raw", 0, "raw"),
    ("stream", 1, "stream"),
    ("stream_options", [], "stream_options"),
    ("temperature", 2.1, "temperature"),
    ("top_p", "1", "top_p"),
    ("max_tokens", 0, "max_tokens"),
    ("max_completion_tokens", 0, "max_completion_tokens"),
    ("stop", ["a", ""], "stop"),
    ("stop", [str(n) for n in range(65)], "stop"),
    ("seed", 1.5, "seed"),
    ("presence_penalty", -2.1, "presence_penalty"),
    ("frequency_penalty", 2.1, "frequency_penalty"),
    ("user", 5, "user"),
    ("logprobs", 6, "logprobs"),
    ("logprobs", -1, "logprobs"),
    ("logprobs", True, "logprobs"),
    ("n", 0, "n"),
    ("n", True, "n"),
    ("best_of", 0, "best_of"),
    ("best_of", 21, "best_of"),
    ("best_of", True, "best_of"),
    ("logit_bias", {"7": -101}, "logit_bias.7"),
]

NEVER = [
    ("best_of", 2),
]


def test_schema_has_every_field_of_openais_contract() -> None:
    assert CONTRACT.keys() - CompletionSchema().fields == set()


def test_typed_request_has_the_fields_that_reach_an_engine() -> None:
    assert taken(CompletionSchema) | {"user"} == CompletionRequest.__annotations__.keys()


def test_every_field_that_is_never_served_is_tried_here() -> None:
    assert {name for name, _ in NEVER} >= {
        name for name, each in table(CompletionSchema).items() if each.never
    }


@pytest.mark.parametrize(("name", "value", "expected"), TAKEN)
def test_value_is_taken(name: str, value: object, expected: object) -> None:
    assert request(**{name: value}) == {name: expected}


@pytest.mark.parametrize(("name", "value", "param"), REFUSED)
def test_value_is_refused_at_its_place(name: str, value: object, param: str) -> None:
    error = refused(**{name: value})
    assert isinstance(error, InvalidRequest)
    assert (error.param, error.code) == (param, "invalid_value")
    assert f"'{param}'" in error.message


@pytest.mark.parametrize(
    ("name", "value"), [("best_of", 1), ("n", 1), ("n", 1.0), ("logit_bias", {}), ("options", {})]
)
def test_default_value_passes_without_a_word(name: str, value: object) -> None:
    loaded = load(body(**{name: value}))
    assert loaded.request == load(body()).request
    assert loaded.ignored == ()


@pytest.mark.parametrize(("name", "value"), NEVER)
def test_field_that_is_never_served_is_refused_by_name(name: str, value: object) -> None:
    """Without a look at the model: no engine serves it."""
    loaded = load(body(**{name: value}))
    with pytest.raises(UnsupportedParameter, match=f"'{name}' is not supported") as caught:
        narrow(CompletionSchema, loaded, asked_in_vain, strict=False)
    assert caught.value.param == name


def asked_in_vain() -> Traits:
    pytest.fail("the engine was asked for nothing")


@pytest.mark.parametrize("name", sorted(CompletionSchema().fields.keys() - {"prompt", "model"}))
def test_null_means_absent(name: str) -> None:
    loaded = load(body() | {name: None})
    assert loaded.request == load(body()).request
    assert loaded.ignored == ()


@pytest.mark.parametrize("sent", [{}, {"prompt": None}])
def test_missing_prompt_is_named(sent: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="required") as caught:
        load({"model": "m"} | sent)
    assert caught.value.param == "prompt"


def test_several_prompts_keep_their_order() -> None:
    prompts = [str(n) for n in range(64)]
    assert load({"prompt": prompts}).request["prompt"] == prompts


@pytest.mark.parametrize("prompt", [[1, 2], [[1, 2], [3]], [0.5], [[]]])
def test_tokens_are_refused_by_name_and_text_is_asked_for(prompt: list[Any]) -> None:
    error = refused(prompt=prompt)
    assert isinstance(error, UnsupportedParameter)
    assert error.param == "prompt"
    assert "Send text" in error.message


@pytest.mark.parametrize("prompt", [" ", "\n", "\u0000", "<|endoftext|>"])
def test_prompt_of_one_odd_character_is_text(prompt: str) -> None:
    assert load({"prompt": prompt}).request["prompt"] == [prompt]


def test_empty_suffix_is_absent() -> None:
    assert request(suffix="", raw=False) == {"raw": False}


def test_raw_that_is_true_is_what_a_completion_is_anyway() -> None:
    """So it is not refused in front of engines that know nothing else."""
    assert request(raw=True) == {}


def test_raw_beside_a_suffix_is_refused() -> None:
    """Ollama would leave out the suffix without a word."""
    assert refused(suffix="b", raw=True).param == "raw"
    assert request(suffix="b", raw=False) == {"suffix": "b", "raw": False}


def test_log_probabilities_of_an_echoed_prompt_are_refused() -> None:
    """They would be the reason to ask for both, and nothing tells them."""
    assert refused(echo=True, logprobs=0).param == "echo"
    assert request(echo=False, logprobs=0) == {"echo": False, "logprobs": 0}


@pytest.mark.parametrize("best_of", [1, 3])
def test_best_of_that_asks_for_no_more_than_n_passes(best_of: int) -> None:
    assert request(n=3, best_of=best_of) == {"n": 3}


def test_best_of_below_n_is_refused() -> None:
    error = refused(n=3, best_of=2)
    assert (error.param, error.code) == ("best_of", "invalid_value")


def test_best_of_above_n_is_refused_by_name() -> None:
    loaded = load(body(n=3, best_of=4))
    with pytest.raises(UnsupportedParameter, match="ranks") as caught:
        narrow(CompletionSchema, loaded, asked_in_vain, strict=False)
    assert caught.value.param == "best_of"


def test_what_has_no_effect_is_told_in_order() -> None:
    loaded = load(body(x=1, stream=True, stream_options={"chunk_size": 1}))
    assert loaded.ignored == ("stream_options.chunk_size", "x")


def test_stream_options_of_a_whole_answer_are_told() -> None:
    assert load(body(stream_options={"include_usage": True})).ignored == ("stream_options",)


def test_refusal_repeats_no_text_of_the_client() -> None:
    assert "secret" not in refused(prompt={"secret words": 1}).message
    assert "secret" not in refused(prompt=["secret words", 1]).message


def test_deep_nesting_in_place_of_a_prompt_is_refused() -> None:
    assert refused(prompt=orjson.loads(b"[" * 900 + b"]" * 900)).param == "prompt"

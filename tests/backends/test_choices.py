"""Several choices of one request: their seeds, their chunks, their counts, on either engine."""

from collections.abc import Callable
from typing import Any

import pytest

from tensoria.backends.choices import each_choice
from tensoria.backends.llama_cpp import MAX_STREAMS
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.backends.prompts import each_run
from tensoria.config import Settings
from tensoria.errors import InvalidRequest, TensoriaError
from tests.backends.conftest import ANSWER
from tests.backends.fake_openai import CHAT, DONE, delta, events, speak_openai, usage
from tests.fake_ollama import (
    FakeOllama,
    answer_html,
    chat_line,
    close,
    done_line,
    generate_done_line,
    generate_line,
    hang,
    stream,
)

PATH = "/api/chat"
GENERATE = "/api/generate"
WITH_USAGE = {"include_usage": True}

Make = Callable[..., Any]


def request(**fields: Any) -> Any:
    return {"messages": [{"role": "user", "content": "Hi"}], "stream": True, "n": 2, **fields}


def answer(text: str, prompt: int = 3, eval: int = 8) -> Any:
    return stream([chat_line(text), done_line(prompt=prompt, eval=eval)])


def run(backend: Any, **fields: Any) -> list[Any]:
    opened = backend.chat(request(**fields), ANSWER)
    try:
        return [chunk for block in opened for chunk in block]
    finally:
        opened.close()


def said(chunks: list[Any]) -> list[tuple[int, dict[str, str], str | None]]:
    return [
        (choice["index"], choice["delta"], choice["finish_reason"])
        for chunk in chunks
        for choice in chunk["choices"]
    ]


def of_choice(index: int, *texts: str) -> list[Any]:
    """A role chunk, the texts, a finish chunk."""
    role = (index, {"role": "assistant", "content": ""}, None)
    return [role, *((index, {"content": text}, None) for text in texts), (index, {}, "stop")]


def seeds(fields: dict[str, Any], count: int) -> list[int]:
    asked: Any = {"messages": [], "n": count, **fields}
    return [one["seed"] for one in each_choice(asked, 128)]  # type: ignore[typeddict-item]


# (the client's seed, those of three choices)
SEEDS = [
    (7, [7, 8, 9]),
    (0, [0, 1, 2]),
    (-(2**63), [-(2**63), 1 - 2**63, 2 - 2**63]),
    (2**63 - 1, [2**63 - 1, 2**63 - 2, 2**63 - 3]),
    (2**63 - 2, [2**63 - 2, 2**63 - 1, 2**63 - 4]),
]


@pytest.mark.parametrize(("seed", "expected"), SEEDS)
def test_seeds_follow_the_clients_and_stay_in_range(seed: int, expected: list[int]) -> None:
    assert seeds({"seed": seed}, 3) == expected


@pytest.mark.parametrize("fields", [{}, {"seed": -1}, {"temperature": 0}])
def test_seeds_differ_where_the_client_names_none(fields: dict[str, Any]) -> None:
    """In 32 bits, because engines keep no more of them; -1 means any."""
    found = seeds(fields, 128)
    assert len(set(found)) == 128
    assert all(0 <= seed < 2**31 for seed in found)
    assert seeds(fields, 2) != seeds(fields, 2)


def test_a_request_for_one_choice_stays_as_it_is() -> None:
    asked: Any = {"messages": []}
    assert each_choice(asked, 1) == [{"messages": []}]


def test_each_request_is_for_one_choice_and_else_the_same() -> None:
    asked: Any = {"messages": [], "n": 2, "seed": 5, "top_p": 1}
    assert each_choice(asked, 2) == [
        {"messages": [], "seed": 5, "top_p": 1},
        {"messages": [], "seed": 6, "top_p": 1},
    ]
    assert asked["n"] == 2


def test_more_than_the_setting_allows_is_refused() -> None:
    asked: Any = {"messages": [], "n": 5}
    with pytest.raises(InvalidRequest, match=r"at most 4 here \(MAX_CHOICES\), got 5") as caught:
        each_choice(asked, 4)
    assert caught.value.param == "n"


def test_choices_of_several_prompts_come_prompt_by_prompt() -> None:
    asked: Any = {"prompt": ["a", "b"], "n": 2, "seed": 5}
    assert each_run(asked, 2) == [
        {"prompt": ["a"], "seed": 5},
        {"prompt": ["a"], "seed": 6},
        {"prompt": ["b"], "seed": 5},
        {"prompt": ["b"], "seed": 6},
    ]


def test_each_choice_has_its_role_its_finish_and_its_index(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, answer("A"), answer("B"), answer("C"))
    chunks = run(make_backend(), n=3, seed=5)

    assert said(chunks) == of_choice(0, "A") + of_choice(1, "B") + of_choice(2, "C")
    assert {(chunk["id"], chunk["created"]) for chunk in chunks} == {("chatcmpl-test", 1700000000)}
    assert [up.json["options"]["seed"] for up in fake.received(PATH)] == [5, 6, 7]
    assert not any("usage" in chunk for chunk in chunks)


def test_one_usage_at_the_end_counts_the_prompt_once(fake: FakeOllama, make_backend: Make) -> None:
    """As OpenAI's does: `n` costs what is generated."""
    fake.script(PATH, answer("A", 3, 2), answer("B", 3, 5))
    *chunks, last = run(make_backend(), stream_options=WITH_USAGE)

    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}
    assert [chunk["usage"] for chunk in chunks] == [None] * 6


def test_choices_run_one_after_the_other_on_one_connection(
    fake: FakeOllama, make_backend: Make
) -> None:
    backend = make_backend()
    run(backend)
    opened = fake.connections_opened
    run(backend, n=4)

    assert fake.connections_opened == opened
    assert len(fake.received(PATH)) == 6


def test_the_next_choice_does_not_hold_back_the_end_of_the_one_before(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, answer("A"), hang)
    opened = make_backend().chat(request(), ANSWER)
    found = list(next(opened))
    while not found[-1]["choices"][0]["finish_reason"]:
        found += next(opened)

    assert len(fake.received(PATH)) == 1
    assert not opened.finished
    opened.close()


def test_a_later_choice_that_fails_comes_after_what_was_said(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, answer("A", 3, 2), stream([chat_line("B"), close]))
    opened = make_backend().chat(request(), ANSWER)
    found: list[Any] = []
    with pytest.raises(TensoriaError, match="broke"):
        for block in opened:
            found += block
    opened.close()

    assert said(found) == of_choice(0, "A") + of_choice(1, "B")[:-1]
    assert not opened.finished
    assert opened.usage == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_a_later_choice_that_is_refused_ends_the_answer(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, answer("A"), answer_html(502))
    opened = make_backend().chat(request(), ANSWER)
    with pytest.raises(TensoriaError):
        list(opened)
    opened.close()

    assert not opened.finished


def test_the_first_choice_is_refused_before_anything_is_said(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, answer_html(502))
    with pytest.raises(TensoriaError):
        make_backend().chat(request(), ANSWER)


def test_closing_in_the_middle_frees_the_engine_and_runs_no_further_choice(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(PATH, answer("A"), stream([chat_line("B"), hang]))
    opened = make_backend().chat(request(n=3), ANSWER)
    while not any(choice[1].get("content") == "B" for choice in said(next(opened))):
        pass
    opened.close()

    fake.wait_for_disconnect(PATH, timeout=2)
    assert len(fake.received(PATH)) == 2


def test_more_choices_than_allowed_ask_the_engine_for_nothing(
    fake: FakeOllama, make_backend: Make
) -> None:
    for ask in (
        lambda: make_backend().chat(request(n=5), ANSWER),
        lambda: make_backend(MAX_CHOICES="2").complete({"prompt": ["a"], "n": 3}, ANSWER),
    ):
        with pytest.raises(InvalidRequest, match="MAX_CHOICES"):
            ask()
    assert fake.received(PATH) + fake.received(GENERATE) == []


def test_an_answer_that_is_over_says_no_more(make_backend: Make) -> None:
    opened = make_backend(MAX_TOKENS_LIMIT="9").chat(request(max_tokens=99), ANSWER)
    list(opened)

    assert list(opened) == []
    assert opened.finished
    assert (opened.model, opened.adjusted) == ("smollm2:135m", {"max_tokens": "9"})
    opened.close()


# Text completions.


def test_choices_of_completions_are_numbered_prompt_by_prompt(
    fake: FakeOllama, make_backend: Make
) -> None:
    def told(text: str, prompt: int) -> Any:
        return stream([generate_line(text), generate_done_line(prompt=prompt, eval=1)])

    fake.script(GENERATE, told("A", 3), told("B", 3), told("C", 5), told("D", 5))
    asked: Any = {"prompt": ["a", "b"], "n": 2, "seed": 5, "stream_options": WITH_USAGE}
    opened = make_backend().complete({**asked, "stream": True}, ANSWER)
    chunks = [chunk for block in opened for chunk in block]
    opened.close()

    assert [(c["index"], c["text"]) for k in chunks for c in k["choices"] if c["text"]] == [
        (0, "A"),
        (1, "B"),
        (2, "C"),
        (3, "D"),
    ]
    ups = [up.json for up in fake.received(GENERATE)]
    assert [(up["prompt"], up["options"]["seed"]) for up in ups] == [
        ("a", 5),
        ("a", 6),
        ("b", 5),
        ("b", 6),
    ]
    assert chunks[-1]["usage"] == {"prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12}


# Engines that speak OpenAI.


@pytest.fixture
def make_openai(fake: FakeOllama) -> Make:
    """Build the backend in front of the fake; `owned_by` is the kind of engine."""

    def build(owned_by: str) -> OpenAIBackend:
        speak_openai(fake, "org/Model-1", owned_by=owned_by)
        variables = {"ENGINE": "openai", "ENGINE_BASE_URL": fake.url}
        return OpenAIBackend(Settings.from_env({"DEFAULT_MODEL": "org/model-1", **variables}))

    return build


@pytest.mark.parametrize("owned_by", ["vllm", "llamacpp"])
def test_engines_that_speak_openai_are_asked_choice_by_choice(
    fake: FakeOllama, make_openai: Make, owned_by: str
) -> None:
    """llama.cpp's server knows `n`, and counts only the first choice."""
    chunks = run(make_openai(owned_by), seed=5, stream_options=WITH_USAGE)

    assert said(chunks) == of_choice(0, "Hel", "lo") + of_choice(1, "Hel", "lo")
    assert chunks[-1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    ups = [up.json for up in fake.received(CHAT)]
    assert [up["seed"] for up in ups] == [5, 6]
    assert not any("n" in up for up in ups)


def test_no_usage_is_made_up_where_one_choice_tells_none(
    fake: FakeOllama, make_openai: Make
) -> None:
    backend = make_openai("vllm")
    silent = events(delta("a", finish="stop"), DONE)
    fake.script(CHAT, events(delta("a", finish="stop"), usage(), DONE), silent)
    chunks = run(backend, stream_options=WITH_USAGE)

    assert all(chunk["choices"] for chunk in chunks)


def test_choices_give_their_threads_of_llama_cpp_back(make_openai: Make) -> None:
    backend = make_openai("llamacpp")
    for _ in range(MAX_STREAMS // 2 + 1):
        run(backend)

    assert len(said(run(backend))) == 8


@pytest.mark.parametrize(("owned_by", "kept"), [("vllm", True), ("llamacpp", False)])
def test_a_stream_of_llama_cpp_has_a_connection_of_its_own(
    fake: FakeOllama, make_openai: Make, owned_by: str, kept: bool
) -> None:
    """It often closes the connection after a stream without a word: the next would break."""
    backend = make_openai(owned_by)
    run(backend)
    before = fake.connections_opened
    run(backend, n=3)

    assert fake.connections_opened - before == (0 if kept else 3)

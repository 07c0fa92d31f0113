"""Several runs of one answer at a time: when they begin, what comes out, and how they end."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tensoria.backends.base import AnswerId
from tensoria.backends.llama_cpp import MAX_STREAMS
from tensoria.backends.openai_compatible import OpenAIBackend
from tensoria.backends.together import MOST_BLOCKS
from tensoria.config import Settings
from tensoria.errors import BackendError, TensoriaError
from tests.backends.conftest import ANSWER
from tests.backends.fake_openai import DONE, event, events, speak_openai
from tests.backends.slots import FreeSlots, reading_threads
from tests.fake_ollama import (
    Exchange,
    FakeOllama,
    Handler,
    chat_line,
    close,
    done_line,
    generate_done_line,
    generate_line,
    hang,
    stream,
)
from tests.waiting import until

CHAT = "/api/chat"
GENERATE = "/api/generate"
SEED = 5

Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    until(lambda: reading_threads() == 0)


def answer_id(slots: FreeSlots) -> AnswerId:
    return replace(ANSWER, slots=slots)


def asked(count: int, **fields: Any) -> Any:
    said = [{"role": "user", "content": "Hi"}]
    return {"messages": said, "stream": True, "n": count, "seed": SEED, **fields}


def by_choice(*handlers: Handler) -> Handler:
    """Answer each choice, known by its seed, in its own way, whichever comes first."""
    return lambda exchange: handlers[exchange.request.json["options"]["seed"] - SEED](exchange)


def answer(text: str, *steps: Any, prompt: int = 3, eval: int = 1) -> Handler:
    return stream([chat_line(text), *steps, done_line(prompt=prompt, eval=eval)])


class Meeting:
    """Handlers that go on behind their first line when so many of them have come."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()
        self._all = threading.Event()

    def handle(self, exchange: Exchange) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self._all.set()
        answer("A", self._all, chat_line("B"))(exchange)


def texts(chunks: list[Any]) -> dict[int, str]:
    """Return what each choice said."""
    found: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            text = choice["delta"].get("content", "") if "delta" in choice else choice["text"]
            found[choice["index"]] = found.get(choice["index"], "") + text
    return found


def read(opened: Any) -> list[Any]:
    try:
        return [chunk for block in opened for chunk in block]
    finally:
        opened.close()


def read_until(opened: Any, condition: Callable[[dict[int, str]], bool]) -> list[Any]:
    """Read until what the choices said is as it should be."""
    chunks: list[Any] = []
    while not condition(texts(chunks)):
        chunks += next(opened)
    return chunks


def test_choices_run_at_a_time_in_free_slots(fake: FakeOllama, make_backend: Make) -> None:
    """No second chunk comes before all three have been asked for."""
    fake.script(CHAT, Meeting(3).handle)
    slots = FreeSlots(2)
    options = {"stream_options": {"include_usage": True}}
    chunks = read(make_backend().chat(asked(3, **options), answer_id(slots)))

    assert texts(chunks) == {0: "AB", 1: "AB", 2: "AB"}
    assert {chunk["id"] for chunk in chunks} == {ANSWER.id}
    assert chunks[-1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
    assert (slots.most, slots.taken) == (2, 0)


def test_the_chunks_of_a_choice_keep_their_order(fake: FakeOllama, make_backend: Make) -> None:
    lines = [chat_line(f"{number} ") for number in range(200)]
    fake.script(CHAT, stream([*lines, done_line()]))
    chunks = read(make_backend().chat(asked(4), answer_id(FreeSlots(3))))

    whole = "".join(f"{number} " for number in range(200))
    assert texts(chunks) == dict.fromkeys(range(4), whole)
    reasons = [c["finish_reason"] for k in chunks for c in k["choices"] if c["finish_reason"]]
    assert reasons == ["stop"] * 4


def test_no_more_run_at_a_time_than_there_are_slots(fake: FakeOllama, make_backend: Make) -> None:
    gates = [threading.Event() for _ in range(3)]
    fake.script(CHAT, by_choice(*(answer("A", gate) for gate in gates)))
    slots = FreeSlots(1)
    opened = make_backend().chat(asked(3), answer_id(slots))
    read_until(opened, lambda said: said.keys() == {0, 1})
    assert len(fake.received(CHAT)) == 2

    gates[1].set()
    read_until(opened, lambda said: said.keys() == {1, 2})
    gates[0].set()
    gates[2].set()
    read(opened)
    assert (slots.most, slots.taken) == (1, 0)
    assert len(fake.received(CHAT)) == 3


def test_without_a_free_slot_no_thread_is_made(fake: FakeOllama, make_backend: Make) -> None:
    fake.script(CHAT, answer("A"))
    opened = make_backend().chat(asked(3), answer_id(FreeSlots(0)))
    threads = 0
    for _ in opened:
        threads = max(threads, reading_threads())
    opened.close()

    assert threads == 0
    assert len(fake.received(CHAT)) == 3


def test_a_slot_that_becomes_free_is_taken_for_a_choice_to_come(
    fake: FakeOllama, make_backend: Make
) -> None:
    """The first one is in the middle then; what it says before and after is one text."""
    first, second = threading.Event(), threading.Event()
    fake.script(CHAT, by_choice(answer("A", first, chat_line("B"), second), answer("C", second)))
    slots = FreeSlots(0)
    opened = make_backend().chat(asked(2), answer_id(slots))
    chunks = read_until(opened, lambda said: said == {0: "A"})
    slots.free = 1
    first.set()
    chunks += read_until(opened, lambda said: 1 in said)
    second.set()
    chunks += read(opened)

    assert texts(chunks) == {0: "AB", 1: "C"}
    assert slots.taken == 0


def test_a_slot_is_given_back_with_the_end_of_its_run(fake: FakeOllama, make_backend: Make) -> None:
    gate = threading.Event()
    fake.script(CHAT, by_choice(answer("A", gate), answer("B"), answer("C")))
    slots = FreeSlots(2)
    opened = make_backend().chat(asked(3), answer_id(slots))
    next(opened)
    until(lambda: slots.most == 2 and slots.taken == 0)

    assert not opened.finished
    gate.set()
    assert texts(read(opened)).keys() >= {1, 2}


@pytest.mark.parametrize("first_over", [0, 1])
def test_the_slot_of_the_run_that_is_over_first_is_given_back(
    fake: FakeOllama, make_backend: Make, first_over: int
) -> None:
    """Whichever it is: the one that goes on has the request's own."""
    gates = [threading.Event(), threading.Event()]
    fake.script(CHAT, by_choice(answer("A", gates[0]), answer("B", gates[1])))
    slots = FreeSlots(1)
    opened = make_backend().chat(asked(2), answer_id(slots))
    read_until(opened, lambda said: said.keys() == {0, 1})
    gates[first_over].set()
    until(lambda: slots.taken == 0)
    assert not opened.finished
    gates[1 - first_over].set()
    read(opened)


def test_the_usage_so_far_counts_a_prompt_whose_first_choice_goes_on(
    fake: FakeOllama, make_backend: Make
) -> None:
    gate = threading.Event()
    fake.script(CHAT, by_choice(answer("A", gate), answer("B", prompt=7, eval=2)))
    opened = make_backend().chat(asked(2), answer_id(FreeSlots(1)))
    while opened.usage is None:
        next(opened)

    assert opened.usage == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    gate.set()
    read(opened)
    assert opened.usage == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}


def test_what_was_adjusted_is_known_from_the_start(fake: FakeOllama, make_backend: Make) -> None:
    backend = make_backend(MAX_TOKENS_LIMIT="9")
    opened = backend.chat(asked(2, max_tokens=99), answer_id(FreeSlots(1)))
    before = opened.adjusted
    read(opened)

    assert before == opened.adjusted == {"max_tokens": "9"}


def test_the_first_is_refused_before_the_others_are_asked_for(
    fake: FakeOllama, make_backend: Make
) -> None:
    fake.script(CHAT, close)
    slots = FreeSlots(2)
    with pytest.raises(BackendError):
        make_backend().chat(asked(3), answer_id(slots))

    assert {up.json["options"]["seed"] for up in fake.received(CHAT)} == {SEED}
    assert slots.most == 0


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("others", [hang, answer("A", hang)], ids=["prefill", "between tokens"])
def test_the_first_run_that_fails_ends_all_others(
    fake: FakeOllama, make_backend: Make, failing: int, others: Handler
) -> None:
    """Whoever reads is told only when it asks: the engine and the slots are free before."""
    gate = threading.Event()
    handlers = [answer("A", hang), others, others]
    handlers[failing] = stream([chat_line("A"), gate, close])
    fake.script(CHAT, by_choice(*handlers))
    slots = FreeSlots(2)
    opened = make_backend().chat(asked(3), answer_id(slots))
    next(opened)
    fake.wait_for_request(CHAT, count=3)
    gate.set()

    fake.wait_for_disconnect(CHAT, count=2, timeout=3)
    until(lambda: slots.taken == 0)
    with pytest.raises(TensoriaError, match="broke"):
        read(opened)
    assert not opened.finished


@pytest.mark.parametrize("others", [hang, answer("A", hang)], ids=["prefill", "between tokens"])
def test_closing_ends_every_run_at_once(
    fake: FakeOllama, make_backend: Make, others: Handler
) -> None:
    fake.script(CHAT, by_choice(answer("A", hang), others, others, others))
    slots = FreeSlots(2)
    opened = make_backend().chat(asked(4), answer_id(slots))
    next(opened)
    fake.wait_for_request(CHAT, count=3)
    opened.close()

    assert slots.taken == 0
    fake.wait_for_disconnect(CHAT, count=3, timeout=3)
    opened.close()
    assert list(opened) == []
    assert (slots.taken, len(fake.received(CHAT))) == (0, 3)


def test_closing_ends_a_run_in_its_second_attempt(fake: FakeOllama, make_backend: Make) -> None:
    """Its connection is another one than that which it began with; who waits for it is woken."""

    def handle(exchange: Exchange) -> None:
        # A second attempt has a seed far from those of the choices.
        first = exchange.request.json["options"]["seed"] in (SEED, SEED + 1)
        (answer("no JSON") if first else hang)(exchange)

    fake.script(CHAT, handle)
    slots = FreeSlots(1)
    format_ = {"response_format": {"type": "json_object"}}
    opened = make_backend(STRUCTURED_RETRY="1").chat(asked(2, **format_), answer_id(slots))
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(list, opened)
        fake.wait_for_request(CHAT, count=4)
        opened.close()
        fake.wait_for_disconnect(CHAT, count=2, timeout=3)
        assert not any(block for block in reading.result(timeout=3))

    assert slots.taken == 0


def test_what_was_closed_says_no_more(fake: FakeOllama, make_backend: Make) -> None:
    fake.script(CHAT, answer("A", hang))
    opened = make_backend().chat(asked(2), answer_id(FreeSlots(0)))
    next(opened)
    opened.close()

    assert list(opened) == []
    assert len(fake.received(CHAT)) == 1


def test_an_engine_that_is_ahead_waits_for_the_client(fake: FakeOllama, make_backend: Make) -> None:
    """A thread holds a few blocks for a client that does not read, and closing wakes it."""

    def endless(exchange: Exchange) -> None:
        stream([chat_line("a" * 60_000)] * 10_000)(exchange)

    fake.script(CHAT, endless)
    opened = make_backend().chat(asked(2), answer_id(FreeSlots(1)))
    next(opened)
    until(lambda: len(opened._together._blocks) == MOST_BLOCKS)
    fake.wait_for_request(CHAT, count=2)
    assert reading_threads() == 2
    opened.close()

    fake.wait_for_disconnect(CHAT, count=2, timeout=3)


def test_connections_are_used_again(fake: FakeOllama, make_backend: Make) -> None:
    backend = make_backend()
    for _ in range(5):
        fake.script(CHAT, Meeting(3).handle)
        read(backend.chat(asked(3), answer_id(FreeSlots(2))))
        until(lambda: reading_threads() == 0)

    # One more than at a time: Go's closing chunk may come later than the next request.
    assert fake.connections_opened <= 5


def test_a_thread_that_cannot_be_had_loses_nothing(
    fake: FakeOllama, make_backend: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.script(CHAT, answer("A", hang))
    slots = FreeSlots(1)
    opened = make_backend().chat(asked(2), answer_id(slots))

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError):
            next(opened)
    opened.close()

    assert slots.taken == 0
    fake.wait_for_disconnect(CHAT, timeout=3)


# Prompts.


def test_prompts_run_at_a_time_in_free_slots(fake: FakeOllama, make_backend: Make) -> None:
    gate = threading.Event()

    def echo(exchange: Exchange) -> None:
        said = exchange.request.json["prompt"]
        if said == "c":
            gate.set()
        stream([generate_line(said), gate, generate_done_line(prompt=2, eval=1)])(exchange)

    fake.script(GENERATE, echo)
    request: Any = {"prompt": ["a", "b", "c"], "stream": True}
    options = {"stream_options": {"include_usage": True}}
    slots = FreeSlots(2)
    chunks = read(make_backend().complete({**request, **options}, answer_id(slots)))

    assert texts(chunks) == {0: "a", 1: "b", 2: "c"}
    assert chunks[-1]["usage"] == {"prompt_tokens": 6, "completion_tokens": 3, "total_tokens": 9}
    assert (slots.most, slots.taken) == (2, 0)


def test_each_prompt_beside_the_first_holds_a_thread_of_llama_cpp(fake: FakeOllama) -> None:
    speak_openai(fake, "org/Model-1", owned_by="llamacpp")
    gate = threading.Event()
    end = event(choices=[{"index": 0, "text": "A", "finish_reason": "stop"}])
    fake.script("/v1/completions", events(gate, end, DONE))
    variables = {"ENGINE": "openai", "ENGINE_BASE_URL": fake.url, "DEFAULT_MODEL": "org/model-1"}
    backend = OpenAIBackend(Settings.from_env(variables))
    request: Any = {"prompt": ["a", "b", "c"], "stream": True}
    others = [backend.complete(request, ANSWER) for _ in range(MAX_STREAMS - 2)]
    slots = FreeSlots(2)
    opened = backend.complete(request, answer_id(slots))
    gate.set()
    assert texts(read(opened)) == {0: "A", 1: "A", 2: "A"}
    assert (slots.most, slots.taken) == (1, 0)
    for other in others:
        other.close()

    assert backend._threads._free._value == MAX_STREAMS

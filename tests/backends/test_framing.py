"""The decoders give the same wherever the bytes were cut, and refuse what is no framing."""

from collections.abc import Callable

import pytest

from tensoria.backends.framing import Dechunker, EventDecoder, FramingError, LineDecoder

CHUNKED = (
    b"5\r\nHello\r\n"
    b"B;name=value;other\r\n, w\r\nrld!!!\r\n"
    b"001\r\n\n\r\n"
    b"0;last\r\nX-Trailer: one\r\nX-Other: two\r\n\r\n"
)
CHUNKED_TEXT = b"Hello, w\r\nrld!!!\n"
LINES = '{"a":"Grüße\x85🙂"}\n\r\n  \n{"b":1}\r\n{"c":2}'.encode()
LINES_OUT = ['{"a":"Grüße\x85🙂"}'.encode(), b'{"b":1}\r', b'{"c":2}']
EVENTS = (
    b': comment\n\nevent: x\nid: 1\ndata: {"a":1}\n\ndata:{"b":2}\r\n\r\nretry: 5\ndata: [DONE]\n\n'
)
EVENTS_OUT = [b'{"a":1}', b'{"b":2}', b"[DONE]"]


def dechunk(parts: list[bytes]) -> tuple[bytes, Dechunker]:
    decoder = Dechunker()
    return b"".join(decoder.feed(part) for part in parts), decoder


def decode(decoder: LineDecoder | EventDecoder, parts: list[bytes]) -> list[bytes]:
    return [line for part in parts for line in decoder.feed(part)] + decoder.flush()


def two_parts(data: bytes) -> list[list[bytes]]:
    return [[data[:at], data[at:]] for at in range(len(data) + 1)]


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def test_a_chunked_body_is_the_same_wherever_it_is_cut() -> None:
    for parts in [*two_parts(CHUNKED), one_by_one(CHUNKED)]:
        payload, decoder = dechunk(parts)

        assert (payload, decoder.finished, decoder.excess) == (CHUNKED_TEXT, True, False), parts


def test_a_chunked_body_is_not_finished_before_its_last_byte() -> None:
    unfinished = [dechunk([CHUNKED[:at]])[1].finished for at in range(len(CHUNKED))]

    assert not any(unfinished)


def test_bytes_behind_the_end_are_never_payload() -> None:
    whole = b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200"

    assert {dechunk(parts)[0] for parts in [*two_parts(whole), one_by_one(whole)]} == {b"a"}


@pytest.mark.parametrize("parts", [[b"0\r\n\r\nH"], [b"0\r\n\r\n", b"H"]], ids=["one", "two"])
def test_bytes_behind_the_end_are_told(parts: list[bytes]) -> None:
    assert dechunk(parts)[1].excess


@pytest.mark.parametrize(
    "size",
    [b"", b"g", b"-1", b"+5", b"0x5", b"1_0", b"5 5", b"\xb2", b" ", b";name"],
    ids=repr,
)
def test_a_size_that_is_no_hexadecimal_number_is_refused(size: bytes) -> None:
    with pytest.raises(FramingError):
        Dechunker().feed(size + b"\r\nHello\r\n")


def test_a_size_with_blanks_around_it_is_taken() -> None:
    """Some servers pad the size; RFC 9112 lets a reader be kind here."""
    assert Dechunker().feed(b"5 \r\nHello\r\n") == b"Hello"


def test_a_size_line_without_an_end_is_refused() -> None:
    decoder = Dechunker()

    with pytest.raises(FramingError, match="without an end"):
        for _ in range(100):
            decoder.feed(b"0" * 100)


def test_a_size_in_capital_letters_is_hexadecimal_too() -> None:
    assert Dechunker().feed(b"1F\r\n" + b"x" * 31 + b"\r\n") == b"x" * 31


@pytest.mark.parametrize("end", [b"XX\r\n", b"\n\n\r\n"])
def test_a_chunk_longer_than_its_size_is_a_fault_told_after_its_text(end: bytes) -> None:
    """What stands where the CRLF belongs is text that would be lost without a word."""
    decoder = Dechunker()

    assert decoder.feed(b"5\r\nHello" + end + b"0\r\n\r\n") == b"Hello"
    assert isinstance(decoder.broken, FramingError)
    assert not decoder.finished


@pytest.mark.parametrize(
    ("make", "data", "expected"),
    [(LineDecoder, LINES, LINES_OUT), (EventDecoder, EVENTS, EVENTS_OUT)],
)
def test_lines_and_events_are_the_same_wherever_they_are_cut(
    make: Callable[[int], LineDecoder | EventDecoder], data: bytes, expected: list[bytes]
) -> None:
    for parts in [*two_parts(data), one_by_one(data)]:
        assert decode(make(1000), parts) == expected


def test_flush_gives_the_last_event_of_a_body_without_a_line_break() -> None:
    decoder = EventDecoder(1000)

    assert decoder.feed(b"data: a\n\ndata: b") == [b"a"]
    assert decoder.flush() == [b"b"]
    assert decoder.flush() == []


@pytest.mark.parametrize("data", [b"", b"   ", b"\n\n"])
def test_flush_of_nothing_is_nothing(data: bytes) -> None:
    decoder = LineDecoder(100)

    assert decoder.feed(data) == []
    assert decoder.flush() == []


def test_a_line_without_an_end_is_refused_at_its_limit() -> None:
    decoder = LineDecoder(1000)
    decoder.feed(b"x" * 1000)

    with pytest.raises(FramingError, match="line without an end"):
        decoder.feed(b"x")


def test_the_limit_counts_a_line_and_not_the_stream() -> None:
    decoder = LineDecoder(1000)

    for _ in range(10):
        assert decoder.feed(b"x" * 900 + b"\n") == [b"x" * 900]

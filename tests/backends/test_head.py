"""The head of an answer: where it ends, what it says of the body, and what is no head at all."""

import pytest

from tensoria.backends.framing import FramingError
from tensoria.backends.head import MAX_HEAD_BYTES, Head, end_of

OK = b"HTTP/1.1 200 OK\r\n"


def head(*lines: str, first: bytes = OK) -> Head:
    return Head.of(first + "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\n\r\n"])
def test_a_head_ends_at_the_first_empty_line_wherever_it_is_cut(end: bytes) -> None:
    whole = b"HTTP/1.1 200 OK\r\nA: b" + end
    data = whole + b"body\r\n\r\nmore"
    for cut in range(len(whole)):
        assert end_of(data[:cut]) is None
    for cut in range(len(whole), len(data) + 1):
        assert end_of(data[:cut]) == len(whole)


def test_the_end_is_found_though_it_was_cut_in_two() -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\n"
    for searched in range(len(data)):
        assert end_of(data, searched) == len(data)


@pytest.mark.parametrize("data", [b"S", b"HTTP/2 200\r\n\r\n", b"SSH-2.0-x\r\n", b"\r\nHTTP/1.1"])
def test_what_does_not_begin_as_a_head_is_none_from_its_first_byte(data: bytes) -> None:
    with pytest.raises(FramingError):
        end_of(data)


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_a_head_that_is_too_long_is_refused_ended_or_not(end: bytes) -> None:
    longest = OK + b"A: " + b"b" * (MAX_HEAD_BYTES - len(OK) - 3 - len(end)) + end
    end_of(longest)

    with pytest.raises(FramingError):
        end_of(longest.replace(b"bb", b"bbb", 1))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Content-Length: 5"], Head(200, False, 5, True)),
        (["content-length:5"], Head(200, False, 5, True)),
        (["Content-Length: \t 5 \t"], Head(200, False, 5, True)),
        (["Content-Length: 5", "Content-Length: 5"], Head(200, False, 5, True)),
        (["Content-Length: 5, 5"], Head(200, False, 5, True)),
        (["Content-Length: 0"], Head(200, False, 0, True)),
        (["Transfer-Encoding: chunked"], Head(200, True, None, True)),
        (["TRANSFER-ENCODING: Chunked"], Head(200, True, None, True)),
        (["Transfer-Encoding: chunked", "Connection: close"], Head(200, True, None, False)),
        (["Connection: x, Close", "Content-Length: 1"], Head(200, False, 1, False)),
        (["Connection: keep-alive", "Content-Length: 1"], Head(200, False, 1, True)),
        ([], Head(200, False, None, False)),
        (["X: caf\xe9", "Content-Length: 1"], Head(200, False, 1, True)),
    ],
)
def test_a_head_says_how_its_body_is_read(lines: list[str], expected: Head) -> None:
    assert head(*lines) == expected


def test_a_length_beside_chunks_does_not_count_and_ends_the_connection() -> None:
    """Both at once is how one answer is smuggled behind another (RFC 9112, 6.3)."""
    both = head("Content-Length: 5", "Transfer-Encoding: chunked")

    assert both == Head(200, True, None, False)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_has_none_whatever_it_says(status: int) -> None:
    first = f"HTTP/1.1 {status} Nothing\r\n".encode()

    assert head("Content-Length: 7", first=first) == Head(status, False, 0, True)
    assert head("Transfer-Encoding: chunked", first=first).length == 0
    assert not head("Transfer-Encoding: chunked", first=first).chunked


@pytest.mark.parametrize(("connection", "keep"), [("", False), ("Keep-Alive", True), ("x", False)])
def test_http_1_0_keeps_a_connection_only_when_it_says_so(connection: str, keep: bool) -> None:
    first = b"HTTP/1.0 200 OK\r\n"

    assert head(f"Connection: {connection}", "Content-Length: 1", first=first).keep is keep


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 200\r\n", b"HTTP/1.1 200 \r\n", b"HTTP/1.1 200 Gr\xc3\xbc\xc3\x9fe\r\n"]
)
def test_a_status_needs_no_words(first: bytes) -> None:
    assert head("Content-Length: 1", first=first).status == 200


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1\r\n",
        b"HTTP/1.1 20\r\n",
        b"HTTP/1.1 2000 OK\r\n",
        b"HTTP/1.1 600 OK\r\n",
        b"HTTP/1.1  200 OK\r\n",
        b"HTTP/1.2 200 OK\r\n",
        b"HTTP/1.1 2x0 OK\r\n",
        b"HTTP/1.1\t200 OK\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n",
    ],
)
def test_a_first_line_without_a_status_is_refused(first: bytes) -> None:
    with pytest.raises(FramingError):
        head(first=first)


@pytest.mark.parametrize(
    "line",
    [
        "no colon",
        ": no name",
        "Content-Length : 5",
        " Content-Length: 5",
        "\tfolded",
        "Content-Length: -5",
        "Content-Length: +5",
        "Content-Length: 5_0",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 5, 6",
        "Content-Length: ",
        "Content-Length: \u0665",
        "Content-Length: 9999999999999999",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\x0b",
        "Transfer-Encoding: ",
    ],
)
def test_a_line_that_could_be_read_in_two_ways_is_refused(line: str) -> None:
    with pytest.raises(FramingError):
        head(line)


def test_the_same_coding_named_twice_is_refused() -> None:
    with pytest.raises(FramingError):
        head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")


def test_no_byte_that_is_changed_makes_anything_but_a_head_or_a_framing_error() -> None:
    whole = OK + b"Content-Length: 12\r\nConnection: close\r\n\r\n"
    for at in range(len(whole)):
        for byte in (0, 9, 10, 13, 32, 44, 58, 127, 255):
            changed = whole[:at] + bytes([byte]) + whole[at + 1 :]
            try:
                parsed = Head.of(changed)
            except FramingError:
                continue
            assert parsed.length in (None, 1, 2, 12)

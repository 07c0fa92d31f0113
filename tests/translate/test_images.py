"""Data URLs in all the ways that clients write them, and what the engines get."""

import base64
import re
from typing import Any
from urllib.parse import quote

import pytest

from tensoria.errors import InvalidRequest, UnsupportedParameter
from tensoria.translate import images
from tensoria.translate.chat import to_messages, to_ollama
from tensoria.translate.chat_passthrough import to_openai
from tensoria.translate.images import BrokenImage, check_images, to_data_url
from tensoria.translate.traits import Traits, Version

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) + b"."
TEXT = base64.b64encode(PNG).decode()
URL = f"data:image/png;base64,{TEXT}"
SAFE = base64.urlsafe_b64encode(PNG).decode()

# (name, as sent); all are the same image.
SPELLINGS = [
    ("as it should be", URL),
    ("capitals", f"DATA:image/PNG;charset=x;BASE64,{TEXT}"),
    ("another type", f"data:image/jpeg;base64,{TEXT}"),
    ("no type", f"data:;base64,{TEXT}"),
    ("parameters and spaces", f"data:image/png; name=a.png; base64,{TEXT}"),
    ("the url-safe alphabet", f"data:image/png;base64,{SAFE}"),
    ("no padding", URL.rstrip("=")),
    ("too much padding", f"{URL}=="),
    ("percent-encoded", f"data:image/png;base64,{quote(TEXT, safe='')}"),
    ("lines", "data:image/png;base64," + "\r\n".join(re.findall(".{1,76}", TEXT))),
    ("spaces around it", f" {URL}\n"),
]


def test_the_image_uses_both_alphabets_and_padding() -> None:
    assert {"-", "_", "="} <= set(SAFE)


@pytest.mark.parametrize(("_name", "sent"), SPELLINGS, ids=[row[0] for row in SPELLINGS])
def test_data_url_gets_its_one_form(_name: str, sent: str) -> None:
    assert to_data_url(sent) == URL


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


# (first bytes, true type)
FORMATS = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff\xe0", "image/jpeg"),
    (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
]


@pytest.mark.parametrize(("first", "type_"), FORMATS)
def test_type_is_read_off_the_first_bytes(first: bytes, type_: str) -> None:
    text = encoded(first + b"more")
    assert to_data_url(f"data:text/plain;base64,{text}") == f"data:{type_};base64,{text}"


# (name, as sent, words of the reason)
BROKEN = [
    ("an address", "https://example.org/a.png", "send the image itself"),
    ("an address without encryption", "http://169.254.169.254/", "send the image itself"),
    ("a file", "file:///etc/passwd", "send the image itself"),
    ("bare base64", TEXT, "send the image itself"),
    ("empty", "", "send the image itself"),
    ("no comma", "data:image/png;base64", "send the image itself"),
    ("a long head", f"data:{'x' * 300};base64,{TEXT}", "send the image itself"),
    ("not base64", "data:image/png,abc", "in base64"),
    ("no image in it", "data:image/png;base64,", "expected a PNG"),
    ("text", f"data:image/png;base64,{encoded(b'hello')}", "expected a PNG"),
    ("a wave that is no picture", f"data:;base64,{encoded(b'RIFF0000WAVEfmt ')}", "expected a PNG"),
    ("an SVG", f"data:image/svg+xml;base64,{encoded(b'<svg/>')}", "expected a PNG"),
    ("other letters", f"data:image/png;base64,{TEXT[:40]}!{TEXT[40:]}", "cannot be read"),
    ("letters of no alphabet", "data:image/png;base64,ÄÖÜß", "cannot be read"),
    ("padding inside", f"data:image/png;base64,{TEXT[:40]}=={TEXT[40:]}", "cannot be read"),
    ("cut", f"data:image/png;base64,{TEXT[:41]}", "cannot be read"),
]


@pytest.mark.parametrize(("_name", "sent", "reason"), BROKEN, ids=[row[0] for row in BROKEN])
def test_what_is_no_image_is_refused_with_its_reason(_name: str, sent: str, reason: str) -> None:
    with pytest.raises(BrokenImage, match=re.escape(reason)):
        to_data_url(sent)


def test_image_at_the_limit_is_taken_and_one_byte_more_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(images, "MAX_IMAGE_BYTES", len(PNG))
    assert to_data_url(URL) == URL
    with pytest.raises(BrokenImage, match="at most"):
        to_data_url(f"data:;base64,{encoded(PNG + b'x')}")


def part(url: str = URL) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def seen(*parts: Any, text: str = "") -> dict[str, Any]:
    return {"role": "user", "content": text, "parts": list(parts)}


OTHER = "data:image/jpeg;base64,/9j/AAAA"
CHAT: list[Any] = [
    {"role": "system", "content": "a"},
    {"role": "developer", "content": "b"},
    {"role": "user", "content": "c"},
    seen(words("first"), part(), words("second"), part(OTHER), text="first\nsecond"),
    {"role": "assistant", "content": "d"},
    {"role": "tool", "content": "", "tool_call_id": "c1", "parts": [part()]},
]


def test_texts_and_images_of_a_message_are_one_message_of_ollamas() -> None:
    body = to_ollama(
        {"messages": CHAT},
        model="m",
        max_tokens=1,
        temperature=None,
        keep_alive=0,
        context_length=None,
    )
    assert body["messages"] == [
        {"role": "system", "content": "a\n\nb"},
        {"role": "user", "content": "c"},
        {"role": "user", "content": "first\nsecond", "images": [TEXT, "/9j/AAAA"]},
        {"role": "assistant", "content": "d"},
        {"role": "tool", "content": "", "tool_call_id": "c1", "images": [TEXT]},
    ]


def test_engine_that_speaks_openai_gets_texts_and_images_in_their_order() -> None:
    body = to_openai({"messages": CHAT}, model="m", max_tokens=1, temperature=0, progress=False)
    parts = [words("first"), part(), words("second"), part(OTHER)]
    assert body["messages"] == [
        {"role": "system", "content": "a\n\nb"},
        {"role": "user", "content": "c"},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "d"},
        {"role": "tool", "tool_call_id": "c1", "content": [part()]},
    ]
    assert CHAT[3]["content"] == "first\nsecond"


def test_image_stays_with_its_message_where_calls_join_the_words_before_them() -> None:
    call: Any = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chat: list[Any] = [
        seen(part()),
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": "", "tool_calls": [call], "parts": [part(OTHER)]},
        {"role": "user", "content": "b"},
    ]
    found = to_messages(chat)
    assert [message.get("images") for message in found] == [[TEXT], ["/9j/AAAA"], None]


def ollama(*able: str, version: Version = (0, 32, 15)) -> Traits:
    return Traits("ollama", "m", version, frozenset(able))


WEBP, GIF = "data:image/webp;base64,UklGRg==", "data:image/gif;base64,R0lGODlh"

# (name, image, engine)
SEEN = [
    ("a model that sees", URL, ollama("completion", "vision")),
    ("a model that tells nothing", URL, Traits("ollama", "m", (0, 32, 15))),
    ("WebP", WEBP, ollama("vision", version=(0, 10, 0))),
    ("GIF elsewhere", GIF, Traits("openai", "m")),
    ("a model of llama.cpp's", URL, Traits("llamacpp", "m")),
]


@pytest.mark.parametrize(("_name", "url", "traits"), SEEN, ids=[row[0] for row in SEEN])
def test_image_passes(_name: str, url: str, traits: Traits) -> None:
    check_images([seen(part(url))], traits)  # type: ignore[list-item]


@pytest.mark.parametrize("capabilities", [("completion",), ("completion", "tools")])
def test_model_that_cannot_see_is_named_at_the_first_image(capabilities: tuple[str, ...]) -> None:
    sent: Any = [{"role": "user", "content": "a"}, seen(words("b"), part())]
    with pytest.raises(UnsupportedParameter, match="'vision', which m lacks") as caught:
        check_images(sent, ollama(*capabilities))
    assert caught.value.param == "messages[1].content[1].image_url.url"


@pytest.mark.parametrize(
    ("url", "version"), [(GIF, (0, 32, 15)), (WEBP, (0, 9, 6))], ids=["GIF", "old WebP"]
)
def test_format_that_ollama_does_not_promise_is_refused(url: str, version: Version) -> None:
    sent: Any = [seen(part(), part(url))]
    with pytest.raises(InvalidRequest, match="send PNG or JPEG") as caught:
        check_images(sent, ollama("vision", version=version))
    assert caught.value.param == "messages[0].content[1].image_url.url"

"""Bodies that are no JSON, or odd JSON, and what a request may say of its body."""

import gzip

import orjson

from tests.hostile.rows import CHAT, COMPLETIONS, EMBEDDINGS, ORDINARY, Row

GOOD = orjson.dumps(ORDINARY[CHAT])


def beside(members: bytes) -> bytes:
    """Return an ordinary chat with more members behind its brace."""
    return b"{" + members + b"," + GOOD[1:]


NOT_JSON = {
    "nothing": b"",
    "blanks": b" \r\n\t",
    "text": b"hello",
    "a brace": b"{",
    "cut": GOOD[:-1],
    "twice": GOOD + GOOD,
    "something behind": GOOD + b"\x00",
    "BOM": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-32": GOOD.decode().encode("utf-32-le"),
    "UTF-7": b"+AHsAfQ-",
    "a byte that is no UTF-8": beside(b'"user":"\xff"'),
    "UTF-8 that is too long": beside(b'"user":"\xc0\xaf"'),
    "a surrogate in UTF-8": beside(b'"user":"\xed\xa0\x80"'),
    "a lone high surrogate": beside(rb'"user":"\ud800"'),
    "a lone low surrogate": beside(rb'"user":"\udc00"'),
    "a lone surrogate as a name": beside(rb'"\ud800":1'),
    "an escape that is none": beside(rb'"user":"\x41"'),
    "a control character": beside(b'"user":"\x01"'),
    "a line break in a text": beside(b'"user":"a\nb"'),
    "NUL": b"\x00" * 100,
    "NaN": beside(b'"temperature":NaN'),
    "Infinity": beside(b'"temperature":Infinity'),
    "-Infinity": beside(b'"seed":-Infinity'),
    "1e999": beside(b'"temperature":1e999'),
    "ten thousand digits": beside(b'"seed":' + b"9" * 10_000),
    "hexadecimal": beside(b'"seed":0x10'),
    "a leading zero": beside(b'"seed":01'),
    "a plus": beside(b'"seed":+1'),
    "a bare point": beside(b'"top_p":.5'),
    "a comma too many": GOOD[:-1] + b",}",
    "a comment": b"/* x */" + GOOD,
    "single quotes": b"{'model': 'x'}",
    "a bare name": b"{model: 1}",
    "100000 lists": b"[" * 100_000,
    "100000 lists, closed": b"[" * 100_000 + b"]" * 100_000,
    "100000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "1025 levels beside a chat": beside(b'"metadata":' + b"[" * 1025 + b"]" * 1025),
    "a form": b"model=x&messages=y",
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "YAML": b"model: !!python/object/apply:os.system ['true']",
    "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    "CBOR": b"\xa1emodelax",
    "gzip that is not told": gzip.compress(GOOD),
    "ten megabytes of quotes": b'"' * 10_000_000,
}
NO_OBJECT = [b"[]", b"null", b"1", b"-0", b'"x"', b"true", b"[{}]", b"[" * 900 + b"]" * 900]
ODD = {
    "a name twice": beside(b'"model":"absent","messages":5'),
    "900 levels": beside(b'"metadata":' + b"[" * 900 + b"]" * 900),
    "900 objects": beside(b'"x":' + b'{"a":' * 900 + b"1" + b"}" * 900),
    "-0": beside(b'"seed":-0,"temperature":-0.0'),
    "an escaped NUL": beside(rb'"user":"\u0000","\u0000":1'),
    "escaped letters": GOOD.replace(b'"model"', rb'"\u006d\u006f\u0064\u0065\u006c"'),
    "a pair of surrogates": beside(rb'"user":"\ud83d\ude00"'),
    "100000 names": beside(b",".join(b'"k%d":1' % n for n in range(100_000))),
    "blanks around it": b" " * 1_000_000 + GOOD + b"\n" * 1_000_000,
    "a tiny number": beside(b'"temperature":1e-999,"top_p":0.' + b"0" * 5000 + b"1"),
}
TYPES = [
    None,
    "",
    "text/plain",
    "text/plain; application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=" + "x" * 10_000,
    "application/jsonx",
    "application/",
    "/json",
    "json",
    "*/*",
    "\x00",
    "application/json\x00",
    "\xff\xfe",
    "a" * 100_000,
]
KIND_TYPES = [
    'application/json; charset="' + "x" * 10_000,
    "application/json;;;==;",
    "application/json; charset=utf-16",
    "APPLICATION/JSON",
    "application/vnd.x+json; a*0*=x''%ff",
]
ENCODINGS = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, identity",
    "identity, gzip",
    "x" * 10_000,
    "\x00",
]

RAW = [
    *(
        Row(f"{name} as a body", 400, "invalid_json", body=data.__bytes__)
        for name, data in NOT_JSON.items()
    ),
    *(
        Row(f"{data[:9]!r} of {len(data)} bytes", 400, "invalid_value", body=data.__bytes__)
        for data in NO_OBJECT
    ),
    *(Row(f"{name} in a body", 200, body=data.__bytes__) for name, data in ODD.items()),
    *(
        Row(f"type {t!a:.40}", 415, "unsupported_media_type", body=GOOD.__bytes__, content_type=t)
        for t in TYPES
    ),
    *(Row(f"kind type {t!a:.40}", 200, body=GOOD.__bytes__, content_type=t) for t in KIND_TYPES),
    *(
        Row(
            f"encoding {name!a:.40}",
            415,
            "unsupported_media_type",
            body=GOOD.__bytes__,
            environ={"HTTP_CONTENT_ENCODING": name},
        )
        for name in ENCODINGS
    ),
    *(
        Row(
            f"{path} of an empty object",
            400,
            "invalid_value",
            param,
            path=path,
            body=b"{}".__bytes__,
        )
        for path, param in ((CHAT, "messages"), (COMPLETIONS, "prompt"), (EMBEDDINGS, "input"))
    ),
    *(
        Row(f"{path} of broken JSON", 400, "invalid_json", path=path, body=b"{\xff".__bytes__)
        for path in (COMPLETIONS, EMBEDDINGS)
    ),
    Row("more than 40 MB", 413, "request_too_large", body=lambda: b" " * (40 * 1024 * 1024 + 1)),
]

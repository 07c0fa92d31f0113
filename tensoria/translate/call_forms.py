"""The forms in which models write a call of a tool as text: one table, `FORMS`.

Seen with qwen2.5, whose calls 0.32.15 leaves as JSON (recording own-tools-stream of that release),
and in the chat templates of Hermes and Qwen (`<tool_call>`), Qwen3-Coder (`<parameter=…>`),
Mistral (`[TOOL_CALLS]`) and Llama 3.1 (`<function=…>`, and `parameters` for `arguments`).
"""

from collections.abc import Callable
from typing import NamedTuple

from tensoria.translate.call_source import Reading, Source
from tensoria.translate.offered import Call, Offered, parsed

Calls = list[Call]
Reader = Callable[[Source, Offered], Reading[Calls | None]]

# Members that a call may have; `type` and `id` say nothing.
_KEYS = ('"name"', '"arguments"', '"parameters"', '"type"', '"id"')
_LANGUAGES = ("json", "JSON", "tool_call", "tool_calls")


def read_calls(source: Source, offered: Offered, *, at_start: bool) -> Reading[Calls | None]:
    """Read calls and white space up to the end of the answer; None for anything else.

    Bare and fenced JSON count only where nothing stands before them (`at_start`).
    """
    openings = [opening for opening, form in FORMS.items() if at_start or form.marked]
    calls: Calls = []
    while True:
        yield from source.blanks()
        if calls and not (yield from source.more()):
            return calls
        opening = yield from source.one_of(openings)
        if opening is None:
            return None
        found = yield from FORMS[opening].read(source, offered)
        if not found:
            return None
        calls += found


def _object(source: Source, offered: Offered) -> Reading[Calls | None]:
    """`{"name": …, "arguments": {…}}` in any order, after its brace."""
    members: dict[str, str] = {}
    follows: str | None = ","
    while follows == ",":
        yield from source.blanks()
        key = yield from source.one_of(_KEYS)
        if key is None or not (yield from _colon(source)):
            return None
        value = yield from _member(source, offered, key)
        if value is None:
            return None
        members["arguments" if key == '"parameters"' else key.strip('"')] = value
        yield from source.blanks()
        follows = yield from source.one_of((",", "}"))
    if follows is None or not {"name", "arguments"} <= members.keys():
        return None
    call = offered.call(parsed(members["name"]), parsed(members["arguments"]))
    return [call] if call else None


def _colon(source: Source) -> Reading[bool]:
    yield from source.blanks()
    found = yield from source.one_of(":")
    yield from source.blanks()
    return found is not None


def _member(source: Source, offered: Offered, key: str) -> Reading[str | None]:
    """A name that is not offered ends the reading at once, before its arguments are read."""
    if key == '"name"':
        return (yield from source.one_of(f'"{name}"' for name in offered.names))
    if key == '"type"':
        return (yield from source.one_of(('"function"',)))
    return (yield from source.value())


def _list(source: Source, offered: Offered) -> Reading[Calls | None]:
    """`[{…}, {…}]` after its bracket."""
    calls: Calls = []
    follows: str | None = ","
    while follows == ",":
        yield from source.blanks()
        if (yield from source.one_of("{")) is None:
            return None
        found = yield from _object(source, offered)
        if not found:
            return None
        calls += found
        yield from source.blanks()
        follows = yield from source.one_of((",", "]"))
    return calls if follows else None


def _fenced(source: Source, offered: Offered) -> Reading[Calls | None]:
    """JSON in a fence, after its backticks."""
    yield from source.one_of(_LANGUAGES)
    calls = yield from _one(source, offered, ("{", "["))
    return calls if (yield from _closed(source, "```")) else None


def _tagged(source: Source, offered: Offered) -> Reading[Calls | None]:
    """After `<tool_call>`: JSON, or Qwen3-Coder's `<function=…>`."""
    calls = yield from _one(source, offered, ("{", "[", "<function="))
    return calls if calls and (yield from _closed(source, "</tool_call>")) else None


def _mistral(source: Source, offered: Offered) -> Reading[Calls | None]:
    """After `[TOOL_CALLS]`: a list, or since Mistral Small 3.2 `NAME[ARGS]{…}`."""
    yield from source.blanks()
    opening = yield from source.one_of(("[", "{", *offered.names))
    if opening is None or opening in "[{":
        return (yield from FORMS[opening].read(source, offered)) if opening else None
    yield from source.one_of(("[ARGS]",))
    arguments = yield from source.value()
    call = offered.call(opening, parsed(arguments or ""))
    return [call] if call else None


def _function(source: Source, offered: Offered) -> Reading[Calls | None]:
    """After `<function=`: `NAME>`, then JSON or blocks of `<parameter=NAME>`."""
    name = yield from source.one_of(f"{name}>" for name in offered.names)
    if name is None:
        return None
    name = name[:-1]
    yield from source.blanks()
    opening = yield from source.one_of(("{", "<parameter=", "</function>"))
    if opening == "{":
        arguments = parsed((yield from source.value("{")) or "")
        closed = yield from _closed(source, "</function>")
    else:
        texts = yield from _parameters(source, opening)
        arguments = None if texts is None else offered.typed(name, texts)
        closed = True
    call = offered.call(name, arguments)
    return [call] if call and closed else None


def _parameters(source: Source, opening: str | None) -> Reading[dict[str, str] | None]:
    """Values stand on lines of their own: one line break on either side is not theirs."""
    texts: dict[str, str] = {}
    while opening == "<parameter=":
        key = yield from source.until(">")
        value = yield from source.until("</parameter>")
        if key is None or value is None:
            return None
        texts[key] = value.removeprefix("\n").removesuffix("\n")
        yield from source.blanks()
        opening = yield from source.one_of(("<parameter=", "</function>"))
    return texts if opening else None


def _one(source: Source, offered: Offered, openings: tuple[str, ...]) -> Reading[Calls | None]:
    yield from source.blanks()
    opening = yield from source.one_of(openings)
    return (yield from FORMS[opening].read(source, offered)) if opening else None


def _closed(source: Source, closing: str) -> Reading[bool]:
    """The end of the answer closes too: for some models the closing tag is the stop token."""
    yield from source.blanks()
    if not (yield from source.more()):
        return True
    return (yield from source.one_of((closing,))) is not None


class Form(NamedTuple):
    """How a call is read after its opening; a `marked` one may follow text."""

    read: Reader
    marked: bool


FORMS: dict[str, Form] = {
    "<tool_call>": Form(_tagged, marked=True),
    "[TOOL_CALLS]": Form(_mistral, marked=True),
    "<function=": Form(_function, marked=True),
    "```": Form(_fenced, marked=False),
    "{": Form(_object, marked=False),
    "[": Form(_list, marked=False),
}

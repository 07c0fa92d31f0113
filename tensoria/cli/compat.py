"""`tensoria compat`: the table of what becomes of each field, as a page of Markdown.

docs/compatibility.md is what it prints.
"""

import argparse

from tensoria.schemas.endpoints import ENDPOINTS
from tensoria.schemas.support import Support, table

_HEAD = """\
# What becomes of each field

This page is printed by `tensoria compat`, from the table that the service itself works by. Ask a
running service for its own engine and model: `GET /v1/compat?model=NAME`.

| word | what it means |
| --- | --- |
| honoured | it reaches the engine as it is meant |
| emulated | the engine cannot do it, and Tensoria does |
| approximated | the engine does something close to it; the note says what |
| ignored | no effect, and named in `X-Tensoria-Ignored`; **bold** where that changes the answer |
| refused | 400 `unsupported_parameter`, naming the field |

Default values and null pass without a word. Fields that are in no table are ignored with notice. In
strict mode (`STRICT=1`, or the header `X-Tensoria-Strict: 1`) these and the bold ones are refused.
"llama.cpp" is the embedded engine and every server of its kind, "OpenAI" any other engine with
`ENGINE=openai`.
"""


def run(_: argparse.Namespace) -> int:
    """Print the page."""
    print(page(), end="")
    return 0


def page() -> str:
    """Return the page, with a table for each endpoint."""
    return _HEAD + "".join(
        f"\n## POST {path}\n\n| field | Ollama | llama.cpp | OpenAI | note |\n"
        "| --- | --- | --- | --- | --- |\n"
        + "".join(_row(name, each) for name, each in sorted(table(schema).items()))
        for path, schema in ENDPOINTS.items()
    )


def _row(name: str, support: Support) -> str:
    levels = (support.ollama, support.llamacpp, support.openai)
    words = [
        f"**{level}**" if level == "ignored" and support.changes else level for level in levels
    ]
    return f"| `{name}` | {' | '.join(words)} | {_note(support)} |\n"


def _note(support: Support) -> str:
    notes = [support.note]
    if support.since:
        notes.append(f"From Ollama {'.'.join(map(str, support.since))} on.")
    if support.needs:
        unless = f", unless `{support.unless}` is sent" if support.unless else ""
        notes.append(f"The model needs the capability `{support.needs}`{unless}.")
    return " ".join(filter(None, notes))

"""Judge one JSON body against one of the kinds of OpenAI's published contract."""

import functools
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

_FILE = Path(__file__).with_name("openai.schema.json")


def check(kind: str, body: object) -> None:
    """Raise AssertionError, naming the place in the body, unless it is a valid `kind`.

    `kind` is a key of `kinds` in openai.schema.json: "chat.response", "chat.chunk", "error", …
    """
    fault = best_match(_validator(kind).iter_errors(body))
    if fault is None:
        return
    raise AssertionError(
        f"not a valid {kind}: {fault.message} at {fault.json_path}\n"
        f"the body was: {json.dumps(body, ensure_ascii=False, default=repr)[:2000]}"
    )


@functools.cache
def _contract() -> dict[str, Any]:
    contract: dict[str, Any] = json.loads(_FILE.read_bytes())
    contract["$defs"] = _nullable(contract["$defs"])
    return contract


@functools.cache
def _validator(kind: str) -> Draft202012Validator:
    contract = _contract()
    root = contract["kinds"][kind]
    return Draft202012Validator({"$ref": f"#/$defs/{root}", "$defs": contract["$defs"]})


def _nullable(schema: Any) -> Any:
    """Allow null for every optional member, as OpenAI's own servers do (README beside the file).

    A schema with members but without a type (`Model`) describes an object, and says so here:
    else a string would pass for one.
    """
    if isinstance(schema, list):
        return [_nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {name: _nullable(part) for name, part in schema.items()}
    members = schema.get("properties")
    if isinstance(members, dict):
        required = schema.get("required", [])
        result.setdefault("type", "object")
        result["properties"] = {
            name: _nullable(part) if name in required else _or_null(part)
            for name, part in members.items()
        }
    return result


def _or_null(schema: Any) -> Any:
    return {"anyOf": [_nullable(schema), {"type": "null"}]}

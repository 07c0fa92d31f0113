"""Tools and answers in a form: schemas that explode, recurse, lead nowhere, or are none."""

from typing import Any

from tests.hostile.rows import CHAT, ORDINARY, UNSUPPORTED, Row, encoded, refused, taken

SCHEMA = "response_format.json_schema.schema"


def nested(levels: int) -> Any:
    found: Any = {}
    for _ in range(levels):
        found = {"not": found}
    return found


def doubling(refer: str) -> dict[str, Any]:
    """Return a schema of thirty definitions of which each names the next one twice."""
    definitions: dict[str, Any] = {
        f"d{n}": {refer: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, "d30": {}}}


def tool(parameters: Any = None, name: Any = "f", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


def form(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"schema": schema, **more}}


def wrong_schema(place: str, *schemas: Any) -> list[Row]:
    return refused(CHAT, f"{SCHEMA}{place}", [form(schema) for schema in schemas])


def forced(*tools: Any) -> list[Row]:
    """Return a row of a call that is forced; the fake answers in words, which is no such call."""
    body = {**ORDINARY[CHAT], "tools": list(tools), "tool_choice": "required"}
    return [
        Row(f"forced {len(tools)} tools", 502, "engine_error", "tool_choice", body=encoded(body))
    ]


ENUM = {
    "properties": {f"p{n}": {"$ref": "#/$defs/e"} for n in range(2000)},
    "$defs": {"e": {"enum": ["x" * 10] * 20_000}},
}
REDOS = {"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
CIRCLE = {"properties": {"a": {"$ref": "#"}, "b": {"allOf": [{"$ref": "#/properties/b"}]}}}
OF_TYPE = "tools[0].type"
OF_FUNCTION = "tools[0].function"
ALLOWED = "tool_choice.allowed_tools"


def allowed(found: Any) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": found}


SCHEMAS = [
    *refused(CHAT, "tools", [5, "x", True, {}, [tool()] * 10_000, [tool(nested(70))]]),
    *refused(CHAT, "tools", [[tool(description="x" * 1_100_000)]]),
    *refused(CHAT, "tools[0]", [[5], [None], ["x"], [[]]]),
    *refused(CHAT, OF_TYPE, [[{}], [{"type": 5}], [{"type": None}], [{"type": []}]]),
    *refused(CHAT, OF_FUNCTION, [[{"type": "function", "function": f}] for f in (None, 5, [])]),
    *refused(CHAT, f"{OF_FUNCTION}.name", [[tool(name=n)] for n in (None, 5, "", " ", "a b", "é")]),
    *refused(
        CHAT, f"{OF_FUNCTION}.name", [[tool(name=n)] for n in ("a\n", "x" * 65, "../a", "\0")]
    ),
    *refused(CHAT, f"{OF_FUNCTION}.parameters", [[tool(p)] for p in (5, "x", [], True)]),
    *refused(CHAT, f"{OF_FUNCTION}.description", [[tool(description=d)] for d in (5, [], {})]),
    *refused(CHAT, "tool_choice", [5, True, [], "", "maybe", "NONE", "required"]),
    *refused(CHAT, "tool_choice.type", [{}, {"type": 5}, {"type": "x"}, {"type": []}]),
    *refused(CHAT, "tool_choice.type", [{"type": "custom"}], UNSUPPORTED),
    *refused(CHAT, "tool_choice.function", [{"type": "function"}], tools=[tool()]),
    *refused(
        CHAT,
        "tool_choice.function.name",
        [
            {"type": "function", "function": {"name": n}}
            for n in (None, 5, "", "absent", "__class__")
        ],
        tools=[tool()],
    ),
    *refused(CHAT, ALLOWED, [allowed(None), allowed(5)], tools=[tool()]),
    *refused(CHAT, f"{ALLOWED}.mode", [allowed({}), allowed({"mode": []})], tools=[tool()]),
    *refused(CHAT, f"{ALLOWED}.tools", [allowed({"mode": "auto", "tools": []})], tools=[tool()]),
    *refused(
        CHAT, f"{ALLOWED}.tools[0]", [allowed({"mode": "auto", "tools": [5]})], tools=[tool()]
    ),
    *taken(
        CHAT,
        tools=[
            [],
            [{"type": "\x00"}],
            [tool(CIRCLE)],
            [tool(REDOS)],
            [tool(ENUM)],
            [tool({"properties": {"a": doubling("anyOf")}})],
            [tool(doubling(refer), f"f{n}") for n, refer in enumerate(["allOf", "oneOf"] * 200)],
            [tool({"$ref": ["#"], "properties": 5, "required": {}, "type": [[]]})],
            [tool({"properties": {"__class__": {"enum": 5}, "": {"anyOf": 5}, "\x00": {}}})],
            [tool({"properties": {"a": {"$ref": "#/" + "a/" * 100_000}}})],
            [tool(nested(55))],
        ],
    ),
    *forced(tool(CIRCLE), tool(REDOS, "g")),
    *forced(*[tool(doubling("allOf"), f"f{n}") for n in range(50)]),
    *refused(CHAT, "response_format", [5, "json_object", True, [], [{}]]),
    *refused(CHAT, "response_format.type", [{}, {"type": 5}, {"type": "json"}, {"type": []}]),
    *refused(CHAT, "response_format.json_schema", [{"type": "json_schema"}]),
    *refused(CHAT, SCHEMA, [form(s) for s in (None, 5, "x", [], True)]),
    *refused(CHAT, "response_format.json_schema.name", [form({}, name=n) for n in (5, "", "a b")]),
    *refused(CHAT, "response_format.json_schema.description", [form({}, description=5)]),
    *refused(CHAT, "response_format.json_schema.strict", [form({}, strict=s) for s in (0, "x")]),
    *wrong_schema("", nested(100), nested(250), {"title": "x" * 200_000}),
    *wrong_schema("", doubling("allOf"), doubling("anyOf"), {"enum": list(range(20_001))}),
    *wrong_schema(".$schema", {"$schema": 5}, {"$schema": "x"}, {"$schema": "x" * 10_000}),
    *wrong_schema(".pattern", {"pattern": "["}, {"pattern": 5}, {"pattern": "(?=a)"}),
    *wrong_schema(".pattern", {"pattern": "(a)\\1"}, {"pattern": "((a{100}){100}){100}"}),
    *wrong_schema(".patternProperties.(", {"patternProperties": {"(": {}}}),
    *wrong_schema(".type", {"type": 5}, {"type": "x"}, {"type": []}, {"type": {}}),
    *wrong_schema(".properties", {"properties": []}, {"properties": 5}),
    *wrong_schema(".properties.a", {"properties": {"a": 5}}),
    *wrong_schema(".required", {"required": "a"}),
    *wrong_schema(".required[0]", {"required": [1]}),
    *wrong_schema(".multipleOf", {"multipleOf": 0}, {"multipleOf": -1}),
    *wrong_schema(".minLength", {"minLength": -1}, {"minLength": "x"}),
    *wrong_schema(".$defs", {"$defs": 5}),
    *wrong_schema(".$ref", {"$ref": []}, {"$ref": "#/nowhere"}, {"$ref": "#/\x00"}),
    *wrong_schema(".$ref", {"anyOf": [{}], "$ref": "#/anyOf/" + "1" * 5000}),
]

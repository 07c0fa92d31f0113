"""Addresses inside requests: nothing is fetched, wherever they stand."""

from tests.hostile.messages import PART, image, part, user
from tests.hostile.rows import CHAT, COMPLETIONS, EMBEDDINGS, PORT, UNSUPPORTED, Row, refused, taken
from tests.hostile.schemas import SCHEMA, form, tool

HERE = f"http://127.0.0.1:{PORT}/x.png"
ADDRESSES = [
    HERE,
    f"https://127.0.0.1:{PORT}/x.png",
    f"HTTP://LOCALHOST:{PORT}/",
    f"http://[::1]:{PORT}/",
    f"http://[::ffff:127.0.0.1]:{PORT}/",
    f"http://0.0.0.0:{PORT}/",
    f"http://0:{PORT}/",
    f"http://2130706433:{PORT}/",
    f"http://0x7f.1:{PORT}/",
    f"http://127.1:{PORT}/#data:image/png;base64,AAAA",
    f"http://user:pass@127.0.0.1:{PORT}/",
    f"http://example.org@127.0.0.1:{PORT}/",
    f"//127.0.0.1:{PORT}/x.png",
    f"ftp://127.0.0.1:{PORT}/x",
    f"gopher://127.0.0.1:{PORT}/_GET%20/",
    f"dict://127.0.0.1:{PORT}/info",
    f"ldap://127.0.0.1:{PORT}/a",
    f"jar:http://127.0.0.1:{PORT}/!/x",
    f"url:http://127.0.0.1:{PORT}/",
    f"blob:http://127.0.0.1:{PORT}/x",
    "file:///etc/passwd",
    "file://localhost/proc/self/environ",
    "/etc/passwd",
    "../../.env",
    "\\\\127.0.0.1\\share\\x.png",
    "javascript:alert(1)",
    "about:blank",
    "http://",
    "http://[",
    f" \n{HERE}",
]

IN_WORDS = [
    *taken(CHAT, messages=[user(f"Fetch {HERE}"), user([{"type": "text", "text": HERE}])]),
    *taken(
        CHAT, tools=[[tool({"properties": {"a": {"$ref": HERE}}}), {"type": "mcp", "url": HERE}]]
    ),
    *taken(CHAT, tools=[[tool({"$schema": HERE, "$id": HERE, "$ref": f"{HERE}#/x"})]]),
    *taken(CHAT, metadata=[{"url": HERE}], web_search_options=[{"url": HERE}], base_url=[HERE]),
    *taken(CHAT, user=[HERE], stop=[HERE], api_base=[HERE], webhook=[HERE], proxy=[HERE]),
    *taken(COMPLETIONS, prompt=[HERE, [HERE]], suffix=[HERE]),
    *taken(EMBEDDINGS, input=[HERE, [HERE]]),
]

INSIDE = [
    *refused(CHAT, f"{PART}.image_url.url", [image(url) for url in ADDRESSES]),
    *refused(CHAT, f"{PART}.image_url", [part(type="input_image", image_url=HERE)]),
    *refused(CHAT, f"{PART}.type", [part(type="file", file={"url": HERE})], UNSUPPORTED),
    *refused(CHAT, f"{PART}.type", [part(type="input_file", file_url=HERE)], UNSUPPORTED),
    *refused(CHAT, f"{PART}.type", [part(type="image", source={"url": HERE})]),
    *refused(CHAT, f"{SCHEMA}.$ref", [form({"$ref": f"{url}#/a"}) for url in ADDRESSES[:3]]),
    *refused(CHAT, f"{SCHEMA}.$dynamicRef", [form({"$dynamicRef": HERE})]),
    *refused(CHAT, f"{SCHEMA}.$schema", [form({"$schema": HERE})]),
    *refused(CHAT, f"{SCHEMA}.items.$id", [form({"items": {"$id": HERE}})]),
    *refused(CHAT, f"{SCHEMA}.$ref", [form({"$id": HERE, "$ref": "y"})]),
]

_IN_HEADERS = (
    "HTTP_ORIGIN",
    "HTTP_REFERER",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_PROXY",
    "HTTP_FORWARDED",
)
IN_HEADERS = [
    Row(f"{name} is an address", 200, method="GET", path="/v1/models", environ={name: HERE})
    for name in _IN_HEADERS
]
IN_HEADERS += [
    Row(
        "Host is an address",
        200,
        method="GET",
        path="/",
        environ={"HTTP_HOST": f"127.0.0.1:{PORT}"},
    ),
    Row("a query is an address", 200, method="GET", path=f"/v1/models?url={HERE}"),
    Row("a model in a query", 404, "model_not_found", "model", "GET", f"/v1/compat?model={HERE}"),
    Row("a model in a path", 404, "model_not_found", "model", "GET", f"/v1/models/{HERE}"),
    Row("a proxied path", 404, "not_found", None, "GET", f"/{HERE}"),
]

ADDRESS_ROWS = [*INSIDE, *IN_WORDS, *IN_HEADERS]

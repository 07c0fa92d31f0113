"""Paths, methods, headers and names of models."""

from tests.hostile.rows import CHAT, COMPLETIONS, EMBEDDINGS, ORDINARY, PORT, Row, encoded

LONG = "x" * 100_000
NOWHERE = [
    "/v1/",
    "/v1/nowhere",
    "/v1/chat",
    "/v1/chat/completions/x",
    "/v1/chat/completions%00",
    "/v1/chat/completions;x=1",
    "/v1/chat%2fcompletions%2f..",
    "/v1/../v1/chat/completions",
    "/v1/chat/../../health",
    "/v1/./models",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%5c..%5cwindows",
    "/.env",
    "/.git/config",
    "/static/../../app.py",
    "/V1/MODELS",
    "/v1\\models",
    "/v1/models%20",
    "/%ff%fe",
    "/%c0%ae%c0%ae/",
    "/%00",
    "/%0d%0aX-Injected:%201",
    "/\u202e",
    "/v1/files/" + "a" * 50_000,
    "/" + "a/" * 20_000,
    "/api/delete",
    "/{{7*7}}",
    "/$%7Bjndi:ldap://127.0.0.1:" + PORT + "/a%7D",
    "/%25%25%25",
    "/?" + LONG,
]
# "/?…" is the index with a long query.
ODD_PATHS = [
    Row(f"path {path!a:.60}", 404, "not_found", method="GET", path=path) for path in NOWHERE[:-1]
]
MODELS = [
    "absent",
    " ",
    "\x00",
    "\n",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\x",
    "%00",
    "%2e%2e%2f",
    "a/b/c/d/e/f",
    ":",
    "::::",
    "smollm2:135m\x00",
    "smollm2:135m;x",
    "smollm2:135m/",
    "smollm2\uff1a135m",
    "\u202esmollm2:135m",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "{{7*7}}",
    "${jndi:ldap://127.0.0.1:" + PORT + "/a}",
    "'; DROP TABLE models; --",
    "<script>alert(1)</script>",
    "$(touch x)",
    "`id`",
    "__class__",
    "http://127.0.0.1:" + PORT + "/v1",
    "file:///etc/passwd",
    "x" * 1000,
    "a:b" * 300,
]
CLOUD = ["x:cloud", "gpt-oss:120b-cloud", "X:CLOUD ", "a/b:cloud"]


def with_model(path: str, name: str, status: int, code: str | None = None) -> Row:
    return Row(
        f"{path} of the model {name!a:.60}",
        status,
        code,
        "model" if code else None,
        path=path,
        body=encoded({**ORDINARY[path], "model": name}),
    )


METHODS = [
    (method, path)
    for path in (CHAT, COMPLETIONS, EMBEDDINGS)
    for method in ("GET", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "X" * 1000)
] + [
    ("POST", path)
    for path in ("/v1/models", "/v1/models/x", "/v1/compat", "/health", "/ready", "/")
]

HEADERS = {
    "HTTP_X_REQUEST_ID": ["", " ", "a b", "\x00", "é", "a\nb", "x" * 129, LONG, "<script>", "{}"],
    "HTTP_X_TENSORIA_VERBOSE": [LONG, "\x00", "0", "true"],
    "HTTP_X_TENSORIA_STRICT": [LONG, "\xff", "0 "],
    "HTTP_X_TENSORIA_NOWHERE": [LONG],
    "HTTP_ACCEPT": ["", "*/*;q=x", "text/html", ";;;,,,q=", "a" * 50_000, "\x00"],
    "HTTP_AUTHORIZATION": ["", "Bearer", "Bearer ", "Basic x", "Bearer \xff\xfe", "Digest " + LONG],
    "HTTP_X_API_KEY": ["\x00", LONG, "\xe9"],
    "HTTP_COOKIE": ["a=b; " * 20_000, "\x00", "=;=;"],
    "HTTP_RANGE": ["bytes=0-0", "bytes=-999999999999999999999"],
    "HTTP_IF_NONE_MATCH": ["*", '"x"'],
    "HTTP_X_HTTP_METHOD_OVERRIDE": ["DELETE"],
    "HTTP_X_FORWARDED_FOR": ["127.0.0.1", "x" * 10_000, "'; --"],
    "HTTP_ACCEPT_ENCODING": ["gzip;q=nan", "x" * 10_000],
    "HTTP_ACCEPT_LANGUAGE": ["../../etc/passwd"],
    "HTTP_USER_AGENT": ["${jndi:ldap://127.0.0.1:" + PORT + "/a}", "() { :; }; true"],
    "HTTP_HOST": ["", "a b", "[::1", "x:y:z", "é"],
    "QUERY_STRING": ["x" * 100_000, "%ff=%zz&&&===", "stream=true&model=x", "a[]=1&__proto__=2"],
}

NAMES = [
    *ODD_PATHS,
    Row(
        "a host whose name is too long",
        400,
        "invalid_request",
        body=encoded(ORDINARY[CHAT]),
        environ={"HTTP_HOST": "a" * 10_000},
    ),
    Row("a query of kilobytes", 200, method="GET", path=NOWHERE[-1]),
    *(with_model(CHAT, name, 404, "model_not_found") for name in MODELS),
    *(with_model(COMPLETIONS, name, 404, "model_not_found") for name in MODELS[:4]),
    *(with_model(EMBEDDINGS, name, 404, "model_not_found") for name in MODELS[:4]),
    *(with_model(CHAT, name, 400, "model_not_allowed") for name in CLOUD),
    with_model(CHAT, "\n SMOLLM2:135m" + " " * 500, 200),
    *(
        Row(f"GET {path!a:.60}", 404, "model_not_found", "model", "GET", path)
        for path in (
            "/v1/models/absent",
            "/v1/models/%00",
            "/v1/models/..%2f..%2fetc%2fpasswd",
            "/v1/models/../health",
            "/v1/models/%ff",
            "/v1/models/" + "x" * 50_000,
            "/v1/compat?model=absent",
            "/v1/compat?model=%00%ff",
            "/v1/compat?model=" + "x" * 50_000,
        )
    ),
    *(
        Row(f"{method:.20} {path}", 405, "method_not_allowed", method=method, path=path)
        for method, path in METHODS
    ),
    *(
        Row(f"{name} {value!a:.40}", 200, body=encoded(ORDINARY[CHAT]), environ={name: value})
        for name, values in HEADERS.items()
        for value in values
    ),
]

"""Browsers: which pages may call us, and the preflight that they send first.

Source: fetch.spec.whatwg.org, section 3.3. Header names are listed one by one, because `*` does not
cover Authorization.
"""

from flask import Response, request

_ALLOWED = frozenset({"authorization", "x-api-key", "content-type", "x-request-id"})
# openai's SDKs tell their version, runtime and retries in headers of this family; its Node and
# browser builds add a few more with every release, hence a prefix and not a list.
_ALLOWED_PREFIXES = ("x-stainless-", "x-tensoria-", "openai-", "anthropic-")
_RATELIMIT = ("limit", "remaining", "reset")
_EXPOSED = ", ".join(
    (
        "X-Request-ID",
        "request-id",
        "Retry-After",
        "X-Should-Retry",
        "X-Tensoria-Ignored",
        "X-Tensoria-Adjusted",
        "X-Tensoria-Estimated",
        "Server-Timing",
        "X-Queue-Position",
        "X-Queue-Wait-Ms",
        *(f"x-ratelimit-{what}-{of}" for of in ("requests", "tokens") for what in _RATELIMIT),
    )
)
_METHODS = "GET, POST, DELETE, OPTIONS"
_PREFLIGHT_SECONDS = "600"


class Cors:
    """The rule for the origins of CORS_ORIGINS; with none, no answer carries any CORS header."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins

    def preflight(self) -> Response | None:
        """Answer a preflight from a page of ours: the only answer but /health without a key."""
        if request.method != "OPTIONS" or not self._allowed_origin():
            return None
        if "Access-Control-Request-Method" not in request.headers:
            return None
        response = Response(status=204)
        headers = response.headers
        headers["Access-Control-Allow-Methods"] = _METHODS
        headers["Access-Control-Allow-Headers"] = ", ".join(_asked_and_allowed())
        headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
        if request.headers.get("Access-Control-Request-Private-Network") == "true":
            headers["Access-Control-Allow-Private-Network"] = "true"
        return response

    def mark(self, response: Response) -> None:
        """Let the page of the current request read the answer, errors included."""
        if not self._origins:
            return
        response.headers.add("Vary", "Origin")
        origin = self._allowed_origin()
        if origin:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED

    def _allowed_origin(self) -> str | None:
        if not self._origins:
            return None
        origin = request.headers.get("Origin")
        allowed = origin in self._origins or "*" in self._origins
        return origin if origin and allowed else None


def _asked_and_allowed() -> list[str]:
    asked = request.headers.get("Access-Control-Request-Headers", "")
    names = [name.strip().lower() for name in asked.split(",")]
    return [name for name in names if name in _ALLOWED or name.startswith(_ALLOWED_PREFIXES)]

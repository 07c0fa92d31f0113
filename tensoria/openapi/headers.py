"""The headers that this service adds to OpenAI's API, on requests and on answers."""

from typing import Any

OF_REQUESTS: list[dict[str, Any]] = [
    {"name": name, "in": "header", "description": said, "schema": {"type": "string"}}
    for name, said in (
        (
            "X-Tensoria-Strict",
            "1: a field that would be ignored and changes the answer is a 400 (as STRICT=1).",
        ),
        (
            "X-Tensoria-Explain",
            "1: show the request that would go to the engine, without running it.",
        ),
        (
            "X-Tensoria-Verbose",
            "1: add a member `tensoria` to the answer: what was ignored or adjusted, and times.",
        ),
        (
            "X-Request-ID",
            "Names the request, in the answer and in the log: letters, digits and `._:-`.",
        ),
    )
]
_RATE_LIMITS = (
    (f"x-ratelimit-{what}-{of}", f"For a key with limits a minute: {said} {of}.")
    for of in ("requests", "tokens")
    for what, said in (
        ("limit", "the number of"),
        ("remaining", "how many are left of"),
        ("reset", "when all are free again of"),
    )
)
OF_ANSWERS: dict[str, Any] = {
    name: {"description": said, "schema": {"type": "string"}}
    for name, said in (
        *_RATE_LIMITS,
        ("X-Request-ID", "The request's name."),
        ("X-Tensoria-Ignored", "Fields that had no effect."),
        ("X-Tensoria-Estimated", "What was estimated, as the engine could not count it."),
        ("X-Tensoria-Adjusted", "What was changed: `max_tokens=8192`, `context=truncated`."),
        ("X-Queue-Position", "Which one a request that waited was to run when it came."),
        ("X-Queue-Wait-Ms", "How long it waited."),
        ("Server-Timing", "The times that are known when the headers leave."),
    )
}

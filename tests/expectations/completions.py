"""Answers and errors of /api/generate. The model is small and its texts are silly, but exact."""

from tests.expectations.shapes import A, Answer, B, ByRelease, C, Completed, Refused, everywhere

_CANVAS = Completed(Answer(" a canvas of endless possibilities, where every", "length", 3, 8))
_CANVAS_OF_096 = Completed(Answer(" a canvas of colors, with hues that", "length", 3, 8))

EXPECTED: dict[str, ByRelease] = {
    "generate-raw-stream": {A: _CANVAS_OF_096, B: _CANVAS, C: _CANVAS},
    "generate-raw-plain": {A: _CANVAS_OF_096, B: _CANVAS, C: _CANVAS},
    # 23 tokens of prompt in place of 3: the chat template.
    "generate-templated": {
        A: Completed(Answer('In English, the phrase "the sky', "length", 23, 8)),
        B: Completed(Answer("This phrase can be interpreted in various ways", "length", 23, 8)),
        C: Completed(Answer("The sky is a metaphorical expression that refers", "length", 23, 8)),
    },
    # done_reason "load", although there was a prompt: "stop" with no text would be a lie.
    "generate-empty-prompt": everywhere(Completed(Refused(502, "engine_error"))),
    # 0.9.6 cuts the prompt whatever `truncate` says: 4096 tokens of it are left.
    "generate-overflow-refused": {
        A: Completed(Answer(" word3498 word3499 word349a12word349b12", "length", 4096, 24)),
        B: Completed(
            Refused(
                400,
                "context_length_exceeded",
                "prompt",
                says=("maximum context length is 4096 tokens",),
            )
        ),
        C: Completed(
            Refused(
                400,
                "context_length_exceeded",
                "prompt",
                says=("maximum context length is 4096 tokens", "resulted in 16390 tokens"),
            )
        ),
    },
    # registry.ollama.ai/library/smollm2:135m does not support insert
    "generate-suffix-unsupported": everywhere(
        Completed(
            Refused(400, "unsupported_parameter", "suffix", says=("does not support insert",))
        )
    ),
    # raw mode does not support template, system, or context: the gateway never sends them
    "generate-raw-template": everywhere(
        Completed(Refused(400, "unsupported_parameter", says=("does not support",)))
    ),
}

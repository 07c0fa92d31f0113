"""Answers of /api/embed. The model was all-minilm, trained on 512 tokens, 384 numbers a vector."""

from tests.expectations.shapes import A, B, ByRelease, C, Embedded, NotEmbedded, Refused, everywhere

# The first two numbers of the vector for "hello", and for "world".
_HELLO = {
    A: (-0.062705934, 0.05490234),
    B: (-0.062694795, 0.054901198),
    C: (-0.06277797, 0.054933336),
}
_WORLD = {
    A: (-0.030263396, 0.031589776),
    B: (-0.03025582, 0.031587146),
    C: (-0.03023446, 0.03156692),
}
# 0.9.6 does not count the two tokens that stand around each text.
_TOKENS_OF_A_WORD = {A: 1, B: 3, C: 3}

# 0.9.6: input length exceeds maximum context length; then: the input length exceeds the context
# length. No release tells a number with it; 512 is what the engine says of the model elsewhere.
_TOO_LONG = NotEmbedded(
    Refused(
        400,
        "context_length_exceeded",
        "input",
        says=("This model's maximum context length is", "your input resulted in more tokens"),
    )
)
_TOO_LONG_FOR_512 = NotEmbedded(
    Refused(
        400,
        "context_length_exceeded",
        "input",
        says=("maximum context length is 512 tokens", "your input resulted in more tokens"),
    )
)
# "embeddings": [], which the client would take for its answer
_NOTHING = NotEmbedded(Refused(502, "engine_error"))

EXPECTED: dict[str, ByRelease] = {
    "embed-one": {
        release: Embedded(("hello",), (_HELLO[release],), 384, tokens)
        for release, tokens in _TOKENS_OF_A_WORD.items()
    },
    "embed-list": {
        release: Embedded(("hello", "world"), (_HELLO[release], _WORLD[release]), 384, 2 * tokens)
        for release, tokens in _TOKENS_OF_A_WORD.items()
    },
    # 0.9.6 ignores `dimensions`: what it sent, cut to eight and normalised.
    "embed-dimensions": {
        A: Embedded(("hello",), ((-0.33775002, 0.29571789),), 8, 1, dimensions=8),
        B: Embedded(("hello",), ((-0.33769453, 0.2957157),), 8, 3, dimensions=8),
        C: Embedded(("hello",), ((-0.338129, 0.29587692),), 8, 3, dimensions=8),
    },
    "embed-empty": everywhere(_NOTHING),
    "embed-empty-list": everywhere(_NOTHING),
    # invalid input type
    "embed-tokens": everywhere(NotEmbedded(Refused(400, "invalid_request"))),
    "embed-too-long": {A: _TOO_LONG, B: _TOO_LONG_FOR_512, C: _TOO_LONG_FOR_512},
    # What Ollama does without `truncate: false`, which the gateway always sends: 512 tokens of the
    # text are left.
    "embed-too-long-cut": {
        A: Embedded(("word " * 600,), ((-0.04142223, -0.09363821),), 384, 512),
        B: Embedded(("word " * 600,), ((-0.041423127, -0.09363831),), 384, 512),
        C: Embedded(("word " * 600,), ((-0.041409954, -0.09364704),), 384, 512),
    },
    # Before 0.30 a chat model gives vectors too, of its own 576 numbers. Then 501: This server does
    # not support embeddings. Start it with `--embeddings`
    "embed-chat-model": {
        A: Embedded(("hello",), ((-0.012757875, -0.018819492),), 576, 1),
        B: Embedded(("hello",), ((-0.012757875, -0.018819492),), 576, 1),
        C: NotEmbedded(
            Refused(400, "unsupported_parameter", "model", says=("does not support embeddings",))
        ),
    },
    # model "nope" not found, try pulling it first
    "embed-missing-model": everywhere(NotEmbedded(Refused(404, "model_not_found", "model"))),
}

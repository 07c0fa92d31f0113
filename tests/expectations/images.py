"""An image for a model that cannot see. Ollama before 0.30 answers as if there were none.

The gateway refuses the image before it asks, where the engine tells what a model can do.
"""

from tests.expectations.shapes import A, Answer, B, ByRelease, C, Refused

_FILM = Answer(
    'The "It" in the title of a movie refers to the film itself, not a specific character or plot '
    "device.",
    "length",
    29,
    24,
)
_CANNOT_SEE = Refused(400, "unsupported_parameter", "messages", says=("does not support images",))

EXPECTED: dict[str, ByRelease] = {
    # 0.32.15: 400, JSON inside the string: "Multimodal data provided, but model does not support
    # multimodal requests."
    "chat-image-text-model": {A: _FILM, B: _FILM, C: _CANNOT_SEE},
    # 0.32.15: 500, JSON inside the string: "image input is not supported - hint: if this is
    # unexpected, you may need to provide the mmproj"
    "own-image": {
        A: Answer(
            'The "S" in the code refers to a special character used by some programming '
            "languages, specifically for displaying text. In",
            "length",
            18,
            24,
        ),
        B: Answer(
            'The "S" in the code refers to a special character used by the Python interpreter. '
            "It's called the `#",
            "length",
            18,
            24,
        ),
        C: _CANNOT_SEE,
    },
}

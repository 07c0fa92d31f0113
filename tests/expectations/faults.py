"""Processes that were killed (SIGKILL), ended (SIGTERM) or stopped (SIGSTOP) in mid-answer."""

from tests.expectations.shapes import A, Answer, B, Broken, ByRelease, C, Refused, everywhere

# The five chunks that came before. Go's runner and llama-server chose different fifth words.
_SO_FAR = {A: "The sea is a vast", B: "The sea is a vast", C: "The sea is a timeless"}
_LOST = {release: Broken(text, 502, "engine_error") for release, text in _SO_FAR.items()}
_FROZEN = {release: Broken(text, 504, "timeout") for release, text in _SO_FAR.items()}

EXPECTED: dict[str, ByRelease] = {
    # an error line after five: an error was encountered while running the model: unexpected EOF
    "fault-runner-killed-streaming": _LOST,
    # the same text as a 500
    "fault-runner-killed-plain": everywhere(Refused(502, "engine_error")),
    # five lines, then the end of the connection without the closing chunk
    "fault-server-killed": _LOST,
    "fault-server-terminated": _LOST,
    # five lines, then nothing, for as long as anybody waits
    "fault-runner-frozen": _FROZEN,
    # the engine starts its runner anew
    "after-runner-killed": everywhere(Answer("The sea is", "length", 29, 3)),
}

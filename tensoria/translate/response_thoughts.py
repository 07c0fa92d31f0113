"""Thoughts as `encrypted_content`: OpenAI's clients carry them from turn to turn without a look.

A local engine's thoughts are no secret, so they are only wrapped; what another engine wrapped
stays closed.
"""

from base64 import b64decode, b64encode
from binascii import Error

_MARK = "tensoria-thought-1."


def seal(thought: str) -> str:
    """Return a thought as the text that `unseal` reads back."""
    return _MARK + b64encode(thought.encode()).decode()


def unseal(sealed: str) -> str | None:
    """Return the thought of `seal`; None for what is none of ours."""
    if not sealed.startswith(_MARK):
        return None
    try:
        return b64decode(sealed[len(_MARK) :], validate=True).decode()
    except (Error, UnicodeDecodeError):
        return None

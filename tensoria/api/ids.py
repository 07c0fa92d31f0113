"""Ids of requests and answers: unique, and no secret."""

import random

# Asking the kernel for entropy costs more than anything else in making an id. Seeded once in each
# worker's own process, because the app is loaded there.
_random = random.Random()  # noqa: S311  # an id admits to nothing


def new_id(prefix: str) -> str:
    """Return `prefix` and 28 hexadecimal digits."""
    return f"{prefix}{_random.getrandbits(112):028x}"

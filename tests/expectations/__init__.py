"""What the gateway must make of each recording, judged and written down by a person.

Nothing here was made by running Tensoria. A recording without an expectation fails the suite, and
so does an expectation without a recording.

| module | recordings of |
| --- | --- |
| `answers` | chats that end well |
| `refusals` | errors of /api/chat, and paths that are not there |
| `faults` | processes that were killed or stopped |
| `embeddings` | /api/embed |
| `about` | what an engine says of itself: version, models, what is loaded |
| `completions` | answers and errors of /api/generate |
| `forced` | answers under the schema of a forced call |
| `reasoning` | chats with a model that thinks |
| `images` | an image for a model that cannot see |
| `tools` | chats with tools |
| `formats` | chats that were asked for JSON |
| `logprobs` | answers with log probabilities, of either |
"""

import pytest

from tests.expectations import (
    about,
    answers,
    completions,
    embeddings,
    faults,
    forced,
    formats,
    images,
    logprobs,
    reasoning,
    refusals,
    tools,
)
from tests.expectations.shapes import (
    Answer,
    Broken,
    Called,
    Completed,
    Context,
    Embedded,
    Expectation,
    Forced,
    Formed,
    Judged,
    ModelList,
    NotAsked,
    NotEmbedded,
    Ready,
    Refused,
    Thought,
    Told,
)

# Before anybody imports it, so that a failing check shows its values.
pytest.register_assert_rewrite("tests.expectations.checks")

EXPECTATIONS: dict[tuple[str, str], Expectation] = {
    (release, name): expectation
    for room in (
        about,
        answers,
        completions,
        embeddings,
        faults,
        forced,
        formats,
        images,
        logprobs,
        reasoning,
        refusals,
        tools,
    )
    for name, by_release in room.EXPECTED.items()
    for release, expectation in by_release.items()
}

__all__ = [
    "EXPECTATIONS",
    "Answer",
    "Broken",
    "Called",
    "Completed",
    "Context",
    "Embedded",
    "Expectation",
    "Forced",
    "Formed",
    "Judged",
    "ModelList",
    "NotAsked",
    "NotEmbedded",
    "Ready",
    "Refused",
    "Thought",
    "Told",
]

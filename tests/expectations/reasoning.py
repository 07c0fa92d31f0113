"""Chats with a model that thinks: `smol-think:135m`, which claims it and never says a word.

0.9.6 knows thoughts only between tags, and this model writes none: its text is the answer.
"""

from tests.expectations.shapes import A, Answer, B, ByRelease, C, Refused, Thought, Told, everywhere

_SUM = (
    "The answer to this classic math problem involves a simple yet elegant concept. In "
    "mathematics, the sum of two numbers can be represented as a sum of their arithmetic "
    "progression (AAPB where A and"
)
_CALCULUS = (
    "The answer to this classic math problem lies in the realm of calculus and probability "
    "theory. In fact, it's a fundamental"
)
_FOUR = "The answer is 4."

EXPECTED: dict[str, ByRelease] = {
    "think-stream": {
        A: Thought(
            "",
            Answer(
                "\nThe\nThe answer to this question lies in the realm of mathematics, specifically "
                "in the context of arithmetic and number theory. In essence, it involves "
                "understanding how addition works within a mathematical framework that relies on "
                "integers",
                "length",
                20,
                40,
            ),
            think=True,
        ),
        B: Thought(_SUM, Answer("", "length", 20, 40), think=True),
        C: Thought(_FOUR, Answer("", "stop", 20, 8), think=True),
    },
    # From 0.12.4 on a model that can think does, if nobody says a word about it.
    "think-default-plain": {
        A: Thought(
            "",
            Answer(
                f"{_CALCULUS} concept that has been extensively explored by mathematicians across "
                "various disciplines. The answer lies at",
                "length",
                16,
                40,
            ),
        ),
        B: Thought(_SUM, Answer("", "length", 20, 40)),
        C: Thought(_FOUR, Answer("", "stop", 20, 8)),
    },
    "think-off-plain": {
        A: Thought("", Answer(_CALCULUS, "length", 16, 24), think=False),
        B: Thought("", Answer(_CALCULUS, "length", 16, 24), think=False),
        C: Thought("", Answer("The answer is: 4", "stop", 16, 7), think=False),
    },
    "think-level": {
        # json: cannot unmarshal string into Go struct field ChatRequest.think of type bool. The
        # gateway sends that release true and false alone.
        A: Refused(400, "invalid_request"),
        B: Thought(
            "The answer to this classic math problem involves a simple yet elegant concept. In "
            "mathematics, the sum of two numbers can",
            Answer("", "length", 20, 24),
            think="low",
        ),
        C: Thought(_FOUR, Answer("", "stop", 20, 8), think="low"),
    },
    # capabilities: completion and thinking; `parameters` holds a stop string and no temperature.
    "show-thinking": everywhere(
        Told(
            Answer("Hello", "stop", 27, 8),
            temperature=0.7,
            trained=8192,
            capabilities=("completion", "thinking"),
        )
    ),
}

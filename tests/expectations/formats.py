"""Chats that were asked for JSON. Small models: the form is right, and the rest is not."""

from tests.expectations.shapes import A, Answer, B, ByRelease, C, Formed

# Before 0.30 the grammar lets a model write blanks after the last brace.
_PORTO = '{\n    "zip": ""\n\n,"city": "Porto"\n\n,"age": 28}\n\n   \t    \t \t \t \t \t \t '
_NEW_YORK = (
    '{\n    "city": {\n        "name": "New York",\n        "population": 2,\n'
    '        "capital": "New York"\n    }\n}'
)
# 0.24.0 ran into the limit in the middle of a string: passed on as what it is, and not checked.
_CUT = (
    '{\n  "zip": ", 12, 8}   # Maria\'s age is 34 years old, so she can\'t live in the same place '
    "as a 5-year-old child. She must be 6 feet tall or taller to fit into the 70 foot height range "
    "for a 9 year old. So, she has to be at least "
)

EXPECTED: dict[str, ByRelease] = {
    "chat-format-json": {
        A: Formed(Answer(_NEW_YORK, "stop", 29, 34)),
        B: Formed(Answer(_NEW_YORK, "stop", 29, 34)),
        C: Formed(Answer('{\n    "city": "New York"\n}', "stop", 29, 12)),
    },
    "chat-format-schema": {
        A: Formed(Answer(_PORTO, "stop", 38, 45)),
        B: Formed(Answer(_PORTO, "stop", 38, 45)),
        C: Formed(
            Answer('{\n    "zip": "",\n    "city": "Porto",\n    "age": 34\n}', "stop", 38, 26)
        ),
    },
    "own-format-schema": {
        A: Formed(
            Answer('{\n  "zip": ", 12,"\n    ,"city":"Porto","age":65}\n\n  ', "stop", 27, 28)
        ),
        B: Formed(Answer(_CUT, "length", 27, 80)),
        # Its template is rendered by the engine itself: the schema went through a Go map, and its
        # properties come in alphabetical order.
        C: Formed(
            Answer('{\n  "age": 34,\n  "city": "Porto",\n  "zip": "4000, 4000"\n}', "stop", 48, 47)
        ),
    },
}

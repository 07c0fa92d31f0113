"""Answers with log probabilities, which Ollama tells from 0.12.11 on. 0.9.6 would ignore them."""

from tests.expectations.shapes import A, Answer, B, ByRelease, C, Judged, Refused

_TOO_OLD = Refused(400, "unsupported_parameter", "logprobs", says=("needs Ollama 0.12.11",))
_CHAT = {"logprobs": True}
_CHAT_TOP = {"logprobs": True, "top_logprobs": 2}
_TEXT_TOP = {"logprobs": 3}
_HELLO = Answer("Hello there, welcome", "length", 23, 4)
_CANVAS = Answer(" a canvas", "length", 3, 2)

EXPECTED: dict[str, ByRelease] = {
    "chat-logprobs-plain": {
        A: Judged(_CHAT, _TOO_OLD),
        B: Judged(
            _CHAT,
            Answer("Hello there,", "length", 23, 3),
            (
                ("Hello", -1.7461096048355103, {}),
                (" there", -0.8142752647399902, {}),
                (",", -0.6775833368301392, {}),
            ),
        ),
        C: Judged(
            _CHAT,
            Answer("Hello there,", "length", 23, 3),
            (
                ("Hello", -1.5658433437347412, {}),
                (" there", -0.8091270923614502, {}),
                (",", -0.5727211833000183, {}),
            ),
        ),
    },
    "chat-logprobs-stream": {
        A: Judged(_CHAT_TOP, _TOO_OLD),
        B: Judged(
            _CHAT_TOP,
            _HELLO,
            (
                (
                    "Hello",
                    -1.7461096048355103,
                    {"Hello": -1.7461096048355103, "I": -2.4250664710998535},
                ),
                (
                    " there",
                    -0.8142752647399902,
                    {" there": -0.8142752647399902, "!": -0.9636130332946777},
                ),
                (",", -0.6775833368301392, {",": -0.6775833368301392, "!": -0.968783974647522}),
                (
                    " welcome",
                    -0.8420295715332031,
                    {" welcome": -0.8420295715332031, " hello": -1.3893671035766602},
                ),
            ),
        ),
        C: Judged(
            _CHAT_TOP,
            _HELLO,
            (
                (
                    "Hello",
                    -1.5658435821533203,
                    {"Hello": -1.5658435821533203, "I": -2.348421096801758},
                ),
                (
                    " there",
                    -0.8091264367103577,
                    {" there": -0.8091264367103577, "!": -0.9789348840713501},
                ),
                (",", -0.5727211833000183, {",": -0.5727211833000183, "!": -1.1128078699111938}),
                (
                    " welcome",
                    -1.0078595876693726,
                    {" welcome": -1.0078595876693726, " hello": -1.3895000219345093},
                ),
            ),
        ),
    },
    # The same model with a template of its own.
    "own-logprobs": {
        A: Judged(_CHAT_TOP, _TOO_OLD),
        B: Judged(
            _CHAT_TOP,
            Answer("Hello there, welcome", "length", 12, 4),
            (
                (
                    "Hello",
                    -1.8654277324676514,
                    {"Hello": -1.8654277324676514, "I": -2.1408069133758545},
                ),
                (
                    " there",
                    -0.8454527258872986,
                    {" there": -0.8454527258872986, ",": -1.4614205360412598},
                ),
                # The likeliest was not chosen.
                (",", -1.0905615091323853, {".": -1.0578027963638306, ",": -1.0905615091323853}),
                (
                    " welcome",
                    -1.601514458656311,
                    {" welcome": -1.601514458656311, " I": -2.8281617164611816},
                ),
            ),
        ),
        C: Judged(
            _CHAT_TOP,
            Answer("Hello there! I", "length", 33, 4),
            (
                (
                    "Hello",
                    -2.065342903137207,
                    {"Hello": -2.065342903137207, "I": -2.272141456604004},
                ),
                (
                    " there",
                    -0.9065231680870056,
                    {" there": -0.9065231680870056, "!": -1.1115144491195679},
                ),
                ("!", -0.7160128951072693, {"!": -0.7160128951072693, ",": -0.9453734159469604}),
                (
                    " I",
                    -1.5208158493041992,
                    {" I": -1.5208158493041992, " How": -2.214846611022949},
                ),
            ),
        ),
    },
    "generate-logprobs": {
        A: Judged(_TEXT_TOP, _TOO_OLD),
        B: Judged(
            _TEXT_TOP,
            _CANVAS,
            (
                (
                    " a",
                    -1.173608422279358,
                    {
                        " a": -1.173608422279358,
                        " the": -3.0884833335876465,
                        " not": -3.1724085807800293,
                    },
                ),
                (
                    " canvas",
                    -1.4394668340682983,
                    {
                        " canvas": -1.4394668340682983,
                        " place": -2.9929146766662598,
                        " beautiful": -3.0629334449768066,
                    },
                ),
            ),
        ),
        C: Judged(
            _TEXT_TOP,
            _CANVAS,
            (
                (
                    " a",
                    -1.1734780073165894,
                    {
                        " a": -1.1734780073165894,
                        " the": -3.088352918624878,
                        " not": -3.1722781658172607,
                    },
                ),
                (
                    " canvas",
                    -1.4393413066864014,
                    {
                        " canvas": -1.4393413066864014,
                        " place": -2.9927890300750732,
                        " beautiful": -3.06280779838562,
                    },
                ),
            ),
        ),
    },
}

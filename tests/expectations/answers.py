"""Chats that end well. The texts are those of small models at temperature 0: silly, but exact."""

from tests.expectations.shapes import A, Answer, B, ByRelease, C, Excerpt, Refused, everywhere

_PARIS = "The capital of France is Paris."
_PARIS_LONG = (
    "The capital of France is Paris, also known as the City of Light. "
    "It's a European city with a rich history"
)
_HELLO = "Hello there! How can I assist you today?"
_SONG = "L'Étoile, la Marseillaise, la femme au roi, la femme au ro"
_PIRATE = (
    "Aye, the infamous Captain Blackbeard! I be Captain Blackbeard Blackbeak, "
    "a cunning and ruthless"
)
_COUNTED = "The number of people who can be counted"

# Before 0.12.6 Ollama cuts the prompt whatever `truncate` says: 4096 tokens of it are left.
_CUT_PROMPT = Answer(
    'The original sentence is: "A new employee was hired by the company yesterday."\n\n'
    "To make it more concise and",
    "length",
    4096,
    24,
)
# From 0.12.6 to 0.24 the engine gives no numbers: 4096 is what /api/ps says, and there is no M.
_OVERFLOW_WITHOUT_NUMBERS = Refused(
    400, "context_length_exceeded", "messages", says=("maximum context length is 4096 tokens",)
)


def _overflow(prompt_tokens: int) -> Refused:
    """0.30 and later tell both numbers, as JSON inside the error's string."""
    return Refused(
        400,
        "context_length_exceeded",
        "messages",
        says=("maximum context length is 4096 tokens", f"resulted in {prompt_tokens} tokens"),
    )


EXPECTED: dict[str, ByRelease] = {
    "chat-stream": {
        A: Answer(
            "La femme de France, le Grand Croix, est la maire de France. Le Grand Croix est la",
            "length",
            27,
            24,
        ),
        B: Answer(_PARIS_LONG, "length", 27, 24),
        C: Answer(_PARIS, "stop", 27, 8),
    },
    "chat-plain": {
        A: Answer(_PARIS_LONG, "length", 27, 24),
        B: Answer(_PARIS_LONG, "length", 27, 24),
        C: Answer(_PARIS, "stop", 27, 8),
    },
    "own-chat-stream": {
        A: Answer(_PARIS, "stop", 16, 8),
        B: Answer(_PARIS, "stop", 16, 8),
        C: Answer(_SONG, "length", 37, 24),
    },
    "own-chat-plain": {
        A: Answer(_PARIS, "stop", 16, 8),
        B: Answer(_PARIS, "stop", 16, 8),
        C: Answer(_SONG, "length", 37, 24),
    },
    "chat-default-streams": everywhere(Answer("Hello there, welcome", "length", 23, 4)),
    # The lines repeat the name in capitals; the client sees the name that it is installed under.
    "chat-case": everywhere(Answer("Hello there, welcome", "length", 23, 4)),
    "chat-length": {
        A: Answer(_COUNTED, "length", 28, 8),
        B: Answer(_COUNTED, "length", 28, 8),
        C: Answer("Count from one to fifty in words:", "length", 28, 8),
    },
    # Only in 0.24.0 did the model come to the stop string; it is not part of the text.
    "chat-stop": {
        A: Answer(
            "The number of cards in a deck is calculated by adding up the number of cards in each "
            "suit (Ace to King) and then dividing that sum by 10. So, there are 2 suits left over "
            "after removing the Ace",
            "length",
            45,
            48,
        ),
        B: Answer(
            "The number of possible outcomes when rolling a fair six-sided die is 6^n, where n is "
            "the number of elements in the set {1, 2, 3, 4, ",
            "stop",
            45,
            43,
        ),
        C: Answer(
            "The number of possible outcomes when rolling a fair six-sided die is 6^3, which is "
            "approximately 6.67. This is a fundamental property of permutations and combinations, "
            "and it's used in many mathematical formulas.",
            "length",
            45,
            48,
        ),
    },
    "chat-utf8": {
        A: Answer(
            'Açao - Aneuos - Alegre-Cabrales, 2019.\nThe Spanish word for "auster',
            "length",
            35,
            32,
        ),
        B: Answer(
            "Açaí is the capital of Brazil and it's located in the South East of Brazil, "
            "so it's not a country. Açaí is",
            "length",
            35,
            32,
        ),
        C: Answer(
            'Açao naïve 東京.\n\nAçao is a Japanese word that means "Axel" in Portuguese. It is',
            "length",
            35,
            32,
        ),
    },
    "chat-prefill": {
        A: Answer(
            "L'Étoile, la Cité de France, est le premier cité du pays d'Albanes", "length", 38, 24
        ),
        B: Answer("L'Étoile, la Cité, le Pouls-Merles (La Cité, l'", "length", 38, 24),
        C: Answer(_PARIS, "stop", 38, 8),
    },
    "chat-system": {
        A: Answer(
            "Aye, me name be Captain Blackbeard! Me crew's the infamous \"Maverick's Revenge",
            "length",
            23,
            24,
        ),
        B: Answer(
            "Me, Captain Blackbeard. A cunning and ruthless pirate who has spent his days "
            "plunderin' the riches of the",
            "length",
            23,
            24,
        ),
        C: Answer(
            "Aye, me name be Captain Blackbeard, the infamous pirate of the high seas. "
            "Me crew and me ship",
            "length",
            23,
            24,
        ),
    },
    "chat-developer": {
        A: Answer(_PIRATE, "length", 35, 24),
        B: Answer(_PIRATE, "length", 35, 24),
        C: Answer(
            "Aye, the infamous Captain Blackbeard. I've been sailin' the seven seas, "
            "plunderin' the",
            "length",
            35,
            24,
        ),
    },
    "chat-unknown-role": {
        A: Answer(
            "I'm a curious and adventurous soul with a passion for the unknown. I've been "
            "traveling across the world, exploring cultures",
            "length",
            30,
            24,
        ),
        B: Answer(
            "I'm a curious and adventurous soul with a passion for art, history, and the unknown. "
            "I've been traveling across",
            "length",
            30,
            24,
        ),
        C: Answer(
            "I'm a curious and adventurous soul with a passion for the unknown. I'm a curious and "
            "adventurous soul with a passion",
            "length",
            30,
            24,
        ),
    },
    "own-unknown-role": {
        A: Answer(
            "I'm Emily Carter, a 25-year-old environmental scientist with a passion for "
            "sustainable practices and eco-",
            "length",
            19,
            24,
        ),
        B: Answer(
            "I'm a creative writing assistant, and I've been working with writers to help them "
            "craft their stories. Whether it's",
            "length",
            19,
            24,
        ),
        C: Answer(
            "I'm a creative AI designed to assist users in crafting innovative ideas and "
            "solutions. I'm here to help you think outside",
            "length",
            40,
            24,
        ),
    },
    "chat-think-false-unsupported": {
        A: Answer(_HELLO, "stop", 21, 11),
        B: Answer(_HELLO, "stop", 21, 11),
        C: Answer(
            "Hello there, hello there! I'm here to help with any math or science topic. "
            "What can I help you with",
            "length",
            21,
            24,
        ),
    },
    # 0.9.6 shifts the window and goes on; since then a full window ends the answer.
    "chat-window-full": {
        A: Answer(
            Excerpt(
                'The memory of the great 1980s horror film "The Shining" by Jakes Cannon has',
                "my other awesome sci-fi films and episodes so you can read them.",
                1011,
            ),
            "stop",
            26,
            243,
        ),
        B: Answer(
            Excerpt(
                "The memory of the Eternal City's iconic landmarks remains etched in my mind",
                "The room contained a magnificent music",
                713,
            ),
            "length",
            26,
            135,
        ),
        C: Answer(
            Excerpt(
                "The city of Ashmille, a place where the boundaries of reality blurred.",
                "They would create art that would make",
                1056,
            ),
            "length",
            26,
            230,
        ),
    },
    "chat-overflow-truncated": everywhere(Answer("hi, how can", "length", 29, 4)),
    "own-overflow-truncated": everywhere(Answer("hi, how can", "length", 29, 4)),
    "chat-overflow-refused": {A: _CUT_PROMPT, B: _OVERFLOW_WITHOUT_NUMBERS, C: _overflow(16410)},
    "chat-overflow-refused-plain": {
        A: _CUT_PROMPT,
        B: _OVERFLOW_WITHOUT_NUMBERS,
        C: _overflow(16410),
    },
    "own-overflow-refused": {A: _CUT_PROMPT, B: _OVERFLOW_WITHOUT_NUMBERS, C: _overflow(16420)},
    "own-overflow-refused-plain": {
        A: _CUT_PROMPT,
        B: _OVERFLOW_WITHOUT_NUMBERS,
        C: _overflow(16420),
    },
    # A context of two million tokens was cut to the trained 32768, and did fit.
    "load-too-large": everywhere(Answer("Hello", "length", 20, 1)),
}

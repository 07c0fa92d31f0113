"""Every field of every schema with values that it cannot have, and some odd ones that it can."""

from typing import Any

from tests.hostile.rows import CHAT, COMPLETIONS, EMBEDDINGS, UNSUPPORTED, Row, refused, taken

LONG = "x" * 100_000
NO_NUMBER: list[Any] = ["1", "", True, [], {}, [1], 1e308, -1e308]
NO_WHOLE: list[Any] = ["1", "1_0", True, [], {}, 1.5, 1e300, -1e300, 2**63]
NO_LIMIT = [*NO_WHOLE, 0, -2, -(2**63)]
NO_TEXT = [5, 1.5, True, [], {}, ["x"]]
NO_FLAG = [0, 1, "true", "off", "", [], {}]
NO_OBJECT = [5, "x", "", True, [], [{}]]


def _sampling(path: str) -> list[Row]:
    """Return what a chat and a completion have in common."""
    return [
        *refused(path, "model", [*NO_TEXT, "x" * 1001, "\x00" * 5000]),
        *refused(path, "stream", NO_FLAG),
        *refused(path, "stream_options", NO_OBJECT, stream=True),
        *refused(path, "stream_options.include_usage", [{"include_usage": 1}], stream=True),
        *refused(path, "temperature", [*NO_NUMBER, 2.01, -0.01]),
        *refused(path, "top_p", [*NO_NUMBER, 1.01, -1]),
        *refused(path, "max_tokens", NO_LIMIT),
        *refused(path, "max_completion_tokens", [0, "5", [5], 2**63]),
        *refused(path, "seed", NO_WHOLE),
        *refused(path, "stop", [5, {}, True, [5], [None], [["x"]], "", ["x", ""], ["x"] * 65]),
        *refused(path, "presence_penalty", [*NO_NUMBER, 2.1]),
        *refused(path, "frequency_penalty", [*NO_NUMBER, -2.1]),
        *refused(path, "n", [*NO_WHOLE, 0, -1, 129]),
        *refused(path, "user", NO_TEXT),
        *refused(path, "min_p", ["x", True, -0.1, 1.1]),
        *refused(path, "top_k", ["x", True, -2, 2**31]),
        *refused(path, "repeat_penalty", [0, -1, 11, "1", []]),
        *refused(path, "keep_alive", [True, [], {}, "5 m", "m5", "nan", "1e9", 1e300, "9" * 400]),
        *refused(path, "keep_alive", ["\u0663m", "-", ".m", "1" * 5000 + "h"]),
        *refused(path, "options", [5, "x", True, [], [{}]]),
        *refused(path, "options.temperature", [{"temperature": "x"}, {"temperature": 1e308}]),
        *refused(path, "options.num_predict", [{"num_predict": 0}, {"num_predict": "x"}]),
        *refused(path, "options.stop", [{"stop": 5}, {"stop": [""]}]),
        *refused(path, "options.mirostat", [{"mirostat": 3}, {"mirostat": []}]),
        *refused(path, "logit_bias", [[], "x", 5, {"x": 1}, {"\u0663": 1}, {"-1": 1}]),
        *refused(path, "logit_bias.1", [{"1": "x"}, {"1": 101}, {"1": None}]),
        *refused(path, "logit_bias", [{"1": 1}], UNSUPPORTED),
        *taken(
            path,
            temperature=[0, -0.0, 2, None, 1e-320],
            seed=[-(2**63), 2**63 - 1, 5.0, -0.0],
            stop=[[], ["\x00"], LONG, None],
            user=["", LONG, "\x00\u202e\r\n"],
            options=[{}, {LONG: LONG}, {"num_ctx": [[]]}, {"": None}],
        ),
    ]


FIELDS = [
    *_sampling(CHAT),
    *_sampling(COMPLETIONS),
    # Chats alone.
    *refused(CHAT, "logprobs", NO_FLAG),
    *refused(CHAT, "top_logprobs", ["1", True, 21, -1, 2**63], logprobs=True),
    *refused(CHAT, "top_logprobs", [5]),
    *refused(CHAT, "parallel_tool_calls", NO_FLAG),
    *refused(CHAT, "reasoning_effort", [*NO_TEXT, "", "HIGH", "high ", LONG]),
    *refused(CHAT, "reasoning", NO_OBJECT),
    *refused(CHAT, "reasoning.effort", [{"effort": 5}, {"effort": ["low"]}, {"effort": "x"}]),
    *refused(CHAT, "think", [0, 1, "", "yes", [], {}]),
    *refused(CHAT, "enable_thinking", NO_FLAG),
    *refused(CHAT, "chat_template_kwargs", NO_OBJECT),
    *refused(CHAT, "chat_template_kwargs.enable_thinking", [{"enable_thinking": "x"}]),
    *refused(CHAT, "audio", [{}, 5, {"voice": "x"}], UNSUPPORTED),
    *refused(CHAT, "modalities", [["audio"], "text", ["text", "text"], 5], UNSUPPORTED),
    *refused(CHAT, "functions", [[{}], 5, {}], UNSUPPORTED),
    *refused(CHAT, "function_call", [{"name": "f"}, 5], UNSUPPORTED),
    *taken(
        CHAT,
        metadata=[5, "x", [[]], {"__proto__": {"a": 1}, "constructor": {}, "": LONG}],
        store=["x", 5],
        service_tier=[5, LONG],
        prediction=[[], {"content": LONG}],
        chat_template_kwargs=[{"a": "{{ ''.__class__ }}", "__class__": "x"}],
        __class__=["x"],
        **{"\u0000": [1], "\r\nX-Injected: 1": ["x"], LONG: [LONG], "\u202e": [[]]},
    ),
    # Completions alone.
    *refused(COMPLETIONS, "prompt", [None, 5, True, {}, "", [], ["x"] * 65]),
    *refused(COMPLETIONS, "prompt[0]", [[""], [None], [True], [{}]]),
    *refused(COMPLETIONS, "prompt[1]", [["x", 5], ["x", ["x"]], ["x", ""]]),
    *refused(COMPLETIONS, "prompt", [[1, 2], [[1], [2]], [[]], [1.5]], UNSUPPORTED),
    *refused(COMPLETIONS, "suffix", NO_TEXT),
    *refused(COMPLETIONS, "echo", NO_FLAG),
    *refused(COMPLETIONS, "echo", [True], logprobs=1),
    *refused(COMPLETIONS, "logprobs", [*NO_WHOLE, 6, -1]),
    *refused(COMPLETIONS, "best_of", [*NO_WHOLE, 21, -1]),
    *refused(COMPLETIONS, "best_of", [2, 20], UNSUPPORTED),
    *refused(COMPLETIONS, "raw", NO_FLAG),
    *refused(COMPLETIONS, "raw", [True], suffix="x"),
    *refused(COMPLETIONS, "think", [1, "x", []]),
    *taken(COMPLETIONS, prompt=["\x00", LONG, "<|im_start|>system", ["x"] * 3]),
    # Embeddings.
    *refused(EMBEDDINGS, "model", [*NO_TEXT, "x" * 1001]),
    *refused(EMBEDDINGS, "input", [None, True, {}, "", []]),
    *refused(EMBEDDINGS, "input[0]", [[""], [None], [True], [{}]]),
    *refused(EMBEDDINGS, "input[1]", [["x", 5], ["x", ["x"]], ["x", ""]]),
    *refused(EMBEDDINGS, "input", [[1, 2], [[1], [2]], [1.5]], UNSUPPORTED),
    *refused(EMBEDDINGS, "input", [["x"] * 2049]),
    *refused(EMBEDDINGS, "dimensions", [*NO_WHOLE, 0, -1]),
    *refused(EMBEDDINGS, "encoding_format", [*NO_TEXT, "", "hex", "FLOAT", LONG]),
    *refused(EMBEDDINGS, "user", NO_TEXT),
    *refused(EMBEDDINGS, "keep_alive", [True, [], "x", 1e300]),
    *refused(EMBEDDINGS, "options", NO_OBJECT),
    *taken(EMBEDDINGS, input=["\x00", "\u202e", ["x"] * 2048], options=[{"a": [[]]}]),
]

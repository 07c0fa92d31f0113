"""The table of forms: what is a call, what is text, and that it does not matter where it is cut.

The forms are those of the chat templates that `call_forms` names.
"""

import pytest

from tensoria.translate.tool_rescue import RescueCalls
from tests.translate.tooling import TOOLS, calls_of, cuts, reason_of, said, text_of

OSLO = ("get_weather", '{"city":"Oslo"}')
ROME = ("get_weather", '{"city":"Rome"}')
NOW = ("get_time", "{}")
JSON = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'
JSON_ROME = '{"name": "get_weather", "arguments": {"city": "Rome"}}'

# (answer, the text that is left of it, its calls)
CALLS: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "bare": (JSON, "", [OSLO]),
    "bare in white space": (f"\n {JSON} \r\n\t", "", [OSLO]),
    "parameters": ('{"name":"get_weather","parameters":{"city":"Oslo"}}', "", [OSLO]),
    "arguments first": ('{"arguments":{"city":"Oslo"},"name":"get_weather"}', "", [OSLO]),
    "arguments as a string": (
        r'{"name":"get_weather","arguments":"{\"city\": \"Oslo\"}"}',
        "",
        [OSLO],
    ),
    "with a type and an id": (
        '{"type": "function", "id": "c1", "name": "get_time", "parameters": {}}',
        "",
        [NOW],
    ),
    "list": (f"[{JSON}, {JSON_ROME}]", "", [OSLO, ROME]),
    "one line each": (f"{JSON}\n{JSON_ROME}", "", [OSLO, ROME]),
    "fenced": (f"```json\n{JSON}\n```", "", [OSLO]),
    "fenced list without a language": (f"```\n[{JSON}]\n```\n", "", [OSLO]),
    "fence that does not close": (f"```json\n{JSON}\n", "", [OSLO]),
    "two fences": (f"```json\n{JSON}\n```\n```json\n{JSON_ROME}\n```", "", [OSLO, ROME]),
    "Hermes": (f"<tool_call>\n{JSON}\n</tool_call>", "", [OSLO]),
    "Hermes after text": (f"Let me see.\n<tool_call>{JSON}</tool_call>", "Let me see.\n", [OSLO]),
    "Hermes twice": (
        f"<tool_call>{JSON}</tool_call>\n<tool_call>{JSON_ROME}</tool_call>",
        "",
        [OSLO, ROME],
    ),
    "Hermes whose closing tag was the stop token": (f"Hm <tool_call>{JSON}", "Hm ", [OSLO]),
    "Hermes opened twice": (
        f"<tool_call>\n<tool_call>{JSON}</tool_call>",
        "<tool_call>\n",
        [OSLO],
    ),
    "Mistral": (f"[TOOL_CALLS][{JSON}]", "", [OSLO]),
    "Mistral after text": (f"I look: [TOOL_CALLS] [{JSON}]", "I look: ", [OSLO]),
    "Mistral with one object": (f"[TOOL_CALLS]{JSON}", "", [OSLO]),
    "Mistral by name": ('[TOOL_CALLS]get_weather[ARGS]{"city": "Oslo"}', "", [OSLO]),
    "Mistral by name twice": (
        '[TOOL_CALLS]get_weather{"city": "Oslo"}[TOOL_CALLS]get_time{}',
        "",
        [OSLO, NOW],
    ),
    "Llama": ('<function=get_weather>{"city": "Oslo"}</function>', "", [OSLO]),
    "Llama after text": ('So: <function=get_weather>{"city": "Oslo"}', "So: ", [OSLO]),
    "Qwen3-Coder": (
        "Yes.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n"
        "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
        "Yes.\n",
        [("get_weather", '{"city":"Oslo","days":3}')],
    ),
    "Qwen3-Coder with a text of several lines": (
        "<function=get_weather><parameter=city>\n<b>\n 1\n</parameter></function>",
        "",
        [("get_weather", r'{"city":"<b>\n 1"}')],
    ),
    "Qwen3-Coder with a parameter that is not described": (
        "<function=get_time><parameter=zone>[1]</parameter><parameter=x>null</parameter>"
        "<parameter=y>so</parameter></function>",
        "",
        [("get_time", '{"zone":[1],"x":null,"y":"so"}')],
    ),
    "function without parameters": ("<function=get_time></function>", "", [NOW]),
    "brackets, quotes and marks inside strings": (
        r'{"name":"get_weather","arguments":{"city":"}]\\\"</tool_call><tool_call>"}}',
        "",
        [("get_weather", r'{"city":"}]\\\"</tool_call><tool_call>"}')],
    ),
    "other alphabets": (
        '{"name":"get_weather","arguments":{"city":"Ålesund \\u00e9 🌧"}}',
        "",
        [("get_weather", '{"city":"Ålesund é 🌧"}')],
    ),
    "a broken call before a good one": (
        f"<tool_call>no</tool_call><tool_call>{JSON}</tool_call>",
        "<tool_call>no</tool_call>",
        [OSLO],
    ),
    "a call that ends in text before one that does not": (
        f"<tool_call>{JSON}</tool_call> or <tool_call>{JSON_ROME}</tool_call>",
        f"<tool_call>{JSON}</tool_call> or ",
        [ROME],
    ),
    "marks that begin and do not go on": (f"<a [1] <t<<tool_call>{JSON}", "<a [1] <t<", [OSLO]),
}

TEXTS: dict[str, str] = {
    "plain": "Hello, who are you?",
    "white space": " \n ",
    "other JSON": '{"answer": 42}',
    "JSON list": "[1, 2]",
    "empty list": "[]",
    "name that is not offered": '{"name": "delete_all", "arguments": {}}',
    "beginning of an offered name": '{"name": "get", "arguments": {}}',
    "required argument is missing": '{"name": "get_weather", "arguments": {"days": 2}}',
    "argument of another type": '{"name": "get_weather", "arguments": {"city": ["Oslo"]}}',
    "arguments are a list": '{"name": "get_time", "arguments": []}',
    "arguments are null": '{"name": "get_time", "arguments": null}',
    "no arguments": '{"name": "get_time"}',
    "no name": '{"arguments": {"city": "Oslo"}}',
    "no colon": '{"name" "get_time"}',
    "of another type": '{"type": "web_search", "name": "get_time", "arguments": {}}',
    "broken JSON": '{"name": "get_time", "arguments": {"a": tru}}',
    "cut JSON": JSON[:-4],
    "cut list": f"[{JSON},",
    "list of other things": f"[{JSON}, 1]",
    "list with a call that does not fit": f'[{JSON}, {{"name": "get_weather", "arguments": {{}}}}]',
    "list that is not closed well": f"[{JSON}}}",
    "text after it": f"{JSON} is how it is called.",
    "text before it": f"It is called like this: {JSON}",
    "text before a fence": f"So:\n```json\n{JSON}\n```",
    "another language": f"```java\n{JSON}\n```",
    "fence with text": "```json\nhello\n```",
    "text in the fence": f"```json\n{JSON} hello\n```",
    "Hermes with other JSON": '<tool_call>{"a": 1}</tool_call>',
    "Hermes with text": "<tool_call>hello</tool_call>",
    "Hermes with text after it": f"<tool_call>{JSON}</tool_call> That is the call.",
    "Hermes with another tag": f"<tool_call>{JSON}</tool>",
    "Mistral with another name": "[TOOL_CALLS]delete_all{}",
    "Mistral without arguments": "[TOOL_CALLS]get_time now",
    "Mistral with arguments that do not fit": '[TOOL_CALLS]get_weather{"days": 1}',
    "function that is not offered": "<function=delete_all>{}</function>",
    "function with text": "<function=get_time>now</function>",
    "function whose JSON is cut": '<function=get_time>{"a": ',
    "function with text after its JSON": "<function=get_time>{} now",
    "parameter that does not end": "<function=get_weather><parameter=city>Oslo",
    "parameter without a name": "<function=get_weather><parameter=city",
    "parameters and text": "<function=get_time><parameter=a>1</parameter>now</function>",
    "beginnings of marks": "<tool_cal [TOOL_CALLS <functio",
}


@pytest.mark.parametrize(("answer", "text", "calls"), CALLS.values(), ids=list(CALLS))
def test_call_as_text_is_a_call_wherever_it_is_cut(
    answer: str, text: str, calls: list[tuple[str, str]]
) -> None:
    for pieces in [[answer], *cuts(answer)]:
        stage = RescueCalls(TOOLS, {})
        chunks = [out for chunk in said(*pieces) for out in stage.feed([chunk])]

        assert text_of(chunks) == text, pieces
        assert calls_of(chunks) == calls, pieces
        assert reason_of(chunks) == "tool_calls"


@pytest.mark.parametrize("answer", TEXTS.values(), ids=list(TEXTS))
def test_text_that_is_no_call_comes_out_unchanged_wherever_it_is_cut(answer: str) -> None:
    for pieces in [[answer], *cuts(answer)]:
        stage = RescueCalls(TOOLS, {})
        chunks = [out for chunk in said(*pieces) for out in stage.feed([chunk])]

        assert text_of(chunks) == answer, pieces
        assert calls_of(chunks) == []
        assert reason_of(chunks) == "stop"

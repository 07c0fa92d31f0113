"""A chat with tools: calls that are forced, calls that were written as text, one call at most."""

from collections.abc import Callable

from tensoria.backends.base import AnswerId, ChatStream
from tensoria.backends.staged import Stage, StagedStream
from tensoria.config import Settings
from tensoria.translate.forced_call import ForcedCall, forced_tools, to_forced
from tensoria.translate.one_call import OneCall
from tensoria.translate.tool_rescue import RescueCalls
from tensoria.translate.traits import Traits
from tensoria.wire.openai import ChatRequest


def open_with_tools(
    open_chat: Callable[[ChatRequest, AnswerId], ChatStream],
    request: ChatRequest,
    answer: AnswerId,
    settings: Settings,
    traits: Callable[[], Traits],
) -> ChatStream:
    """Open a chat of a request with `tools`; a `tool_choice` in it is one that forces a call.

    Engines of the kind "openai" (vLLM) force calls by themselves. llama.cpp's server does not count
    as one: it ignores a named function, and with "required" lets the model write text first.
    """
    if "tool_choice" in request and traits().kind != "openai":
        stream = open_chat(to_forced(request), answer)
        return StagedStream(stream, [ForcedCall(forced_tools(request))])
    stream = open_chat(request, answer)
    stages: list[Stage] = []
    if settings.tool_rescue and "tool_choice" not in request:
        stages.append(RescueCalls(request["tools"], stream.adjusted))
    if "parallel_tool_calls" in request:
        stages.append(OneCall())
    return StagedStream(stream, stages) if stages else stream

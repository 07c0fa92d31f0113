"""A chat as it was asked for, made of chats as the engine can have them, whichever engine it is.

From the outside in: several choices, an answer that must fit a schema, tool calls. A request that
asks for none of it gets the engine's own stream.
"""

from collections.abc import Callable
from dataclasses import replace

from tensoria.backends.base import AnswerId, ChatStream
from tensoria.backends.choices import ChoiceStream, each_choice
from tensoria.backends.structured import StructuredStream
from tensoria.backends.tool_calls import open_with_tools
from tensoria.config import Settings
from tensoria.translate.traits import Traits
from tensoria.wire.openai import ChatRequest

OpenChat = Callable[[ChatRequest, AnswerId], ChatStream]


def compose(
    open_chat: OpenChat,
    request: ChatRequest,
    answer: AnswerId,
    settings: Settings,
    traits: Callable[[], Traits],
) -> ChatStream:
    """Open what the request needs; `traits` may ask the engine: call it only where it counts."""
    if "n" in request:
        alone = each_choice(request, settings.max_choices)
        return ChoiceStream(
            lambda index: compose(
                # Another name for each, because ids of calls are made from it.
                open_chat,
                alone[index],
                replace(answer, id=f"{answer.id}-{index}"),
                settings,
                traits,
            ),
            len(alone),
            answer.id,
            answer.slots,
        )

    def open_one(request: ChatRequest, answer: AnswerId) -> ChatStream:
        if "tools" in request:
            return open_with_tools(open_chat, request, answer, settings, traits)
        return open_chat(request, answer)

    if "response_format" in request:
        return StructuredStream(
            lambda attempt: open_one(attempt, answer), request, retry=settings.structured_retry
        )
    return open_one(request, answer)

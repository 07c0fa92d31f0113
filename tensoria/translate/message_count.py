"""How many tokens a prompt may have, where the engine cannot count them."""

from typing import cast

import orjson

from tensoria.wire.openai import ChatRequest

# Of English prose a token has about four bytes of UTF-8, of code and of other scripts fewer.
BYTES_PER_TOKEN = 4
# The words that a template writes around each message.
PER_MESSAGE = 4
# Engines make between 250 and some thousands of tokens of one, by its size and their model.
PER_IMAGE = 1000


def estimate(chat: ChatRequest) -> int:
    """Return about how many tokens a chat's prompt has: its bytes by four, and what stands around.

    The tools count as the JSON that most templates write them in.
    """
    size = sum(_size(cast("dict[str, object]", message)) for message in chat["messages"])
    if "tools" in chat:
        size += len(orjson.dumps(chat["tools"]))
    images = sum(
        part["type"] == "image_url"
        for message in chat["messages"]
        for part in message.get("parts", ())
    )
    around = PER_MESSAGE * len(chat["messages"]) + PER_IMAGE * images
    return -(-size // BYTES_PER_TOKEN) + around


def _size(message: dict[str, object]) -> int:
    texts = [message["content"], message.get("reasoning_content", "")]
    size = sum(len(str(text).encode(errors="replace")) for text in texts)
    return size + (len(orjson.dumps(message["tool_calls"])) if "tool_calls" in message else 0)

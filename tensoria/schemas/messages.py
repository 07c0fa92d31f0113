"""The bodies of POST /v1/messages and POST /v1/messages/count_tokens.

Source: the package `anthropic`: its MessageCreateParams and MessageCountTokensParams, and those of
its beta, which clients reach by `?beta=true`.
"""

from typing import Any, cast

from marshmallow import Schema, ValidationError

from tensoria.schemas.base import Flag, Loaded, ModelName, Number, Taken, Whole
from tensoria.schemas.base import load as load_body
from tensoria.schemas.chat import MAX_STOPS, Stop
from tensoria.schemas.extensions import MinP, TopK, keep_alive, repeat_penalty
from tensoria.schemas.message_fields import (
    Metadata,
    OutputConfigField,
    OutputFormat,
    System,
    Thinking,
    Turns,
    ignored_in_messages,
    ignored_in_objects,
    ignored_in_system,
    unheard,
)
from tensoria.schemas.message_images import unseen
from tensoria.schemas.message_tools import (
    MessageToolChoice,
    MessageTools,
    ignored_in_choice,
    ignored_in_tools,
    settle,
)
from tensoria.schemas.support import END_USER, honoured, ignored, refused, support
from tensoria.translate.messages import thinks
from tensoria.wire.messages import CountRequest, MessageRequest, MessageTurn

_OF_MESSAGES = (
    "Blocks: text, image (base64, for models that see), tool_use, tool_result (of a failed one the "
    "text begins with 'Error: '), thinking, and documents and search results that are text. Turns "
    "of one role in a row become one; an assistant's at the end is for the model to go on from."
)
_OF_TOOLS = (
    "Those with an input_schema; Anthropic's own (bash, web search …) are left out. As in a chat, "
    "the model's template needs a place for them, and a call that it writes as text becomes a call."
)
_OF_CHOICE = "A forced call is generated to a schema, and stop sequences do not end it."


class Stops(Stop):
    """A list of stop strings; an empty one means absent."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            raise ValidationError("expected an array of strings, got a string.")
        return super()._deserialize(value, *args, **kwargs)


class CountSchema(Schema):
    """Every field of a count: what of a message makes its prompt."""

    messages = Turns(required=True, metadata=honoured(_OF_MESSAGES, look=unseen))
    model = ModelName(metadata=honoured("Absent or empty: DEFAULT_MODEL."))
    system = System(metadata=honoured("Blocks are joined."))
    tools = MessageTools(
        metadata=honoured(_OF_TOOLS, needs="tools", unless="tool_choice", members_change=True)
    )
    tool_choice = MessageToolChoice(
        metadata=support("emulated", _OF_CHOICE, openai="approximated", members_change=True)
    )
    thinking = Thinking(
        metadata=support(
            "ignored", "llama.cpp's template may have words for it.", llamacpp="honoured",
            openai="ignored", changes=False,
        )
    )  # fmt: skip
    output_config = OutputConfigField(
        metadata=support(
            "ignored", "Of its members, effort; a schema takes no place in a prompt.",
            llamacpp="approximated", openai="ignored", changes=False,
        )
    )  # fmt: skip
    output_format = OutputFormat(
        metadata=ignored("A schema takes no place in a prompt.", changes=False)
    )

    billing_policy = Taken(metadata=ignored("Nothing is billed.", changes=False))
    cache_control = Taken(metadata=ignored("The engine's cache needs none.", changes=False))
    compaction = Taken(metadata=ignored("Nothing is cut from a history.", changes=True))
    context_management = Taken(
        {}, {"edits": []}, metadata=ignored("Nothing is cut from a history.", changes=True)
    )
    mcp_servers = Taken([], metadata=refused("Call them yourself, and send their tools."))
    speed = Taken("standard", metadata=ignored("There is one speed.", changes=False))
    user_profile_id = Taken(metadata=ignored("There are no profiles.", changes=False))
    workspace_id = Taken(metadata=ignored("There are no workspaces.", changes=False))


class MessageSchema(CountSchema):
    """Every field of the request, and what becomes of it."""

    max_tokens = Whole(minimum=1, required=True, metadata=honoured())
    stream = Flag(metadata=honoured("SSE, with Anthropic's events."))
    stop_sequences = Stops(
        metadata=support(
            "approximated",
            f"Up to {MAX_STOPS} strings. Which of them has ended an answer only vLLM tells; at the "
            "others stop_reason is end_turn then.",
        )
    )
    temperature = Number(minimum=0, maximum=1, metadata=honoured())
    top_p = Number(minimum=0, maximum=1, metadata=honoured())
    top_k = TopK(metadata=honoured("0 and -1 mean all."))
    thinking = Thinking(
        metadata=support(
            "approximated",
            "On or off, and off if absent; budget_tokens is ignored. What a model thinks although "
            "it was not asked to is counted, and left out. A signature is a digest of its thought.",
            look=unheard,
        )
    )
    tool_choice = MessageToolChoice(
        metadata=support("emulated", _OF_CHOICE, openai="honoured", members_change=True)
    )
    output_config = OutputConfigField(
        metadata=support(
            "approximated",
            "effort as a level or as on and off, as release and model know it, beside thinking "
            "alone; of format the finished answer is checked.",
            members_change=True,
        )
    )
    output_format = OutputFormat(metadata=honoured("As output_config.format."))
    metadata = Metadata(metadata=ignored(END_USER, changes=False))
    service_tier = Taken(
        "auto", "standard_only", metadata=ignored("There is one tier.", changes=False)
    )

    container = Taken(metadata=refused("Nothing is run here."))
    diagnostics = Taken(
        {"previous_message_id": None}, metadata=ignored("None are made.", changes=False)
    )
    fallback_credit_token = Taken(metadata=ignored("Nothing is billed.", changes=False))
    fallbacks = Taken([], metadata=ignored("The model is the one asked for.", changes=False))
    inference_geo = Taken(metadata=ignored("It is where your engine is.", changes=False))
    thread = Taken(metadata=refused("Nothing is kept; send the whole history."))

    # Extensions of local engines.
    keep_alive = keep_alive()
    min_p = MinP(metadata=honoured())
    repeat_penalty = repeat_penalty()
    seed = Whole(minimum=-(2**63), metadata=honoured())


def load(body: object) -> Loaded[MessageRequest]:
    """Check a parsed body; raises InvalidRequest or UnsupportedParameter naming the field."""
    return _load(MessageSchema, body)


def load_count(body: object) -> Loaded[CountRequest]:
    """Check the body of a count, as `load` does one of a message."""
    return _load(CountSchema, body)


def _load(schema: type[Schema], body: object) -> Loaded[Any]:
    loaded = load_body(schema, body)
    request: dict[str, Any] = loaded.request
    raw = cast("dict[str, Any]", body)
    known = {name: value for name, value in raw.items() if name not in loaded.ignored}
    names = {*loaded.ignored, *ignored_in_messages(raw["messages"]), *ignored_in_objects(known)}
    names |= ignored_in_system(raw.get("system")) | _unknown_calls(request["messages"])
    names |= ignored_in_tools(raw.get("tools") or ())
    names |= ignored_in_choice(raw.get("tool_choice") or {})
    settle(request)
    if "effort" in request.get("output_config", ()) and not thinks(cast("Any", request)):
        names.add("output_config.effort")
    return Loaded(request, tuple(sorted(names)))


def _unknown_calls(turns: list[MessageTurn]) -> set[str]:
    """Name `tool_use_id` where a result's call is not in the history before it."""
    known: set[str] = set()
    told: set[str] = set()
    for turn in turns:
        for block in turn["content"]:
            if block["type"] == "tool_use":
                known.add(block["id"])
            elif block["type"] == "tool_result" and block["tool_use_id"]:
                told |= set() if block["tool_use_id"] in known else {"messages.content.tool_use_id"}
    return told

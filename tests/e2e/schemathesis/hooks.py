"""What schemathesis has to know of this service, loaded by it (SCHEMATHESIS_HOOKS)."""

import re
from typing import Any

import schemathesis

# Rules that no schema of one field can say: of two fields, of the model, and of what a text holds.
_RULES = (
    r"would be ignored, and in strict mode",
    r"'top_logprobs' is only allowed when 'logprobs' is true\.",
    r"'tool_choice': 'required' needs 'tools'",
    r"no function of this name is in 'tools'\.",
    r"'logit_bias' is not supported by this engine\.",
    r"'best_of' (must not be below 'n'|is not supported)",
    r"'echo' must not be true beside 'logprobs'",
    r"'raw' must not be true beside 'suffix'",
    r"dimensions': this model's embeddings have 4\.",
    r"'keep_alive': expected at most \d+ seconds\.",
    r"image_url(\.url)?': (the base64 of the data URL|expected a data URL in base64)",
    r"expected a JSON object, as a string or as it is\.",
    r"'response_format\.json_schema\.schema[^']*':",
    r"'text\.format\.schema[^']*':",
    r"'input': expected a text or at least one item\.",
    r"'tool_choice\.name': no tool of this name",
    r"'tool_choice': 'any' needs 'tools'",
    r"\.source\.data': the base64 of the data URL",
    r"\.source\.data': (expected a PNG|an image may)",
    r"'(output_config\.format|output_format)\.schema[^']*':",
    r"'previous_response_id' and 'conversation' cannot be used together\.",
    r"(Previous response|Conversation|Item) with id '.*' not found\.",
    r"'background' needs 'store'",
    r"'starting_after' is for a stream\.",
)


@schemathesis.hook
def before_call(_ctx: Any, case: Any, _kwargs: Any) -> None:
    """Force no call of a message's tools but one that is refused.

    The fake engine keeps to no format, and a forced call that misses it is a 502.
    """
    choice = case.body.get("tool_choice") if isinstance(case.body, dict) else None
    forced = isinstance(choice, dict) and choice.get("type") in ("any", "tool")
    if forced and case.path.startswith("/v1/messages"):
        case.body["tool_choice"] = {"type": "tool", "name": "nobody's"}


@schemathesis.check
def valid_is_taken(_ctx: Any, response: Any, case: Any) -> None:
    """What fits the document is refused only for a rule that the document cannot say."""
    mode = case.meta and case.meta.generation.mode
    if response.status_code != 400 or not mode or not mode.is_positive:
        return
    message = response.json()["error"]["message"]
    if not any(re.search(rule, message) for rule in _RULES):
        raise AssertionError(f"refused, though it fits the document: {message}")


@schemathesis.check
def errors_name_what_is_wrong(_ctx: Any, response: Any, _case: Any) -> None:
    """Every error has its API's envelope, and a wrong value has the name of its field."""
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    error = response.json()["error"]
    if response.json().get("type") == "error":
        assert error.keys() - {"details", "param"} == {"message", "type", "code"}
    else:
        assert error.keys() == {"message", "type", "param", "code"}
    if error["code"] in ("invalid_value", "unsupported_parameter"):
        assert error.get("param") or "JSON object" in error["message"], error

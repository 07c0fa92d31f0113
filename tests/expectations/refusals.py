"""Errors of /api/chat, and paths that are not there. Texts of the recordings stand beside them."""

from tests.expectations.shapes import A, Answer, B, ByRelease, C, Refused, everywhere

# The gateway checks its requests itself, so most of these would be a fault of its own; still the
# engine says 400, and a client that repeats the request does not make it better.
_INVALID = Refused(400, "invalid_request")
_BAD_FORMAT = Refused(400, "invalid_value", "response_format")
_MODEL_NOT_FOUND = Refused(404, "model_not_found", "model")
_ENGINE_ERROR = Refused(502, "engine_error")
# A proxy's or a firewall's doing, or an address that is no Ollama: wherever the gateway asks.
_NO_OLLAMA = Refused(502, "engine_error", at=("/api/chat", "/api/tags"))

EXPECTED: dict[str, ByRelease] = {
    # invalid character 'x' looking for beginning of value
    "chat-bad-json": everywhere(_INVALID),
    # unexpected EOF: the words of a lost runner, but the status says whose fault it is
    "chat-cut-json": everywhere(_INVALID),
    # missing request body
    "chat-empty-body": everywhere(_INVALID),
    # json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string
    "chat-content-array": everywhere(_INVALID),
    # json: cannot unmarshal string into Go struct field ChatRequest.stream of type bool
    "chat-wrong-type": everywhere(_INVALID),
    # time: missing unit in duration "300"
    "chat-keep-alive-bad": everywhere(_INVALID),
    # model is required
    "chat-no-model": everywhere(_INVALID),
    # 0.9.6: model is required; then: invalid model name
    "chat-bad-name": everywhere(_INVALID),
    # 0.9.6: json: cannot unmarshal string …; then: invalid think value: "minimal" (must be …)
    "chat-think-bad": everywhere(_INVALID),
    # option "stop" must be of type array, as a 500
    "chat-option-stop-string": everywhere(_INVALID),
    # option "temperature" must be of type float32, as a 500
    "chat-option-type": everywhere(_INVALID),
    # invalid format: "\"xml\""; expected "json" or a valid JSON Schema object. 0.9.6 says it in
    # the first line of a stream with status 200, later ones as a 500.
    "chat-format-bad": everywhere(_BAD_FORMAT),
    # 0.9.6: invalid JSON schema in format, in the first line under 200; 0.24.0: the same as a 500;
    # 0.32.15: 400, JSON inside the string, "JSON schema conversion failed"
    "chat-format-bad-schema": everywhere(_BAD_FORMAT),
    # top_logprobs must be between 0 and 20; 0.9.6 does not know the field and answers
    "chat-top-logprobs-range": {
        A: Answer(
            "Hello there! I'm here to help with any kind of creative or artistic project, whether "
            "it's music, art, or anything else. What can I do for you?",
            "stop",
            23,
            36,
        ),
        B: _INVALID,
        C: _INVALID,
    },
    # "all-minilm:l6-v2" does not support chat
    "chat-embedding-model": everywhere(
        Refused(400, "unsupported_parameter", "model", says=("does not support chat",))
    ),
    # 0.9.6: registry.ollama.ai/library/smollm2:135m does not support thinking; then the short name
    "chat-think-unsupported": everywhere(
        Refused(400, "unsupported_parameter", "reasoning_effort", says=("thinking",))
    ),
    # registry.ollama.ai/library/smollm2:135m does not support tools
    "chat-tools-unsupported": everywhere(
        Refused(400, "unsupported_parameter", "tools", says=("does not support tools",))
    ),
    # 0.9.6: model "nope" not found, try pulling it first; then: model 'nope' not found
    "chat-missing-model": everywhere(_MODEL_NOT_FOUND),
    # 0.9.6 knows no cloud: not found. Then 403: ollama cloud is disabled: remote model is
    # unavailable, which the operator has to mend, not the caller.
    "chat-cloud-name": {A: _MODEL_NOT_FOUND, B: _ENGINE_ERROR, C: _ENGINE_ERROR},
    # server busy, please try again.  maximum pending requests exceeded
    "busy": everywhere(Refused(503, "overloaded")),
    # 0.9.6: unable to load model: /root/.ollama/models/blobs/sha256-… (the path must not be told);
    # then: tensor "blk.2.ffn_up.weight" offset+size (60125248) exceeds file size (60000000)
    "load-broken-weights": everywhere(Refused(503, "model_load_failed")),
    # done_reason "load", an answer to a chat without messages: in answer to a real chat it is no
    # answer, and "stop" with no text would be a lie.
    "load": everywhere(_ENGINE_ERROR),
    # /api/generate's {"response":"","done":true,"done_reason":"unload"}: a line without a message
    "unload": everywhere(_ENGINE_ERROR),
    # 404 page not found, as text: no word about a model
    "not-found": everywhere(_NO_OLLAMA),
    # 405 method not allowed, as text
    "wrong-method": everywhere(_NO_OLLAMA),
    # 403 without a body
    "foreign-origin": everywhere(_NO_OLLAMA),
}

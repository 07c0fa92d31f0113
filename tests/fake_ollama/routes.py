"""What the fake answers on its own: the paths that a gateway asks of Ollama.

Shapes, statuses and texts are those of the recordings.
"""

from typing import Any
from urllib.parse import urlsplit

from tests.fake_ollama.behaviours import answer_json, answer_text, stream
from tests.fake_ollama.exchange import Exchange, Handler, ReceivedRequest
from tests.fake_ollama.lines import (
    CREATED_AT,
    chat_line,
    done_line,
    embedding,
    generate_done_line,
    generate_line,
    model_entry,
)

# Where a test finds the requests that only load or unload a model (no messages, prompt or input):
# they must not use up what was scripted for the chat itself.
LOAD = "load"

# And what such a request has not, by path.
_ASKED = {"/api/chat": "messages", "/api/generate": "prompt", "/api/embed": "input"}


class Routes:
    """The fake's release, models and answer; a test sets the attributes, also between requests."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.models: list[dict[str, Any]] = [model_entry()]
        # Names that /api/ps shows; None: every model is loaded.
        self.loaded: list[str] | None = None
        # The context in use, in tokens, as /api/ps tells it from 0.10 on.
        self.context_length = 4096
        self.chat_lines: list[bytes] = [chat_line("Hel"), chat_line("lo"), done_line()]
        self.generate_lines: list[bytes] = [
            generate_line(" wo"),
            generate_line("rld"),
            generate_done_line(),
        ]

    def default(self, request: ReceivedRequest) -> Handler:
        """Return what Ollama itself would do with a request."""
        if not _is_local(request.headers.get("origin")):
            return answer_text("", 403, "")
        methods = self._table().get(request.path)
        if methods is None:
            return answer_text("404 page not found", 404)
        handler = methods.get(request.method)
        if handler is None:
            allowed = [("Allow", ", ".join(methods))]
            text = b"405 method not allowed"
            return lambda exchange: exchange.answer(405, text, "text/plain", allowed)
        return handler

    def _table(self) -> dict[str, dict[str, Handler]]:
        running = answer_text("Ollama is running", 200, "text/plain; charset=utf-8")
        version = answer_json({"version": self.version})
        return {
            "/": {"GET": running, "HEAD": running},
            "/api/version": {"GET": version, "HEAD": version},
            "/api/tags": {"GET": self._tags, "HEAD": self._tags},
            "/api/ps": {"GET": self._ps},
            "/api/show": {"POST": self._show},
            "/api/delete": {"DELETE": self._delete},
            "/api/chat": {"POST": self._chat},
            "/api/generate": {"POST": self._chat},
            "/api/embed": {"POST": self._embed},
        }

    def _tags(self, exchange: Exchange) -> None:
        listed = [self._listed(model) for model in self.models]
        answer_json({"models": listed})(exchange)

    def _listed(self, model: dict[str, Any]) -> dict[str, Any]:
        """Take off what only 0.30 and later put into the list."""
        if self._at_least(0, 30):
            return model
        shown = {name: value for name, value in model.items() if name != "capabilities"}
        return {**shown, "details": _without_lengths(model["details"])}

    def _ps(self, exchange: Exchange) -> None:
        wanted = self.loaded
        models = [m for m in self.models if wanted is None or m["name"] in wanted]
        answer_json({"models": [self._running(model) for model in models]})(exchange)

    def _running(self, model: dict[str, Any]) -> dict[str, Any]:
        running: dict[str, Any] = {
            **{member: model[member] for member in ("name", "model", "size", "digest")},
            "details": _without_lengths(model["details"]),
            "expires_at": "2318-01-01T00:00:00Z",
            "size_vram": 0,
        }
        if self._at_least(0, 10):
            running["context_length"] = self.context_length
        return running

    def _show(self, exchange: Exchange) -> None:
        asked = _asked(exchange)
        name = str(asked.get("model") or asked.get("name") or "")
        model = self._find(name)
        if not name:
            answer_json({"error": "model is required"}, 400)(exchange)
        elif model is None:
            answer_json({"error": f"model '{name}' not found"}, 404)(exchange)
        else:
            answer_json(_shown(model))(exchange)

    def _delete(self, exchange: Exchange) -> None:
        name = str(_asked(exchange).get("model", ""))
        model = self._find(name)
        if model is None:
            answer_json({"error": f"model '{name}' not found"}, 404)(exchange)
            return
        self.models.remove(model)
        answer_text("", 200)(exchange)

    def _chat(self, exchange: Exchange) -> None:
        asked = _asked(exchange)
        model = self._find(str(asked.get("model", "")))
        if model is None:
            self._not_found(str(asked.get("model", "")), exchange)
        elif only_loads(exchange.request):
            self._load(model["name"], asked, exchange)
        else:
            chat = exchange.request.path == "/api/chat"
            stream(self.chat_lines if chat else self.generate_lines)(exchange)

    def _embed(self, exchange: Exchange) -> None:
        asked = _asked(exchange)
        name, texts = str(asked.get("model", "")), asked.get("input") or []
        model = self._find(name)
        if model is None:
            text = f'model "{name}" not found, try pulling it first'
            answer_json({"error": text}, 404)(exchange)
        elif self._at_least(0, 30) and "embedding" not in model["capabilities"]:
            text = "This server does not support embeddings. Start it with `--embeddings`"
            answer_json({"error": text}, 501)(exchange)
        else:
            texts = [texts] if isinstance(texts, str) else texts
            self._note_loaded(model["name"])
            answer_json(
                {
                    "model": name,
                    "embeddings": [embedding(text) for text in texts],
                    "total_duration": 15532689,
                    "load_duration": 1015485,
                    "prompt_eval_count": 3 * len(texts),
                }
            )(exchange)

    def _not_found(self, name: str, exchange: Exchange) -> None:
        text = f"model '{name}' not found"
        if not self._at_least(0, 10):
            text = f'model "{name}" not found, try pulling it first'
        answer_json({"error": text}, 404)(exchange)

    def _load(self, name: str, asked: dict[str, Any], exchange: Exchange) -> None:
        unload = asked.get("keep_alive") == 0
        self._note_loaded(name, unload=unload)
        chat = exchange.request.path == "/api/chat"
        body = {
            "model": asked["model"],
            "created_at": CREATED_AT,
            **({"message": {"role": "assistant", "content": ""}} if chat else {"response": ""}),
            "done": True,
            "done_reason": "unload" if unload else "load",
        }
        answer_json(body)(exchange)

    def _note_loaded(self, name: str, *, unload: bool = False) -> None:
        if self.loaded is not None:
            self.loaded = [n for n in self.loaded if n != name] + ([] if unload else [name])

    def _find(self, name: str) -> dict[str, Any] | None:
        """Find a model as Ollama does: whatever the case, `:latest` understood."""
        wanted = name.lower() if ":" in name.rpartition("/")[2] else f"{name}:latest".lower()
        return next((m for m in self.models if m["name"].lower() == wanted), None)

    def _at_least(self, *wanted: int) -> bool:
        numbers = tuple(int(part) for part in self.version.split("-")[0].split("."))
        return numbers >= wanted


def only_loads(request: ReceivedRequest) -> bool:
    """Tell whether a request only loads or unloads a model (ollama-api.md 1.5)."""
    if request.method != "POST" or request.path not in _ASKED:
        return False
    asked = _object(request)
    return bool(asked.get("model")) and not asked.get(_ASKED[request.path])


def _shown(model: dict[str, Any]) -> dict[str, Any]:
    """Return /api/show's answer, without the long lists that no gateway reads."""
    context = model["details"].get("context_length", 8192)
    shown: dict[str, Any] = {
        "modelfile": "# Modelfile",
        "parameters": f'{"stop":<30} "<|im_end|>"',
        "template": "{{- range .Messages }}{{ .Content }}{{ end }}",
        "details": model["details"],
        "model_info": {"general.architecture": "llama", "llama.context_length": context},
        "tensors": [],
        "capabilities": model.get("capabilities", ["completion"]),
        "modified_at": model["modified_at"],
    }
    shown.update((name, model[name]) for name in ("remote_model", "remote_host") if name in model)
    return shown


def _without_lengths(details: dict[str, Any]) -> dict[str, Any]:
    lengths = ("context_length", "embedding_length")
    return {name: value for name, value in details.items() if name not in lengths}


def _asked(exchange: Exchange) -> dict[str, Any]:
    return _object(exchange.request)


def _object(request: ReceivedRequest) -> dict[str, Any]:
    try:
        asked = request.json
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}


def _is_local(origin: str | None) -> bool:
    """Ollama's own rule: a page from elsewhere is refused, by 403 without a body."""
    return origin is None or urlsplit(origin).hostname in ("localhost", "127.0.0.1", "0.0.0.0")

"""What `tensoria up` finds on this machine: an Ollama, another engine, or neither."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from tensoria.cli.failures import CommandError
from tensoria.config import Settings

# Connecting and each read. An Ollama that is there answers /api/version in milliseconds.
_TIMEOUT_SECONDS = (2, 5)
# Whoever sets one of these means an Ollama, and is not served by a demo model instead.
_BY_HAND = ("OLLAMA_BASE_URL", "OLLAMA_PORT", "ENGINE")
_INSTEAD = "Start it, or use the demo model with `tensoria up --embedded`."


@dataclass(frozen=True)
class Found:
    """An engine that answers."""

    description: str
    models: tuple[str, ...] | None  # those that chat; None: it does not tell


def find_engine(environ: Mapping[str, str], settings: Settings) -> Found | None:
    """Return the engine that the settings name; None: none answers, and none was asked for.

    Raise CommandError when one that was set by hand does not answer.
    """
    found = _openai(settings) if settings.engine == "openai" else _ollama(settings)
    if found is not None:
        return found
    url = settings.engine_base_url
    if settings.engine == "openai":
        raise CommandError(f"ENGINE_BASE_URL is set, and no engine answers at {url}. {_INSTEAD}")
    by_hand = [name for name in _BY_HAND if environ.get(name)]
    if by_hand:
        raise CommandError(f"{by_hand[0]} is set, and no Ollama answers at {url}. {_INSTEAD}")
    return None


def _ollama(settings: Settings) -> Found | None:
    """Tell an Ollama by its version; anything else on its port is none."""
    version = _get_json(f"{settings.engine_base_url}/api/version").get("version")
    if not isinstance(version, str):
        return None
    listed = _get_json(f"{settings.engine_base_url}/api/tags").get("models")
    return Found(f"Ollama {version} at {settings.engine_base_url}", _names(listed, "name"))


def _names(listed: object, key: str) -> tuple[str, ...] | None:
    """Return the names of the models that chat; None where there is no list."""
    if not isinstance(listed, list):
        return None
    models = [model for model in listed if isinstance(model, dict)]
    return tuple(
        model[key] for model in models if isinstance(model.get(key), str) and _chats(model)
    )


def _chats(model: dict[str, Any]) -> bool:
    """Before 0.30 the list does not tell what a model can do."""
    return "completion" in (model.get("capabilities") or ("completion",))


def _openai(settings: Settings) -> Found | None:
    """Take any answer short of a server error; what is wrong with the key, /ready will tell."""
    response = _get(f"{settings.engine_base_url}/models", settings.engine_api_key)
    if response is None or response.status_code >= 500:
        return None
    label = settings.engine_label or "OpenAI-compatible engine"
    names = _names(_json(response).get("data"), "id")
    return Found(f"{label} at {settings.engine_base_url}", names)


def _get_json(url: str) -> dict[str, Any]:
    return _json(_get(url))


def _json(response: requests.Response | None) -> dict[str, Any]:
    """Return the JSON object of an answer, empty where there is none."""
    try:
        body = response.json() if response is not None and response.ok else {}
    except requests.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _get(url: str, key: str | None = None) -> requests.Response | None:
    """Ask as the gateway will: without proxies, .netrc or redirects."""
    # As bytes: http.client takes no text beyond latin-1.
    headers = {"Authorization": f"Bearer {key}".encode()} if key else {}
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(
                url, headers=headers, timeout=_TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException:
            return None

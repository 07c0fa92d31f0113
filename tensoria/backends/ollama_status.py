"""What the operator of an Ollama should know: its release, and models that are not there."""

from tensoria.backends.base import EngineStatus
from tensoria.backends.ollama_client import OllamaClient
from tensoria.backends.ollama_models import OllamaModels
from tensoria.backends.ollama_wedged import Wedged
from tensoria.backends.status import dead_ends, hidden
from tensoria.config import Settings
from tensoria.errors import TensoriaError
from tensoria.translate.traits import to_version

# The first release that takes `truncate: false`: before it, an overflow cannot be seen.
OVERFLOW_SINCE = (0, 12, 6)


def fetch_status(
    client: OllamaClient, models: OllamaModels, settings: Settings, wedged: Wedged
) -> EngineStatus:
    """Ask the engine; raises what it answers instead of a version or a list."""
    version = client.version()
    installed = [entry["name"] for entry in models.installed()]
    warnings = [
        *wedged.warnings(),
        *_about_models(models, settings, installed),
        *hidden(models.aliases, installed),
        *dead_ends(models.aliases, models.resolve),
        *_about_release(version),
    ]
    return EngineStatus("ollama", version, tuple(warnings))


def _about_models(models: OllamaModels, settings: Settings, installed: list[str]) -> list[str]:
    if not installed:
        wanted = models.aliases.meant(settings.default_model)
        return [f"No model is installed; for example: ollama pull {wanted}"]
    try:
        models.resolve(None)
    except TensoriaError as error:
        return [error.message]
    return []


def _about_release(version: str) -> list[str]:
    release = to_version(version)
    if release is None or release >= OVERFLOW_SINCE:
        return []
    return [
        f"Ollama {version} cuts a prompt that is longer than the context without a word; "
        "0.12.6 and later refuse it."
    ]

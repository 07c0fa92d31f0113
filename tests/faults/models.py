"""The one model of every engine here: it chats, completes and embeds."""

from tests.backends.fake_openai import speak_openai
from tests.fake_ollama import FakeOllama, model_entry
from tests.fake_ollama.lines import MODEL


def offer_models(fake: FakeOllama, engine: str) -> None:
    """Make the fake list the model as this kind of engine does."""
    if engine == "openai":
        speak_openai(fake, MODEL)
    else:
        fake.models = [model_entry(capabilities=("completion", "embedding"))]

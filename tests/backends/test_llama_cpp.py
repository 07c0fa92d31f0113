"""What llama.cpp's server tells of its model, and a server that does not tell it."""

import pytest

from tensoria.backends.llama_cpp import LlamaCppProps
from tensoria.config import Settings
from tests.fake_ollama import FakeOllama, Handler, answer_html, answer_json, close

WITHOUT_TOOLS = {"chat_template_caps": {"supports_tools": False}}


def props(fake: FakeOllama, path: str = "") -> LlamaCppProps:
    variables = {
        "ENGINE": "openai",
        "ENGINE_BASE_URL": f"{fake.url}{path}",
        "ENGINE_API_KEY": "sk-engine",
    }
    return LlamaCppProps(Settings.from_env(variables))


@pytest.mark.parametrize("path", ["", "/v1", "/v1/"])
def test_props_stand_above_v1_and_are_asked_for_with_the_key(fake: FakeOllama, path: str) -> None:
    fake.script("/props", answer_json(WITHOUT_TOOLS))
    assert props(fake, path).denied() == {"tools"}
    (asked,) = fake.received("/props")
    assert asked.headers["authorization"] == "Bearer sk-engine"


def test_props_are_asked_for_once_in_a_while(fake: FakeOllama) -> None:
    fake.script("/props", answer_json(WITHOUT_TOOLS))
    found = props(fake)
    assert found.denied() == found.denied() == {"tools"}
    assert len(fake.received("/props")) == 1


@pytest.mark.parametrize("handler", [answer_json({}, 404), answer_html(), close])
def test_server_that_tells_nothing_denies_nothing(fake: FakeOllama, handler: Handler) -> None:
    fake.script("/props", handler)
    assert props(fake).denied() == frozenset()

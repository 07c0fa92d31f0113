"""Vercel's AI SDK against the service, by Responses (its default) and by Anthropic's messages.

The program runs once (clients/vercel_node.mjs), and each test looks at one part of its report.
"""

import pytest

from tests.e2e.models import Report, node, report_of, service_of_models

pytestmark = pytest.mark.e2e

ANSWER = "4 C in Oslo, 4 C in Rome"
# A step: how it ended, its calls, their results, and what the SDK warned of.
OSLO = ["tool-calls", [["weather", {"city": "Oslo"}]], ["4 C in Oslo"], []]
ROME = ["tool-calls", [["weather", {"city": "Rome"}]], ["4 C in Rome"], []]
SAID = ["stop", [], [], []]
LOOPED = {"text": ANSWER, "reason": "stop", "tokens": [100, 25], "steps": [OSLO, ROME, SAID]}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What the program saw."""
    command = node("vercel_node.mjs", "ai")
    with service_of_models(tmp_path_factory.mktemp("service")) as service:
        return report_of(command, service, tmp_path_factory.mktemp("client"), "/v1")


@pytest.fixture(params=["responses", "messages"])
def way(request: pytest.FixtureRequest) -> str:
    """One of the ways."""
    name: str = request.param
    return name


def test_generated_and_streamed_text_are_the_same(report: Report, way: str) -> None:
    said = {"text": "Hello", "reason": "stop", "tokens": [27, 8], "steps": [SAID]}

    assert report[way]["text"] == {"whole": said, "streamed": said, "texts": ["Hel", "lo"]}


def test_tools_are_called_in_several_steps(report: Report, way: str) -> None:
    assert report[way]["tools"] == {"whole": LOOPED, "streamed": LOOPED, "texts": [ANSWER]}


def test_tools_are_called_in_several_steps_by_chat_completions(report: Report) -> None:
    assert report["chat"] == {"whole": LOOPED, "streamed": LOOPED, "texts": [ANSWER]}


def test_a_tool_can_be_required(report: Report, way: str) -> None:
    called = {"text": "", "reason": "tool-calls", "tokens": [27, 8], "steps": [OSLO]}

    assert report[way]["forced"] == {"whole": called, "streamed": called, "texts": []}


def test_instructions_reach_the_model(report: Report, way: str) -> None:
    assert report[way]["instructed"] == "Be brief.|Hi"


def test_only_what_no_engine_has_is_ignored(report: Report) -> None:
    """How tools are streamed (`eager_input_streaming`), and a budget of thoughts."""
    assert report["ignored"] == ["thinking.*", "tools.*"]


def test_an_object_comes_in_its_form(report: Report, way: str) -> None:
    assert report[way]["object"] == ["Oslo", "stop", []]


def test_an_output_comes_in_its_form_whole_and_streamed(report: Report, way: str) -> None:
    assert report[way]["output"] == ["Oslo", "Oslo"]


@pytest.mark.parametrize("step", ["thoughts", "thoughts streamed"])
def test_thoughts_are_read(report: Report, way: str, step: str) -> None:
    assert report[way][step] == "Hm."


def test_a_stream_that_breaks_off_ends_with_an_error(report: Report, way: str) -> None:
    assert report[way]["broken"] == [["Hel"], True, "error"]


def test_a_refusal_has_its_status_and_words(report: Report, way: str) -> None:
    assert report[way]["unknown model"] == {
        "status": 404,
        "message": "The model 'none' does not exist. To install it: ollama pull none",
        "retryable": False,
    }


def test_the_service_remembers_what_is_not_sent_again(report: Report) -> None:
    """Once by the response's id; once the history is sent, with its items by reference."""
    assert report["remembered"] == {"second": "One|One|Two", "third": "One|One|Three"}

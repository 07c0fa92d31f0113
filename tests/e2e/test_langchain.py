"""LangChain's models by Responses, chat completions and Anthropic's messages, against the service.

The program runs once (clients/frameworks), and each test looks at one part of its report. A warning
of LangChain's ends it.
"""

from typing import Any

import pytest

from tests.e2e.models import Report, framework, report_of, service_of_models

pytestmark = pytest.mark.e2e

# What each way calls the end of an answer, and of one that calls a tool.
ENDS = {
    "responses": ("completed", "completed"),
    "chat": ("stop", "tool_calls"),
    "messages": ("end_turn", "tool_use"),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What the program saw."""
    command = framework("langchain_program.py")
    with service_of_models(tmp_path_factory.mktemp("service")) as service:
        return report_of(command, service, tmp_path_factory.mktemp("client"), "")


@pytest.fixture(params=ENDS)
def way(request: pytest.FixtureRequest) -> str:
    """One of the ways."""
    name: str = request.param
    return name


@pytest.mark.parametrize("step", ["invoked", "streamed"])
def test_an_answer_has_its_text_end_model_and_usage(report: Report, way: str, step: str) -> None:
    assert report["ways"][way][step] == {
        "text": "Hello",
        "reason": ENDS[way][0],
        "model": "smollm2:135m",
        "tokens": [27, 8],
    }


@pytest.mark.parametrize("streaming", [False, True])
def test_tools_are_called_one_after_the_other(report: Report, way: str, streaming: bool) -> None:
    end, call = ENDS[way]
    looped: dict[str, Any] = report["ways"][way]["tools"][streaming]

    assert looped == {
        "calls": [["weather", {"city": "Oslo"}, call], ["weather", {"city": "Rome"}, call]],
        "text": "4 C in Oslo, 4 C in Rome",
        "reason": end,
        "model": "calls-twice",
        "tokens": [60, 5],
    }


def test_an_answer_comes_in_its_form(report: Report, way: str) -> None:
    assert report["ways"][way]["structured"] == "Oslo"


def test_instructions_reach_the_model(report: Report, way: str) -> None:
    assert report["ways"][way]["instructed"] == "Be brief.|Hi"


def test_only_a_budget_of_thoughts_is_ignored(report: Report) -> None:
    assert report["ignored"] == ["thinking.*"]


def test_the_service_remembers_what_is_not_sent_again(report: Report) -> None:
    """The model repeats all that it was told, so each turn doubles what was before."""
    said = "One|One|Two|One|One|Two|Three"

    assert report["remembered"] == {"whole": said, "streamed": said}


@pytest.mark.parametrize("thinking", ["kept", "not kept", "messages"])
def test_thoughts_stand_before_the_text_and_can_be_sent_back(report: Report, thinking: str) -> None:
    assert report["thoughts"][thinking] == {
        "blocks": [["reasoning", "Hm."], ["text", "Hi"]],
        "then": "Hi",
    }

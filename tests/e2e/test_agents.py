"""OpenAI's Agents SDK against the service: runs, tools, streams and sessions.

The program runs once (clients/frameworks), and each test looks at one part of its report.
"""

import pytest

from tests.e2e.models import Report, framework, report_of, service_of_models

pytestmark = pytest.mark.e2e

ANSWER = "4 C in Oslo, 4 C in Rome"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What the program saw."""
    command = framework("agents_program.py")
    with service_of_models(tmp_path_factory.mktemp("service")) as service:
        return report_of(command, service, tmp_path_factory.mktemp("client"), "/v1")


@pytest.mark.parametrize("step", ["whole", "streamed"])
def test_a_run_calls_its_tool_until_it_has_an_answer(report: Report, step: str) -> None:
    run = report[step]

    assert run["answer"] == ANSWER
    assert run["items"] == [
        "tool_call_item",
        "tool_call_output_item",
        "tool_call_item",
        "tool_call_output_item",
        "message_output_item",
    ]


@pytest.mark.parametrize("step", ["whole", "streamed"])
def test_a_run_adds_up_the_usage_of_its_requests(report: Report, step: str) -> None:
    assert report[step]["usage"] == [3, 20 + 20 + 60, 10 + 10 + 5]


def test_a_streamed_run_tells_its_steps(report: Report) -> None:
    run = report["streamed"]

    assert run["names"] == [
        "tool_called",
        "tool_output",
        "tool_called",
        "tool_output",
        "message_output_created",
    ]
    assert (run["deltas"], run["completed"]) == (1, 3)


def test_a_run_follows_up_on_another_by_its_id(report: Report) -> None:
    assert report["chained"] == {"answer": "One|One|Two", "looped": ANSWER}


def test_a_session_is_kept_by_the_service(report: Report) -> None:
    session = report["session"]

    assert (session["first"], session["second"]) == ("One", "One|One|Two")
    assert session["looped"] == ANSWER
    assert session["items"] == [
        *["message"] * 5,
        *["function_call", "function_call_output"] * 2,
        "message",
    ]


def test_an_item_can_be_taken_back_from_a_session(report: Report) -> None:
    assert (report["session"]["popped"], report["session"]["left"]) == (ANSWER, 9)


def test_a_run_ends_in_a_form(report: Report) -> None:
    assert report["placed"] == "Oslo"


def test_a_run_can_require_its_tool(report: Report) -> None:
    assert report["forced"] == "4 C in Oslo"


def test_instructions_reach_the_model(report: Report) -> None:
    assert report["instructed"] == "Be brief.|Hi"


def test_only_the_strictness_of_a_tool_is_ignored(report: Report) -> None:
    """No engine holds a model to the schema of a tool that it need not call."""
    assert report["ignored"] == ["tools.*"]

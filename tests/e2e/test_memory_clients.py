"""Responses that are kept, by OpenAI's own clients, against the real service.

Each client runs the same steps once (clients/), and each test looks at one part of its report.
"""

import sys
from collections.abc import Iterator

import pytest

from tests.e2e.models import Report, node, report_of, service_of_models
from tests.e2e.service import Service

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service_of_models(tmp_path_factory.mktemp("service")) as started:
        yield started


def _python() -> list[str]:
    """The newest client, in the extra `dev`; a warning about our answers is an error."""
    return [sys.executable, "-W", "error", "memory_python.py"]


def _node() -> list[str]:
    return node("memory_node.mjs", "openai")


COMMANDS = {"python": _python, "node": _node}


@pytest.fixture(scope="module", params=COMMANDS)
def report(
    request: pytest.FixtureRequest, service: Service, tmp_path_factory: pytest.TempPathFactory
) -> Report:
    """What one client saw."""
    command = COMMANDS[request.param]()
    return report_of(command, service, tmp_path_factory.mktemp("client"), "/v1")


def test_the_client_follows_up_on_a_response(report: Report) -> None:
    assert report["chain"]["second"] == "One|One|Two"
    assert report["chain"]["streamed"] == "One|One|Three"
    assert report["chain"]["parsed"] == "Oslo"


def test_the_client_reads_a_response_again(report: Report) -> None:
    assert report["chain"]["same"] is True
    assert report["chain"]["metadata"] == {"topic": "x"}


def test_the_client_lists_what_a_response_was_asked(report: Report) -> None:
    assert report["chain"]["items"] == ["Two"]


def test_a_deleted_response_is_gone_for_the_client(report: Report) -> None:
    chain = report["chain"]

    assert chain["deleted"]["class"] == "NotFoundError"
    assert (chain["followed"]["class"], chain["followed"]["param"]) == (
        "BadRequestError",
        "previous_response_id",
    )


def test_the_client_loops_over_tools_and_sends_their_results_alone(report: Report) -> None:
    looped = {"cities": ["Oslo", "Rome"], "answer": "4 C, 4 C", "tokens": 65}

    assert report["tools"] == [looped, looped]


def test_the_client_polls_an_answer_in_the_background(report: Report) -> None:
    assert report["background"] == {"first": "queued", "last": "completed", "text": "Hello"}


def test_the_client_goes_on_where_it_left_a_stream(report: Report) -> None:
    assert report["resumed"] == {
        "in order": True,
        "before": "Hel",
        "after": "lo",
        "last": "response.completed",
        "whole": "Hello",
        "helped": "response.completed",
    }


def test_the_client_cancels(report: Report) -> None:
    assert report["cancelled"] == {"status": "cancelled", "kept": "cancelled"}


def test_the_client_talks_in_a_conversation(report: Report) -> None:
    conversation = report["conversation"]

    assert conversation["named"] is True
    assert conversation["said"] == "Before.|One"
    assert conversation["streamed"] == "Before.|One|Before.|One|Two"


def test_the_client_reads_and_changes_a_conversation(report: Report) -> None:
    conversation = report["conversation"]

    assert conversation["roles"] == ["user", "user", "assistant", "user", "assistant"]
    assert conversation["one"] == "One"
    assert conversation["left"] == 4
    assert conversation["metadata"] == {"topic": "y"}


def test_a_deleted_conversation_is_gone_for_the_client(report: Report) -> None:
    assert report["conversation"]["deleted"]["class"] == "NotFoundError"


@pytest.mark.parametrize(
    ("step", "seen"),
    [
        ("unknown response", ("NotFoundError", None)),
        ("unknown previous", ("BadRequestError", "previous_response_id")),
        ("unknown conversation", ("BadRequestError", "conversation")),
        ("not in the background", ("BadRequestError", "background")),
    ],
)
def test_the_client_raises_the_class_that_programs_catch(
    report: Report, step: str, seen: tuple[str, str | None]
) -> None:
    error = report["errors"][step]

    assert (error["class"], error["param"]) == seen

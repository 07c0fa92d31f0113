"""The wait for a turn, as the view sees it: who asks, for what, and until when."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from flask import g

from tensoria.admission.tickets import Ticket
from tensoria.api.accounts import open_account
from tensoria.api.record import record
from tensoria.api.services import backend, client, engine, explains, key, services, this_request
from tensoria.backends.base import AnswerId, Backend, Explained

Opened = TypeVar("Opened")
Open = Callable[[Backend], Opened]


def in_turn(
    open_answer: Callable[[Backend, AnswerId], Opened], asked: Mapping[str, Any], answer: AnswerId
) -> tuple[Opened, Ticket]:
    """Wait for a turn and open the answer; whoever ends the answer closes both, the ticket last.

    Runs of the answer may have more slots than the ticket's own.
    """
    ticket = enter(lambda backend: open_answer(backend, answer), asked)
    try:
        return open_answer(engine(), replace(answer, slots=ticket)), ticket
    except BaseException:
        client().stop_watching()
        ticket.close()
        raise


def enter(open_answer: Open[Any], asked: Mapping[str, Any], *, embeds: bool = False) -> Ticket:
    """Return a ticket that runs; whoever has it closes it when the answer is over.

    Raises what `open_answer` would raise without the engine, 429 or 503 where no place is left,
    503 after QUEUE_TIMEOUT and 499 when the client leaves.
    """
    allowed = backend()
    if explains():
        # It raises what it has to say, and runs nothing: no slot is taken.
        g.runs = _turns(asked)
        open_answer(allowed.dry())
    place = (allowed.resolve(asked.get("model"), embeds=embeds), embeds)
    end_user = open_account(asked)
    ticket = services().admission.enter(
        place, _caller(end_user), turns=_turns(asked), check=lambda: _check(open_answer, allowed)
    )
    if ticket.position is not None:
        record().waits(ticket.position)
        try:
            ticket.wait(client().gone)
        finally:
            record().waited(ticket.position, ticket.queued_seconds)
    record().runs(place[0])
    return ticket


def _caller(end_user: str | None) -> str:
    asked, used = this_request(), key()
    forwarded = asked.environ.get("HTTP_X_FORWARDED_FOR", "")
    name = None if used is None else used.name
    return services().callers.name(name, asked.remote_addr, forwarded, end_user=end_user)


def _turns(asked: Mapping[str, Any]) -> int:
    """Count the runs that make the answer; a list of inputs is embedded in one."""
    prompts = len(asked["prompt"]) if "prompt" in asked else 1
    return int(asked.get("n", 1)) * prompts


def _check(open_answer: Open[Any], backend: Backend) -> None:
    """What is wrong with a request is told before it waits: opened dry, it says so."""
    try:
        open_answer(backend.dry())
    except Explained:
        return

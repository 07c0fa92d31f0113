"""One stream of the soak: what it asks for, how it is left, and whether its end was honest."""

import asyncio
import contextlib
import json
import random
import socket
import struct
from dataclasses import dataclass

# Far more than the slowest stream takes, so that what reaches it hangs.
LIMIT_SECONDS = 90.0
# Of every hundred streams so many meet the fault, by the end of the model's name in the mock.
FAULTS = {"error line": 6, "cut": 6, "stall": 4, "slow first token": 6}
LEAVES = ("close", "reset", "half-close")
ABORTED_OF_HUNDRED = 25
# Longer than the STREAM_IDLE_TIMEOUT that the soak sets.
STALL_MS = 3000
_ERROR = "error "
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """One request. `leave` says how the client ends it, after so many seconds at most."""

    model: str
    tokens: int
    fault: str | None = None
    leave: str | None = None
    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a stream ended: finished, error event, error status, left, or a lie.

    `reason` is the error's code, or what the lie is.
    """

    end: str
    reason: str = ""


def models(tokens: int, ms: int) -> dict[str | None, str]:
    """Return the mock's model for each fault; None is the one that does all well."""
    plain = f"mock-{tokens}t-{ms}ms"
    return {
        None: plain,
        "error line": f"{plain}-err{tokens // 3}",
        "cut": f"{plain}-die{tokens // 2}",
        "stall": f"mock-3t-{STALL_MS}ms",
        "slow first token": f"{plain}-ft{20 * ms}ms",
    }


def plan(chance: random.Random, tokens: int, ms: int) -> Plan:
    """Draw the next request."""
    faults = [*FAULTS, None]
    fault = chance.choices(faults, [*FAULTS.values(), 100 - sum(FAULTS.values())])[0]
    leave = chance.choice(LEAVES) if chance.random() * 100 < ABORTED_OF_HUNDRED else None
    return Plan(
        model=models(tokens, ms)[fault],
        tokens=3 if fault == "stall" else tokens,
        fault=fault,
        leave=leave,
        after_seconds=chance.uniform(0, tokens * ms / 1000),
    )


async def ask(port: int, key: str, planned: Plan) -> Verdict:
    """Send one request and read it to its end, or leave it as planned."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        return Verdict("lie", f"no connection: {type(error).__name__}")
    try:
        writer.write(_request(key, planned.model))
        return await asyncio.wait_for(_end(reader, writer, planned), LIMIT_SECONDS)
    except TimeoutError:
        return Verdict("lie", "it hangs")
    except OSError as error:
        return Verdict("lie", f"broken: {type(error).__name__}")
    finally:
        writer.transport.abort()


def _request(key: str, model: str) -> bytes:
    asked = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    body = json.dumps(asked).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _end(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, planned: Plan
) -> Verdict:
    if planned.leave is None:
        return verdict(await reader.read(), planned)
    try:
        return verdict(await asyncio.wait_for(reader.read(), planned.after_seconds), planned)
    except TimeoutError:
        await _leave(reader, writer, planned.leave)
        return Verdict("left")


async def _leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, how: str) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    if how == "half-close":
        writer.write_eof()
        # The gateway takes it for the end and hangs up; one that does not is found hanging.
        with contextlib.suppress(OSError):
            await reader.read()
        return
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    writer.transport.abort()


def verdict(answer: bytes, planned: Plan) -> Verdict:
    """Judge a whole answer, head and framing included.

    Honest is exactly one of: every token, a finish chunk and [DONE]; one error event and nothing
    after it; an error status with OpenAI's envelope.
    """
    head, parted, framed = answer.partition(b"\r\n\r\n")
    if not parted:
        return Verdict("lie", "the connection ended before the head")
    chunked = b"transfer-encoding: chunked" in head.lower()
    body = unchunked(framed) if chunked else framed
    if body is None:
        return Verdict("lie", "the body has no end")
    if head.split(b" ", 2)[1] != b"200":
        return _refusal(body)
    return _events(body, planned)


def unchunked(framed: bytes) -> bytes | None:
    """Take the HTTP chunks off a body; None when it is cut, or when more follows its end."""
    parts: list[bytes] = []
    while True:
        size, parted, framed = framed.partition(b"\r\n")
        if not parted or len(framed) < int(size, 16) + 2:
            return None
        length = int(size, 16)
        if length == 0:
            return b"".join(parts) if framed == b"\r\n" else None
        parts.append(framed[:length])
        framed = framed[length + 2 :]


def _refusal(body: bytes) -> Verdict:
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return Verdict("lie", "an error without the envelope")
    return Verdict("error status", str(code))


def _events(body: bytes, planned: Plan) -> Verdict:
    text: list[str] = []
    ends: list[str] = []
    for line in body.split(b"\n"):
        if not line or line.startswith(b":"):
            continue
        if not line.startswith(b"data: "):
            return Verdict("lie", "a line that is no event")
        if ends and ends[-1].startswith(("done", _ERROR)):
            return Verdict("lie", "an event after the end")
        _read(line[len(b"data: ") :], text, ends)
    return _judge("".join(text), ends, planned)


def _read(data: bytes, text: list[str], ends: list[str]) -> None:
    if data == b"[DONE]":
        ends.append("done")
        return
    event = json.loads(data)
    if "error" in event:
        ends.append(f"{_ERROR}{event['error']['code']}")
        return
    for choice in event["choices"]:
        text.append(choice["delta"].get("content") or "")
        if choice["finish_reason"]:
            ends.append("finish")


def _judge(text: str, ends: list[str], planned: Plan) -> Verdict:
    if len(ends) == 1 and ends[0].startswith(_ERROR):
        return Verdict("error event", ends[0].removeprefix(_ERROR))
    if ends != ["finish", "done"]:
        return Verdict("lie", f"its ends are {ends}")
    if planned.fault in ("error line", "cut"):
        return Verdict("lie", "the engine failed, and it says that all is well")
    if text != "".join(f"tok{number} " for number in range(planned.tokens)):
        return Verdict("lie", "tokens are missing, and it says that all is well")
    return Verdict("finished")

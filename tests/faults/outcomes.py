"""What a client gets, and what the engine saw of it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answered:
    """A whole answer; a stream has its finish chunk, and `[DONE]` where it is SSE."""

    text: str
    told: str = field(default="the whole answer", compare=False)

    def __str__(self) -> str:
        return self.told


@dataclass(frozen=True)
class Refused:
    """A status and the envelope with this code, and no byte of an answer."""

    status: int
    code: str

    def __str__(self) -> str:
        return f"{self.status} `{self.code}`"


@dataclass(frozen=True)
class Broken:
    """Status 200, this much of the text, and an error event with this code as the last word."""

    text: str
    code: str

    def __str__(self) -> str:
        return f"`{self.text}`, then an error event `{self.code}`"


Outcome = Answered | Refused | Broken


@dataclass(frozen=True)
class Seen:
    """How often the engine was asked, and whether it was hung up on before it was done."""

    asked: int
    left: bool = False

    def __str__(self) -> str:
        asked = ("nothing", "one request", "the request twice")[self.asked]
        return f"{asked}, hung up on" if self.left else asked

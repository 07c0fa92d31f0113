"""What `tensoria doctor` says of one thing that it looked at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tensoria.config import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong; `mend` is a line to type, or to put where it says."""

    problem: str
    mend: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It cannot be told whether something is wrong."""

    why: str


Said = Finding | Unknown
# Says nothing where all is well.
Check = Callable[[], Iterable[Said]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the doctor was asked to look at."""

    settings: Settings
    url: str | None

"""Recordings of real Ollama servers, and ways to cut their bytes elsewhere."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "recordings"
RELEASES = ("0.9.6", "0.24.0", "0.32.15")

# Either a piece length in bytes, or the positions at which to cut.
Cut = int | Sequence[int]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The bytes of one HTTP chunk, and when they came, in milliseconds since the request."""

    at_ms: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """One exchange with a real server; `recordings/README.md` says what each member holds."""

    release: str
    name: str
    method: str
    path: str
    request: Any
    status: int
    headers: tuple[tuple[str, str], ...]
    head_ms: float
    chunks: tuple[Chunk, ...]
    ended: str

    @classmethod
    def load(cls, release: str, name: str) -> "Recording":
        """Read one recording; FileNotFoundError when there is none of this name."""
        return _load(FOLDER / release / f"{name}.json")

    @classmethod
    def all(cls) -> list["Recording"]:
        """Read every recording of the project, by release and name."""
        return [_load(path) for release in RELEASES for path in _files(release)]

    @property
    def body(self) -> bytes:
        """The whole body, without HTTP's framing."""
        return b"".join(chunk.data for chunk in self.chunks)

    @property
    def id(self) -> str:
        """Release and name, as test names show them."""
        return f"{self.release}/{self.name}"


def pieces(data: bytes, cut: Cut) -> list[bytes]:
    """Cut bytes into pieces of `cut` bytes, or at the positions that `cut` lists."""
    if not isinstance(cut, int):
        borders = [0, *sorted({at for at in cut if 0 < at < len(data)}), len(data)]
    else:
        borders = [*range(0, len(data), cut), len(data)]
    return [data[start:end] for start, end in pairwise(borders)]


def odd_cuts(data: bytes) -> list[int]:
    """Return positions to cut at: every seven bytes, and inside each letter of several bytes."""
    inside_letters = [at for at, byte in enumerate(data) if byte & 0b11000000 == 0b10000000]
    return sorted({*range(7, len(data), 7), *inside_letters})


def random_cuts(length: int, seed: int) -> list[int]:
    """Return positions to cut at: a third of them make pieces of one byte, the rest up to 400."""
    source = random.Random(seed)  # noqa: S311 (a reproducible test, not a secret)
    positions = [0]
    while positions[-1] < length:
        step = 1 if source.random() < 1 / 3 else source.randint(2, 400)
        positions.append(positions[-1] + step)
    return positions[1:-1]


def _files(release: str) -> list[Path]:
    return sorted((FOLDER / release).glob("*.json"))


@cache
def _load(path: Path) -> Recording:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    request, response = recorded["request"], recorded["response"]
    return Recording(
        release=recorded["ollama"],
        name=recorded["name"],
        method=request["method"],
        path=request["path"],
        request=request.get("json"),
        status=response["status"],
        headers=tuple((name, value) for name, value in response["headers"]),
        head_ms=response["head_ms"],
        chunks=tuple(Chunk(c["at_ms"], c["text"].encode()) for c in response["chunks"]),
        ended=response["ended"],
    )

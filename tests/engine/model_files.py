"""Model files made and read in a test: safetensors, as Hugging Face writes it, and GGUF."""

import json
import struct
from pathlib import Path
from typing import Any

from tensoria.engine.gguf import Shape

SHAPE = Shape(
    name="tiny",
    license="apache-2.0",
    layers=1,
    heads=2,
    width=3,
    inner_width=5,
    context=4,
    epsilon=1e-12,
)
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "##s", "[", "##", "olá")
VOCABULARY = "".join(f"{word}\n" for word in WORDS).encode()
_SIZES = {4: "I", 5: "i", 6: "f", 7: "?"}


def safetensors(tensors: dict[str, tuple[list[int], list[float]]]) -> bytes:
    """Return the bytes of a file with these tensors (shape, numbers), in this order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, (shape, numbers) in tensors.items():
        start = len(data)
        data += struct.pack(f"<{len(numbers)}f", *numbers)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class Gguf:
    """What a GGUF holds: `values` by key, and `tensors` by name as (dimensions, numbers)."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        self._at = 4
        assert self._data[:4] == b"GGUF"
        self.version = self._take("I")
        tensors, values = self._take("Q"), self._take("Q")
        self.values = {self._string(): self._value(self._take("I")) for _ in range(values)}
        infos = [self._info() for _ in range(tensors)]
        weights = self._at + -self._at % 32
        self.offsets = [offset for *_, offset in infos]
        self.tensors = {
            name: (dimensions, self._numbers(weights + offset, dimensions))
            for name, dimensions, offset in infos
        }

    def _take(self, kind: str) -> Any:
        (value,) = struct.unpack_from(f"<{kind}", self._data, self._at)
        self._at += struct.calcsize(f"<{kind}")
        return value

    def _string(self) -> str:
        return str(self._take(f"{self._take('Q')}s").decode())

    def _value(self, kind: int) -> Any:
        if kind == 8:
            return self._string()
        if kind == 9:
            of = self._take("I")
            return [self._value(of) for _ in range(self._take("Q"))]
        return self._take(_SIZES[kind])

    def _info(self) -> tuple[str, tuple[int, ...], int]:
        name = self._string()
        dimensions = tuple(self._take("Q") for _ in range(self._take("I")))
        assert self._take("I") == 0, "float32"
        return name, dimensions, self._take("Q")

    def _numbers(self, start: int, dimensions: tuple[int, ...]) -> tuple[float, ...]:
        count = 1
        for length in dimensions:
            count *= length
        return struct.unpack_from(f"<{count}f", self._data, start)

"""A BERT model from Hugging Face's files to GGUF: a new header, and the same weights after it.

llama.cpp's own converter needs torch; for float32 weights that are not quantised there is nothing
to compute. Formats: github.com/ggml-org/ggml/blob/master/docs/gguf.md and
huggingface.co/docs/safetensors; names and special cases are those of convert_hf_to_gguf.py
(BertModel).
"""

import json
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_VERSION = 3
_ALIGNMENT = 32
_BLOCK_BYTES = 1 << 20
# The types of values in the header, and of weights.
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_F32_WEIGHTS = 0
_NORMAL, _CONTROL = 1, 3
_MEAN_POOLING = 1

_PARTS = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
_SPECIAL = {
    "bos": "[CLS]",
    "eos": "[SEP]",
    "unknown": "[UNK]",
    "seperator": "[SEP]",  # llama.cpp's own spelling
    "padding": "[PAD]",
    "cls": "[CLS]",
    "mask": "[MASK]",
}


@dataclass(frozen=True)
class Shape:
    """What a BERT model's config.json says, as far as an engine needs it."""

    name: str
    license: str
    layers: int
    heads: int
    width: int
    inner_width: int
    context: int
    epsilon: float


@dataclass(frozen=True)
class Tensor:
    """One array of float32 numbers: its place in the source, in bytes, and its name in GGUF."""

    name: str
    dimensions: tuple[int, ...]
    start: int
    size: int


def convert(weights: Path, vocabulary: Path, shape: Shape, target: Path) -> None:
    """Write `target` from a safetensors file and a vocab.txt, through to the disk.

    Both are trusted to be what `shape` says, so their hashes have to be checked before. The same
    files always give the same bytes. Raise OSError, for instance when the disk is full.
    """
    with weights.open("rb") as source, target.open("wb") as output:
        tensors = _tensors(source)
        words = vocabulary.read_text("utf-8").split("\n")[:-1]
        output.write(_header(tensors, _metadata(shape, words)))
        for tensor in tensors:
            source.seek(tensor.start)
            _copy(source, output, tensor.size)
            output.write(bytes(-tensor.size % _ALIGNMENT))
        output.flush()
        os.fsync(output.fileno())


def _tensors(source: IO[bytes]) -> list[Tensor]:
    """Return the weights that llama.cpp uses, in the order in which they lie in the file."""
    (header_bytes,) = struct.unpack("<Q", source.read(8))
    entries: dict[str, Any] = json.loads(source.read(header_bytes))
    found = []
    for old, entry in entries.items():
        name = _new_name(old)
        if name is not None:
            start, end = entry["data_offsets"]
            # The fastest-changing dimension comes first in GGUF.
            dimensions = tuple(reversed(entry["shape"]))
            found.append(Tensor(name, dimensions, 8 + header_bytes + start, end - start))
    return sorted(found, key=lambda tensor: tensor.start)


def _new_name(old: str) -> str | None:
    """Return GGUF's name for a tensor; None for those without one.

    The pooler is not part of a sentence's mean, and position ids are just 0, 1, 2 …
    """
    part, _, kind = old.rpartition(".")
    block = ""
    if part.startswith("encoder.layer."):
        number, _, part = part.removeprefix("encoder.layer.").partition(".")
        block = f"blk.{number}."
    return f"{block}{_PARTS[part]}.{kind}" if part in _PARTS else None


def _metadata(shape: Shape, words: Sequence[str]) -> dict[str, bytes]:
    """Return the header's values, each with its type before it."""
    control = [word.startswith("[") and word.endswith("]") for word in words]
    return {
        "general.architecture": _text("bert"),
        "general.name": _text(shape.name),
        "general.license": _text(shape.license),
        "bert.block_count": _number(shape.layers),
        "bert.context_length": _number(shape.context),
        "bert.embedding_length": _number(shape.width),
        "bert.feed_forward_length": _number(shape.inner_width),
        "bert.attention.head_count": _number(shape.heads),
        "bert.attention.layer_norm_epsilon": struct.pack("<If", _FLOAT32, shape.epsilon),
        "bert.attention.causal": struct.pack("<I?", _BOOL, False),
        "bert.pooling_type": _number(_MEAN_POOLING),
        "tokenizer.ggml.model": _text("bert"),
        "tokenizer.ggml.token_type_count": _number(2),
        "tokenizer.ggml.tokens": _array(_STRING, [_string(_spelled(word)) for word in words]),
        "tokenizer.ggml.token_type": _array(
            _INT32, [struct.pack("<i", _CONTROL if one else _NORMAL) for one in control]
        ),
        **{
            f"tokenizer.ggml.{role}_token_id": _number(words.index(word))
            for role, word in _SPECIAL.items()
        },
    }


def _spelled(word: str) -> str:
    """Mark the pieces that begin a word, where BERT marks those that go on with one."""
    if word.startswith("[") and word.endswith("]"):
        return word
    return word.removeprefix("##") if word.startswith("##") else f"\u2581{word}"


def _header(tensors: Sequence[Tensor], metadata: dict[str, bytes]) -> bytes:
    parts = [b"GGUF", struct.pack("<IQQ", _VERSION, len(tensors), len(metadata))]
    parts += [_string(key) + value for key, value in metadata.items()]
    offset = 0
    for tensor in tensors:
        count = len(tensor.dimensions)
        parts.append(_string(tensor.name))
        parts.append(struct.pack(f"<I{count}QIQ", count, *tensor.dimensions, _F32_WEIGHTS, offset))
        offset += tensor.size + -tensor.size % _ALIGNMENT
    header = b"".join(parts)
    return header + bytes(-len(header) % _ALIGNMENT)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _text(text: str) -> bytes:
    return struct.pack("<I", _STRING) + _string(text)


def _number(number: int) -> bytes:
    return struct.pack("<II", _UINT32, number)


def _array(kind: int, items: Sequence[bytes]) -> bytes:
    return struct.pack("<IIQ", _ARRAY, kind, len(items)) + b"".join(items)


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    for start in range(0, size, _BLOCK_BYTES):
        target.write(source.read(min(_BLOCK_BYTES, size - start)))

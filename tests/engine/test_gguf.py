"""The converter, against a reader written from the format's description.

That llama.cpp takes what comes out, and computes the right numbers with it, tests/e2e shows.
"""

from pathlib import Path

import pytest

from tensoria.engine.gguf import convert
from tests.engine.model_files import SHAPE, VOCABULARY, WORDS, Gguf, safetensors

LAYER = "encoder.layer.0."


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.txt"
    path.write_bytes(VOCABULARY)
    return path


def converted(
    tmp_path: Path, vocabulary: Path, tensors: dict[str, tuple[list[int], list[float]]]
) -> Gguf:
    weights, target = tmp_path / "model.safetensors", tmp_path / "model.gguf"
    weights.write_bytes(safetensors(tensors))
    convert(weights, vocabulary, SHAPE, target)
    return Gguf(target)


def test_header_tells_the_models_shape(tmp_path: Path, vocabulary: Path) -> None:
    found = converted(tmp_path, vocabulary, {})
    values = {key: found.values[key] for key in found.values if not key.startswith("tokenizer.")}
    assert found.version == 3
    assert values.pop("bert.attention.layer_norm_epsilon") == pytest.approx(1e-12)
    assert values == {
        "general.architecture": "bert",
        "general.name": "tiny",
        "general.license": "apache-2.0",
        "bert.block_count": 1,
        "bert.context_length": 4,
        "bert.embedding_length": 3,
        "bert.feed_forward_length": 5,
        "bert.attention.head_count": 2,
        "bert.attention.causal": False,
        "bert.pooling_type": 1,
    }


def test_pieces_that_begin_a_word_are_marked(tmp_path: Path, vocabulary: Path) -> None:
    """BERT marks the others; llama.cpp's tokenizer looks words up with their space."""
    found = converted(tmp_path, vocabulary, {})
    assert found.values["tokenizer.ggml.model"] == "bert"
    assert found.values["tokenizer.ggml.tokens"] == [
        *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
        *("\u2581cat", "s", "\u2581[", "", "\u2581olá"),
    ]
    assert found.values["tokenizer.ggml.token_type"] == [3, 3, 3, 3, 3, 1, 1, 1, 1, 1]


def test_special_tokens_are_found_by_their_words(tmp_path: Path, vocabulary: Path) -> None:
    values = converted(tmp_path, vocabulary, {}).values
    ids = {key: values[key] for key in values if key.endswith("_token_id")}
    assert {key.split(".")[-1].removesuffix("_token_id"): WORDS[ids[key]] for key in ids} == {
        "bos": "[CLS]",
        "eos": "[SEP]",
        "unknown": "[UNK]",
        "seperator": "[SEP]",
        "padding": "[PAD]",
        "cls": "[CLS]",
        "mask": "[MASK]",
    }
    assert values["tokenizer.ggml.token_type_count"] == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("embeddings.word_embeddings.weight", "token_embd.weight"),
        ("embeddings.position_embeddings.weight", "position_embd.weight"),
        ("embeddings.token_type_embeddings.weight", "token_types.weight"),
        ("embeddings.LayerNorm.weight", "token_embd_norm.weight"),
        ("embeddings.LayerNorm.bias", "token_embd_norm.bias"),
        (f"{LAYER}attention.self.query.weight", "blk.0.attn_q.weight"),
        (f"{LAYER}attention.self.key.bias", "blk.0.attn_k.bias"),
        (f"{LAYER}attention.self.value.weight", "blk.0.attn_v.weight"),
        (f"{LAYER}attention.output.dense.weight", "blk.0.attn_output.weight"),
        (f"{LAYER}attention.output.LayerNorm.weight", "blk.0.attn_output_norm.weight"),
        (f"{LAYER}intermediate.dense.weight", "blk.0.ffn_up.weight"),
        (f"{LAYER}output.dense.bias", "blk.0.ffn_down.bias"),
        (f"{LAYER}output.LayerNorm.weight", "blk.0.layer_output_norm.weight"),
        ("encoder.layer.11.output.dense.weight", "blk.11.ffn_down.weight"),
    ],
)
def test_weights_have_llama_cpps_names(
    tmp_path: Path, vocabulary: Path, old: str, new: str
) -> None:
    found = converted(tmp_path, vocabulary, {old: ([2], [1.0, 2.0])})
    assert found.tensors == {new: ((2,), (1.0, 2.0))}


@pytest.mark.parametrize(
    "name", ["embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"]
)
def test_weights_that_a_mean_does_not_need_are_left_out(
    tmp_path: Path, vocabulary: Path, name: str
) -> None:
    assert converted(tmp_path, vocabulary, {name: ([1], [1.0])}).tensors == {}


def test_numbers_are_copied_with_their_dimensions_turned_round(
    tmp_path: Path, vocabulary: Path
) -> None:
    numbers = [0.5, -1.5, 2.0, 3.0, 4.0, -0.25]
    tensors = {"embeddings.word_embeddings.weight": ([2, 3], numbers)}
    assert converted(tmp_path, vocabulary, tensors).tensors == {
        "token_embd.weight": ((3, 2), tuple(numbers))
    }


def test_every_weight_begins_at_a_multiple_of_32_bytes(tmp_path: Path, vocabulary: Path) -> None:
    tensors = {
        "embeddings.LayerNorm.bias": ([3], [1.0, 2.0, 3.0]),
        "pooler.dense.bias": ([2], [7.0, 7.0]),
        "embeddings.LayerNorm.weight": ([9], [float(number) for number in range(9)]),
        f"{LAYER}output.dense.bias": ([1], [5.0]),
    }
    found = converted(tmp_path, vocabulary, tensors)
    assert found.offsets == [0, 32, 96]
    assert [numbers for _, numbers in found.tensors.values()] == [
        (1.0, 2.0, 3.0),
        tuple(float(number) for number in range(9)),
        (5.0,),
    ]
    assert (tmp_path / "model.gguf").stat().st_size % 32 == 0


def test_weights_of_more_than_a_block_are_whole(tmp_path: Path, vocabulary: Path) -> None:
    numbers = [float(number) for number in range(300_000)]
    tensors = {"embeddings.word_embeddings.weight": ([len(numbers)], numbers)}
    found = converted(tmp_path, vocabulary, tensors)
    assert found.tensors["token_embd.weight"][1] == tuple(numbers)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_full_disk_is_an_oserror(tmp_path: Path, vocabulary: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(safetensors({}))
    with pytest.raises(OSError, match="No space left on device"):
        convert(weights, vocabulary, SHAPE, Path("/dev/full"))

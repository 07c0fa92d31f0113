"""What a user reads when the machine, the registry or the disk says no.

The rows are those of the failure table of the embedded engine's study (2026-11): each message
names the next thing to do.
"""


class EngineError(Exception):
    """The embedded engine cannot be used; the message says why and what to do instead."""


class PackageError(Exception):
    """The package tool failed; the message is the reason, without the tool's own wording."""


class NoMatchingBuild(PackageError):
    """The registry has the package, or claims so, and no build of it for this machine."""


NO_AVX2 = (
    "This CPU lacks AVX2/FMA, which the embedded engine needs. Point OLLAMA_BASE_URL at an "
    "Ollama server, or build llama-cpp-python from source."
)
NO_BUILD = (
    "There is no build of the embedded engine ({requirement}) for this machine. It exists for "
    "Linux with glibc on x86_64 and arm64, and for macOS 13 or newer. Point OLLAMA_BASE_URL at "
    "an Ollama server."
)
NO_PACKAGE_TOOL = (
    "this Python has neither pip nor ensurepip, and uv is not on the PATH; "
    "on Debian: apt-get install python3-venv"
)
NOT_INSTALLED = (
    "Engine not installed ({reason}). Try it by hand: {command}; or point OLLAMA_BASE_URL at an "
    "Ollama server."
)
NOT_FETCHED = "Model not fetched ({reason}). Give a GGUF with --model PATH."
NO_EMBEDDINGS = (
    "Embedding model not fetched ({reason}). Without --embeddings (EMBEDDED_EMBEDDINGS) the "
    "embedded engine starts without it."
)
NO_LIBGOMP = (
    "The embedded engine needs libgomp.so.1, and it could not be fetched ({reason}): "
    "apt-get install libgomp1"
)

"""What the rest of the service knows of metrics."""

from typing import Protocol

Fields = dict[str, str | int | float | bool | None]

# The variable by which prometheus_client finds the workers' folder; the server sets it.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# The label of everything that has none of its own.
OTHER = "other"


class Finished(Protocol):
    """What is known of a request when its answer is over.

    `fields` are those of its log line. `model` is the name that it was resolved to, `state` how far
    it came: queued, prefill, streaming or writing.
    """

    endpoint: str
    key: str
    model: str
    status: int
    state: str
    fields: Fields
    tokens_in: int
    tokens_out: int
    first_token_ms: float | None
    tokens_per_second: float | None


class Metrics(Protocol):
    """What the rest of the service tells; every call is cheap and waits for nothing."""

    def finished(self, request: Finished) -> None:
        """Count a request whose answer is over."""
        ...

    def waits(self, change: int) -> None:
        """Note that one more (1) or one less (-1) waits in the queue."""
        ...

    def loaded(self, model: str, seconds: float, *, failed: bool) -> None:
        """Note the end of a model's load."""
        ...

    def wedged(self, model: str) -> None:
        """Note that a model stopped to answer while its engine did not."""
        ...


class NullMetrics:
    """For a server without a folder for them: nothing is counted, and there is no /metrics."""

    def finished(self, request: Finished) -> None:
        """Nothing is counted."""

    def waits(self, change: int) -> None:
        """Nothing is counted."""

    def loaded(self, model: str, seconds: float, *, failed: bool) -> None:
        """Nothing is counted."""

    def wedged(self, model: str) -> None:
        """Nothing is counted."""

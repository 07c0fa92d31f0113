"""Several prompts, or several choices of one: a text completion of several runs."""

from collections.abc import Callable

from tensoria.backends.base import Slots
from tensoria.backends.choices import each_choice
from tensoria.backends.in_turn import InTurn
from tensoria.backends.stream import EngineStream
from tensoria.translate.chunks import Frame
from tensoria.translate.completion_chunks import to_usage_chunks
from tensoria.wire.completions import CompletionRequest, TextChunk


def each_run(request: CompletionRequest, most: int) -> list[CompletionRequest]:
    """Return a request of one prompt for each choice, in OpenAI's order: prompt by prompt.

    Raises InvalidRequest when `n` is above `most`.
    """
    choices = each_choice(request, most)
    return [{**one, "prompt": [prompt]} for prompt in request["prompt"] for one in choices]


class PromptStream(InTurn[TextChunk]):
    """A `CompletionStream`; its runs know which choice they are, and tell no usage themselves."""

    def __init__(
        self,
        open_one: Callable[[int], EngineStream[TextChunk]],
        count: int,
        frame: Frame,
        slots: Slots,
        *,
        choices: int = 1,
    ) -> None:
        super().__init__(open_one, count, slots, choices=choices)
        self._frame = frame

    def _last_chunks(self) -> list[TextChunk]:
        return to_usage_chunks(self._frame, self.usage)

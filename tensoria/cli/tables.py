"""What commands read and print for people: days, and tables of text."""

from collections.abc import Iterable
from datetime import date

from tensoria.config import ConfigError


def day(option: str, text: str) -> date:
    """Read an option's day, or raise ConfigError that names the option."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--{option} must be a day such as 2027-01-31") from None


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return lines with a heading, numbers to the right, and all of it printable.

    What a client made up may hold a line break, or a code that means something to a terminal.
    """
    columns = [_column(cells) for cells in zip(head, *rows, strict=True)]
    return "".join("  ".join(line).rstrip() + "\n" for line in zip(*columns, strict=True))


def _column(cells: tuple[object, ...]) -> list[str]:
    texts = [_printable(str(cell)) for cell in cells]
    width = max(map(len, texts))
    numbers = len(cells) > 1 and all(isinstance(cell, int) for cell in cells[1:])
    return [text.rjust(width) if numbers else text.ljust(width) for text in texts]


def _printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")

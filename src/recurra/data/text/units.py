"""Running text in units: characters, words or pieces of words, from which it can be written again."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Literal, get_args

from .learned_pieces import BEGINS, piece_cutter

Level = Literal["character", "word", "subword"]
LEVELS: tuple[str, ...] = get_args(Level)
LINE = "\n"  # the unit that ends a line, on every level


def units_of(text: str, level: str, model: bytes | None = None) -> list[str]:
    """Return the units of a ``text``, the end of every line among them.

    Words are what stands between white space. Pieces are those of a ``model``, see ``learn_pieces``; the first one of a
    word begins with ``▁``.
    """
    if level == "character":
        return list(text)
    cut = str.split if level == "word" else cut_by(model)
    found: list[str] = []
    for number, line in enumerate(text.split(LINE)):
        if number:
            found.append(LINE)
        found += cut(line)
    return found


def written(units: Iterable[str], level: str) -> Iterator[str]:
    """Yield what each of the ``units`` adds to the text; words and pieces have one blank between them."""
    begins = True  # whether the line does
    for unit in units:
        if level == "character":
            yield unit
        elif level == "word":
            yield unit if begins or unit == LINE else f" {unit}"
        else:
            yield unit.replace(BEGINS, "" if begins else " ")
        begins = unit == LINE


@lru_cache(maxsize=8)
def cut_by(model: bytes | None) -> Callable[[str], list[str]]:
    """Return what cuts a line into the pieces of a ``model``."""
    assert model is not None, "pieces are learned before anything is cut into them"
    cut = piece_cutter(model)
    return lambda line: [piece for word in line.split() for piece in cut(word)]

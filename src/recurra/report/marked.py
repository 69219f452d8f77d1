"""A text of which some words are marked: the darker a word, the more it counted; or with what they are called."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .canvas import COLOURS, tint

DARKEST = 0.65  # share of the colour behind the word that counted most


class Piece(NamedTuple):
    """A part of a text."""

    text: str
    colour: str = ""  # behind it, empty for none
    label: str = ""  # what it is called, below it


@dataclass(frozen=True)
class Line:
    """A text in pieces, each with how much it counted, and what that says."""

    name: str  # what the marks are
    pieces: Sequence[tuple[str, float]]  # from -1 to 1: below zero it counted against the answer

    @property
    def shown(self) -> list[Piece]:
        """The pieces, each with its colour."""
        return [Piece(text, colour_of(weight)) for text, weight in self.pieces]


@dataclass(frozen=True)
class Labelled:
    """A text in pieces, of which some are called something."""

    name: str  # who says so
    shown: Sequence[Piece]


@dataclass(frozen=True)
class Marked:
    """One text with its marks, in a line for each way to find them."""

    title: str
    lines: Sequence[Line | Labelled]


def colour_of(weight: float) -> str:
    """Return the colour behind a piece, empty for none."""
    if abs(weight) < 0.02:
        return ""
    return tint(COLOURS[1] if weight > 0 else COLOURS[0], round(DARKEST * min(abs(weight), 1.0), 3))

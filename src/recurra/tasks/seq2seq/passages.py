"""Where in its passage an answer was pointed at, as a marked text.

Shapes: T units read, those of the question first.
"""

from collections.abc import Sequence

import numpy as np

from ...data.text.learned_pieces import BEGINS
from ...report.marked import Line, Marked
from ...report.page import Section
from .answers import STEPS, Answer
from .learned import END_SHOWN

TEXT = (
    "The darker a word, the likelier the answer begins, or ends, there. A question whose answer no passage has, such "
    "as yes or no, is answered without a place: then the marks say where the model looked as it decided. Right answers "
    "stand in brackets where the model was wrong."
)


def pointed_section(
    asked: Sequence[str], labels: Sequence[Sequence[str]], answers: Sequence[Answer], right: Sequence[str]
) -> Section:
    """Return where each answer was pointed at, from the questions, the names of all units read (T,), the right ones."""
    titles = [
        f"{question} → {answer.text}" + ("" if answer.text == text else f" ({text})")
        for question, answer, text in zip(asked, answers, right, strict=True)
    ]
    lines = (lines_of(units, answer) for units, answer in zip(labels, answers, strict=True))
    return Section("Where it pointed", TEXT, marked=list(map(Marked, titles, lines)))


def lines_of(labels: Sequence[str], answer: Answer) -> list[Line]:
    """Return the passage twice, marked by where the answer begins and by where it ends."""
    assert answer.looked is not None
    first = [*labels].index(END_SHOWN) + 1
    units = labels[first:-1]
    lines = []
    for name, looked in zip(STEPS, answer.looked[:, first : first + len(units)], strict=True):
        shares = looked / max(float(np.max(looked, initial=0.0)), 1e-12)
        pieces = [piece for unit, share in zip(units, shares, strict=True) for piece in _pieces(unit, float(share))]
        lines.append(Line(name, pieces))
    return lines


def _pieces(unit: str, share: float) -> list[tuple[str, float]]:
    """Return a unit with its mark, and without one the blank before it."""
    bare = unit.removeprefix(BEGINS)
    return [(bare, share)] if bare == unit else [(" ", 0.0), (bare, share)]

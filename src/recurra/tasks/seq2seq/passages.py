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
    "as yes or no, is answered without a place: then the marks say where the model looked as it decided."
)


def pointed_section(asked: Sequence[str], labels: Sequence[Sequence[str]], answers: Sequence[Answer]) -> Section:
    """Return where each answer was pointed at, from the questions and the names of all units that were read (T,)."""
    marked = [
        Marked(f"{question} → {answer.text}", lines_of(units, answer))
        for question, units, answer in zip(asked, labels, answers, strict=True)
    ]
    return Section("Where it pointed", TEXT, marked=marked)


def lines_of(labels: Sequence[str], answer: Answer) -> list[Line]:
    """Return the passage twice, marked by where the answer begins and by where it ends."""
    assert answer.looked is not None
    first = [*labels].index(END_SHOWN) + 1
    units = [_shown(unit) for unit in labels[first:-1]]
    lines = []
    for name, looked in zip(STEPS, answer.looked[:, first : first + len(units)], strict=True):
        shares = looked / max(float(np.max(looked, initial=0.0)), 1e-12)
        lines.append(Line(name, [(unit, float(share)) for unit, share in zip(units, shares, strict=True)]))
    return lines


def _shown(unit: str) -> str:
    return unit.replace(BEGINS, " ")

"""Which cases train, validate and test, so that rare labels have their share in every part.

Shapes: N cases, K labels.
"""

from dataclasses import dataclass

import numpy as np

from ...data.cases import Cases
from ...errors import DataError, plural
from ..cases.split import TEST_SHARE, Split, split_cases
from .marks import classes_of, marks_of, numbers_of
from .schemes import Scheme
from .settings import TagSettings


@dataclass(frozen=True)
class TagSplit(Split):
    """A split, and what is tagged."""

    sentences: bool = False
    entities: bool = False  # whether they say what is an entity, as B-PER and I-PER do
    intents: bool = False  # whether it is known what each case is as a whole


def make_plan(cases: Cases, settings: TagSettings, test_size: int | None) -> TagSplit:
    """Cut ``cases``; ``test_size`` of them are held out, a fifth if None.

    Raises DataError if there is one label only, or too few cases; ConfigError if a size leaves none.
    """
    marks, classes = marks_of(cases, "to train on"), classes_of(cases)
    numbers = numbers_of(marks, classes)
    if len(classes) < 2:
        raise DataError(
            f"Every step has the same label, '{classes[0]}': there is nothing to tell apart. Bring steps of at least "
            "two labels."
        )
    plan = split_cases(_rarest(numbers, len(classes), cases.lengths), settings, test_size)
    if not len(plan.valid) and cases.form == "sentences":
        raise DataError(
            "There is 1 sentence, and at least one more is needed to decide when to stop. Give more of them."
        )
    if not len(plan.valid):
        raise DataError(
            f"There is {len(cases)} case, and at least one more is needed to decide when to stop. Cut a long recording "
            "into several cases, or name the column that tells cases apart with id=."
        )
    notes = (*_counted(numbers, classes), *plan.notes)
    sentences = cases.form == "sentences"
    entities = sentences and Scheme.of(classes) is not None
    intents = sentences and cases.labels is not None and len(set(cases.labels)) > 1
    return TagSplit(**vars(plan) | {"notes": notes}, sentences=sentences, entities=entities, intents=intents)


def rarest(cases: Cases) -> np.ndarray:
    """Return for each case (N,) which of its labels the fewest cases have, so that each part gets some of those.

    Labels of so few cases that a part would get none are left aside; a case that has no other one is in group 0.
    """
    classes = classes_of(cases)
    assert cases.marks is not None
    return _rarest(numbers_of(cases.marks, classes), len(classes), cases.lengths)


def _rarest(numbers: np.ndarray, classes: int, lengths: np.ndarray) -> np.ndarray:
    """Return what ``rarest`` does for the ``numbers`` (R,) of the labels of all steps."""
    count, known = len(lengths), numbers >= 0
    has = np.zeros((count, classes), bool)
    has[np.repeat(np.arange(count), lengths)[known], numbers[known]] = True
    cases = has.sum(0)
    ranked = np.where(has & (cases * TEST_SHARE >= 1), cases, count + 1)
    return np.where(ranked.min(1) > count, 0, ranked.argmin(1))


def _counted(numbers: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    counts = np.bincount(numbers[numbers >= 0], minlength=len(classes))
    shown = ", ".join(f"'{name}' {count:,}" for name, count in list(zip(classes, counts, strict=True))[:6])
    more = f" and {len(classes) - 6} more" if len(classes) > 6 else ""
    unknown = int((numbers < 0).sum())
    said = [
        f"{len(classes):,} label{plural(len(classes))} of {len(numbers):,} step{plural(len(numbers))}: {shown}{more}"
    ]
    return said + ([f"{unknown:,} step(s) have no label; they are read, but not judged"] if unknown else [])

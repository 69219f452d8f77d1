"""Which cases train, validate and test, so that each class has its share in every part.

Shapes: N cases.
"""

from dataclasses import replace

import numpy as np

from ...data.cases import Cases
from ...data.cases.labels import NUMBER
from ...errors import ConfigError, DataError, plural
from ..cases.classes import classes_of, groups_of, labels_of, sets_of
from ..cases.split import Split, split_cases
from ..cases.text import long_note
from ..others import estimator_of
from .settings import ClassifySettings


def make_plan(cases: Cases, settings: ClassifySettings, test_size: int | None) -> Split:
    """Cut ``cases`` class by class; ``test_size`` of them are held out, a fifth if None.

    Raises DataError if there is one class only, or too few cases; ConfigError if a size leaves none, or a threshold
    is asked for and there are more than two.
    """
    labels = labels_of(cases, "to train on")
    classes = classes_of(cases)
    if cases.several and not classes:
        raise DataError("None of the cases has a label: there is nothing to learn. Bring cases that have some.")
    if len(classes) < 2 and not cases.several:
        raise DataError(
            f"All cases are of one class, '{classes[0]}': there is nothing to tell apart. Bring cases of at least two "
            "classes."
        )
    if settings.threshold and len(classes) > 2:
        raise ConfigError(
            f"threshold is for two classes, of which one is rarer, and these cases have {len(classes)}. Leave it out."
        )
    codes = groups_of(labels, cases)
    plan = split_cases(codes, settings, test_size)
    if not len(plan.valid):
        raise DataError(
            "No class has two cases to train on, of which one must be kept to decide when to stop. Bring more cases of "
            "each class, or name the column of the labels with target= if another one was taken."
            f"{_if_numbers(classes)}"
        )
    said = _held(sets_of(labels, classes), classes) if cases.several else [_counted(codes, classes), *_single(codes)]
    notes = (said[0], *plan.notes, *said[1:], *long_note(cases, settings))
    return replace(plan, notes=notes, written=cases.written)


def _if_numbers(classes: tuple[str, ...]) -> str:
    """Return what to use instead if labels, of which hardly any comes twice, are numbers."""
    numbers = all(NUMBER.fullmatch(name) for name in classes)
    return f" If they are numbers to be learned as such, use {estimator_of('regress')}." if numbers else ""


def _counted(codes: np.ndarray, classes: tuple[str, ...]) -> str:
    counts = np.bincount(codes, minlength=len(classes))
    shown = ", ".join(f"'{name}' {count:,}" for name, count in list(zip(classes, counts, strict=True))[:6])
    more = f" and {len(classes) - 6} more" if len(classes) > 6 else ""
    return f"{len(classes)} classes: {shown}{more}"


def _held(held: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """Return how often each label is there, (N, K)."""
    counts = held.sum(0)
    shown = ", ".join(f"'{name}' {count:,}" for name, count in list(zip(classes, counts, strict=True))[:6])
    more = f" and {len(classes) - 6} more" if len(classes) > 6 else ""
    none = int((~held.any(1)).sum())
    return [
        f"{len(classes):,} label{plural(len(classes))}: {shown}{more}",
        f"{held.sum() / len(held):.2f} labels for each case in the mean",
        *([f"{none:,} case(s) have no label, and count as such"] if none else []),
    ]


def _single(codes: np.ndarray) -> list[str]:
    single = int((np.bincount(codes) == 1).sum())
    return [f"{single} class(es) have a single case, which stays in the training"] if single else []

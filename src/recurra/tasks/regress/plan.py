"""Which cases train, validate and test, so that small and large numbers have their share in every part.

Shapes: N cases, K targets.
"""

from dataclasses import replace

import numpy as np

from ...data.cases import Cases
from ...errors import DataError
from ...writing.numbers import digits
from ..cases.split import Split, split_cases
from ..others import estimator_of
from .numbers import groups_of, numbers_of
from .settings import RegressSettings

MANY = 10  # cases from which two values are doubted, and targets from which it is that they are as many as steps


def make_plan(cases: Cases, settings: RegressSettings, test_size: int | None) -> Split:
    """Cut ``cases``; ``test_size`` of them are held out, a fifth if None.

    Raises DataError if all numbers are the same, or there are too few; ConfigError if a size leaves none.
    """
    numbers = numbers_of(cases, "to train on")
    if "case" in cases.targets:
        raise DataError("A target cannot be called 'case', as answers name each case so. Rename that column.")
    if len(cases) < 2:
        raise DataError("There is one case only, and another must be kept to decide when to stop. Bring more cases.")
    for name, column in zip(cases.targets, numbers.T, strict=True):
        if (column == column[0]).all():
            raise DataError(
                f"The target '{name}' is {column[0]:g} in all {len(cases):,} cases: there is nothing to learn. Bring "
                "cases that differ in it, or name another column with target=."
            )
    plan = split_cases(groups_of(numbers), settings, test_size)
    columns = list(zip(cases.targets, numbers.T, strict=True))
    said = [_said(name, column) for name, column in columns]
    doubts = [doubt for name, column in columns for doubt in _doubt(name, column)]
    return replace(plan, notes=(*said, *plan.notes, *doubts, *_as_many(cases)))


def _as_many(cases: Cases) -> list[str]:
    """Return a warning if numbers look like labels of steps."""
    count = len(cases.targets)
    if count < MANY or (cases.lengths != count).any():
        return []
    return [f"careful: each case has as many targets as steps, {count}; to label each step, use {estimator_of('tag')}"]


def _doubt(name: str, column: np.ndarray) -> list[str]:
    """Return a warning if numbers look like two classes."""
    values = np.unique(column)
    if len(values) > 2 or len(column) < MANY:
        return []
    return [
        f"careful: '{name}' has two values only, {values[0]:g} and {values[1]:g}; to name classes, use "
        f"{estimator_of('classify')}"
    ]


def _said(name: str, column: np.ndarray) -> str:
    low, middle, high = np.quantile(column, [0, 0.5, 1])
    return f"'{name}' lies between {digits(low)} and {digits(high)}, its median is {digits(middle)}"

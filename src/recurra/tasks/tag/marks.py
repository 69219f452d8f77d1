"""The labels of steps as classes, and as the numbers of these.

Shapes: N cases, R steps of all cases.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ...data.cases import Cases, Marks, cases_of
from ...data.cases.answers import joined, step_labels
from ...data.cases.texts import is_texts, listed
from ...errors import DataError, nearest
from ..cases.classes import alike, codes_of, ordered, refuse_fractions, remembering

STRANGE = -2  # the number of a label that is none of the classes; -1 is that of a step whose label is not known


def arrays_of(X: Any, y: Any) -> Cases:
    """Return X and y as cases that remember the type of y; y may be None."""
    X = listed(X)
    if y is None or is_texts(X):  # of texts, y are spans
        return cases_of(X, y, what="mark")
    column = known(joined(step_labels(y)))
    refuse_fractions(column)
    return remembering(cases_of(X, y, what="mark"), column)


def known(labels: np.ndarray) -> np.ndarray:
    """Return the ``labels`` that are not missing, in the type that they have in common."""
    found = labels[~pd.isna(labels)]
    return np.array(found.tolist()) if found.dtype == object and len(found) else found


def marks_of(cases: Cases, what: str) -> Marks:
    """Return the labels of the steps; raises DataError if there are none, or a case has none at all."""
    if cases.marks is None:
        raise DataError(
            f"The steps of these cases have no labels; without them there is nothing {what}. Give a label for every "
            "step."
        )
    for name, codes in zip(cases.names, cases.marks.codes, strict=True):
        if not (codes >= 0).any():
            raise DataError(
                f"No step of the case '{name}' has a label; without one there is nothing {what}. Give it labels, or "
                "leave the case out."
            )
    return cases.marks


def classes_of(cases: Cases) -> tuple[str, ...]:
    """Return the labels that some step has, in their order."""
    return () if cases.marks is None else ordered(cases.marks.used, cases)


def numbers_of(marks: Marks, classes: tuple[str, ...]) -> np.ndarray:
    """Return the place of the label of each step among the classes, int64 (R,); -1 if not known, or STRANGE."""
    places = codes_of(marks.names, classes)
    places = np.append(np.where(places < 0, STRANGE, places), -1)  # so that the code -1 stays -1
    return places[marks.flat]


def spelt_as(cases: Cases, classes: tuple[str, ...]) -> tuple[Cases, list[str]]:
    """Return the cases with labels that are none of the ``classes`` as that one which they look like, with notes."""
    if cases.marks is None:
        return cases, []
    meant, notes = alike(cases.marks.used, classes)
    if not meant:
        return cases, []
    return replace(cases, marks=cases.marks.renamed([meant.get(name, name) for name in cases.marks.names])), notes


def refuse_strange(cases: Cases, numbers: np.ndarray, classes: tuple[str, ...]) -> None:
    """Raise DataError that names the first step whose label is none of the ``classes``."""
    strange = np.flatnonzero(numbers == STRANGE)
    if not len(strange):
        return
    case, step = place_of(cases.lengths, int(strange[0]))
    assert cases.marks is not None
    label = cases.marks.names[cases.marks.codes[case][step]]
    known = ", ".join(f"'{name}'" for name in classes[:20]) + (", .." if len(classes) > 20 else "")
    raise DataError(
        f"Step {step + 1} of the case '{cases.names[case]}' is labelled '{label}', which the training had not."
        f"{nearest(label, classes)} The labels are: {known}. Leave such labels empty, or train with them."
    )


def place_of(lengths: np.ndarray, row: int) -> tuple[int, int]:
    """Return the case and the step in it of a ``row`` of all steps."""
    ends = np.cumsum(lengths)
    case = int(np.searchsorted(ends, row, side="right"))
    return case, row - int(ends[case] - lengths[case])


def by_case(rows: Any, lengths: Sequence[int] | np.ndarray) -> list[Any]:
    """Return what was said of all steps (R, ...) as one array (T_i, ...) for each case."""
    return np.split(rows, np.cumsum(lengths)[:-1])

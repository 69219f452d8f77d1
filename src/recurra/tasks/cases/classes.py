"""Classes: what labels name, in their order, by their number, and in the type that they came in.

Shapes: N cases, K classes.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...data.cases import Cases, cases_of
from ...data.cases.labels import BETWEEN, label_codes, parts
from ...data.tables.names import look_alikes
from ...errors import DataError, KindError

TYPES: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": lambda name: name == "True", "str": str}


@dataclass(frozen=True, eq=False)
class Arrays(Cases):
    """Cases that came as X and y: classes have the type of y."""

    order: tuple[str, ...] = ()  # the classes as numpy.unique sorts y
    dtype: str = "str"  # of the labels in y, one of TYPES


def arrays_of(X: Any, y: Any) -> Cases:
    """Return X and y as cases that remember the type of y; y may be None."""
    if y is None:
        return cases_of(X)
    y = y.detach().cpu().numpy() if hasattr(y, "detach") else np.asarray(y) if hasattr(y, "__array__") else y
    try:
        column = np.asarray(y)
    except ValueError:  # nested unevenly, which the reader of labels refuses
        column = np.array([])
    refuse_fractions(column)
    return remembering(cases_of(X, y), column)


def several_of(X: Any, y: Any) -> Cases:
    """Return X and y as cases that remember the type of y; y, a list of labels for each case, may be None."""
    if y is None:
        return cases_of(X)
    cases = cases_of(X, y, what="labels")
    whole = all(part.isdecimal() for label in cases.labels or () for part in parts(label))
    texts = isinstance(y, (list, tuple)) and any(isinstance(one, str) for row in y for one in row)
    return Arrays(**vars(cases), dtype="int" if whole and not texts else "str")


def refuse_fractions(column: np.ndarray) -> None:
    """Raise DataError if a ``column`` of labels has numbers with fractions, which name no class."""
    if column.dtype.kind == "f" and (column % 1 != 0).any():
        raise KindError(
            f"Unknown label type: y is continuous, with values such as {column[column % 1 != 0].flat[0]:g}, but "
            "classes are named by text or whole numbers."
        )


def remembering(cases: Cases, column: np.ndarray) -> Arrays:
    """Return ``cases`` whose labels came in a ``column``, with its type and its order."""
    kind = {"b": "bool", "i": "int", "u": "int", "f": "float"}.get(column.dtype.kind, "str")
    return Arrays(**vars(cases), order=_sorted(column), dtype=kind)


def _sorted(column: np.ndarray) -> tuple[str, ...]:
    """Return the classes in the order of numpy.unique, which scikit-learn counts on; none if they have no order."""
    try:
        return label_codes(np.unique(column))[1]
    except TypeError:
        return ()


def labels_of(cases: Cases, what: str) -> tuple[str, ...]:
    """Return the labels; raises DataError if there are none."""
    if cases.labels is None:
        raise DataError(
            f"These cases have no labels, or not each of them has one; without them there is nothing {what}. Give each "
            "case its label."
        )
    return cases.labels


def classes_of(cases: Cases) -> tuple[str, ...]:
    """Return the classes of labelled cases in their order."""
    labels = cases.labels or ()
    return ordered({part for label in labels for part in parts(label)} if cases.several else set(labels), cases)


def ordered(found: Collection[str], cases: Cases) -> tuple[str, ...]:
    """Return classes sorted: by number if all are whole numbers, else as text, or as they came with the y of cases."""
    order = getattr(cases, "order", ())
    if order:
        return tuple(name for name in order if name in found)
    try:
        return tuple(sorted(found, key=lambda name: (int(name), name)))
    except ValueError:
        return tuple(sorted(found))


def codes_of(labels: Sequence[str], classes: tuple[str, ...]) -> np.ndarray:
    """Return the place of each label among the classes, int64 (N,); -1 where it is none of them."""
    places = {name: n for n, name in enumerate(classes)}
    return np.array([places.get(label, -1) for label in labels], dtype=np.int64)


def sets_of(labels: Sequence[str], classes: tuple[str, ...]) -> np.ndarray:
    """Return which of the ``classes`` each label names, bool (N, K), where a label names any number of them."""
    places, held = {name: n for n, name in enumerate(classes)}, np.zeros((len(labels), len(classes)), bool)
    for row, label in zip(held, labels, strict=True):
        row[[places[part] for part in parts(label) if part in places]] = True
    return held


def groups_of(labels: Sequence[str], cases: Cases) -> np.ndarray:
    """Return the number of each case's class, int64 (N,); of several its rarest one, and K where it has none."""
    classes = classes_of(cases)
    if not cases.several:
        return codes_of(labels, classes)
    held = sets_of(labels, classes)
    counts = np.where(held, held.sum(0), len(labels) + 1)
    return np.where(held.any(1), counts.argmin(1), len(classes)).astype(np.int64)


def typed(codes: np.ndarray, classes: tuple[str, ...], dtype: str) -> np.ndarray:
    """Return the classes with these ``codes`` in the type of the labels that were trained on."""
    return np.array([TYPES[dtype](name) for name in classes])[codes]


def balanced(counts: Sequence[int]) -> np.ndarray:
    """Return what an example of each class counts, float32 (K,), so that all classes together count the same."""
    each = np.maximum(np.array(counts, np.float32), 1)
    return np.float32(sum(counts)) / (len(each) * each)


def spelt_as(cases: Cases, classes: tuple[str, ...]) -> tuple[Cases, list[str]]:
    """Return the cases with labels that are none of the ``classes`` as that one which they look like, with notes."""
    if cases.labels is None:
        return cases, []
    if cases.several:
        meant, notes = alike([part for label in cases.labels for part in parts(label)], classes)
        labels = [BETWEEN.join(meant.get(part, part) for part in parts(label)) or BETWEEN for label in cases.labels]
        return replace(cases, labels=tuple(labels)), notes
    meant, notes = alike(cases.labels, classes)
    if not meant:
        return cases, []
    return replace(cases, labels=tuple(meant.get(label, label) for label in cases.labels)), notes


def alike(labels: Sequence[str], classes: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """Return the class that each strange label looks like, if there is one, with notes."""
    strange = dict.fromkeys(label for label in labels if label not in classes)
    meant = {now: before for before, now in look_alikes(strange, classes)}
    notes = [f"careful: the label '{now}' was taken as '{before}' of the training" for now, before in meant.items()]
    return meant, notes[:3]

"""From a file, a table or arrays to labelled cases."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.cases import Cases, cases_of, file_cases, is_paths, read_cases, table_cases
from ...data.cases.labels import label_codes
from ...data.tables.names import look_alikes
from ...errors import DataError
from ..base import Tell
from .settings import ClassifySettings

if TYPE_CHECKING:
    from .learned import ClassifyLearned


@dataclass(frozen=True, eq=False)
class Arrays(Cases):
    """Cases that came as X and y: a table that comes later is an X, too, and classes have the type of y."""

    order: tuple[str, ...] = ()  # the classes as numpy.unique sorts y
    dtype: str = "str"  # of the labels in y


def read_source(
    source: Any, settings: ClassifySettings, learned: "ClassifyLearned | None", most: int | None, tell: Tell
) -> Cases:
    """Read a path, a frame, cases or a pair (X, y); with ``learned`` as the data of that training were.

    At most ``most`` cases are used. Where something was ``learned`` already, labels may be missing.
    """
    cases = _cases(source, settings, learned)
    if most is not None and most < len(cases):
        # Evenly spread, as cases often lie in the order of their classes.
        places = np.linspace(0, len(cases) - 1, most).round()
        note = f"only {most:,} of {len(cases):,} cases are used, evenly spread"
        cases = replace(cases.some(places), notes=(*cases.notes, note))
    cases, spelt = spelt_as_learned(cases, learned)
    tell([*cases.notes, *_unlike(cases, learned), *spelt])
    return cases if learned is None else learned.with_channels(cases)


def spelt_as_learned(cases: Cases, learned: "ClassifyLearned | None") -> tuple[Cases, list[str]]:
    """Return the cases with labels that are no class of the training as that class which they look like, with notes."""
    if learned is None or cases.labels is None:
        return cases, []
    strange = dict.fromkeys(label for label in cases.labels if label not in learned.classes)
    meant = {now: before for before, now in look_alikes(strange, learned.classes)}
    if not meant:
        return cases, []
    notes = [f"careful: the label '{now}' was taken as '{before}' of the training" for now, before in meant.items()]
    return replace(cases, labels=tuple(meant.get(label, label) for label in cases.labels)), notes[:3]


def _unlike(cases: Cases, learned: "ClassifyLearned | None") -> list[str]:
    """Return a warning if cases are far longer or shorter than those of the training."""
    steps, usual = int(np.median(cases.lengths)), learned.layout.length if learned is not None else 0
    if not usual or usual <= 2 * steps <= 4 * usual:
        return []
    return [f"careful: these cases have {steps:,} steps in the median, those of the training had {usual:,}"]


def _cases(source: Any, settings: ClassifySettings, learned: "ClassifyLearned | None") -> Cases:
    if isinstance(source, Cases):
        return source
    names: dict[str, Any] = {"target": settings.target, "id": settings.id, "time": settings.time}
    names["rate"] = rate = None if learned is None else learned.rate
    if isinstance(source, (str, Path)):
        return read_cases(source, **names, labelled=learned is None)
    if isinstance(source, tuple) and len(source) == 2:
        return arrays_of(*source, rate)
    if hasattr(type(source), "columns") and not (learned is not None and learned.arrays):
        return table_cases(source, **names, labelled=learned is None)
    if learned is None:
        raise DataError(
            f"A training needs labels: give a path, a table with a column of labels, or X and y. "
            f"Got {type(source).__name__} without labels."
        )
    return given_cases(source, None, rate)


def given_cases(X: Any, y: Any, rate: int | None) -> Cases:
    """Return arrays, or the files in a list of paths, as cases; sounds are heard at ``rate`` if it is known."""
    return file_cases(X, y, rate) if is_paths(X) else cases_of(X, y)


def arrays_of(X: Any, y: Any, rate: int | None = None) -> Cases:
    """Return X and y as cases that remember the type of y; y may be None."""
    if y is None:
        return given_cases(X, None, rate)
    y = y.detach().cpu().numpy() if hasattr(y, "detach") else np.asarray(y) if hasattr(y, "__array__") else y
    column = np.asarray(y)
    if column.dtype.kind == "f" and (column % 1 != 0).any():
        raise DataError(
            f"Unknown label type: y is continuous, with values such as {column[column % 1 != 0].flat[0]:g}, but "
            "classes are named by text or whole numbers."
        )
    cases = given_cases(X, y, rate)
    kind = {"b": "bool", "i": "int", "u": "int", "f": "float"}.get(column.dtype.kind, "str")
    return Arrays(**vars(cases), order=_sorted(column), dtype=kind)


def _sorted(column: np.ndarray) -> tuple[str, ...]:
    """Return the classes in the order of numpy.unique, which scikit-learn counts on; none if they have no order."""
    try:
        return label_codes(np.unique(column))[1]
    except TypeError:
        return ()

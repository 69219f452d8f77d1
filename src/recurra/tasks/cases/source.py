"""From a file, a table or arrays to cases, read as those of a training were."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...data.cases import Cases, What, cases_of, digests, file_cases, is_paths, read_cases, repeats, table_cases
from ...data.cases.paths import is_file_name
from ...data.cases.texts import listed, text_cases
from ...errors import DataError, plural
from .reading import CaseLearned

FromArrays = Callable[[Any, Any], Cases]


def cases_in(
    source: Any, columns: dict[str, Any], learned: CaseLearned | None, from_arrays: FromArrays, what: What
) -> Cases:
    """Return the cases in a path, a frame, a pair (X, y), or X alone where something was ``learned`` already.

    X may be a list of paths, of which each is a case. ``columns`` are the names of the ``target``, the ``id`` and the
    ``time``; ``what`` is said of each case.
    """
    if isinstance(source, Cases):
        return source
    source = listed(source)
    rate = None if learned is None else learned.reading.rate
    asked: dict[str, Any] = columns | {"labelled": learned is None, "what": what, "rate": rate}
    if isinstance(source, str) and learned is not None and learned.reading.form != "numbers":
        source = source if is_file_name(source) else [source]
    if learned is not None and learned.reading.form != "numbers" and is_list_of_texts(source):
        return replace(text_cases(source), arrays=True)  # even if one looks like the name of a file
    if isinstance(source, (str, Path)):
        return read_cases(source, **asked)
    if isinstance(source, tuple) and len(source) == 2 and not is_paths(source):
        X, y = source
        return from_arrays(file_cases(X, rate) if is_paths(X) else X, y)
    if hasattr(type(source), "columns") and not (learned is not None and learned.reading.arrays):
        return table_cases(source, **asked)
    if learned is None:
        lacks = "numbers to learn" if what == "number" else "labels"
        raise DataError(
            f"A training needs {lacks}: give a path, a table that has them in it, or X and y. "
            f"Got {type(source).__name__} alone."
        )
    return file_cases(source, rate) if is_paths(source) else cases_of(source, what=what)


def is_list_of_texts(source: Any) -> bool:
    """Tell whether ``source`` is a list in which all is text."""
    return isinstance(source, list) and bool(source) and all(isinstance(one, str) for one in source)


def at_most(cases: Cases, most: int | None) -> Cases:
    """Return ``most`` of the cases, evenly spread, as they often lie in the order of their classes."""
    if most is None or most >= len(cases):
        return cases
    places = np.linspace(0, len(cases) - 1, most).round()
    note = f"only {most:,} of {len(cases):,} cases are used, evenly spread"
    return replace(cases.some(places), notes=(*cases.notes, note))


def unlike(cases: Cases, learned: CaseLearned | None) -> list[str]:
    """Return a warning if cases are far longer or shorter than those of the training."""
    if cases.form != "numbers" or (learned is not None and learned.reading.form != "numbers"):
        return []
    steps, usual = int(np.median(cases.lengths)), learned.reading.layout.length if learned is not None else 0
    if not usual or usual <= 2 * steps <= 4 * usual:
        return []
    return [
        f"careful: these cases have {steps:,} step{plural(steps)} in the median, those of the training had {usual:,}"
    ]


def repeated_note(test: Cases, train: Cases) -> list[str]:
    """Return a warning that says how many of the ``test`` cases are also among those to ``train`` on, if any are."""
    return _repeated(repeats(test, train), test)


def seen_note(test: Cases, learned: CaseLearned) -> list[str]:
    """Return a warning that says how many of the ``test`` cases a model was trained on, if any, and if that is known.

    A run keeps eight bytes of each text, and nothing of other cases.
    """
    seen = learned.reading.seen
    return [] if seen is None else _repeated(int(np.isin(digests(test), seen).sum()), test)


def _repeated(count: int, test: Cases) -> list[str]:
    if not count:
        return []
    return [
        f"careful: {count:,} of {len(test):,} test cases {'are' if count > 1 else 'is'} also among the training cases, "
        "so results look better than they are"
    ]

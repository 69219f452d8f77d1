"""Labels as text: the name of a class as it was written, a whole number without its point.

Shapes: n labels, N cases.
"""

import re
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError, KindError
from ..tables.columns import MISSING, NAMES_TOO, is_number, is_text
from ..tables.dtypes import plain_column
from ..tables.names import name_codes

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
BETWEEN = "|"  # stands between the labels of one case, and alone where it has none
SPLIT = re.compile(r"[|;]")  # what stands there in files
POINTED = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?")  # a number with a point or an exponent


def label_codes(column: Any, *, as_is: bool = True) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return int64 codes (n,), -1 where missing, and the names that they stand for.

    Names are kept ``as_is``, or as ``plain`` makes them; blank ones are missing. Raises DataError for a value that
    cannot name a class.
    """
    column = plain_column(column if isinstance(column, pd.Series) else pd.Series(column, name="y"))
    _refuse_nameless(column)
    codes, names = name_codes(column)
    again, kept = pd.factorize(np.array([name if as_is else plain(name) for name in names], dtype=object))
    known = np.append(again, -1)  # so that the code -1 stays -1
    return known[codes].astype(np.int64), tuple(str(name) for name in kept)


def _refuse_nameless(column: pd.Series) -> None:
    """Refuse what names no class: numbers with fractions, dates, lists."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = pd.Series(column.cat.categories)
    if is_number(column) and column.dtype.kind in "iuf":
        values = column.to_numpy()[column.notna().to_numpy()]
        odd = list(values[values != np.round(values)][:1]) + list(values[np.isinf(values)][:1])
    elif column.dtype.kind == "b" or isinstance(column.dtype, pd.StringDtype):
        odd = []
    else:
        odd = list(column[column.notna()])
    for value in odd:
        _check(value)


def _check(value: Any) -> None:
    if isinstance(value, (list, tuple, dict, set, np.ndarray, pd.Series)):
        raise DataError(
            "A label is itself a list or table; give one name or whole number for each case, or classify with "
            "several=True."
        )
    if isinstance(value, (float, np.floating)):
        if np.isfinite(value) and value == round(value):
            return
        raise KindError(
            f"A label is {value}, but classes are named by text or whole numbers; choose another label, or write the "
            "classes as text."
        )
    if not isinstance(value, (str, bool, np.bool_, int, np.integer)):
        raise DataError(
            f"A label is '{value}' of type {type(value).__name__}, but classes are named by text or whole numbers; "
            "turn the labels into text."
        )


def merged_note(column: Any) -> list[str]:
    """Return a note on labels that were written in several ways, such as '1' and '1.0', and are one class."""
    written: dict[str | None, list[str]] = {}
    for name in label_codes(column)[1]:
        written.setdefault(plain(name), []).append(name)
    several = [names for names in written.values() if len(names) > 1]
    return [f"the labels {' and '.join(map(repr, names))} were taken as one class" for names in several[:3]]


def plain(text: str) -> str | None:
    """Return a label without outer blanks, and '1' for '1.0' and '1e0'; None if nothing is left."""
    text = text.strip()
    if POINTED.fullmatch(text) and float(text).is_integer():
        return str(int(float(text)))
    return text or None


def joined(value: Any) -> str | None:
    """Return several labels, in a list or as text between ``|`` or ``;``, as one text, each once and in order.

    None stays None, for what is not known. Raises DataError for a name in a list that holds the sign between names.
    """
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, str):
        names = SPLIT.split(value)
    elif isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        names = [_name(one) for one in value]
    else:
        names = [_name(value)]
    found = sorted({name for name in map(plain, names) if name})
    return BETWEEN.join(found) or BETWEEN


def parts(label: str) -> tuple[str, ...]:
    """Return the labels that ``joined`` put together."""
    return tuple(name for name in label.split(BETWEEN) if name)


def _name(value: Any) -> str:
    _check(value)
    if isinstance(value, str) and BETWEEN in value:
        raise DataError(f"The label '{value}' in a list holds '{BETWEEN}', which stands between labels; rename it.")
    return str(value)


def without_missing(column: pd.Series) -> pd.Series:
    """Return a column of labels without those that say that there is none, such as '?'; NA and none are answers."""
    if not is_text(column) or any(isinstance(value, (list, tuple)) for value in column):
        return column
    return column.mask(column.str.strip().str.casefold().isin(MISSING - NAMES_TOO))


def labels_of(
    codes: np.ndarray, classes: tuple[str, ...], names: tuple[str, ...], labelled: bool = True
) -> tuple[str, ...] | None:
    """Return the label of each case (N,), or None if one is missing and they need not be ``labelled``.

    Raises DataError that names the first case without a label.
    """
    lost = codes < 0
    if not labelled and lost.any():
        return None
    if lost.any():
        name = names[int(np.argmax(lost))]
        raise DataError(f"Case '{name}' has no label; give it one, or leave the case out.")
    return tuple(classes[code] for code in codes.tolist())

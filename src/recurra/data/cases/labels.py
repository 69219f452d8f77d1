"""Labels as text: the name of a class as it was written, a whole number without its point.

Shapes: n labels, N cases.
"""

import re
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError

NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
POINTED = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?")  # a number with a point or an exponent


def label_codes(column: Any, *, as_is: bool = True) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return int64 codes (n,), -1 where missing, and the names that they stand for.

    Names are kept ``as_is``, or as ``plain`` makes them; blank ones are missing. Raises DataError for a value that
    cannot name a class.
    """
    try:
        codes, found = pd.factorize(column)
    except TypeError:
        raise DataError("A label is itself a list or table; give one name or whole number for each case.") from None
    names = [_name(value) for value in found]
    again, kept = pd.factorize(np.array([_kept(name, as_is) for name in names], dtype=object))
    known = np.append(again, -1)  # so that the code -1 stays -1
    return known[codes].astype(np.int64), tuple(str(name) for name in kept)


def _kept(name: str, as_is: bool) -> str | None:
    tidy = plain(name)
    return name if as_is and tidy is not None else tidy


def _name(value: Any) -> str:
    if isinstance(value, (str, bool, np.bool_, int, np.integer)):
        return str(value)
    if isinstance(value, (float, np.floating)):
        if np.isfinite(value) and value == round(value):
            return str(int(value))
        raise DataError(
            f"A label is {value}, but classes are named by text or whole numbers; choose another label, or write the "
            "classes as text."
        )
    raise DataError(
        f"A label is '{value}' of type {type(value).__name__}, but classes are named by text or whole numbers; turn "
        "the labels into text."
    )


def plain(text: str) -> str | None:
    """Return a label without outer blanks, and '1' for '1.0' and '1e0'; None if nothing is left."""
    text = text.strip()
    if POINTED.fullmatch(text) and float(text).is_integer():
        return str(int(float(text)))
    return text or None


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

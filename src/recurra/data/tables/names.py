"""A column of names: what tells series, cases and classes apart, as the text that was written.

Shapes: n rows.
"""

import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError, RowError

EXACT = 15  # digits of a whole number that any float keeps


def name_codes(column: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return int64 codes (n,) of the names in a column, -1 where it is empty, and the names as they appear.

    A whole number has no point: 1 and 1.0 are one name. Text is what it is. Raises DataError for a number and a text,
    or the like, that would have one name, and for what names nothing.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        known, names = name_codes(pd.Series(column.cat.categories, name=column.name))
        codes, used = pd.factorize(np.append(known, -1)[column.cat.codes.to_numpy()], sort=False)
        return _without_empty(np.where(used[codes] < 0, -1, codes), tuple(names[n] for n in used if n >= 0))
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) != "string":
        return _of_objects(column)
    codes, found = pd.factorize(column)
    return _without_empty(codes.astype(np.int64), tuple(name_of(value, column.name) for value in _values(found)))


def filled_names(column: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes and names of a column that must name each row; raises RowError for the first that is empty."""
    codes, names = name_codes(column)
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise RowError(lambda place: f"The id column '{column.name}' is empty in {place}; every row needs one.", row)
    return codes, names


def _values(found: Any) -> list[Any]:
    """Return distinct values; dates without a time of day as dates."""
    if found.dtype.kind == "M":
        index = pd.DatetimeIndex(found)
        return list(index.strftime("%Y-%m-%d")) if (index == index.normalize()).all() else list(index)
    return list(found)


def _without_empty(codes: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes and names without the names that are blank, which are none."""
    blank = np.array([not name.strip() for name in names], dtype=bool)
    if not blank.any():
        return codes, names
    fresh = np.append(np.where(blank, -1, np.cumsum(~blank) - 1), -1)
    return fresh[codes], tuple(name for name in names if name.strip())


def _of_objects(column: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes and names of objects, among which 1, True and '1' are not one and the same."""
    missing = column.isna().to_numpy()
    written = [None if lost else name_of(v, column.name) for v, lost in zip(column, missing, strict=True)]
    codes, names = pd.factorize(np.array(written, dtype=object))
    _refuse_two_kinds(column, codes, len(names))
    return _without_empty(codes.astype(np.int64), tuple(names))


def _refuse_two_kinds(column: pd.Series, codes: np.ndarray, count: int) -> None:
    """Refuse a name that is a text in some rows and something else in others."""
    text = np.array([isinstance(value, str) for value in column])
    seen = [np.bincount(codes[(codes >= 0) & kind], minlength=count) > 0 for kind in (text, ~text)]
    both = np.flatnonzero(seen[0] & seen[1])
    if len(both):
        as_text, other = (column.iloc[int(np.argmax((codes == both[0]) & kind))] for kind in (text, ~text))
        raise DataError(
            f"Column '{column.name}' has both the {_kind(other)} {other} and the text '{as_text}', which would be one "
            f"name; make all its values text, such as with .astype(str), or give them different names."
        )


def _kind(value: Any) -> str:
    return "number" if isinstance(value, (int, float, np.number)) and not isinstance(value, bool) else "value"


def name_of(value: Any, column: Any) -> str:
    """Return the name that a value of ``column`` stands for; raises DataError if it names nothing."""
    if isinstance(value, (str, bool, np.bool_, int, np.integer)):
        return str(value)
    if isinstance(value, (list, tuple, dict, set, np.ndarray)):
        raise DataError(f"Column '{column}' has a whole {type(value).__name__} in a cell, which names nothing.")
    if isinstance(value, (float, np.floating)) and value == np.round(value):
        if not abs(float(value)) < _lost_from(value):  # infinity, too
            raise DataError(
                f"Column '{column}' has {value:.0f} as a number with a point, which cannot tell names of so many "
                "digits apart; make them text or whole numbers where they come from."
            )
        return str(int(value))
    whole = getattr(value, "to_integral_value", None)  # a Decimal
    return str(int(value)) if whole is not None and value.is_finite() and whole() == value else str(value)


def _lost_from(value: Any) -> float:
    """Return the size from which a float cannot tell whole numbers from their neighbours."""
    return float(2 ** (np.finfo(type(value)).nmant + 1))


def look_alikes(names: Iterable[str], known: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Return pairs of different names that look alike, among ``names``, or between them and those ``known`` before.

    They differ in outer blanks, in capitals, in how letters are encoded, or in how a number is written.
    """
    seen = {_looks(name): name for name in known}
    alone = not seen
    pairs = []
    for name in names:
        other = seen.get(_looks(name), name) if not alone else seen.setdefault(_looks(name), name)
        if other != name:
            pairs.append((other, name))
    return pairs


def _looks(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).strip().casefold()
    if text.isdecimal() and len(text) > EXACT:
        return text.lstrip("0")
    try:
        return f"{float(text):.17g}" if text[-1:].isdecimal() and "_" not in text else text
    except ValueError:
        return text

"""Columns of a table: any frame as pandas, a column by its name, a column as numbers."""

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError, KindError, RowError, nearest
from .dtypes import plain_types

LARGEST = 1e100  # squares of larger numbers, summed, end beyond what a float can hold
SMALLEST = 1e-100  # squares of smaller numbers are zero
MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "–", "—", "?", ".", "<na>", "nat"})
NAMES_TOO = frozenset({"na", "none", "null"})  # of these, what are names among names


def as_pandas(frame: Any) -> pd.DataFrame:
    """Return any table (pandas, polars, pyarrow, or one pandas series) as a pandas frame with text names.

    Columns are as NumPy holds them, whatever type they came in.
    """
    if isinstance(frame, pd.Series):
        frame = frame.to_frame(name=frame.name if frame.name is not None else "y")
    if not isinstance(frame, pd.DataFrame):
        frame = _from_other(frame)
    if frame.columns.nlevels > 1:
        raise DataError(
            f"The table has {frame.columns.nlevels} rows of column names; join them into one first, such as with "
            "frame.columns = ['_'.join(map(str, name)) for name in frame.columns]."
        )
    if not all(isinstance(name, str) for name in frame.columns):
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    if not frame.columns.is_unique:
        double = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"The table has several columns named '{double}'; give each column its own name.")
    return plain_types(frame)


def _from_other(frame: Any) -> pd.DataFrame:
    import narwhals as nw  # only other frames than those of pandas need it

    try:
        return nw.from_native(frame, eager_only=True).to_pandas()
    except (ValueError, NotImplementedError) as fault:  # a type that pandas does not have
        raise DataError(
            f"The table cannot be read as one of pandas: {fault}. Cast the column to a usual type."
        ) from None
    except TypeError:
        lazy = " Call .collect() on it first." if hasattr(frame, "collect") else ""
        kind = f"{type(frame).__module__.split('.')[0]}.{type(frame).__name__}"
        raise DataError(f"A table is needed, a pandas or polars frame or a file, but a {kind} came.{lazy}") from None


def find_column(columns: Iterable[str], name: str, what: str) -> str:
    """Return ``name`` if it is a column, or raise a DataError that offers the nearest column."""
    columns = list(columns)
    if name in columns:
        return name
    same = [column for column in columns if column.strip().casefold() == name.strip().casefold()]
    hint = f" Did you mean '{same[0]}'?" if same else nearest(name, columns)
    shown = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
    raise DataError(f"There is no column '{name}' for the {what}.{hint} The columns are: {shown}.")


def is_text(column: pd.Series) -> bool:
    """Tell whether a column holds text (or objects that may be text), categories included."""
    return isinstance(column.dtype, (pd.StringDtype, pd.CategoricalDtype)) or column.dtype == object


def is_number(column: pd.Series) -> bool:
    """Tell whether a column has the type of a real number; true/false columns do not count."""
    return pd.api.types.is_any_real_numeric_dtype(column.dtype)


def is_counter(column: pd.Series) -> bool:
    """Tell whether a column only counts the rows from 0 or 1."""
    if not is_number(column) or column.isna().any():
        return False
    values = column.to_numpy(np.float64)
    return bool(values[0] in (0.0, 1.0) and (np.diff(values) == 1).all())


def strip_text(column: pd.Series) -> pd.Series:
    """Return a text column without outer blanks, with every usual spelling of 'missing' as a missing value."""
    text = column.astype(object)
    text = text.where(text.notna(), "").astype("str").str.strip()
    return text.mask(text.str.lower().isin(MISSING))


def text_numbers(text: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return a stripped text column as numbers (NaN where that fails) and the places where it failed."""
    values = np.asarray(pd.to_numeric(text, errors="coerce").to_numpy(np.float64, na_value=np.nan))
    return values, np.isnan(values) & text.notna().to_numpy()


def text_of_numbers(column: pd.Series) -> bool:
    """Tell whether a text column holds mostly numbers; categories do not count."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    values, bad = text_numbers(strip_text(column))
    return bool(bad.sum() < 0.5 * np.isfinite(values).sum())


def numbers(column: pd.Series, name: Hashable) -> np.ndarray:
    """Return a column as a fresh float64 array (n,), NaN where missing.

    Raises DataError for text and infinities, with their row, and for dates.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    if is_text(column):
        values, bad = text_numbers(strip_text(column))
        if bad.any():
            _refuse_text(column, name, bad)
    elif pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.kind != "c":
        values = _plain(column)
    else:
        raise KindError(f"Column '{name}' holds {_kind(column)}, not numbers; choose another one with target=.")
    found = find_boundless(values)
    if found is not None:
        row, what, end = found
        raise RowError(lambda place: f"Column '{name}' has {what} in {place}{end}", row)
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    if 0 < largest < SMALLEST:
        raise DataError(
            f"The largest value of column '{name}' has a size of {largest:g}, which is too small to compute with; "
            "use a smaller unit."
        )
    return values


def find_boundless(values: np.ndarray) -> tuple[int, str, str] | None:
    """Return where ``values`` (n,) or (n, ...) are infinite or too large to square, or None if they are not.

    That is the place in the first dimension, from 0, what is there, and how a sentence about it ends.
    """
    wide = np.abs(values) > LARGEST  # false for NaN
    if not wide.any():
        return None
    at = int(np.argmax(wide.reshape(len(values), -1).any(1)))
    row = np.ravel(values[at])
    largest = float(row[np.nanargmax(np.abs(row))])
    if np.isinf(largest):
        return at, "an infinite value", "; leave it empty if it is not known."
    return at, f"the value {largest:g}", ", which is too large to compute with; use a larger unit."


def _plain(column: pd.Series) -> np.ndarray:
    if isinstance(column.dtype, np.dtype):
        return np.array(column.to_numpy(), dtype=np.float64)
    return np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _kind(column: pd.Series) -> str:
    return "dates" if column.dtype.kind == "M" else f"values of type {column.dtype}"


def _refuse_text(column: pd.Series, name: Hashable, bad: np.ndarray) -> None:
    """Raise RowError for the first text where a number is needed, or DataError if there is little else."""
    row = int(np.argmax(bad))
    value = str(column.iloc[row]).strip()
    if bad.sum() > 0.5 * column.notna().sum():
        raise KindError(f"Column '{name}' holds text such as '{value}', not numbers; choose another one with target=.")
    bare = value.replace(",", "", 1).strip("+- ").isdigit() and "," in value
    comma = " (is its comma for decimals or for thousands?)" if bare else ""
    raise RowError(
        lambda place: (
            f"Column '{name}' has the text '{value}'{comma} in {place}, where a number is needed; "
            "correct it, or leave the cell empty if it is not known."
        ),
        row,
    )

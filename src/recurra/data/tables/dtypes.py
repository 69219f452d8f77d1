"""A column as NumPy holds it, whatever holds it now: Arrow, nullable types, sparse ones, objects, categories."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

WHOLE: dict[str, Any] = {"integer": "int64", "boolean": "bool"}  # what objects are, and the type that holds them all
TIMES = ("datetime", "datetime64", "date")


def plain_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns are as NumPy holds them; text, categories, dates and periods stay what they are."""
    columns = {name: frame[name] for name in frame.columns}
    plain = {name: plain_column(column) for name, column in columns.items()}
    changed = {name: column for name, column in plain.items() if column is not columns[name]}
    return frame.assign(**changed) if changed else frame


def without_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose categories of numbers are numbers."""
    kinds = {name: dtype for name, dtype in frame.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)}
    numeric = [name for name, dtype in kinds.items() if pd.api.types.is_numeric_dtype(dtype.categories.dtype)]
    return frame.assign(**{str(name): _of_categories(frame[name]) for name in numeric}) if numeric else frame


def plain_column(column: pd.Series) -> pd.Series:
    """Return a column as NumPy holds it: the same one if it is so already."""
    dtype: Any = column.dtype
    if isinstance(dtype, np.dtype):
        return _from_objects(column) if dtype.kind == "O" else column
    if isinstance(dtype, pd.ArrowDtype):
        return _from_arrow(column, dtype)
    if isinstance(dtype, pd.SparseDtype):
        return plain_column(column.astype(dtype.subtype))
    if isinstance(dtype, pd.CategoricalDtype):
        dated = dtype.categories.dtype.kind == "M" or _kind(dtype.categories) in TIMES
        return plain_column(_of_categories(column)) if dated else column
    if isinstance(column.array, (pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray)):
        return _from_nullable(column, dtype.numpy_dtype)
    return column


def _of_categories(column: pd.Series) -> pd.Series:
    """Return the values that categories stand for."""
    values = column.cat.categories.array
    taken = pd.api.extensions.take(
        values.to_numpy() if values.dtype.kind in "biuf" else values, column.cat.codes.to_numpy(), allow_fill=True
    )
    return _like(column, taken)


def _kind(values: Any) -> str:
    return pd.api.types.infer_dtype(values, skipna=True)


def _like(column: pd.Series, values: Any) -> pd.Series:
    return pd.Series(values, index=column.index, name=column.name, copy=False)


def _from_nullable(column: pd.Series, dtype: np.dtype) -> pd.Series:
    if not column.hasnans:
        return _like(column, column.to_numpy(dtype))
    return column if dtype.kind == "b" else _like(column, column.to_numpy(np.float64, na_value=np.nan))


def _from_objects(column: pd.Series) -> pd.Series:
    """Return objects in the type that holds them all; text and what is mixed stay objects."""
    kind = _kind(column)
    try:
        if kind in WHOLE and not column.hasnans:
            return column.astype(WHOLE[kind])
        reader = READERS.get(kind)
        return column if reader is None else _like(column, reader(column))
    except (ValueError, TypeError, OverflowError):  # beyond what one type holds
        return column


def _floats(column: pd.Series) -> np.ndarray:
    return pd.array(list(column), dtype="Float64").to_numpy(np.float64, na_value=np.nan)


def _text(column: pd.Series) -> pd.Series:
    return column.map(bytes.decode, na_action="ignore")


READERS: dict[str, Callable[[pd.Series], Any]] = {
    **dict.fromkeys(("integer", "floating", "mixed-integer-float", "empty"), _floats),
    **dict.fromkeys(TIMES, pd.to_datetime),
    "period": pd.PeriodIndex,
    "bytes": _text,
}


def _from_arrow(column: pd.Series, dtype: pd.ArrowDtype) -> pd.Series:
    """Return a column of Arrow: whole decimals stay exact, as they may be names."""
    import pyarrow as pa  # only a column of Arrow needs it

    kind: Any = dtype.pyarrow_dtype
    if pa.types.is_dictionary(kind):
        decoded = pa.chunked_array(column.array._pa_array).cast(kind.value_type)
        return plain_column(_like(column, pd.arrays.ArrowExtensionArray(decoded)))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        plain = np.dtype(kind.to_pandas_dtype())
        return _like(column, column.to_numpy(np.float64, na_value=np.nan) if column.hasnans else column.to_numpy(plain))
    names = (
        (pa.types.is_timestamp, lambda: f"datetime64[{kind.unit}{f', {kind.tz}' if kind.tz else ''}]"),
        (pa.types.is_date, lambda: "datetime64[s]"),
        (pa.types.is_duration, lambda: f"timedelta64[{kind.unit}]"),
        (pa.types.is_boolean, lambda: "boolean"),
        (pa.types.is_string, lambda: "str"),
        (pa.types.is_large_string, lambda: "str"),
    )
    found: Any = next((name() for fits, name in names if fits(kind)), "object")
    return plain_column(column.astype(found))

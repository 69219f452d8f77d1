"""Which series a row of a long table belongs to: by one column, or by several joined by '+'.

Shapes: n rows.
"""

import re
from functools import reduce

import numpy as np
import pandas as pd

from ...errors import DataError
from ..tables.columns import find_column
from ..tables.names import filled_names

NAMES = ("unique_id", "id", "item_id", "series", "series_id", "store", "store_id", "item", "sku", "sensor", "sensor_id")
WORDS = ("id", "sku", "fips", "geoid", "plz", "zip", "zipcode", "postcode", "ean", "gtin", "isin", "code")


def sounds_like_id(name: str) -> bool:
    """Tell whether a column is called like what tells series apart, as 'store', or is a number of something."""
    return name.casefold() in NAMES or is_code(name)


def is_code(name: str) -> bool:
    """Tell whether the last word of a column's name says that it names something, as in 'store_id' or 'storeId'."""
    return re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).casefold())[-1] in WORDS


def id_names(id: str | None) -> tuple[str, ...]:
    """Return what the columns that tell series apart may be called, if ``id`` is what the user or a run says."""
    return ("unique_id",) if id is None else (id, *id.split("+"))


def id_parts(frame: pd.DataFrame, id: str) -> list[str]:
    """Return the columns that make up an id; raises DataError if one is missing."""
    parts = id.split("+") if id not in frame.columns else [id]
    return [find_column(frame.columns, part, "id") for part in parts]


def id_codes(frame: pd.DataFrame, id: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return int64 codes (n,) of the series in the order in which they appear, and their names, such as 'A/B'.

    Raises DataError if a row has no name, or two series would have the same.
    """
    parts = [filled_names(frame[part]) for part in id_parts(frame, id)]
    return reduce(_joined, parts)


def _joined(
    one: tuple[np.ndarray, tuple[str, ...]], other: tuple[np.ndarray, tuple[str, ...]]
) -> tuple[np.ndarray, tuple[str, ...]]:
    codes, pairs = pd.factorize(one[0] * len(other[1]) + other[0])
    names = tuple(f"{one[1][pair // len(other[1])]}/{other[1][pair % len(other[1])]}" for pair in pairs.tolist())
    if len(set(names)) < len(names):
        double = max(names, key=names.count)
        raise DataError(f"Two series would be called '{double}'; give the table one column that tells series apart.")
    return codes.astype(np.int64), names


def pairs_are_distinct(codes: np.ndarray, stamps: np.ndarray) -> bool:
    """Tell whether nearly every row has a pair of series and time stamp of its own."""
    places, different = pd.factorize(stamps)
    return len(pd.unique(codes.astype(np.int64) * len(different) + places)) > 0.95 * len(codes)

"""The index of a frame as columns: it is data, like any column."""

import numpy as np
import pandas as pd

from ...errors import DataError
from ..calendar.stamps import holds_dates, read_stamps
from .dtypes import plain_column

YEARS = (1500, 2200)
SPELLED = 100_000  # smaller numbers without a name are rows, not days


def with_index(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the table with what its index holds as columns in front, and how these are called.

    An index without a name that only numbers rows, as a filter or a sort leaves it, holds nothing. A level that has
    no name is called 'ds' if it holds dates, else 'time' as the last of several; beside one of these 'unique_id', and
    'index' if it is the only one. Raises DataError if a column has the name of a level but other values.
    """
    index = frame.index
    if _only_numbers_rows(index):
        plain = isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
        return (frame if plain else frame.reset_index(drop=True)), ()
    frame = frame.reset_index(drop=True)
    levels = [plain_column(pd.Series(index.get_level_values(i).array)) for i in range(index.nlevels)]
    names = _level_names(index, levels, set(frame.columns))
    fresh = {}
    for name, level in zip(names, levels, strict=True):
        if name not in frame.columns and name not in fresh:
            fresh[name] = level
        elif name in fresh or not pd.Index(frame[name]).equals(pd.Index(level)):
            raise DataError(
                f"The index of the table has '{name}' with other values than the column '{name}'; rename one of them, "
                "or call reset_index(drop=True) if only the column counts."
            )
    return pd.concat([pd.DataFrame(fresh, index=frame.index), frame], axis=1), tuple(fresh)


def _only_numbers_rows(index: pd.Index) -> bool:
    """Tell whether an index is one of whole numbers without a name that spell neither dates nor years."""
    if index.nlevels > 1 or index.name is not None or index.dtype.kind not in "iu":
        return False
    return (isinstance(index, pd.RangeIndex) and index.start == 0) or not spells_time(plain_column(pd.Series(index)))


def spells_time(numbers: pd.Series) -> bool:
    """Tell whether whole numbers are years, one after the other, or spell dates."""
    values = np.unique(numbers.to_numpy())
    if len(values) < 2:
        return False
    if YEARS[0] <= values[0] and values[-1] <= YEARS[1]:
        return bool((np.diff(values) == 1).all())
    if values[0] < SPELLED:
        return False
    try:
        return not read_stamps(pd.Series(values), "index").integer
    except DataError:
        return False


def _level_names(index: pd.Index, levels: list[pd.Series], taken: set[str]) -> list[str]:
    """Return a name for each level: its own, or one that says what it holds."""
    dates = [index.names[i] is None and holds_dates(level) for i, level in enumerate(levels)]
    last = len(levels) - 1
    names: list[str] = []
    for i, given in enumerate(index.names):
        if given is not None:
            names.append(str(given))
            continue
        steps = i == last > 0 and not any(dates)
        wanted = (
            "ds" if dates[i] else "time" if steps else "unique_id" if last == 1 else f"level_{i}" if last else "index"
        )
        used = taken | set(names)
        names.append(wanted if wanted not in used else next(n for k in range(99) if (n := f"level_{k}") not in used))
    return names

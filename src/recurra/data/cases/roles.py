"""Which column of a table is what: the id of a case, the time of a step, the label or the number of a case.

Shapes: n rows of a table.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ...errors import DataError, KindError, RowError
from ..calendar.names import NAMES, is_usual
from ..calendar.parts import read_time
from ..calendar.stamps import distinct, holds_dates
from ..tables.columns import is_number, is_text, numbers, text_of_numbers
from .labels import label_codes
from .rows import Rows, rows_of

LABELS = ("label", "class", "target", "category", "labels", "class_label", "classlabel", "标签", "类别", "y")
TARGETS = ("target", "y", "目标", "label", "标签")  # what a number of a case is called
IDS = (
    "unique_id", "case_id", "caseid", "case", "id", "case_name", "series_id", "sample_id", "instance_id", "instance",
    "item_id", "sequence_id", "series", "name", "编号", "名称",
)  # fmt: skip
COUNTERS = ("index", "row", "nr", "#", "unnamed:_0", "序号")  # what a column that numbers the rows is called
STEPS = re.compile(r"(?:t|step|time|timestep|时刻)?[\s_.-]*(\d+)")
MANY = 20  # columns called as steps are, from which a table is wide although its ids repeat
DOUBLED = 0.05  # share of rows with the time of another row of their case, above which id or time is wrong
Taken = Sequence[str | None]  # columns that have a role already


def key(name: str) -> str:
    """Return a column name as it is compared: 'Case ID' and 'case-id' are 'case_id'."""
    return re.sub(r"[\s_\-]+", "_", name.strip().casefold())


def is_label(name: str) -> bool:
    """Tell whether a column is called a label."""
    return key(name) in LABELS


def is_id(name: str) -> bool:
    """Tell whether a column is called an id, so that its cells are names."""
    return key(name) in IDS


def by_rank(columns: Iterable[str], names: tuple[str, ...]) -> list[str]:
    """Return the columns that are called one of these names, the first name first."""
    ranks = {name: rank for rank, name in enumerate(names)}
    return sorted((column for column in columns if key(column) in ranks), key=lambda column: ranks[key(column)])


def find_id(frame: pd.DataFrame, answers: Sequence[str], time: str | None) -> str | None:
    """Return the column of case ids: by its name, or the text that tells rows of one time apart; None if there is none.

    Raises DataError if rows have a time, so that they are steps, and nothing tells cases apart.
    """
    taken = (*answers, time, *(time or "").split("+"))
    named = _named_id(frame, taken)
    if named is not None or (time is None and len(numbered_steps(frame)) > 0):
        return named
    times = [time] if time is not None else time_columns(frame, taken)
    for one in times:
        stamps = time_values(frame, one)
        found = next((name for name in frame.columns if _tells_apart(frame, name, stamps, (*taken, one))), None)
        if found is not None:
            return found
    if times:
        raise KindError(
            f"Column '{times[0]}' is the time of a step, but no column tells which case a row belongs to; name it with "
            f"id=, or leave '{times[0]}' out if each row is a case."
        )
    return None


def _named_id(frame: pd.DataFrame, taken: Taken) -> str | None:
    """Return the column that is called an id, or one that numbers the rows."""
    free = [name for name in frame.columns if name not in taken]
    found = [name for name in by_rank(free, IDS) if not _is_fraction(frame[name])]
    return next(iter(found + [name for name in by_rank(free, COUNTERS) if _counts_rows(frame[name])]), None)


def _counts_rows(column: pd.Series) -> bool:
    return column.is_unique and not column.hasnans and not _is_fraction(column)


def _tells_apart(frame: pd.DataFrame, name: str, stamps: np.ndarray, taken: Taken) -> bool:
    """Tell whether a text column names cases whose times repeat between them, but not within."""
    column = frame[name]
    if name in taken or key(name) in LABELS or not is_text(column) or column.isna().any() or text_of_numbers(column):
        return False
    if distinct(stamps) > (1 - DOUBLED) * len(stamps) or holds_dates(column):
        return False
    return rows_of(pd.factorize(column)[0].astype(np.int64), stamps).doubled <= DOUBLED * len(stamps)


def is_wide(frame: pd.DataFrame, id: str, given: bool, time: str | None) -> bool:
    """Tell whether each row is a case: no id repeats, or the table has twenty numbered steps and no time.

    The latter holds only if the id was not ``given``, for it may be the subject of several cases.
    """
    if time is not None:
        return False
    if frame[id].is_unique:
        return True
    steps = numbered_steps(frame)
    return not given and len(steps) >= MANY and not time_columns(frame, (id, *steps))


def row_names(frame: pd.DataFrame, answers: Sequence[str]) -> str | None:
    """Return the first column if it holds a different text in each row, and is none of the ``answers``; else None."""
    name = str(frame.columns[0])
    column = frame[name]
    named = name not in answers and is_text(column) and column.is_unique and not column.hasnans
    return name if named and not text_of_numbers(column) and not holds_dates(column) else None


def _is_fraction(column: pd.Series) -> bool:
    """Tell whether a column holds numbers that are not whole, so it names nothing."""
    if not is_number(column) or column.dtype.kind in "iu":
        return False
    values = column.to_numpy(np.float64, na_value=np.nan)
    return bool((values != np.round(values))[~np.isnan(values)].any())


def numbered_steps(frame: pd.DataFrame) -> list[str]:
    """Return the columns that are called 0, 1, 2, .. or t0, t1, .. or step_1, step_2, .., at least three, in a row."""
    found = [(name, int(fit[1])) for name in frame.columns if (fit := STEPS.fullmatch(name.strip().casefold()))]
    places = [place for _, place in found]
    if len(found) < 3 or places != list(range(places[0], places[0] + len(places))):
        return []
    return [name for name, _ in found]


def time_columns(frame: pd.DataFrame, taken: tuple[str | None, ...]) -> list[str]:
    """Return the columns that may hold the time of each row, the likeliest first: dates, then steps by their name."""
    ranks = {name: rank for rank, name in enumerate(NAMES)}
    free = sorted((n for n in frame.columns if n not in taken), key=lambda n: ranks.get(n.casefold(), len(NAMES)))
    dates = [name for name in free if holds_dates(frame[name])]
    steps = [name for name in free if is_usual(name) and (is_number(frame[name]) or frame[name].dtype.kind == "m")]
    return dates + sorted(steps, key=lambda name: frame[name].hasnans)


def time_values(frame: pd.DataFrame, time: str) -> np.ndarray:
    """Return numbers (n,) in the order of the time; raises DataError where one is missing or not a date."""
    if time not in frame.columns or not is_number(frame[time]):
        return read_time(frame, time).values
    if frame[time].hasnans:
        row = int(np.argmax(frame[time].isna().to_numpy()))
        raise RowError(
            lambda place: f"The time column '{time}' is empty in {place}; fill it in, or leave the row out.", row
        )
    return frame[time].to_numpy()  # as they are: seconds may have fractions, and only their order counts


def find_time(
    frame: pd.DataFrame, id: str, codes: np.ndarray, time: str | None, answers: Sequence[str]
) -> tuple[str | None, Rows]:
    """Return the time column of a long table, None if it has none, and its rows by case and time.

    Raises DataError if in each column that may be the time, rows of one case often have the same.
    """
    names = [time] if time is not None else time_columns(frame, (id, *answers, *by_rank(frame.columns, LABELS)))
    for name in names:
        rows = rows_of(codes, time_values(frame, name))
        if rows.doubled <= DOUBLED * len(codes):
            return name, rows
    if names:
        raise DataError(
            f"{rows.doubled:,} rows have the same '{id}' and the same '{names[-1]}' as another row; name the column "
            "that tells cases apart with id=, or the time of a step with time=."
        )
    return None, rows_of(codes, None)


def find_label(frame: pd.DataFrame, taken: Taken, rows: Rows | None, cases: int, labelled: bool) -> str | None:
    """Return the label column: by its name, else the only text with few distinct values; None if there is none.

    In a long table it has one value in the ``rows`` of each case. Raises DataError if it must be ``labelled`` and none
    is found, or several.
    """
    free = [name for name in frame.columns if name not in taken]
    named = [name for name in by_rank(free, LABELS) if key(name) != "y" or _y_is_label(frame, name, rows)]
    if named:
        return named[0]
    texts = [name for name in free if _is_text_label(frame[name], cases) and _is_constant(frame[name], rows)]
    if len(texts) == 1 or not labelled:
        return texts[0] if len(texts) == 1 else None
    if texts:
        raise DataError(f"Columns '{texts[0]}' and '{texts[1]}' could both be the label; name it with target=.")
    raise KindError(f"No column is the label of a case; name it with target=. The columns are: {_shown(free)}.")


def find_number(frame: pd.DataFrame, taken: Taken, rows: Rows | None, needed: bool) -> str | None:
    """Return the column called a target that holds a number of each case, the same in all its ``rows``.

    None if there is none; raises KindError if it is ``needed``. What is called a label must have fractions, for whole
    numbers may be classes.
    """
    free = [name for name in frame.columns if name not in taken]
    beside_x = any(key(name) == "x" for name in frame.columns)
    for name in by_rank(free, TARGETS):
        if not _holds_numbers(frame[name]) or (key(name) == "y" and beside_x):
            continue
        values = numbers(frame[name], name)
        broken = bool((values != np.round(values))[~np.isnan(values)].any())
        if (broken or key(name) not in ("label", "标签")) and _is_one_each(values, rows):
            return name
    if not needed:
        return None
    raise KindError(f"No column is the target of a case; name it with target=. The columns are: {_shown(free)}.")


def _is_one_each(values: np.ndarray, rows: Rows | None) -> bool:
    """Tell whether numbers (n,) are one in each case."""
    return rows is None or rows.one_each(pd.factorize(values)[0].astype(np.int64))[1] is None


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")


def _y_is_label(frame: pd.DataFrame, name: str, rows: Rows | None) -> bool:
    """Tell whether 'y' is a label, so neither a coordinate beside 'x', nor a number that changes or has fractions."""
    if any(key(other) == "x" for other in frame.columns) or _is_fraction(frame[name]):
        return False
    return _is_constant(frame[name], rows)


def _is_constant(column: pd.Series, rows: Rows | None) -> bool:
    """Tell whether a column has one value in each case."""
    return rows is None or rows.one_each(label_codes(column, as_is=False)[0])[1] is None


def _is_text_label(column: pd.Series, cases: int) -> bool:
    """Tell whether a column holds text with few distinct values: two, or half as many as there are cases."""
    if not is_text(column) or not 1 <= column.nunique() <= max(2, cases // 2):
        return False
    return not text_of_numbers(column) and not holds_dates(column)


def values_in(frame: pd.DataFrame, taken: Taken) -> tuple[tuple[str, ...], list[str]]:
    """Return the columns of values, and a note on those that are left out; raises DataError if none has numbers.

    A second label, a second id and a number of the row are left out: they would give the class away.
    """
    free = [name for name in frame.columns if name not in taken]
    labels = [name for name in by_rank(free, LABELS) if key(name) != "y"]
    ids = [name for name in by_rank(free, IDS) if not _is_fraction(frame[name])]
    aside = {*labels, *ids, *(name for name in by_rank(free, COUNTERS) if _counts_rows(frame[name]))}
    found = [name for name in free if name not in aside and _holds_numbers(frame[name])]
    if not found:
        raise DataError("The table has no column of numbers for the values; give it at least one.")
    kept = set(found)
    left = [f"'{name}'" for name in free if name not in kept]
    shown = ", ".join(left[:8]) + (f" and {len(left) - 8} more" if len(left) > 8 else "")
    return tuple(found), [f"left out {shown} (no numbers, or another label, id or number of the row)"] if left else []


def _holds_numbers(column: pd.Series) -> bool:
    if is_text(column):
        return text_of_numbers(column)
    return pd.api.types.is_numeric_dtype(column.dtype) and column.dtype.kind != "c"

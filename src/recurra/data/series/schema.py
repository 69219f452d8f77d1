"""What a table is: its time, its series, its calendar; found from names and values, with notes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError
from ..calendar.names import rank_of, sounds_like_time
from ..calendar.parts import read_time
from ..calendar.stamps import distinct, has_time_index, holds_dates, index_name
from ..tables.columns import find_column, is_counter, is_number, is_text, numbers, strip_text, text_numbers
from .timing import digit_dates, joined_time, why_left

IDS = ("id", "item_id", "series", "series_id", "store", "store_id", "item", "sku", "sensor", "sensor_id")
MONTHS = (
    "jan january januar", "feb february februar", "mar march mär märz mrz", "apr april", "may mai", "jun june juni",
    "jul july juli", "aug august", "sep sept september", "oct october okt oktober", "nov november",
    "dec december dez dezember",
)  # fmt: skip
MANY = 20  # columns of numbers beside one of names, from which rows are taken for series


@dataclass(frozen=True)
class Schema:
    """Which columns of a table hold time, names and values, and the calendar that they keep."""

    time: str | None  # a column, columns joined by '+', or None: rows in order
    id: str | None  # the column of series names in a long table
    targets: tuple[str, ...]
    frequency: str | None  # a pandas offset alias; None: integer steps
    timezone: str | None = None
    season: int = 1
    longer: int = 0  # a longer season that adds to it, such as the week to the day; 0 for none
    order: str = ""  # how dates such as 01/02/2024 are read: 'day first' or 'month first'
    step: int = 1  # the difference of integer steps
    snap: bool = False  # times are moved to the step they fall into, as the user chose the frequency
    nearest: bool = False  # or to the step that is nearest
    aggregate: str = ""  # how the rows of one step become its value, such as sum; '': their mean
    finer: str = ""  # the frequency of those rows, as far as it is known
    rows: bool = False  # each row is a series, each further column a step
    months: bool = False  # each row is a year, each further column a month of one series

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as plain JSON values."""
        return asdict(self) | {"targets": list(self.targets)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Schema":
        """Return the schema that ``to_dict`` wrote."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise DataError(f"The description of the data has an unknown entry '{unknown[0]}'.")
        return cls(**{**data, "targets": tuple(data["targets"])})


def schema_of_columns(
    frame: pd.DataFrame, given: tuple[str, ...], time: str | None, id: str | None, notes: list[str]
) -> Schema:
    """Return the schema, without calendar, of a table whose columns are time, names and values."""
    if id is not None:
        find_column(frame.columns, id, "id")
    elif "unique_id" in frame.columns and "unique_id" not in given:
        id = "unique_id"
    time = _given_time(frame, time) if time is not None else _find_time(frame, (*given, *([id] if id else [])), notes)
    if id is None and time is not None:
        id = _find_id(frame, time, given, notes)
    if time is not None:
        _refuse_pair(frame, time, id, given)
    taken = {*(time or "").split("+"), time, id}
    targets = given or _find_targets(frame, taken, id, notes)
    for name in targets:
        if name in (time, id):
            raise DataError(f"Column '{name}' cannot be the target and the {'time' if name == time else 'id'}.")
    return Schema(time, id, targets, None)


def _given_time(frame: pd.DataFrame, time: str) -> str:
    if has_time_index(frame) and time not in frame.columns and time in (index_name(frame), "ds"):
        return time
    parts = time.split("+")
    for part in parts if time not in frame.columns else [time]:
        find_column(frame.columns, part, "time")
    return time


def _find_time(frame: pd.DataFrame, taken: tuple[str, ...], notes: list[str]) -> str | None:
    """Return the column (or columns, or index) that holds the time, or None."""
    free = [name for name in frame.columns if name not in taken]
    if has_time_index(frame) and index_name(frame) not in frame.columns:
        notes.append("time is the index of the table")
        return index_name(frame)
    dates = [n for n in _by_rank(free) if holds_dates(frame[n])]
    dates += digit_dates(frame, _by_rank(free), dates)
    joined = joined_time(frame, free, dates)
    if joined is not None:
        notes.append(f"time is made of the columns {listed(joined.split('+'))}")
        return joined
    steps = [n for n in _by_rank(free) if sounds_like_time(n) and _holds_steps(frame, n)]
    found = next(iter(dates + steps), None)
    notes.append("there is no time column, so rows are steps 1, 2, 3, .." if found is None else f"time is '{found}'")
    if len(dates) > 1:
        notes.append(f"'{dates[1]}' holds dates too; choose it with time= if it is the time")
    return found


def _by_rank(names: list[str]) -> list[str]:
    return sorted(names, key=rank_of)


def _holds_steps(frame: pd.DataFrame, name: str) -> bool:
    """Tell whether a column named like a time holds epochs, years or steps, each once per series."""
    column = frame[name]
    passed = column.dtype.kind == "m" or (is_text(column) and sounds_like_time(name))
    if not (is_number(column) or passed) or column.isna().any():
        return False
    try:
        values = read_time(frame, name).values
    except DataError:
        return False
    return distinct(values) >= 0.95 * len(values) or any(_names_series(frame, n, values) for n in frame.columns)


def _find_id(frame: pd.DataFrame, time: str, given: tuple[str, ...], notes: list[str]) -> str | None:
    """Return a column that tells series apart whose time stamps repeat, or None."""
    values = read_time(frame, time).values
    if distinct(values) > 0.95 * len(values):
        return None
    free = [n for n in frame.columns if n not in (*given, time, *time.split("+"))]
    found = next((n for n in free if _names_series(frame, n, values)), None)
    if found is not None:
        notes.append(f"time stamps repeat and '{found}' tells the series apart, so it is the id")
    return found


def _refuse_pair(frame: pd.DataFrame, time: str, id: str | None, given: tuple[str, ...]) -> None:
    """Refuse a long table whose series are told apart by two columns only together."""
    stamps = read_time(frame, time).values
    if id is None and distinct(stamps) > 0.95 * len(stamps):
        return
    if id is not None and _distinct_pairs(pd.factorize(frame[id])[0], stamps) > 0.95 * len(frame):
        return
    free = [n for n in frame.columns if n not in (*given, id, time, *time.split("+")) and _can_name(frame, n)]
    for one, other in combinations(free, 2) if id is None else ((id, name) for name in free):
        codes = frame.groupby([one, other], sort=False, dropna=False).ngroup().to_numpy()
        if codes.max() < len(frame) / 2 and _distinct_pairs(codes, stamps) > 0.95 * len(frame):
            raise DataError(
                f"Only the columns '{one}' and '{other}' together tell the series apart; join them into one column, "
                "such as 'A/B', and name it with id=."
            )


def _can_name(frame: pd.DataFrame, name: str) -> bool:
    """Tell whether a column can name series: text or an id by its name, with values that repeat."""
    column = frame[name]
    named = name.casefold() in IDS
    if column.isna().any() or not (is_text(column) or named):
        return False
    return 1 < column.nunique() <= len(frame) / 2


def _distinct_pairs(codes: np.ndarray, stamps: np.ndarray) -> int:
    places, different = pd.factorize(stamps)
    return len(pd.unique(codes.astype(np.int64) * len(different) + places))


def _names_series(frame: pd.DataFrame, name: str, stamps: np.ndarray) -> bool:
    return _can_name(frame, name) and _distinct_pairs(pd.factorize(frame[name])[0], stamps) > 0.95 * len(frame)


def _find_targets(frame: pd.DataFrame, taken: set[Any], id: str | None, notes: list[str]) -> tuple[str, ...]:
    if id is not None and "y" in frame.columns:
        return ("y",)
    left: list[str] = []
    found: list[str] = []
    times = {n: reason for n in frame.columns if n not in taken for reason in [why_left(frame[n], n)] if reason}
    notes += [f"left out '{name}' ({reason})" for name, reason in times.items()]
    for name in frame.columns:
        if name in taken or name in times:
            continue
        (found if _is_target(frame[name], name) else left).append(name)
    if not found:
        found = _last_resort(frame[[name for name in left if is_number(frame[name])]], times)
        left = [name for name in left if name not in found]
    text = [name for name in found if is_text(frame[name])]
    if text:
        notes.append(f"{listed(text)} held numbers written as text, which were converted")
    if left:
        notes.append(f"left out {listed(left)} (text, empty, constant, or only counting the rows)")
    notes.append(f"{'target is' if len(found) == 1 else f'{len(found)} targets:'} {listed(found)}")
    return tuple(found)


def _last_resort(frame: pd.DataFrame, times: dict[str, str]) -> list[str]:
    """Return a column that counts the rows, if it is the only one that varies, or else those that are constant."""
    names = [str(name) for name in frame.columns if varies(frame[name].to_numpy(np.float64))]
    if names:
        return names[:1]
    if not frame.shape[1]:
        but = "".join(f", and '{name}' was left out ({reason})" for name, reason in list(times.items())[:3])
        raise DataError(f"The table has no column of numbers to forecast{but}; name one with target=.")
    constant = [str(name) for name in frame.columns if frame[name].notna().any()]
    if not constant:
        every = listed(list(frame.columns))
        raise DataError(f"Every column of numbers ({every}) has no values at all, so there is nothing to learn.")
    return constant


def _is_target(column: pd.Series, name: str) -> bool:
    """Tell whether a column is numbers that vary; text that is mostly numbers is refused with its row."""
    if is_text(column):
        values, bad = text_numbers(strip_text(column))
        if bad.sum() >= 0.5 * max(1, np.isfinite(values).sum()):
            return False
        values = numbers(column, name)
    elif is_number(column):
        values = numbers(column, name)
    else:
        return False
    return varies(values) and not (is_number(column) and len(values) > 2 and is_counter(column))


def varies(values: np.ndarray) -> bool:
    """Tell whether the known values (n,) are not all the same."""
    known = values[np.isfinite(values)]
    return bool(len(known) and (known != known[0]).any())


def listed(names: list[str]) -> str:
    """Return names in quotes, the first eight of many."""
    shown = ", ".join(f"'{name}'" for name in names[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def rows_are_series(frame: pd.DataFrame) -> bool:
    """Tell whether the first column names series and many columns of numbers hold their steps."""
    first, rest = frame.iloc[:, 0], frame.iloc[:, 1:]
    if rest.shape[1] < MANY or not is_text(first) or not first.is_unique or first.isna().any():
        return False
    return not holds_dates(first) and all(is_number(rest[name]) for name in rest.columns) and not has_time_index(frame)


def schema_of_rows(frame: pd.DataFrame, notes: list[str]) -> Schema:
    """Return the schema, without calendar, of a table with a series in each row."""
    name = str(frame.columns[0])
    labels = pd.Series(frame.columns[1:].astype(str))
    dated = holds_dates(labels) or bool(digit_dates(labels.to_frame("ds"), ["ds"], []))
    years = bool(labels.str.fullmatch(r"(1[5-9]|20|21)\d\d").all())
    notes.append(f"each row is a series named by '{name}', and the other {len(labels)} columns are its steps")
    return Schema("ds" if dated or years else None, name, ("y",), None, rows=True)


def rows_are_years(frame: pd.DataFrame) -> bool:
    """Tell whether the first column holds years, each once, and the others are the twelve months in order."""
    if frame.shape[1] != 13 or not is_number(frame.iloc[:, 0]) or not frame.iloc[:, 0].is_unique:
        return False
    years = frame.iloc[:, 0].to_numpy(np.float64, na_value=np.nan)
    if not ((years >= 1500) & (years <= 2200) & (years == np.round(years))).all():
        return False
    labels = [str(name).strip().rstrip(".").casefold() for name in frame.columns[1:]]
    return all(
        label in MONTHS[i].split() or (label.isdecimal() and int(label) == i + 1) for i, label in enumerate(labels)
    )


def schema_of_years(frame: pd.DataFrame, notes: list[str]) -> Schema:
    """Return the schema, without calendar, of one monthly series with a year in each row."""
    name = str(frame.columns[0])
    notes.append(f"each row is a year ('{name}') and the other 12 columns are its months, read as one series 'y'")
    return Schema(name, None, ("y",), None, months=True)


def as_table(frame: pd.DataFrame, schema: Schema) -> tuple[pd.DataFrame, str | None]:
    """Return the table with one step per row, and the name of its time; other layouts are turned into it."""
    if schema.rows:
        return rows_to_long(frame, schema), "ds"
    if schema.months:
        return _years_to_steps(frame, schema), "ds"
    return frame, schema.time


def _years_to_steps(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a table of one year per row as one month per row; empty cells go."""
    time = find_column(frame.columns, str(schema.time), "time")
    if not rows_are_years(frame):
        raise DataError(f"The table needs a year in '{time}' and then twelve columns, one for each month.")
    years = numbers(frame[time], time).astype(np.int64)
    wide = frame.drop(columns=time)
    values = np.stack([numbers(wide[name], name) for name in wide.columns], axis=1)
    row, month = np.nonzero(np.isfinite(values))
    if not len(row):
        raise DataError("Every month of the table is empty, so there is nothing to learn.")
    stamps = ((years[row] - 1970) * 12 + month).astype("M8[M]").astype("M8[us]")
    return pd.DataFrame({"ds": stamps, "y": values[row, month]})


def rows_to_long(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a table of one series per row as a long table; the empty cells at the ends go."""
    wide = frame.drop(columns=find_column(frame.columns, str(schema.id), "id"))
    values = np.stack([numbers(wide[name], name) for name in wide.columns], axis=1)
    row, step = np.nonzero(np.isfinite(values))
    if schema.time is None:
        stamps: Any = step + 1
    else:
        labels = pd.Series(wide.columns)
        stamps = (labels.astype(int) if labels.str.fullmatch(r"\d{4}").all() else labels).take(step).to_numpy()
    names = frame[schema.id].to_numpy()[row]
    return pd.DataFrame({str(schema.id): names, "ds": stamps, "y": values[row, step]})

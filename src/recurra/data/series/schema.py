"""What a table is: its time, its series, its calendar; found from names and values, with notes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import combinations, takewhile
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError, RowError
from ..calendar.names import rank_of, sounds_like_time
from ..calendar.parts import read_time
from ..calendar.stamps import distinct, holds_dates, read_stamps
from ..tables.columns import as_pandas, find_column, is_number, is_text, numbers
from ..tables.dtypes import without_categories
from ..tables.index import with_index
from ..tables.names import name_codes
from .covariates import Covariates, checked
from .ids import id_codes, id_parts, pairs_are_distinct, sounds_like_id
from .targets import find_targets, listed, say_targets
from .timing import digit_dates, joined_time

MONTHS = (
    "jan january januar", "feb february februar", "mar march mär märz mrz", "apr april", "may mai", "jun june juni",
    "jul july juli", "aug august", "sep sept september", "oct october okt oktober", "nov november",
    "dec december dez dezember",
)  # fmt: skip
MOST = 6  # columns of names that are tried together
YEAR = r"(1[5-9]|20|21)\d\d"
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
    covariates: Covariates = Covariates()  # noqa: RUF009  (it never changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as plain JSON values."""
        beside = {name: list(names) for name, names in self.covariates._asdict().items()}
        return asdict(self) | {"targets": list(self.targets), "covariates": beside}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Schema":
        """Return the schema that ``to_dict`` wrote."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise DataError(f"The description of the data has an unknown entry '{unknown[0]}'.")
        beside = Covariates.from_plain(data.get("covariates"))
        return cls(**{**data, "targets": tuple(data["targets"]), "covariates": beside})


def series_table(frame: Any) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return any table as series are read from it, and which of its columns were its index."""
    table, keys = with_index(as_pandas(frame))
    return without_categories(table), keys


def schema_of_columns(
    frame: pd.DataFrame,
    given: tuple[str, ...],
    covariates: Covariates,
    time: str | None,
    id: str | None,
    keys: tuple[str, ...],
    notes: list[str],
) -> Schema:
    """Return the schema, without calendar, of a table whose columns are time, names, values and ``covariates``.

    Columns in ``keys`` were the index of the table, so they are no values.
    """
    every, static = frame, covariates.static
    frame = frame.drop(columns=[name for name in (*covariates.known, *covariates.past) if name in frame.columns])
    if id is None and "unique_id" in frame.columns and "unique_id" not in given:
        id = "unique_id"
    ids = [] if id is None else id_parts(frame, id)
    if time is None:
        time = _find_time(frame, (*given, *ids), keys, notes)
    parts = [] if time is None else [time] if time in frame.columns else time.split("+")
    for part in parts:
        find_column(frame.columns, part, "time")
    if time is not None:
        id = _find_id(frame, time, given, keys, notes) if id is None else id
        _refuse_pair(frame, time, id, given, keys)
    taken = {*parts, *([] if id is None else id_parts(frame, id))}
    for name in given:
        if name in taken:
            raise DataError(f"Column '{name}' cannot be the target and the {'time' if name in parts else 'id'}.")
    idle = [name for name in keys if name not in (*taken, *given)]
    if given:
        others = [name for name in frame.columns if name not in (*taken, *given, *idle, *static)]
        say_targets(given, others, id, notes)
    targets = given or find_targets(frame, {*taken, *idle, *static}, id, notes)
    roles = dict.fromkeys(parts, "time") | dict.fromkeys(targets, "target") | ({} if id is None else {id: "id"})
    covariates = checked(covariates, every.columns, roles)
    if idle:
        notes.append(f"the index {listed(idle)} is neither time nor id, so it is not used; name it with time= or id=")
    return Schema(time, id, targets, None, covariates=covariates)


def _find_time(frame: pd.DataFrame, taken: tuple[str, ...], keys: tuple[str, ...], notes: list[str]) -> str | None:
    """Return the column (or columns) that hold the time, or None; what was the index comes first."""
    free = [name for name in frame.columns if name not in taken]
    ranked = sorted(_by_rank(free), key=lambda name: name not in keys)
    dates = [n for n in ranked if holds_dates(frame[n])]
    if dates and dates[0] in keys:
        notes.append("time is the index of the table")
        return dates[0]
    dates += digit_dates(frame, ranked, dates)
    joined = joined_time(frame, free, dates)
    if joined is not None:
        notes.append(f"time is made of the columns {listed(joined.split('+'))}")
        return joined
    found = next(iter(dates + _steps(frame, ranked, keys)), None)
    notes.append("there is no time column, so rows are steps 1, 2, 3, .." if found is None else f"time is '{found}'")
    if len(dates) > 1:
        notes.append(f"'{dates[1]}' holds dates too; choose it with time= if it is the time")
    return found


def _steps(frame: pd.DataFrame, ranked: list[str], keys: tuple[str, ...]) -> list[str]:
    """Return the columns of whole steps, by their names or as an index: of its levels that with the most first."""
    called = [name for name in ranked if sounds_like_time(name)]
    levels = sorted(
        (n for n in reversed(keys) if n in ranked and not sounds_like_id(n)), key=lambda n: -frame[n].nunique()
    )
    return [name for name in called + levels if _holds_steps(frame, name, keys)]


def _by_rank(names: list[str]) -> list[str]:
    return sorted(names, key=rank_of)


def _holds_steps(frame: pd.DataFrame, name: str, keys: tuple[str, ...]) -> bool:
    """Tell whether a column named like a time holds epochs, years or steps, each once per series."""
    column = frame[name]
    passed = column.dtype.kind == "m" or (is_text(column) and sounds_like_time(name))
    if not (is_number(column) or passed) or column.isna().any():
        return False
    try:
        values = read_time(frame, name).values
    except DataError:
        return False
    return distinct(values) >= 0.95 * len(values) or any(_names_series(frame, n, values, keys) for n in frame.columns)


def _find_id(
    frame: pd.DataFrame, time: str, given: tuple[str, ...], keys: tuple[str, ...], notes: list[str]
) -> str | None:
    """Return a column that tells series apart whose time stamps repeat, or what an index has besides time, or None."""
    values = read_time(frame, time).values
    levels = [name for name in keys if name not in (*given, time, *time.split("+"))]
    if time in keys and levels:
        alone = [name for name in levels if pairs_are_distinct(name_codes(frame[name])[0], values)]
        chosen = [max(alone, key=lambda name: frame[name].nunique())] if alone else levels
        notes.append(f"what else is in the index, {listed(chosen)}, tells the series apart, so it is the id")
        return "+".join(chosen)
    if distinct(values) > 0.95 * len(values):
        return None
    free = [n for n in frame.columns if n not in (*given, time, *time.split("+"))]
    found = next((n for n in free if _names_series(frame, n, values, keys)), None)
    if found is not None:
        notes.append(f"time stamps repeat and '{found}' tells the series apart, so it is the id")
    return found


def _refuse_pair(frame: pd.DataFrame, time: str, id: str | None, given: tuple[str, ...], keys: tuple[str, ...]) -> None:
    """Refuse a long table whose series are told apart by two or three columns only together."""
    stamps = read_time(frame, time).values
    if id is None and distinct(stamps) > 0.95 * len(stamps):
        return
    if id is not None and pairs_are_distinct(id_codes(frame, id)[0], stamps):
        return
    known = (*given, time, *time.split("+"), *([] if id is None else id_parts(frame, id)))
    names = [name for name in frame.columns if name not in known and _can_name(frame, name, keys)][:MOST]
    first = [] if id is None else [id]
    for size in (1, 2, 3):
        for more in combinations(names, size):
            parts = [*first, *more]
            if len(parts) < 2 or len(parts) > 3:
                continue
            codes = id_codes(frame, "+".join(parts))[0]
            if codes.max() < len(frame) / 2 and pairs_are_distinct(codes, stamps):
                said = ", ".join(f"'{name}'" for name in parts[:-1]) + f" and '{parts[-1]}'"
                raise DataError(
                    f"Only the columns {said} together tell the series apart; name all of them with "
                    f"id='{'+'.join(parts)}'."
                )


def _can_name(frame: pd.DataFrame, name: str, keys: tuple[str, ...] = ()) -> bool:
    """Tell whether a column can name series: text, an index, or an id by its name, with values that repeat."""
    column = frame[name]
    if column.isna().any() or not (is_text(column) or sounds_like_id(name) or name in keys):
        return False
    try:
        return 1 < column.nunique() <= len(frame) / 2
    except TypeError:  # lists and the like
        return False


def _names_series(frame: pd.DataFrame, name: str, stamps: np.ndarray, keys: tuple[str, ...]) -> bool:
    return _can_name(frame, name, keys) and pairs_are_distinct(name_codes(frame[name])[0], stamps)


def rows_are_series(frame: pd.DataFrame) -> bool:
    """Tell whether a column names series and many columns of numbers hold their steps.

    More columns of text, such as a code and a unit, may stand beside the name where the steps are called by times.
    """
    name = _name_of_rows(frame)
    if name is None:
        return False
    rest = frame.drop(columns=[name, *_beside(frame, name)])
    return rest.shape[1] >= MANY and all(is_number(rest[step]) for step in rest.columns)


def _name_of_rows(frame: pd.DataFrame) -> str | None:
    """Return the column at the left that names each row, or None: the first, or of several of text one that does."""
    left = list(takewhile(lambda name: is_text(frame[name]) and not holds_dates(frame[name]), frame.columns))
    return next((str(name) for name in left if _tells_rows_apart(frame[name])), None)


def _tells_rows_apart(column: pd.Series) -> bool:
    try:
        return column.is_unique and not column.isna().any()
    except TypeError:  # lists and the like
        return False


def _beside(frame: pd.DataFrame, name: str) -> list[str]:
    """Return the columns of text beside the ``name`` of rows whose other columns are called by times."""
    text = [str(one) for one in frame.columns if one != name and is_text(frame[one])]
    text = [one for one in text if not _are_times(pd.Series([one]))]
    return text if text and _are_times(pd.Series(frame.columns.drop([name, *text]).astype(str))) else []


def _are_times(labels: pd.Series) -> bool:
    return bool(labels.str.fullmatch(YEAR).mean() > 0.8) or holds_dates(labels)


def schema_of_rows(frame: pd.DataFrame, notes: list[str]) -> Schema:
    """Return the schema, without calendar, of a table with a series in each row."""
    name = str(_name_of_rows(frame))
    beside = _beside(frame, name)
    labels = pd.Series(frame.columns.drop([name, *beside]).astype(str))
    dated = holds_dates(labels) or bool(digit_dates(labels.to_frame("ds"), ["ds"], []))
    called = labels.str.fullmatch(YEAR)
    years = bool(called.all())
    if not dated and not years and called.mean() > 0.8:
        raise _undated(labels[~called].iloc[0])
    which = f"'{labels.iloc[0]}' to '{labels.iloc[-1]}'" if beside else f"the other {len(labels)} columns"
    notes.append(f"each row is a series named by '{name}', and {which} are its steps")
    if beside:
        notes.append(f"not used: {listed(beside)} (text beside the name of each row)")
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


def _refuse_undated(labels: pd.Series) -> None:
    """Refuse a column that is not called by a date, as the others are."""
    if labels.str.fullmatch(r"\d{4}").all():
        return
    try:
        read_stamps(labels, "ds")
    except RowError as fault:
        raise _undated(labels.iloc[fault.row]) from None


def _undated(label: str) -> DataError:
    return DataError(
        f"Each row is a series and each column a step, but the column '{label}' is not called by a date as the others "
        "are; leave it out."
    )


def rows_to_long(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return a table of one series per row as a long table; the empty cells at the ends go."""
    name = find_column(frame.columns, str(schema.id), "id")
    wide = frame.drop(columns=[name, *_beside(frame, name)])
    values = np.stack([numbers(wide[name], name) for name in wide.columns], axis=1)
    row, step = np.nonzero(np.isfinite(values))
    if schema.time is None:
        stamps: Any = step + 1
    else:
        labels = pd.Series(wide.columns)
        _refuse_undated(labels)
        stamps = (labels.astype(int) if labels.str.fullmatch(r"\d{4}").all() else labels).take(step).to_numpy()
    names = frame[schema.id].to_numpy()[row]
    return pd.DataFrame({str(schema.id): names, "ds": stamps, "y": values[row, step]})

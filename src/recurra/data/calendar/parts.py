"""Parts of a time in columns of their own, joined: year and week, date and clock, year, month, day and hour."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from ...errors import DataError, RowError
from ..tables.columns import find_column, is_number, is_text
from .digits import full_year, read_digits
from .grid import UNITS
from .names import MONTH_WORDS, RANGES, roles_in
from .stamps import Stamps, read_as, read_stamps
from .words import DOTTED, is_clock


def read_time(frame: pd.DataFrame, time: str, order: str = "") -> Stamps:
    """Return the stamps of a column, or of columns joined by '+'."""
    if time in frame.columns:
        return read_stamps(frame[time], time, order)
    parts = time.split("+")
    if len(parts) > 1 and all(part in frame.columns for part in parts):
        return _join(frame, parts, order)
    return read_stamps(frame[find_column(frame.columns, time, "time")], time, order)


def _join(frame: pd.DataFrame, parts: list[str], order: str) -> Stamps:
    """Join year, month, day, hour columns, or year and week, or a date and a clock time, or a date and an hour."""
    roles = roles_in(parts)
    if "year" in roles:
        return _join_numbers(frame, roles, order)
    if len(parts) > 2:
        raise DataError(
            f"'{'+'.join(parts)}' joins no date: give a date and a time of day, or columns called year, month, day, "
            "hour, week or quarter."
        )
    date, clock = parts
    stamps = read_stamps(frame[date], date, order)
    if stamps.integer:
        raise DataError(f"The column '{date}' holds plain steps, where a date is needed to be joined with '{clock}'.")
    hours = frame[clock]
    if is_number(hours):
        return replace(stamps, values=stamps.values + _clock_numbers(_part(frame, clock), clock))
    if stamps.zone is None and is_clock(hours):
        return replace(stamps, values=stamps.values + _clock_texts(hours, clock))
    joined = frame[date].astype(str).str.strip() + " " + hours.astype(str).str.strip()
    return read_stamps(joined, "+".join(parts), order)


def _clock_texts(column: pd.Series, name: str) -> np.ndarray:
    """Return times of day, 9:30 or 24:00 or 1:05 pm, in microseconds."""
    text = column.astype(str).str.strip().str.replace(DOTTED, r"\1:\2:\3", regex=True)
    if re.search(r"[AaPp]\.?[Mm]", str(text.iloc[0])):
        half = text.str.replace(".", "", regex=False).str.replace(r" *([AaPp][Mm])$", r" \1", regex=True)
        form = "%I:%M:%S %p" if half.iloc[0].count(":") > 1 else "%I:%M %p"
        passed = pd.to_datetime(half, format=form, errors="coerce") - pd.Timestamp("1900-01-01")
    else:
        passed = pd.to_timedelta(text.where(text.str.count(":") > 1, text + ":00"), errors="coerce")
    if passed.isna().any():
        row = int(np.argmax(passed.isna().to_numpy()))
        raise DataError(
            f"Column '{name}' is part of the time, but has '{column.iloc[row]}' in row {row + 1} instead of a time of "
            "day."
        )
    return np.asarray(passed.to_numpy().astype("m8[us]").astype(np.int64))


def _clock_numbers(values: np.ndarray, name: str) -> np.ndarray:
    """Return the time of day of hours (0 to 24), or of 930 and 2359 or 235959, in microseconds."""
    if values.max() <= 24:
        return values * UNITS["h"]
    small = values.max() <= 2400
    hour, minute, second = values // (100 if small else 10_000), values // (1 if small else 100) % 100, values % 100
    if values.min() < 0 or hour.max() > 24 or minute.max() > 59 or second.max() > 59:
        raise DataError(
            f"Column '{name}' is part of the time, but its numbers up to {values.max()} are neither hours nor times "
            "such as 930 or 93000."
        )
    return np.asarray(hour * UNITS["h"] + minute * UNITS["min"] + (0 if small else second * UNITS["s"]))


def _join_numbers(frame: pd.DataFrame, roles: dict[str, str], order: str) -> Stamps:
    get = {role: _month_numbers(frame, name) if role == "month" else _part(frame, name) for role, name in roles.items()}
    year = full_year(get["year"])
    _refuse_outside(get | {"year": year}, roles)
    stamps = _day_of(get | {"year": year}, "+".join(roles.values()), order)
    clock = _clock_numbers(get["hour"], roles["hour"]) if "hour" in get else np.int64(0)
    for role, unit in (("minute", "min"), ("second", "s")):
        clock = clock + get.get(role, np.int64(0)) * UNITS[unit]
    return replace(stamps, values=stamps.values + clock)


def _day_of(get: dict[str, np.ndarray], name: str, order: str) -> Stamps:
    """Return the day, or the start of the month, quarter or week, that columns name together."""
    year = get["year"]
    for role, size, digits in (("yearday", 1000, 7), ("week", 100, 6)):
        if role in get and "day" not in get:
            values = year * size + get[role]
            found = read_digits(values, (digits,), f"{name} {role}", order)
            if found is None:
                where = "week" if role == "week" else "day"
                raise DataError(
                    f"'{name}' holds a {where} that its year does not have; write dates such as 2024-01-31."
                )
            return read_as(found, name, order)
    month = get.get("month", (get["quarter"] - 1) * 3 + 1 if "quarter" in get else np.ones_like(year))
    read = read_digits((year * 100 + month) * 100 + get.get("day", np.ones_like(year)), (8,), name, "yyyymmdd")
    assert read is not None  # a form that is given reads or refuses
    return Stamps(read.stamps)


def _refuse_outside(get: dict[str, np.ndarray], roles: dict[str, str]) -> None:
    for role, values in get.items():
        low, high = RANGES[role]
        high = 2400 if role == "hour" else high
        wrong = (values < low) | (values > high)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"Column '{roles[role]}' is part of the time, but has {values[row]} in row {row + 1}, where a {role} "
                f"from {low} to {high} is expected."
            )


def _month_numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Return months as numbers, those that are written as words too."""
    if is_text(frame[name]):
        numbers = frame[name].astype(str).str.strip(" .月").str.casefold().map(MONTH_WORDS)
        if numbers.notna().all():
            return np.asarray(numbers.to_numpy(np.int64))
    return _part(frame, name)


def part_numbers(column: pd.Series) -> np.ndarray:
    """Return a column such as 5, W05, Q1 or 5月 as numbers, NaN where there is none."""
    if column.dtype.kind == "c":
        return np.full(len(column), np.nan)
    text = column.astype(str).str.strip().str.strip("QqWwHhKk第年月日周季度时") if is_text(column) else column
    values = pd.to_numeric(text, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.abs(values) < 9e18, values, np.nan)


def _part(frame: pd.DataFrame, name: str) -> np.ndarray:
    values = part_numbers(frame[name])
    bad = ~(values == np.round(values))
    if bad.any():
        row = int(np.argmax(bad))
        value = frame[name].iloc[row]
        raise RowError(
            lambda place: (
                f"Column '{name}' is part of the time, but has '{value}' in {place} instead of a whole number."
            ),
            row,
        )
    return values.astype(np.int64)

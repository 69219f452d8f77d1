"""Digits that are dates: numbers that spell one, days that spreadsheets count, seconds since 1970.

Stamps are int64 microseconds since 1970 (n,).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...errors import DataError
from .frequency import grid_of
from .grid import DAY, UNITS, WEEK, month_length, month_start, weekday
from .names import QUARTERLY, SUNDAYS, WEEKLY, has_time_word, plain
from .pace import infer_frequency

Read = tuple[np.ndarray, np.ndarray]  # stamps, and which of them are dates
YEARS = (1700, 2200)
MOSTLY = 0.9  # share of a column that is dates, from which the others are faults
EPOCHS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0}


class Reading(NamedTuple):
    """Numbers as stamps, and how they were read."""

    stamps: np.ndarray
    form: str  # by which later numbers are read alike
    words: str


@dataclass(frozen=True)
class Form:
    """One way to spell dates: how many digits it has, and what they are."""

    name: str
    words: str
    digits: int
    read: Callable[[np.ndarray], Read]
    wants: str = ""  # what the name of the column must say: week, quarter or its own letters


def _cut(values: np.ndarray, *widths: int) -> list[np.ndarray]:
    """Return the groups of digits of numbers, the first one first."""
    parts = []
    for width in reversed(widths):
        values, part = np.divmod(values, 10**width)
        parts.append(part)
    return [values, *reversed(parts)]


def _year(year: np.ndarray) -> Read:
    return year, (year >= YEARS[0]) & (year <= YEARS[1])


def full_year(year: np.ndarray) -> np.ndarray:
    """Return years of two digits as those from 1970 to 2069."""
    return np.where(year < 70, year + 2000, np.where(year < 100, year + 1900, year))


def _date(year: np.ndarray, month: np.ndarray, day: np.ndarray | int = 1) -> Read:
    year, valid = _year(year)
    valid = valid & (month >= 1) & (month <= 12)
    months = (np.where(valid, year, 1970) - 1970) * 12 + np.where(valid, month, 1) - 1
    valid = valid & (np.asarray(day) >= 1) & (np.asarray(day) <= month_length(months))
    return month_start(months) + (np.asarray(day) - 1) * DAY, valid


def _with_clock(date: Read, hour: np.ndarray, *smaller: np.ndarray) -> Read:
    """Add hours, which may run from 1 to 24, and minutes and seconds."""
    stamps, valid = date
    valid = valid & ((hour <= 23) if (hour == 0).any() or smaller else (hour <= 24))
    stamps = stamps + hour * UNITS["h"]
    for part, unit in zip(smaller, ("min", "s"), strict=False):
        valid, stamps = valid & (part <= 59), stamps + part * UNITS[unit]
    return stamps, valid


def _ymd(values: np.ndarray) -> Read:
    return _date(*_cut(values, 2, 2))


def _short(values: np.ndarray) -> Read:
    year, *rest = _cut(values, 2, 2)
    return _date(full_year(year), *rest)


def _compact(widths: tuple[int, ...], date: Callable[[np.ndarray], Read]) -> Callable[[np.ndarray], Read]:
    def read(values: np.ndarray) -> Read:
        day, *clock = _cut(values, *widths)
        return _with_clock(date(day), *clock)

    return read


def _milliseconds(values: np.ndarray) -> Read:
    whole, rest = np.divmod(values, 1000)
    stamps, valid = _compact((2, 2, 2), _ymd)(whole)
    return stamps + rest * UNITS["ms"], valid


def _weeks(first: int) -> Callable[[np.ndarray], Read]:
    """Return a reader of years and weeks that begin on the weekday ``first``, of which week 1 holds 4 January."""

    def start(year: np.ndarray) -> np.ndarray:
        fourth = month_start((year - 1970) * 12) + 3 * DAY
        return np.asarray(fourth - (weekday(fourth) - first) % 7 * DAY)

    def read(values: np.ndarray) -> Read:
        year, week = _cut(values, 2)
        year, valid = _year(year)
        year = np.where(valid, year, 1970)
        return start(year) + (week - 1) * WEEK, valid & (week >= 1) & (week <= (start(year + 1) - start(year)) // WEEK)

    return read


def _yearday(values: np.ndarray) -> Read:
    year, day = _cut(values, 3)
    start, valid = _date(full_year(year), np.ones_like(year))
    length = (_date(full_year(year) + 1, np.ones_like(year))[0] - start) // DAY
    return start + (day - 1) * DAY, valid & (day >= 1) & (day <= length)


def _quarters(width: int) -> Callable[[np.ndarray], Read]:
    def read(values: np.ndarray) -> Read:
        year, quarter = _cut(values, width)
        stamps, valid = _date(year, (quarter - 1) * 3 + 1)
        return stamps, valid & (quarter <= 4)

    return read


def _backwards(values: np.ndarray) -> Read:
    day, month, year = _cut(values, 2, 4)
    return _date(year, month, day)


def _american(values: np.ndarray) -> Read:
    month, day, year = _cut(values, 2, 4)
    return _date(year, month, day)


def _short_months(values: np.ndarray) -> Read:
    year, month = _cut(values, 2)
    return _date(full_year(year), month)


FORMS = (
    Form("yyyymmddhhmmssfff", "date, clock and milliseconds", 17, _milliseconds),
    Form("yyyymmddhhmmss", "date and clock", 14, _compact((2, 2, 2), _ymd)),
    Form("yyyymmddhhmm", "date, hour and minute", 12, _compact((2, 2), _ymd)),
    Form("yymmddhhmmss", "date and clock", 12, _compact((2, 2, 2), _short), "yymmddhhmmss"),
    Form("yyyymmddhh", "date and hour", 10, _compact((2,), _ymd)),
    Form("yymmddhhmm", "date, hour and minute", 10, _compact((2, 2), _short), "yymmddhhmm"),
    Form("yyyymmdd", "date", 8, _ymd),
    Form("ddmmyyyy", "day, month and year", 8, _backwards),
    Form("mmddyyyy", "month, day and year", 8, _american),
    Form("yyyyddd", "year and day of the year", 7, _yearday),
    Form("yyyymm", "year and month", 6, lambda values: _date(*_cut(values, 2))),
    Form("yyyyww", "year and week, which begins on Monday (ISO 8601)", 6, _weeks(0)),
    Form("yyyyww from Sunday", "year and week, which begins on Sunday", 6, _weeks(6)),
    Form("yymmdd", "year, month and day", 6, _short),
    Form("yyyyqq", "year and quarter", 6, _quarters(2), "quarter"),
    Form("yyyyq", "year and quarter", 5, _quarters(1), "quarter"),
    Form("yymmdd from 2000", "year, month and day", 5, _short, "whole"),
    Form("yyddd", "year and day of the year", 5, _yearday, "yyddd"),
    Form("yymm", "year and month", 4, _short_months, "yymm"),
)
BY_NAME = {form.name: form for form in FORMS}


def read_digits(values: np.ndarray, digits: Iterable[int], name: str, form: str = "") -> Reading | None:
    """Return whole numbers (n,) that spell dates as stamps; None if they do not.

    ``digits`` are the numbers of digits that they are written with, ``form`` is how earlier ones were read. What fits
    several forms is read as the name of the column says, or else as the most regular one.
    Raises DataError with the first row that is no date in a ``form`` that is given, or that the name asks for.
    """
    if form in BY_NAME:
        stamps, valid = BY_NAME[form].read(values)
        _refuse_invalid(values, valid, name, BY_NAME[form])
        return Reading(stamps, form, BY_NAME[form].words)
    counts = set(digits)
    if counts in ({7, 8}, {5, 6}):
        counts = {max(counts)}  # the zero of a day or year below 10 is lost
    if len(counts) != 1:
        return None
    some = [one for one in FORMS if one.digits == next(iter(counts))]
    asked = [one for one in some if _asked(one, name)]
    read = {one: one.read(values) for one in some}
    every = {one: stamps for one, (stamps, valid) in read.items() if valid.all()}
    fits = {one: stamps for one, stamps in every.items() if one in asked}
    counted = read_days(values, name) is not None  # as a spreadsheet does: 45000 is no day 0 of a year 45
    fits = fits or {
        one: stamps for one, stamps in every.items() if not one.wants or (not counted and _is_whole(stamps, values))
    }
    if fits:
        best = max(fits, key=lambda one: regularity(fits[one])) if len(fits) > 1 else next(iter(fits))
        return Reading(fits[best], best.name, best.words)
    if read and has_time_word(name) and not counted:
        nearest = max(asked or read, key=lambda one: read[one][1].mean())
        if read[nearest][1].mean() >= MOSTLY:
            _refuse_invalid(values, read[nearest][1], name, nearest)
    return None


def _is_whole(stamps: np.ndarray, values: np.ndarray) -> bool:
    """Tell whether stamps are all of a calendar, and the numbers that spell them do not rise evenly."""
    gaps = np.diff(np.unique(values))
    return len(gaps) >= 7 and bool((gaps != gaps[0]).any()) and regularity(np.unique(stamps)) == (1.0, 1.0)


def _asked(form: Form, name: str) -> bool:
    """Tell whether the name of a column asks for a form."""
    word = plain(name)
    if form.name in ("yyyyww", "yyyyww from Sunday"):
        return bool(SUNDAYS.search(word)) == (form.name != "yyyyww") if WEEKLY.search(word) else False
    if form.wants == "quarter":
        return bool(QUARTERLY.search(word))
    return word == form.name


def _refuse_invalid(values: np.ndarray, valid: np.ndarray, name: str, form: Form) -> None:
    if valid.all():
        return
    row = int(np.argmin(valid))
    raise DataError(
        f"The time column '{name}' has {values[row]} in row {row + 1}, which is no date in the form "
        f"{form.name.split()[0]} that the others have ({form.words}); write dates such as 2024-01-31."
    )


def regularity(stamps: np.ndarray) -> tuple[float, float]:
    """Return how much of a column is in order, and how much of its calendar is filled."""
    gaps = np.diff(stamps)
    ordered = max((gaps >= 0).mean(), (gaps <= 0).mean()) if len(gaps) else 1.0
    unique = np.unique(stamps)
    try:
        grid = grid_of(infer_frequency(unique))
    except DataError:
        return round(float(ordered), 3), 0.0
    return round(float(ordered), 3), round(len(unique) / (int(grid.place(unique[0], unique[-1:])[0]) + 1), 3)


def read_epoch(values: np.ndarray, form: str = "") -> Reading | None:
    """Return numbers (n,) of seconds since 1970, or of their thousandth parts and less, as stamps; None if unlikely."""
    low, high = float(values.min()), float(values.max())
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9)):
        name = f"seconds since 1970{'' if unit == 's' else f' ({unit})'}"
        if form == name or (not form and 1e8 * scale <= low and high < 7.26e9 * scale):  # 1973 to 2200
            return Reading(_from_epoch(values, unit), name, name)
    return None


def _from_epoch(values: np.ndarray, unit: str) -> np.ndarray:
    if values.dtype.kind == "f" and unit != "ns":
        return np.round(values * EPOCHS[unit]).astype(np.int64)
    return values.astype(np.int64) // 1000 if unit == "ns" else values.astype(np.int64) * EPOCHS[unit]


# Days counted from some date: the names that ask for it, how few and how many there may be, and where 1970 is.
COUNTS = {
    "days of a spreadsheet (1904)": (r"1904", 28500, 58500, 24107.0),
    "days of a spreadsheet": (r"excel|serial|date|datum|fecha|^ds$|^time|^day$|日期|时间", 30000, 60000, 25569.0),
    "days of MATLAB": (r"datenum|matlab|date|datum|fecha|^time|日期|时间", 693962, 770000, 719529.0),
    "Julian days": (r"julian|^jd|date|datum|^time|日期|时间", 2415020, 2488070, 2440587.5),
    "modified Julian days": (r"mjd", 15020, 88070, 40587.0),
}


def read_days(values: np.ndarray, name: str, form: str = "") -> Reading | None:
    """Return numbers of days (n,), parts of days too, that spreadsheets and astronomers count; None if unlikely."""
    for words, (pattern, low, high, origin) in COUNTS.items():
        likely = not form and values.min() >= low and values.max() <= high and re.search(pattern, plain(name))
        if form == words or likely:
            exact = (values.astype(np.float64) - origin) * DAY
            seconds = np.round(exact / UNITS["s"]).astype(np.int64) * UNITS["s"]
            fine = len(np.unique(seconds)) < len(np.unique(values))
            return Reading(np.round(exact / 1000).astype(np.int64) * 1000 if fine else seconds, words, words)
    return None


def counts_days(values: np.ndarray) -> bool:
    """Tell whether rising whole numbers (n,) could be all days, weeks or months of a time, counted from an origin."""
    if not (np.diff(values) > 0).all() or (values != np.round(values)).any():
        return False
    origins = [origin for _, low, high, origin in COUNTS.values() if low <= values[0] and values[-1] <= high]
    return any(regularity((np.floor(values - origin) * DAY).astype(np.int64)) >= (1.0, 0.95) for origin in origins)


def read_years(values: np.ndarray, name: str, form: str = "") -> Reading | None:
    """Return years with months or parts behind the point, 2024.12 or 2024.958, as the starts of months; None if not."""
    tenths = np.round(values * 10)
    if (form == "yyyy.q" or QUARTERLY.search(plain(name))) and np.abs(values * 10 - tenths).max() < 1e-6:
        stamps, valid = _quarters(1)(tenths.astype(np.int64))
        if valid.all():
            return Reading(stamps, "yyyy.q", "years with the quarter behind the point")
    if not (np.isfinite(values).all() and values.min() > 1500 and values.max() < 2300):
        return None
    hundredths = (values - np.floor(values)) * 100
    month = np.round(hundredths)
    spelled = (np.abs(hundredths - month) < 1e-6).all() and (month >= 1).all() and (month <= 12).all()
    if form == "yyyy.mm" or (not form and spelled):
        months = (np.floor(values) - 1970) * 12 + month - 1
        return Reading(month_start(months.astype(np.int64)), "yyyy.mm", "years with the month behind the point")
    months = np.floor((values - 1970) * 12 + 0.02).astype(np.int64)
    gaps = np.diff(np.unique(values)), np.diff(np.unique(months))
    if form or len(gaps[0]) == len(gaps[1]) > 0:
        return Reading(month_start(months), "years with decimals", "years with decimals, month by month")
    return None

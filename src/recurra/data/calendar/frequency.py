"""The calendar of a series: which step its time stamps keep, and steps counted on that calendar.

Stamps are int64 arrays of microseconds (n,), or plain integers on an integer grid.
"""

import math
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError

UNITS = {"D": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
WORDS = {"D": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond", "us": "microsecond"}
DAY = UNITS["D"]
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
FRIENDLY = {
    "secondly": "s", "second": "s", "S": "s", "minutely": "min", "minute": "min", "T": "min", "m": "min",
    "hourly": "h", "hour": "h", "H": "h", "daily": "D", "day": "D", "d": "D", "business": "B", "b": "B",
    "weekly": "W", "week": "W", "w": "W", "monthly": "MS", "month": "MS", "M": "MS", "quarterly": "QS",
    "quarter": "QS", "Q": "QS", "yearly": "YS", "year": "YS", "annual": "YS", "Y": "YS", "A": "YS",
}  # fmt: skip
ORDINARY = (
    "s", "5s", "10s", "15s", "30s", "min", "2min", "5min", "10min", "15min", "20min", "30min", "h", "2h", "3h", "4h",
    "6h", "8h", "12h", "D", "W",
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Evenly counted steps: ``kind`` fixed, month, business or integer; ``size`` of one step in its unit."""

    kind: str
    size: int
    edge: str = ""  # where in the month: S start, E end, BS and BE first and last business day
    anchor: int = 0  # weeks: the weekday they are named by, Monday 0; quarters and years: a month they begin in

    @property
    def wall(self) -> bool:
        """Whether steps are counted on the local clock (a day or longer) instead of in UTC."""
        return self.kind in ("month", "business") or (self.kind == "fixed" and self.size % DAY == 0)

    def place(self, first: Any, stamps: np.ndarray) -> np.ndarray:
        """Return how many steps after ``first`` each stamp lies, rounded down."""
        if self.kind == "month":
            return (_month(stamps) - _month(np.asarray(first))) // self.size
        if self.kind == "business":
            return np.asarray(np.busday_count(_day(np.asarray(first)), _day(stamps))) // self.size
        return (stamps - first) // self.size

    def label(self, first: Any, steps: np.ndarray) -> np.ndarray:
        """Return the stamps that lie ``steps`` after ``first``."""
        if self.kind == "month":
            return self._label_month(np.asarray(first), steps)
        if self.kind == "business":
            days = np.busday_offset(_day(np.asarray(first)), steps * self.size, roll="backward")
            return days.astype("M8[us]").view(np.int64) + np.asarray(first) % DAY
        return np.asarray(first + steps * self.size)

    def _label_month(self, first: np.ndarray, steps: np.ndarray) -> np.ndarray:
        month = _month(first) + steps * self.size
        start, last = _start(month), _start(month + 1) - DAY
        if self.edge == "S":
            shift = first - _start(_month(first))
            return np.minimum(start + shift, last + first % DAY)
        if self.edge == "E":
            return last + first % DAY
        edge, roll = (start, "forward") if self.edge == "BS" else (last, "backward")
        return _roll(edge, roll) + first % DAY

    def snap(self, stamps: np.ndarray) -> np.ndarray:
        """Move each stamp to the label of the step that it falls into."""
        if self.kind == "month":
            month = _month(stamps)
            month -= (month - self.anchor) % self.size
            month += self.size - 1 if self.edge.endswith("E") else 0
            return Grid("month", 1, self.edge).label(_start(month), np.zeros_like(month))
        if self.kind == "business":
            return _roll(stamps - stamps % DAY, "backward")
        if self.size % (7 * DAY) == 0:
            ahead = (self.anchor - weekday(stamps)) % 7
            return stamps - stamps % DAY + ahead * DAY
        return stamps - stamps % self.size


def _day(stamps: np.ndarray) -> np.ndarray:
    return stamps.view("M8[us]").astype("M8[D]")


def _month(stamps: np.ndarray) -> np.ndarray:
    """Return months since January 1970."""
    return stamps.view("M8[us]").astype("M8[M]").view(np.int64)


def _start(month: np.ndarray) -> np.ndarray:
    return np.asarray(month, np.int64).view("M8[M]").astype("M8[us]").view(np.int64)


def weekday(stamps: np.ndarray) -> np.ndarray:
    """Return the day of the week of stamps, Monday 0."""
    return (stamps // DAY + 3) % 7  # 1 January 1970 was a Thursday


def _roll(stamps: np.ndarray, roll: Any) -> np.ndarray:
    return np.busday_offset(_day(stamps), 0, roll=roll).astype("M8[us]").view(np.int64)


def known_frequency(name: str) -> str:
    """Return the pandas alias of a frequency given as an alias or a plain word, or raise a DataError."""
    found = re.fullmatch(r"\s*(\d*)\s*([A-Za-z]+(?:-[A-Za-z]{3})?)\s*", name)
    number, word = found.groups() if found else ("", name)
    alias = FRIENDLY.get(word) or FRIENDLY.get(word.lower() if len(word) > 1 else word) or word
    alias = alias.upper() if "-" in alias else alias
    grid_of(number + alias)
    return number + ("W-SUN" if alias == "W" else alias)


@lru_cache(maxsize=256)
def grid_of(frequency: str | None, step: int = 1) -> Grid:
    """Return the grid of a pandas offset alias; None is a grid of integers ``step`` apart."""
    if frequency is None:
        return Grid("integer", step)
    offset = _offset(frequency)
    code, count = offset.rule_code, offset.n
    month = re.fullmatch(r"(B?)([MQY])([SE])(?:-([A-Z]{3}))?", code)
    if count >= 1 and code in UNITS:
        return Grid("fixed", count * UNITS[code])
    if count >= 1 and code.startswith("W-"):
        return Grid("fixed", count * 7 * DAY, anchor=DAYS.index(code[2:]))
    if count >= 1 and code == "B":
        return Grid("business", count)
    if count < 1 or not month:
        raise _unknown(frequency)
    size = {"M": 1, "Q": 3, "Y": 12}[month[2]]
    anchor = (MONTHS.index(month[4]) if month[4] else 0) + (1 if month[4] and month[3] == "E" else 0)
    return Grid("month", count * size, month[1] + month[3], anchor)


def _offset(frequency: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pd.tseries.frequencies.to_offset(frequency)
    except (ValueError, TypeError, KeyError):
        raise _unknown(frequency) from None


def _unknown(frequency: str) -> DataError:
    return DataError(
        f"Unknown frequency '{frequency}'. Use for example h (hourly), 15min, D (daily), B (business days), "
        "W-SUN (weeks named by their Sunday), MS or ME (month starts or ends), QS, YS."
    )


def infer_frequency(stamps: np.ndarray, breaks: np.ndarray | None = None) -> str:
    """Return the alias of the one step that stamps keep, holes allowed; they are sorted within each series.

    ``breaks`` are the positions where the next series begins. Raises DataError if no one step fits.
    """
    at = _inner_gaps(stamps, breaks)
    gaps = stamps[at + 1] - stamps[at]
    if not len(gaps):
        raise DataError("There is only one time stamp; a series needs at least two different ones.")
    common = int(_most_common(gaps))
    alias = _by_month(stamps, at) if common >= 28 * DAY else None
    return alias or _by_time(stamps, at, gaps, common)


def infer_step(values: np.ndarray, breaks: np.ndarray | None = None) -> int:
    """Return the one difference that integer steps keep, holes allowed."""
    at = _inner_gaps(values, breaks)
    gaps = values[at + 1] - values[at]
    if not len(gaps):
        return 1
    common = int(_most_common(gaps))
    return common if (gaps % common == 0).all() else int(np.gcd.reduce(gaps))


def _inner_gaps(stamps: np.ndarray, breaks: np.ndarray | None) -> np.ndarray:
    """Return the positions that are followed by a later stamp of the same series."""
    later = np.diff(stamps) > 0
    if breaks is not None:
        later[breaks[(breaks > 0) & (breaks < len(stamps))] - 1] = False
    return np.flatnonzero(later)


def _most_common(gaps: np.ndarray) -> np.int64:
    values, counts = np.unique(gaps, return_counts=True)
    return values[np.argmax(counts)]


def _by_month(stamps: np.ndarray, at: np.ndarray) -> str | None:
    months = _month(stamps)
    gaps = months[at + 1] - months[at]
    size = int(np.gcd.reduce(gaps))
    edge = _edge(stamps)
    if edge is None or size == 0 or (gaps == size).mean() < 0.2:
        return None
    end = edge.endswith("E")
    month = int(months[0]) % 12
    if size % 12 == 0:
        count, name = size // 12, f"Y{edge[-1]}" + ("" if month == 11 * end else f"-{MONTHS[month]}")
    elif size == 3:
        count, name = 1, f"Q{edge[-1]}-{MONTHS[month % 3 + 9 * end]}"
    else:
        count, name = size, f"M{edge[-1]}"
    return (str(count) if count > 1 else "") + edge[:-1] + name


def _edge(stamps: np.ndarray) -> str | None:
    """Return where in the month all stamps lie, or None if it differs."""
    if not (stamps % DAY == stamps[0] % DAY).all():
        return None
    day = stamps - stamps % DAY
    month = _month(stamps)
    start, last = _start(month), _start(month + 1) - DAY
    tests = {"S": start, "E": last, "BS": _roll(start, "forward"), "BE": _roll(last, "backward")}
    edge = next((edge for edge, label in tests.items() if (day == label).all()), None)
    same_day = ((day - start) == (day - start)[0]).all()
    return edge or ("S" if same_day else None)


def _by_time(stamps: np.ndarray, at: np.ndarray, gaps: np.ndarray, common: int) -> str:
    step = common if (gaps % common == 0).all() else int(np.gcd.reduce(gaps))
    if (gaps == step).mean() < 0.2:
        if (gaps == common).mean() < 0.5:
            raise _loose(gaps)
        odd = int(np.argmax(gaps % common != 0))
        raise _uneven(stamps[at[odd]], stamps[at[odd] + 1], common)
    other = _other_pace(gaps, step)
    if other is not None:
        raise _uneven(stamps[at[other]], stamps[at[other] + 1], step, mixed=True)
    weekend = weekday(stamps) >= 5
    if step == DAY and len(gaps) >= 9 and not weekend.any():
        return "B"
    if step == 7 * DAY and (weekday(stamps) == weekday(stamps[:1])).all():
        return f"W-{DAYS[int(weekday(stamps[:1])[0])]}"
    unit = next(unit for unit, size in UNITS.items() if step % size == 0)
    count = step // UNITS[unit]
    return (str(count) if count > 1 else "") + unit


def _other_pace(gaps: np.ndarray, step: int) -> int | None:
    """Return where a stretch begins that keeps another step, such as days after hours; holes do not count.

    Such a stretch is ten gaps in a row that are equal, or all much longer than the step.
    """
    for kind in (gaps, np.where(gaps >= 5 * step, -1, 0)):
        ends = np.flatnonzero(np.append(kind[1:] != kind[:-1], True))
        lengths = np.diff(ends, prepend=-1)
        wrong = (lengths >= max(10, len(gaps) // 100)) & (kind[ends] != step) & (kind[ends] != 0)
        if wrong.any():
            first = int(np.argmax(wrong))
            return int(ends[first] - lengths[first] + 1)
    return None


def _uneven(before: int, after: int, step: int, mixed: bool = False) -> DataError:
    what = "mix several frequencies" if mixed else "do not keep one step"
    hour = abs(int(after - before) - step) == UNITS["h"] and step == DAY
    cause = " (clocks change there: give local dates instead of UTC)" if hour else ""
    return DataError(
        f"The time stamps {what}: most are {in_words(step)} apart, but {_shown(after)} comes "
        f"{in_words(int(after - before))} after {_shown(before)}{cause}; {_remedy(step)}."
    )


def _loose(gaps: np.ndarray) -> DataError:
    return DataError(
        f"The time stamps do not keep one step: they are {in_words(int(gaps.min()))} to {in_words(int(gaps.max()))} "
        f"apart; {_remedy(int(np.median(gaps)))}."
    )


def _remedy(step: int) -> str:
    """Say how to come to one step, with the ordinary frequency next to the step that the stamps seem to keep."""
    sizes = {name: 7 * DAY if name == "W" else grid_of(name).size for name in ORDINARY}
    near = min(sizes, key=lambda name: abs(math.log(sizes[name] / step)))
    example = f"'{near}'" if abs(math.log(sizes[near] / step)) < 0.2 else ""
    return (
        f"resample the table to one step, or choose the step with frequency={example} (values that fall into the "
        "same step are averaged)"
    )


def _shown(stamp: int) -> str:
    return str(pd.Timestamp(np.int64(stamp).view("M8[us]")))


def in_words(size: int) -> str:
    """Return a number of microseconds as words, such as ``15 minutes`` or ``about 1.2 hours``."""
    exact = next(unit for unit, one in UNITS.items() if size % one == 0)
    if size // UNITS[exact] <= 120:
        return _counted(size // UNITS[exact], WORDS[exact])
    unit = next(unit for unit, one in UNITS.items() if size >= one)
    return f"about {size / UNITS[unit]:.3g} {WORDS[unit]}s"


def steps_in_words(frequency: str | None, steps: int) -> str:
    """Return what so many steps of a frequency are, such as ``2 weeks``, ``1 year`` or ``7 steps`` of no frequency."""
    grid = None if frequency is None else grid_of(frequency)
    if grid is None or grid.kind == "integer":
        return _counted(steps, "step")
    size = steps * grid.size
    if grid.kind == "month":
        return _counted(size // 12, "year") if size % 12 == 0 else _counted(size, "month")
    if grid.kind == "business":
        return _counted(size // 5, "week") if size % 5 == 0 else _counted(size, "business day")
    if grid.size == 7 * DAY and steps % 52 == 0:
        return _counted(steps // 52, "year")
    return _counted(size // (7 * DAY), "week") if size % (7 * DAY) == 0 else in_words(size)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count != 1 else ''}"

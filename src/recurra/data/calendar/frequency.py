"""Frequencies: the names of grids, as pandas has them, and of those that pandas has no name for.

``M@30`` is the 30th of each month, ``M@1,11,21`` three days of each; ``D@SUN-THU`` the days of a working week;
``5min@MON-FRI@09:30-15:55`` every five minutes of trade, whose last label is 15:55; ``D@noleap`` no 29 February.
"""

import re
import warnings
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError
from .grid import DAY, DAYS, UNITS, WEEK, BusinessDays, Even, Grid, Integers, MonthDays, Months, NoLeap, Slots

WORDS = {"D": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond", "us": "microsecond"}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
FRIENDLY = {
    "secondly": "s", "second": "s", "S": "s", "minutely": "min", "minute": "min", "T": "min", "m": "min",
    "hourly": "h", "hour": "h", "H": "h", "daily": "D", "day": "D", "d": "D", "business": "B", "b": "B",
    "weekly": "W", "week": "W", "w": "W", "monthly": "MS", "month": "MS", "M": "MS", "quarterly": "QS",
    "quarter": "QS", "Q": "QS", "yearly": "YS", "year": "YS", "annual": "YS", "Y": "YS", "A": "YS",
}  # fmt: skip


def known_frequency(name: str) -> str:
    """Return the alias of a frequency given as an alias or a plain word, or raise a DataError."""
    base, mark, where = name.strip().partition("@")
    if mark:
        alias = base.strip() + mark + (where.strip().upper() if "noleap" not in where.lower() else "noleap")
        grid_of(alias)
        return alias
    found = re.fullmatch(r"\s*(\d*)\s*([A-Za-z]+(?:-[A-Za-z\d]{1,4})?)\s*", name)
    number, word = found.groups() if found else ("", name)
    alias = FRIENDLY.get(word) or FRIENDLY.get(word.lower() if len(word) > 1 else word) or word
    alias = alias.upper() if "-" in alias else alias
    grid_of(number + alias)
    return number + ("W-SUN" if alias == "W" else alias)


@lru_cache(maxsize=256)
def grid_of(frequency: str | None, step: int = 1) -> Grid:
    """Return the grid of a frequency; None is a grid of integers ``step`` apart."""
    if frequency is None:
        return Integers(step)
    base, mark, where = frequency.partition("@")
    if mark:
        return _own_grid(frequency, base, where)
    offset = _offset(frequency)
    code, count = offset.rule_code, offset.n
    if count < 1:
        raise _unknown(frequency)
    if code in UNITS:
        return Even(count * UNITS[code])
    if code.startswith("W-"):
        return Even(count * WEEK, DAYS.index(code[2:]))
    if code == "B":
        return BusinessDays(count)
    return _month_grid(code, count) or _half_months(code, count, frequency)


def _month_grid(code: str, count: int) -> Grid | None:
    found = re.fullmatch(r"(B?)([MQY])([SE])(?:-([A-Z]{3}))?", code)
    if found:
        size = {"M": 1, "Q": 3, "Y": 12}[found[2]]
        anchor = (MONTHS.index(found[4]) if found[4] else 0) + (1 if found[4] and found[3] == "E" else 0)
        return Months(count * size, found[1] + found[3], anchor)
    found = re.fullmatch(r"WOM-(\d[A-Z]{3})|LWOM-([A-Z]{3})", code)
    return Months(count, found[1] or f"L{found[2]}") if found else None


def _half_months(code: str, count: int, frequency: str) -> Grid:
    found = re.fullmatch(r"SM([SE])-(\d+)", code)
    if not found or count > 1:
        raise _unknown(frequency)
    day = int(found[2])
    return MonthDays((1, day) if found[1] == "S" else (day, 31))


def _own_grid(frequency: str, base: str, where: str) -> Grid:
    months = re.fullmatch(r"(\d*)M", base)
    days = re.fullmatch(r"\d+(,\d+)*", where)
    if months and days:
        chosen = tuple(sorted({int(day) for day in where.split(",")}))
        if not (chosen[0] >= 1 and chosen[-1] <= 31 and sum(day > 28 for day in chosen) <= 1):
            raise _unknown(frequency)
        return MonthDays(chosen, int(months[1] or 1))
    step = grid_of(base)
    if isinstance(step, Even) and DAY % step.size == 0:
        if where == "noleap":
            return NoLeap(step.size)
        opened = _open(where, step.size)
        if opened:
            return Slots(step.size, opened)
    raise _unknown(frequency)


def _open(where: str, step: int) -> tuple[int, ...]:
    """Return the slots of a week that a text such as ``MON-FRI@09:30-16:00+SUN@10:00`` names; none if it is wrong."""
    found: set[int] = set()
    for group in where.split("+"):
        first, mark, second = group.partition("@")
        days, times = (first, second) if mark else (("", first) if first[:1].isdigit() else (first, ""))
        some = _range_of(days, _weekday_of, 1, 7) if days else set(range(7))
        many = _range_of(times, _time_of, step, DAY) if times else set(range(0, DAY, step))
        if not some or not many or not group:
            return ()
        found |= {day * DAY + time for day in some for time in many}
    return tuple(sorted(found))


def _range_of(text: str, read: Any, step: int, size: int) -> set[int]:
    """Return the members of ranges such as ``SUN-THU`` or ``09:30,13:00-15:00``, which may run round ``size``."""
    found: set[int] = set()
    for part in text.split(","):
        ends = [read(end) for end in part.split("-")]
        if None in ends or len(ends) > 2:
            return set()
        found |= {(ends[0] + at) % size for at in range(0, (ends[-1] - ends[0]) % size + 1, step)}
    return found


def _weekday_of(text: str) -> int | None:
    return DAYS.index(text) if text in DAYS else None


def _time_of(text: str) -> int | None:
    found = re.fullmatch(r"(\d\d?):(\d\d)(?::(\d\d))?", text)
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        return None
    return int(found[1]) * UNITS["h"] + int(found[2]) * UNITS["min"] + int(found[3] or 0) * UNITS["s"]


def name_of_slots(alias: str, open: np.ndarray, phase: int = 0) -> str:
    """Return the frequency whose steps ``alias`` are taken where ``open`` (7, steps of a day) is true.

    The first step of a day begins ``phase`` microseconds after midnight.
    """
    count = open.shape[1]
    names = [_ranges(np.flatnonzero(day).tolist(), count + 1, partial(_time_text, DAY // count, phase)) for day in open]
    groups = []
    for one in dict.fromkeys(names[day] for day in range(7) if open[day].any()):
        same = [day for day in range(7) if names[day] == one]
        days = "" if len(same) == 7 else _ranges(same, 7, DAYS.__getitem__)
        times = "" if open[same[0]].all() and not phase else one
        groups.append("@".join(part for part in (days, times) if part))
    return f"{alias}@{'+'.join(groups)}"


def _time_text(step: int, phase: int, slot: int) -> str:
    minute, second = divmod((slot * step + phase) // UNITS["s"], 60)
    return f"{minute // 60:02d}:{minute % 60:02d}" + (f":{second:02d}" if second else "")


def _ranges(places: list[int], size: int, text: Callable[[int], str]) -> str:
    """Return some places of a circle of ``size`` as ranges, each from its first to its last."""
    parts = []
    for start in [place for place in places if (place - 1) % size not in places]:
        count = next(n for n in range(size) if (start + n) % size not in places)
        ends = [start] if count == 1 else [start, (start + count - 1) % size]
        parts.append(("," if count == 2 else "-").join(map(text, ends)))
    return ",".join(parts)


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
        "W-SUN (weeks named by their Sunday), MS or ME (month starts or ends), QS, YS, SMS-15 (the 1st and 15th), "
        "M@30 (the 30th), D@SUN-THU, or h@MON-SAT@08:00-20:00."
    )


def in_words(size: int) -> str:
    """Return a number of microseconds as words, such as ``15 minutes`` or ``about 1.2 hours``."""
    exact = next(unit for unit, one in UNITS.items() if size % one == 0)
    if size // UNITS[exact] <= 120:
        return _counted(size // UNITS[exact], WORDS[exact])
    unit = next(unit for unit, one in UNITS.items() if size >= one)
    return f"about {size / UNITS[unit]:.3g} {WORDS[unit]}s"


def steps_in_words(frequency: str | None, steps: int) -> str:
    """Return what so many steps of a frequency are, such as ``2 weeks``, ``1 year`` or ``7 steps`` of no frequency."""
    grid = grid_of(frequency)
    if isinstance(grid, (Even, NoLeap)):
        return _evenly_in_words(grid.size, steps)
    if isinstance(grid, (BusinessDays, Slots)):
        return _open_in_words(grid, steps)
    if isinstance(grid, (Months, MonthDays)):
        size, rest = divmod(steps * grid.size, len(grid.days) if isinstance(grid, MonthDays) else 1)
        months = _counted(size // 12, "year") if size % 12 == 0 else _counted(size, "month")
        return _counted(steps, "step") if rest else months
    return _counted(steps, "step")


def _open_in_words(grid: BusinessDays | Slots, steps: int) -> str:
    week = 5 if isinstance(grid, BusinessDays) else len(grid.open)
    days = steps * (grid.size if isinstance(grid, BusinessDays) else 1)
    if days % week == 0:
        return _counted(days // week, "week")
    if isinstance(grid, BusinessDays):
        return _counted(days, "business day")
    return _counted(days, "open day" if grid.size == DAY else "step")


def _evenly_in_words(step: int, steps: int) -> str:
    size = steps * step
    if step == WEEK and steps % 52 == 0:
        return _counted(steps // 52, "year")
    if size % (365 * DAY) == 0:
        return _counted(size // (365 * DAY), "year")
    return _counted(size // WEEK, "week") if size % WEEK == 0 else in_words(size)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count != 1 else ''}"


def ahead_in_words(frequency: str | None, steps: int) -> str:
    """Return so many steps in the unit of the frequency: ``12 months``, ``24 hours``, ``52 weeks``."""
    grid = None if frequency is None else grid_of(frequency)
    units = {("month", 1): "month", ("month", 3): "quarter", ("month", 12): "year", ("business", 1): "business day"}
    units |= {("fixed", 7 * DAY): "week", **{("fixed", size): WORDS[unit] for unit, size in UNITS.items()}}
    unit = None if grid is None else units.get((grid.kind, grid.size))
    return steps_in_words(frequency, steps) if unit is None else _counted(steps, unit)

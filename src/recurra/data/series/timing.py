"""The time of a table: which of its columns hold dates, alone or together, and which hold only a part of one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...errors import DataError
from ..calendar.digits import counts_days, read_epoch, regularity
from ..calendar.names import (
    MONTH_WORDS,
    RANGES,
    has_time_word,
    part_of,
    plain,
    roles_in,
    sounds_like_time,
    surely_time,
)
from ..calendar.parts import part_numbers
from ..calendar.stamps import distinct, holds_dates, read_stamps
from ..calendar.words import is_clock, written_as_passed
from ..tables.columns import is_number, is_text, strip_text, text_of_numbers

FEW = 12  # different dates that digits must spell, in a column that is not called like a time
# Names of parts of a time that mean something else where they stand alone.
OTHER = ("min", "mi", "sec", "second", "mo", "mon", "mm", "kw", "tag", "dom", "dia", "ora", "hh", "dd", "yy")

LIKE_EPOCHS = "it rises evenly, as seconds since 1970 do"
UNREAD = "it is called like a time but holds neither dates nor whole steps"
PASSED = (
    "seconds", "secs", "sec", "second", "s", "minutes", "mins", "hours", "hrs", "days", "milliseconds", "millis", "ms",
    "microseconds", "us", "offset", "tick", "ticks", "elapsedtime", "runtime", "sekunden", "minuten", "stunden",
    "secondes", "heures", "segundos", "horas", "秒", "毫秒",
)  # fmt: skip


def digit_dates(frame: pd.DataFrame, free: Sequence[str], dates: Sequence[str]) -> list[str]:
    """Return the columns whose numbers are dates; where only most are, DataError is raised if there is no other."""
    found: list[str] = []
    fault: DataError | None = None
    for name in free:
        try:
            found += [name] if name not in dates and spells_dates(frame[name], name) else []
        except DataError as wrong:
            fault = fault or wrong
    if fault is not None and not found and not dates:
        raise fault
    return found


def spells_dates(column: pd.Series, name: str) -> bool:
    """Tell whether the numbers of a column, or its digits as text, spell dates: by its name, or by their calendar.

    What may be called like a time must run on, and what is not must be every date of a regular calendar, too.
    """
    known = has_time_word(name)
    if not _are_digits(column, 4 if known else 5):
        return False
    try:
        stamps = read_stamps(column, name)
    except DataError as fault:
        if surely_time(name) and "which is no date in the form" in str(fault):
            raise
        return False
    if stamps.integer or surely_time(name):
        return not stamps.integer
    if not _runs_on(stamps.values) or ("since 1970" in stamps.order and not known):
        return False
    return known or (distinct(stamps.values) >= FEW and regularity(np.unique(stamps.values)) >= (1.0, 0.95))


def _runs_on(values: np.ndarray) -> bool:
    """Tell whether values (n,) run forwards or backwards, but for the rows where another series may begin."""
    gaps = np.diff(values)
    return bool(min((gaps < 0).sum(), (gaps > 0).sum()) * FEW < len(values))


def _are_digits(column: pd.Series, least: int) -> bool:
    """Tell whether a column may hold numbers of at least so many digits that are dates, going by its first values."""
    if column.dtype.kind == "c":
        return False
    if is_number(column):
        first = column.head(100).to_numpy(np.float64, na_value=np.nan)
        likely = len(first) and (first >= 10 ** (least - 1)).all() and (first < 3e18).all()
        return bool(likely and not column.hasnans)
    if not is_text(column) or isinstance(column.dtype, pd.CategoricalDtype) or column.hasnans or not len(column):
        return False
    return bool(strip_text(column.head(100)).str.fullmatch(rf"\d{{{least},19}}(\.\d+)?").all())


def joined_time(frame: pd.DataFrame, free: Sequence[str], dates: Sequence[str]) -> str | None:
    """Return 'year+month+day+hour', 'year+week', 'date+time' or 'date+hour' where such columns belong together."""
    parts = [name for name in reversed(free) for role in [part_of(name)] if role and _is_part(frame[name], role)]
    roles = {role: name for role, name in roles_in(parts).items() if _is_part(frame[name], role)}
    if not dates:
        return "+".join(roles[role] for role in _together(frame, roles)) or None
    clocks = [n for n in free if n not in dates and is_clock(frame[n])]
    clocks += [roles["hour"]] if "hour" in roles else []
    clocks += [n for n in free if n not in dates and _is_clock_number(frame[n], n)]
    repeated = clocks and frame[dates[0]].nunique() <= 0.95 * len(frame)
    return f"{dates[0]}+{clocks[0]}" if repeated else None


def _together(frame: pd.DataFrame, roles: dict[str, str]) -> list[str]:
    """Return the parts that make a date together: the year, what says the day in it, and the clock."""
    if "year" not in roles or len(roles) < 2 or not _is_year(frame[roles["year"]]):
        return []
    ways = (("month", "day"), ("yearday",), ("week",), ("month",), ("quarter",))
    days = next((way for way in ways if all(role in roles for role in way)), ())
    if days == ("week",) and "month" in roles and frame[roles["week"]].nunique() <= 6:
        days = ("month",)  # the week of the month
    clock = [role for role in ("hour", "minute", "second") if role in roles] if days else []
    return ["year", *days, *clock] if days else []


def _is_year(column: pd.Series) -> bool:
    values = part_numbers(column)
    return bool(((values >= 1500) & (values <= 2200)).all() or ((values >= 2) & (values <= 99)).all())


def _is_part(column: pd.Series, role: str) -> bool:
    """Tell whether a column holds whole numbers that this part of a date can have, or the names of months."""
    if role == "month" and is_text(column) and _names_months(column):
        return True
    if not (is_number(column) or is_text(column)) or column.dtype.kind == "c":
        return False
    values = part_numbers(column)
    if np.isnan(values).any() and (is_text(column) or np.isnan(values).all()):
        return False
    values = values[~np.isnan(values)]
    low, high = RANGES[role]
    high = 2400 if role == "hour" and (values % 100 == 0).mean() > 0.2 else high
    low = 0 if role == "year" and len(values) and values.max() <= 99 else low
    return bool(len(values) and (values == np.round(values)).all() and values.min() >= low and values.max() <= high)


def _names_months(column: pd.Series) -> bool:
    words = strip_text(column.dropna().head(100)).dropna().str.strip(".").str.casefold()
    return len(words) > 0 and bool((words.isin(list(MONTH_WORDS)) | words.str.fullmatch(r"\d{1,2}月")).all())


def _is_clock_number(column: pd.Series, name: str) -> bool:
    """Tell whether a column called like a clock holds 0, 30, 100, .. 2330 or 235959."""
    if plain(name) not in ("time", "hhmm", "hhmmss", "clock", "zeit", "uhrzeit", "heure", "hora", "时间", "hourmin"):
        return False
    values = part_numbers(column) if is_number(column) else np.array([np.nan])
    if np.isnan(values).any():
        return False
    small = values.max() <= 2400
    parts = [values % 100, values // 100 % 100] if not small else [values % 100]
    whole = (values == np.round(values)).all() and values.min() >= 0 and values.max() <= 240_000
    return bool(whole and all((part <= 59).all() for part in parts))


def why_left(column: pd.Series, name: str) -> str | None:
    """Return why a column is never forecast: it holds a time, or a part of one; None if it may be."""
    if column.dtype.kind == "m":
        return "time that has passed"
    role = part_of(name)
    if role is not None and plain(name) not in OTHER and _is_part(column, role):
        return f"the {role} of each row" if role != "weekday" else "the day of the week of each row"
    if (is_number(column) and column.dtype.kind != "c") or (is_text(column) and text_of_numbers(column)):
        return _why_numbers_left(column, name)
    return _why_text_left(column)


def _why_numbers_left(column: pd.Series, name: str) -> str | None:
    try:
        if spells_dates(column, name):
            return "dates written as numbers"
    except DataError:
        return "numbers most of which are dates"
    values = part_numbers(column.head(100))
    if len(values) >= FEW and counts_days(values) and counts_days(part_numbers(column)):
        return "it counts days or rows"
    if len(values) > 2 and _is_axis(values):
        return _why_axis_left(part_numbers(column), name)
    if sounds_like_time(name) and surely_time(name):
        return UNREAD
    return None


def _why_axis_left(values: np.ndarray, name: str) -> str | None:
    """Return why a column that begins to rise evenly is not forecast, or None if it may be."""
    if len(values) >= FEW and _is_axis(values) and read_epoch(values) is not None:
        return LIKE_EPOCHS
    if plain(name) in PASSED:
        return "time that has passed"
    return UNREAD if sounds_like_time(name) else None


def _is_axis(values: np.ndarray) -> bool:
    """Tell whether values (n,) rise evenly, as those of a series do not."""
    gaps = np.diff(values)
    return bool((gaps > 0).all() and np.allclose(gaps, gaps.mean(), rtol=1e-3))


def _why_text_left(column: pd.Series) -> str | None:
    some = column.dropna().head(100)
    if not len(some):
        return None
    if is_clock(some):
        return "times of day without a date"
    if _names_months(some):
        return "months without a year"
    if is_text(some) and written_as_passed(strip_text(some)) is not None:
        return "time that has passed"
    return "dates" if is_text(column) and holds_dates(column) else None

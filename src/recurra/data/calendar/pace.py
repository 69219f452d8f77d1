"""The pace of time stamps: the one step that they keep, found from the stamps alone, or why there is none.

Stamps are int64 arrays of microseconds (n,), sorted within each series; ``breaks`` are where the next series begins.
"""

import math

import numpy as np
import pandas as pd

from ...errors import DataError
from .frequency import MONTHS, grid_of, in_words
from .grid import DAY, DAYS, UNITS, WEEK, MonthDays, month_length, month_of, month_start, on_edge, weekday
from .openings import with_openings

ORDINARY = (
    "s", "5s", "10s", "15s", "30s", "min", "2min", "5min", "10min", "15min", "20min", "30min", "h", "2h", "3h", "4h",
    "6h", "8h", "12h", "D", "W", "MS", "QS", "YS",
)  # fmt: skip
WEEKLY, LONGER = ORDINARY.index("MS"), 4  # those of one length, and how many are tried of loose stamps
LENGTHS = {"W": WEEK, "MS": 365.25 / 12 * DAY, "QS": 365.25 / 4 * DAY, "YS": 365.25 * DAY}
FILLED = 0.7  # share of a calendar of chosen days that has rows, from which it is one


class Loose(DataError):
    """Time stamps that keep no step at all; ``near`` are ordinary frequencies about as long as their gaps or longer."""

    def __init__(self, text: str, near: tuple[str, ...], apart: str):
        super().__init__(text)
        self.near, self.apart = near, apart


def infer_frequency(stamps: np.ndarray, breaks: np.ndarray | None = None, local: np.ndarray | None = None) -> str:
    """Return the frequency of the one step that stamps keep, holes allowed.

    ``local`` are the same stamps on the local clock, if they are in UTC: that is the clock by which shops close.
    Raises DataError if no one step fits.
    """
    at = _inner_gaps(stamps, breaks)
    gaps = stamps[at + 1] - stamps[at]
    if not len(gaps):
        raise DataError("There is only one time stamp; a series needs at least two different ones.")
    common = int(_most_common(gaps))
    alias = _by_month(stamps, at) if common >= 27 * DAY else None
    if alias is None and 4 * DAY < common < 20 * DAY:
        alias = _some_days_of_months(np.unique(stamps), gaps, common)
    return alias or _by_time(stamps, at, gaps, stamps if local is None else local)


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
    months = month_of(stamps)
    gaps = months[at + 1] - months[at]
    size = int(np.gcd.reduce(gaps))
    edge = _edge(stamps)
    if size == 0 or (gaps == size).mean() < 0.2:
        return None
    if edge is None:
        return _weekday_of_month(stamps, at) if size == 1 else None
    if edge.isdecimal():
        return (str(size) if size > 1 else "") + f"M@{edge}"
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
    """Return where in the month all stamps lie, 29 or 30 for the days that February lacks; None if it differs."""
    if not (stamps % DAY == stamps[0] % DAY).all():
        return None
    day = stamps - stamps % DAY
    month = month_of(stamps)
    edge = next((edge for edge in ("S", "E", "BS", "BE") if (day == on_edge(edge, month)).all()), None)
    if edge is not None:
        return edge
    days = (day - month_start(month)) // DAY + 1
    if (days == days[0]).all() and days[0] <= 28:
        return "S"
    last = int(days.max())
    return str(last) if last > 28 and (days == np.minimum(last, month_length(month))).all() else None


def _weekday_of_month(stamps: np.ndarray, at: np.ndarray) -> str | None:
    """Return the frequency of stamps on, say, every third or last Friday of the month."""
    month, days = month_of(stamps), weekday(stamps)
    gaps = stamps[at + 1] - stamps[at]
    if (
        len(gaps) < 5
        or (gaps % (4 * WEEK) == 0).all()
        or (days != days[0]).any()
        or (stamps % DAY != stamps[0] % DAY).any()
    ):
        return None
    name = DAYS[int(days[0])]
    edge = next(
        (edge for edge in (*(f"{n}{name}" for n in range(1, 5)), f"L{name}") if _all_on(edge, stamps, month)), ""
    )
    return (f"LWOM-{name}" if edge[0] == "L" else f"WOM-{edge}") if edge else None


def _all_on(edge: str, stamps: np.ndarray, month: np.ndarray) -> bool:
    return bool((on_edge(edge, month) == stamps - stamps % DAY).all())


def _some_days_of_months(stamps: np.ndarray, gaps: np.ndarray, common: int) -> str | None:
    """Return the frequency of stamps, each once, that lie on two to four days of the month, such as 1, 11 and 21."""
    if (stamps % DAY != stamps[0] % DAY).any():
        return None
    month = month_of(stamps)
    days = (stamps - month_start(month)) // DAY + 1
    ends = np.unique(np.where(days == month_length(month), 31, days))
    chosen = min(np.unique(days), ends, key=len)
    thirds = chosen.tolist() == [1, 11, 21]
    if not thirds and (len(chosen) not in (2, 3, 4) or len(stamps) < 2 * len(chosen) or (gaps % common == 0).all()):
        return None
    if (chosen > 28).sum() > 1:
        return None
    place = MonthDays(tuple(chosen.tolist())).place(stamps[0], stamps)
    if (np.diff(place) == 0).any() or len(stamps) < FILLED * (place[-1] + 1):
        return None
    names = {(1, int(chosen[-1])): f"SMS-{chosen[-1]}", (int(chosen[0]), 31): f"SME-{chosen[0]}"}
    half = names.get(tuple(chosen.tolist())) if 1 < max(chosen[0], chosen[-1] % 31) < 28 else None
    return half or f"M@{','.join(map(str, chosen))}"


def _by_time(stamps: np.ndarray, at: np.ndarray, gaps: np.ndarray, local: np.ndarray) -> str:
    common = int(_most_common(gaps))
    step = common if (gaps % common == 0).all() else int(np.gcd.reduce(gaps))
    if (gaps == step).mean() < 0.2:
        odd = with_openings(_alias(step), local, sure=False) if step < WEEK else None
        if odd is not None:
            return odd
        if (gaps == common).mean() < 0.5:
            raise _loose(stamps, gaps)
        first = int(np.argmax(gaps % common != 0))
        raise _uneven(stamps, int(at[first]), common)
    other = _other_pace(gaps, step)
    if other is not None:
        raise _uneven(stamps, int(at[other]), step, mixed=True)
    if step == WEEK and (weekday(stamps) == weekday(stamps[:1])).all():
        return f"W-{DAYS[int(weekday(stamps[:1])[0])]}"
    alias = _alias(step)
    if (gaps == step).all() or DAY % step:
        return alias
    if _lacks_leap_days(stamps, at, step):
        return f"{alias}@noleap"
    return with_openings(alias, local) or alias


def _alias(step: int) -> str:
    unit = next(unit for unit, size in UNITS.items() if step % size == 0)
    count = step // UNITS[unit]
    return (str(count) if count > 1 else "") + unit


def _lacks_leap_days(stamps: np.ndarray, at: np.ndarray, step: int) -> bool:
    """Tell whether 29 February is all that is ever missing."""
    odd = at[stamps[at + 1] - stamps[at] != step]
    day_after = (stamps[odd] + step + DAY).view("M8[us]").astype("M8[D]")
    leap = day_after.astype("M8[M]").astype("M8[D]") == day_after  # it begins a month
    february = month_of(stamps[odd]) % 12 == 1
    within = month_of(stamps[odd] + step) % 12 == 1
    return bool((stamps[odd + 1] - stamps[odd] == step + DAY).all() and (leap & february & within).all())


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


def _uneven(stamps: np.ndarray, at: int, step: int, mixed: bool = False) -> DataError:
    before, after = int(stamps[at]), int(stamps[at + 1])
    what = "mix several frequencies" if mixed else "do not keep one step"
    hour = abs(after - before - step) == UNITS["h"] and step == DAY
    cause = " (clocks change there: give local dates instead of UTC)" if hour else ""
    return DataError(
        f"The time stamps {what}: most are {in_words(step)} apart, but {_shown(after)} comes "
        f"{in_words(after - before)} after {_shown(before)}{cause}; {_remedy(stamps, step)}."
    )


def _loose(stamps: np.ndarray, gaps: np.ndarray) -> Loose:
    apart, step = f"{in_words(int(gaps.min()))} to {in_words(int(gaps.max()))} apart", int(np.median(gaps))
    text = f"The time stamps do not keep one step: they are {apart}; {_remedy(stamps, step)}."
    near, fits = _ordinary(stamps, step)
    if near not in ORDINARY[:WEEKLY]:  # of months and the like, only what has one row in each
        return Loose(text, (near,) if fits else (), apart)
    at = ORDINARY.index(near)
    return Loose(text, ORDINARY[at : min(at + LONGER, WEEKLY)], apart)


def _remedy(stamps: np.ndarray, step: int) -> str:
    """Say how to come to one step, with the ordinary frequency next to the step that the stamps seem to keep."""
    near, fits = _ordinary(stamps, step)
    example = f"'{near}'" if fits else ""
    return (
        f"resample the table to one step, choose the step with frequency={example} (each value is moved to the step "
        "it falls into), or number the rows of each series 1, 2, 3, .. and name that column with time="
    )


def _ordinary(stamps: np.ndarray, step: int) -> tuple[str, bool]:
    """Return the ordinary frequency next to a ``step``, and whether it is about as long."""
    sizes = {name: LENGTHS.get(name) or grid_of(name).size for name in ORDINARY}
    near = min(sizes, key=lambda name: abs(math.log(sizes[name] / step)))
    fits = abs(math.log(sizes[near] / step)) < 0.2
    if near in ("MS", "QS", "YS"):
        near = _month_name(near, stamps)
        fits = fits and bool((np.diff(grid_of(near).snap(np.unique(stamps))) > 0).all())
    return near, fits


def _month_name(name: str, stamps: np.ndarray) -> str:
    """Return the frequency of the last business days of months or years instead, if stamps lie near their ends."""
    late = (month_of(stamps + 7 * DAY) > month_of(stamps)).all()
    return {"MS": "BME", "QS": "BQE", "YS": "BYE"}[name] if late else name


def _shown(stamp: int) -> str:
    return str(pd.Timestamp(np.int64(stamp).view("M8[us]")))

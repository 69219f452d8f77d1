"""Grids: steps counted on a calendar; ``label`` names the steps that ``place`` counts.

Stamps are int64 arrays of microseconds (n,), or plain integers on an integer grid.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

UNITS = {"D": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
DAY = UNITS["D"]
WEEK = 7 * DAY
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
EPOCH = np.int64(0)


class Grid(ABC):
    """Steps of one calendar; ``size`` of one step in the unit of its ``kind``."""

    kind: ClassVar[str]
    size: int

    @property
    def wall(self) -> bool:
        """Whether steps are counted on the local clock instead of in UTC."""
        return True

    @property
    def pace(self) -> tuple[str, int]:
        """What two calendars that only label their steps differently have in common."""
        return self.kind, self.size

    @abstractmethod
    def place(self, first: Any, stamps: np.ndarray) -> np.ndarray:
        """Return how many steps after ``first`` each stamp lies, rounded down."""

    @abstractmethod
    def label(self, first: Any, steps: np.ndarray) -> np.ndarray:
        """Return the stamps that lie ``steps`` after ``first``."""

    def snap(self, stamps: np.ndarray) -> np.ndarray:
        """Move each stamp to the label of the step that it falls into."""
        return self.label(EPOCH, self.place(EPOCH, stamps))


@dataclass(frozen=True)
class Integers(Grid):
    """Whole numbers ``size`` apart."""

    kind = "integer"
    size: int

    def place(self, first: Any, stamps: np.ndarray) -> np.ndarray:
        """Return how many steps after ``first`` each number lies, rounded down."""
        return np.asarray((stamps - first) // self.size)

    def label(self, first: Any, steps: np.ndarray) -> np.ndarray:
        """Return the numbers that lie ``steps`` after ``first``."""
        return np.asarray(first + steps * self.size)


@dataclass(frozen=True)
class Even(Grid):
    """Steps of one length; weeks are named by the weekday ``anchor``, Monday 0."""

    kind = "fixed"
    size: int
    anchor: int = 0

    @property
    def wall(self) -> bool:
        """Whether a step is whole days, which the local clock counts."""
        return self.size % DAY == 0

    def place(self, first: Any, stamps: np.ndarray) -> np.ndarray:
        """Return how many steps after ``first`` each stamp lies, rounded down."""
        return np.asarray((stamps - first) // self.size)

    def label(self, first: Any, steps: np.ndarray) -> np.ndarray:
        """Return the stamps that lie ``steps`` after ``first``."""
        return np.asarray(first + steps * self.size)

    def snap(self, stamps: np.ndarray) -> np.ndarray:
        """Move each stamp to the beginning of its step, weeks to the day that they are named by."""
        if self.size % WEEK == 0:
            return stamps - stamps % DAY + (self.anchor - weekday(stamps)) % 7 * DAY
        return stamps - stamps % self.size


@dataclass(frozen=True)
class BusinessDays(Grid):
    """Monday to Friday, ``size`` of these days apart, at the clock time of the first."""

    kind = "business"
    size: int

    def place(self, first: Any, stamps: np.ndarray) -> np.ndarray:
        """Return how many steps after ``first`` each stamp lies, rounded down."""
        return np.asarray(np.busday_count(_day(np.asarray(first)), _day(stamps))) // self.size

    def label(self, first: Any, steps: np.ndarray) -> np.ndarray:
        """Return the stamps that lie ``steps`` after ``first``."""
        days = np.busday_offset(_day(np.asarray(first)), steps * self.size, roll="backward")
        return np.asarray(days.astype("M8[us]").view(np.int64) + np.asarray(first) % DAY)

    def snap(self, stamps: np.ndarray) -> np.ndarray:
        """Move each stamp to its day, those of a weekend to Friday."""
        return _roll(stamps - stamps % DAY, "backward")


@dataclass(frozen=True)
class Months(Grid):
    """One label in ``size`` months: at their ``edge`` (see ``on_edge``), or, for S, on the day of the first.

    Quarters and years begin in the month ``anchor``, January 0.
    """

    kind = "month"
    size: int
    edge: str = "S"
    anchor: int = 0

    def place(self, first: Any, stamps: np.ndarray) -> np.ndarray:
        """Return how many steps after ``first`` each stamp lies, rounded down."""
        return np.asarray((month_of(stamps) - month_of(np.asarray(first))) // self.size)

    def label(self, first: Any, steps: np.ndarray) -> np.ndarray:
        """Return the stamps that lie ``steps`` after ``first``."""
        first = np.asarray(first)
        month = month_of(first) + steps * self.size
        if self.edge == "S":
            shift = first - month_start(month_of(first))
            return np.minimum(month_start(month) + shift, on_edge("E", month) + first % DAY)
        return on_edge(self.edge, month) + first % DAY

    def snap(self, stamps: np.ndarray) -> np.ndarray:
        """Move each stamp to the label of its months."""
        month = month_of(stamps)
        month -= (month - self.anchor) % self.size
        return on_edge(self.edge, month + (self.size - 1 if self.edge.endswith("E") else 0))


@dataclass(frozen=True)
class MonthDays(Grid):
    """Some days of the month, in one month out of ``size``; a day that a month lacks is its last."""

    kind = "month days"
    days: tuple[int, ...]  # rising, from 1 to 31, at most one above 28
    size: int = 1

    @property
    def pace(self) -> tuple[str, int]:
        """Those of months, if there is one label in each."""
        return ("month", self.size) if len(self.days) == 1 else (f"{len(self.days)} a month", self.size)

    def place(self, first: Any, stamps: np.ndarray) -> np.ndarray:
        """Return how many steps after ``first`` each stamp lies, rounded down."""
        first = np.asarray(first)
        turn, rest = np.divmod(month_of(stamps) - month_of(first), self.size)
        within = np.where(rest > 0, len(self.days) - 1, self._within(stamps - first % DAY))
        return np.asarray(turn * len(self.days) + within - self._within(first))

    def label(self, first: Any, steps: np.ndarray) -> np.ndarray:
        """Return the stamps that lie ``steps`` after ``first``."""
        first = np.asarray(first)
        turn, within = np.divmod(self._within(first) + steps, len(self.days))
        month = month_of(first) + turn * self.size
        day = np.minimum(np.array(self.days)[within], month_length(month))
        return np.asarray(month_start(month) + (day - 1) * DAY + first % DAY)

    def _within(self, stamps: np.ndarray) -> np.ndarray:
        """Return which of its days each stamp has reached, -1 before the first of its month."""
        month = month_of(stamps)
        day = (stamps - month_start(month)) // DAY + 1
        labels = np.minimum(np.array(self.days), month_length(month)[..., None])
        return np.asarray((labels <= day[..., None]).sum(-1) - 1)


@dataclass(frozen=True)
class Slots(Grid):
    """Steps of ``size`` that are open at the same times of each week, such as days but Friday, or hours of trade.

    If a step is a day, labels have the clock time of the first.
    """

    kind = "slots"
    size: int
    open: tuple[int, ...]  # rising, from Monday 00:00, below a week

    def place(self, first: Any, stamps: np.ndarray) -> np.ndarray:
        """Return how many open steps after ``first`` each stamp lies, rounded down."""
        shift = self._shift(first)
        return self._count(stamps - shift) - self._count(np.asarray(first) - shift)

    def label(self, first: Any, steps: np.ndarray) -> np.ndarray:
        """Return the stamps that lie ``steps`` open steps after ``first``."""
        shift = self._shift(first)
        week, within = np.divmod(self._count(np.asarray(first) - shift) + steps, len(self.open))
        return np.asarray(week * WEEK + np.array(self.open)[within] - 3 * DAY + shift)

    def _shift(self, first: Any) -> Any:
        return first % self.size if self.size == DAY else np.int64(0)

    def _count(self, stamps: np.ndarray) -> np.ndarray:
        week, time = np.divmod(stamps + 3 * DAY, WEEK)  # 1 January 1970 was a Thursday
        return np.asarray(week * len(self.open) + np.searchsorted(np.array(self.open), time, side="right") - 1)


@dataclass(frozen=True)
class NoLeap(Grid):
    """Steps of a day or a part of it in years without 29 February."""

    kind = "noleap"
    size: int

    def place(self, first: Any, stamps: np.ndarray) -> np.ndarray:
        """Return how many steps after ``first`` each stamp lies, rounded down."""
        return np.asarray((self._flat(stamps) - self._flat(np.asarray(first))) // self.size)

    def label(self, first: Any, steps: np.ndarray) -> np.ndarray:
        """Return the stamps that lie ``steps`` after ``first``."""
        flat = self._flat(np.asarray(first)) + steps * self.size
        day, time = np.divmod(flat, DAY)
        year, day = np.divmod(day, 365)
        start = month_start((year - 1970) * 12)
        return np.asarray(start + (day + ((day >= 59) & _is_leap(year))) * DAY + time)

    def _flat(self, stamps: np.ndarray) -> np.ndarray:
        """Return stamps as they would be if every year had 365 days; 29 February falls on the 28th."""
        year = month_of(stamps) // 12 + 1970
        day, time = np.divmod(stamps - month_start((year - 1970) * 12), DAY)
        return np.asarray((year * 365 + day - ((day >= 59) & _is_leap(year))) * DAY + time)


def _is_leap(year: np.ndarray) -> np.ndarray:
    return np.asarray((year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0)))


def on_edge(edge: str, month: np.ndarray) -> np.ndarray:
    """Return the day of months at an edge: S first, E last, BS and BE first and last business day, 3FRI, LFRI."""
    start, last = month_start(month), month_start(np.asarray(month) + 1) - DAY
    if edge in ("S", "E"):
        return start if edge == "S" else last
    if edge in ("BS", "BE"):
        return _roll(start, "forward") if edge == "BS" else _roll(last, "backward")
    day = DAYS.index(edge[1:])
    if edge[0] == "L":
        return np.asarray(last - (weekday(last) - day) % 7 * DAY)
    return np.asarray(start + (day - weekday(start)) % 7 * DAY + (int(edge[0]) - 1) * WEEK)


def _day(stamps: np.ndarray) -> np.ndarray:
    return stamps.view("M8[us]").astype("M8[D]")


def month_of(stamps: np.ndarray) -> np.ndarray:
    """Return months since January 1970."""
    return np.asarray(stamps, np.int64).view("M8[us]").astype("M8[M]").view(np.int64)


def month_start(month: np.ndarray) -> np.ndarray:
    """Return the first moment of months counted from January 1970."""
    return np.asarray(month, np.int64).view("M8[M]").astype("M8[us]").view(np.int64)


def month_length(month: np.ndarray) -> np.ndarray:
    """Return how many days months have that are counted from January 1970."""
    return np.asarray((month_start(np.asarray(month) + 1) - month_start(month)) // DAY)


def weekday(stamps: np.ndarray) -> np.ndarray:
    """Return the day of the week of stamps, Monday 0."""
    return (stamps // DAY + 3) % 7  # 1 January 1970 was a Thursday


def _roll(stamps: np.ndarray, roll: Any) -> np.ndarray:
    return np.asarray(np.busday_offset(_day(np.asarray(stamps)), 0, roll=roll).astype("M8[us]").view(np.int64))

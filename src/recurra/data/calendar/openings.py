"""Openings: the times of a week at which stamps come, where the others stay empty week after week."""

import numpy as np

from .frequency import grid_of, name_of_slots
from .grid import DAY, DAYS, UNITS, Even

CHANCE = 2e-3  # that slots are empty by chance, below which they are taken as closed
REPEATS = 3  # times that a slot must have been empty
FULL = 0.9  # share of open slots that have rows, if nothing but openings explains the stamps
TEN = 10  # weekdays in a row without a weekend, from which weekends are taken as closed


def with_openings(alias: str, stamps: np.ndarray, sure: bool = True) -> str | None:
    """Return the frequency ``alias`` or, if stamps (n,) come at some times of the week only, that of these times.

    If the plain step is not ``sure`` to fit, less is needed to believe in openings, and without them it is None.
    """
    step, plain = grid_of(alias).size, alias if sure else None
    phase = 0 if step == DAY else int(stamps[0]) % step
    if not isinstance(grid_of(alias), Even) or DAY % step or step % UNITS["s"] or phase % UNITS["s"]:
        return plain
    clock = np.unique(stamps) - phase
    if step == DAY:
        clock -= int(clock[0]) % DAY
    if (clock % step).any():
        return plain
    open = _open_slots(clock // DAY, clock % DAY // step, DAY // step, sure)
    return plain if open is None else _name(alias, open, phase)


def _name(alias: str, open: np.ndarray, phase: int) -> str:
    if alias == "D" and open[:5].all() and not open[5:].any():
        return "B"
    if alias == "D" and open.sum() == 1:
        return f"W-{DAYS[int(np.argmax(open))]}"
    return name_of_slots(alias, open, phase)


def _open_slots(day: np.ndarray, slot: np.ndarray, count: int, sure: bool) -> np.ndarray | None:
    """Return which of ``count`` slots of each weekday are open (7, count); None if all are, or it cannot be told.

    A row lies in the ``slot`` (n,) of its ``day`` (n,), counted from 1970.
    """
    table = np.bincount((day + 3) % 7 * count + slot, minlength=7 * count).reshape(7, count)
    days = np.unique(day)
    passed = _passed(days, int(slot[0]), int(slot[-1]), count)
    every = _passed(np.arange(days[0], days[-1] + 1), int(slot[0]), int(slot[-1]), count)
    open = _surely_open(table, passed, every, len(days)) if sure else _plainly_open(table, every)
    return None if open is None or open.all() else open


def _passed(days: np.ndarray, first: int, last: int, count: int) -> np.ndarray:
    """Return how often each slot of a week lay on one of ``days`` (7, count), between the first row and the last."""
    passed = np.repeat(np.bincount((days + 3) % 7, minlength=7)[:, None], count, axis=1)
    passed[(days[0] + 3) % 7, :first] -= 1
    passed[(days[-1] + 3) % 7, last + 1 :] -= 1
    return passed


def _plainly_open(table: np.ndarray, every: np.ndarray) -> np.ndarray | None:
    """Return the slots that are used at all, if each of them nearly always is, for two turns; else None."""
    open = np.outer(table.any(1), table.any(0))
    often = [table.sum(axis)[open.any(axis)] / (every * open).sum(axis)[open.any(axis)] for axis in (0, 1)]
    turn = open[0].sum() if open.any(1).all() else open.sum()  # of a day or of a week
    fits = min(often[0].min(), often[1].min()) >= FULL and table.sum() > 2 * turn
    return open if fits else None


def _surely_open(table: np.ndarray, passed: np.ndarray, every: np.ndarray, days: int) -> np.ndarray:
    """Return the slots that are not closed: on some days of the week, at some times of the day, or on a day's own.

    ``passed`` counts the slots of the ``days`` that have rows, ``every`` those of all days.
    """
    used, seen = np.any(table, 0), np.any(table, 1)
    rate = _holes(int(passed.max(1).sum()), int(every.max(1)[seen].sum()))
    shut = _whole_runs(~seen, _unlikely(rate, every.max(1), 7))
    shut[5:] |= days >= TEN and not seen[5:].any()
    rate = _holes(int(table.sum()), int(passed[:, used].sum()))
    never = _whole_runs(~used, _unlikely(rate, passed.sum(0), len(used)))
    rate = _holes(int(table.sum()), int(passed[table > 0].sum()))
    closed = shut[:, None] | never
    proven = closed | _unlikely(rate, passed, table.size)
    return ~(closed | _whole_runs((table == 0).ravel(), proven.ravel()).reshape(table.shape))


def _whole_runs(empty: np.ndarray, proven: np.ndarray) -> np.ndarray:
    """Return the runs of ``empty`` slots of a circle in which every slot is ``proven`` to be closed."""
    if empty.all() or not empty.any():
        return np.zeros_like(empty)
    shift = int(np.argmin(empty))  # a circle that begins with a slot that is not empty
    empty, proven = np.roll(empty, -shift), np.roll(proven, -shift)
    number = np.cumsum(np.diff(empty.astype(np.int8), prepend=0) == 1)
    broken = np.bincount(number, empty & ~proven)[number] > 0
    return np.roll(empty & ~broken, shift)


def _holes(rows: int, slots: int) -> float:
    """Return the share of slots without a row, as far as can be told from so many."""
    return (slots - rows + 1) / (slots + 2)


def _unlikely(rate: float, empty: np.ndarray, slots: int) -> np.ndarray:
    """Tell where one of ``slots`` would hardly have been ``empty`` so often by chance, at a ``rate`` of holes."""
    return np.asarray((empty >= REPEATS) & (slots * rate ** np.maximum(empty, 0) < CHANCE))

"""The aggregate of a step: one value of the rows that fall into it, where a table is finer than what is asked.

n rows of a table; clock values are int64 microseconds (n,).
"""

import numpy as np
import pandas as pd

from ...errors import DataError
from ..calendar.frequency import grid_of
from ..calendar.grid import Grid
from .schema import Schema


def put_together(values: np.ndarray, slots: np.ndarray, size: int, how: str) -> np.ndarray:
    """Return the aggregate of the known ``values`` (n,) of each of ``size`` slots, NaN where there is none.

    ``how`` is sum, mean, last, first, min or max; the rows of a slot are in order of time.
    """
    known = np.isfinite(values)
    slots, values = slots[known], values[known]
    result = np.full(size, np.nan)
    if how in ("last", "first"):
        at = slice(None, None, 1 if how == "last" else -1)
        result[slots[at]] = values[at]  # of several values for one place, the last one stays
    elif how in ("min", "max"):
        (np.fmin if how == "min" else np.fmax).at(result, slots, values)
    else:
        total, count = np.bincount(slots, values, size), np.bincount(slots, minlength=size)
        np.divide(total, count if how == "mean" else 1, out=result, where=count > 0)
    return result


def whole_steps(clock: np.ndarray, schema: Schema, grid: Grid, notes: list[str]) -> np.ndarray:
    """Return which rows (n,) lie in whole steps: not in a first or last one that the table begins or ends within.

    Raises DataError if none does.
    """
    steps = grid.snap(clock)
    if (steps == clock).all() and len(np.unique(clock)) > 1:
        return np.ones(len(clock), bool)  # the table has been put together already
    first, last = clock.min(), clock.max()
    before, after = _neighbours(clock, schema)
    keep = np.ones(len(clock), bool)
    for edge, beyond, does in ((first, before, "begins"), (last, after, "ends")):
        step, other = grid.snap(np.array([edge, beyond]))
        if step == other:
            keep &= steps != step
            notes.append(
                f"the table {does} at {_shown(edge)}, within the step {_shown(step)} of '{schema.frequency}', so that "
                "step was left out"
            )
    if not keep.any():
        raise DataError(
            f"The table has no whole step of frequency '{schema.frequency}': it begins at {_shown(first)} and ends at "
            f"{_shown(last)}; choose a shorter one."
        )
    _say_short(clock[keep], schema, grid, notes)
    return keep


def _say_short(clock: np.ndarray, schema: Schema, grid: Grid, notes: list[str]) -> None:
    if not schema.finer:
        return
    there, rows = np.unique(clock), grid_of(schema.finer)
    labels = rows.label(there[0], np.arange(rows.place(there[0], there[-1:])[0] + 1))
    steps, expected = np.unique(grid.snap(labels), return_counts=True)
    found = np.bincount(np.searchsorted(steps, grid.snap(there)), minlength=len(steps))[: len(steps)]
    short = int((found < expected).sum())
    if short:
        notes.append(f"{short:,} of {len(steps):,} steps of '{schema.frequency}' lack rows, which count for nothing")


def _neighbours(clock: np.ndarray, schema: Schema) -> tuple[np.int64, np.int64]:
    """Return when the row before the first and the row after the last would come."""
    first, last = clock.min(), clock.max()
    if schema.finer:
        rows = grid_of(schema.finer)
        return rows.label(first, np.array([-1]))[0], rows.label(last, np.array([1]))[0]
    gaps = np.diff(np.unique(clock))
    usual = np.int64(np.median(gaps)) if len(gaps) else np.int64(0)
    return first - usual, last + usual


def _shown(stamp: np.int64) -> str:
    return str(pd.Timestamp(np.int64(stamp).view("M8[us]")))

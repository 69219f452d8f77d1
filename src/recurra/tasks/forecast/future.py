"""What is known ahead, from a table of its own: rows of the future, which say nothing of what is forecast.

Shapes: S row series, M memory, H horizon, K columns.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...data.series import Panel, steps_between, to_panel
from ...data.series.ids import id_names, sounds_like_id
from ...data.series.schema import series_table
from ...data.tables.columns import find_column
from ...data.tables.files import placed, read_table
from ...errors import ConfigError, DataError
from ..base import Fitted
from .calendar import with_calendar
from .context import Context, times_of, written
from .learned import ForecastLearned


class Foreseen(NamedTuple):
    """What a forecast reads, and what is to be said of the table that told it."""

    context: Context
    notes: tuple[str, ...] = ()


def with_future(fitted: Fitted, context: Context, future: Any) -> Foreseen:
    """Return the ``context`` with what a file or a table says of the steps that follow it, which goes before all else.

    The table has the time, the id if there is one, and the columns that are known ahead. Raises ConfigError if nothing
    is known ahead, DataError if a column is missing, no row is about a step that is forecast or two are about the same.
    """
    learned: ForecastLearned = fitted.learned
    if not learned.schema.covariates.known or context.around is None:
        raise ConfigError("future= is for columns that are known ahead, and this model has none: train it with known=.")
    with placed(future):
        panel = with_calendar(_panel(learned, future), fitted.config.task)
    known, memory = context.around.known.copy(), context.memory
    found, early = 0, False
    for row, n, at in _places(learned, context, panel):
        values = learned.variables.coded(panel.some([n]), "known")[0]
        steps = np.arange(len(values)) + at
        inside = (steps >= 0) & (steps < known.shape[1] - memory)
        here, there = known[row, memory + steps[inside]], values[inside]
        known[row, memory + steps[inside]] = np.where(np.isfinite(there), there, here)
        found += int(inside.sum())
        early |= bool((steps < 0).any())
    if not found:
        raise DataError(
            "No row of future= is about a step that is forecast, the first of which is "
            f"{_next(learned, context, 0)}. Give the rows that follow the data."
        )
    first = written(times_of(learned, context.panel, 0, 1)[0])[0]
    said = f"rows of future= before {first}, the first step that is forecast, count for nothing"
    return Foreseen(context._replace(around=context.around._replace(known=known)), (said,) if early else ())


def _panel(learned: ForecastLearned, future: Any) -> Panel:
    """Read the table as that of the training was read; what is not known ahead is taken for nothing."""
    if isinstance(future, (str, Path)):
        future, _ = read_table(future, id_names(learned.schema.id), sounds_like_id)
    frame, _ = series_table(future)
    covariates, time = learned.schema.covariates, learned.schema.time
    if time is not None and "+" not in time:  # else it is joined of several
        find_column(frame.columns, time, "setting time=")
    for name in covariates.known:
        find_column(frame.columns, name, "setting known=")
    frame = _once(frame, learned)
    nothing = dict.fromkeys((*covariates.past, *covariates.static), np.nan)
    return to_panel(frame.assign(**dict.fromkeys(learned.schema.targets, 0.0), **nothing), learned.schema)


def _once(frame: pd.DataFrame, learned: ForecastLearned) -> pd.DataFrame:
    """Return a table with one row of each step; raises DataError for two that say different things of the same."""
    schema = learned.schema
    if schema.time is None or schema.aggregate:
        return frame  # rows are told apart by their order, or put together
    names = dict.fromkeys((*schema.time.split("+"), *id_names(schema.id)))
    keys = [name for name in names if name in frame.columns]
    if not keys:
        return frame
    frame = frame.drop_duplicates([*keys, *schema.covariates.known])
    double = frame.duplicated(keys)
    if double.any():
        which = ", ".join(str(value) for value in frame.loc[double, keys].iloc[0])
        raise DataError(f"future= has two rows for {which}, which say different things: keep one of them.")
    return frame


def _places(learned: ForecastLearned, context: Context, panel: Panel) -> Sequence[tuple[int, int, int]]:
    """Return which row series each series of ``panel`` is about, and how many steps after its end it begins."""
    names = learned.names if context.panel is None else context.panel.names
    rows = {name: row for row, name in enumerate(names)}
    strange = next((name for name in panel.names if name not in rows), None)
    if strange is not None:
        raise DataError(f"The series '{strange}' in future= is not one that is forecast: leave its rows out.")
    found = []
    for n, name in enumerate(panel.names):
        if learned.joint and n:
            break
        start = _next(learned, context, rows[name])
        found.append((0 if learned.joint else rows[name], n, steps_between(start, panel.starts[n], learned.schema)))
    return found


def _next(learned: ForecastLearned, context: Context, series: int) -> pd.Timestamp | int:
    """Return the label of the first step that is forecast of a series."""
    return times_of(learned, context.panel, 0, 1)[series][0]

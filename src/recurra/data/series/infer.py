"""What a table is: the layout of its columns and the calendar that it keeps, found or given."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError
from ..calendar.frequency import grid_of, known_frequency
from ..calendar.grid import BusinessDays, Even, NoLeap, Slots
from ..calendar.pace import Loose, infer_frequency, infer_step
from ..calendar.parts import read_time
from ..calendar.stamps import Stamps
from ..tables.columns import find_column
from .covariates import Covariates
from .ids import id_codes
from .panel import DOUBLED, local_clock, to_panel
from .schema import (
    Schema,
    as_table,
    rows_are_series,
    rows_are_years,
    schema_of_columns,
    schema_of_rows,
    schema_of_years,
    series_table,
)
from .season import choose_season, longer_season
from .targets import listed, varies

NONE = Covariates()
EMPTY = 0.5  # share of the steps without a row, above which a calendar does not fit stamps that keep none
SEEN = 0.8  # share of each series, from its begin, on which the season is chosen


def infer_schema(
    frame: Any,
    *,
    target: str | tuple[str, ...] | None = None,
    time: str | None = None,
    id: str | None = None,
    frequency: str | None = None,
    season: int | None = None,
    aggregate: str | None = None,
    covariates: Covariates = NONE,
) -> tuple[Schema, list[str]]:
    """Return what a table is and notes on what was found; arguments that are given are not guessed.

    The season is chosen on the first 80 % of each series, so that the rows at its end, which are usually held out
    to validate and to test, have no say in it.
    Raises DataError if a column is missing, or time or values cannot be used.
    """
    frame, keys = series_table(frame)
    if len(frame) < 2:
        raise DataError(f"The table has {'one row' if len(frame) else 'no rows'}; a series needs at least two.")
    notes: list[str] = []
    given = (target,) if isinstance(target, str) else tuple(target or ())
    for name in given:
        find_column(frame.columns, name, "target")
    told = id is not None or bool(given) or bool(covariates.names)
    if time is None and not told and rows_are_series(frame):
        schema = schema_of_rows(frame, notes)
    elif time in (None, frame.columns[0]) and not told and rows_are_years(frame):
        schema = schema_of_years(frame, notes)
    else:
        schema = schema_of_columns(frame, given, covariates, time, id, keys, notes)
    return _with_calendar(frame, replace(schema, aggregate=aggregate or ""), frequency, season, notes), notes


def _with_calendar(
    frame: pd.DataFrame, schema: Schema, frequency: str | None, season: int | None, notes: list[str]
) -> Schema:
    """Add order, zone, frequency and season, which need the values."""
    table, time = as_table(frame, schema)
    if schema.aggregate and frequency is None:
        raise DataError(
            f"aggregate='{schema.aggregate}' puts the rows of longer steps together; say which with frequency=, such "
            "as frequency='D'."
        )
    years = False
    if time is None:
        if frequency is not None:
            raise DataError(f"There is no time column for the frequency '{frequency}'; name one with time=.")
    else:
        stamps = read_time(table, time)
        notes += stamps.notes
        schema = _with_frequency(table, schema, stamps, frequency, notes)
        years = stamps.integer and are_years(stamps.values)
    panel = to_panel(frame, schema)
    if not any(varies(values) for values in panel.values):
        notes.append(f"{listed(list(panel.names))} never changes, and neither will its forecast")
    if season is not None:
        return replace(schema, season=season)
    return with_season(schema, panel.values, years, notes)


def are_years(steps: np.ndarray) -> bool:
    """Tell whether whole ``steps`` (n,) look like numbers of years."""
    return bool(steps.min() >= 1500 and steps.max() <= 2200)


def with_season(schema: Schema, series: Sequence[np.ndarray], years: bool, notes: list[str]) -> Schema:
    """Return the schema with the season of its ``series`` (n,), chosen on the first 80 % of each.

    ``years`` says whether the steps are numbers of years, which have no season; ``notes`` are told what was found.
    """
    seen = [values[: math.ceil(SEEN * len(values))] for values in series]
    season, note = choose_season(schema.frequency, seen, years)
    notes.append(note)
    longer = longer_season(schema.frequency, seen, season)
    if longer:
        notes.append(f"a longer season of {longer} beside it")
    return replace(schema, season=season, longer=longer)


def _with_frequency(
    frame: pd.DataFrame, schema: Schema, stamps: Stamps, frequency: str | None, notes: list[str]
) -> Schema:
    schema = replace(schema, order=stamps.order, timezone=stamps.zone)
    codes = None if schema.id is None else id_codes(frame, schema.id)[0]
    if stamps.integer:
        if frequency is not None:
            raise DataError(
                f"The time column '{schema.time}' holds plain steps, which have no frequency '{frequency}'; "
                "leave frequency= out."
            )
        values, breaks = _in_order(stamps.values, codes)
        return replace(schema, step=infer_step(values, breaks))
    try:
        found = frequency is None
        schema = _found_frequency(schema, stamps, codes) if found else _given(schema, stamps, codes, str(frequency))
    except Loose as loose:
        return _resampled(schema, stamps, codes, loose, notes)
    zone = f" in the time zone {stamps.zone}" if stamps.zone else ""
    moved = schema.snap and not schema.aggregate
    notes.append(f"frequency is '{schema.frequency}'{zone}" + (", so each time was moved to its step" if moved else ""))
    if frequency is None and isinstance(grid_of(schema.frequency), (BusinessDays, NoLeap, Slots)):
        plain = str(schema.frequency).partition("@")[0].replace("B", "D")
        notes.append(f"times that are always empty are taken as closed; frequency='{plain}' forecasts them too")
    return schema


def _in_order(values: np.ndarray, codes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return stamps sorted within each series, and where series begin."""
    if codes is None:
        return np.sort(values), None
    order = np.lexsort((values, codes))
    return values[order], np.flatnonzero(np.diff(codes[order])) + 1


def _found_frequency(schema: Schema, stamps: Stamps, codes: np.ndarray | None) -> Schema:
    values, local = stamps.values, None
    if stamps.zone is not None:
        values = _on_longer_clock(values, stamps.zone, codes)
        local = _in_order(local_clock(stamps.values, stamps.zone), codes)[0]
    values, breaks = _in_order(values, codes)
    return replace(schema, frequency=infer_frequency(values, breaks, local))


def _given(schema: Schema, stamps: Stamps, codes: np.ndarray | None, given: str) -> Schema:
    """Add the frequency that was ``given``, and how rows that keep another one are moved or put together."""
    alias = known_frequency(given)
    try:
        found = _found_frequency(schema, stamps, codes).frequency
    except DataError:
        found = None
    wanted = grid_of(alias)
    same = found is not None and wanted.pace == grid_of(found).pace
    if same and not schema.aggregate:
        return replace(schema, frequency=found)
    if schema.aggregate:
        return replace(schema, frequency=alias, snap=True, finer="" if same else found or "")
    zoned = stamps.zone is not None and wanted.wall
    clock = local_clock(stamps.values, str(stamps.zone)) if zoned else stamps.values
    ordered, breaks = _in_order(clock, codes)
    crowded, nearest = _crowded(ordered, breaks, wanted.snap(ordered)), False
    if crowded and isinstance(wanted, Even):
        nearest = not _crowded(ordered, breaks, wanted.snap(ordered + wanted.size // 2))
    if crowded and not nearest:
        raise _coarser(alias, found)
    _refuse_finer(alias, found, clock)
    return replace(schema, frequency=alias, snap=not _lies_on(alias, clock), nearest=nearest)


def _resampled(schema: Schema, stamps: Stamps, codes: np.ndarray | None, loose: Loose, notes: list[str]) -> Schema:
    """Put stamps that keep no step on the first of the ordinary ones near to them of which most have a row.

    Raises what is known of the stamps if there is none.
    """
    laid = (_laid_out(schema, stamps, codes, near) for near in loose.near)
    found = next((one for one in laid if _empty(one, stamps, codes) <= EMPTY), None)
    if found is None:
        raise loose
    how = ", the mean of those in one" if found.aggregate else ""
    notes.append(
        f"careful: the times keep no one step ({loose.apart}), so they were put on steps of '{found.frequency}'{how}; "
        "choose others with frequency= and aggregate="
    )
    return found


def _laid_out(schema: Schema, stamps: Stamps, codes: np.ndarray | None, near: str) -> Schema:
    try:
        return _given(schema, stamps, codes, near)
    except DataError:  # several rows fall into many steps
        return _given(replace(schema, aggregate=schema.aggregate or "mean"), stamps, codes, near)


def _empty(schema: Schema, stamps: Stamps, codes: np.ndarray | None) -> float:
    """Return which share of the steps of all series has no row."""
    grid = grid_of(schema.frequency)
    clock = local_clock(stamps.values, str(stamps.zone)) if stamps.zone is not None and grid.wall else stamps.values
    ordered, breaks = _in_order(clock, codes)
    rows = steps = 0
    for part in np.split(ordered, [] if breaks is None else breaks):
        labels = np.unique(grid.snap(part + grid.size // 2 if schema.nearest else part))
        rows, steps = rows + len(labels), steps + int(grid.place(labels[0], labels[-1:])[0]) + 1
    return 1 - rows / steps


def _crowded(clock: np.ndarray, breaks: np.ndarray | None, steps: np.ndarray) -> bool:
    """Tell whether many times (n,), sorted within each series, fall into the step of the one before."""
    later = np.diff(clock) > 0
    if breaks is not None:
        later[breaks - 1] = False
    return bool((later & (np.diff(steps) == 0)).sum() > DOUBLED * later.sum())


def _coarser(alias: str, found: str | None) -> DataError:
    keep = f"the rows have the frequency '{found}'" if found else "several rows fall into most steps"
    return DataError(
        f"Frequency '{alias}' is coarser than the data ({keep}); say what its value is with aggregate=: 'sum', "
        "'mean', 'last', 'first', 'min' or 'max'."
    )


def _refuse_finer(alias: str, found: str | None, clock: np.ndarray) -> None:
    """Raise DataError if steps are so short that every other one or more is empty."""
    if found is None:
        return
    first = np.int64(clock.min())
    labels = grid_of(found).label(first, np.arange(20))
    if np.diff(grid_of(alias).place(first, labels)).min() >= 2:
        raise DataError(
            f"The steps of frequency '{alias}' are shorter than those of the data, which have the frequency '{found}'; "
            "leave frequency= out, or choose a longer step."
        )


def _lies_on(alias: str, values: np.ndarray) -> bool:
    """Tell whether stamps already lie on the wanted steps, as business days lie on days."""
    grid = grid_of(alias)
    return bool((grid.label(values[0], grid.place(values[0], values)) == values).all())


def _on_longer_clock(values: np.ndarray, zone: str, codes: np.ndarray | None) -> np.ndarray:
    """Return stamps on the local clock if they are days or more apart, else in UTC."""
    ordered, breaks = _in_order(values, codes)
    gaps = np.diff(ordered)
    if breaks is not None:
        gaps = np.delete(gaps, breaks - 1)
    gaps = gaps[gaps > 0]
    return local_clock(values, zone) if len(gaps) and np.median(gaps) >= 23 * 3_600_000_000 else values

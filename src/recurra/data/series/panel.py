"""A table laid out on its calendar: regular univariate series with NaN where a value is missing.

S series, n rows of a table, T steps of a series; clock values are int64 microseconds or integer steps (n,).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError
from ..calendar.frequency import grid_of
from ..calendar.grid import Grid, weekday
from ..calendar.parts import read_time
from ..calendar.stamps import holds_dates
from ..tables.columns import find_column, numbers
from ..tables.names import look_alikes
from .aggregate import put_together, whole_steps
from .covariates import Beside, once, read_columns
from .ids import id_codes
from .schema import Schema, as_table, series_table

DOUBLED = 0.05  # share of doubled time stamps above which a table is taken for several series
SPARSE = 20  # steps per row above which a calendar is taken for the wrong one


@dataclass(frozen=True)
class Panel:
    """Regular series: ``values[i]`` is float64 (T_i,), its first step is labelled ``starts[i]``."""

    schema: Schema
    names: tuple[str, ...]
    values: tuple[np.ndarray, ...]
    starts: tuple[Any, ...]  # pandas Timestamps or integers
    notes: tuple[str, ...] = ()
    beside: tuple[Beside, ...] = ()  # covariates of each series; empty if the schema has none
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of covariates that are no numbers
    calendar: tuple[str, ...] = ()  # the last of the columns that are known ahead, which are of no table

    def columns(self, sort: str) -> tuple[str, ...]:
        """Return the names of the covariates of one ``sort``, as they stand in ``beside``."""
        names: tuple[str, ...] = getattr(self.schema.covariates, sort)
        return (*names, *self.calendar) if sort == "known" else names

    def __len__(self) -> int:
        return len(self.values)

    @property
    def aligned(self) -> bool:
        """Whether all series begin and end together."""
        same_start = all(start == self.starts[0] for start in self.starts[1:])
        return same_start and len({len(values) for values in self.values}) <= 1

    def times(self, i: int, start: int, stop: int) -> pd.Index:
        """Return the labels of steps ``start`` to ``stop`` of series ``i``; steps past its end are the future."""
        grid = grid_of(self.schema.frequency, self.schema.step)
        first = _clock_of(self.starts[i], self.schema.timezone, grid)
        return _labels(grid.label(first, np.arange(start, stop)), self.schema.timezone, grid)

    def some(self, chosen: Sequence[int]) -> "Panel":
        """Return the panel with only the series of these numbers."""
        return replace(
            self,
            names=tuple(self.names[n] for n in chosen),
            values=tuple(self.values[n] for n in chosen),
            starts=tuple(self.starts[n] for n in chosen),
            beside=tuple(self.beside[n] for n in chosen) if self.beside else (),
        )


def to_panel(frame: Any, schema: Schema) -> Panel:
    """Lay a table out on the calendar of its schema; the notes say what was sorted, averaged or missing.

    Raises DataError if time stamps or values do not fit the schema.
    """
    frame, keys = series_table(frame)
    if not len(frame):
        raise DataError("The table has no rows.")
    table, time = as_table(_with_time(frame, schema, keys), schema)
    return _lay_out(table, schema, time)


def _with_time(frame: pd.DataFrame, schema: Schema, keys: tuple[str, ...]) -> pd.DataFrame:
    """Return the table with the name of its time, where that was an index of another name."""
    dates = [name for name in keys if holds_dates(frame[name])]
    if schema.time is None or schema.time in frame.columns or len(dates) != 1:
        return frame
    return frame.rename(columns={dates[0]: schema.time})


def _lay_out(frame: pd.DataFrame, schema: Schema, time: str | None) -> Panel:
    grid = grid_of(schema.frequency, schema.step)
    clock = _clock(frame, schema, time, grid)
    notes: list[str] = []
    columns = [numbers(frame[find_column(frame.columns, n, "target")], n) for n in schema.targets]
    covariates = read_columns(frame, schema.covariates)
    if schema.aggregate:
        whole = whole_steps(clock, schema, grid, notes)
        frame, clock, columns = frame[whole], clock[whole], [values[whole] for values in columns]
        covariates = covariates.rows(whole)
    _say_missing(columns, schema.targets, notes)
    ids: tuple[str, ...] = ()
    if schema.id is None:
        bounds, order = np.zeros(1, np.int64), _wide_order(clock, notes)
    else:
        ids, bounds, order = _long_order(frame, schema.id, clock, notes)
    if order is not None:
        clock, columns, covariates = clock[order], [values[order] for values in columns], covariates.rows(order)
    if schema.snap:
        clock = grid.snap(clock + grid.size // 2 if schema.nearest else clock)
    moving, hows = covariates.moving(schema.covariates)
    hows = [*([schema.aggregate or "mean"] * len(columns)), *hows]
    steps, filled = _fill(clock, [*columns, *moving], bounds, grid, schema, hows, notes)
    names, values = _named(ids, schema.targets, filled[: len(columns)], steps)
    _refuse_hollow(names, values)
    values = _without_tails(names, values, len(bounds), notes, bool(schema.covariates.known))
    starts = tuple(_labels(clock[bounds], schema.timezone, grid).tolist())
    static = [once(name, covariates.values[name], bounds, ids) for name in schema.covariates.static]
    parts = [np.split(column, np.cumsum(steps)[:-1]) for column in filled[len(columns) :]]
    beside = _beside(schema, parts, static, [len(part) for part in values])
    return Panel(schema, names, values, starts * len(columns), tuple(notes), beside, covariates.categories)


def _beside(
    schema: Schema, moving: list[list[np.ndarray]], static: list[np.ndarray], ends: list[int]
) -> tuple[Beside, ...]:
    """Return the covariates of series that end at ``ends``; those of one table all have the same.

    ``moving`` columns have a part for each table or id, ``static`` ones a value.
    """
    groups = len(moving[0]) if moving else len(static[0]) if static else 0
    ahead, found = len(schema.covariates.known), []
    for n, end in enumerate(ends if groups else []):
        at = n % groups
        known, past = [part[at] for part in moving[:ahead]], [part[at][:end] for part in moving[ahead:]]
        found.append(
            Beside(
                np.stack(known, 1) if known else np.empty((end, 0)),
                np.stack(past, 1) if past else np.empty((end, 0)),
                np.array([column[at] for column in static]),
            )
        )
    return tuple(found)


def _say_missing(columns: list[np.ndarray], targets: tuple[str, ...], notes: list[str]) -> None:
    for name, values in zip(targets, columns, strict=True):
        count = int(np.isnan(values).sum())
        if count:
            notes.append(f"'{name}' has {count:,} missing value{'s' if count > 1 else ''}")


def _clock(frame: pd.DataFrame, schema: Schema, time: str | None, grid: Grid) -> np.ndarray:
    """Return the clock value of each row, (n,)."""
    if time is None:
        return _row_steps(frame, schema)
    stamps = read_time(frame, time, schema.order)
    if stamps.integer != (grid.kind == "integer"):
        has, wants = ("plain steps", "dates") if stamps.integer else ("dates", "plain steps")
        raise DataError(f"The time column '{time}' holds {has}, where {wants} are expected.")
    values = stamps.values
    if stamps.zone and not schema.timezone:
        raise DataError(
            f"The times in '{time}' have a time zone ({stamps.zone}), where times without one are expected."
        )
    if schema.timezone and not stamps.zone and not grid.wall:
        values = _to_utc(values, schema.timezone)
    if schema.timezone and stamps.zone and grid.wall:
        values = local_clock(values, schema.timezone)
    return values


def _row_steps(frame: pd.DataFrame, schema: Schema) -> np.ndarray:
    if schema.id is None:
        return np.arange(1, len(frame) + 1)
    codes = pd.Series(id_codes(frame, schema.id)[0])
    return codes.groupby(codes, sort=False).cumcount().to_numpy(np.int64) + 1


def local_clock(utc: np.ndarray, zone: str) -> np.ndarray:
    """Return stamps in UTC as stamps on the clock of a time zone."""
    index = pd.DatetimeIndex(utc.view("M8[us]")).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return np.asarray(index.to_numpy().astype("M8[us]").view(np.int64))


def _to_utc(local: np.ndarray, zone: str) -> np.ndarray:
    index = _localize(pd.DatetimeIndex(local.view("M8[us]")), zone).tz_convert("UTC").tz_localize(None)
    return np.asarray(index.to_numpy().astype("M8[us]").view(np.int64))


def _localize(index: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    return index.tz_localize(zone, ambiguous=np.ones(len(index), bool), nonexistent="shift_forward")


def _labels(clock: np.ndarray, zone: str | None, grid: Grid) -> pd.Index:
    if grid.kind == "integer":
        return pd.Index(clock)
    index = pd.DatetimeIndex(clock.view("M8[us]"))
    if zone is None:
        return index
    return _localize(index, zone) if grid.wall else index.tz_localize("UTC").tz_convert(zone)


def _clock_of(stamp: Any, zone: str | None, grid: Grid) -> np.int64:
    if grid.kind == "integer":
        return np.int64(stamp)
    stamp = pd.Timestamp(stamp)
    if zone is not None:
        stamp = stamp.tz_localize(zone) if stamp.tz is None else stamp
        stamp = stamp.tz_convert(zone if grid.wall else "UTC").tz_localize(None)
    return np.int64(stamp.to_datetime64().astype("M8[us]").astype(np.int64))


def steps_between(first: Any, later: Any, schema: Schema) -> int:
    """Return how many steps of the schema's calendar lie from label ``first`` to label ``later``."""
    grid = grid_of(schema.frequency, schema.step)
    a, b = (_clock_of(stamp, schema.timezone, grid) for stamp in (first, later))
    return int(grid.place(a, np.array([b]))[0])


def steps_to(stamp: Any, first: Any, schema: Schema) -> int:
    """Return how many steps of the schema's calendar a time stamp, of any form, lies after the label ``first``.

    Raises DataError for what is no time of this calendar, or lies between two steps.
    """
    grid = grid_of(schema.frequency, schema.step)
    column = schema.time or "time"
    clock = _clock(pd.DataFrame({column: [stamp]}), schema, column, grid)
    if schema.snap:
        clock = grid.snap(clock + grid.size // 2 if schema.nearest else clock)
    begin = np.array([_clock_of(first, schema.timezone, grid)])
    place = grid.place(begin[0], clock)
    _refuse_between(clock, grid.label(begin[0], place), begin, schema)
    return int(place[0])


def _wide_order(clock: np.ndarray, notes: list[str]) -> np.ndarray | None:
    gaps = np.diff(clock)
    if (gaps >= 0).all():
        return None
    backwards = bool((gaps <= 0).all())
    notes.append(
        "rows ran from new to old, so they were turned round"
        if backwards
        else "rows were not in order of time, so they were sorted"
    )
    return np.argsort(clock, kind="stable")


def _long_order(
    frame: pd.DataFrame, id: str, clock: np.ndarray, notes: list[str]
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
    """Return the series names, the rows where each begins, and the order that sorts the rows."""
    codes, names = id_codes(frame, id)
    alike = look_alikes(names)
    if alike:
        one, other = alike[0]
        more = f", and {len(alike) - 1} more look alike" if len(alike) > 1 else ""
        notes.append(f"careful: '{one}' and '{other}' look alike, but are two series{more}")
    change = np.diff(codes)
    order = None
    if not ((change > 0) | ((change == 0) & (np.diff(clock) >= 0))).all():
        if not (np.diff(clock)[change == 0] >= 0).all():
            notes.append("rows were not in order of time, so they were sorted")
        order = np.lexsort((clock, codes))
        codes = codes[order]
    bounds = np.append(0, np.flatnonzero(np.diff(codes)) + 1)
    return names, bounds, order


def _fill(
    clock: np.ndarray,
    columns: list[np.ndarray],
    bounds: np.ndarray,
    grid: Grid,
    schema: Schema,
    hows: list[str],
    notes: list[str],
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Put sorted rows on their steps; return the number of steps of each series and the filled columns.

    ``hows`` says how several rows of one step become one, for each column.
    """
    rows = np.diff(bounds, append=len(clock))
    if len(bounds) == 1 and grid.kind in ("fixed", "integer") and (np.diff(clock) == grid.size).all():
        return rows, columns
    first = np.repeat(clock[bounds], rows)
    place = grid.place(first, clock)
    _refuse_between(clock, grid.label(first, place), first, schema)
    steps = place[bounds + rows - 1] + 1
    if (steps == rows).all() and (np.diff(place)[np.diff(place) != 1].size <= len(bounds) - 1):
        # As many steps as rows, and no two rows in one step: every step has its row.
        return rows, columns
    _refuse_sparse(int(steps.sum()), len(clock), schema)
    slots = place + np.repeat(np.cumsum(steps) - steps, rows)
    counts = np.bincount(slots, minlength=int(steps.sum()))
    _say_doubled(clock, slots, counts, schema, notes)
    empty = int((counts == 0).sum())
    if empty:
        notes.append(
            f"{empty:,} of {len(counts):,} time steps had no row and are missing values; such steps are forecast too"
        )
    return steps, [put_together(values, slots, len(counts), how) for values, how in zip(columns, hows, strict=True)]


def _refuse_between(clock: np.ndarray, labels: np.ndarray, first: np.ndarray, schema: Schema) -> None:
    wrong = labels != clock
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    grid = grid_of(schema.frequency, schema.step)
    stamp, start = (_labels(np.array([v]), schema.timezone, grid)[0] for v in (clock[row], first[row]))
    raise DataError(
        f"The time {stamp} does not lie on the steps of frequency '{schema.frequency or schema.step}' that begin at "
        f"{start}; resample the table, or choose the step with frequency=."
    )


def _refuse_sparse(steps: int, rows: int, schema: Schema) -> None:
    if steps > SPARSE * rows + 1000:
        raise DataError(
            f"With frequency '{schema.frequency or schema.step}' only {rows:,} of {steps:,} time steps have a row; "
            "choose a longer step with frequency=."
        )


def _say_doubled(clock: np.ndarray, slots: np.ndarray, counts: np.ndarray, schema: Schema, notes: list[str]) -> None:
    doubled = len(slots) - int((counts > 0).sum())
    if not doubled:
        return
    if schema.snap:
        how = f" ({schema.aggregate} of each)" if schema.aggregate else ""
        notes.append(
            f"{len(slots):,} rows were put together into {int((counts > 0).sum()):,} steps of '{schema.frequency}'{how}"
        )
        return
    if schema.id is None and doubled > DOUBLED * len(slots):
        raise DataError(
            f"{doubled:,} of {len(slots):,} rows have the same time stamp as another row; are these several series in "
            "one table? Name the column that tells them apart with id=; events of one series are put together with "
            "frequency= and aggregate=."
        )
    again = clock[1:][np.diff(slots) == 0]
    cause = " (the hour that comes twice when clocks go back)" if _clock_change(again, schema) else ""
    notes.append(f"{doubled:,} doubled time stamp{'s' if doubled > 1 else ''} averaged{cause}")


def _clock_change(stamps: np.ndarray, schema: Schema) -> bool:
    """Tell whether repeated local stamps all lie in the small hours of a spring or autumn Sunday."""
    grid = grid_of(schema.frequency, schema.step)
    if schema.timezone or grid.wall or grid.kind == "integer":
        return False
    times = pd.DatetimeIndex(stamps.view("M8[us]"))
    return bool((times.month.isin([3, 4, 9, 10, 11]) & (times.hour <= 3) & (weekday(stamps) == 6)).all())


def _named(
    ids: tuple[str, ...], targets: tuple[str, ...], columns: list[np.ndarray], steps: np.ndarray
) -> tuple[tuple[str, ...], tuple[np.ndarray, ...]]:
    """Return a name and its values for each series: by target in a wide table, by id in a long one."""
    if not ids:
        return targets, tuple(columns)
    cuts = np.cumsum(steps)[:-1]
    values = tuple(part for column in columns for part in np.split(column, cuts))
    several = len(targets) > 1
    names = tuple(f"{id}.{target}" if several else id for target in targets for id in ids)
    return names, values


def _refuse_hollow(names: tuple[str, ...], values: tuple[np.ndarray, ...]) -> None:
    for name, series in zip(names, values, strict=True):
        if np.isnan(series[0]) and np.isnan(series).all():
            raise DataError(f"Every value of the series '{name}' is missing; leave it out.")


def _without_tails(
    names: tuple[str, ...], values: tuple[np.ndarray, ...], groups: int, notes: list[str], ahead: bool = False
) -> tuple[np.ndarray, ...]:
    """Cut the last steps without any value from series that share their rows; every ``groups``-th series does."""
    if not any(np.isnan(series[-1]) for series in values):
        return values
    ends = np.array([int(np.flatnonzero(np.isfinite(series))[-1]) + 1 for series in values])
    last = ends.reshape(-1, groups).max(axis=0)
    cut = [len(series) - end for series, end in zip(values[:groups], last, strict=True)]
    if any(cut):
        where = f" of {sum(n > 0 for n in cut)} of the {groups:,} series" if groups > 1 else ""
        span = _span(n for n in cut if n)
        said = "and say what is known ahead of them" if ahead else "and were left out"
        notes.append(
            f"the last {span} time step(s){where} have no value {said}; a forecast begins after the last known value"
        )
    short = np.tile(last, len(values) // groups) - ends
    for i in np.flatnonzero(short)[:5]:
        notes.append(f"the last {short[i]:,} value(s) of '{names[i]}' are missing; its forecast begins after them")
    return tuple(series[: last[i % groups]] for i, series in enumerate(values))


def _span(counts: Iterable[int]) -> str:
    found = sorted(set(counts))
    return f"{found[0]:,}" + (f" to {found[-1]:,}" if len(found) > 1 else "")


def long_frame(names: Sequence[str], times: Sequence[pd.Index], columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Return the long frame ``unique_id, ds, ..`` of series after series; each column is (sum of lengths,)."""
    lengths = [len(index) for index in times]
    ds = times[0] if len(times) == 1 else times[0].append(list(times[1:]))
    ids = np.repeat(np.array(names, dtype=object), lengths)
    return pd.DataFrame({"unique_id": pd.array(ids, dtype="str"), "ds": ds, **columns}, copy=False)

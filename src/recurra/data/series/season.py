"""The season of a series: candidates from its calendar, chosen by what the values repeat."""

from collections.abc import Sequence

import numpy as np

from ..calendar.frequency import grid_of
from ..calendar.grid import DAY, UNITS, BusinessDays, MonthDays, Months, Slots

LONGEST = 20_000  # values per series that are looked at
SERIES = 20  # series that are looked at
CYCLES = 6  # of a longer season that a series must have, to tell it from chance
LIKE = 0.1  # correlation above which a longer season is one: loads have .3 by the week, weather has none


def candidates(frequency: str | None) -> dict[int, str]:
    """Return the seasons that a frequency can have, the ordinary one first, with words for each."""
    if frequency is None:
        return {}
    grid = grid_of(frequency)
    if isinstance(grid, Months):
        names = {1: "months in a year", 3: "quarters in a year"}
        return {12 // grid.size: names.get(grid.size, "steps in a year")} if grid.size < 12 else {}
    if isinstance(grid, MonthDays):
        return {12 * len(grid.days) // grid.size: "steps in a year"} if 12 % grid.size == 0 and grid.size < 12 else {}
    if isinstance(grid, BusinessDays):
        return {5: "business days in a week", 261: "business days in a year"} if grid.size == 1 else {}
    return _of_slots(grid) if isinstance(grid, Slots) else _fixed(grid.size)


def _of_slots(grid: Slots) -> dict[int, str]:
    """Return the open steps of a day, if every open day has as many, and those of a week."""
    per_day = {places.size for places in np.split(grid.open, np.searchsorted(grid.open, np.arange(1, 7) * DAY))} - {0}
    found = {per_day.pop(): "open steps in a day"} if len(per_day) == 1 and grid.size < DAY else {}
    found |= {len(grid.open): "open days in a week" if grid.size == DAY else "open steps in a week"}
    return {season: words for season, words in found.items() if season > 1}


def _fixed(size: int) -> dict[int, str]:
    if size == 7 * DAY:
        return {52: "weeks in a year"}
    if size == DAY:
        return {7: "days in a week", 365: "days in a year"}
    if size > DAY:
        return {}
    per = [(UNITS["min"], "minute"), (UNITS["h"], "hour"), (DAY, "day"), (7 * DAY, "week")]
    first = 2 if size > UNITS["min"] else (1 if size == UNITS["min"] else 0)
    spans = per[first : first + 2]
    words = {UNITS["h"]: "hours", UNITS["min"]: "minutes", UNITS["s"]: "seconds"}.get(size, "steps")
    return {span // size: f"{words} in a {name}" for span, name in spans if span % size == 0 and span > size}


def choose_season(frequency: str | None, series: Sequence[np.ndarray], years: bool = False) -> tuple[int, str]:
    """Return the season of the series, (n,) each, and a note; 1 if repeating a season beats nothing.

    A season counts if repeating the values of the last one is closer than repeating the last value, over
    the same number of steps, both but for what a trend adds to them. A longer one is taken if it is clearly closer.
    """
    seen = _some(series)
    options = candidates(frequency)
    if frequency is None:
        options = {} if years else dict.fromkeys(_peaks(seen), "steps, found in the values")
    if not options:
        return 1, "season 1 (none)"
    short = min(options)
    if frequency is not None and all(len(values) < 2 * short for values in seen):
        return short, f"season {short} ({options[short]}; too few values to check it)"
    good = {lag: _errors(seen, lag) for lag in options}
    useful = {lag: error for lag, error in good.items() if error is not None}
    if not useful:
        return 1, f"season 1 (repeating the last {short} values is no better than repeating the last one)"
    best = min(useful)
    for lag in sorted(useful):
        best = lag if useful[lag] < 0.9 * useful[best] else best
    return best, f"season {best} ({options[best]})"


def longer_season(frequency: str | None, series: Sequence[np.ndarray], season: int) -> int:
    """Return a longer season that adds to a ``season`` of the series, (n,) each; 0 if there is none.

    It adds something if the changes over one season correlate with those one longer season before.
    """
    seen = _some(series)
    found = 0
    for lag in sorted(candidates(frequency)):
        alike = [_likeness(values, season, lag) for values in seen if len(values) >= season + CYCLES * lag]
        if lag > season > 1 and len(alike) * 2 >= len(seen) and alike and np.mean(alike) > LIKE:
            found = lag
    return found


def _likeness(values: np.ndarray, season: int, lag: int) -> float:
    """Return the correlation of the changes over one season with those ``lag`` before; zero if there is none."""
    changes = values[season:] - values[:-season]
    one, two = changes[lag:], changes[:-lag]
    known = np.isfinite(one) & np.isfinite(two)
    if known.sum() < lag or np.ptp(one[known]) == 0 or np.ptp(two[known]) == 0:
        return 0.0
    return float(np.corrcoef(one[known], two[known])[0, 1])


def _some(series: Sequence[np.ndarray]) -> list[np.ndarray]:
    picked = np.unique(np.linspace(0, len(series) - 1, min(len(series), SERIES)).astype(int))
    return [series[i][-LONGEST:] for i in picked]


def _errors(series: list[np.ndarray], lag: int) -> float | None:
    """Return the mean scaled error of repeating ``lag`` steps back, or None if that is not worth it."""
    cycles = 3 if lag > 100 else 2
    triples = [found for values in series if len(values) >= cycles * lag for found in [_compare(values, lag)] if found]
    if len(triples) * 2 < len(series) or not triples:
        return None
    repeated, last, count = np.array(triples).T
    worth = repeated < (1 - np.maximum(0.05, 1 / np.sqrt(count))) * last  # few values may agree by chance
    return float(repeated.mean()) if worth.mean() >= 1 / 3 else None


def _compare(values: np.ndarray, lag: int) -> tuple[float, float, int] | None:
    """Return the errors of repeating season and last value, in units of the spread, and how many were compared."""
    spread = np.nanstd(values) if np.isfinite(values).any() else 0.0
    lags = np.unique(np.linspace(1, lag, 24).astype(int))
    near = [error for each in lags if (error := _lag_error(values, each)) is not None]
    repeated = _lag_error(values, lag)
    if repeated is None or not near or not spread or not sum(near):
        return None
    return repeated / spread, float(np.mean(near)) / spread, len(values) - lag


def _lag_error(values: np.ndarray, lag: int) -> float | None:
    """Return how far values lie from those ``lag`` steps before, but for what they grow by in these steps."""
    gaps = values[lag:] - values[:-lag]
    gaps = gaps[np.isfinite(gaps)]
    return float(np.abs(gaps - np.median(gaps)).mean()) if len(gaps) else None


def _peaks(series: list[np.ndarray]) -> list[int]:
    """Return the lag of the highest peak of the mean autocorrelation, if one is clear."""
    curves = [curve for values in series if (curve := _autocorrelation(values)) is not None]
    if not curves:
        return []
    curve = np.mean([c[: min(map(len, curves))] for c in curves], axis=0)
    inner = curve[1:-1]
    peaks = np.flatnonzero((inner > curve[:-2]) & (inner >= curve[2:]) & (inner > 0.3)) + 1
    peaks = peaks[peaks >= 2]
    if not len(peaks):
        return []
    # Multiples of a season peak as high as the season itself: the first that is nearly the highest.
    return [int(peaks[curve[peaks] >= 0.9 * curve[peaks].max()][0])]


def _autocorrelation(values: np.ndarray) -> np.ndarray | None:
    """Return the autocorrelation at lags 0 to n/3, at most 2000, of the values without their line."""
    known = np.isfinite(values)
    n = len(values)
    if known.sum() < 12 or n < 12:
        return None
    at = np.arange(n)
    line = np.polyfit(at[known], values[known], 1)
    rest = np.where(known, values - np.polyval(line, at), 0.0)
    power = np.abs(np.fft.rfft(rest, 2 * n)) ** 2
    curve = np.fft.irfft(power)[: min(n // 3, 2000) + 1]
    return None if curve[0] <= 1e-12 * n else curve / curve[0]

"""How values are standardised, and the cycle that is measured on them.

Shapes: S row series, T steps, C channels, W windows, H steps ahead.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...data.moments import moments

ROUNDED = 2.0**-20  # of a sum in single precision, and a little more
RATIOS = (1e-3, 10.0)  # bounds of c
FLOOR = 1e-2  # of a mean, below which no logarithm is taken
ZEROS = 0.25  # of values, none of them negative, from which no forecast is, as are those of rain and rare sales
FAR, MOST, LEAST = 50.0, 0.01, 20  # see limits_of: spreads, share of the values, and values that say what is usual


class Scaling(NamedTuple):
    """What is known of the size of each row series and channel, found on the training rows."""

    mean: np.ndarray  # (S, C)
    std: np.ndarray  # (S, C)
    floor: (
        np.ndarray
    )  # (S, C) below which no forecast goes: as told, 0 for counts and what is often 0, minus infinity for most
    limits: np.ndarray  # (S, C, 2) beyond which a value is a fault of what measured it, mostly infinite
    ceiling: np.ndarray  # (S, C) above which no forecast goes: as told, infinity for most
    counts: np.ndarray  # (S, C) bool, whether all values are whole numbers and none is negative

    @staticmethod
    def plain(mean: np.ndarray, std: np.ndarray) -> "Scaling":
        """Return a scaling that bounds nothing."""
        least, none = np.full(mean.shape, -np.inf), np.zeros(mean.shape, bool)
        return Scaling(mean, std, least, np.tile([-np.inf, np.inf], (*mean.shape, 1)), -least, none)

    def within(self, lower: float, upper: float) -> "Scaling":
        """Return the scaling of forecasts that never leave these bounds; an infinite one is none."""
        floor = np.full(self.floor.shape, lower) if np.isfinite(lower) else self.floor
        return self._replace(floor=floor, ceiling=np.full(floor.shape, upper))

    def kept(self, values: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Return ``values`` (W, H, C), in the unit of their ``series`` (W,), within its floor and ceiling."""
        return np.minimum(np.maximum(values, self.floor[series][:, None]), self.ceiling[series][:, None])

    def ratios(self) -> np.ndarray:
        """Return ``c = s / m`` of every series and channel (S, C); next to nothing where the mean is not positive.

        With it ``ln(1 + c z) / c`` is the logarithm of a standardised value z, in units of the mean, divided by c.
        """
        ratio = self.std / np.where(self.mean > 0, self.mean, np.inf)
        return np.clip(ratio, *RATIOS).astype(np.float32)

    def rows(self, chosen: np.ndarray) -> "Scaling":
        """Return the scaling of some row series."""
        return Scaling(*(part[chosen] for part in self))

    def replaced(self, places: np.ndarray, other: "Scaling") -> "Scaling":
        """Return the scaling with that of ``other`` at these places."""
        parts = [part.copy() for part in self]
        for part, new in zip(parts, other, strict=True):
            part[places] = new
        return Scaling(*parts)

    def into(self, values: np.ndarray) -> np.ndarray:
        """Return ``values`` (S, T, C) standardised, NaN where they are faults."""
        clean = without_faults(values, self.limits[:, None])
        return (clean - self.mean[:, None]) / self.std[:, None]

    @staticmethod
    def of(tracks: list[np.ndarray], ends: list[int]) -> "Scaling":
        """Measure ``tracks`` (T, C) up to ``ends``; a constant or empty channel gets a deviation of 1."""
        known = [track[:end] for track, end in zip(tracks, ends, strict=True)]
        limits = [limits_of(values) for values in known]
        clean = [without_faults(values, bounds) for values, bounds in zip(known, limits, strict=True)]
        measured = [moments(values) for values in clean]
        means, stds = (np.stack(parts) for parts in zip(*measured, strict=True))
        counts = np.stack([are_counts(values) for values in clean])
        floors = np.where([n | often_zero(values) for n, values in zip(counts, clean, strict=True)], 0.0, -np.inf)
        return Scaling.plain(means, stds)._replace(floor=floors, limits=np.stack(limits), counts=counts)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return all that is known, by name."""
        return self._asdict()

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> "Scaling":
        """Return what ``to_arrays`` gave; in older runs only counts have a floor, or nothing is bounded."""
        plain = Scaling.plain(arrays["mean"], arrays["std"])
        found = {name: arrays[name] for name in plain._fields if name in arrays}
        return plain._replace(**{"counts": np.isfinite(arrays.get("floor", plain.floor)), **found})


def limits_of(values: np.ndarray) -> np.ndarray:
    """Return below and above which a value of ``values`` (T, C) can only be a fault: (C, 2), mostly infinite.

    That is FAR times the spread of the middle nine tenths away from them, if no more than a few values are so far
    off: a spike of a sensor, a comma in the wrong place. One of them would be all that a mean and a deviation show.
    """
    limits = np.tile([-np.inf, np.inf], (values.shape[1], 1))
    for channel, column in enumerate(values.T):
        limits[channel] = _bounds(column, FAR)
    return limits


def far_off(values: np.ndarray, spreads: float) -> np.ndarray:
    """Return which of some ``values`` (T,) lie so many spreads away from the others, if these are no more than few."""
    low, high = _bounds(values, spreads)
    return (values < low) | (values > high)


def _bounds(values: np.ndarray, spreads: float) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if len(known) < LEAST:
        return -np.inf, np.inf
    low, high = np.quantile(known, [0.05, 0.95])
    bounds = float(low - spreads * (high - low)), float(high + spreads * (high - low))
    far = ((known < bounds[0]) | (known > bounds[1])).sum()
    return bounds if high > low and 0 < far <= max(1, MOST * len(known)) else (-np.inf, np.inf)


def without_faults(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return ``values`` (..., C) with NaN for what lies beyond ``limits`` (..., C, 2)."""
    faults = (values < limits[..., 0]) | (values > limits[..., 1])
    return np.where(faults, np.nan, values) if faults.any() else values


def are_counts(values: np.ndarray) -> np.ndarray:
    """Tell which channels (C,) of ``values`` (T, C) are whole numbers, none of them negative."""
    known = np.isfinite(values)
    whole = ~known | ((values >= 0) & (values == np.round(np.where(known, values, 0.0))))
    return whole.all(0) & known.any(0)


def often_zero(values: np.ndarray) -> np.ndarray:
    """Tell which channels (C,) of ``values`` (T, C) are often zero and never negative."""
    known = np.isfinite(values)
    return ~(values < 0).any(0) & ((values == 0).sum(0) > ZEROS * known.sum(0))


def seasonal_means(
    tracks: list[np.ndarray], ends: list[int], scaling: Scaling, season: int, log: bool = False
) -> np.ndarray:
    """Return the mean at every place in the season of each standardised track: (S, season, C), zero-sum.

    A running mean over one season is taken out first, so that a trend does not look like a cycle.
    """
    cycles = np.zeros((len(tracks), season, tracks[0].shape[1]))
    for n, (track, end) in enumerate(zip(tracks, ends, strict=True)):
        values = scaling.rows(np.array([n])).into(track[None, :end])[0]
        if log:
            ratio = scaling.ratios()[n]
            values = np.log(np.maximum(1 + ratio * values, FLOOR)) / ratio
        scaled = pd.DataFrame(values)
        trend = scaled.rolling(season, center=True, min_periods=max(1, season // 2)).mean()
        means = (scaled - trend).groupby(np.arange(end) % season).mean().reindex(range(season)).fillna(0.0)
        cycles[n] = means.to_numpy() - means.to_numpy().mean(0)
    return cycles


def unscale(values: np.ndarray, scaling: Scaling, series: np.ndarray) -> np.ndarray:
    """Bring standardised ``values`` (W, H, C) back to the unit of their series, within its bounds.

    What differs from zero by rounding alone is zero: of demand that is mostly zero, percentages tell them apart.
    """
    mean, moved = scaling.mean[series][:, None], values * scaling.std[series][:, None]
    found = moved + mean
    return scaling.kept(np.where(np.abs(found) <= ROUNDED * (np.abs(mean) + np.abs(moved)), 0.0, found), series)

"""How values are standardised, and the cycle that is measured on them.

Shapes: S row series, T steps, C channels, W windows, H steps ahead.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

RATIOS = (1e-3, 10.0)  # bounds of c
FLOOR = 1e-2  # of a mean, below which no logarithm is taken


class Scaling(NamedTuple):
    """Mean and standard deviation of each row series and channel, found on the training rows."""

    mean: np.ndarray  # (S, C)
    std: np.ndarray  # (S, C)

    def ratios(self) -> np.ndarray:
        """Return ``c = s / m`` of every series and channel (S, C); next to nothing where the mean is not positive.

        With it ``ln(1 + c z) / c`` is the logarithm of a standardised value z, in units of the mean, divided by c.
        """
        ratio = self.std / np.where(self.mean > 0, self.mean, np.inf)
        return np.clip(ratio, *RATIOS).astype(np.float32)

    @staticmethod
    def of(tracks: list[np.ndarray], ends: list[int]) -> "Scaling":
        """Measure ``tracks`` (T, C) up to ``ends``; a constant or empty channel gets a deviation of 1."""
        measured = [_moments(track[:end]) for track, end in zip(tracks, ends, strict=True)]
        return Scaling(np.stack([m for m, _ in measured]), np.stack([s for _, s in measured]))


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(values)
    count = np.maximum(known.sum(0), 1)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(0) / count
    std = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(0) / count)
    # Rounding leaves a constant a deviation of about 1e-16 times its size.
    return mean, np.where(std > 1e-9 * np.maximum(np.abs(mean), 1e-12), std, 1.0)


def seasonal_means(
    tracks: list[np.ndarray], ends: list[int], scaling: Scaling, season: int, log: bool = False
) -> np.ndarray:
    """Return the mean at every place in the season of each standardised track: (S, season, C), zero-sum.

    A running mean over one season is taken out first, so that a trend does not look like a cycle.
    """
    cycles = np.zeros((len(tracks), season, tracks[0].shape[1]))
    for n, (track, end) in enumerate(zip(tracks, ends, strict=True)):
        values = (track[:end] - scaling.mean[n]) / scaling.std[n]
        if log:
            ratio = scaling.ratios()[n]
            values = np.log(np.maximum(1 + ratio * values, FLOOR)) / ratio
        scaled = pd.DataFrame(values)
        trend = scaled.rolling(season, center=True, min_periods=max(1, season // 2)).mean()
        means = (scaled - trend).groupby(np.arange(end) % season).mean().reindex(range(season)).fillna(0.0)
        cycles[n] = means.to_numpy() - means.to_numpy().mean(0)
    return cycles


def unscale(values: np.ndarray, scaling: Scaling, series: np.ndarray) -> np.ndarray:
    """Bring standardised ``values`` (W, H, C) back to the unit of their series."""
    return values * scaling.std[series][:, None] + scaling.mean[series][:, None]

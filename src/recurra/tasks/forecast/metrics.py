"""How far a prediction is from what happened.

Shapes: W windows, H steps, C channels; a value that is not known is NaN and does not count.
"""

from collections.abc import Callable

import numpy as np

Array = np.ndarray


def mean_absolute_error(truth: Array, guess: Array) -> float:
    """Return ``mean |y − p|``, in the unit of the data."""
    return float(np.nanmean(np.abs(truth - guess)))


def root_mean_squared_error(truth: Array, guess: Array) -> float:
    """Return ``√ mean (y − p)²``, in the unit of the data."""
    return float(np.sqrt(np.nanmean((truth - guess) ** 2)))


def symmetric_percentage_error(truth: Array, guess: Array) -> float:
    """Return ``200 · mean |y − p| / (|y| + |p|)`` in percent, as in the M4 competition; 0 where both are 0."""
    size = np.abs(truth) + np.abs(guess)
    return float(200 * np.nanmean(np.abs(truth - guess) / np.where(size == 0, 1.0, size)))


def mean_absolute_scaled_error(truth: Array, guess: Array, scale: Array) -> float:
    """Return ``mean |y − p| / s``, s being the naive error of the training part (Hyndman & Koehler 2006)."""
    return float(np.nanmean(np.abs(truth - guess) / scale))


def coverage(truth: Array, low: Array, high: Array) -> float:
    """Return the share of values inside the interval; ``truth`` may have NaN."""
    known = np.isfinite(truth)
    return float(((truth >= low) & (truth <= high))[known].mean()) if known.any() else float("nan")


def naive_scale(track: Array, season: int) -> Array:
    """Return the mean absolute change over one season of each channel of ``track`` (T, C): the scale of MASE.

    NaN where no two values can be compared, or nothing ever changed.
    """
    step = season if len(track) > season else 1
    changes = np.abs(track[step:] - track[:-step])
    known = np.isfinite(changes)
    sums = np.where(known, changes, 0.0).sum(0)
    mean = sums / np.maximum(known.sum(0), 1)
    return np.where(mean > 0, mean, np.nan)


METRICS: dict[str, Callable[..., float]] = {
    "mae": mean_absolute_error,
    "rmse": root_mean_squared_error,
    "smape": symmetric_percentage_error,
    "mase": mean_absolute_scaled_error,
}

METRIC_NAMES = {
    "mase": "MASE",
    "mae": "MAE",
    "rmse": "RMSE",
    "smape": "sMAPE %",
    "scaled_mae": "scaled MAE",
    "scaled_mse": "scaled MSE",
}

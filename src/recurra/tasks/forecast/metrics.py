"""How far forecasts are from what happened: statistics of single windows, and the metrics that follow from them.

Shapes: W windows, H steps, T steps of a series, C channels; a value that is not known is NaN and does not count.
"""

from collections.abc import Sequence

import numpy as np

from ...compare.metric import Metric, Statistics, ratio
from ...data.moments import ROUNDING

Array = np.ndarray


def naive_scale(track: Array, season: int) -> Array:
    """Return the mean absolute change over one season of each channel of ``track`` (T, C): the scale of MASE.

    NaN where no two values can be compared, or nothing ever changed but by rounding.
    """
    step = season if len(track) > season else 1
    changes = np.abs(track[step:] - track[:-step])
    known = np.isfinite(changes)
    sums = np.where(known, changes, 0.0).sum(0)
    mean = sums / np.maximum(known.sum(0), 1)
    return np.where(mean > ROUNDING * np.nanmax(np.abs(track), 0, initial=0.0), mean, np.nan)


def window_sums(truth: Array, point: Array, mase: Array, std: Array) -> dict[str, Array]:
    """Return the sums of every kind of error over each window (W,), and how many values of it are known.

    ``truth`` and ``point`` (W, H, C); ``mase`` and ``std`` (W, 1, C) are what scaled errors are measured in.
    """
    known = np.isfinite(truth)
    error = np.where(known, point - truth, 0.0)
    absolute, size = np.abs(error), np.abs(truth) + np.abs(point)
    symmetric = absolute / np.where(known & (size > 0), size, 1.0)
    sums = {
        "count": known,
        "absolute": absolute,
        "squared": error**2,
        "symmetric": 200 * symmetric,
        "scaled": absolute / mase,
        "standard_absolute": absolute / std,
        "standard_squared": (error / std) ** 2,
    }
    return {name: values.sum((1, 2)).astype(float) for name, values in sums.items()}


def inside(truth: Array, low: Array, high: Array) -> Array:
    """Return how many known values of each window (W,) lie in its interval."""
    return ((truth >= low) & (truth <= high)).sum((1, 2)).astype(float)


def loss_per_origin(statistics: Statistics) -> Array:
    """Return the mean scaled absolute error of every forecast origin, over all series: (origins,) in their order."""
    count = statistics["count"]
    per_window = np.divide(statistics["scaled"], count, out=np.full(len(count), np.nan), where=count > 0)
    order, at = np.unique(statistics["origin"], return_inverse=True)
    known = np.isfinite(per_window)
    sums = np.bincount(at[known], per_window[known], len(order))
    counts = np.bincount(at[known], minlength=len(order))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _root_mean_square(statistics: Statistics) -> float:
    return float(np.sqrt(ratio("squared", "count")(statistics)))


ERRORS = (
    Metric(
        "mase",
        "MASE",
        "low",
        ratio("scaled", "count"),
        "MASE is the mean absolute error as a multiple of what repeating the last season, or without one the last "
        "value, missed in the training part",
    ),
    Metric("mae", "MAE", "low", ratio("absolute", "count"), "MAE and RMSE are in the unit of the data"),
    Metric("rmse", "RMSE", "low", _root_mean_square),
    Metric("smape", "sMAPE %", "low", ratio("symmetric", "count")),
)
STANDARD = (
    Metric(
        "scaled_mae",
        "scaled MAE",
        "low",
        ratio("standard_absolute", "count"),
        "scaled errors are in training standard deviations",
    ),
    Metric("scaled_mse", "scaled MSE", "low", ratio("standard_squared", "count")),
)


def forecast_metrics(levels: Sequence[int]) -> tuple[Metric, ...]:
    """Return all metrics of forecasts with intervals of these ``levels``."""
    bands = [
        Metric(f"coverage_{level}", f"in {level} % band", "", ratio(f"inside_{level}", "count"), share=True)
        for level in levels
    ]
    return (*ERRORS, *bands, *STANDARD)

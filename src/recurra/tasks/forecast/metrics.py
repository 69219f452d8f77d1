"""How far forecasts are from what happened: statistics of single windows, and the metrics that follow from them.

Shapes: W windows, H steps, T steps of a series, C channels; a value that is not known is NaN and does not count.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

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


def naive_square(track: Array, season: int) -> Array:
    """Return the mean squared change over one season of each channel of ``track`` (T, C): the scale of RMSSE, squared.

    NaN where ``naive_scale`` is.
    """
    step = season if len(track) > season else 1
    changes = np.square(track[step:] - track[:-step])
    known = np.isfinite(changes)
    mean = np.where(known, changes, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(np.isfinite(naive_scale(track, season)), mean, np.nan)


LEAST = 1e-200  # of a value, below which a percentage of it says nothing


def quantile_sums(truth: Array, quantiles: Mapping[float, Array]) -> dict[str, Array]:
    """Return, of each window (W,), the sums of the quantile loss of ``quantiles`` (W, H, C), in two weightings.

    With ``L_q = 2 max(q (y − p_q), (q − 1)(y − p_q))`` the one of CRPS is ``Σ_q w_q L_q``, where w_q is how much of
    (0, 1) is nearer to q than to another: the integral of L over q. The one of WQL has the same weight for all. Of a
    point alone both are its absolute error.
    """
    levels = sorted(quantiles)
    bounds = np.array([0.0, *((a + b) / 2 for a, b in pairwise(levels)), 1.0])
    weights, known = np.diff(bounds), np.isfinite(truth)
    crps, even = np.zeros(truth.shape), np.zeros(truth.shape)
    for q, weight in zip(levels, weights, strict=True):
        error = np.where(known, truth - quantiles[q], 0.0)
        loss = 2 * np.maximum(q * error, (q - 1) * error)
        crps, even = crps + weight * loss, even + loss / len(levels)
    return {"crps": crps.sum((1, 2)), "quantile_loss": even.sum((1, 2))}


def window_sums(truth: Array, point: Array, mase: Array, std: Array) -> dict[str, Array]:
    """Return the sums of every kind of error over each window (W,), and how many values of it are known.

    ``truth`` and ``point`` (W, H, C); ``mase`` and ``std`` (W, 1, C) are what scaled errors are measured in.
    """
    known = np.isfinite(truth)
    error = np.where(known, point - truth, 0.0)
    absolute, size = np.abs(error), np.abs(truth) + np.abs(point)
    symmetric = absolute / np.where(known & (size > 0), size, 1.0)
    away = known & (np.abs(truth) > LEAST)
    sums = {
        "count": known,
        "magnitude": np.where(known, np.abs(truth), 0.0),
        "nonzero": away,
        "percentage": 100 * absolute / np.where(away, np.abs(truth), np.inf),
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


# Which errors a metric that may rank is made of.
ERRORS_OF = {"mase": "scaled", "rmsse": "scaled_squared", "mae": "absolute", "rmse": "squared"}


def loss_per_origin(statistics: Statistics, by: str = "scaled") -> Array:
    """Return the mean error of every forecast origin, over all series: (origins,) in their order; ``by`` says which."""
    count = statistics["count"]
    per_window = np.divide(statistics[by], count, out=np.full(len(count), np.nan), where=count > 0)
    order, at = np.unique(statistics["origin"], return_inverse=True)
    known = np.isfinite(per_window)
    sums = np.bincount(at[known], per_window[known], len(order))
    counts = np.bincount(at[known], minlength=len(order))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _root(of: Callable[[Statistics], float]) -> Callable[[Statistics], float]:
    return lambda statistics: float(np.sqrt(of(statistics)))


def _relative(statistics: Statistics) -> float:
    """Return OWA: the mean of sMAPE and MASE, each relative to that of naive 2."""
    ratios = [ratio(name, f"naive2_{name}")(statistics) for name in ("symmetric", "scaled")]
    return float(np.mean(ratios))


NO_ZEROS = "MAPE counts no value that is zero, of which no error is a percentage"
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
    Metric("rmse", "RMSE", "low", _root(ratio("squared", "count"))),
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


QUANTILES = (
    Metric(
        "crps",
        "CRPS",
        "low",
        ratio("crps", "count"),
        "CRPS judges intervals and point together, by the loss of all quantiles, and is in the unit of the data; of a "
        "point alone it is the absolute error",
    ),
    Metric("wql", "WQL", "low", ratio("quantile_loss", "magnitude"), shown=False),
)
OTHERS = (
    Metric(
        "rmsse",
        "RMSSE",
        "low",
        _root(ratio("scaled_squared", "count")),
        "RMSSE is the root mean square error as a multiple of what repeating the last season, or without one the last "
        "value, missed in the training part",
        shown=False,
    ),
    Metric("mape", "MAPE %", "low", ratio("percentage", "nonzero"), NO_ZEROS, shown=False),
    Metric("owa", "OWA", "low", _relative, shown=False),
)


def forecast_metrics(levels: Sequence[int], rank: str = "mase") -> tuple[Metric, ...]:
    """Return all metrics of forecasts with intervals of these ``levels``, ``rank`` first; tables show some of them."""
    bands = [
        Metric(f"coverage_{level}", f"in {level} % band", "", ratio(f"inside_{level}", "count"), share=True)
        for level in levels
    ]
    every = (*ERRORS, *bands, *(QUANTILES if levels else ()), *STANDARD, *OTHERS)
    first = next(metric for metric in every if metric.name == rank)
    return (replace(first, shown=True), *(metric for metric in every if metric is not first))

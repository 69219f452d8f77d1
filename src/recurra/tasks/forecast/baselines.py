"""Forecasts that cost nothing: repeat the last value, repeat the last season, and a linear model.

They answer the same windows as a network, so that every comparison has them beside it.
Shapes: W windows, L look-back, H horizon, C channels; all values standardised.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from .windows import Rows, Windows

LINEAR_WINDOWS = 20_000  # more of them change the linear model little and cost memory
PENALTIES = (1e-4, 1e-2, 1.0, 100.0)  # ridge, as a share of the mean variance of the inputs


def repeat_last(rows: Rows, windows: Windows) -> np.ndarray:
    """Return the last known value, for every step: (W, H, C)."""
    filled = _filled_forward(rows, 1)
    last = (windows.starts + windows.lookback - 1).numpy()
    return np.repeat(filled[last][:, None], windows.horizon, 1)


def seasonal_naive(rows: Rows, windows: Windows, season: int) -> np.ndarray:
    """Return what was known one season before each step, or the latest season in which it was: (W, H, C)."""
    filled = _filled_forward(rows, season)
    first = (windows.starts + windows.lookback).numpy()[:, None]
    steps = np.arange(windows.horizon)
    back = season * (steps // season + 1)
    values = filled[np.maximum(first + steps - back, 0)]
    # Before a series' first season there is nothing to repeat but its last value.
    begin = rows.offsets[windows.series.numpy()][:, None]
    known = (first + steps - back >= begin)[..., None] & np.isfinite(values)
    return np.where(known, values, repeat_last(rows, windows))


def _filled_forward(rows: Rows, season: int) -> np.ndarray:
    """Return all rows with each hole filled by the value a whole number of seasons before it."""
    values = rows.values.numpy().astype(float)
    if rows.observed is None:
        return values
    values = np.where(rows.observed.numpy(), values, np.nan)
    bounds = [*rows.offsets.tolist(), len(values) + rows.pad]
    for begin, end in pairwise(bounds):
        part = values[begin : end - rows.pad]
        for phase in range(min(season, len(part))):
            part[phase::season] = _last_known(part[phase::season])
    return np.nan_to_num(values) if season == 1 else values


def _last_known(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    latest = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], -1), 0)
    return np.where(latest >= 0, np.take_along_axis(values, np.maximum(latest, 0), 0), np.nan)


class Linear:
    """A ridge regression from the past of a channel to each of its future steps, shared by all series.

    As in NLinear (Zeng et al., arXiv 2205.13504) the last value is subtracted and added again; the penalty is
    the one that does best on the validation windows.
    """

    def __init__(self, train: Windows, valid: Windows):
        x, y, known = _pairs(train.some(LINEAR_WINDOWS))
        keep = known.all(-1)
        x, y = (x[keep], y[keep]) if keep.sum() > 10 else (x, torch.where(known, y, 0.0))
        x1 = torch.cat([x, x.new_ones(len(x), 1)], 1)
        gram, moment = x1.T @ x1, x1.T @ y
        size = gram.diagonal()[:-1].mean().clamp(min=1e-8)
        eye = torch.eye(len(gram), dtype=x.dtype)
        eye[-1, -1] = 1e-6
        vx, vy, vknown = _pairs(valid.some(4096))
        best = float("inf")
        for penalty in PENALTIES:
            weights = torch.linalg.solve(gram + penalty * size * eye, moment)
            guess = vx @ weights[:-1] + weights[-1]
            error = float((guess - vy).abs()[vknown].mean())
            if error < best:
                best, self.weights = error, weights

    def __call__(self, windows: Windows) -> np.ndarray:
        """Return the forecasts (W, H, C)."""
        answers = []
        for numbers in torch.arange(len(windows)).split(4096):
            x, last, shape = _past(windows, numbers)
            guess = x @ self.weights[:-1] + self.weights[-1] + last
            answers.append(guess.view(shape[0], shape[2], -1).transpose(1, 2).numpy())
        return np.concatenate(answers)


def _past(windows: Windows, numbers: Tensor) -> tuple[Tensor, Tensor, torch.Size]:
    """Return each channel's past without its last value (B·C, L), that value (B·C, 1), and the inputs' shape."""
    batch = windows.take(numbers)
    x = batch.inputs.double().transpose(1, 2).flatten(0, 1)
    observed = batch.get("observed")
    if observed is None:
        last = x[:, -1:]
        return x - last, last, batch.inputs.shape
    known = observed.transpose(1, 2).flatten(0, 1)
    steps = torch.arange(1, x.shape[1] + 1)
    at = ((known * steps).amax(1, keepdim=True) - 1).clamp(min=0)
    last = x.gather(1, at)
    return (x - last) * known, last, batch.inputs.shape


def _pairs(windows: Windows) -> tuple[Tensor, Tensor, Tensor]:
    """Return past (N, L), future (N, H), both without the last value, and which future is known."""
    numbers = torch.arange(len(windows))
    batch = windows.take(numbers)
    x, last, _ = _past(windows, numbers)
    assert batch.targets is not None
    y = batch.targets.double().transpose(1, 2).flatten(0, 1) - last
    known = torch.ones_like(y, dtype=torch.bool)
    if batch.target_mask is not None:
        known = batch.target_mask.transpose(1, 2).flatten(0, 1)
    return x, y, known


def make_baselines(
    rows: Rows, season: int, train: Windows | None, valid: Windows | None
) -> dict[str, Callable[[Windows], np.ndarray]]:
    """Return the baselines by name; ``linear`` only where there are windows to fit it."""
    table: dict[str, Callable[[Windows], np.ndarray]] = {"repeat last": lambda windows: repeat_last(rows, windows)}
    if season > 1:
        table["seasonal naive"] = lambda windows: seasonal_naive(rows, windows, season)
    if train is not None and valid is not None:
        table["linear"] = Linear(train, valid)
    return table

"""Forecasts that cost nothing: repeat the last value, repeat the last season, and a linear model.

They answer the same windows as a network, so that every comparison has them beside it.
Shapes: W windows, L look-back, H horizon, C channels; all values standardised.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ..base import Baseline, Prepared
from .exam import Guess
from .scaling import unscale
from .windows import Rows, Windows

LINEAR_WINDOWS = 20_000  # more of them change the linear model little and cost memory
PENALTIES = (1e-4, 1e-2, 1.0, 100.0)  # ridge, as a share of the mean variance of the inputs


class RepeatLast(Baseline):
    """The last known value, for every step."""

    def answer(self, examples: Windows) -> Guess:
        """Return the forecasts."""
        return _guess(repeat_last(examples), examples)


class SeasonalNaive(Baseline):
    """What was known one season before each step, or the latest season in which it was."""

    def __init__(self, season: int):
        self.season = season

    def answer(self, examples: Windows) -> Guess:
        """Return the forecasts."""
        return _guess(seasonal_naive(examples, self.season), examples)


def _guess(scaled: np.ndarray, windows: Windows) -> Guess:
    """Return standardised points (W, H, C) as a guess in the unit of the data."""
    return Guess(unscale(scaled, windows.rows.scaling, windows.series.numpy()), {})


def repeat_last(windows: Windows) -> np.ndarray:
    """Return the last known value, for every step: (W, H, C)."""
    filled = _filled_forward(windows.rows, 1)
    last = (windows.starts + windows.lookback - 1).numpy()
    return np.repeat(filled[last][:, None], windows.horizon, 1)


def seasonal_naive(windows: Windows, season: int) -> np.ndarray:
    """Return what was known one season before each step, or the latest season in which it was: (W, H, C)."""
    filled = _filled_forward(windows.rows, season)
    first = (windows.starts + windows.lookback).numpy()[:, None]
    steps = np.arange(windows.horizon)
    back = season * (steps // season + 1)
    values = filled[np.maximum(first + steps - back, 0)]
    # Before a series' first season there is nothing to repeat but its last value.
    begin = windows.rows.offsets[windows.series.numpy()][:, None]
    known = (first + steps - back >= begin)[..., None] & np.isfinite(values)
    return np.where(known, values, repeat_last(windows))


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


class Linear(Baseline):
    """A ridge regression from the past of a channel to each of its future steps, shared by all series.

    As in NLinear (Zeng et al., arXiv 2205.13504) the last value is subtracted and added again; the penalty is
    the one that does best on the validation windows.
    """

    naive = False
    weights: Tensor  # (L + 1, H), the last row is the intercept

    def fit(self, prepared: Prepared) -> None:
        """Find the weights on the training windows and the penalty on the validation windows."""
        self.weights = _ridge(prepared.train, prepared.valid).contiguous()  # type: ignore[arg-type]

    def answer(self, examples: Windows) -> Guess:
        """Return the forecasts."""
        answers = []
        for numbers in torch.arange(len(examples)).split(4096):
            x, last, shape = _past(examples, numbers)
            guess = x @ self.weights[:-1] + self.weights[-1] + last
            answers.append(guess.view(shape[0], shape[2], -1).transpose(1, 2).numpy())
        return _guess(np.concatenate(answers), examples)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the weights."""
        return {"weights": self.weights.numpy()}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the weights."""
        self.weights = torch.from_numpy(arrays["weights"])


def _ridge(train: Windows, valid: Windows) -> Tensor:
    x, y, known = _pairs(train.some(LINEAR_WINDOWS))
    keep = known.all(-1)
    x, y = (x[keep], y[keep]) if keep.sum() > 10 else (x, torch.where(known, y, 0.0))
    x1 = torch.cat([x, x.new_ones(len(x), 1)], 1)
    gram, moment = x1.T @ x1, x1.T @ y
    size = gram.diagonal()[:-1].mean().clamp(min=1e-8)
    eye = torch.eye(len(gram), dtype=x.dtype)
    eye[-1, -1] = 1e-6
    vx, vy, vknown = _pairs(valid.some(4096))
    best, chosen = float("inf"), moment
    for penalty in PENALTIES:
        weights = torch.linalg.solve(gram + penalty * size * eye, moment)
        error = float((vx @ weights[:-1] + weights[-1] - vy).abs()[vknown].mean())
        if error < best:
            best, chosen = error, weights
    return chosen


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


def make_baselines(season: int) -> dict[str, Baseline]:
    """Return the baselines by name, not yet fitted."""
    seasonal: dict[str, Baseline] = {"seasonal naive": SeasonalNaive(season)} if season > 1 else {}
    return {"repeat last": RepeatLast(), **seasonal, "linear": Linear()}

"""Rolling-origin backtests: forecasts of many windows beside what happened, in the unit of the data.

Shapes: W windows, H steps, C channels.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...nn.heads import Head
from .metrics import METRICS, coverage, naive_scale
from .network import ForecastNet
from .windows import Scaling, Windows


@dataclass(frozen=True)
class Truth:
    """What happened in the windows of a backtest."""

    values: np.ndarray  # (W, H, C), NaN where unknown
    series: np.ndarray  # (W,) which row series
    origins: np.ndarray  # (W,) position of the first target in its series
    mase: np.ndarray  # (W, 1, C) the scale of MASE
    std: np.ndarray  # (W, 1, C) the training deviation


@dataclass(frozen=True)
class Guess:
    """What one model said about them."""

    point: np.ndarray  # (W, H, C)
    bands: dict[int, tuple[np.ndarray, np.ndarray]]  # coverage in percent to lower and upper end


def truth_of(
    windows: Windows, scaling: Scaling, offsets: np.ndarray, tracks: list[np.ndarray], ends: list[int], season: int
) -> Truth:
    """Collect the targets of ``windows`` from ``tracks`` (T, C), and their scales, measured up to ``ends``."""
    series = windows.series.numpy()
    naive = np.stack([naive_scale(track[:end], season) for track, end in zip(tracks, ends, strict=True)])
    mase = np.where(np.isfinite(naive), naive, scaling.std)  # too short to compare two seasons, or constant
    origins = (windows.starts + windows.lookback).numpy() - offsets[series]
    begins = np.cumsum([0, *(len(track) for track in tracks)])[series]
    values = np.concatenate(tracks)[(begins + origins)[:, None] + np.arange(windows.horizon)]
    return Truth(values, series, origins, mase[series][:, None], scaling.std[series][:, None])


def unscale(values: np.ndarray, scaling: Scaling, series: np.ndarray) -> np.ndarray:
    """Bring standardised ``values`` (W, H, C) back to the unit of their series."""
    return values * scaling.std[series][:, None] + scaling.mean[series][:, None]


def ask_network(network: ForecastNet, head: Head, windows: Windows, scaling: Scaling, batch_size: int = 512) -> Guess:
    """Forecast all ``windows``."""
    network.eval()
    device = next(network.parameters()).device
    points, ends = [], []
    with torch.inference_mode():
        for numbers in torch.arange(len(windows)).split(batch_size):
            params = network(windows.take(numbers).to(device)).prediction
            points.append(head.point(params).cpu())
            if head.quantiles:
                ends.append(network.interval(params).cpu())
    return guess_of(head, torch.cat(points), torch.cat(ends) if ends else None, scaling, windows.series.numpy())


def guess_of(head: Head, point: Tensor, quantiles: Tensor | None, scaling: Scaling, series: np.ndarray) -> Guess:
    """Return standardised points (W, H, C) and ``quantiles`` (W, H, C, K) in the unit of their ``series``."""
    bands = {}
    if quantiles is not None:
        every = quantiles.double().numpy()
        for level, low, high in levels_of(head.quantiles):
            bands[level] = (unscale(every[..., low], scaling, series), unscale(every[..., high], scaling, series))
    return Guess(unscale(point.double().numpy(), scaling, series), bands)


@torch.inference_mode()
def calibrate(network: ForecastNet, windows: Windows, batch_size: int = 512) -> None:
    """Move the ends of the intervals until they hold, on ``windows``, as much as their levels say.

    For each level the ends are moved out by the level's quantile of ``max(lower − y, y − upper)``, one number for
    all steps, in training deviations (conformalised quantile regression, Romano et al., arXiv 1905.03222).
    """
    if not network.head.quantiles:
        return
    network.eval()
    device = next(network.parameters()).device
    misses: dict[int, list[np.ndarray]] = {}
    levels = levels_of(network.head.quantiles)
    for numbers in torch.arange(len(windows)).split(batch_size):
        batch = windows.take(numbers).to(device)
        ends, target = network.head.interval(network(batch).prediction), batch.targets
        assert target is not None
        for level, low, high in levels:
            miss = torch.maximum(ends[..., low] - target, target - ends[..., high])
            known = miss if batch.target_mask is None else miss[batch.target_mask]
            misses.setdefault(level, []).append(known.flatten().cpu().numpy())
    for level, low, high in levels:
        scores = np.concatenate(misses[level])
        share = min(1.0, level / 100 * (1 + 1 / len(scores)))
        margin = float(np.quantile(scores, share))
        network.widen[low], network.widen[high] = -margin, margin


def levels_of(quantiles: tuple[float, ...]) -> list[tuple[int, int, int]]:
    """Return each central interval as coverage in percent and the places of its two ends."""
    count = len(quantiles)
    return [
        (round(100 * (quantiles[count - 1 - low] - quantiles[low])), low, count - 1 - low)
        for low in reversed(range(count // 2))
    ]


def summarise(truth: Truth, guess: Guess) -> dict[str, float]:
    """Return every metric of one guess: in the unit of the data, scaled, and the intervals' coverage."""
    numbers = {}
    for name, metric in METRICS.items():
        extra = (truth.mase,) if name == "mase" else ()
        numbers[name] = metric(truth.values, guess.point, *extra)
    error = (guess.point - truth.values) / truth.std
    numbers["scaled_mse"] = float(np.nanmean(error**2))
    numbers["scaled_mae"] = float(np.nanmean(np.abs(error)))
    for level, (low, high) in guess.bands.items():
        numbers[f"coverage_{level}"] = coverage(truth.values, low, high)
    return numbers


def loss_per_origin(truth: Truth, guess: Guess) -> np.ndarray:
    """Return the mean scaled absolute error of every forecast origin, over all series: (origins,)."""
    errors = np.abs(guess.point - truth.values) / truth.mase
    per_window = _mean_known(errors.reshape(len(errors), -1))
    order, at = np.unique(truth.origins, return_inverse=True)
    known = np.isfinite(per_window)
    sums = np.bincount(at[known], per_window[known], len(order))
    counts = np.bincount(at[known], minlength=len(order))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def error_by_step(truth: Truth, guess: Guess) -> np.ndarray:
    """Return the mean absolute error of each step ahead (H,), in the unit of the data."""
    errors = np.abs(guess.point - truth.values)
    return _mean_known(errors.transpose(1, 0, 2).reshape(errors.shape[1], -1))


def _mean_known(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last dimension of what is not NaN, NaN where nothing is."""
    known = np.isfinite(values)
    counts = known.sum(-1)
    sums = np.where(known, values, 0.0).sum(-1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

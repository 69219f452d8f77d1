"""Intervals of the answer: the mean of those of its members, moved until they hold what their levels say.

    ends = answer + s (ends of the network − its point) + (1 − s) spread + margins

s is the weight of the network in the answer. The other member has no intervals of its own: its ``spread`` are the
quantiles of what it missed in the validation windows, wider at the steps ahead where it missed more. All that was
missed there counts for more, as these windows have chosen the members; benchmarks/accuracy/intervals.md has what was
tried.
Shapes: W windows, B of them at a time, H steps, C channels, K quantiles.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...nn.intervals import levels_of, margins
from .exam import Guess, guess_of
from .layout import Layout
from .network import ForecastNet
from .placing import from_log, to_log
from .scaling import Scaling
from .windows import Windows

Array = np.ndarray
BALANCED = 2  # horizons of validation windows, below which what was missed on one side may be missed on the other
FLATTERY = 0.5  # what one horizon of validation windows flatters by what was chosen by them
MOST = 1.25  # times that what was missed counts in an interval, however few the windows


def flattery(valid: Windows) -> float:
    """Return by how much the errors on ``valid`` windows are too small of what was chosen by them."""
    return 1 + FLATTERY * valid.horizon / len(valid)


def missed_more(valid: Windows, sparse: bool = False) -> float:
    """Return how many times what was missed in ``valid`` windows counts in an interval; once if demand is ``sparse``.

    Who orders one more has not ordered two.
    """
    return 1.0 if sparse else min(flattery(valid), MOST)


class Whole(NamedTuple):
    """How the answer follows from what the network says of the validation windows, standardised."""

    moved: Array  # (W, H, C) how far its point lies from the network's
    share: float = 1.0  # s
    spread: Array | None = None  # (H, C, K); the network's, if there is none

    def answers(
        self, ends: Tensor, point: Tensor, numbers: Tensor, ratio: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return ends (B, H, C, K) and point (B, H, C) of the answer to these windows, from those of the network.

        ``ratio`` (B, 1, C) is that of logarithms, where spreads are measured in them.
        """
        answer = point + torch.from_numpy(self.moved[numbers.numpy()]).to(point)
        own, middle = ends - point.unsqueeze(-1), answer.unsqueeze(-1)
        if self.spread is None:
            return middle + own, answer
        other = around(answer, torch.from_numpy(self.spread).to(point), ratio) - middle
        return middle + self.share * own + (1 - self.share) * other, answer


def spread_of(said: Array, truth: Array, quantiles: tuple[float, ...], ratio: Tensor | None) -> Array | None:
    """Return the ``quantiles`` of what ``said`` missed of the ``truth`` (W, H, C): (H, C, K), or None if none is known.

    All steps have one shape, the quantiles of their errors as multiples of the root mean square of their step, so that
    few windows are enough. Where they are fewer than BALANCED horizons, errors count on both sides: a level that was
    missed in all of them is one miss. With ``ratio`` (W, 1, C) errors are those of logarithms.
    """
    if ratio is not None:
        said, truth = (to_log(torch.from_numpy(part), ratio).numpy() for part in (said, truth))
    errors = truth - said
    known = np.isfinite(errors)
    if not known.any():
        return None
    squares, counts = np.where(known, errors, 0.0) ** 2, known.sum(0)
    total = counts.sum(0)
    channel = np.where(total > 0, squares.sum((0, 1)) / np.maximum(total, 1), squares.sum() / total.sum())
    # A step that few windows have judged is as uncertain as all steps are, the more the fewer they are.
    like = said.shape[1]
    size = np.sqrt((squares.sum(0) + like * channel) / (counts + like))
    shares = (errors / np.where(size > 0, size, 1.0))[known]
    if len(said) < BALANCED * said.shape[1]:
        shares = np.concatenate([shares, -shares])
    return size[..., None] * np.quantile(shares, quantiles)


def around(point: Tensor, spread: Tensor, ratio: Tensor | None) -> Tensor:
    """Return the ends (B, H, C, K) of intervals of such a ``spread`` (H, C, K) around a ``point`` (B, H, C)."""
    if ratio is None:
        return point.unsqueeze(-1) + spread
    return from_log(to_log(point, ratio).unsqueeze(-1) + spread, ratio.unsqueeze(-1))


def with_spread(guess: Guess, spread: Array, network: ForecastNet, windows: Windows) -> Guess:
    """Return a ``guess`` about ``windows`` with intervals of such a ``spread``, at the levels of the ``network``."""
    scaling, series = windows.rows.scaling, windows.series.numpy()
    mean, std = scaling.mean[series][:, None], scaling.std[series][:, None]
    point = torch.from_numpy((guess.point - mean) / std)
    ends = around(point, torch.from_numpy(spread), ratio_of(network.layout, scaling, series))
    return Guess(guess.point, guess_of(network.head, point, ends, scaling, series).bands)


def calibrated(guess: Guess, network: ForecastNet, windows: Windows) -> Guess:
    """Return a ``guess`` about ``windows`` with the ends of its intervals moved by the margins of the ``network``."""
    std, moves = windows.rows.scaling.std[windows.series.numpy()][:, None], network.widen.double().cpu().numpy()
    bands = {
        level: (guess.bands[level][0] + moves[low] * std, guess.bands[level][1] + moves[high] * std)
        for level, low, high in levels_of(network.head.quantiles)
        if level in guess.bands
    }
    return Guess(guess.point, bands)


def ratio_of(layout: Layout, scaling: Scaling, series: Array) -> Tensor | None:
    """Return the ratio (W, 1, C) of logarithms of windows of ``series`` (W,); None if there are none."""
    return torch.from_numpy(scaling.ratios()[series][:, None]).double() if layout.log else None


@torch.inference_mode()
def calibrate(network: ForecastNet, windows: Windows, whole: Whole | None = None, batch_size: int = 512) -> None:
    """Move the ends of the intervals until they hold, on ``windows``, as much as their levels say.

    They move by ``margins``, one number for all steps, in training deviations. What the answer missed there counts as
    often as ``missed_more`` says; the number of windows is the size that the correction for a finite sample takes.
    ``whole`` says how the answer follows from that of the network; if there is none they are the same.
    """
    if not network.head.quantiles:
        return
    network.eval()
    misses: dict[int, list[Array]] = {}
    levels, closest, more = levels_of(network.head.quantiles), torch.inf, missed_more(windows, network.layout.sparse)
    for numbers, batch, params in network.over(windows, batch_size):
        ends, point, target = network.head.interval(params), network.head.point(params), batch.targets
        assert target is not None
        if whole is not None:
            ends, point = whole.answers(ends, point, numbers, batch.get("ratio"))
        target = point + more * (target - point)
        closest = min(closest, float(ends.diff(dim=-1).amin()))
        for level, low, high in levels:
            miss = torch.maximum(ends[..., low] - target, target - ends[..., high])
            known = miss if batch.target_mask is None else miss[batch.target_mask]
            misses.setdefault(level, []).append(known.flatten().cpu().numpy())
    every = {level: np.concatenate(parts) for level, parts in misses.items()}
    moves = margins(network.head.quantiles, every, closest, len(windows))
    network.widen.copy_(torch.from_numpy(moves))

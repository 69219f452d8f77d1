"""Sample paths: futures drawn from a forecast, whose steps belong together as the errors of validation do.

A network says of each step what may happen, but not which values of two steps come together. That is taken from the
errors on validation windows: what is drawn of each step is put in the order that the errors of this step have among
these windows (the Schaake shuffle, Clark et al. 2004; ensemble copula coupling, Schefzik et al. 2013).
Shapes: S row series, M error paths, n paths, H steps, C channels, K quantiles.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ...data.series import long_frame
from ...errors import ConfigError, RunError
from ..base import Fitted, Prepared
from .combination import Said, points_and_truth
from .exam import Guess
from .intervals import Whole
from .learned import ForecastLearned
from .scaling import Scaling
from .settings import WITH_INTERVALS
from .windows import Windows

Array = np.ndarray
MOST, NUMBERS = 500, 1_000_000  # error paths that are kept at most, and numbers in them
FEW = 50  # validation windows, below which training windows are asked, too


@dataclass(frozen=True)
class Paths:
    """Sample paths of all series."""

    names: tuple[str, ...]
    times: list[pd.Index]  # (H,) per series
    values: Array  # (S, n, H, C)
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Return them as a long frame ``unique_id, ds, path, y``, path by path."""
        each = self.values.transpose(0, 3, 1, 2).reshape(len(self.names), -1)  # a row for each name
        count, steps = self.values.shape[1:3]
        stamps = [times[:steps].append([times[:steps]] * (count - 1)) for times in self.times]
        numbers = np.tile(np.repeat(np.arange(count), steps), len(self.names))
        return long_frame(self.names, stamps, {"path": numbers, "y": each.reshape(-1)})


def error_paths(fitted: Fitted, prepared: Prepared, said: Said, whole: Whole | None) -> Array:
    """Return what the answers missed in validation windows, in training deviations: (M, H, C), 0 where it is unknown.

    ``said`` is what the network says of them, ``whole`` how the answer follows from that. Where windows are few, those
    of the training join them: their errors are smaller, but have an order, too.
    """
    train = prepared.train
    assert isinstance(train, Windows)
    errors = said.truth - said.point - (0.0 if whole is None else whole.moved)
    most = max(2, min(MOST, NUMBERS // max(1, errors[0].size)))
    errors = errors[np.linspace(0, len(errors) - 1, min(most, len(errors))).round().astype(int)]
    if len(errors) < FEW:
        point, truth = points_and_truth(fitted, train.some(FEW - len(errors)))
        errors = np.concatenate([errors, truth - point])
    return np.nan_to_num(errors).astype(np.float32)


def levels_in_order(errors: Array, count: int, random: np.random.Generator) -> Array:
    """Return levels between 0 and 1 for ``count`` paths (n, H, C), in the order of ``errors`` (M, H, C) at each step.

    The levels of a step lie in n equal parts of (0, 1), one in each, so that few paths show all that may happen. Error
    paths are taken in a random order, each as often as the others; where two are equal chance decides.
    """
    rounds = -(-count // len(errors))
    chosen = np.concatenate([random.permutation(len(errors)) for _ in range(rounds)])[:count]
    picked = errors[chosen]
    order = np.lexsort((random.random(picked.shape), picked), axis=0)
    ranks = np.argsort(order, axis=0, kind="stable")
    levels: Array = (ranks + random.random(ranks.shape)) / count
    return levels


def drawn(guess: Guess, levels: Array) -> Array:
    """Return the values that a ``guess`` (S, H, C) has at ``levels`` (S, n, H, C): between and beyond its quantiles.

    A line joins neighbouring quantiles over their normal scores, and goes on as it is beyond the outermost two: a
    normal distribution is met exactly, and so are the ends of all intervals.
    """
    values, scores = _knots(guess)
    wanted = normal_scores(levels)
    place = np.clip(np.searchsorted(scores, wanted) - 1, 0, len(scores) - 2)
    low, high = (np.take_along_axis(values[:, None], at[..., None], -1)[..., 0] for at in (place, place + 1))
    share = (wanted - scores[place]) / (scores[place + 1] - scores[place])
    found: Array = low + share * (high - low)
    return found


def _knots(guess: Guess) -> tuple[Array, Array]:
    """Return the quantiles of a guess in rising order (S, H, C, K) and their normal scores (K,)."""
    ends = guess.quantiles
    quantiles = sorted(ends)
    return np.stack([ends[q] for q in quantiles], -1), normal_scores(np.array(quantiles))


def normal_scores(levels: Array) -> Array:
    """Return the quantiles of the standard normal distribution at ``levels`` (...)."""
    scores: Array = torch.special.ndtri(torch.from_numpy(levels)).numpy()
    return scores


def kept_paths(values: Array, scaling: Scaling) -> Array:
    """Return paths (S, n, H, C) within the bounds of their series; those of counts are whole numbers."""
    values = np.where(scaling.counts[:, None, None], np.rint(values), values)
    floor, ceiling = scaling.floor[:, None, None], scaling.ceiling[:, None, None]
    within: Array = np.minimum(np.maximum(values, floor), ceiling)
    return within


def require_paths(fitted: Fitted) -> Array:
    """Return the error paths of a run; raises an error if it has no intervals to draw from, or is too old."""
    loss, learned = fitted.config.task.loss, fitted.learned
    assert isinstance(learned, ForecastLearned)
    if loss not in WITH_INTERVALS:
        raise ConfigError(
            f"Paths are drawn from intervals, and loss='{loss}' predicts none: train with loss='quantile', or with a "
            "distribution."
        )
    if learned.errors is None:
        raise RunError("This run keeps no errors of its validation, which paths need: train it again.")
    return learned.errors

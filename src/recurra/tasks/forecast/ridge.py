"""Ridge regression in closed form, from the past of a channel to each of its future steps, shared by all series.

It has several forms: of the values or of their logarithms, as they are or beyond a simple forecast that is subtracted
first and added again, with what is known beside the values or without it. Which forms suit the data, and the penalty
of each, is found on the validation windows.
Shapes: W windows, N = W·C pasts, L look-back, H horizon, C channels, F features, m season, B numbers beside the values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch

from ...training.ridge import NormalEquations, predicted
from .past import CHUNK, Past, by_window, is_positive, parts_of, past_of
from .windows import Windows

Array = np.ndarray
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)  # as a share of the mean variance of the features
TRAIN, TRIAL = 20_000, 5_000  # windows that are used at most, for the weights and for the choice of forms
MOST = 3  # forms whose mean is the forecast
NEAR = 1.3  # times the error of the best form, within which another one may join it
SMALLEST = 1e-2  # of the mean of a series, below which no logarithm is taken
FARTHEST = 3.0  # logarithms above the largest of the past, beyond which no forecast goes


# What is subtracted from the future (N, H), and the features (N, F), of past values (N, L).
Level = Callable[[Array, int, int], tuple[Array, Array]]


def nothing(x: Array, horizon: int, season: int) -> tuple[Array, Array]:
    """Leave all as it is."""
    return np.zeros((len(x), horizon)), x


def last_value(x: Array, horizon: int, season: int) -> tuple[Array, Array]:
    """Subtract the last value, as NLinear does (Zeng et al., arXiv 2205.13504)."""
    return np.repeat(x[:, -1:], horizon, 1), x - x[:, -1:]


def mean_value(x: Array, horizon: int, season: int) -> tuple[Array, Array]:
    """Subtract the mean of the past."""
    mean = x.mean(1, keepdims=True)
    return np.repeat(mean, horizon, 1), x - mean


def last_season(x: Array, horizon: int, season: int) -> tuple[Array, Array]:
    """Subtract the last season; the features are the differences over one season."""
    at = x.shape[1] - season + np.arange(horizon) % season
    return x[:, at], x[:, season:] - x[:, :-season]


def season_with_drift(x: Array, horizon: int, season: int) -> tuple[Array, Array]:
    """Subtract the last season, moved on by what its mean differs from that of the season before."""
    repeated, differences = last_season(x, horizon, season)
    drift = differences[:, -season:].mean(1, keepdims=True)
    return repeated + drift * (np.arange(horizon) // season + 1), differences - differences.mean(1, keepdims=True)


LEVELS: dict[str, Level] = {
    "nothing": nothing,
    "last": last_value,
    "mean": mean_value,
    "season": last_season,
    "drift": season_with_drift,
}


Measure = Callable[[Array, Array], float]  # how far what was said is from the truth


class Form(NamedTuple):
    """What a regression is about."""

    level: str  # of LEVELS
    log: bool = False
    beside: bool = False  # whether it reads covariates

    def described(self) -> str:
        """Say in words what is regressed."""
        said = {
            "nothing": "the values as they are",
            "last": "the change from the last value",
            "mean": "the difference from the mean",
            "season": "the change from the last season",
            "drift": "the change from the last season moved on",
        }[self.level]
        said += " in logarithms" if self.log else ""
        return f"{said} with the other columns" if self.beside else said

    def fits(self, lookback: int, season: int) -> bool:
        """Tell whether the look-back is long enough."""
        return not self.seasons or (season > 1 and lookback >= self.seasons * season + 2)

    @property
    def seasons(self) -> int:
        """How many seasons of the past it looks back to find what it subtracts."""
        return {"season": 1, "drift": 2}.get(self.level, 0)

    def into(self, values: Array, past: Past) -> Array:
        """Return standardised ``values`` (N, ...) as this form sees them."""
        if not self.log:
            return values
        raw = values * past.std + past.mean
        return np.log(np.maximum(raw, SMALLEST * np.abs(past.mean) + 1e-300))

    def back(self, values: Array, past: Past) -> Array:
        """Return what ``into`` gave, as standardised values."""
        if not self.log:
            return values
        highest = self.into(past.values, past).max(1, keepdims=True)
        return (np.exp(np.minimum(values, highest + FARTHEST)) - past.mean) / past.std


@dataclass(frozen=True)
class Ridge:
    """One regression."""

    form: Form
    season: int
    weights: Array  # (F + 1, H), the last row is the intercept

    def __call__(self, past: Past) -> Array:
        """Return the forecasts (N, H), standardised."""
        offset, features = read(self.form, past, self.weights.shape[1], self.season)
        return self.form.back(predicted(features, self.weights) + offset, past)


def read(form: Form, past: Past, horizon: int, season: int) -> tuple[Array, Array]:
    """Return what a form subtracts from the future (N, H), and its features (N, F), covariates last."""
    offset, features = LEVELS[form.level](form.into(past.values, past), horizon, season)
    return offset, np.concatenate([features, past.beside], 1) if form.beside else features


class Equations:
    """The normal equations of one form, to which windows are added.

    Its features are multiplied by a ``scale`` (F,), as one penalty is for all of them.
    """

    def __init__(self, form: Form, season: int, scale: Array, horizon: int):
        self.form, self.season, self.scale = form, season, scale
        self.sums = NormalEquations(len(scale), horizon)

    @classmethod
    def of(cls, form: Form, windows: Windows, season: int) -> "Equations":
        """Set them up for windows of this size, and add these."""
        # Without covariates one window says how many features there are, and none of them is scaled.
        some = past_of(windows, torch.arange(min(len(windows), CHUNK if form.beside else 1)))
        equations = cls(form, season, scale_of(form, some, windows.horizon, season), windows.horizon)
        equations.add(windows)
        return equations

    def add(self, windows: Windows) -> None:
        """Add ``windows``: those whose whole future is known, unless they are few."""
        parts = list(parts_of(windows))
        whole = sum(int(future.known.all(1).sum()) for _, future in parts) > 10
        for every, future in parts:
            keep = future.known.all(1) if whole else np.ones(len(future.known), bool)
            past = Past(*(part[keep] for part in every))
            offset, features = read(self.form, past, windows.horizon, self.season)
            target = self.form.into(future.values[keep], past) - offset
            self.sums.add(features * self.scale, np.where(future.known[keep], target, 0.0))

    def solve(self, penalty: float) -> Ridge:
        """Return the regression with this penalty; the intercept has none."""
        weights = self.sums.solve(penalty)
        weights[:-1] *= self.scale[:, None]
        return Ridge(self.form, self.season, weights)


def scale_of(form: Form, past: Past, horizon: int, season: int) -> Array:
    """Return what makes covariates as large as the other features of a form, in the mean of a few: (F,)."""
    _, features = read(form, past, horizon, season)
    scale, count = np.ones(features.shape[1]), past.beside.shape[1]
    if form.beside:
        own, others = (np.square(part).mean() for part in np.split(features, [-count], 1))
        scale[-count:] = np.sqrt(own / others) if own > 0 and others > 0 else 1.0
    return scale


class Tried(NamedTuple):
    """A form with the penalty that did best on the validation windows."""

    form: Form
    error: float
    equations: Equations
    penalty: float
    said: Array  # (N, H) of the validation windows


class Found(NamedTuple):
    """The forms that suit the data, fitted to all windows, and what they said of the validation windows before that."""

    ridges: tuple[Ridge, ...]
    said: Array  # (W, H, C) standardised


def find_ridges(train: Windows, valid: Windows, season: int, measure: Measure | None = None) -> Found:
    """Find the forms and their penalties on the ``valid`` windows, then fit them to those, too.

    ``measure`` is the error that they are chosen by, the mean absolute one if not given.
    """
    measure = mean_error if measure is None else measure
    train, trial, parts = train.some(TRAIN), train.some(TRIAL), list(parts_of(valid))
    pasts = [past for past, _ in parts]
    truth = np.concatenate([np.where(future.known, future.values, np.nan) for _, future in parts])
    forms = [Form(level) for level in LEVELS if Form(level).fits(train.lookback, season)]
    if all(is_positive(past, future) for past, future in chain(parts, parts_of(train))):
        forms += [form._replace(log=True) for form in forms]
    if pasts[0].beside.shape[1]:
        forms += [form._replace(beside=True) for form in forms]
    trials = (_try(Equations.of(form, trial, season), pasts, truth, measure) for form in forms)
    tried = sorted(trials, key=lambda one: one.error)
    chosen = [one for one in tried[:MOST] if one.error <= NEAR * tried[0].error]
    if len(trial) < len(train):
        chosen = [_try(Equations.of(one.form, train, season), pasts, truth, measure) for one in chosen]
    for one in chosen:
        one.equations.add(valid)
    ridges = tuple(one.equations.solve(one.penalty) for one in chosen)
    return Found(ridges, by_window(np.mean([one.said for one in chosen], 0), valid))


def _try(equations: Equations, pasts: list[Past], truth: Array, measure: Measure) -> Tried:
    best: Tried | None = None
    for penalty in PENALTIES:
        ridge = equations.solve(penalty)
        said = np.concatenate([ridge(past) for past in pasts])
        error = measure(said, truth)
        if best is None or error < best.error:
            best = Tried(ridge.form, error, equations, penalty, said)
    assert best is not None
    return best


def mean_error(said: Array, truth: Array) -> float:
    """Return the mean absolute difference where the ``truth`` is known, not NaN; zero if it is nowhere."""
    errors = np.abs(said - truth)
    known = np.isfinite(errors)
    return float(errors[known].mean()) if known.any() else 0.0


def root_mean_square(said: Array, truth: Array) -> float:
    """Return the root of the mean squared difference where the ``truth`` is known, not NaN; zero if it is nowhere."""
    errors = (said - truth) ** 2
    known = np.isfinite(errors)
    return float(np.sqrt(errors[known].mean())) if known.any() else 0.0


def measured_as(loss: str, sparse: bool = False) -> Measure:
    """Return by which error models are chosen and weighed: the squared one where means are asked for.

    A mean is what is asked for of ``sparse`` demand, whose median may always be zero.
    """
    return root_mean_square if loss == "squared" or (sparse and loss == "quantile") else mean_error

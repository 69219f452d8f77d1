"""Forecasts that cost little: repeat the last value, repeat the last season, and a linear model.

They answer the same windows as a network, so that every comparison has them beside it.
Shapes: W windows, L look-back, H horizon, C channels; all values standardised.
"""

from abc import abstractmethod
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from ..base import Baseline, Prepared
from .effects import Effects, has_effects
from .exam import Guess, points_of
from .intermittent import RULES, Intermittent
from .past import answered, future_of
from .ridge import LEVELS, Form, Measure, Ridge, find_ridges, mean_error
from .smoothing import ExponentialSmoothing, Theta
from .windows import Rows, Windows

SCARCE = 0.5  # by which the error of what one horizon of training windows taught counts for more
MOST = 1 << 22  # differences that are compared at a time


class Naive(Baseline):
    """A forecast from the last values alone, with nothing to learn."""

    @abstractmethod
    def told(self) -> str:
        """Say in words what it repeats."""

    @abstractmethod
    def says(self, examples: Windows) -> np.ndarray:
        """Return the forecasts, standardised: (W, H, C)."""

    def answer(self, examples: Windows) -> Guess:
        """Return the forecasts."""
        return points_of(self.says(examples), examples)


class RepeatLast(Naive):
    """The last known value, for every step."""

    def told(self) -> str:
        """Say in words what it repeats."""
        return "last value"

    def says(self, examples: Windows) -> np.ndarray:
        """Return the forecasts, standardised: (W, H, C)."""
        return repeat_last(examples)


class SeasonalNaive(Naive):
    """What was known one season before each step, or the latest season in which it was."""

    def __init__(self, season: int):
        self.season = season

    def told(self) -> str:
        """Say in words what it repeats."""
        return "last season"

    def says(self, examples: Windows) -> np.ndarray:
        """Return the forecasts, standardised: (W, H, C)."""
        return seasonal_naive(examples, self.season)


class SeasonalDrift(Naive):
    """The last season, moved on by what it differs from the season before.

    ``y_{t−m+1+(h−1) mod m} + k·median(y_{t−j} − y_{t−j−m}, j = 0..m−1)``, k the seasons ahead, from 1. A median, as one
    wild value would move all that follow.
    """

    def __init__(self, season: int):
        self.season = season

    def told(self) -> str:
        """Say in words what it repeats."""
        return "last season moved on"

    def says(self, examples: Windows) -> np.ndarray:
        """Return the forecasts, standardised: (W, H, C)."""
        return seasonal_naive(examples, self.season) + seasonal_drift(examples, self.season)


def scarcity(train: Windows) -> float:
    """Return by how much the errors of what was learned from few windows count for more: ``1 + H / (2 W)``."""
    return 1 + SCARCE * train.horizon / len(train)


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


def seasonal_drift(windows: Windows, season: int) -> np.ndarray:
    """Return how far the last season lies above the one before, times the seasons ahead: (W, H, C).

    That is the median difference of the steps that are known in both; zero where they are less than half of a season.
    """
    filled = _filled_forward(windows.rows, season)
    begin = windows.rows.offsets[windows.series.numpy()][:, None, None]
    end = (windows.starts + windows.lookback).numpy()[:, None]
    moved = []
    for part in np.array_split(np.arange(len(windows)), 1 + len(windows) * season // MOST):
        last = end[part] - season + np.arange(season)
        change = filled[np.maximum(last, 0)] - filled[np.maximum(last - season, 0)]
        # What lies before the first value of a series is that of another one.
        change = np.where(last[..., None] - season >= begin[part], change, np.nan)
        few = 2 * np.isfinite(change).sum(1) < season
        moved.append(np.where(few, 0.0, np.nanmedian(np.where(few[:, None], 0.0, change), 1)))
    ahead = np.arange(windows.horizon) // season + 1
    return np.concatenate(moved)[:, None] * ahead[:, None]


def _filled_forward(rows: Rows, season: int) -> np.ndarray:
    """Return all rows with each hole filled by the value a whole number of seasons before it."""
    values = rows.values.numpy().astype(float)
    if rows.observed is None:
        return values
    values = np.where(rows.observed.numpy(), values, np.nan)
    bounds = [*rows.offsets.tolist(), len(values) + rows.pad]
    for begin, end in pairwise(bounds):
        part = values[begin : end - rows.pad]
        part[:] = _last_known(part, season)
    return np.nan_to_num(values) if season == 1 else values


def _last_known(values: np.ndarray, season: int) -> np.ndarray:
    """Return ``values`` (T, C), each hole the latest one that stands a whole number of seasons before it."""
    size, channels = values.shape
    seasons = np.full((-(-size // season), season * channels), np.nan)
    seasons.reshape(-1, channels)[:size] = values
    known = np.isfinite(seasons)
    latest = np.maximum.accumulate(np.where(known, np.arange(len(seasons))[:, None], -1), 0)
    filled = np.where(latest >= 0, np.take_along_axis(seasons, np.maximum(latest, 0), 0), np.nan)
    return filled.reshape(-1, channels)[:size]


class Linear(Baseline):
    """A ridge regression from the past of a channel to each of its future steps, or the mean of the best few.

    Where columns are known ahead, what they explain is taken out of the series before, if that is better on validation
    windows, and put back into the answer. With fewer training windows than steps ahead it has seen few places in the
    season: then a naive forecast stands for it, if that is better on validation windows.
    What it said of the validation windows before it was fitted to them, too, is kept until it is saved.
    """

    naive = False
    ridges: tuple[Ridge, ...]
    said: np.ndarray | None = None  # (W, H, C) of the validation windows, standardised
    effects: Effects | None = None  # of what is known ahead
    instead: str | None = None  # the naive forecast that stands for it
    earlier: bool = False  # whether it is that of a run that goes on, which is held against a new one

    def __init__(self, season: int, measure: Measure = mean_error):
        self.season, self.measure = season, measure

    def fit(self, prepared: Prepared) -> None:
        """Find form and penalty on the validation windows, and the weights on those of training and validation."""
        train, valid = prepared.train, prepared.valid
        assert isinstance(train, Windows) and isinstance(valid, Windows)
        self._find(train, valid)
        if len(train) < train.horizon:
            self._stand_back(valid, scarcity(train))

    def _stand_back(self, valid: Windows, scarce: float) -> None:
        truth = future_of(valid)
        assert self.said is not None
        least = scarce * self.measure(self.said, truth)
        for name, naive in naive_forecasts(self.season).items():
            said = naive.says(valid)
            if (error := self.measure(said, truth)) < least:
                least, self.instead, self.said = error, name, said

    def _find(self, train: Windows, valid: Windows) -> None:
        measure = self.measure
        found = find_ridges(train, valid, self.season, measure)
        self.ridges, self.said = found.ridges, found.said
        if not has_effects(train):
            return
        effects, truth = Effects.of(train), future_of(valid)
        found = find_ridges(effects.taken_from(train), effects.taken_from(valid), self.season, measure)
        said = found.said + effects.ahead(valid)
        if measure(said, truth) < measure(self.said, truth):
            self.ridges, self.said, self.effects = found.ridges, said, effects

    def answer(self, examples: Windows) -> Guess:
        """Return the forecasts."""
        return points_of(self.says(examples), examples)

    def says(self, examples: Windows) -> np.ndarray:
        """Return the forecasts, standardised: (W, H, C)."""
        if self.instead is not None:
            return naive_forecasts(self.season)[self.instead].says(examples)
        left = examples if self.effects is None else self.effects.taken_from(examples)
        said = answered(left, lambda past: np.mean([ridge(past) for ridge in self.ridges], 0))
        return said if self.effects is None else said + self.effects.ahead(examples)

    @property
    def reads_columns(self) -> bool:
        """Whether what is known ahead has a part in the answer."""
        if self.instead is not None:
            return False
        return self.effects is not None or any(ridge.form.beside for ridge in self.ridges)

    def described(self) -> str:
        """Say of what the regressions are."""
        if self.instead is not None:
            return naive_forecasts(self.season)[self.instead].told()
        beyond = "" if self.effects is None else ", beyond what is known ahead"
        return ", ".join(ridge.form.described() for ridge in self.ridges) + beyond

    def told(self) -> str:
        """Say what it is, in words."""
        return f"linear model ({self.described()})"

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the weights, and the form of each regression by its number."""
        forms = [
            [list(LEVELS).index(level), int(log), int(beside)] for level, log, beside in (r.form for r in self.ridges)
        ]
        weights = {f"weights_{n}": ridge.weights for n, ridge in enumerate(self.ridges)}
        effects = {} if self.effects is None else {"effects": self.effects.weights}
        names = list(naive_forecasts(self.season))
        instead = {} if self.instead is None else {"instead": np.array([names.index(self.instead)])}
        return {"forms": np.array(forms, dtype=np.int64)} | weights | effects | instead

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the weights."""
        if "weights" in arrays:  # as runs were written when there was one form only
            self.ridges = (Ridge(Form("last"), self.season, arrays["weights"]),)
            return
        self.effects = Effects(arrays["effects"]) if "effects" in arrays else None
        self.instead = list(naive_forecasts(self.season))[int(arrays["instead"][0])] if "instead" in arrays else None
        forms = [Form(list(LEVELS)[level], *map(bool, more)) for level, *more in arrays["forms"].tolist()]
        self.ridges = tuple(Ridge(form, self.season, arrays[f"weights_{n}"]) for n, form in enumerate(forms))


def naive_forecasts(season: int) -> dict[str, Naive]:
    """Return by name what forecasts from the last values alone."""
    last: dict[str, Naive] = {"repeat last": RepeatLast()}
    if season < 2:
        return last
    return last | {"seasonal naive": SeasonalNaive(season), "seasonal naive + drift": SeasonalDrift(season)}


def make_baselines(season: int, sparse: bool = False, measure: Measure = mean_error) -> dict[str, Baseline]:
    """Return the baselines by name, not yet fitted; of ``sparse`` demand there are more.

    ``measure`` is the error that the linear model is chosen by.
    """
    smoothers = {"ets": ExponentialSmoothing(season), "theta": Theta(season)}
    rules: dict[str, Baseline] = {name: Intermittent(name) for name in RULES} if sparse else {}
    return {**naive_forecasts(season), **smoothers, **rules, "linear": Linear(season, measure)}

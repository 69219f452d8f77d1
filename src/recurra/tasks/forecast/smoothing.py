"""Exponential smoothing and the Theta method, as baselines: one set of parameters for all series, found on windows.

Both read no more than a run remembers: the first seasons give the first state, and what follows corrects it.
statsmodels refits to the whole past at every origin and takes a second to import; it is what the tests compare with.
Shapes: N pasts, L steps that are read, H horizon, K candidates of parameters, m season.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from ..base import Baseline, Prepared
from .exam import Guess, points_of
from .past import Past, answered, is_positive, parts_of, reading
from .ridge import Form, mean_error
from .windows import Windows

Array = np.ndarray
WINDOWS = 64  # that parameters are found on, evenly spread over training
ALPHAS = (0.02, 0.1, 0.3, 0.6, 0.9)
SHARES = (0.02, 0.1, 0.3)  # of a level's correction that its slope takes
DAMPINGS = (0.9, 0.98)
SEASONAL = (0.05, 0.2, 0.5)  # of what the level leaves, that the season takes
NOTHING, WHOLE = Form("nothing"), Form("nothing", log=True)  # the values, and their logarithms


class State(NamedTuple):
    """Where a series stands after its past."""

    level: Array  # (K, N)
    slope: Array  # (K, N)
    season: Array  # (m, K, N): of the steps that follow, the next one first


@dataclass(frozen=True)
class Smoothing:
    """Parameters (K,) of exponential smoothing with additive errors; zeros leave a part out.

        e_t = y_t − (l + φ b + s_{t−m})
        l ← l + φ b + α e,  b ← φ b + β e,  s_t ← s_{t−m} + γ e

    Hyndman et al. 2008, Forecasting with Exponential Smoothing.
    """

    alpha: Array
    beta: Array
    gamma: Array
    phi: Array

    def run(self, y: Array, first: State) -> State:
        """Return the state after ``y`` (N, L), from the ``first`` one."""
        alpha, beta, gamma, phi = (part[:, None] for part in (self.alpha, self.beta, self.gamma, self.phi))
        level, slope, season = first.level, first.slope, first.season.copy()
        period = len(season)
        for t in range(y.shape[1]):
            place, moved = t % period, level + phi * slope
            error = y[:, t] - moved - season[place]
            level, slope = moved + alpha * error, phi * slope + beta * error
            season[place] += gamma * error
        return State(level, slope, np.roll(season, -(y.shape[1] % period), 0))

    def ahead(self, state: State, horizon: int) -> Array:
        """Return the forecasts (K, N, H) from a state."""
        steps = np.arange(1, horizon + 1)
        damped = np.cumsum(self.phi[:, None] ** steps, 1)  # φ + φ² + ...
        season = state.season[(steps - 1) % len(state.season)].transpose(1, 2, 0)
        return state.level[..., None] + state.slope[..., None] * damped[:, None] + season


def first_state(y: Array, period: int, trend: Array, seasonal: Array) -> State:
    """Return where ``y`` (N, L) begins: from its first two seasons, or its first ten steps where there is none.

    ``trend`` and ``seasonal`` (K,) say which candidates have these parts.
    """
    size = 2 * period if period > 1 else min(10, y.shape[1])
    head = y[:, :size]
    if period > 1:
        slope = (head[:, period:].mean(1) - head[:, :period].mean(1)) / period
    else:
        steps = np.arange(size) - (size - 1) / 2
        slope = head @ steps / max(float(steps @ steps), 1.0)
    slope = trend[:, None] * slope
    centred = np.arange(size) - (size - 1) / 2
    middle = head.mean(1)
    level = middle + slope * (centred[0] - 1)
    rest = head - middle[:, None] - slope[..., None] * centred  # (K, N, size)
    season = rest.reshape(*rest.shape[:2], -1, period).mean(2) if period > 1 else np.zeros((*rest.shape[:2], 1))
    season = (seasonal[:, None, None] * season).transpose(2, 0, 1)
    return State(level, slope, np.ascontiguousarray(season))


def candidates(trend: bool, season: bool) -> Smoothing:
    """Return parameters to try, with a damped trend and a season or without."""
    slopes = list(product(SHARES, DAMPINGS)) if trend else [(0.0, 1.0)]
    kept = [
        (alpha, alpha * share, (1 - alpha) * part, phi)
        for alpha in ALPHAS
        for share, phi in slopes
        for part in (SEASONAL if season else (0.0,))
    ]
    return Smoothing(*np.array(kept).T)


class Suited(NamedTuple):
    """What was found to suit the data."""

    form: Form
    trend: bool
    season: bool
    parameters: Smoothing  # K = 1


class Smoother(Baseline):
    """A forecast from windows whose parameters are those of the smallest error on some windows of the training."""

    naive = False
    reach = 0  # steps that are read; the look-back if none

    def __init__(self, season: int):
        self.season = season

    def fit(self, prepared: Prepared) -> None:
        """Try all candidates on windows of the training."""
        windows = prepared.train
        assert isinstance(windows, Windows)
        self.reach, windows = _reached(windows, prepared.learned.memory)
        parts = list(parts_of(reading(windows.some(WINDOWS), self.reach), self.season))
        truth = np.concatenate([np.where(future.known, future.values, np.nan) for _, future in parts])
        past = Past(*(np.concatenate(part) for part in zip(*(past for past, _ in parts), strict=True)))
        forms = [NOTHING, WHOLE] if all(is_positive(*part) for part in parts) else [NOTHING]
        self.take(past, truth, forms)

    @abstractmethod
    def take(self, past: Past, truth: Array, forms: list[Form]) -> None:
        """Choose among ``forms`` and parameters by the error against ``truth`` (N, H)."""

    @abstractmethod
    def say(self, past: Past, horizon: int) -> Array:
        """Return forecasts (N, H), standardised."""

    def answer(self, examples: Windows) -> Guess:
        """Return the forecasts."""
        windows = reading(examples, self.reach or examples.lookback)
        return points_of(answered(windows, lambda past: self.say(past, windows.horizon), self.season), examples)

    def period_of(self, lookback: int) -> int:
        """Return the season, if two of them can be read."""
        return self.season if lookback >= 2 * self.season else 1


def _reached(windows: Windows, memory: int) -> tuple[int, Windows]:
    """Return how many steps can be read, all that is remembered if some ``windows`` have them, and which have."""
    whole = np.flatnonzero(windows.origins >= memory)
    return (memory, windows.at(torch.from_numpy(whole))) if len(whole) else (windows.lookback, windows)


class ExponentialSmoothing(Smoother):
    """The level, with a damped trend and a season or without, of the values or of their logarithms."""

    fitted: Suited

    def take(self, past: Past, truth: Array, forms: list[Form]) -> None:
        """Choose among ``forms`` and parameters by the error against ``truth`` (N, H)."""
        tried = ((error, one) for form in forms for error, one in self._tried(past, truth, form))
        self.fitted = min(tried, key=lambda one: one[0])[1]

    def _tried(self, past: Past, truth: Array, form: Form) -> Iterator[tuple[float, Suited]]:
        values = form.into(past.values, past)
        for season in {self.period_of(values.shape[1]) > 1, False}:
            for trend in (False, True):
                every = candidates(trend, season)
                said = self._ahead(Suited(form, trend, season, every), values, truth.shape[1])
                errors = [mean_error(form.back(one, past), truth) for one in said]
                best = int(np.argmin(errors))
                one = Smoothing(*(getattr(every, name)[best : best + 1] for name in PARAMETERS))
                yield errors[best], Suited(form, trend, season, one)

    def _ahead(self, fitted: Suited, values: Array, horizon: int) -> Array:
        parameters, count = fitted.parameters, len(fitted.parameters.alpha)
        period = self.period_of(values.shape[1]) if fitted.season else 1
        first = first_state(values, period, np.full(count, fitted.trend), np.full(count, fitted.season))
        return parameters.ahead(parameters.run(values, first), horizon)

    def say(self, past: Past, horizon: int) -> Array:
        """Return forecasts (N, H), standardised."""
        form = self.fitted.form
        return form.back(self._ahead(self.fitted, form.into(past.values, past), horizon)[0], past)

    def to_arrays(self) -> dict[str, Array]:
        """Return the parameters."""
        fitted = self.fitted
        shape = np.array([fitted.form.log, fitted.trend, fitted.season, self.reach], dtype=np.int64)
        return {"shape": shape, "parameters": np.array([getattr(fitted.parameters, name)[0] for name in PARAMETERS])}

    def from_arrays(self, arrays: Mapping[str, Array]) -> None:
        """Take back the parameters."""
        log, trend, season, *reach = arrays["shape"].tolist()  # the first runs read no more than the look-back
        self.reach = reach[0] if reach else 0
        parameters = Smoothing(*arrays["parameters"].reshape(4, 1))
        self.fitted = Suited(WHOLE if log else NOTHING, bool(trend), bool(season), parameters)


PARAMETERS = ("alpha", "beta", "gamma", "phi")


class Theta(Smoother):
    """Simple exponential smoothing with half the slope of a straight line, of values without their season.

        ŷ_{T+h} = l_T + (b / 2) (h − 1 + (1 − (1 − α)^T) / α),  b the slope of the least-squares line

    Assimakopoulos & Nikolopoulos 2000; in this form Hyndman & Billah 2003. The season is the mean difference from a
    running mean over one season, a factor where logarithms are taken.
    """

    form: Form
    alpha: float

    def take(self, past: Past, truth: Array, forms: list[Form]) -> None:
        """Choose among ``forms`` and smoothing parameters by the error against ``truth`` (N, H)."""
        tried = []
        for form, alpha in product(forms, (0.05, *ALPHAS[1:])):
            self.form, self.alpha = form, alpha
            tried.append((mean_error(self.say(past, truth.shape[1]), truth), form, alpha))
        _, self.form, self.alpha = min(tried, key=lambda one: one[0])

    def say(self, past: Past, horizon: int) -> Array:
        """Return forecasts (N, H), standardised."""
        values = self.form.into(past.values, past)
        season = seasonal_part(values, self.period_of(values.shape[1]))
        count, period = values.shape[1], season.shape[1]
        values = values - season[:, np.arange(count) % period]
        steps = np.arange(count) - (count - 1) / 2
        slope = values @ steps / max(float(steps @ steps), 1.0)
        one, none = np.array([self.alpha]), np.zeros(1)
        first = State(values[None, :, 0], np.zeros((1, len(values))), np.zeros((1, 1, len(values))))
        level = Smoothing(one, none, none, np.ones(1)).run(values, first).level[0]
        ahead = np.arange(horizon) + (1 - (1 - self.alpha) ** count) / self.alpha
        said = level[:, None] + slope[:, None] / 2 * ahead + season[:, (count + np.arange(horizon)) % period]
        return self.form.back(said, past)

    def to_arrays(self) -> dict[str, Array]:
        """Return the parameters."""
        return {"parameters": np.array([float(self.form.log), self.alpha, float(self.reach)])}

    def from_arrays(self, arrays: Mapping[str, Array]) -> None:
        """Take back the parameters."""
        log, self.alpha, *reach = arrays["parameters"].tolist()  # the first runs read no more than the look-back
        self.reach = int(reach[0]) if reach else 0
        self.form = WHOLE if log else NOTHING


def seasonal_part(values: Array, period: int) -> Array:
    """Return the mean difference of ``values`` (N, L) from a running mean, at every place of the season: (N, m)."""
    if period < 2:
        return np.zeros((len(values), 1))
    half = period // 2
    width = 2 * half + 1  # of an even season the two ends count by half
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, 1)], 1)
    trend = sums[:, width:] - sums[:, :-width]
    if width > period:
        trend = trend - 0.5 * (values[:, : 1 - width] + values[:, width - 1 :])
    trend = trend / period
    rest = values[:, half : half + trend.shape[1]] - trend
    places = (np.arange(rest.shape[1]) + half) % period
    season = np.stack([rest[:, places == place].mean(1) for place in range(period)], 1)
    return season - season.mean(1, keepdims=True)

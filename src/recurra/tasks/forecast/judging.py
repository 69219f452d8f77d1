"""A model on rows it has not seen: how many, from which origins, and the naive forecasts beside it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...data.series import Panel
from ...errors import ConfigError, DataError
from .backtest import Guess, summarise, unscale
from .baselines import make_baselines
from .fitted import Backtest, FittedForecaster
from .prepare import Prepared

MOST_WINDOWS = 80_000  # all windows of the usual benchmarks; more of them cost time and tell little


class Judged(NamedTuple):
    """A backtest with its baselines."""

    backtest: Backtest
    guesses: dict[str, Guess]  # the model's first, then the baselines'
    metrics: dict[str, dict[str, float]]  # by the same names
    step: int  # distance between forecast origins


def default_test_size(panel: Panel, horizon: int) -> int:
    """Return how many of the last values are held out: a tenth, and at least one horizon."""
    return max(horizon, int(np.median([len(values) for values in panel.values])) // 10)


def check_test_size(size: int, horizon: int) -> None:
    """Raise ConfigError if no forecast fits into the rows that are held out."""
    if size < horizon:
        raise ConfigError(
            f"The test size is {size}, but a forecast of {horizon} steps can only be judged on at least {horizon} rows."
        )


def judging_step(lengths: Sequence[int], size: int, horizon: int, season: int) -> int:
    """Return the distance between origins that makes at most MOST_WINDOWS of the last ``size`` values.

    It shares no factor with the season, so that every place in the season is judged.
    """
    step = math.ceil(sum(max(0, min(size, n) - horizon + 1) for n in lengths) / MOST_WINDOWS)
    while step > 1 and math.gcd(step, season) > 1:
        step += 1
    return max(1, step)


def check_test(prepared: Prepared, size: int, step: int) -> None:
    """Raise DataError before any training if the held-out rows cannot judge it."""
    check_test_size(size, prepared.layout.horizon)
    if not len(prepared.test(size, step)):
        raise DataError(
            f"The last {size} rows, which are held out to judge the model, hold no known value. Hold out more with "
            f"--test-size, or cut the empty end off."
        )


def describe_test(windows: int, size: int, step: int) -> str:
    """Say on what a model is judged."""
    every = f", one from every {ordinal(step)} step" if step > 1 else ""
    return f"judged by {windows:,} forecasts of the last {size:,} rows{every}"


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, 4th, .."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def judge(fitted: FittedForecaster, backtest: Backtest, name: str, step: int, prepared: Prepared | None) -> Judged:
    """Put the naive forecasts beside a backtest, and with the windows of the training also a linear one."""
    train, valid = (prepared.train, prepared.valid) if prepared is not None else (None, None)
    guesses = {name: backtest.guess}
    for label, baseline in make_baselines(backtest.rows, fitted.layout.season, train, valid).items():
        guesses[label] = as_guess(baseline(backtest.windows), backtest)
    return Judged(backtest, guesses, {k: summarise(backtest.truth, g) for k, g in guesses.items()}, step)


def as_guess(scaled: np.ndarray, backtest: Backtest) -> Guess:
    """Return standardised points (W, H, C) as a guess in the unit of the data."""
    return Guess(unscale(scaled, backtest.scaling, backtest.windows.series.numpy()), {})

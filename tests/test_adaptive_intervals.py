"""What intervals hold: by step ahead, and on a stream, where their margins follow what turns out.

Shapes: T steps, H horizon, V levels.
"""

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recurra import Forecaster
from recurra.tasks.forecast.adaptive import MEMORY, RATE, Margins
from recurra.tasks.forecast.exam import Guess, Truth
from recurra.tasks.forecast.holding import coverage_by_step, holding_sections

HORIZON = 3
TINY: dict[str, Any] = {
    "horizon": HORIZON,
    "lookback": 12,
    "hidden_size": 8,
    "epoch_steps": 5,
    "max_epochs": 2,
    "batch_size": 16,
    "last_epochs": 0,
}


def louder(change: int, times: float, n: int, seed: int = 0) -> pd.DataFrame:
    """Return noise of deviation 1 that becomes so many ``times`` as loud."""
    noise = np.random.default_rng(seed).normal(size=n)
    noise[change:] *= times
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=n, freq="h"), "y": 10 + noise})


def margins_by_hand(ends: dict[int, np.ndarray], truth: np.ndarray, begin: np.ndarray, std: float) -> np.ndarray:
    """Return the margins (H, V) after ``truth`` (T,); ``ends`` (H, V, 2) of the forecast that begins with each step."""
    margin = begin.copy()
    for step in range(HORIZON):
        for level, share in enumerate((0.8, 0.9)):
            distance, scores = 0.0, 0
            for t, y in enumerate(truth):
                if t - step not in ends or np.isnan(y):
                    continue
                low, high = ends[t - step][step, level]
                score = max(low - y, y - high) / std
                q = margin[step, level]
                scores = min(scores + 1, MEMORY)
                distance += (abs(score - q) - distance) / scores
                margin[step, level] = q + RATE * distance * ((1 if score > q else 0) - (1 - share))
    return margin


def test_margins_are_those_of_the_equation() -> None:
    frame = louder(140, 2.0, 200)
    frame.loc[[150, 151, 160, 161], "y"] = np.nan
    forecaster = Forecaster(**TINY, combine=True).fit(frame[:100])
    plain = copy.deepcopy(forecaster)
    plain.fitted_.network.widen.zero_()
    stream, unasked = forecaster.stream(adapt=True), forecaster.stream(adapt=True)
    assert stream.margins is not None
    begin = stream.margins.margin[0, :, 0].copy()
    pd.testing.assert_frame_equal(stream.predict(), forecaster.predict(), rtol=1e-6)  # nothing has turned out yet
    ends, names = {}, ("80", "90")
    for n in range(100, 200):
        if n == 161:  # of this step and the one before nobody tells
            continue
        said = stream.predict()
        if n == 162:  # nobody has told yet that it stands here, so it forecasts from 160 once more
            pass
        elif n not in (151, 152):  # a table whose end has no value is read without it
            raw = plain.predict(df=frame[:n])
            ends[n - 100] = np.stack([raw[[f"yhat-lo-{v}", f"yhat-hi-{v}"]].to_numpy() for v in names], 1)
            moved = ends[n - 100] + stream.margins.margin[0, :, 0, :, None] * stream.scaling.std[0] * [-1, 1]
            np.testing.assert_allclose(said[["yhat-lo-80", "yhat-hi-80"]], moved[:, 0], rtol=1e-5)
        else:
            ends[n - 100] = stream.margins.issued[0, n % HORIZON, :, 0].copy()
        for one in (stream, unasked) if n != 160 else ():
            one.update(frame["y"][n], frame["ds"][n])
    std = float(stream.scaling.std[0, 0])
    expected = margins_by_hand(ends, frame["y"].to_numpy()[100:], begin, std)
    np.testing.assert_allclose(stream.margins.margin[0, :, 0], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(stream.margins.margin, unasked.margins.margin)


def covered(forecaster: Forecaster, frame: pd.DataFrame, first: int, adapt: bool) -> np.ndarray:
    """Return whether the values from ``first`` on lay within the 80 % interval, (T, H), NaN where none was forecast."""
    stream, values = forecaster.stream(adapt=adapt), frame["y"].to_numpy()
    inside = np.full((len(values) - first, HORIZON), np.nan)
    for n in range(first, len(values)):
        low, high = stream.predict()[["yhat-lo-80", "yhat-hi-80"]].to_numpy().T
        for step in range(min(HORIZON, len(values) - n)):
            inside[n + step - first, step] = low[step] <= values[n + step] <= high[step]
        stream.update(values[n])
    return inside


@pytest.mark.parametrize("times", [3.0, 0.3])
def test_coverage_comes_back_after_a_change(times: float) -> None:
    frame = louder(300, times, 750)
    forecaster = Forecaster(**TINY).fit(frame[:300])
    fixed, moving = (covered(forecaster, frame, 300, adapt)[150:] for adapt in (False, True))
    assert (np.abs(np.nanmean(fixed, 0) - 0.8) > 0.15).all()
    assert (np.abs(np.nanmean(moving, 0) - 0.8) < 0.05).all()


def test_what_never_fits_is_let_out_no_more_than_it_may() -> None:
    """Whatever the values do, a margin misses as often as it should, up to its way over the length of its steps."""
    random = np.random.default_rng(1)
    margins = Margins.of(np.array([0.5, 1.0]), 1, 1, 1)
    levels, missed = np.array([0.8, 0.9]), np.zeros((3000, 2))
    for t in range(3000):
        scale = 1 + 4 * (t // 500 % 2)
        guess = Guess(np.zeros((1, 1, 1)), {v: (np.full((1, 1, 1), -1.0), np.full((1, 1, 1), 1.0)) for v in (80, 90)})
        margins.issue(0, t, guess)
        y = scale * random.standard_t(3)
        missed[t] = max(-1 - y, y - 1) > margins.margin[0, 0, 0]
        margins.observe(0, t, np.array([y]), np.ones(1), levels)
    np.testing.assert_allclose(missed.mean(0), [0.2, 0.1], atol=0.025)


def test_what_intervals_hold_is_counted_by_step_ahead() -> None:
    random = np.random.default_rng(0)
    values, low = random.normal(size=(50, 4, 2)), random.normal(-1, 0.3, size=(50, 4, 2))
    values[random.random(values.shape) < 0.2] = np.nan
    values[:, 2] = np.nan
    guess = Guess(np.zeros_like(low), {80: (low, -low), 90: (low - 1, 1 - low)})
    ones = np.ones((50, 1, 2))
    truth = Truth(values, np.zeros(50, np.int64), np.arange(50), ones, ones)
    held = coverage_by_step(truth, guess)
    for level, (bottom, top) in guess.bands.items():
        for step in range(4):
            known = [(w, c) for w in range(50) for c in range(2) if not np.isnan(values[w, step, c])]
            hits = sum(bool(bottom[w, step, c] <= values[w, step, c] <= top[w, step, c]) for w, c in known)
            assert np.isnan(held[level][step]) if step == 2 else held[level][step] == pytest.approx(hits / len(known))
    (section,) = holding_sections(truth, guess)
    least, most = np.nanmin(held[80]), np.nanmax(held[80])
    assert f"from {100 * least:.0f} % to {100 * most:.0f} %, by step ahead" in section.text
    assert holding_sections(truth, Guess(guess.point, {})) == []

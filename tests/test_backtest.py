"""Rolling origins: what is compared with what, in which unit, and that no forecast has seen its future."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import mean_absolute_error

from recurra import Forecaster
from recurra.data.series import Panel, Schema
from recurra.errors import DataError
from recurra.nn.heads import AbsoluteHead, QuantileHead
from recurra.tasks.forecast.backtest import (
    Guess,
    Truth,
    ask_network,
    error_by_step,
    levels_of,
    loss_per_origin,
    summarise,
    truth_of,
    unscale,
)
from recurra.tasks.forecast.metrics import naive_scale
from recurra.tasks.forecast.windows import Rows, Scaling

NAN = np.nan
TINY: dict[str, Any] = {"hidden_size": 8, "epoch_steps": 3, "max_epochs": 2, "batch_size": 16}


def panel_of(*series: np.ndarray, season: int = 5) -> Panel:
    names = tuple(f"s{n}" for n in range(len(series)))
    return Panel(Schema(None, None, ("y",), None, season=season), names, series, (1,) * len(series))


def wave(n: int, seed: int, share: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = 20 * seed + 3 * np.sin(np.arange(n) * 2 * np.pi / 5) + random.normal(size=n)
    return np.where(random.random(n) < share, np.nan, values)


def table(truth: Truth, guess: Guess) -> pd.DataFrame:
    """Return every single error with where it comes from."""
    return pd.DataFrame(
        [
            {
                "origin": truth.origins[w],
                "step": h,
                "error": abs(truth.values[w, h, c] - guess.point[w, h, c]),
                "scaled": abs(truth.values[w, h, c] - guess.point[w, h, c]) / truth.mase[w, 0, c],
                "std": (truth.values[w, h, c] - guess.point[w, h, c]) / truth.std[w, 0, c],
                "window": w,
            }
            for w, h, c in np.ndindex(truth.values.shape)
        ]
    ).dropna()


@pytest.fixture
def some() -> tuple[Truth, Guess]:
    random = np.random.default_rng(0)
    values = random.normal(size=(9, 4, 2))
    values[random.random(values.shape) < 0.3] = NAN
    values[3] = NAN  # a window of which nothing is known
    origins = np.array([7, 7, 8, 8, 9, 9, 12, 12, 5])
    scales = random.uniform(1, 2, (3, 9, 1, 2))
    truth = Truth(values, np.zeros(9, int), origins, scales[0], scales[1])
    point = random.normal(size=values.shape)
    return truth, Guess(point, {80: (point - 1, point + 1)})


def test_loss_per_origin_against_pandas(some: tuple[Truth, Guess]) -> None:
    per_window = table(*some).groupby(["origin", "window"])["scaled"].mean()
    expected = per_window.groupby("origin").mean()
    assert expected.index.tolist() == [5, 7, 8, 9, 12], "in order of time"
    np.testing.assert_allclose(loss_per_origin(*some), expected)


def test_loss_of_an_origin_of_which_nothing_is_known(some: tuple[Truth, Guess]) -> None:
    truth, guess = some
    truth.values[truth.origins == 12] = NAN
    losses = loss_per_origin(truth, guess)
    assert np.isnan(losses).tolist() == [False, False, False, False, True]


def test_error_by_step_against_pandas(some: tuple[Truth, Guess]) -> None:
    np.testing.assert_allclose(error_by_step(*some), table(*some).groupby("step")["error"].mean())
    truth, guess = some
    truth.values[:, 2] = NAN
    assert np.isnan(error_by_step(truth, guess)).tolist() == [False, False, True, False]


def test_summary_against_pandas_and_scikit_learn(some: tuple[Truth, Guess]) -> None:
    truth, guess = some
    found, rows = summarise(truth, guess), table(truth, guess)
    known = np.isfinite(truth.values)
    assert found["mae"] == pytest.approx(mean_absolute_error(truth.values[known], guess.point[known]))
    assert found["mase"] == pytest.approx(rows["scaled"].mean())
    assert found["scaled_mse"] == pytest.approx((rows["std"] ** 2).mean())
    assert found["scaled_mae"] == pytest.approx(rows["std"].abs().mean())
    assert found["coverage_80"] == pytest.approx((rows["error"] <= 1).mean())
    assert list(found) == ["mae", "rmse", "smape", "mase", "scaled_mse", "scaled_mae", "coverage_80"]


def test_unscale_is_the_inverse() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 2))
    scaling = Scaling(np.array([[1.0, 10.0], [5.0, 50.0]]), np.array([[2.0, 20.0], [3.0, 30.0]]))
    found = unscale(values, scaling, np.array([1, 0, 1]))
    assert found[0, 2, 1] == values[0, 2, 1] * 30 + 50 and found[1, 0, 0] == values[1, 0, 0] * 2 + 1


@pytest.mark.parametrize("levels", [(), (80,), (80, 90), (50, 99)])
def test_levels_of_quantiles(levels: tuple[int, ...]) -> None:
    quantiles = QuantileHead(levels).quantiles
    found = levels_of(quantiles)
    assert [level for level, _, _ in found] == sorted(levels)
    for level, low, high in found:
        assert (quantiles[low], quantiles[high]) == pytest.approx(((100 - level) / 200, (100 + level) / 200))


def test_truth_is_what_the_series_say() -> None:
    tracks = [wave(30, 1, 0.2)[:, None], 1e6 + wave(20, 2)[:, None]]
    scaling = Scaling.of(tracks, [20, 10])
    rows = Rows.of(tracks, scaling, 3)
    windows = rows.windows(6, 4, [np.arange(20, 27), np.arange(3, 17)], known_targets=True)
    truth = truth_of(windows, scaling, rows.offsets, tracks, [20, 10], season=5)
    for w in range(len(windows)):
        s, origin = truth.series[w], truth.origins[w]
        np.testing.assert_array_equal(truth.values[w], tracks[s][origin : origin + 4], "exactly, not rounded")
        np.testing.assert_array_equal(truth.mase[w, 0], naive_scale(tracks[s][: [20, 10][s]], 5))
        np.testing.assert_array_equal(truth.std[w, 0], scaling.std[s])
    assert (np.diff(truth.origins[truth.series == 1]) == 1).all() and truth.origins[truth.series == 1][0] == 3


def test_a_series_without_a_naive_error_is_scaled_by_its_spread() -> None:
    tracks = [wave(30, 1)[:, None], np.concatenate([np.full(20, 3.0), wave(10, 2)])[:, None]]
    scaling = Scaling.of(tracks, [30, 30])
    rows = Rows.of(tracks, scaling, 0)
    windows = rows.windows(6, 4, [np.array([20]), np.array([20])], known_targets=True)
    truth = truth_of(windows, scaling, rows.offsets, tracks, [1, 20], season=5)
    np.testing.assert_array_equal(truth.mase[:, 0], scaling.std)


# With a network


@pytest.fixture(scope="module")
def fitted() -> Forecaster:
    panel = panel_of(wave(80, 1), wave(70, 2, 0.1))
    forecaster = Forecaster(horizon=3, lookback=10, segment=5, cell="lstm_gru", **TINY)
    for _ in forecaster.epochs(panel, held_out=12):
        pass
    return forecaster


def test_batches_change_nothing(fitted: Forecaster) -> None:
    prepared, net = fitted.prepared_, fitted.fitted_.network
    windows = prepared.test(12)
    one, few = (ask_network(net, fitted.fitted_.task.head, windows, prepared.scaling, size) for size in (512, 3))
    np.testing.assert_allclose(one.point, few.point, rtol=1e-5)
    assert list(one.bands) == [80, 90]
    for level in one.bands:
        np.testing.assert_allclose(one.bands[level], few.bands[level], rtol=1e-5)
        assert (one.bands[level][0] <= one.point).all() and (one.point <= one.bands[level][1]).all()
    assert (one.bands[90][0] <= one.bands[80][0]).all() and (one.bands[80][1] <= one.bands[90][1]).all()


def test_a_head_without_intervals_has_no_bands(fitted: Forecaster) -> None:
    class Zero(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Parameter(torch.ones(1))

        def forward(self, batch: Any) -> Any:
            return type("Said", (), {"prediction": self.one.detach() * torch.zeros(len(batch), 3, 1, 1)})

    prepared = fitted.prepared_
    windows = prepared.test(12)
    guess = ask_network(Zero(), AbsoluteHead(), windows, prepared.scaling)
    assert guess.bands == {}
    np.testing.assert_array_equal(guess.point[:, 0, 0], prepared.scaling.mean[windows.series.numpy(), 0])


def test_no_forecast_has_seen_its_future(fitted: Forecaster) -> None:
    """Change everything from some step on: forecasts up to there stay, to the last digit."""
    panel = panel_of(wave(80, 1), wave(70, 2, 0.1))
    before = fitted.fitted_.backtest(panel, 12)
    for origin in (69, 72):
        spoilt = [values.copy() for values in panel.values]
        for values, n in zip(spoilt, (80, 70), strict=True):
            values[origin - 80 + n :] = 1e3
        after = fitted.fitted_.backtest(panel_of(*spoilt), 12)
        assert (before.truth.origins == after.truth.origins).all()
        place = before.truth.origins + np.array([0, 10])[before.truth.series]
        early = place <= origin
        np.testing.assert_array_equal(before.guess.point[early], after.guess.point[early])
        late = place > origin
        assert early.any() and (before.guess.point[late] != after.guess.point[late]).all(1).all()


def test_training_on_a_spoilt_future_gives_the_same_forecasts() -> None:
    series = (wave(80, 1), wave(70, 2, 0.1))
    answers = []
    for spoilt in (False, True):
        changed = [np.concatenate([v[:-12], v[-12:] * -50]) if spoilt else v for v in series]
        forecaster = Forecaster(horizon=3, lookback=10, **TINY)
        for _ in forecaster.epochs(panel_of(*changed), held_out=12):
            pass
        answers.append(forecaster.fitted_.backtest(panel_of(*series), 12).guess.point)
    np.testing.assert_array_equal(*answers)


def test_a_backtest_says_what_forecasts_one_by_one_say(fitted: Forecaster) -> None:
    panel = panel_of(wave(80, 1), wave(70, 2, 0.1))
    test = fitted.fitted_.backtest(panel, 12, step=4)
    assert sorted(set(zip(test.truth.series.tolist(), test.truth.origins.tolist(), strict=True))) == [
        (0, 68), (0, 72), (0, 76), (1, 58), (1, 62), (1, 66),
    ]  # fmt: skip
    for w, (s, origin) in enumerate(zip(test.truth.series, test.truth.origins, strict=True)):
        cut = panel.window((0, 0), [origin if n == s else len(v) for n, v in enumerate(panel.values)])
        answer = fitted.fitted_.forecast(cut)
        np.testing.assert_allclose(answer.guess.point[s], test.guess.point[w], rtol=1e-5)
        np.testing.assert_allclose(answer.guess.bands[80][0][s], test.guess.bands[80][0][w], rtol=1e-5)


def test_the_held_out_test_is_the_backtest_of_the_end(fitted: Forecaster) -> None:
    panel = panel_of(wave(80, 1), wave(70, 2, 0.1))
    held_out, later = fitted.fitted_.test(panel, fitted.prepared_, 12), fitted.fitted_.backtest(panel, 12)
    np.testing.assert_array_equal(held_out.truth.origins, later.truth.origins)
    np.testing.assert_allclose(held_out.guess.point, later.guess.point, rtol=1e-5)
    np.testing.assert_array_equal(held_out.truth.values, later.truth.values)


def test_too_few_rows_to_evaluate(fitted: Forecaster) -> None:
    with pytest.raises(DataError, match="needs at least 4 rows"):
        fitted.fitted_.backtest(panel_of(wave(3, 1), wave(3, 2)), 12)
    assert len(fitted.fitted_.backtest(panel_of(wave(4, 1), wave(3, 2)), 12).windows) == 1

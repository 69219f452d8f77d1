"""Measures of error by hand, and against scikit-learn."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk
from statsmodels.tsa.seasonal import seasonal_decompose
from statsmodels.tsa.stattools import acf

from recurra.compare.metric import ratio
from recurra.settings import make_config
from recurra.tasks.forecast.exam import Guess, Truth, errors_of_naive2, statistics_of
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.metrics import forecast_metrics, naive_scale, naive_square, quantile_sums
from recurra.tasks.forecast.naive import is_seasonal, naive2, seasonal_factors
from recurra.tasks.forecast.settings import PARTS

NAN = np.nan
LOSSES = ("quantile", "absolute")
TRUTH = np.array([[[1.0], [2.0], [NAN]], [[-4.0], [0.0], [10.0]]])  # two windows of three steps
GUESS = np.array([[[2.0], [2.0], [99.0]], [[-1.0], [0.0], [8.0]]])


def measured(truth: Any, guess: Any, scale: Any = 1.0, bands: Any = None) -> dict[str, float]:
    """Return every metric; ``truth`` and ``guess`` (W, H, C), or the steps of one window."""
    truth, guess = (np.asarray(part, float).reshape((1, -1, 1) if np.ndim(part) == 1 else np.shape(part))
                    for part in (truth, guess))  # fmt: skip
    count, scales = len(truth), np.broadcast_to(scale, (len(truth), 1, truth.shape[2]))
    bands = {} if bands is None else {80: tuple(np.reshape(end, truth.shape) for end in bands)}
    naive = errors_of_naive2(truth, np.nan_to_num(truth) + 1.0, scales, 2 * scales)
    facts = Truth(truth, np.zeros(count, int), np.arange(count), scales, 2 * scales, 1, scales**2, naive)
    statistics = statistics_of(facts, Guess(guess, bands))
    return {metric.name: metric.of(statistics) for metric in forecast_metrics(tuple(bands))}


def test_errors_by_hand() -> None:
    found = measured(TRUTH, GUESS)
    assert found["mae"] == pytest.approx((1 + 0 + 3 + 0 + 2) / 5)
    assert found["rmse"] == pytest.approx(((1 + 0 + 9 + 0 + 4) / 5) ** 0.5)
    # 200 · |y − p| / (|y| + |p|): 1/3, 0, 3/5, 0 (both zero), 2/18
    assert found["smape"] == pytest.approx(200 * (1 / 3 + 3 / 5 + 1 / 9) / 5)
    scale = np.array([[[2.0]], [[4.0]]])  # of each window's series
    found = measured(TRUTH, GUESS, scale)
    assert found["mase"] == pytest.approx((1 / 2 + 3 / 4 + 2 / 4) / 5)
    assert found["scaled_mae"] == pytest.approx((1 / 4 + 3 / 8 + 2 / 8) / 5), "the deviations are twice the scales"
    assert found["scaled_mse"] == pytest.approx((1 / 16 + 9 / 64 + 4 / 64) / 5)


def test_errors_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    truth, guess = random.normal(5, 1, 200), random.normal(5, 1, 200)
    for shape in ((1, 200, 1), (20, 10, 1), (20, 5, 2)):
        found = measured(truth.reshape(shape), guess.reshape(shape), 3.0)
        assert found["mae"] == pytest.approx(sk.mean_absolute_error(truth, guess))
        assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(truth, guess))
        assert found["mase"] == pytest.approx(sk.mean_absolute_error(truth / 3, guess / 3))
        assert found["scaled_mse"] == pytest.approx(sk.mean_squared_error(truth / 6, guess / 6))


def test_symmetric_percentage_error_lies_between_0_and_200() -> None:
    assert measured(np.zeros(3), np.zeros(3))["smape"] == 0
    assert measured(np.ones(3), -np.ones(3))["smape"] == 200
    assert measured(np.zeros(3), np.ones(3))["smape"] == 200


def test_names_of_the_metrics() -> None:
    assert [metric.name for metric in forecast_metrics(())] == [
        "mase", "mae", "rmse", "smape", "scaled_mae", "scaled_mse", "rmsse", "mape", "owa",
    ]  # fmt: skip
    assert [metric.name for metric in forecast_metrics((80,))][4:7] == ["coverage_80", "crps", "wql"]
    hidden = [metric.name for metric in forecast_metrics((80,)) if not metric.shown]
    assert hidden == ["wql", "rmsse", "mape", "owa"], "a table shows the usual ones alone"
    bands = forecast_metrics((80, 90))[4:6]
    assert [metric.name for metric in bands] == ["coverage_80", "coverage_90"]
    assert all(metric.share and not metric.better for metric in bands), "neither more nor less is better"
    assert all(metric.better == "low" for metric in forecast_metrics(()))


def test_only_intervals_are_covered() -> None:
    names = [[m.name for m in KIND.metrics(make_config(PARTS, {"loss": loss, "levels": (50,)}))] for loss in LOSSES]
    assert [("coverage_50" in some, some[0]) for some in names] == [(True, "mase"), (False, "mase")]


def test_coverage_by_hand() -> None:
    truth = np.array([1.0, 2.0, 3.0, NAN, 5.0])
    low, high = np.array([0.0, 2.0, 4.0, 0.0, 0.0]), np.array([2.0, 3.0, 5.0, 9.0, 4.0])
    found = measured(truth, truth, bands=(low, high))["coverage_80"]
    assert found == 2 / 4, "inside, on the edge, below, unknown, above"
    assert np.isnan(measured(np.array([NAN]), np.ones(1), bands=(low[:1], high[:1]))["coverage_80"])


def test_of_nothing_no_error_is_known() -> None:
    assert all(math.isnan(value) for value in measured(np.full(4, NAN), np.zeros(4)).values())
    assert math.isnan(ratio("a", "b")({"a": np.zeros(0), "b": np.zeros(0)}))
    assert ratio("a", "b")({"a": np.array([1.0, 5.0]), "b": np.array([1, 3])}) == 1.5, "a mean over all, not of means"


def windows(seed: int = 0) -> tuple[np.ndarray, dict[float, np.ndarray]]:
    """Return what happened in windows (W, H, C), a value of it unknown and one zero, and quantiles of it."""
    random = np.random.default_rng(seed)
    truth = random.normal(3, 2, (6, 5, 2))
    truth[0, 1, 0], truth[2, 3, 1] = NAN, 0.0
    spread = np.sort(random.normal(3, 2, (5, 6, 5, 2)), 0)
    return truth, dict(zip((0.05, 0.1, 0.5, 0.9, 0.95), spread, strict=True))


def test_quantile_losses_by_loops() -> None:
    truth, quantiles = windows()
    widths = {0.05: 0.075, 0.1: 0.225, 0.5: 0.4, 0.9: 0.225, 0.95: 0.075}  # of (0, 1), nearest to each
    crps, losses = np.zeros(6), np.zeros(6)
    for place, y in np.ndenumerate(truth):
        if math.isnan(y):
            continue
        for q, values in quantiles.items():
            loss = q * (y - values[place]) if y >= values[place] else (1 - q) * (values[place] - y)
            crps[place[0]] += widths[q] * 2 * loss
            losses[place[0]] += 2 * loss / 5
    found = quantile_sums(truth, quantiles)
    np.testing.assert_allclose(found["crps"], crps)
    np.testing.assert_allclose(found["quantile_loss"], losses)


def test_the_quantile_loss_is_that_of_scikit_learn() -> None:
    truth, quantiles = windows()
    truth = np.nan_to_num(truth)
    bands = {80: (quantiles[0.1], quantiles[0.9]), 90: (quantiles[0.05], quantiles[0.95])}
    facts = Truth(truth, np.zeros(6, int), np.arange(6), *[np.ones((6, 1, 2))] * 2)
    statistics = statistics_of(facts, Guess(quantiles[0.5], bands))
    pinballs = [sk.mean_pinball_loss(truth.ravel(), values.ravel(), alpha=q) for q, values in quantiles.items()]
    wql = next(metric for metric in forecast_metrics((80, 90)) if metric.name == "wql")
    assert wql.of(statistics) == pytest.approx(2 * np.mean(pinballs) / np.abs(truth).mean())


def test_crps_nears_that_of_the_distribution() -> None:
    """With many levels it is the integral: the closed form of a normal distribution (Gneiting and Raftery 2007)."""
    levels = [(n + 0.5) / 400 for n in range(400)]
    y = np.linspace(-3, 3, 7).reshape(7, 1, 1)
    found = quantile_sums(y, {q: np.full(y.shape, stats.norm.ppf(q)) for q in levels})["crps"]
    z = y.ravel()
    exact = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / math.sqrt(math.pi)
    np.testing.assert_allclose(found, exact, rtol=0.01)


def test_of_a_point_the_quantile_losses_are_its_error() -> None:
    truth, quantiles = windows()
    found = quantile_sums(truth, {0.5: quantiles[0.5]})
    absolute = np.nan_to_num(np.abs(truth - quantiles[0.5])).sum((1, 2))
    np.testing.assert_allclose(found["crps"], absolute)
    np.testing.assert_allclose(found["quantile_loss"], absolute)


def test_other_errors_by_loops() -> None:
    truth, quantiles = windows()
    guess, scale = quantiles[0.5], np.random.default_rng(1).uniform(1, 3, (6, 1, 2))
    squared = percentages = symmetric = symmetric2 = scaled = scaled2 = 0.0
    count = nonzero = 0
    for (w, h, c), y in np.ndenumerate(truth):
        if math.isnan(y):
            continue
        p, naive, count = guess[w, h, c], y + 1.0, count + 1
        squared += ((y - p) / scale[w, 0, c]) ** 2
        scaled, scaled2 = scaled + abs(y - p) / scale[w, 0, c], scaled2 + 1 / scale[w, 0, c]
        symmetric += 200 * abs(y - p) / (abs(y) + abs(p))
        symmetric2 += 200 / (abs(y) + abs(naive))
        if y != 0:
            percentages, nonzero = percentages + 100 * abs(y - p) / abs(y), nonzero + 1
    found = measured(truth, guess, scale)
    assert nonzero == count - 1
    assert found["rmsse"] == pytest.approx(math.sqrt(squared / count))
    assert found["mape"] == pytest.approx(percentages / nonzero)
    assert found["owa"] == pytest.approx((symmetric / symmetric2 + scaled / scaled2) / 2)


def test_percentages_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    truth, guess = random.normal(5, 1, 200), random.normal(5, 1, 200)
    assert measured(truth, guess)["mape"] == pytest.approx(100 * sk.mean_absolute_percentage_error(truth, guess))
    assert math.isnan(measured(np.zeros(3), np.ones(3))["mape"]), "of zero nothing is a percentage"


@pytest.mark.parametrize("season", [4, 7, 12])
def test_factors_are_those_of_classical_decomposition(season: int) -> None:
    steps = np.arange(10 * season + 3)
    noise = np.random.default_rng(0).standard_normal(len(steps))
    values = (20 + 0.1 * steps) * (1 + 0.3 * np.sin(2 * np.pi * steps / season)) + 0.2 * noise
    assert is_seasonal(values, season)
    own = seasonal_decompose(values, model="multiplicative", period=season).seasonal[:season]
    np.testing.assert_allclose(seasonal_factors(values, season), own, rtol=1e-10)


def test_a_season_that_is_chance_is_left_out() -> None:
    noise = 10 + np.random.default_rng(3).standard_normal(100)
    r = acf(noise, nlags=12, fft=False)[1:]
    assert is_seasonal(noise, 12) == (abs(r[11]) > 1.645 * math.sqrt((1 + 2 * (r[:11] ** 2).sum()) / 100))
    assert not is_seasonal(noise, 12) and (seasonal_factors(noise, 12) == 1).all()
    wave = np.sin(np.arange(60.0) * np.pi / 6)
    assert is_seasonal(wave, 12) and (seasonal_factors(wave, 12) == 1).all(), "no factors of what is not above zero"
    assert not is_seasonal(2 + wave[:30], 12) and not is_seasonal(np.ones(60), 12) and not is_seasonal(wave, 1)


def test_naive_2_by_loops() -> None:
    steps = np.arange(90)
    values = (20 + 0.1 * steps) * (1 + 0.3 * np.sin(2 * np.pi * steps / 6))
    values[[58, 59, 70]] = NAN
    track, origins = np.stack([values, np.full(90, NAN)], 1), np.array([0, 60, 63, 71])
    found, factors = naive2(track, 60, 6, origins, 8), seasonal_factors(values[:60], 6)
    for w, origin in enumerate(origins.tolist()):
        last = max((t for t in range(origin) if math.isfinite(values[t])), default=0)
        for h in range(8):
            assert found[w, h, 0] == pytest.approx(values[last] / factors[last % 6] * factors[(origin + h) % 6])
    assert (found[..., 1] == 0).all() and factors.std() > 0.1


def test_naive_square_by_hand() -> None:
    track = np.array([[1.0, 5.0], [4.0, 5.0], [2.0, 5.0], [NAN, 5.0], [2.0, 5.0]])
    np.testing.assert_allclose(naive_square(track, 1), [(9 + 4) / 2, NAN])
    np.testing.assert_allclose(naive_square(track, 2), [(1 + 0) / 2, NAN])


def test_naive_scale_by_hand() -> None:
    track = np.array([[1.0, 5.0], [4.0, NAN], [2.0, 5.0], [NAN, 8.0], [2.0, 1.0]])
    np.testing.assert_allclose(naive_scale(track, 1), [(3 + 2) / 2, (3 + 7) / 2])
    np.testing.assert_allclose(naive_scale(track, 2), [(1 + 0) / 2, (0 + 4) / 2])
    np.testing.assert_allclose(naive_scale(track, 5), naive_scale(track, 1), err_msg="shorter than a season")


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0, 3.0], [NAN, 2.0, NAN, 1.0]])
def test_naive_scale_of_nothing(values: list[float]) -> None:
    assert np.isnan(naive_scale(np.array(values).reshape(-1, 1), 1)).all()

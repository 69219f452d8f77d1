"""Measures of error by hand, and against scikit-learn."""

import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from recurra.compare.metric import ratio
from recurra.settings import make_config
from recurra.tasks.forecast.exam import Guess, Truth, statistics_of
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.metrics import forecast_metrics, naive_scale
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
    facts = Truth(truth, np.zeros(count, int), np.arange(count), scales, 2 * scales)
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
        "mase", "mae", "rmse", "smape", "scaled_mae", "scaled_mse",
    ]  # fmt: skip
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


def test_naive_scale_by_hand() -> None:
    track = np.array([[1.0, 5.0], [4.0, NAN], [2.0, 5.0], [NAN, 8.0], [2.0, 1.0]])
    np.testing.assert_allclose(naive_scale(track, 1), [(3 + 2) / 2, (3 + 7) / 2])
    np.testing.assert_allclose(naive_scale(track, 2), [(1 + 0) / 2, (0 + 4) / 2])
    np.testing.assert_allclose(naive_scale(track, 5), naive_scale(track, 1), err_msg="shorter than a season")


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0, 3.0], [NAN, 2.0, NAN, 1.0]])
def test_naive_scale_of_nothing(values: list[float]) -> None:
    assert np.isnan(naive_scale(np.array(values).reshape(-1, 1), 1)).all()

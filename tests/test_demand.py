"""Demand that is mostly zero: which series it is, the simple rules for its mean against loops, and what is forecast."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from recurra import Forecaster
from recurra.compare.significance import diebold_mariano
from recurra.settings import make_config
from recurra.tasks.forecast.answers import forecast
from recurra.tasks.forecast.combination import LINEAR, NETWORK
from recurra.tasks.forecast.demand import demand_class, intermittent_in, say_demand
from recurra.tasks.forecast.exam import Guess
from recurra.tasks.forecast.intermittent import croston, sba, tsb
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.metrics import ERRORS_OF, loss_per_origin
from recurra.tasks.forecast.ridge import mean_error, measured_as, root_mean_square
from recurra.tasks.forecast.scaling import Scaling, often_zero, unscale
from recurra.tasks.forecast.settings import PARTS

TINY: dict[str, Any] = {"horizon": 4, "hidden_size": 8, "max_epochs": 2, "epoch_steps": 4, "batch_size": 16}


def spare_parts(series: int = 3, steps: int = 120, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    asked = (random.random((series, steps)) < 0.25) * (1 + random.poisson(3, (series, steps)))
    days = pd.date_range("2024-01-01", periods=steps)
    return pd.concat([pd.DataFrame({"unique_id": f"part {n}", "ds": days, "y": y}) for n, y in enumerate(asked)])


def croston_by_loops(y: np.ndarray, alpha: float) -> float:
    size, interval, since, begun = 0.0, 1.0, 0, False
    for value in y.tolist():
        since += 1
        if value > 0 and not begun:
            size, interval, since, begun = value, float(since), 0, True
        elif value > 0:
            size += alpha * (value - size)
            interval += alpha * (since - interval)
            since = 0
    return size / interval


def tsb_by_loops(y: np.ndarray, alpha: float) -> float:
    size, begun, share = 0.0, False, sum(value > 0 for value in y.tolist()) / len(y)
    for value in y.tolist():
        share += alpha * ((1.0 if value > 0 else 0.0) - share)
        if value > 0:
            size = size + alpha * (value - size) if begun else value
            begun = True
    return size * share


@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_rules_against_loops(alpha: float) -> None:
    random = np.random.default_rng(0)
    demand = (random.random((20, 40)) < 0.3) * random.lognormal(1, 1, (20, 40))
    demand[0], demand[1, :] = 0.0, 2.0  # none at all, and always the same
    expected = np.array([croston_by_loops(y, alpha) for y in demand])
    np.testing.assert_allclose(croston(demand, alpha), expected)
    np.testing.assert_allclose(sba(demand, alpha), (1 - alpha / 2) * expected)
    np.testing.assert_allclose(tsb(demand, alpha), [tsb_by_loops(y, alpha) for y in demand])
    assert croston(demand, alpha)[0] == tsb(demand, alpha)[0] == 0 and croston(demand, alpha)[1] == 2


def test_only_tsb_forgets_what_is_no_longer_asked_for() -> None:
    y = np.array([[5.0, 0, 5, 0, 5, *[0] * 60]])
    assert croston(y, 0.1)[0] > 2 and tsb(y, 0.1)[0] < 0.05


@pytest.mark.parametrize(
    ("y", "found"),
    [
        ([4, 5, 4, 5] * 10, "smooth"),
        ([1, 9, 1, 40] * 10, "erratic"),
        ([4, 0, 0, 5, 0] * 10, "intermittent"),
        ([1, 0, 0, 40, 0] * 10, "lumpy"),
        ([4, -1, 0, 0, 0] * 10, ""),  # no demand is negative
        ([0] * 30 + [1], ""),  # of one nothing can be told
        ([4, 5, 4, np.nan, np.nan] * 10, "smooth"),  # what is not known is not zero
        ([3, 3, 3, 0] * 10, "intermittent"),  # 4 / 3 is above 1.32
        ([3, 3, 3, 3, 0] * 10, "smooth"),
    ],
)
def test_classes(y: list[float], found: str) -> None:
    assert demand_class(np.array(y, float)) == found


def test_nights_without_sun_are_no_demand() -> None:
    """Half of all hours are zero, by the season."""
    random = np.random.default_rng(0)
    sun = np.maximum(np.sin(np.arange(480) / 24 * 2 * np.pi), 0.0) * (1 + 0.1 * random.normal(size=480))
    assert demand_class(sun) and not demand_class(sun, season=24)
    rare = (random.random(480) < 0.3) * 1.0
    assert demand_class(rare, season=24) == "intermittent"


def test_half_of_the_series_decide_and_are_said() -> None:
    rare, usual = np.array([[4.0, 0, 0, 5] * 10]).T, np.array([[4.0, 5, 6, 5] * 10]).T
    assert intermittent_in([rare, usual, rare], [40, 40, 40], 1) == [True, False, True]
    assert intermittent_in([rare], [1], 1) == [False]  # only what is before the end
    settings = make_config(PARTS, {"horizon": 3}).task
    assert say_demand([True, False, False], settings) == []
    assert say_demand([True], settings)[0].startswith("the series is demand that is mostly zero, so the mean")
    assert say_demand([True, False], settings)[0].startswith("1 of 2 series are")
    careful = say_demand([True], make_config(PARTS, {"horizon": 3, "loss": "absolute"}).task)
    assert careful[0].startswith("careful: ") and "loss='squared'" in careful[0]


def test_what_is_often_zero_and_never_negative_stays_so() -> None:
    rain = np.array([0.0, 0.0, 1.5, 0.0, 2.25] * 10)
    values = np.stack([rain, rain - 1.5, rain + 1], 1)
    assert often_zero(values).tolist() == [True, False, False]
    assert Scaling.of([values], [50]).floor.tolist() == [[0, -np.inf, -np.inf]]


def test_means_are_chosen_by_the_squared_error() -> None:
    said, truth = np.array([[0.0, 1.0, 3.0]]), np.array([[0.0, np.nan, 1.0]])
    assert root_mean_square(said, truth) == pytest.approx(np.sqrt(2)) and mean_error(said, truth) == 1
    assert measured_as("squared") is root_mean_square and measured_as("quantile") is mean_error
    assert measured_as("quantile", sparse=True) is root_mean_square
    assert measured_as("absolute", sparse=True) is mean_error


def test_the_mean_is_forecast_with_intervals_that_begin_at_zero(tmp_path: Any) -> None:
    frame = spare_parts()
    made = Forecaster(**TINY).fit(frame)
    assert any("3 of 3 series are demand that is mostly zero, so the mean" in note for note in made.notes_)
    assert dict(made.fitted_.learned.mix) == {NETWORK: 0.0, LINEAR: 1.0}
    answer = made.predict()
    mean = frame["y"].mean()
    assert 0.5 * mean < answer["yhat"].mean() < 1.6 * mean  # the median of most days is zero
    assert (answer.select_dtypes("number") >= 0).all(axis=None)
    assert (answer["yhat-lo-80"] == 0).all() and (answer["yhat-hi-90"] % 1 == 0).all()
    together, network = forecast(made.fitted_).guess, forecast(made.fitted_, model="network").guess
    np.testing.assert_array_equal(together.bands[90][1], np.ceil(network.bands[90][1]))  # they stay where they are
    made.save(tmp_path / "run")
    pd.testing.assert_frame_equal(Forecaster.load(tmp_path / "run").predict(), answer)


def test_a_usual_series_has_no_such_rows() -> None:
    frame = spare_parts(1).assign(y=lambda table: 5 + np.sin(np.arange(len(table))))
    made = Forecaster(**TINY).fit(frame)
    assert not made.fitted_.learned.layout.sparse and made.fitted_.learned.mix[NETWORK] > 0


def test_a_mean_is_ranked_by_squared_errors() -> None:
    """Zero for ever has the lowest MASE of all; by RMSSE, which ranks demand, the mean is better."""
    demand = spare_parts()
    config = make_config(PARTS, {**TINY, "target": "y", "id": "unique_id", "time": "ds"})
    prepared = KIND.prepare(KIND.read(demand, config), config, 20)
    metrics = KIND.metrics(prepared.config)
    assert prepared.config.task.rank == metrics[0].name == "rmsse" and metrics[0].shown
    exam = KIND.exam(prepared.data, prepared.learned, prepared.plan.test)
    means = prepared.learned.scaling.mean[exam.truth.series][:, None]
    zero, mean = (Guess(np.broadcast_to(one, exam.truth.values.shape), {}) for one in (0.0, means))
    zeros, said = (KIND.statistics(exam.truth, one) for one in (zero, mean))
    found = {metric.name: metric.of(zeros) - metric.of(said) for metric in metrics if metric.name in ("mase", "rmsse")}
    assert found["mase"] < 0 < found["rmsse"]
    # The test of chance goes by the same errors: of these two, absolute ones say the opposite of squared ones.
    for metric in (one for one in metrics if one.name in found):
        by = ERRORS_OF.get(metric.name, "scaled")
        first, second = (loss_per_origin(one, by) for one in (zeros, said))
        assert np.sign((first - second).mean()) == np.sign(found[metric.name])
        expected = diebold_mariano(first, second, exam.truth.overlap)
        assert KIND.chance(exam, [zeros], [said], metric) == expected
    given = make_config(PARTS, {**TINY, "rank": "mae"})
    assert KIND.metrics(given)[0].name == "mae"
    assert KIND.metrics(make_config(PARTS, TINY))[0].name == "mase"


def test_zero_comes_back_as_zero() -> None:
    """What is standardised in single precision and brought back differs from zero by rounding, which is no demand."""
    random = np.random.default_rng(0)
    demand = (random.random((40, 50, 1)) < 0.2) * (1.0 + random.poisson(3, (40, 50, 1)))
    scaling = Scaling.of(list(demand), [50] * 40)
    single = scaling.into(demand).astype(np.float32)
    again = unscale(single.astype(float), scaling, np.arange(40))
    np.testing.assert_array_equal(again == 0, demand == 0)
    np.testing.assert_allclose(again, demand, rtol=1e-5)

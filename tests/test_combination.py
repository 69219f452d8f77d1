"""What answers together: the weights, the common forecast, its intervals, and every row by itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import networks
from recurra import ConfigError, Forecaster
from recurra.tasks.base import Fitted
from recurra.tasks.forecast.answers import answer_to, forecast, network_answer, plain_answer
from recurra.tasks.forecast.combination import FEW, combined, weigh
from recurra.tasks.forecast.exam import Guess
from recurra.tasks.forecast.intervals import calibrated, flattery, with_spread
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.session import Session

TINY: dict[str, Any] = networks.TINY | {"last_epochs": 0, "max_epochs": 3}


def frame(count: int = 300, gaps: bool = False, series: int = 1) -> pd.DataFrame:
    draw = np.random.default_rng(5)
    tables = []
    for n in range(series):
        values = 20 + np.sin(np.arange(count) * 2 * np.pi / 7) + np.arange(count) / 50 + draw.normal(size=count)
        if gaps:
            values[draw.choice(count, 30, replace=False)] = np.nan
        days = pd.date_range("2024-01-01", periods=count)
        tables.append(pd.DataFrame({"unique_id": f"s{n}", "ds": days, "y": values}))
    return pd.concat(tables)


def trained(table: pd.DataFrame, **settings: Any) -> Fitted:
    return Forecaster(**TINY | settings).fit(table).fitted_


def test_weights_are_inverse_fourth_powers() -> None:
    found = weigh({"network": 1.0, "linear": 2.0}, 100)
    assert found == pytest.approx({"network": 16 / 17, "linear": 1 / 17})
    assert weigh({"a": 0.3, "b": 0.3, "c": 0.3}, 100) == pytest.approx(dict.fromkeys("abc", 1 / 3))
    assert sum(weigh({"a": 1e-300, "b": 5.0, "c": 1e300}, 100).values()) == pytest.approx(1)


def test_few_steps_say_nothing() -> None:
    assert weigh({"network": 1.0, "linear": 2.0}, FEW - 1) == {"network": 0.5, "linear": 0.5}
    assert weigh({"network": 1.0, "linear": 2.0}, FEW)["network"] > 0.9


def test_what_misses_nothing_does_not_divide_by_zero() -> None:
    assert sum(weigh({"network": 0.0, "linear": 2.0}, 100).values()) == pytest.approx(1)
    assert weigh({"network": 0.0, "linear": 0.0}, 100) == {"network": 0.5, "linear": 0.5}


def test_intervals_move_with_the_point() -> None:
    point, other = np.array([[[1.0], [2.0]]]), np.array([[[3.0], [0.0]]])
    network = Guess(point, {80: (point - 1, point + 2)})
    found = combined(network, {"linear": Guess(other, {})}, {"network": 0.75, "linear": 0.25})
    np.testing.assert_allclose(found.point[0, :, 0], [1.5, 1.5])
    np.testing.assert_allclose(found.bands[80][0][0, :, 0], [0.5, 0.5])
    np.testing.assert_allclose(found.bands[80][1][0, :, 0], [3.5, 3.5])
    assert combined(network, {}, {}) is network


def test_ends_of_intervals_are_weighted_as_points_are() -> None:
    point, other = np.array([[[1.0], [2.0]]]), np.array([[[3.0], [0.0]]])
    network = Guess(point, {80: (point - 1, point + 2), 90: (point - 3, point + 3)})
    linear = Guess(other, {80: (other - 5, other + 1), 90: (other - 6, other + 2)})
    found = combined(network, {"linear": linear}, {"network": 0.75, "linear": 0.25})
    for level in (80, 90):
        for own, first, second in zip(found.bands[level], network.bands[level], linear.bands[level], strict=True):
            np.testing.assert_allclose(own, 0.75 * first + 0.25 * second)
    still = combined(network, {"linear": linear}, {"network": 0.0, "linear": 1.0}, still=True)
    np.testing.assert_array_equal(still.point, other)
    assert still.bands is network.bands


@pytest.mark.parametrize("gaps", [False, True])
def test_the_answer_is_the_weighted_mean(gaps: bool) -> None:
    table = frame(gaps=gaps, series=2)
    fitted = trained(table)
    mix = fitted.learned.mix
    whole, network, linear = (forecast(fitted, model=name).guess.point for name in (None, "network", "linear"))
    assert set(mix) == {"network", "linear"} and 0.01 < mix["linear"] < 0.99
    np.testing.assert_allclose(whole, mix["network"] * network + mix["linear"] * linear)
    bare = trained(table, combine=False)
    assert bare.learned.mix == {}
    np.testing.assert_allclose(forecast(bare).guess.point, network)  # it is trained as by itself


def test_the_weights_come_from_the_validation_windows() -> None:
    table = frame()
    config = Forecaster(**TINY)._config()
    session = Session(KIND.prepare(KIND.read(table, config), config, 0))
    for _ in session.epochs():
        pass
    fitted, valid = session.fitted, session.prepared.valid
    exam = KIND.exam(session.prepared.data, session.prepared.learned, session.prepared.plan.valid)
    network = network_answer(fitted, valid)  # type: ignore[arg-type]
    linear = fitted.baselines["linear"].said * exam.examples.rows.scaling.std + exam.examples.rows.scaling.mean  # type: ignore[attr-defined]
    errors = {name: np.abs(said - exam.truth.values).mean() for name, said in {"n": network.point, "l": linear}.items()}
    expected = errors["n"] ** -4 / (errors["n"] ** -4 + errors["l"] ** -4)
    assert fitted.learned.mix["network"] == pytest.approx(expected, rel=1e-4)
    said = fitted.record.answer
    assert said.startswith("The answer is ") and f"by their errors in {len(valid)} validation forecasts." in said


def test_where_the_last_value_is_better_it_answers_for_the_linear_model(tmp_path: Path) -> None:
    """A random walk that is short: what a regression makes of its past is noise."""
    walk = np.random.default_rng(4).normal(size=140).cumsum() + 100
    table = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=140), "y": walk})
    forecaster = Forecaster(**TINY | {"season": 1, "lookback": 60, "validation_size": 30}).fit(table)
    fitted = forecaster.fitted_
    mix = fitted.learned.mix
    assert set(mix) == {"network", "repeat last"} and sum(mix.values()) == pytest.approx(1)
    assert " last value, by their errors in " in fitted.record.answer
    network = forecast(fitted, model="network").guess.point
    expected = mix["network"] * network + mix["repeat last"] * walk[-1]
    np.testing.assert_allclose(forecast(fitted).guess.point, expected, rtol=1e-6)
    again = Forecaster.load(forecaster.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(again.predict(), forecaster.predict())


def test_intervals_of_the_answer_hold_what_they_say_on_the_validation_rows() -> None:
    table = frame()
    fitted = trained(table)
    config = fitted.config
    prepared = KIND.prepare(KIND.read(table, config), config, 0)
    exam = KIND.exam(prepared.data, prepared.learned, prepared.plan.valid)
    scaling = prepared.train.rows.scaling  # type: ignore[attr-defined]
    # The linear model has seen these rows by now: what counts is what it said before.
    before = fitted.baselines["linear"].said * scaling.std + scaling.mean  # type: ignore[attr-defined]
    spread, network = fitted.learned.spread, fitted.network
    linear = with_spread(Guess(before, {}), spread, network, prepared.valid)  # type: ignore[arg-type]
    both = combined(plain_answer(fitted, prepared.valid), {"linear": linear}, fitted.learned.mix)  # type: ignore[arg-type]
    said = calibrated(both, network, prepared.valid)  # type: ignore[arg-type]
    for level, (low, high) in said.bands.items():
        # What was missed there counts for more, as these windows have chosen the model.
        truth = said.point + flattery(prepared.valid) * (exam.truth.values - said.point)  # type: ignore[arg-type]
        inside = ((truth >= low) & (truth <= high)).mean()
        assert inside == pytest.approx(level / 100 * (1 + 1 / len(prepared.valid)), abs=0.02)


def test_one_forecast_and_many_are_the_same() -> None:
    table = frame(series=3)
    forecaster = Forecaster(**TINY).fit(table)
    whole = forecaster.predict()
    for name, group in table.groupby("unique_id"):
        alone = forecaster.predict(df=group)
        same = whole[whole["unique_id"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, same, rtol=1e-5)


def test_a_backtest_and_a_forecast_agree() -> None:
    table = frame()
    fitted = trained(table)
    panel = KIND.read(table.iloc[:-4], fitted.config, fitted.learned)
    whole = KIND.read(table, fitted.config, fitted.learned)
    part = KIND.prepare(whole, fitted.config, 4).plan.test
    exam = KIND.exam(whole, fitted.learned, part)
    np.testing.assert_allclose(answer_to(fitted, exam.examples).point[-1], forecast(fitted, panel).guess.point[0])  # type: ignore[arg-type]


def test_rows_of_the_table_answer_by_name(tmp_path: Path) -> None:
    forecaster = Forecaster(**TINY).fit(frame())
    forecaster.save(tmp_path / "run")
    fitted = Forecaster.load(tmp_path / "run").fitted_
    last = forecast(fitted, model="repeat_last").guess
    assert np.ptp(last.point) == 0 and last.bands == {}
    season = forecast(fitted, model="seasonal_naive").guess.point[0, :, 0]
    np.testing.assert_allclose(season, frame()["y"].to_numpy()[-7:-3], rtol=1e-5)
    for name in ("network", "linear", "seasonal_naive_drift"):
        ours, theirs = (forecast(one, model=name).guess.point for one in (forecaster.fitted_, fitted))
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(
        ConfigError, match=r"Unknown model 'linaer'\. Did you mean 'linear'\? Choose one of: linear, network, "
    ):
        forecast(fitted, model="linaer")


def test_a_kept_run_answers_the_same(tmp_path: Path) -> None:
    forecaster = Forecaster(**TINY).fit(frame(gaps=True))
    forecaster.save(tmp_path / "run")
    again = Forecaster.load(tmp_path / "run")
    assert again.fitted_.learned.mix == forecaster.fitted_.learned.mix
    pd.testing.assert_frame_equal(again.predict(), forecaster.predict(), check_exact=True)

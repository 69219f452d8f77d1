"""Exponential smoothing and Theta against statsmodels, and what is chosen for which series."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.seasonal import seasonal_decompose

from recurra import Forecaster
from recurra.tasks.forecast.answers import answer_of
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.past import Past
from recurra.tasks.forecast.smoothing import (
    NOTHING,
    WHOLE,
    ExponentialSmoothing,
    Smoother,
    Smoothing,
    State,
    Theta,
    candidates,
    first_state,
    seasonal_part,
)

H = 9


def series(count: int = 60, period: int = 4, trend: float = 0.1, noise: float = 0.3, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    steps = np.arange(count)
    return 10 + trend * steps + np.sin(2 * np.pi * steps / period) + noise * draw.normal(size=count)


def past(values: np.ndarray) -> Past:
    rows = np.atleast_2d(values)
    return Past(rows, np.zeros((len(rows), 1)), np.ones((len(rows), 1)), np.zeros((len(rows), 0)))


# Against statsmodels


@pytest.mark.parametrize("period", [1, 4, 7])
@pytest.mark.parametrize("trend", [False, True])
def test_states_and_forecasts_are_those_of_statsmodels(trend: bool, period: int) -> None:
    y = series(period=max(2, period))
    alpha, beta, gamma, phi = 0.4, 0.15 if trend else 0.0, 0.2 if period > 1 else 0.0, 0.9 if trend else 1.0
    season = np.linspace(-1, 1, period) if period > 1 else np.zeros(1)
    known: dict[str, Any] = {"initialization_method": "known", "initial_level": 9.0}
    parameters = {"smoothing_level": alpha}
    if trend:
        known |= {"trend": "add", "damped_trend": True, "initial_trend": 0.3}
        parameters |= {"smoothing_trend": beta, "damping_trend": phi}
    if period > 1:
        known |= {"seasonal": "add", "seasonal_periods": period, "initial_seasonal": season}
        parameters["smoothing_seasonal"] = gamma
    theirs = ETSModel(y, error="add", **known)
    order = [parameters.get(name, 0.0) for name in theirs.param_names if not name.startswith("initial")]
    values = [
        *order,
        *(value for name, value in zip(theirs.param_names, theirs.start_params, strict=True) if "initial" in name),
    ]
    expected = theirs.smooth(np.array(values)).forecast(H)
    own = Smoothing(*np.array([[alpha], [beta], [gamma], [phi]]))
    start = State(np.full((1, 1), 9.0), np.full((1, 1), 0.3 if trend else 0.0), season[:, None, None])
    said = own.ahead(own.run(y[None], start), H)[0, 0]
    np.testing.assert_allclose(said, expected, rtol=1e-10)


@pytest.mark.parametrize("period", [1, 4, 7])
def test_theta_is_that_of_statsmodels(period: int) -> None:
    y = series(400, max(2, period))
    theirs = ThetaModel(y, period=period if period > 1 else None, deseasonalize=period > 1, method="additive").fit()
    own = Theta(period)
    own.form, own.alpha = NOTHING, float(theirs.params["alpha"])
    np.testing.assert_allclose(own.say(past(y), H)[0], theirs.forecast(H).to_numpy(), rtol=1e-4)


@pytest.mark.parametrize("period", [2, 5, 12])
def test_the_season_is_that_of_a_decomposition(period: int) -> None:
    y = series(5 * period + 3, period)
    theirs = seasonal_decompose(y, period=period).seasonal[:period]
    np.testing.assert_allclose(seasonal_part(y[None], period)[0], theirs, atol=1e-12)


# The first state


@pytest.mark.parametrize("period", [1, 4])
def test_a_straight_line_with_a_season_is_forecast_without_error(period: int) -> None:
    steps = np.arange(40 + H)
    y = 3 + 0.5 * steps + (np.tile([1.0, -2, 0.5, 0.5], 20)[: 40 + H] if period > 1 else 0)
    start = first_state(y[None, :40], period, np.ones(1), np.ones(1))
    own = Smoothing(*np.array([[0.3], [0.1], [0.2], [1.0]]))
    np.testing.assert_allclose(own.ahead(own.run(y[None, :40], start), H)[0, 0], y[40:], atol=1e-9)


@pytest.mark.parametrize("model", [ExponentialSmoothing(4), Theta(4)])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 40])
def test_a_short_past_is_enough(model: Smoother, count: int) -> None:
    rows = np.stack([series(count, seed=seed) for seed in range(3)])
    model.take(past(rows), rows[:, :1] + np.zeros((3, H)), [NOTHING, WHOLE])
    said = model.say(past(rows), H)
    assert said.shape == (3, H) and np.isfinite(said).all()


# What is chosen


def found(values: np.ndarray, period: int) -> ExponentialSmoothing:
    rows = np.lib.stride_tricks.sliding_window_view(values, 40 + H)
    model = ExponentialSmoothing(period)
    model.take(past(rows[:, :40]), rows[:, 40:], [NOTHING, WHOLE])
    return model


def test_a_season_that_grows_with_the_level_is_found() -> None:
    steps = np.arange(120)
    values = np.exp(0.03 * steps + 0.3 * np.sin(2 * np.pi * steps / 4)) + 1
    fitted = found(values, 4).fitted
    assert (fitted.form.log, fitted.season, fitted.trend) == (True, True, True)


def test_noise_around_a_level_has_neither_trend_nor_season() -> None:
    fitted = found(10 + np.random.default_rng(0).normal(size=300), 4).fitted
    assert not fitted.trend and not fitted.season and fitted.parameters.alpha[0] <= 0.1


def test_a_random_walk_is_followed() -> None:
    fitted = found(100 + np.random.default_rng(1).normal(size=400).cumsum(), 1).fitted
    assert fitted.parameters.alpha[0] >= 0.6


def test_parts_that_are_left_out_are_zero() -> None:
    for trend in (False, True):
        for season in (False, True):
            tried = candidates(trend, season)
            assert (tried.beta > 0).all() == trend == (tried.phi < 1).any()
            assert (tried.gamma > 0).all() == season


# In a forecaster


def table(count: int = 240) -> pd.DataFrame:
    return pd.DataFrame({"ds": pd.date_range("2005", periods=count, freq="MS"), "y": series(count, 12, 0.2)})


def test_they_are_rows_that_answer_and_are_kept(tmp_path: Any) -> None:
    made = Forecaster(horizon=H, hidden_size=4, max_epochs=1, epoch_steps=2).fit(table())
    prepared = KIND.prepare(KIND.read(table(), made.fitted_.config), made.fitted_.config, 30)
    for name in ("ets", "theta"):
        model = KIND.baselines(prepared.config, prepared.learned)[name]
        model.fit(prepared)
        made.fitted_.baselines[name] = model
    again = Forecaster.load(made.save(tmp_path / "run"))
    exam = KIND.exam(prepared.data, prepared.learned, prepared.plan.test)
    for name in ("ets", "theta"):
        here, there = (answer_of(one.fitted_, exam.examples, name).point for one in (made, again))
        assert np.array_equal(here, there)
        naive = np.abs(answer_of(made.fitted_, exam.examples, "repeat_last").point - exam.truth.values).mean()
        assert np.abs(here - exam.truth.values).mean() < 0.8 * naive, name


def test_they_answer_with_gaps_and_several_series() -> None:
    wide = pd.concat([table().assign(unique_id=name) for name in "ab"]).reset_index(drop=True)
    wide.loc[wide.index % 7 == 3, "y"] = np.nan
    made = Forecaster(horizon=H, hidden_size=4, max_epochs=1, epoch_steps=2)
    prepared = KIND.prepare(KIND.read(wide, made._config()), made._config(), 30)
    exam = KIND.exam(prepared.data, prepared.learned, prepared.plan.test)
    for name in ("ets", "theta"):
        model = KIND.baselines(prepared.config, prepared.learned)[name]
        model.fit(prepared)
        said = model.answer(exam.examples).point
        assert said.shape == exam.truth.values.shape and np.isfinite(said).all()
        assert np.nanmean(np.abs(said - exam.truth.values)) < 1.5

"""Logarithms for series that swing more where they are larger: when they are taken, and what comes of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import networks
from recurra import ConfigError, Forecaster
from recurra.tasks.forecast.logarithm import swings_with_level
from recurra.tasks.forecast.placing import from_log, to_log
from recurra.tasks.forecast.scaling import Scaling, seasonal_means

TINY: dict[str, Any] = networks.TINY | {"max_epochs": 2, "combine": False}


def wave(growing: bool, count: int = 240) -> np.ndarray:
    draw = np.random.default_rng(2)
    level = 10 * np.exp(np.arange(count) / 100)
    swing = 0.2 * np.sin(np.arange(count) * 2 * np.pi / 12) + 0.02 * draw.normal(size=count)
    return level * (1 + swing) if growing else level + 5 * swing


def table(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=len(values)), "y": values})


def test_they_are_taken_where_swings_grow_with_the_level() -> None:
    growing, steady = wave(True)[:, None], wave(False)[:, None]
    assert swings_with_level([growing], [240], 12)
    assert not swings_with_level([steady], [240], 12)
    assert not swings_with_level([growing - 9.5], [240], 12)  # all must be above zero
    assert not swings_with_level([growing], [60], 12)  # too few to tell
    assert swings_with_level([growing, growing, steady], [240] * 3, 12)  # most series decide
    assert not swings_with_level([np.full((240, 1), 3.0)], [240], 12)
    assert not swings_with_level([np.full((240, 1), np.nan)], [240], 12)
    gaps = growing.copy()
    gaps[::9] = np.nan
    assert swings_with_level([gaps], [240], 12)


def test_only_training_rows_decide() -> None:
    values = np.concatenate([wave(True), -wave(True)])[:, None]
    assert swings_with_level([values], [240], 12) and not swings_with_level([values], [480], 12)


def test_logarithms_and_back() -> None:
    z, ratio = torch.linspace(-1, 4, 50, dtype=torch.float64), torch.tensor(0.6, dtype=torch.float64)
    torch.testing.assert_close(from_log(to_log(z, ratio), ratio), z)
    mean, std = 50.0, 30.0  # as the docstring has it: of the raw values, in units of the mean
    raw = z.numpy() * std + mean
    np.testing.assert_allclose(to_log(z, ratio).numpy(), np.log(raw / mean) / 0.6)
    tiny = torch.tensor(1e-3, dtype=torch.float64)
    torch.testing.assert_close(to_log(z, tiny), z, rtol=0, atol=0.01)


def test_what_has_no_logarithm_stays_finite() -> None:
    z = torch.tensor([-1e6, -3.0, 0.0, 1e6])
    for ratio in (1e-3, 1.0, 10.0):
        log = to_log(z, torch.tensor(ratio))
        assert torch.isfinite(log).all() and torch.isfinite(from_log(1e9 * log, torch.tensor(ratio))).all()


def test_ratios_are_deviation_over_mean_and_bounded() -> None:
    scaling = Scaling.plain(np.array([[10.0], [0.0], [-5.0], [1e-9]]), np.array([[5.0], [1.0], [1.0], [1.0]]))
    np.testing.assert_allclose(scaling.ratios()[:, 0], [0.5, 1e-3, 1e-3, 10.0])


def test_a_measured_cycle_is_one_of_logarithms() -> None:
    track = wave(True)[:, None]
    scaling = Scaling.of([track], [240])
    found = seasonal_means([track], [240], scaling, 12, log=True)[0, :, 0]
    ratio = float(scaling.ratios()[0, 0])
    logs = pd.Series(np.log(track[:, 0] / scaling.mean[0, 0]) / ratio)
    rest = logs - logs.rolling(12, center=True, min_periods=6).mean()
    expected = rest.groupby(np.arange(240) % 12).mean()
    np.testing.assert_allclose(found, expected - expected.mean(), atol=1e-5)


def test_a_forecaster_says_so_and_gives_the_same_again(tmp_path: Path) -> None:
    forecaster = Forecaster(**TINY).fit(table(wave(True)))
    assert forecaster.fitted_.learned.layout.log and "logarithms" in forecaster.notes_[-1]
    forecaster.save(tmp_path / "run")
    again = Forecaster.load(tmp_path / "run").predict()
    pd.testing.assert_frame_equal(again, forecaster.predict(), check_exact=True)
    assert (again.drop(columns=["unique_id", "ds"]) > 0).all(axis=None), "no logarithm is of something below zero"
    assert not Forecaster(**TINY).fit(table(wave(False))).fitted_.learned.layout.log


def test_a_thousandfold_series_gives_a_thousandfold_forecast() -> None:
    one, other = (Forecaster(**TINY).fit(table(factor * wave(True))).predict() for factor in (1, 1000))
    np.testing.assert_allclose(other["yhat"], 1000 * one["yhat"], rtol=1e-4)


def test_a_new_series_below_zero_is_forecast_all_the_same() -> None:
    forecaster = Forecaster(**TINY).fit(table(wave(True)))
    strange = table(np.sin(np.arange(40.0)) - 3)
    assert np.isfinite(forecaster.predict(df=strange).drop(columns=["unique_id", "ds"]).to_numpy()).all()


def test_asked_for_where_there_are_none() -> None:
    with pytest.raises(ConfigError, match="log=True needs values above zero in all training rows"):
        Forecaster(**TINY, log=True).fit(table(wave(True) - 20))
    assert Forecaster(**TINY, log=True).fit(table(wave(False))).fitted_.learned.layout.log
    assert not Forecaster(**TINY, log=False).fit(table(wave(True))).fitted_.learned.layout.log


def test_a_network_that_says_nothing_repeats_the_last_value() -> None:
    forecaster = Forecaster(**TINY, cycle=False, lags=False).fit(table(wave(True)))
    network = forecaster.network_
    assert forecaster.fitted_.learned.layout.log
    with torch.no_grad():
        for parameter in network.get_submodule("core.out").parameters():
            parameter.zero_()
    np.testing.assert_allclose(forecaster.predict()["yhat"], wave(True)[-1], rtol=1e-5)

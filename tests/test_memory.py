"""What a run remembers: two seasons, also where the network reads less, for the simple forecasts that need them.

Shapes: T steps, M memory, L look-back, H horizon.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from recurra import Forecaster
from recurra.tasks.forecast.answers import answer_of, answer_to, forecast
from recurra.tasks.forecast.baselines import make_baselines, naive_forecasts
from recurra.tasks.forecast.combination import SCARCE, Member, said_of, scarcity
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.past import before, reading
from recurra.tasks.forecast.plan import Part
from recurra.tasks.forecast.scaling import Scaling
from recurra.tasks.forecast.smoothing import Smoother
from recurra.tasks.forecast.windows import Rows
from recurra.tasks.pages import warnings

SEASON, HORIZON, LOOKBACK, ROWS = 12, 6, 5, 60
TINY: dict[str, Any] = {
    "horizon": HORIZON,
    "lookback": LOOKBACK,
    "season": SEASON,
    "hidden_size": 4,
    "max_epochs": 2,
    "epoch_steps": 3,
    "last_epochs": 0,
}
NAIVE, DRIFT = "seasonal_naive", "seasonal_naive_drift"


def months(rows: int = ROWS, noise: float = 1.0, trend: float = 2.0, seed: int = 0) -> pd.DataFrame:
    """Return a season on a straight line, with a column that is known ahead and one of which the past is."""
    steps, draw = np.arange(rows), np.random.default_rng(seed)
    values = 300 + trend * steps + 40 * np.sin(2 * np.pi * steps / SEASON) + noise * draw.normal(size=rows)
    stamps = pd.date_range("2019-01-01", periods=rows, freq="MS")
    return pd.DataFrame({"ds": stamps, "y": values, "price": draw.normal(size=rows), "rain": draw.normal(size=rows)})


def said(forecaster: Forecaster, model: str | None, table: pd.DataFrame | None = None, steps: int = HORIZON) -> Any:
    """Return the points of one series by a row of the table, or by all that answers."""
    fitted = forecaster.fitted_
    panel = None if table is None else KIND.read(table, fitted.config, fitted.learned)
    return forecast(fitted, panel, steps, model).guess.point[0, :, 0]


def add(forecaster: Forecaster, name: str) -> None:
    """Fit one more row of the table, and take it as from a saved run."""
    row, again = (make_baselines(SEASON)[name] for _ in range(2))
    row.fit(forecaster._session.prepared)  # type: ignore[union-attr]
    again.from_arrays(row.to_arrays())
    assert isinstance(again, Smoother) and again.reach == 2 * SEASON
    forecaster.fitted_.baselines[name] = again


def plain(rows: int = ROWS, **drawn: Any) -> pd.DataFrame:
    return months(rows, **drawn)[["ds", "y"]]


def test_two_seasons_are_remembered_where_less_is_read() -> None:
    learned = Forecaster(**TINY).fit(plain()).fitted_.learned
    assert (learned.layout.lookback, learned.memory) == (LOOKBACK, 2 * SEASON)
    np.testing.assert_array_equal(learned.context[0, :, 0], plain()["y"][-2 * SEASON :])
    longer = Forecaster(**TINY | {"lookback": 30}).fit(plain()).fitted_.learned
    assert longer.memory == longer.layout.lookback == 30
    short = Forecaster(**TINY | {"season": 52}).fit(plain()).fitted_.learned
    assert short.memory == ROWS  # there is no more


def test_a_saved_run_repeats_the_season(tmp_path: Path) -> None:
    table = plain()
    forecaster = Forecaster(**TINY).fit(table)
    again, values = Forecaster.load(forecaster.save(tmp_path / "run")), table["y"].to_numpy()
    drift = values[-SEASON:].mean() - values[-2 * SEASON : -SEASON].mean()
    for known in (None, table):
        naive, moved = (said(again, name, known) for name in (NAIVE, DRIFT))
        np.testing.assert_allclose(naive, values[-SEASON:][:HORIZON], rtol=1e-5)
        np.testing.assert_allclose(moved, values[-SEASON:][:HORIZON] + drift, rtol=1e-5)


@pytest.mark.parametrize("columns", [{}, {"known": "price", "past": "rain"}], ids=["alone", "columns"])
@pytest.mark.parametrize("model", [None, "network", "linear", NAIVE, DRIFT, "ets", "theta"])
def test_from_what_is_remembered_as_from_the_rows(model: str | None, columns: dict[str, str]) -> None:
    """What a run remembers, a table of all rows, and the windows of a backtest say the same."""
    table = months(ROWS + HORIZON)
    table.loc[ROWS:, ["y", "rain"]] = np.nan
    table = table if columns else table[["ds", "y"]][:ROWS]
    forecaster = Forecaster(**TINY, target="y", **columns).fit(table)
    if model in ("ets", "theta"):
        add(forecaster, model)
    remembered = said(forecaster, model)
    np.testing.assert_array_equal(remembered, said(forecaster, model, table))
    fitted, after = forecaster.fitted_, months(ROWS + HORIZON) if columns else plain(ROWS + HORIZON)
    panel = KIND.read(after, fitted.config, fitted.learned)
    windows = KIND.encode(panel, fitted.learned, Part((np.array([ROWS]),)))
    guess = answer_to(fitted, windows) if model is None else answer_of(fitted, windows, model)
    np.testing.assert_allclose(guess.point[0, :, 0], remembered, rtol=1e-5)


@pytest.mark.parametrize("model", [NAIVE, DRIFT])
def test_what_is_fed_back_becomes_the_last_season(model: str) -> None:
    table = plain(noise=0, trend=0)
    forecaster = Forecaster(**TINY | {"loss": "absolute"}).fit(table)
    ahead = 3 * SEASON + 1
    expected = plain(ROWS + ahead, noise=0, trend=0)["y"][ROWS:]
    np.testing.assert_allclose(said(forecaster, model, steps=ahead), expected, rtol=1e-4)


def test_a_stream_remembers_as_much() -> None:
    table = plain(ROWS + 9, noise=0.1)
    forecaster = Forecaster(**TINY).fit(table[:ROWS])
    assert "seasonal naive + drift" in forecaster.fitted_.learned.mix
    stream = forecaster.stream()
    for row in table[ROWS:].itertuples():
        stream.update(row.y)
    pd.testing.assert_frame_equal(stream.predict(), forecaster.predict(table), check_exact=True)
    state = forecaster.stream(state=stream.state())
    pd.testing.assert_frame_equal(state.predict(), stream.predict(), check_exact=True)


def test_a_run_of_before_remembers_its_look_back() -> None:
    """It was written when a run kept no more than the network reads."""
    forecaster = Forecaster(**TINY, combine=False).fit(plain())
    fitted, expected = forecaster.fitted_, forecaster.predict()
    kept = fitted.learned.context[:, -LOOKBACK:]
    plain_parts, arrays = fitted.learned.to_plain()
    fitted.learned = KIND.recall(plain_parts, arrays | {"context": kept})
    assert fitted.learned.memory == LOOKBACK
    pd.testing.assert_frame_equal(forecaster.predict(), expected)
    pd.testing.assert_frame_equal(forecaster.predict(plain()), expected)


def test_three_years_of_months_are_answered_by_their_season() -> None:
    """A year after them: what was learned from few windows is no better than the year before, moved on."""
    every = {}
    for rows in (36, 48):
        table = plain(rows + 12, noise=5)
        forecaster = Forecaster(**TINY | {"horizon": 12, "lookback": None}).fit(table[:rows])
        fitted = forecaster.fitted_
        assert fitted.learned.mix["seasonal naive + drift"] > 0.5
        assert "last season moved on" in fitted.record.answer
        truth = table["y"][rows:].to_numpy()
        every[rows] = [float(np.abs(said(forecaster, model, steps=12) - truth).mean()) for model in (None, NAIVE)]
        assert every[rows][0] < 10  # the noise is 5, the season 40
    assert all(own < 0.6 * naive for own, naive in every.values())


def test_what_few_windows_taught_counts_less() -> None:
    config = Forecaster(**TINY | {"horizon": 12, "validation_size": 13})._config()
    for rows, windows in ((30, 1), (53, 24)):
        prepared = KIND.prepare(KIND.read(plain(rows), config), config, 0)
        assert len(prepared.train) == windows  # type: ignore[arg-type]
        assert scarcity(prepared) == pytest.approx(1 + SCARCE * 12 / windows)


@pytest.mark.parametrize("pad", [0, 3])
def test_windows_that_read_more(pad: int) -> None:
    tracks = [np.arange(20.0)[:, None], 100 + np.arange(9.0)[:, None]]
    tracks[0][2] = np.nan
    scaling = Scaling.plain(np.zeros((2, 1)), np.ones((2, 1)))
    origins = [np.array([4, 11, 17]), np.array([5])]
    short = Rows.of(tracks, scaling, pad).windows(4, 3, origins)
    long = reading(short, 10, season=4)
    np.testing.assert_array_equal(before(short), [4, 11, 17, 5])
    np.testing.assert_array_equal(before(long), before(short))
    batch, other = (one.take(torch.arange(4)) for one in (long, short))
    np.testing.assert_array_equal(batch.targets, other.targets)  # type: ignore[arg-type]
    np.testing.assert_array_equal((long.phases + 10) % 4, (short.phases + 4) % 4)
    for n, (series, origin) in enumerate([(0, 4), (0, 11), (0, 17), (1, 5)]):
        for step in range(10):
            place = origin - 10 + step
            value = tracks[series][place % 4 if place < 0 else place, 0]  # the first season, before the first value
            assert bool(batch["observed"][n, step, 0]) == bool(np.isfinite(value))
            assert float(batch.inputs[n, step, 0]) == np.nan_to_num(value)


def test_how_a_network_was_trained_is_not_warned_of_where_it_hardly_counts() -> None:
    fitted = Forecaster(**TINY).fit(plain()).fitted_
    fitted.record = replace(fitted.record, epochs=2, best_epoch=2, stopped_by="max_epochs", notes=())
    for share, said in ((0.04, []), (0.06, ["Careful: training was ended while it still improved."])):
        fitted.learned = replace(fitted.learned, mix={"network": share, "linear": 1 - share})
        assert [text.removesuffix(" More epochs may help.") for text in warnings(fitted)] == said


def test_an_answer_without_the_network_says_so() -> None:
    row = naive_forecasts(SEASON)["seasonal naive"]
    simple = Member("seasonal naive", row, np.zeros((2, 1, 1)), 1.0)
    none = said_of({"network": 1e-5, "seasonal naive": 1 - 1e-5}, simple, 1)
    assert none == "The answer is the last season: the network missed far more in one validation forecast."
    some = said_of({"network": 0.25, "seasonal naive": 0.75}, simple, 1200)
    assert some == "The answer is 25 % network and 75 % last season, by their errors in 1,200 validation forecasts."

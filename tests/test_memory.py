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
from recurra.tasks.forecast.baselines import SCARCE, Linear, make_baselines, naive_forecasts, scarcity, seasonal_drift
from recurra.tasks.forecast.combination import Member, said_of
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.past import carried_forward, reading
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
    """Fit one more row of the table, and take it back from arrays."""
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
    drift = np.median(values[-SEASON:] - values[-2 * SEASON : -SEASON])
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
        assert scarcity(prepared.train) == pytest.approx(1 + SCARCE * 12 / windows)


@pytest.mark.parametrize("pad", [0, 3])
def test_windows_that_read_more(pad: int) -> None:
    tracks = [np.arange(20.0)[:, None], 100 + np.arange(9.0)[:, None]]
    tracks[0][2] = np.nan
    scaling = Scaling.plain(np.zeros((2, 1)), np.ones((2, 1)))
    origins = [np.array([4, 11, 17]), np.array([5])]
    short = Rows.of(tracks, scaling, pad).windows(4, 3, origins)
    long = reading(short, 10)
    np.testing.assert_array_equal(short.origins, [4, 11, 17, 5])
    np.testing.assert_array_equal(long.origins, short.origins)
    batch, other = (one.take(torch.arange(4)) for one in (long, short))
    np.testing.assert_array_equal(batch.targets, other.targets)  # type: ignore[arg-type]
    np.testing.assert_array_equal((long.phases + 10) % 4, (short.phases + 4) % 4)
    for n, (series, origin) in enumerate([(0, 4), (0, 11), (0, 17), (1, 5)]):
        for step in range(10):
            place = origin - 10 + step
            value = tracks[series][place, 0] if place >= 0 else np.nan
            assert bool(batch["observed"][n, step, 0]) == bool(np.isfinite(value))
            assert float(batch.inputs[n, step, 0]) == np.nan_to_num(value)
    assert reading(short, 4).starts is not None and len(reading(short, 4).rows.values) == len(short.rows.values)


def test_what_begins_late_repeats_its_first_season_before() -> None:
    nan = np.nan
    x = np.array(
        [
            [nan, nan, nan, nan, 1, 2, 3, 4],
            [nan, nan, nan, nan, nan, nan, 5, 6],  # less than a season is there
            [nan, 1, nan, 3, 4, nan, 6, 7],
            [nan, nan, nan, nan, nan, nan, nan, nan],
        ]
    )
    found = carried_forward(np.nan_to_num(x), np.isfinite(x), season=3)
    np.testing.assert_array_equal(found[0], _before([1, 2, 3, 4], 4, 3))
    np.testing.assert_array_equal(found[1], _before([5, 6], 6, 2))
    np.testing.assert_array_equal(found[2], [3, 1, 1, 3, 4, 4, 6, 7])
    np.testing.assert_array_equal(found[3], np.zeros(8))
    np.testing.assert_array_equal(carried_forward(np.nan_to_num(x), np.isfinite(x))[0], [1, 1, 1, 1, 1, 2, 3, 4])


def _before(values: list[float], count: int, season: int) -> list[float]:
    """Put ``count`` values before, which repeat the first ``season``: the step before the first is its last one."""
    return [values[(step - count) % season] for step in range(count)] + values


def mixed_lengths(rows: int = 15) -> pd.DataFrame:
    long = [plain(ROWS, seed=seed).assign(unique_id=f"s{seed}") for seed in range(2)]
    short = plain(ROWS, seed=7)[-rows:].assign(unique_id="short")
    return pd.concat([*long, short], ignore_index=True)


@pytest.mark.parametrize("model", [NAIVE, DRIFT, "ets", "theta"])
@pytest.mark.parametrize("rows", [15, 18, 21])
def test_a_series_shorter_than_the_memory(rows: int, model: str) -> None:
    """The remembered end and the windows of a backtest say the same of it, too, and neither reads what follows."""
    table = mixed_lengths(rows)
    forecaster = Forecaster(**TINY).fit(table)
    if model in ("ets", "theta"):
        add(forecaster, model)
    fitted = forecaster.fitted_
    expected = forecast(fitted, model=model).guess.point[2, :, 0]
    stamps = pd.date_range(table["ds"].max(), periods=HORIZON + 1, freq="MS")[1:]
    every = []
    for later in (300.0, 900.0):
        after = pd.concat([table, *(pd.DataFrame({"ds": stamps, "y": later, "unique_id": n}) for n in ("s0", "short"))])
        panel = KIND.read(after, fitted.config, fitted.learned)
        origins = (np.array([ROWS]), np.arange(0), np.array([rows]))
        windows = KIND.encode(panel, fitted.learned, Part(origins, pad=LOOKBACK - 1))
        every.append(answer_of(fitted, windows, model).point[1, :, 0])
    np.testing.assert_array_equal(*every)
    np.testing.assert_allclose(every[0], expected, rtol=1e-5)


@pytest.mark.parametrize("model", ["ets", "theta"])
def test_before_the_end_of_a_first_season_nothing_ahead_is_read(model: str) -> None:
    forecaster = Forecaster(**TINY).fit(mixed_lengths())
    add(forecaster, model)
    fitted, every = forecaster.fitted_, []
    for later in (0.0, 300.0):
        table = mixed_lengths()
        table.loc[table.index[-HORIZON:], "y"] += later  # of the short series, from its tenth row on
        panel = KIND.read(table, fitted.config, fitted.learned)
        windows = KIND.encode(panel, fitted.learned, Part((np.arange(0), np.arange(0), np.array([9])), LOOKBACK - 1))
        every.append(answer_of(fitted, windows, model).point)
    np.testing.assert_array_equal(*every)


def test_drift_is_that_of_the_steps_known_in_both_seasons() -> None:
    values = np.concatenate([np.arange(12.0), 10 + np.arange(12.0)])[:, None]
    values[[1, 14]] = np.nan
    scaling = Scaling.plain(np.zeros((1, 1)), np.ones((1, 1)))
    windows = Rows.of([np.concatenate([values, np.zeros((13, 1))])], scaling, 0).windows(5, 13, [np.array([24])])
    found = seasonal_drift(windows, 12)[0, :, 0]
    assert found[0] == pytest.approx(10)  # step 14 is filled by that of a season before: there it does not move
    assert found[12] == pytest.approx(2 * found[0])
    few = Rows.of([np.concatenate([values[:17], np.zeros((13, 1))])], scaling, 0).windows(5, 13, [np.array([17])])
    assert not seasonal_drift(few, 12).any()  # less than half of a season is in both


def test_one_wild_value_does_not_move_what_follows() -> None:
    table = plain()
    expected = said(Forecaster(**TINY).fit(table), DRIFT)
    table.loc[ROWS - 2, "y"] += 3000.0  # of a month that is not forecast
    np.testing.assert_allclose(said(Forecaster(**TINY).fit(table), DRIFT), expected, atol=3)


def test_a_linear_model_of_one_window_is_not_asked(tmp_path: Path) -> None:
    """It has seen one place in the season: asked from another one it says nonsense."""
    table = plain(40, noise=5)
    forecaster = Forecaster(**TINY | {"horizon": 12, "lookback": None, "max_epochs": 1}).fit(table[:36])
    linear = forecaster.fitted_.baselines["linear"]
    assert isinstance(linear, Linear) and linear.instead == "seasonal naive + drift"
    assert not linear.reads_columns and linear.told() == "linear model (last season moved on)"
    for rows in (36, 38, 40):
        np.testing.assert_array_equal(
            said(forecaster, "linear", table[:rows], 12), said(forecaster, DRIFT, table[:rows], 12)
        )
    again = Forecaster.load(forecaster.save(tmp_path / "run"))
    np.testing.assert_array_equal(said(again, "linear", steps=12), said(forecaster, "linear", steps=12))
    many = Forecaster(**TINY).fit(plain(90, noise=5)).fitted_.baselines["linear"]
    assert isinstance(many, Linear) and many.instead is None


def test_an_old_run_that_goes_on_remembers_more() -> None:
    forecaster = Forecaster(**TINY).fit(plain())
    fitted = forecaster.fitted_
    parts, arrays = fitted.learned.to_plain()
    fitted.learned = KIND.recall(parts, arrays | {"context": fitted.learned.context[:, -LOOKBACK:]})
    forecaster.fit_more(plain(ROWS + 30)[ROWS:])
    learned = forecaster.fitted_.learned
    assert learned.memory == 2 * SEASON
    np.testing.assert_array_equal(learned.context[0, :, 0], plain(ROWS + 30)["y"][-2 * SEASON :])


def test_few_new_rows_do_not_make_a_good_model_count_less() -> None:
    table = plain(300, noise=5)
    forecaster = Forecaster(**TINY | {"lookback": 36}).fit(table[:260])
    assert set(forecaster.fitted_.learned.mix) == {"network", "linear"}
    forecaster.fit_more(table[260:273])
    assert set(forecaster.fitted_.learned.mix) == {"network", "linear"}


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


def test_a_wild_value_is_told_and_read() -> None:
    table = plain()
    assert not any("lies far" in note for note in notes_of(table))
    table.loc[20, "y"] = 4000.0
    said = (
        "careful: the value 4000 at 2020-09-01 lies far from all others, and is read as it is: leave it empty if it is"
    )
    assert any(note.startswith(said) for note in notes_of(table))
    both = pd.concat([plain().assign(unique_id="a"), table.assign(unique_id="b")])
    both.loc[(both["unique_id"] == "b") & (both["ds"] == both["ds"].max()), "y"] = np.nan
    assert any("the value 4000 of 'b' at 2020-09-01 lies far" in note for note in notes_of(both))


def notes_of(table: pd.DataFrame) -> list[str]:
    config = Forecaster(**TINY)._config()
    return [*KIND.prepare(KIND.read(table, config), config, 0).plan.notes]

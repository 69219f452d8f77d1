"""Rows that keep no step: events and readings at any second are put on steps, or refused where no step fits."""

import numpy as np
import pandas as pd
import pytest

from recurra import Forecaster
from recurra.data.series import infer_schema, to_panel
from recurra.errors import DataError

START = pd.Timestamp("2024-01-01")


def readings(mean_gap: float = 600, rows: int = 1200, seed: int = 0) -> pd.DataFrame:
    """Return a wave that is read at random seconds."""
    random = np.random.default_rng(seed)
    seconds = np.cumsum(random.exponential(mean_gap, rows)).round() + np.arange(rows)
    return pd.DataFrame({"time": START + pd.to_timedelta(seconds, unit="s"), "value": np.sin(seconds / 20_000)})


def test_readings_at_random_seconds_become_means_of_steps() -> None:
    frame = readings()
    schema, notes = infer_schema(frame)
    panel = to_panel(frame, schema)
    assert schema.frequency == "10min" and schema.aggregate == "mean"
    said = next(note for note in notes if note.startswith("careful: the times keep no one step"))
    assert "put on steps of '10min', the mean of those in one; choose others with frequency= and aggregate=" in said
    expected = frame.groupby(frame["time"].dt.floor("10min"))["value"].mean().asfreq("10min")
    found = pd.Series(panel.values[0], panel.times(0, 0, len(panel.values[0])))
    inside = expected[found.index[0] : found.index[-1]]
    pd.testing.assert_series_equal(found, inside, check_names=False, check_freq=False)
    empty = int(inside.isna().sum())
    assert empty > 300 and any(f"{empty:,} of {len(inside):,} time steps had no row" in note for note in panel.notes)
    assert infer_schema(frame, frequency="h", aggregate="last")[0].frequency == "h"  # as it is told


def test_readings_near_their_step_are_moved_to_it() -> None:
    shaken = pd.date_range("2024-01-01", periods=300, freq="h") + pd.to_timedelta(
        np.random.default_rng(0).integers(-400, 400, 300), unit="s"
    )
    frame = pd.DataFrame({"time": shaken, "value": np.arange(300.0) % 7})
    schema, _ = infer_schema(frame)
    assert schema.frequency == "h" and not schema.aggregate
    np.testing.assert_array_equal(to_panel(frame, schema).values[0], frame["value"])


def test_bursts_fit_no_step() -> None:
    random = np.random.default_rng(0)
    seconds = np.cumsum(random.lognormal(3, 3, 300)).round() + np.arange(300)
    frame = pd.DataFrame({"time": START + pd.to_timedelta(seconds, unit="s"), "value": random.normal(size=300)})
    with pytest.raises(DataError, match=r"do not keep one step: .* choose the step with frequency=.*number the rows"):
        infer_schema(frame)
    numbered = frame.assign(time=np.arange(1, 301))
    assert len(to_panel(numbered, infer_schema(numbered)[0]).values[0]) == 300


def test_sensors_of_different_pace_share_their_steps() -> None:
    frame = pd.concat([readings(600, 500).assign(id="a"), readings(900, 400, 1).assign(id="b")])
    schema, _ = infer_schema(frame, id="id")
    panel = to_panel(frame, schema)
    shares = [np.isfinite(values).mean() for values in panel.values]
    assert schema.aggregate == "mean" and min(shares) > 0.4


def test_trades_of_the_same_second_are_pointed_to_a_step() -> None:
    random = np.random.default_rng(0)
    seconds = np.cumsum(random.exponential(2, 900)).round()
    frame = pd.DataFrame({"time": START + pd.to_timedelta(seconds, unit="s"), "price": random.normal(size=900)})
    with pytest.raises(DataError, match="events of one series are put together with frequency= and aggregate="):
        infer_schema(frame)
    assert infer_schema(frame, frequency="min", aggregate="last")[0].frequency == "min"


def test_a_forecast_goes_on_in_steps() -> None:
    frame = readings(rows=700)
    made = Forecaster(horizon=3, hidden_size=8, max_epochs=2, epoch_steps=4, season=1, lookback=12).fit(frame)
    assert made.fitted_.learned.layout.missing
    answer = made.predict()
    assert (answer["ds"].diff().dropna() == pd.Timedelta("10min")).all()
    later = made.predict(df=frame[:-40])  # read as the training was
    assert np.isfinite(later["yhat"]).all() and later["ds"].iloc[0] < answer["ds"].iloc[0]

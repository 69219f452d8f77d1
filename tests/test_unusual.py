"""Values that a forecast reads: what is far from the training, empty, or not told yet is said, with names."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import networks
from recurra import DataError, Forecaster
from recurra.tasks.forecast.answers import forecast
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.unusual import MOST

BRIEF: dict[str, Any] = networks.TINY | {"max_epochs": 1, "last_epochs": 0}
HORIZON = BRIEF["horizon"]


def shop(stores: int = 2, days: int = 80) -> pd.DataFrame:
    """Return sales of stores with a price that is known ahead, and a temperature that is not."""
    draw = np.random.default_rng(0)
    parts = []
    for n in range(stores):
        times = pd.date_range("2024-01-01", periods=days + HORIZON)
        part = pd.DataFrame({"store": f"s{n}", "ds": times, "sold": draw.normal(50, 5, len(times))})
        part["price"], part["warm"] = draw.normal(10, 1, len(times)), draw.normal(15, 4, len(times))
        part.loc[part.index[days:], ["sold", "warm"]] = np.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return Forecaster(**BRIEF, id="store", target="sold", known="price", past="warm").fit(shop())


def notes(forecaster: Forecaster, table: pd.DataFrame) -> list[str]:
    """The notes on a forecast from the end of a table."""
    fitted = forecaster.fitted_
    said = forecast(fitted, KIND.read(table, fitted.config, fitted.learned)).notes
    return [note for note in said if note.startswith("careful: ")]


def test_usual_values_are_not_spoken_of(forecaster: Forecaster) -> None:
    assert notes(forecaster, shop()) == []
    assert forecast(forecaster.fitted_).notes == ()


@pytest.mark.parametrize(
    ("column", "store", "day", "value", "said"),
    [
        ("price", 1, 81, 1000.0, "'price' is 1000 at 2024-03-22"),
        ("price", 0, 75, -4e5, "'price' is -400000 at 2024-03-16"),
        ("warm", 1, 79, 4e4, "'warm' is 40000 at 2024-03-20"),
        ("sold", 1, 79, -1e9, "'s1' is -1e+09 at 2024-03-20"),
    ],
)
def test_a_value_far_from_the_training_is_named(
    forecaster: Forecaster, column: str, store: int, day: int, value: float, said: str
) -> None:
    table = shop()
    table.loc[store * (80 + HORIZON) + day, column] = value
    (note,) = notes(forecaster, table)
    assert note.startswith(f"careful: {said}, ") and "check this value" in note
    learned = forecaster.fitted_.learned
    one = {"price": learned.variables.known[0], "warm": learned.variables.past[0]}.get(column)
    mean, std = (learned.scaling.mean[1, 0], learned.scaling.std[1, 0]) if one is None else (one.mean, one.std)
    assert f", {abs(value - mean) / std:,.0f} training deviations" in note


def test_many_values_are_counted(forecaster: Forecaster) -> None:
    learned = forecaster.fitted_.learned
    table = shop(stores=7)
    table["price"] *= 1000
    found = notes(forecaster, table)
    assert len(found) == MOST + 1 and len(learned.names) == 2
    assert found[-1] == f"careful: {7 - MOST} more values are as far from those of the training"


def test_a_column_without_values_in_the_training_is_told() -> None:
    table = shop()
    table["promo"], table["city"] = np.nan, pd.NA
    table.loc[table["ds"] > "2024-03-18", "promo"] = 1.0  # known in the days to come, but in none before
    told = {"known": ("price", "promo"), "static": "city", "id": "store", "target": "sold"}
    fitted = Forecaster(**BRIEF, **told).fit(table)
    assert [note for note in fitted.notes_ if note.startswith("careful: no training row")] == [
        "careful: no training row has a value of 'promo', 'city', so that nothing is learned from it"
    ]


def test_what_a_run_waits_for(forecaster: Forecaster) -> None:
    assert KIND.waits_for(forecaster.fitted_) is None
    table = shop()
    without = Forecaster(**BRIEF, id="store", target="sold", known="price").fit(table[table["sold"].notna()])
    assert KIND.waits_for(without.fitted_) == "future"


@pytest.mark.parametrize("preset", ["tpa_lstm", "lstnet"])
def test_a_preset_that_reads_series_together_says_that_it_is_the_preset(preset: str) -> None:
    table = shop()[["store", "ds", "sold"]].dropna().iloc[:-10]
    with pytest.raises(DataError, match=rf"^preset='{preset}' reads all series together \(channels='joint'\), which"):
        Forecaster(horizon=2, id="store", target="sold", preset=preset).fit(table)
    with pytest.raises(DataError, match=r"^channels='joint' needs series that begin and end together"):
        Forecaster(horizon=2, id="store", target="sold", channels="joint").fit(table)


def test_a_season_that_no_row_repeats_is_told() -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=90), "y": np.arange(90.0) % 7})
    for season, told in ((120, True), (30, False)):
        found = Forecaster(**BRIEF | {"season": season}).fit(frame).notes_
        assert any(f"careful: a season of {season} steps is longer" in note for note in found) == told

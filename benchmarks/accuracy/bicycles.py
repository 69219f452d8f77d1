"""Hires of bicycles hour by hour, a day ahead: what the calendar and the weather add.

    python benchmarks/accuracy/bicycles.py [FOLDER] [--seeds 3] [--judge test] [--sets ..] [--out FILE]

FOLDER holds hour.csv of the Bike Sharing set of the UCI repository, which is downloaded without it (see data.py).
Every midnight the next 24 hours are forecast. November and December 2012 judge, and with ``--judge validation`` the
61 days before them, where the test is never read. All train with a dropout of 0.2 and averaged weights. Hours without
a row are missing values. "calendar" knows the calendar and whether it is a holiday or a working day, also ahead (of
the calendar itself nothing is left to read: the hour and the weekday are in the learned cycle of a week, and for the
month the rows are too few); "weather" reads in addition temperature, humidity, wind and the sort of weather up to
now. A line of JSON is added to ``--out`` (bicycles.jsonl) for every fit, with the error of every day; what is in it
already is not done again.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from data import fetch
from fits import Fit, Fits, judged

from recurra import Forecaster

HOURS, DAYS = 24, 61  # of a forecast, of which so many judge
TEST = pd.Timestamp("2012-11-01")
DRAWS = 2_000  # of days, for the intervals
WEATHER = ("weathersit", "temp", "hum", "windspeed")


class Row(NamedTuple):
    """What a forecaster reads beside the hires."""

    settings: dict[str, Any]


LEARNING = {"dropout": 0.2, "average": 0.99}  # chosen on validation, see bicycles.md
CALENDAR = {"known": ("holiday", "workingday"), "calendar": True}
ROWS = {
    "none": Row(LEARNING),
    "calendar": Row(LEARNING | CALENDAR),
    "calendar and weather": Row(LEARNING | CALENDAR | {"past": WEATHER}),
}


def main() -> None:
    """Run what is not done yet, and print the table."""
    asked = judged(str(__doc__), ROWS, "bicycles.jsonl")

    def fit(name: str, how: str, seed: int) -> Fit:
        return run(ROWS[name], hires(asked.given, asked.by_test), seed)

    print("\n".join(table(asked.fits(fit), asked.names, asked.how, asked.seeds)))


def hires(folder: Path | None, by_test: bool) -> pd.DataFrame:
    """Return a row for every hour, also where the set has none; whole days in order."""
    found = pd.read_csv(fetch("bike_sharing/hour.csv", folder))
    found["ds"] = pd.to_datetime(found["dteday"]) + pd.to_timedelta(found["hr"], unit="h")
    every = pd.DataFrame({"ds": pd.date_range(found["ds"].min(), found["ds"].max(), freq="h")})
    table = every.merge(found[["ds", "cnt", "holiday", "workingday", *WEATHER]], on="ds", how="left")
    days = table["ds"].dt.date
    for name in ("holiday", "workingday"):  # are the same all day
        table[name] = table.groupby(days)[name].transform("max")
    table["weathersit"] = table["weathersit"].map({1: "clear", 2: "mist", 3: "light rain", 4: "heavy rain"})
    return table if by_test else table[table["ds"] < TEST]


def run(row: Row, table: pd.DataFrame, seed: int) -> Fit:
    """Train on all but the last days, and forecast each of them."""
    before = os.times()
    forecaster = Forecaster(horizon=HOURS, target="cnt", seed=seed, **row.settings)
    folds = forecaster.cross_validation(table, n_windows=DAYS, step=HOURS)
    after = os.times()
    wrong = folds["y"] - folds["yhat"]
    days = folds.assign(absolute=wrong.abs(), square=wrong**2, count=1).groupby("cutoff")
    fitted = forecaster.cv_estimator_.fitted_
    return {
        "settings": row.settings,
        "absolute": days["absolute"].sum().round(2).tolist(),
        "squares": days["square"].sum().round(2).tolist(),
        "hours": days["count"].sum().tolist(),
        "weekly": weekly(table),
        "parameters": sum(one.numel() for one in fitted.network.parameters()),
        "answer": fitted.record.answer,
        "cpu_seconds": round(after.user + after.system - before.user - before.system, 1),
    }


def weekly(table: pd.DataFrame) -> float:
    """Return the mean absolute error of the value a week before, in the days that judge."""
    series = table.set_index("ds")["cnt"]
    return float((series - series.shift(7 * HOURS))[-DAYS * HOURS :].abs().mean())


def error(runs: Sequence[Fit], chosen: np.ndarray | slice = slice(None)) -> float:
    """Return the mean absolute error of the ``chosen`` days, the mean over seeds."""
    return float(
        np.mean([np.sum(np.array(r["absolute"])[chosen]) / np.sum(np.array(r["hours"])[chosen]) for r in runs])
    )


def table(done: Fits, names: Sequence[str], how: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table; the intervals are of days drawn anew."""
    yield "| read beside the hires | MAE | each seed | less than none | RMSE | parameters | CPU seconds |"
    yield "|---|---|---|---|---|---|---|"
    every = {name: [done[name, how, seed] for seed in range(seeds)] for name in names}
    draw = np.random.default_rng(0)
    drawn = [draw.integers(0, DAYS, DAYS) for _ in range(DRAWS)]
    for name, runs in every.items():
        each = ", ".join(f"{error([one]):.1f}" for one in runs)
        less = ""
        if name != "none" and "none" in every:
            low, high = np.quantile([error(every["none"], some) - error(runs, some) for some in drawn], (0.025, 0.975))
            less = f"{error(every['none']) - error(runs):.1f} ({low:.1f} to {high:.1f})"
        rmse = np.mean([np.sqrt(np.sum(one["squares"]) / np.sum(one["hours"])) for one in runs])
        seconds = np.mean([one["cpu_seconds"] for one in runs])
        share = f"{error(runs):.1f} | {each} | {less} | {rmse:.1f}"
        yield f"| {name} | {share} | {runs[0]['parameters']:,} | {seconds:.0f} |"
    yield f"| the value a week before | {every[names[0]][0]['weekly']:.1f} | | | | – | – |"


if __name__ == "__main__":
    main()

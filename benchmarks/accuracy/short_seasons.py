"""Three to six seasons of a series, nothing but defaults, beside the season before and Holt-Winters of statsmodels.

    python benchmarks/accuracy/short_seasons.py [FOLDER] [--seeds 1] [--out short_seasons.jsonl]

FOLDER holds the files named in SETS, which are downloaded without it (see data.py); CO2 and sea temperatures come with
statsmodels. Two pieces of each series train, and every forecast of the two or three seasons after them counts; the
model is trained once for each piece, Holt-Winters at every origin. Errors are relative to those of repeating the last
season. A line of JSON is added to ``--out`` for every fit; what is in it already is not done again.
"""

import argparse
import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm
from data import fetch
from fits import Fit, Fits, every
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from recurra import Forecaster

PJM, TEMPERATURES = "pjm_hourly/{}_hourly.csv", "classic_univariate/daily-min-temperatures.csv"


class Sort(NamedTuple):
    """Series with the same season."""

    step: str
    season: int  # which is the horizon, too
    judged: int  # values
    sizes: tuple[int, ...]  # values that train


SORTS = {
    "months": Sort("MS", 12, 24, (36, 48, 60, 72)),
    "days": Sort("D", 7, 21, (24, 35, 49)),
    "hours": Sort("h", 24, 48, (75, 100, 140)),
}
SETS: dict[str, tuple[str, str, str, tuple[int, int]]] = {  # sort, file, column, first values of the pieces
    "airline": ("months", "classic_univariate/airline-passengers.csv", "", (0, 60)),
    "CO2": ("months", "", "co2", (100, 300)),
    "sea": ("months", "", "elnino", (100, 300)),
    "AEP by month": ("months", PJM.format("AEP"), "", (0, 60)),
    "PJME by month": ("months", PJM.format("PJME"), "", (0, 60)),
    "temperatures by month": ("months", TEMPERATURES, "", (0, 24)),
    "gasoline by month": ("months", "classic_univariate/us_gasoline.csv", "", (100, 200)),
    "simulated months": ("months", "", "simulated", (0, 60)),
    "bicycles by day": ("days", "bike_sharing/day.csv", "cnt", (0, 150)),
    "AEP by day": ("days", PJM.format("AEP"), "", (0, 150)),
    "PJME by day": ("days", PJM.format("PJME"), "", (0, 150)),
    "simulated days": ("days", "", "simulated", (0, 150)),
    "bicycles by hour": ("hours", "bike_sharing/hour.csv", "cnt", (0, 300)),
    "oil": ("hours", "ett/ETTh1.csv", "OT", (0, 300)),
    **{f"M4 H{n + 1}": ("hours", "m4/Hourly-train.csv", str(n), (0, 300)) for n in range(0, 414, 60)},
}
ROWS = {"model": "this model", "drift": "last season moved on", "holt_winters": "Holt-Winters"}


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("short_seasons.jsonl"))
    asked = parser.parse_args()

    def fit(name: str, first: int, size: int, seed: int) -> Fit:
        return run(asked.folder, name, first, size, seed)

    wanted = [
        (name, first, size, seed)
        for seed, (name, (sort, _, _, firsts)) in product(range(asked.seeds), SETS.items())
        for first, size in product(firsts, SORTS[sort].sizes)
    ]
    print("\n".join(table(every(asked.out, ("set", "first", "size", "seed"), wanted, fit))))


def values_of(folder: Path | None, name: str) -> np.ndarray:
    """Return a series, of months and days as their means where the file has hours or days."""
    sort, file, column, _ = SETS[name]
    if column == "simulated":
        return simulated(SORTS[sort])
    if column == "elnino":
        return sm.datasets.elnino.load_pandas().data.iloc[:, 1:].to_numpy(float).ravel()
    if column == "co2":
        return sm.datasets.co2.load_pandas().data["co2"].resample("MS").mean().interpolate().to_numpy()
    table = pd.read_csv(fetch(file, folder))
    if "m4" in file:
        return table.iloc[int(column), 1:].dropna().to_numpy(float)
    if column or "airline" in file:
        return table[column or table.columns[-1]].to_numpy(float)
    table = table.set_index(pd.to_datetime(table.iloc[:, 0])).sort_index()
    means = table.iloc[:, -1].astype(float).resample(SORTS[sort].step).mean().interpolate()
    return means.to_numpy()[1:-1]  # the first and the last are not whole


def simulated(sort: Sort) -> np.ndarray:
    """Return a season that grows with its level, and noise."""
    steps, draw = np.arange(250), np.random.default_rng(sort.season)
    season = np.tile(np.exp(draw.normal(0, 0.2, sort.season)), 250)[:250]
    return 100 * (1 + steps / 100) * season * np.exp(draw.normal(0, 0.05, 250))


def run(folder: Path | None, name: str, first: int, size: int, seed: int) -> Fit:
    """Train on a piece of a series, and forecast every stretch of a season after it."""
    step, season, judged, _ = SORTS[SETS[name][0]]
    values = values_of(folder, name)[first : first + size + judged]
    frame = pd.DataFrame({"ds": pd.date_range("2001-01-01", periods=len(values), freq=step), "y": values})
    origins = range(size, len(values) - season + 1)
    folds = Forecaster(horizon=season, season=season, seed=seed).cross_validation(frame, n_windows=len(origins), step=1)
    truth = np.stack([values[at : at + season] for at in origins])
    found = {"model": float((folds["y"] - folds["yhat"]).abs().mean())}
    for level in (80, 90):
        found[f"inside_{level}"] = float(
            folds["y"].between(folds[f"yhat-lo-{level}"], folds[f"yhat-hi-{level}"]).mean()
        )
    last, before = (np.stack([values[at - n * season :][:season] for at in origins]) for n in (1, 2))
    moved = last + np.median(last - before, 1)[:, None]
    found |= {"naive": float(np.abs(last - truth).mean()), "drift": float(np.abs(moved - truth).mean())}
    if not seed:
        said = np.stack([holt_winters(values[:at], season) for at in origins])
        found["holt_winters"] = float(np.abs(said - truth).mean())
    return {key: float(f"{value:.5g}") for key, value in found.items()}


def holt_winters(values: np.ndarray, season: int) -> np.ndarray:
    """Return the forecast of one season by a damped trend and an additive season, fitted to all ``values``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says so where it did not converge
        parts = {"trend": "add", "damped_trend": True, "seasonal": "add", "seasonal_periods": season}
        return np.asarray(ExponentialSmoothing(values, **parts).fit().forecast(season))


def table(done: Fits) -> Iterator[str]:
    """Return a line for each sort and size: errors relative to the last season, and what the intervals held."""
    heads = ["sort", "values that train", "fits", *ROWS.values(), "in 80 %", "in 90 %"]
    yield f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}"
    for sort, (*_, sizes) in SORTS.items():
        for size in (*sizes, None):
            fits = [fit for key, fit in done.items() if SETS[key[0]][0] == sort and size in (key[2], None)]
            errors = []
            for row in ROWS:
                logs = [np.log(fit[row] / fit["naive"]) for fit in fits if row in fit]
                errors.append(f"{np.exp(np.mean(logs)):.3f}")
            inside = [f"{100 * np.mean([fit[f'inside_{level}'] for fit in fits]):.0f}" for level in (80, 90)]
            yield f"| {sort} | {size or 'all'} | {len(fits)} | {' | '.join([*errors, *inside])} |"


if __name__ == "__main__":
    main()

"""What intervals of short series hold, nothing but defaults: pieces of real series, and simulated ones.

    python benchmarks/accuracy/short_series.py [FOLDER] [--seeds 1] [--out short_series.jsonl]

FOLDER holds daily-min-temperatures.csv, monthly-sunspots.csv, us_gasoline.csv, day.csv and hour.csv of the Bike Sharing
set and ETTh1.csv, which are downloaded without it (see data.py); weekly CO2 comes with statsmodels. Of each series a
piece of 80 to 400 values trains, and every forecast of the values after it counts. The interval score is the width and
``2 / (1 − level)`` times what lies outside, in training deviations. A line of JSON is added to ``--out`` for every fit;
what is in it already is not done again.
"""

import argparse
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from data import fetch
from fits import Fit, Fits, every
from simple import co2

from recurra import Forecaster

SIZES = (80, 120, 200, 400)  # values that train
LEVELS = (80, 90)
TEMPERATURES = "classic_univariate/daily-min-temperatures.csv"
# File and column, first value, steps of what, horizon, values that judge.
PIECES = {
    "temperatures": (TEMPERATURES, "", 0, "D", 7, 100),
    "temperatures, two weeks": (TEMPERATURES, "", 1000, "D", 14, 100),
    "sunspots": ("classic_univariate/monthly-sunspots.csv", "", 300, "MS", 12, 60),
    "co2": ("", "", 500, "W", 8, 60),
    "gasoline": ("classic_univariate/us_gasoline.csv", "", 100, "W", 8, 60),
    "hires a day": ("bike_sharing/day.csv", "cnt", 0, "D", 7, 100),
    "hires an hour": ("bike_sharing/hour.csv", "cnt", 3000, "h", 12, 200),
    "oil": ("ett/ETTh1.csv", "OT", 1000, "h", 12, 200),
    "simulated months": ("", "", 0, "MS", 12, 96),
    "simulated days": ("", "", 0, "D", 14, 96),
}


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("short_series.jsonl"))
    asked = parser.parse_args()

    def fit(name: str, size: int, seed: int) -> Fit:
        return run(asked.folder, name, size, seed)

    wanted = list(product(PIECES, SIZES, range(asked.seeds)))
    print("\n".join(table(every(asked.out, ("set", "size", "seed"), wanted, fit))))


def values_of(folder: Path | None, name: str, count: int) -> np.ndarray:
    """Return ``count`` values of a series."""
    file, column, first, *_ = PIECES[name]
    draw, steps = np.random.default_rng(count), np.arange(count)
    if name == "simulated months":
        return 100 + steps / 5 + 20 * np.sin(2 * np.pi * steps / 12) + draw.normal(0, 3, count)
    if name == "simulated days":
        noise = pd.Series(draw.normal(0, 2, count)).ewm(alpha=0.3).mean().to_numpy()
        return 50 + 10 * np.sin(2 * np.pi * steps / 7) + 3 * noise
    with tempfile.TemporaryDirectory() as place:
        found = pd.read_csv(fetch(file, folder) if file else co2(Path(place)))
    series = found[column] if column else found.iloc[:, -1]
    return series.interpolate().to_numpy(float)[first : first + count]


def run(folder: Path | None, name: str, size: int, seed: int) -> Fit:
    """Train on a piece of a series, and forecast every stretch of a horizon after it."""
    _, _, _, step, horizon, judged = PIECES[name]
    values = values_of(folder, name, size + judged)
    frame = pd.DataFrame({"ds": pd.date_range("2000-01-02", periods=len(values), freq=step), "y": values})
    forecaster = Forecaster(horizon=horizon, seed=seed)
    folds = forecaster.cross_validation(frame, n_windows=judged - horizon + 1, step=1)
    learned, found = forecaster.cv_estimator_.fitted_.learned, {}
    for level in LEVELS:
        low, high, y = folds[f"yhat-lo-{level}"], folds[f"yhat-hi-{level}"], folds["y"]
        outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
        found[f"inside_{level}"] = round(float((outside == 0).mean()), 4)
        score = (high - low + 2 / (1 - level / 100) * outside).mean() / float(learned.scaling.std[0, 0])
        found[f"score_{level}"] = round(float(score), 4)
    return {**found, "network": round(learned.mix.get("network", 1.0), 3)}


def table(done: Fits) -> Iterator[str]:
    """Return a line for each size: what the intervals held, how far that was off, and their score."""
    heads = " | ".join(f"in {level} % | off by | score" for level in LEVELS)
    yield f"| values that train | fits | {heads} |\n|---|---|{'---|' * 3 * len(LEVELS)}"
    for size in (*SIZES, None):
        fits = [fit for key, fit in done.items() if size in (key[1], None)]
        cells = []
        for level in LEVELS:
            inside = np.array([fit[f"inside_{level}"] for fit in fits])
            score = np.exp(np.mean(np.log([fit[f"score_{level}"] for fit in fits])))
            cells += [f"{100 * inside.mean():.1f}", f"{100 * np.abs(inside - level / 100).mean():.1f}", f"{score:.3f}"]
        yield f"| {size or 'all'} | {len(fits)} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

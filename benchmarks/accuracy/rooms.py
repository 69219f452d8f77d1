"""The temperature of a room, one step of 15 minutes ahead: what the other sensors of the house add.

    python benchmarks/accuracy/rooms.py [FOLDER] [--seeds 3] [--judge test] [--sets ..] [--out FILE]

FOLDER holds NEW-DATA-1.T15.txt and NEW-DATA-2.T15.txt of the SML2010 set of the UCI repository, which are downloaded
without it (see data.py). The files are joined in order, as Qin et al. 2017 (https://arxiv.org/abs/1704.02971) have it:
3200 rows train, 400 validate, 537 test, and with ``--judge validation`` the 400 before the test judge and the 400
before those validate, where the test is never read. The 16 other sensors are read up to the moment that is forecast, as
there ("drivers"), or up to the moment before it ("drivers up to now"). Errors are in hundredths of a degree. A line of
JSON is added to ``--out`` (rooms.jsonl) for every fit; what is in it already is not done again.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from data import fetch, opened
from fits import Fit, Fits, judged

from recurra import Forecaster

ROOMS = {"dining room": "Temperature_Comedor_Sensor", "bedroom": "Temperature_Habitacion_Sensor"}
WHOLE, VALID, TEST = 4137, 400, 537
NOT_READ = {"Date", "Time", "Day_Of_Week", *ROOMS.values()}
DA_RNN: dict[str, Any] = {"preset": "da_rnn", "loss": "absolute", "hidden_size": 64, "dropout": 0.1}
DA_RNN |= {"batch_size": 32, "learning_rate": 2e-3, "warmup": 10, "max_epochs": 200, "epoch_steps": 25, "patience": 25}
WAYS: dict[str, tuple[str, dict[str, Any]]] = {  # as what the sensors are read, and other settings
    "alone": ("", {}),
    "drivers up to now": ("past", {}),
    "drivers": ("known", {}),
    "drivers by DA-RNN": ("known", DA_RNN),
    "drivers by DA-RNN and linear model": ("known", DA_RNN | {"combine": True}),
}
SETS = {f"{room}: {way}": (column, *WAYS[way]) for room, column in ROOMS.items() for way in WAYS}


def main() -> None:
    """Run what is not done yet, and print the table."""
    asked = judged(str(__doc__), SETS, "rooms.jsonl")
    table = house(asked.given)

    def fit(name: str, how: str, seed: int) -> Fit:
        return run(table if asked.by_test else table[: WHOLE - TEST], TEST if asked.by_test else VALID, name, seed)

    print("\n".join(rows(asked.fits(fit), asked.names, asked.how, asked.seeds)))


def house(folder: Path | None) -> pd.DataFrame:
    """Return all rows of both files in order, without the columns that never change."""
    parts = []
    for number in (1, 2):
        with opened(fetch(f"sml2010/NEW-DATA-{number}.T15.txt", folder)) as file:
            head, *lines = (line.split() for line in file if line.strip())
        parts.append(pd.DataFrame(lines, columns=[name.split(":")[1] for name in head if ":" in name]))
    table = pd.concat(parts, ignore_index=True)
    numbers = table.drop(columns=["Date", "Time"]).astype(float)
    return numbers.loc[:, numbers.std() > 0]


def run(table: pd.DataFrame, judged: int, name: str, seed: int) -> Fit:
    """Train on all but the last rows, and forecast each of them from those before it."""
    column, sort, settings = SETS[name]
    drivers = tuple(one for one in table.columns if one not in NOT_READ)
    before = os.times()
    beside = {sort: drivers} if sort else {}
    forecaster = Forecaster(horizon=1, target=column, seed=seed, validation_size=VALID, season=1, **beside, **settings)
    folds = forecaster.cross_validation(table[[column, *drivers]], n_windows=judged, step=1)
    after = os.times()
    wrong = 100 * (folds["y"] - folds["yhat"])
    fitted = forecaster.cv_estimator_.fitted_
    return {
        "mae": round(float(wrong.abs().mean()), 4),
        "rmse": round(float((wrong**2).mean() ** 0.5), 4),
        "mape": round(float((wrong / folds["y"]).abs().mean() * 100), 4),
        "parameters": sum(one.numel() for one in fitted.network.parameters()),
        "answer": fitted.record.answer,
        "cpu_seconds": round(after.user + after.system - before.user - before.system, 1),
    }


def rows(done: Fits, names: Sequence[str], how: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table: means over seeds, and each seed."""
    yield "| room, and what is read | MAE | RMSE | MAPE | MAE of each seed | parameters | CPU seconds |"
    yield "|---|---|---|---|---|---|---|"
    for name in names:
        fits = [done[name, how, seed] for seed in range(seeds)]
        mean = {what: np.mean([one[what] for one in fits]) for what in ("mae", "rmse", "mape", "cpu_seconds")}
        each = ", ".join(f"{one['mae']:.2f}" for one in fits)
        yield (
            f"| {name} | {mean['mae']:.2f} | {mean['rmse']:.2f} | {mean['mape']:.2f} | {each} | "
            f"{fits[0]['parameters']:,} | {mean['cpu_seconds']:.0f} |"
        )


if __name__ == "__main__":
    main()

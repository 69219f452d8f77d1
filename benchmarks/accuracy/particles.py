"""Fine particles in the air of Beijing, an hour ahead, from a series with gaps: what its weather adds.

    python benchmarks/accuracy/particles.py [FOLDER] [--seeds 3] [--judge test] [--sets ..] [--out FILE] [loss=.. ..]

FOLDER holds PRSA_data_2010.1.1-2014.12.31.csv of the Beijing PM2.5 set of the UCI repository, which is downloaded
without it (see data.py). 2010 trains, its last tenth decides when to stop; every known hour after it is forecast from
the hours before. With ``--judge validation`` the last quarter of 2010 judges, and nothing after it is read. A set is
what is read where a value is missing (mask, decay, fill), alone or "with weather": seven columns up to now. Further
arguments are settings of the forecaster, as name=value. A line of JSON is added to ``--out`` (particles.jsonl) for
every fit; what is in it already is not done again.
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from data import fetch
from fits import Fit, Fits, judged

from recurra import Forecaster

YEAR = 8_760  # hours of 2010
QUARTER = YEAR // 4  # that judges where settings are chosen
WEATHER = ("DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is", "Ir")
WAYS = ("mask", "decay", "fill")
ROWS = (*WAYS, *(f"{way} with weather" for way in WAYS))


def main() -> None:
    """Run what is not done yet, and print the table."""
    asked = judged(str(__doc__), ROWS, "particles.jsonl")
    settings = {name: _value(text) for name, text in (one.split("=", 1) for one in asked.settings)}

    def fit(name: str, how: str, seed: int) -> Fit:
        return run(name, air(asked.given, asked.by_test), seed, settings)

    print("\n".join(table(asked.fits(fit), asked.names, asked.how, asked.seeds)))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def air(folder: Path | None, by_test: bool) -> pd.DataFrame:
    """Return a row for every hour, those of 2010 alone unless the test judges."""
    found = pd.read_csv(fetch("beijing_pm25/PRSA_data_2010.1.1-2014.12.31.csv", folder))
    found["ds"] = pd.to_datetime(found[["year", "month", "day", "hour"]])
    hours = found[["ds", "pm2.5", *WEATHER]]
    return hours if by_test else hours[:YEAR]


def run(name: str, table: pd.DataFrame, seed: int, more: dict[str, Any]) -> Fit:
    """Train on the first hours, and forecast each of the others from those before it."""
    way, _, weather = name.partition(" with ")
    settings = {"missing": way, **({"past": WEATHER} if weather else {}), **more}
    before = os.times()
    forecaster = Forecaster(horizon=1, target="pm2.5", seed=seed, **settings)
    held_out = len(table) - YEAR if len(table) > YEAR else QUARTER
    folds = forecaster.cross_validation(table, n_windows=held_out, step=1)
    after = os.times()
    fitted = forecaster.cv_estimator_.fitted_
    wrong = folds["y"] - folds["yhat"]
    naive = table.set_index("ds")["pm2.5"].ffill().shift(1).reindex(folds["ds"]).to_numpy()
    return {
        "settings": settings,
        "rmse": round(float(np.sqrt((wrong**2).mean())), 4),
        "mae": round(float(wrong.abs().mean()), 4),
        "repeat_last": round(float(np.sqrt(np.mean((folds["y"].to_numpy() - naive) ** 2))), 4),
        "hours": len(folds),
        "parameters": sum(one.numel() for one in fitted.network.parameters()),
        "answer": fitted.record.answer,
        "cpu_seconds": round(after.user + after.system - before.user - before.system, 1),
    }


def table(done: Fits, names: Sequence[str], how: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table: means over seeds, and each."""
    yield "| where a value is missing | RMSE | each seed | MAE | parameters | CPU seconds |"
    yield "|---|---|---|---|---|---|"
    for name in names:
        runs = [done[name, how, seed] for seed in range(seeds)]
        each = ", ".join(f"{one['rmse']:.2f}" for one in runs)
        rmse, mae, seconds = (np.mean([one[key] for one in runs]) for key in ("rmse", "mae", "cpu_seconds"))
        yield f"| {name} | {rmse:.2f} | {each} | {mae:.2f} | {runs[0]['parameters']:,} | {seconds:.0f} |"
    yield f"| the last value | {done[names[0], how, 0]['repeat_last']:.2f} | | | – | – |"


if __name__ == "__main__":
    main()

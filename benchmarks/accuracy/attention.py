"""Does attention help a forecaster, and does it help to know how long ago a step was? Bare networks, many sets.

    python benchmarks/accuracy/attention.py [FOLDER] [--seeds 5] [--cuts 2] [--sets co2,aep] [--out attention.jsonl]
    python benchmarks/accuracy/attention.py [FOLDER] --jobs 8        several trainings at a time

FOLDER holds the files that SETS names, which are downloaded without it (see data.py); the other series come with
statsmodels. Every set is cut a twentieth (or one horizon) apart; what follows a cut is held out. All else is left at
its defaults, without the linear model. A line of JSON is added to the file for every training; what is in it is not
done again. The table compares pairs of the same set, cut and seed.
"""

import argparse
import importlib
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from data import fetch

VARIANTS: dict[str, dict[str, Any]] = {
    "none": {"attention": "none"},
    "additive": {"attention": "additive", "lags": False},
    "lags": {},
}
LONGEST = 20_000  # last rows of a long series


class Set(NamedTuple):
    """Where a set comes from, and how far ahead it is forecast."""

    file: str  # as data.py calls it, or module:column of statsmodels.datasets
    horizon: int
    columns: tuple[str, ...] = ()


SETS = {
    "co2": Set("co2:co2", 52),
    "airline": Set("classic_univariate/airline-passengers.csv", 12),
    "temperatures": Set("classic_univariate/daily-min-temperatures.csv", 30),
    "gasoline": Set("classic_univariate/us_gasoline.csv", 26),
    "sunspots": Set("classic_univariate/monthly-sunspots.csv", 24),
    "sea": Set("elnino:", 12),
    "output": Set("macrodata:realgdp", 8),
    "unemployment": Set("macrodata:unemp", 8),
    "nile": Set("nile:volume", 5),
    "equipment": Set("elec_equip:", 12),
    "bicycles by day": Set("bike_sharing/day.csv", 14, ("dteday", "cnt")),
    "bicycles by hour": Set("bike_sharing/hour.csv", 24),
    "exchange": Set("exchange_rate/exchange_rate.txt.gz", 24),
    "ETTh1": Set("ett/ETTh1.csv", 96, ("date", "HUFL", "OT")),
    "AEP": Set("pjm_hourly/AEP_hourly.csv", 24),
    "PJME": Set("pjm_hourly/PJME_hourly.csv", 24),
    "Beijing": Set("beijing_pm25/PRSA_data_2010.1.1-2014.12.31.csv", 24),
    "M4 hourly": Set("m4/Hourly-train.csv", 48),
}


def read(folder: Path | None, name: str) -> pd.DataFrame:
    """Return a set as a table with the times in ``ds``."""
    one = SETS[name]
    if ":" in one.file:
        return from_statsmodels(*one.file.split(":"))
    path = fetch(one.file, folder)
    if name == "exchange":
        table = pd.read_csv(path, header=None).iloc[:, :3].add_prefix("rate ")
        return table.assign(ds=pd.date_range("1990-01-01", periods=len(table)))
    table = pd.read_csv(path)
    if name == "M4 hourly":
        rows = table.iloc[np.linspace(0, len(table) - 1, 20).astype(int)].set_index("V1")
        long = rows.stack().rename("y").rename_axis(["unique_id", "step"]).reset_index()
        return long.assign(ds=pd.Timestamp("2015") + pd.to_timedelta(long.groupby("unique_id").cumcount(), unit="h"))[
            ["unique_id", "ds", "y"]
        ]
    if name == "bicycles by hour":
        hours = pd.to_datetime(table["dteday"]) + pd.to_timedelta(table["hr"], unit="h")
        return pd.DataFrame({"ds": hours, "y": table["cnt"].astype(float)})
    if name == "Beijing":
        times = pd.to_datetime(table[["year", "month", "day", "hour"]])
        return pd.DataFrame({"ds": times, "y": table["pm2.5"]}).iloc[24 : LONGEST + 24]
    table = table[list(one.columns)] if one.columns else table
    table = table.rename(columns={table.columns[0]: "ds"}).assign(ds=lambda all: pd.to_datetime(all["ds"]))
    return table.groupby("ds").mean().reset_index().iloc[-LONGEST:]


def from_statsmodels(module: str, column: str) -> pd.DataFrame:
    """Return one of the series that come with statsmodels."""

    data = importlib.import_module(f"statsmodels.datasets.{module}").load().data
    if module == "co2":
        return data.rename_axis("ds").reset_index()
    if module == "elnino":
        values, first, frequency = data.iloc[:, 1:].to_numpy().ravel(), "1950-01-01", "MS"
    elif module == "macrodata":
        values, first, frequency = data[column].to_numpy(), "1959-01-01", "QS"
    elif module == "nile":
        values, first, frequency = data[column].to_numpy(), "1871-01-01", "YS"
    else:
        values, first, frequency = data.to_numpy()[:, -1].astype(float), "1996-01-01", "MS"
    return pd.DataFrame({"ds": pd.date_range(first, periods=len(values), freq=frequency), "y": values})


def run(folder: Path | None, name: str, cut: int, seed: int, variant: str) -> dict[str, Any]:
    """Train one network before a cut and judge it after."""
    import torch

    from recurra.settings import make_config
    from recurra.tasks.forecast.kind import KIND
    from recurra.tasks.session import Session
    from recurra.verbs.common import Source, judge, prepare

    torch.set_num_threads(1)
    table, horizon = read(folder, name), SETS[name].horizon
    keys = ["unique_id"] if "unique_id" in table else []
    length = int(table.groupby(keys).size().median()) if keys else len(table)
    size = max(horizon, length // 20)
    kept = table.groupby(keys).head if keys else table.head
    if cut:
        table = (
            table[table.groupby(keys).cumcount(ascending=False) >= cut * size] if keys else kept(length - cut * size)
        )
    config = make_config(KIND.parts, {"horizon": horizon, "combine": False, "seed": seed} | VARIANTS[variant])
    prepared, exam = prepare(KIND, Source(KIND.read(table, config), test_size=size), config)
    session = Session(prepared)
    valid = min(epoch.valid_loss or np.inf for epoch in session.epochs())
    assert exam is not None
    judged = judge(session.fitted, exam)
    record = session.fitted.record
    return {
        "set": name,
        "cut": cut,
        "seed": seed,
        "variant": variant,
        "mase": judged.metrics[judged.name]["mase"],
        "valid_loss": valid,
        "windows": len(prepared.train),
        "best_epoch": record.best_epoch,
        "seconds": round(record.seconds, 1),
    }


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cuts", type=int, default=2)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("attention.jsonl"))
    asked = parser.parse_args()
    lines = asked.out.read_text(encoding="utf-8").splitlines() if asked.out.exists() else []
    done = [json.loads(line) for line in lines]
    known = {(one["set"], one["cut"], one["seed"], one["variant"]) for one in done}
    wanted = [
        (name, cut, seed, variant)
        for seed in range(asked.seeds)
        for cut in range(asked.cuts)
        for name in reversed(asked.sets.split(","))  # long ones first
        for variant in VARIANTS
    ]
    with ProcessPoolExecutor(asked.jobs) as pool:
        jobs = [pool.submit(partial(run, asked.folder), *one) for one in wanted if one not in known]
        for job in as_completed(jobs):
            done.append(job.result())
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[-1]) + "\n")
    print("\n".join(compared(pd.DataFrame(done), asked.sets.split(","))))


def compared(done: pd.DataFrame, names: list[str]) -> Iterator[str]:
    """Return the lines of the table: MASE with lags over that of the others, per set and over all of them."""
    wide = done.pivot(index=["set", "cut", "seed"], columns="variant", values="mase")
    yield "| set | pairs | additive / none | lags / none | lags / additive | p |"
    yield "|---|---|---|---|---|---|"
    means = []
    for name in names:
        logs = np.log(wide.loc[name])
        pairs = {of: (logs[of[0]] - logs[of[1]]).dropna() for of in (("additive", "none"), ("lags", "none"), OURS)}
        means.append({of: values.mean() for of, values in pairs.items()})
        told = [f"{np.exp(values.mean()):.3f}" for values in pairs.values()]
        yield f"| {name} | {len(pairs[OURS])} | {' | '.join(told)} | {chance(pairs[OURS].to_numpy()):.3f} |"
    every = pd.DataFrame(means)
    told = [f"**{np.exp(every[of].mean()):.3f}** (p {chance(every[of].to_numpy()):.3f})" for of in every]
    yield f"| mean of {len(names)} sets | | {' | '.join(told)} | |"


OURS = ("lags", "additive")


def chance(differences: np.ndarray, draws: int = 20_000) -> float:
    """Return how likely a mean so far from zero is if every sign were drawn by lot."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (draws, len(differences)))
    drawn = np.abs((signs * differences).mean(1))
    return float((1 + (drawn >= abs(differences.mean()) - 1e-15).sum()) / (draws + 1))


if __name__ == "__main__":
    main()

"""Two honest tables: demand like that of taxis, which has much to learn, and daily closes, which have next to nothing.

    python benchmarks/accuracy/taxis_and_stocks.py [FOLDER] [--seeds 3] [--sets ..] [--out FILE]

"taxis" is simulated here: half-hourly counts with the shape of a day and of a week, public holidays, bursts of rain, a
day of strike, and noise that grows with the level; 48 steps ahead. "rates" are the eight exchange rates of Lai et al.
2018 (https://arxiv.org/abs/1703.07015), the last of them, from FOLDER or as data.py has it; "closes" are eight
simulated prices, geometric random walks whose volatility clusters, a GARCH(1,1) of Bollerslev 1986; 1, 5 and 20 days
ahead. Of closes nothing can be forecast but how wide the intervals are, as the mean of what follows is the last value,
or nearly so, and of rates hardly more. A line of JSON is added to ``--out`` (taxis_and_stocks.jsonl) for every fit,
with the error of every origin; what is in it already is not done again.

Shapes: T steps, N series.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from data import fetch
from fits import Fit, Fits, every

from recurra.compare.significance import diebold_mariano, interval_of_difference
from recurra.settings import make_config
from recurra.tasks.forecast.exam import Guess
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.metrics import loss_per_origin
from recurra.tasks.session import Session
from recurra.verbs.common import Source, ignore, judge, prepare

DAY = 48  # half hours
TAXI_DAYS, TAXI_TEST = 224, 28
CLOSES, STOCKS, STOCK_TEST = 1_250, 8, 250
LAST = "repeat last"
KEPT = ("mase", "mae", "crps", "coverage_80")
ROWS = ("this model", "network", LAST, "seasonal naive", "seasonal naive + drift", "linear", "ets", "theta")


class Set(NamedTuple):
    """What is forecast, and how far."""

    of: str
    horizon: int
    test: int


SETS = {"taxis": Set("taxis", DAY, TAXI_TEST * DAY)}
SETS |= {f"{of} {h}": Set(of, h, STOCK_TEST) for h in (1, 5, 20) for of in ("rates", "closes")}


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--out", type=Path, default=Path("taxis_and_stocks.jsonl"))
    asked = parser.parse_args()
    names = asked.sets.split(",")

    def fit(name: str, seed: int) -> Fit:
        return run(table_of(SETS[name].of, asked.folder), SETS[name], seed)

    wanted = [(name, seed) for seed in range(asked.seeds) for name in names]
    done = every(asked.out, ("set", "seed"), wanted, fit)
    walks = {name: walk(table_of(SETS[name].of, asked.folder), SETS[name]) for name in names if name != "taxis"}
    print("\n".join(table(done, walks, names, asked.seeds)))


def table_of(name: str, folder: Path | None) -> pd.DataFrame:
    """Return the series of this name, a column each."""
    if name == "taxis":
        return taxis()
    if name == "closes":
        return closes()
    rates = pd.read_csv(fetch("exchange_rate/exchange_rate.txt.gz", folder), header=None)[-CLOSES:]
    return rates.set_axis([f"rate{n}" for n in range(rates.shape[1])], axis=1).reset_index(drop=True)


def taxis(seed: int = 0) -> pd.DataFrame:
    """Return counts of rides by half hours: ``level · day(weekday) · growth · rain · special days``, with noise.

    The noise is a Poisson count whose mean has a gamma factor of variance 0.01, so it grows with the level. Neither
    rain nor holidays nor the strike are told to a forecaster; one holiday lies in the test.
    """
    draw = np.random.default_rng(seed)
    steps = np.arange(TAXI_DAYS * DAY)
    hour, day = steps % DAY / 2, steps // DAY
    weekday = day % 7

    def peak(at: float, width: float) -> np.ndarray:
        return np.exp(-0.5 * (((hour - at + 12) % 24 - 12) / width) ** 2)

    work = 0.25 + 0.9 * peak(8.5, 1.5) + 0.5 * peak(13, 3) + 1.1 * peak(18.5, 2.2)
    free = 0.3 + 0.7 * peak(13.5, 3.5) + 0.8 * peak(19.5, 2.5) + 0.7 * peak(0.5, 2)
    night_out = np.where(np.isin(weekday, (4, 5)), 1 + 0.6 * peak(23, 2), 1.0)
    holidays = [*draw.choice(TAXI_DAYS - TAXI_TEST, 5, replace=False), TAXI_DAYS - 10]
    shape = np.where((weekday >= 5) | np.isin(day, holidays), free, work) * night_out
    growth = 1 + 0.2 * steps / len(steps) + 0.08 * np.sin(2 * np.pi * day / 91)
    rain = np.ones(len(steps))
    for start in np.flatnonzero(draw.random(len(steps)) < 0.5 / DAY):  # a burst every second day, of 1 to 6 hours
        rain[start : start + draw.integers(2, 13)] = draw.uniform(1.15, 1.6)
    strike = np.where(day == TAXI_DAYS // 2, 0.15, 1.0)
    mean = 300 * shape * growth * rain * strike
    counts = draw.poisson(mean * draw.gamma(100, 1 / 100, len(steps)))
    times = pd.date_range("2025-01-06", periods=len(steps), freq="30min")
    return pd.DataFrame({"ds": times, "rides": counts.astype(float)})


def closes(seed: int = 0) -> pd.DataFrame:
    """Return prices of days: ``log p(t) = log p(t−1) + r(t)``, ``r = √v z``, ``v(t) = ω + 0.08 r(t−1)² + 0.9 v(t−1)``.

    ``z`` is Student's t with 6 degrees of freedom and variance 1; ω makes 1.2 % the usual move of a day.
    """
    draw = np.random.default_rng(seed)
    usual = np.full(STOCKS, 0.012**2)
    variance, moves = usual, []
    for _ in range(CLOSES):
        move = np.sqrt(variance) * draw.standard_t(6, STOCKS) * np.sqrt(4 / 6)
        variance = 0.02 * usual + 0.08 * move**2 + 0.9 * variance
        moves.append(move)
    return pd.DataFrame(100 * np.exp(np.cumsum(moves, 0)), columns=[f"stock{n}" for n in range(STOCKS)])


def run(series: pd.DataFrame, one: Set, seed: int) -> Fit:
    """Train on all but the last rows with default settings, and judge every answer on them."""
    before = os.times()
    config = make_config(KIND.parts, {"horizon": one.horizon, "seed": seed})
    prepared, exam = prepare(KIND, Source(KIND.read(series, config), test_size=one.test), config)
    session = Session(prepared)
    epochs = sum(1 for _ in session.epochs())
    assert exam is not None
    session.fit_baselines(ignore)
    judged = judge(session.fitted, exam)
    after = os.times()
    return {
        "metrics": {label: {m: round(row[m], 6) for m in KEPT if m in row} for label, row in judged.metrics.items()},
        "origins": {label: loss_per_origin(said).round(5).tolist() for label, said in judged.statistics.items()},
        "overlap": exam.truth.overlap,
        "season": session.fitted.learned.layout.season,
        "parameters": session.fitted.record.parameters,
        "answer": session.fitted.record.answer,
        "epochs": epochs,
        "cpu_seconds": round(after.user + after.system - before.user - before.system, 1),
    }


def walk(series: pd.DataFrame, one: Set) -> dict[str, float]:
    """Return the metrics of the last value with intervals: what it was multiplied by in as many steps before the test.

    They are the plainest ones that a close can have, and what those of a network must beat.
    """
    config = make_config(KIND.parts, {"horizon": one.horizon})
    _, exam = prepare(KIND, Source(KIND.read(series, config), test_size=one.test), config)
    assert exam is not None
    truth, values = exam.truth, series.to_numpy()  # (T, N)
    known, last = values[: -one.test], values[truth.origins - 1, truth.series]
    levels = config.task.levels
    shares = [(100 + sign * level) / 200 for level in levels for sign in (-1, 1)]
    steps = [np.quantile(known[h:] / known[:-h], shares, axis=0) for h in range(1, one.horizon + 1)]
    ends = np.stack(steps, 1)[..., truth.series].swapaxes(1, 2)[..., None] * last[:, None, None]  # (ends, W, H, 1)
    bands = {level: (ends[2 * n], ends[2 * n + 1]) for n, level in enumerate(levels)}
    guess = Guess(np.broadcast_to(last[:, None, None], truth.values.shape), bands)
    said = KIND.statistics(truth, guess)
    return {metric.name: metric.of(said) for metric in KIND.metrics(config) if metric.name in KEPT}


def table(done: Fits, walks: dict[str, dict[str, float]], names: Sequence[str], seeds: int) -> Iterator[str]:
    """Return the lines of the table: means over seeds, and of MASE how far it is from that of the last value."""
    yield "| set, steps ahead | answer | MASE | less than the last value (95 %) | p | CRPS | in 80 % band | CPU s |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in names:
        runs = [done[name, seed] for seed in range(seeds)]
        seconds = f"{np.mean([one['cpu_seconds'] for one in runs]):.0f}"
        for label in (label for label in ROWS if label in runs[0]["metrics"]):
            mean = {m: np.mean([one["metrics"][label][m] for one in runs]) for m in runs[0]["metrics"][label]}
            inside = f"{100 * mean['coverage_80']:.1f} %" if "coverage_80" in mean else ""
            yield (
                f"| {name} | {label} | {mean['mase']:.4f} | {beside_last(runs, label)} | {mean['crps']:.5g} | "
                f"{inside} | {seconds if label == ROWS[0] else ''} |"
            )
            if label == LAST and name in walks:
                plain = walks[name]
                yield (
                    f"| {name} | {LAST}, past changes | {plain['mase']:.4f} | – | – | {plain['crps']:.5g} | "
                    f"{100 * plain['coverage_80']:.1f} % | |"
                )


def beside_last(runs: Sequence[Fit], label: str) -> str:
    """Return two cells: how much less the error is than that of the last value, over origins, and the p-value."""
    if label == LAST:
        return "– | –"
    last, own = (np.mean([one["origins"][which] for one in runs], 0) for which in (LAST, label))
    less, half = interval_of_difference(last, own, runs[0]["overlap"])
    p = diebold_mariano(last, own, runs[0]["overlap"])
    return f"{less:+.4f} ({less - half:+.4f} to {less + half:+.4f}) | {p:.2g}"


if __name__ == "__main__":
    main()

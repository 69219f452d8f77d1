"""Do attention and hybrid cells help a forecaster? Eight cells by five attentions at equal parameters.

    python benchmarks/accuracy/does_it_help.py FOLDER [--sets co2,sunspots] [--seeds 5] [--out FILE] [--picture FILE]

FOLDER holds daily-min-temperatures.csv, monthly-sunspots.csv, us_gasoline.csv and airline-passengers.csv, day.csv of the
Bike Sharing set, ETTh1.csv and ETTm1.csv, packed as .xz or not, or has them in classic_univariate/, bike_sharing/ and
ett/; weekly CO2 comes with statsmodels. On the six quick sets every cell meets every attention, on ETTh1 and ETTm1 every cell meets none and the attention with the best mean rank on the
validation parts of the quick sets. All have as many parameters as the default of the set, as near as a hidden size
gets. A line of JSON is added to ``--out`` (does_it_help.jsonl) for every fit; what is in it already is not done again.
At the end the tables of docs/does-it-help.md are printed and its picture is drawn.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from fits import Fit, Fits, every
from simple import co2

from recurra.compare.significance import interval_of_mean
from recurra.settings import make_config
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.session import Session
from recurra.verbs.common import Source, judge_network, prepare
from recurra.verbs.compare import equalise, make_recipes

CELLS: dict[str, Any] = {
    "rnn": "rnn",
    "lstm": "lstm",
    "gru": "gru",
    "coupled": "coupled",
    "lstm_gru": "lstm_gru",
    "lstm_gru_full": "lstm_gru_full",
    "parallel": "parallel",
    "stacked": ("lstm", "gru"),
}
ATTENTIONS: dict[str, dict[str, Any]] = {
    "none": {"attention": "none"},
    "additive": {"attention": "additive", "lags": False},
    "scaled_dot": {"attention": "scaled_dot", "lags": False},
    "multi_head": {"attention": "multi_head", "heads": 2, "lags": False},  # sizes are multiples of the heads
    "lag-aware": {"attention": "scaled_dot", "lags": True},
}
DEFAULT = ("gru", "lag-aware")
SEEDS = 5


class Set(NamedTuple):
    """One set, and what is asked of it."""

    file: str
    settings: dict[str, Any]
    test: int = 0  # last values that judge; a fifth if zero
    rows: int | None = None  # that are used


def _ett(per_hour: int, file: str) -> Set:
    month = 720 * per_hour
    usual = {"horizon": 96, "lookback": 336, "validation_size": 4 * month, "last_epochs": 0}
    return Set(file, usual, 4 * month, 20 * month)


QUICK = {
    "co2": Set("", {"horizon": 52}),
    "temperatures": Set("daily-min-temperatures.csv", {"horizon": 30}),
    "gasoline": Set("us_gasoline.csv", {"horizon": 26}),
    "sunspots": Set("monthly-sunspots.csv", {"horizon": 24}),
    "airline": Set("airline-passengers.csv", {"horizon": 12}, 36),
    "bicycles": Set("day.csv", {"horizon": 14, "target": "cnt", "time": "dteday"}),
}
LARGE = {"ETTh1": _ett(1, "ETTh1.csv"), "ETTm1": _ett(4, "ETTm1.csv")}
SETS = QUICK | LARGE


def main() -> None:
    """Run what is not done yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--out", type=Path, default=Path("does_it_help.jsonl"))
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    names, grid = asked.sets.split(","), Grid(asked.folder)
    done: Fits = {}
    for some in ([n for n in names if n in QUICK], [n for n in names if n in LARGE]):
        attentions = list(ATTENTIONS) if some and some[0] in QUICK else ["none", best_attention(done, asked.seeds)]
        wanted = [(n, c, a, s) for s in range(asked.seeds) for n, c, a in product(some, CELLS, attentions)]
        done |= every(asked.out, ("set", "cell", "attention", "seed"), wanted, grid.fit)
    print("\n".join(tables(done, names, asked.seeds)))
    if asked.picture is not None:
        asked.picture.write_text(critical_difference(done, [n for n in names if n in QUICK], asked.seeds))


class Grid:
    """Trains one model of the grid at a time; each set is read once, and sizes are equalled once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.read: dict[str, tuple[Source, dict[str, Any]]] = {}

    def fit(self, name: str, cell: str, attention: str, seed: int) -> Fit:
        """Train one model on a set, and judge it on the end of the set."""
        source, candidates = self._of(name)
        config = make_config(KIND.parts, candidates[f"{cell} + {attention}"].settings | {"seed": seed})
        before = os.times()
        prepared, exam = prepare(KIND, source, config)
        session = Session(prepared)
        epochs = sum(1 for _ in session.epochs())
        assert exam is not None
        metrics = judge_network(session.fitted, exam, "network").metrics
        after = os.times()
        return {
            "hidden_size": prepared.config.model.hidden_size,
            "parameters": session.fitted.record.parameters,
            "valid_loss": round(session.progress.best_loss, 6),
            "network": _kept(metrics["network"]),
            "combined": _kept(metrics.get("network, combined", metrics["network"])),
            "epochs": epochs,
            "cpu_seconds": round(after.user + after.system - before.user - before.system, 1),
        }

    def _of(self, name: str) -> tuple[Source, dict[str, Any]]:
        if name not in self.read:
            one = SETS[name]
            with tempfile.TemporaryDirectory() as place:
                path = _found(self.folder, one.file) if one.file else co2(Path(place))
                data = KIND.read(str(path), make_config(KIND.parts, one.settings), most=one.rows)
            source = Source(data, one.test or max(map(len, data.values)) // 5)
            cells = sorted(product(CELLS, ATTENTIONS), key=lambda pair: pair != DEFAULT)  # the first one is the goal
            recipes = [(f"{c} + {a}", {"cell": CELLS[c], **ATTENTIONS[a]}) for c, a in cells]
            equal = equalise(KIND, source, make_recipes(KIND, one.settings, recipes, ()))
            self.read[name] = source, {candidate.label: candidate for candidate in equal}
        return self.read[name]


def _kept(metrics: dict[str, float]) -> dict[str, float]:
    return {name: round(metrics[name], 5) for name in ("mase", "mae", "rmse", "scaled_mse", "scaled_mae")}


def _found(folder: Path, file: str) -> Path:
    places = (folder, folder / "classic_univariate", folder / "bike_sharing", folder / "ett")
    return next(one for place in places for one in sorted(place.glob(f"{file}*")))


def best_attention(done: Fits, seeds: int) -> str:
    """Return the attention of the best mean rank on the validation parts of the quick sets."""
    losses = by_attention(done, list(QUICK), seeds, "valid_loss")
    ranks = losses[:, :, 1:].argsort(-1).argsort(-1).mean((0, 1))
    return list(ATTENTIONS)[1:][int(ranks.argmin())]


def by_attention(done: Fits, names: Sequence[str], seeds: int, what: str) -> np.ndarray:
    """Return a number of each fit, mean over seeds: by set, cell and attention."""

    def one(name: str, cell: str, attention: str) -> float:
        fits = [done[name, cell, attention, seed] for seed in range(seeds)]
        return float(np.mean([fit[what] if what in fit else fit["network"][what] for fit in fits]))

    return np.array([[[one(n, c, a) for a in ATTENTIONS] for c in CELLS] for n in names])


if __name__ == "__main__":
    main()

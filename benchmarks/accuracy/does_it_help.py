"""Do attention and hybrid cells help a forecaster? Eight cells by five attentions at equal parameters.

    python benchmarks/accuracy/does_it_help.py [FOLDER] [--sets co2,sunspots] [--seeds 5] [--out FILE] [--picture FILE]

FOLDER holds daily-min-temperatures.csv, monthly-sunspots.csv, us_gasoline.csv, airline-passengers.csv, day.csv of the
Bike Sharing set, ETTh1.csv and ETTm1.csv, which are downloaded without it (see data.py); weekly CO2 comes with
statsmodels. On the six quick sets every cell meets every attention, on ETTh1 and ETTm1 every cell meets none and the
attention of the best mean rank on the validation parts of the quick sets. All have as many parameters as the default of
the set, as near as a hidden size gets. A line of JSON is added to ``--out`` (does_it_help.jsonl) for every fit; what is
in it already is not done again. At the end the tables of docs/does-it-help.md are printed and its picture is drawn.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from data import fetch
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
# Of the large sets: no worse on validation than the defaults (128 units, 1e-3, 10), and three times as fast.
QUICKER = {"hidden_size": 48, "learning_rate": 3e-3, "patience": 5}


class Set(NamedTuple):
    """One set, and what is asked of it."""

    file: str
    settings: dict[str, Any]
    test: int = 0  # last values that judge; a fifth if zero
    rows: int | None = None  # that are used


def _ett(per_hour: int, file: str) -> Set:
    month = 720 * per_hour
    asked = {"horizon": 96, "lookback": 336, "validation_size": 4 * month, "last_epochs": 0}
    return Set(file, asked | QUICKER, 4 * month, 20 * month)


QUICK = {
    "co2": Set("", {"horizon": 52}),
    "temperatures": Set("classic_univariate/daily-min-temperatures.csv", {"horizon": 30}),
    "gasoline": Set("classic_univariate/us_gasoline.csv", {"horizon": 26}),
    "sunspots": Set("classic_univariate/monthly-sunspots.csv", {"horizon": 24}),
    "airline": Set("classic_univariate/airline-passengers.csv", {"horizon": 12}, 36),
    "bicycles": Set("bike_sharing/day.csv", {"horizon": 14, "target": "cnt", "time": "dteday"}),
}
LARGE = {"ETTh1": _ett(1, "ett/ETTh1.csv"), "ETTm1": _ett(4, "ett/ETTm1.csv")}
SETS = QUICK | LARGE


def main() -> None:
    """Run what is not done yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
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

    def __init__(self, folder: Path | None):
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
                path = fetch(one.file, self.folder) if one.file else co2(Path(place))
                data = KIND.read(str(path), make_config(KIND.parts, one.settings), most=one.rows)
            source = Source(data, one.test or max(map(len, data.values)) // 5)
            cells = sorted(product(CELLS, ATTENTIONS), key=lambda pair: pair != DEFAULT)  # the first one is the goal
            recipes = [(f"{c} + {a}", {"cell": CELLS[c], **ATTENTIONS[a]}) for c, a in cells]
            equal = equalise(KIND, source, make_recipes(KIND, one.settings, recipes, ()))
            self.read[name] = source, {candidate.label: candidate for candidate in equal}
        return self.read[name]


def _kept(metrics: dict[str, float]) -> dict[str, float]:
    return {name: round(metrics[name], 5) for name in ("mase", "mae", "rmse", "scaled_mse", "scaled_mae")}


def best_attention(done: Fits, seeds: int) -> str:
    """Return the attention of the best mean rank on the validation parts of the quick sets."""
    losses = numbers(done, list(QUICK), seeds, "valid_loss")[..., 1:]
    return list(ATTENTIONS)[1:][int(losses.argsort(-1).argsort(-1).mean((0, 1)).argmin())]


def numbers(done: Fits, names: Sequence[str], seeds: int, what: str, by: str = "network") -> np.ndarray:
    """Return a number of each fit, mean over seeds: by set, cell and attention, NaN where there was none."""

    def one(name: str, cell: str, attention: str) -> float:
        fits = [done.get((name, cell, attention, seed)) for seed in range(seeds)]
        known = [fit.get(what, fit[by].get(what)) for fit in fits if fit is not None]
        return float(np.mean(known)) if known else float("nan")

    return np.array([[[one(n, c, a) for a in ATTENTIONS] for c in CELLS] for n in names])


def tables(done: Fits, names: Sequence[str], seeds: int) -> Iterator[str]:
    """Return the lines of all tables."""
    quick, large = [n for n in names if n in QUICK], [n for n in names if n in LARGE]
    if quick:
        yield from ("", "By cell and attention: MASE relative to the mean of all on a set, geometric mean of sets", "")
        yield from by_pair(numbers(done, quick, seeds, "mase"))
        yield from ("", "The best of each set, and the spread", "")
        yield from by_set(done, quick, seeds)
        yield from ("", "Effects", "")
        yield from effects(done, quick, seeds)
        yield from ("", "What validation would have chosen", "")
        yield from by_pair(numbers(done, quick, seeds, "valid_loss"))
    if large:
        yield from ("", "ETT, scaled MSE", "")
        yield from ett(done, large, seeds)
        yield from ("", "Effects there", "")
        yield from effects_there(done, large, seeds)


def relative(every: np.ndarray) -> np.ndarray:
    """Return errors (sets, cells, attentions) as multiples of the geometric mean of their set."""
    logs = np.log(every)
    return np.exp(logs - logs.mean((1, 2), keepdims=True))


def by_pair(every: np.ndarray) -> Iterator[str]:
    """Return a line for each cell, with every attention."""
    mean = np.exp(np.log(relative(every)).mean(0))
    yield f"| cell | {' | '.join(ATTENTIONS)} | mean |"
    yield "|---" * (len(ATTENTIONS) + 2) + "|"
    for cell, row in zip(CELLS, mean, strict=True):
        yield f"| {cell} | {' | '.join(f'{value:.3f}' for value in row)} | {np.exp(np.log(row).mean()):.3f} |"
    yield f"| mean | {' | '.join(f'{value:.3f}' for value in np.exp(np.log(mean).mean(0)))} | |"


def by_set(done: Fits, names: Sequence[str], seeds: int) -> Iterator[str]:
    """Return a line for each set: the default, the best and the worst, and how much seeds differ."""
    yield "| set | default | best of 40 | worst of 40 | deviation over seeds | default with the linear model |"
    yield "|---|---|---|---|---|---|"
    pairs = list(product(CELLS, ATTENTIONS))
    for name in names:
        flat = numbers(done, [name], seeds, "mase").ravel()
        best, worst = (" + ".join(pairs[int(pick(flat))]) for pick in (np.argmin, np.argmax))
        own = [[done[name, *pair, seed]["network"]["mase"] for seed in range(seeds)] for pair in pairs]
        spread = np.sqrt(np.mean(np.var(own, 1, ddof=1)))
        whole = np.mean([done[name, *DEFAULT, seed]["combined"]["mase"] for seed in range(seeds)])
        default = flat[pairs.index(DEFAULT)]
        yield (
            f"| {name} | {default:.3f} | {flat.min():.3f} ({best}) | {flat.max():.3f} ({worst}) | {spread:.3f} | "
            f"{whole:.3f} |"
        )


def change_in_percent(logs: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of differences of logarithms as a change in percent, between the ends of its 95 % interval."""
    mean, half = logs.mean(), interval_of_mean(logs)
    low, middle, high = (float(100 * np.expm1(mean + part)) for part in (-half, 0, half))
    return low, middle, high


def effects(done: Fits, names: Sequence[str], seeds: int) -> Iterator[str]:
    """Return a line for each attention beside none and each cell beside the GRU: the error by sets, with its chance."""
    logs = np.log(numbers(done, names, seeds, "mase"))
    cells, looks = list(CELLS), list(ATTENTIONS)
    found = {f"{one} instead of none": logs[..., n] - logs[..., 0] for n, one in enumerate(looks) if n}
    usual = cells.index("gru")
    found |= {f"{one} instead of gru": logs[:, n] - logs[:, usual] for n, one in enumerate(cells) if n != usual}
    yield "| effect | error | 95 % interval over sets | sets better / worse |"
    yield "|---|---|---|---|"
    for said, each in found.items():
        by_sets = each.mean(1)
        low, middle, high = change_in_percent(by_sets)
        better, worse = (by_sets < 0).sum(), (by_sets > 0).sum()
        yield f"| {said} | {middle:+.1f} % | {low:+.1f} to {high:+.1f} % | {better} / {worse} |"


def ett(done: Fits, names: Sequence[str], seeds: int) -> Iterator[str]:
    """Return a line for each cell on the large sets, without attention and with the one that was chosen."""
    every = numbers(done, names, seeds, "scaled_mse")
    chosen = int(np.flatnonzero(np.isfinite(every[0, 0]))[-1])
    yield f"| cell | {' | '.join(f'{n}, none | {n}, {list(ATTENTIONS)[chosen]}' for n in names)} |"
    yield "|---" * (2 * len(names) + 1) + "|"
    for cell, row in zip(CELLS, every.transpose(1, 0, 2), strict=True):
        yield f"| {cell} | {' | '.join(f'{one[0]:.4f} | {one[chosen]:.4f}' for one in row)} |"


def effects_there(done: Fits, names: Sequence[str], seeds: int) -> Iterator[str]:
    """Return a line for the attention and for each cell beside the GRU: by set, with the chance of seeds."""
    cells, looks = list(CELLS), ["none", next(key[2] for key in done if key[0] in LARGE and key[2] != "none")]
    every = np.array(
        [
            [[[done[n, c, a, s]["network"]["scaled_mse"] for a in looks] for c in cells] for s in range(seeds)]
            for n in names
        ]
    )
    logs, usual = np.log(every), cells.index("gru")
    found = {f"{looks[1]} instead of none": (logs[..., 1] - logs[..., 0]).mean(2)}
    found |= {
        f"{c} instead of gru": (logs[:, :, n] - logs[:, :, usual]).mean(2) for n, c in enumerate(cells) if n != usual
    }
    yield f"| effect | {' | '.join(names)} |"
    yield "|---" * (len(names) + 1) + "|"
    for said, each in found.items():  # (sets, seeds)
        shares = []
        for by_seed in each:
            low, middle, high = change_in_percent(by_seed)
            shares.append(f"{middle:+.1f} % ({low:+.1f} to {high:+.1f})")
        yield f"| {said} | {' | '.join(shares)} |"


class Ranks(NamedTuple):
    """Mean ranks of models over sets (Demšar 2006): Friedman's test, and how far two lie apart by more than chance."""

    mean: dict[str, float]
    p: float
    distance: float  # the critical difference of Nemenyi's test at 5 %

    @classmethod
    def of(cls, errors: dict[str, np.ndarray]) -> "Ranks":
        """Rank models by their ``errors`` on each set (sets,)."""
        from scipy import stats

        table = np.stack(list(errors.values()), 1)
        ranks = stats.rankdata(table, axis=1)
        sets, models = table.shape
        q = stats.studentized_range.ppf(0.95, models, np.inf) / np.sqrt(2)
        distance = float(q * np.sqrt(models * (models + 1) / (6 * sets)))
        p = float(stats.friedmanchisquare(*table.T).pvalue)
        return cls(dict(zip(errors, ranks.mean(0).tolist(), strict=True)), p, distance)


def critical_difference(done: Fits, names: Sequence[str], seeds: int) -> str:
    """Return a picture, SVG: mean ranks of attentions and of cells, and which of them chance may have ordered."""
    every = numbers(done, names, seeds, "mase")
    logs = np.log(every)
    looks = Ranks.of({one: logs[..., n].mean(1) for n, one in enumerate(ATTENTIONS)})
    cells = Ranks.of({one: logs[:, n].mean(1) for n, one in enumerate(CELLS)})
    parts = [drawn("attentions, each the mean of eight cells", looks, 0, len(names))]
    parts.append(drawn("cells, each the mean of five attentions", cells, 230, len(names)))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 500" font-family="sans-serif" font-size="14">\n'
        f'<rect width="760" height="500" fill="white"/>\n{"".join(parts)}</svg>\n'
    )


def drawn(title: str, ranks: Ranks, top: int, sets: int) -> str:
    """Return one scale of ranks, the best on the left, with bars over those that chance may have ordered."""
    count, order = len(ranks.mean), sorted(ranks.mean, key=lambda one: ranks.mean[one])
    place = {one: 170 + 420 * (ranks.mean[one] - 1) / (count - 1) for one in order}
    width, line = 420 * ranks.distance / (count - 1), top + 70
    p = f"p = {ranks.p:.2f}" if ranks.p >= 0.01 else f"p = {ranks.p:.1g}"
    said = [f'<text x="20" y="{top + 24}" font-weight="bold">{title} ({sets} sets; Friedman {p})</text>']
    said.append(f'<path d="M170 {line}H590" stroke="black"/>')
    for rank in range(1, count + 1):
        x = 170 + 420 * (rank - 1) / (count - 1)
        said.append(f'<path d="M{x:.0f} {line}v-6" stroke="black"/>')
        said.append(f'<text x="{x:.0f}" y="{line - 10}" text-anchor="middle" font-size="12">{rank}</text>')
    said.append(f'<path d="M170 {line - 30}h{width:.0f}" stroke="#b00" stroke-width="3"/>')
    said.append(f'<text x="{180 + width:.0f}" y="{line - 25}" font-size="12" fill="#b00">critical difference</text>')
    half = (count + 1) // 2
    for n, one in enumerate(order):
        left, row = n < half, n if n < half else count - 1 - n
        y, edge = line + 40 + 20 * row, 150 if left else 610
        anchor = "end" if left else "start"
        said.append(f'<path d="M{place[one]:.0f} {line}V{y}H{edge}" stroke="#555" fill="none"/>')
        at = edge - 5 if left else edge + 5
        said.append(f'<text x="{at}" y="{y + 5}" text-anchor="{anchor}">{one} {ranks.mean[one]:.1f}</text>')
    for n, (first, last) in enumerate(alike(ranks, order)):
        y = line + 8 + 7 * n
        path = f"M{place[first] - 4:.0f} {y}H{place[last] + 4:.0f}"
        said.append(f'<path d="{path}" stroke="#36c" stroke-width="4"/>')
    return "\n".join(said) + "\n"


def alike(ranks: Ranks, order: Sequence[str]) -> list[tuple[str, str]]:
    """Return the longest runs of models that lie no further apart than the critical difference."""
    found: list[tuple[int, int]] = []
    for first in range(len(order)):
        near = [n for n, one in enumerate(order) if ranks.mean[one] - ranks.mean[order[first]] <= ranks.distance]
        if max(near) > first and (not found or max(near) > found[-1][1]):
            found.append((first, max(near)))
    return [(order[first], order[last]) for first, last in found]


if __name__ == "__main__":
    main()

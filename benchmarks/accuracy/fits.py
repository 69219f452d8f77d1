"""Trainings of a benchmark: one command of recurra each, kept as a line of JSON, so that none is done twice."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Fit = dict[str, Any]
Fits = dict[tuple[Any, ...], Fit]


def kept(path: Path, *keys: str) -> Fits:
    """Return the fits that are done, by what tells them apart."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {tuple(one[key] for key in keys): one for one in map(json.loads, lines)}


def keep(path: Path, fit: Fit) -> Fit:
    """Add a fit to those that are done; return it."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(fit) + "\n")
    return fit


def every(path: Path, keys: Sequence[str], wanted: Iterable[tuple[Any, ...]], fit: Callable[..., Fit]) -> Fits:
    """Return the fits that are ``wanted``, each told apart by its ``keys``; do those that are missing."""
    done = kept(path, *keys)
    for one in wanted:
        if one not in done:
            done[one] = keep(path, dict(zip(keys, one, strict=True)) | fit(*one))
    return done


def every_seed(path: Path, key: str, names: Sequence[str], seeds: int, fit: Callable[[str, int], Fit]) -> Fits:
    """Return the fits of all names, which are kept under this ``key``, with all seeds; do those that are missing."""
    return every(path, (key, "seed"), ((name, seed) for seed in range(seeds) for name in names), fit)


class Judged(NamedTuple):
    """What a benchmark of several sets is asked for on its command line."""

    given: Path | None  # folder of the data
    names: list[str]  # of the sets
    seeds: int
    by_test: bool  # else by what settings are chosen by
    out: Path
    settings: list[str]  # that recurra is given

    @property
    def folder(self) -> Path:
        """The folder of data that cannot be had otherwise."""
        if self.given is None:
            raise SystemExit("The folder with the data is missing: name it first, after the script.")
        return self.given

    @property
    def how(self) -> str:
        """What tells fits of one set apart."""
        return f"{'test' if self.by_test else 'validation'} {' '.join(self.settings)}".strip()

    def fits(self, fit: Callable[[str, str, int], Fit]) -> Fits:
        """Return the fits of all sets and seeds; do those that are missing."""
        wanted = [(name, self.how, seed) for seed in range(self.seeds) for name in self.names]
        return every(self.out, ("set", "judge", "seed"), wanted, fit)


def folder_of(left: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Return the folder that ``left`` of a command line begins with, if it does, and the settings after it."""
    if left and not left[0].startswith("-") and "=" not in Path(left[0]).name:
        return Path(left[0]), list(left[1:])
    return None, list(left)


def judged(about: str, sets: Iterable[str], out: str) -> Judged:
    """Read the command line of a benchmark, which is ``about`` these ``sets``."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--judge", choices=("test", "validation"), default="test")
    parser.add_argument("--sets", default=",".join(sets))
    parser.add_argument("--out", type=Path, default=Path(out))
    asked, left = parser.parse_known_args()
    folder, settings = folder_of(left)
    return Judged(folder, asked.sets.split(","), asked.seeds, asked.judge == "test", asked.out, settings)


def trained(task: str, train: Path, test: Path, seed: int, settings: Sequence[str], run: Path) -> Fit:
    """Train for a task on one file and judge on another; return what is kept of every fit, and all of its metrics."""
    command = [sys.executable, "-m", "recurra.cli", "train", str(train), "--task", task]
    command += ["--test-data", str(test), "--seed", str(seed), "--out", str(run), "--json", *settings]
    before = os.times()
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    after = os.times()
    if answer.returncode:
        raise SystemExit(f"{' '.join(command)}\n{answer.stderr}")
    about = json.loads(answer.stdout)["about"]
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {
        "seed": seed,
        "settings": list(settings),
        "metrics": about["metrics"],
        "parameters": about["parameters"],
        "epochs": about["epochs"],
        "cpu_seconds": round(spent, 1),
    }


def classified(train: Path, test: Path, seed: int, settings: Sequence[str], run: Path) -> Fit:
    """Train a classifier on one file and judge it on another; return what a table needs."""
    fit = trained("classify", train, test, seed, settings, run)
    metrics = fit.pop("metrics")
    mine = metrics["this model"]
    return fit | {
        "accuracy": mine["accuracy"],
        "nearest": metrics.get("nearest neighbour", {}).get("accuracy"),  # which texts have not
        "rows": {label: row["accuracy"] for label, row in metrics.items()},
        "f1": mine["macro_f1"],
        "log_loss": mine["log_loss"],
    }


def rows(done: Fits, names: Sequence[str], seeds: int, said: Callable[[str], str] = str) -> Iterator[str]:
    """Return a line of a table for each name: mean and range over seeds, the nearest neighbour, seconds."""
    for name in names:
        runs = [done[name, seed] for seed in range(seeds)]
        scores = [one["accuracy"] for one in runs]
        seconds, span = np.mean([one["cpu_seconds"] for one in runs]), f"{min(scores):.3f} to {max(scores):.3f}"
        yield f"| {said(name)} | {np.mean(scores):.3f} | {span} | {runs[0]['nearest']:.3f} | {seconds:.0f} |"


def mean_row(done: Fits, names: Sequence[str], seeds: int, said: str) -> str:
    """Return the line of the mean over all names."""
    mean = np.mean([done[name, seed]["accuracy"] for name in names for seed in range(seeds)])
    nearest = np.mean([done[name, 0]["nearest"] for name in names])
    return f"| {said} | **{mean:.3f}** | | {nearest:.3f} | |"

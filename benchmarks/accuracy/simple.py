"""The default forecast beside everything simple, on single series: one command of recurra per set, origin and seed.

    python benchmarks/accuracy/simple.py [FOLDER] [--seeds 3] [--out simple.jsonl] [--sets co2,airline] [SETTINGS..]

FOLDER holds airline-passengers.csv, daily-min-temperatures.csv, monthly-sunspots.csv and us_gasoline.csv, which are
downloaded without it (see data.py); weekly CO2 comes with statsmodels. Each series is cut at four places, a twentieth
of it (or one horizon) apart, and what follows is held out: every forecast that fits into it counts. A line of JSON is
added to the file for every training; what is in it already is not done again. Other arguments go to ``recurra train``
as they are.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from data import fetch
from fits import Fit, Fits, every, folder_of

SETS = {  # file and horizon
    "co2": ("", 52),
    "airline": ("airline-passengers.csv", 12),
    "temperatures": ("daily-min-temperatures.csv", 30),
    "gasoline": ("us_gasoline.csv", 26),
    "sunspots": ("monthly-sunspots.csv", 24),
}
CUTS = 4
OURS = ("this model", "network")


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("simple.jsonl"))
    parser.add_argument("--sets", default=",".join(SETS))
    asked, left = parser.parse_known_args()
    folder, settings = folder_of(left)
    names = asked.sets.split(",")

    def fit(name: str, cut: int, seed: int) -> Fit:
        return run(folder, name, cut, seed, settings)

    wanted = product(names, range(CUTS), range(asked.seeds))
    print("\n".join(table(every(asked.out, ("set", "cut", "seed"), wanted, fit), names, asked.seeds)))


def run(folder: Path | None, name: str, cut: int, seed: int, settings: list[str]) -> Fit:
    """Train on what lies before a cut, judge on what follows."""
    file, horizon = SETS[name]
    with tempfile.TemporaryDirectory() as place:
        path = fetch(f"classic_univariate/{file}", folder) if file else co2(Path(place))
        rows = sum(1 for _ in path.open(encoding="utf-8")) - 1
        size = max(horizon, rows // 20)
        command = [sys.executable, "-m", "recurra.cli", "train", str(path), "--horizon", str(horizon), "--json"]
        command += ["--max-rows", str(rows - cut * size), "--test-size", str(size), "--seed", str(seed)]
        before = os.times()
        answer = subprocess.run(
            [*command, "--out", f"{place}/run", *settings], capture_output=True, text=True, check=False
        )
        after = os.times()
    if answer.returncode:
        raise SystemExit(f"{' '.join(command)}\n{answer.stderr}")
    about = json.loads(answer.stdout)["about"]
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    kept = ("mase", "coverage_80", "coverage_90")
    metrics = {label: {m: row[m] for m in kept if m in row} for label, row in about["metrics"].items()}
    return {
        "settings": settings,
        "metrics": metrics,
        "fit_seconds": about["seconds"],
        "cpu_seconds": round(spent, 1),
        "said": about["answer"],
    }


def co2(folder: Path) -> Path:
    """Write weekly CO2 at Mauna Loa to a file."""
    from statsmodels.datasets import co2 as source

    path = folder / "co2.csv"
    source.load_pandas().data.to_csv(path)
    return path


def table(done: Fits, names: list[str], seeds: int) -> Iterator[str]:
    """Return the lines of the table: MASE, mean over cuts and seeds, and the ratio to the best simple row."""
    yield "| set | this model | network alone | best simple row | ratio | 80 % / 90 % intervals | CPU s |"
    yield "|---|---|---|---|---|---|---|"
    ratios = []
    for name in names:
        runs = [done[name, cut, seed] for cut in range(CUTS) for seed in range(seeds)]
        mase = pd.DataFrame([{label: row["mase"] for label, row in one["metrics"].items()} for one in runs]).mean()
        simple = mase.drop(labels=list(OURS), errors="ignore")
        ratios.append(mase["this model"] / simple.min())
        inside = [100 * np.mean([one["metrics"]["this model"][f"coverage_{n}"] for one in runs]) for n in (80, 90)]
        seconds = np.mean([one["cpu_seconds"] for one in runs])
        yield (
            f"| {name} | {mase['this model']:.3f} | {mase.get('network', np.nan):.3f} | {simple.min():.3f} "
            f"({simple.idxmin()}) | {ratios[-1]:.3f} | {inside[0]:.0f} / {inside[1]:.0f} | {seconds:.1f} |"
        )
    mean, worst = np.exp(np.mean(np.log(ratios))), max(ratios)
    yield f"| geometric mean of {len(names)}; worst | | | | **{mean:.3f}**; {worst:.3f} | | |"


if __name__ == "__main__":
    main()

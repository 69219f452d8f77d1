"""Classify the sets of the UCR archive with the default settings: one command of recurra for each set and seed.

    python benchmarks/accuracy/ucr.py FOLDER [--seeds 3] [--out ucr.jsonl] [--sets Adiac,Plane] [SETTINGS..]

FOLDER holds NAME_TRAIN.tsv.xz and NAME_TEST.tsv.xz (https://www.cs.ucr.edu/~eamonn/time_series_data_2018/), or .ts
files. A line of JSON is added to the file for every training; what is in it already is not done again. At the end the
table is printed.
Other arguments go to ``recurra train`` as they are, such as ``--attention none``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Runs = dict[tuple[str, int], dict[str, Any]]


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("ucr.jsonl"))
    parser.add_argument("--sets", default="")
    asked, settings = parser.parse_known_args()
    names = asked.sets.split(",") if asked.sets else sorted(p.name.split("_")[0] for p in asked.folder.glob("*_TRAIN*"))
    done = read(asked.out)
    for seed in range(asked.seeds):
        for name in names:
            if (name, seed) not in done:
                done[name, seed] = run(asked.folder, name, seed, settings)
                with asked.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(done[name, seed]) + "\n")
    print("\n".join(table(done, names, asked.seeds)))


def read(path: Path) -> Runs:
    """Return the trainings that are done."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(one["set"], one["seed"]): one for one in map(json.loads, lines)}


def run(folder: Path, name: str, seed: int, settings: list[str]) -> dict[str, Any]:
    """Train on the official training part, judge on the official test part."""
    train, test = (next(folder.glob(f"{name}_{part}.ts*")) for part in ("TRAIN", "TEST"))
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "recurra.cli", "train", str(train), "--task", "classify"]
        command += ["--test-data", str(test), "--seed", str(seed), "--out", f"{place}/run", "--json", *settings]
        before = os.times()
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        after = os.times()
    if answer.returncode:
        raise SystemExit(f"{' '.join(command)}\n{answer.stderr}")
    about = json.loads(answer.stdout)["about"]
    metrics = {label: row["accuracy"] for label, row in about["metrics"].items()}
    return {
        "set": name,
        "seed": seed,
        "settings": settings,
        "accuracy": metrics["this model"],
        "nearest": metrics["nearest neighbour"],
        "rows": metrics,
        "f1": about["metrics"]["this model"]["macro_f1"],
        "log_loss": about["metrics"]["this model"]["log_loss"],
        "parameters": about["parameters"],
        "epochs": about["epochs"],
        "cpu_seconds": round(after.children_user + after.children_system - before.children_user
                             - before.children_system, 1),
    }  # fmt: skip


def table(done: Runs, names: list[str], seeds: int) -> Iterator[str]:
    """Return the lines of the table: accuracy by set, mean and range over seeds."""
    yield "| set | mean | lowest to highest seed | 1-NN | CPU seconds |"
    yield "|---|---|---|---|---|"
    means, nearest = [], []
    for name in names:
        runs = [done[name, seed] for seed in range(seeds)]
        scores = [one["accuracy"] for one in runs]
        means.append(np.mean(scores))
        nearest.append(runs[0]["nearest"])
        seconds, span = np.mean([one["cpu_seconds"] for one in runs]), f"{min(scores):.3f} to {max(scores):.3f}"
        yield f"| {name} | {means[-1]:.3f} | {span} | {nearest[-1]:.3f} | {seconds:.0f} |"
    yield f"| mean of {len(names)} | **{np.mean(means):.3f}** | | {np.mean(nearest):.3f} | |"


if __name__ == "__main__":
    main()

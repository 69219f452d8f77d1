"""Classify spoken digits with the default settings: one command of recurra for each split and seed.

    python benchmarks/accuracy/spoken_digits.py FOLDER [--seeds 3] [--out spoken_digits.jsonl] [SETTINGS..]

FOLDER holds the recordings of the Free Spoken Digit Dataset, DIGIT_SPEAKER_INDEX.wav
(https://github.com/Jakobovski/free-spoken-digit-dataset). The official split tests on the indices 0 to 4; besides, each
speaker is left out once: all that the others say trains, all that this one says tests. A line of JSON is added to the
file for every training; what is in it already is not done again. At the end the table is printed. Other arguments go to
``recurra train`` as they are, such as ``--attention none``.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

OFFICIAL = "official"
Runs = dict[tuple[str, int], dict[str, Any]]


class Recording(NamedTuple):
    """One file."""

    path: Path
    digit: str
    speaker: str
    index: int


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("spoken_digits.jsonl"))
    asked, settings = parser.parse_known_args()
    recordings = found(asked.folder)
    splits = [OFFICIAL, *sorted({one.speaker for one in recordings})]
    done = read(asked.out)
    for seed in range(asked.seeds):
        for split in splits:
            if (split, seed) not in done:
                done[split, seed] = run(recordings, split, seed, settings)
                with asked.out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(done[split, seed]) + "\n")
    print("\n".join(table(done, splits, asked.seeds)))


def found(folder: Path) -> list[Recording]:
    """Return all recordings."""
    names = [(path, *path.stem.split("_")) for path in sorted(folder.resolve().glob("*.wav"))]
    return [Recording(path, digit, speaker, int(index)) for path, digit, speaker, index in names]


def read(path: Path) -> Runs:
    """Return the trainings that are done."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(one["split"], one["seed"]): one for one in map(json.loads, lines)}


def tests(one: Recording, split: str) -> bool:
    """Tell whether a recording is one to test on."""
    return one.index < 5 if split == OFFICIAL else one.speaker == split


def run(recordings: list[Recording], split: str, seed: int, settings: list[str]) -> dict[str, Any]:
    """Train on one part of the recordings, judge on the other."""
    with tempfile.TemporaryDirectory() as place:
        for part in (False, True):
            with Path(place, "test.csv" if part else "train.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["file", "label"])
                writer.writerows([one.path, one.digit] for one in recordings if tests(one, split) == part)
        command = [sys.executable, "-m", "recurra.cli", "train", f"{place}/train.csv", "--task", "classify"]
        command += ["--test-data", f"{place}/test.csv", "--seed", str(seed), "--out", f"{place}/run", "--json"]
        before = os.times()
        answer = subprocess.run([*command, *settings], capture_output=True, text=True, check=False)
        after = os.times()
    if answer.returncode:
        raise SystemExit(f"{' '.join(command)}\n{answer.stderr}")
    about = json.loads(answer.stdout)["about"]
    metrics = {label: row["accuracy"] for label, row in about["metrics"].items()}
    return {
        "split": split,
        "seed": seed,
        "settings": settings,
        "accuracy": metrics["this model"],
        "nearest": metrics["nearest neighbour"],
        "log_loss": about["metrics"]["this model"]["log_loss"],
        "parameters": about["parameters"],
        "epochs": about["epochs"],
        "cpu_seconds": round(after.children_user + after.children_system - before.children_user
                             - before.children_system, 1),
    }  # fmt: skip


def table(done: Runs, splits: list[str], seeds: int) -> Iterator[str]:
    """Return the lines of the table: accuracy by split, mean and range over seeds."""
    yield "| tested on | mean | lowest to highest seed | 1-NN | CPU seconds |"
    yield "|---|---|---|---|---|"
    means = {}
    for split in splits:
        runs = [done[split, seed] for seed in range(seeds)]
        scores = [one["accuracy"] for one in runs]
        means[split] = np.mean(scores)
        said = "official split, indices 0 to 4" if split == OFFICIAL else f"speaker {split}, all others train"
        seconds, span = np.mean([one["cpu_seconds"] for one in runs]), f"{min(scores):.3f} to {max(scores):.3f}"
        yield f"| {said} | {means[split]:.3f} | {span} | {runs[0]['nearest']:.3f} | {seconds:.0f} |"
    speakers = [means[split] for split in splits if split != OFFICIAL]
    nearest = np.mean([done[split, 0]["nearest"] for split in splits if split != OFFICIAL])
    yield f"| mean of {len(speakers)} speakers | **{np.mean(speakers):.3f}** | | {nearest:.3f} | |"


if __name__ == "__main__":
    main()

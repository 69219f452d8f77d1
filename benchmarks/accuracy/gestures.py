"""Classify hand gestures with the default settings: one command of recurra for each seed.

    python benchmarks/accuracy/gestures.py FILE [--seeds 3] [--judge test] [--out gestures.jsonl] [SETTINGS..]

FILE is point_history.csv, or .csv.xz (https://github.com/Kazuhito00/hand-gesture-recognition-using-mediapipe): a row
has a label and a fingertip's last 16 places, x and y of each. Most rows are the row before moved on by one step, so a
split by lot would test on what was learned. The last quarter of each gesture's rows is the test instead; with
``--judge validation`` it is kept out, and the last quarter of the others judges, for choosing settings by.
A line of JSON is added to the file for every training; what is in it already is not done again. At the end the table
is printed. Other arguments go to ``recurra train`` as they are, such as ``--max-epochs 5``.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from fits import Fit, Fits, classified, every, rows
from sklearn.neighbors import KNeighborsClassifier

NAMES = np.array(["stop", "clockwise", "counter clockwise", "move"])
CUTS = {
    "test": (0.75, 1.0),
    "validation": (0.5625, 0.75),
}  # shares of a gesture's rows: where the judge begins and ends
KNOWN = 0.861  # of the nearest neighbour on the test, which tells that file and split are those of the page
Parts = list[tuple[np.ndarray, np.ndarray]]


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--judge", choices=list(CUTS), default="test")
    parser.add_argument("--out", type=Path, default=Path("gestures.jsonl"))
    asked, settings = parser.parse_known_args()
    parts, judge = cut(asked.file, asked.judge), f"{asked.judge} {' '.join(settings)}".strip()
    nearest = by_nearest(parts)
    if asked.judge == "test" and round(nearest, 3) != KNOWN:
        raise SystemExit(f"The nearest neighbour is right in {nearest:.3f} and not {KNOWN}: another file or split.")

    def fit(judge: str, seed: int) -> Fit:
        return run(parts, seed, settings)

    wanted = [(judge, seed) for seed in range(asked.seeds)]
    done = every(asked.out, ("judge", "seed"), wanted, fit)
    print("\n".join(table(done, judge, asked.seeds)))
    print(f"\nscikit-learn's nearest neighbour, on the values as they are: {nearest:.3f}")


def cut(path: Path, judge: str) -> Parts:
    """Return what trains and what judges: paths (cases, 2, 16) and the names of their gestures, block by block."""
    table = pd.read_csv(path, header=None).to_numpy()
    labels, paths = table[:, 0].astype(int), table[:, 1:].reshape(len(table), 16, 2).transpose(0, 2, 1)
    place = np.empty(len(labels))  # of a row among those of its gesture, from 0 to 1
    for name in range(len(NAMES)):
        place[labels == name] = np.linspace(0, 1, (labels == name).sum(), endpoint=False)
    first, end = CUTS[judge]
    return [(paths[part], NAMES[labels[part]]) for part in (place < first, (first <= place) & (place < end))]


def by_nearest(parts: Parts) -> float:
    """Return the accuracy of the nearest neighbour by scikit-learn, on the values as they are."""
    (train, names), (judge, truth) = ((paths.reshape(len(paths), -1), names) for paths, names in parts)
    return float(KNeighborsClassifier(1).fit(train, names).score(judge, truth))


def run(parts: Parts, seed: int, settings: list[str]) -> Fit:
    """Train on one part, judge on the other."""
    with tempfile.TemporaryDirectory() as place:
        files = Path(place, "train.npz"), Path(place, "judge.npz")
        for file, (paths, names) in zip(files, parts, strict=True):
            np.savez(file, X=paths, y=names)
        return classified(*files, seed, settings, Path(place, "run"))


def table(done: Fits, judge: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table: mean and range over seeds, and the other rows of the first one."""
    yield "| judged by | mean | lowest to highest seed | 1-NN, scaled | CPU seconds |"
    yield "|---|---|---|---|---|"
    yield from rows(done, [judge], seeds)
    yield ""
    epochs = ", ".join(str(done[judge, seed]["epochs"]) for seed in range(seeds))
    others = {label: share for label, share in done[judge, 0]["rows"].items() if label != "this model"}
    yield f"Epochs: {epochs}. Beside it: {', '.join(f'{label} {share:.3f}' for label, share in others.items())}."


if __name__ == "__main__":
    main()

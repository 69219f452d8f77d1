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
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fits import Fit, Fits, classified, every_seed, mean_row, rows

OFFICIAL = "official"


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

    def fit(split: str, seed: int) -> Fit:
        return run(recordings, split, seed, settings)

    print("\n".join(table(every_seed(asked.out, "split", splits, asked.seeds, fit), splits, asked.seeds)))


def found(folder: Path) -> list[Recording]:
    """Return all recordings."""
    names = [(path, *path.stem.split("_")) for path in sorted(folder.resolve().glob("*.wav"))]
    return [Recording(path, digit, speaker, int(index)) for path, digit, speaker, index in names]


def tests(one: Recording, split: str) -> bool:
    """Tell whether a recording is one to test on."""
    return one.index < 5 if split == OFFICIAL else one.speaker == split


def run(recordings: list[Recording], split: str, seed: int, settings: list[str]) -> Fit:
    """Train on one part of the recordings, judge on the other."""
    with tempfile.TemporaryDirectory() as place:
        files = Path(place, "train.csv"), Path(place, "test.csv")
        for part, path in zip((False, True), files, strict=True):
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["file", "label"])
                writer.writerows([one.path, one.digit] for one in recordings if tests(one, split) == part)
        return classified(*files, seed, settings, Path(place, "run"))


def table(done: Fits, splits: list[str], seeds: int) -> Iterator[str]:
    """Return the lines of the table: accuracy by split, mean and range over seeds."""
    yield "| tested on | mean | lowest to highest seed | 1-NN | CPU seconds |"
    yield "|---|---|---|---|---|"
    yield from rows(done, splits, seeds, called)
    speakers = [split for split in splits if split != OFFICIAL]
    yield mean_row(done, speakers, seeds, f"mean of {len(speakers)} speakers")


def called(split: str) -> str:
    """Return a split as the table names it."""
    return "official split, indices 0 to 4" if split == OFFICIAL else f"speaker {split}, all others train"


if __name__ == "__main__":
    main()

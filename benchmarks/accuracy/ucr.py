"""Classify the sets of the UCR archive with the default settings: one command of recurra for each set and seed.

    python benchmarks/accuracy/ucr.py FOLDER [--seeds 3] [--out ucr.jsonl] [--sets Adiac,Plane] [SETTINGS..]

FOLDER holds NAME_TRAIN.tsv.xz and NAME_TEST.tsv.xz (https://www.cs.ucr.edu/~eamonn/time_series_data_2018/), or .ts
files. A line of JSON is added to the file for every training; what is in it already is not done again. At the end the
table is printed.
Other arguments go to ``recurra train`` as they are, such as ``--attention none``.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fits import Fit, Fits, classified, every_seed, mean_row, rows


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("ucr.jsonl"))
    parser.add_argument("--sets", default="")
    asked, settings = parser.parse_known_args()
    names = asked.sets.split(",") if asked.sets else sorted(p.name.split("_")[0] for p in asked.folder.glob("*_TRAIN*"))

    def fit(name: str, seed: int) -> Fit:
        return run(asked.folder, name, seed, settings)

    print("\n".join(table(every_seed(asked.out, "set", names, asked.seeds, fit), names, asked.seeds)))


def run(folder: Path, name: str, seed: int, settings: list[str]) -> Fit:
    """Train on the official training part, judge on the official test part."""
    train, test = (next(folder.glob(f"{name}_{part}.ts*")) for part in ("TRAIN", "TEST"))
    with tempfile.TemporaryDirectory() as place:
        return classified(train, test, seed, settings, Path(place, "run"))


def table(done: Fits, names: list[str], seeds: int) -> Iterator[str]:
    """Return the lines of the table: accuracy by set, mean and range over seeds."""
    yield "| set | mean | lowest to highest seed | 1-NN | CPU seconds |"
    yield "|---|---|---|---|---|"
    yield from rows(done, names, seeds)
    yield mean_row(done, names, seeds, f"mean of {len(names)}")


if __name__ == "__main__":
    main()

"""The row "random convolutions" of every classification, on the sets of the UCR archive.

    python benchmarks/accuracy/random_convolutions.py FOLDER [--draws 5] [--out random_convolutions.jsonl] [--sets A,B]

FOLDER holds NAME_TRAIN.tsv.xz and NAME_TEST.tsv.xz (https://www.cs.ucr.edu/~eamonn/time_series_data_2018/). Draw 0 is
the official cut; in later ones as many cases of each class are drawn for the training from both files together, which
is what published means are over. A line of JSON is added to the file for every fit; what is in it already is not done
again. At the end the table is printed.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from fits import Fits, keep, kept

from recurra.data.cases import Cases, read_cases
from recurra.settings import make_config
from recurra.tasks.classify.convolutions import Convolutions
from recurra.tasks.classify.kind import KIND

# MiniRocket's mean accuracy over 30 draws, as published.
PUBLISHED = {
    "Adiac": 0.802, "ArrowHead": 0.881, "Chinatown": 0.969, "Computers": 0.794, "ECG200": 0.899, "FaceAll": 0.983,
    "Fish": 0.975, "GunPoint": 0.992, "ItalyPowerDemand": 0.960, "Lightning7": 0.779, "OSULeaf": 0.958, "Plane": 1.0,
    "PowerCons": 0.984, "SwedishLeaf": 0.963, "Trace": 1.0,
}  # fmt: skip
APART = {"Chinatown", "MelbournePedestrian", "PowerCons", "Trace"}  # from the twelve that others publish figures for


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("random_convolutions.jsonl"))
    parser.add_argument("--sets", default="")
    asked = parser.parse_args()
    names = asked.sets.split(",") if asked.sets else sorted(p.name.split("_")[0] for p in asked.folder.glob("*_TRAIN*"))
    done = kept(asked.out, "set", "draw")
    for name in names:
        parts = [read_cases(next(asked.folder.glob(f"{name}_{part}.tsv*"))) for part in ("TRAIN", "TEST")]
        for draw in range(asked.draws + 1):
            if (name, draw) not in done:
                found = fit(*(drawn(*parts, draw) if draw else parts))
                done[name, draw] = keep(asked.out, {"set": name, "draw": draw} | found)
    print("\n".join(table(done, names, asked.draws)))


def drawn(train: Cases, test: Cases, seed: int) -> tuple[Cases, Cases]:
    """Return other parts of the same sizes, class by class."""
    assert train.labels is not None and test.labels is not None
    labels = np.array([*train.labels, *test.labels])
    every = Cases((*train.values, *test.values), tuple(labels.tolist()), (*train.names, *test.names), train.channels)
    random, first = np.random.default_rng(seed), np.zeros(len(labels), bool)
    for name in np.unique(labels):
        places = random.permutation(np.flatnonzero(labels == name))
        first[places[: train.labels.count(name)]] = True
    return every.some(first), every.some(~first)


def fit(train: Cases, test: Cases) -> dict[str, Any]:
    """Learn from one part and judge by the other."""
    config = make_config(KIND.parts, {})
    prepared = KIND.prepare(train, config, 0)
    exam = KIND.exam(test, prepared.learned, None)
    row = Convolutions()
    wall, cpu = time.perf_counter(), time.process_time()
    row.fit(prepared)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    statistics = KIND.statistics(exam.truth, row.answer(exam.examples))
    metrics = {metric.name: metric.of(statistics) for metric in KIND.metrics(config)}
    return metrics | {"features": row.features.size, "wall_seconds": wall, "cpu_seconds": cpu, "cases": len(train)}


def table(done: Fits, names: list[str], draws: int) -> Iterator[str]:
    """Return the lines of the table."""
    yield "| set | official cut | log loss | mean of other draws | published, other draws | CPU seconds to train |"
    yield "|---|---|---|---|---|---|"
    rows = {}
    for name in names:
        first, others = done[name, 0], [done[name, draw]["accuracy"] for draw in range(1, draws + 1)]
        mean = float(np.mean(others)) if others else float("nan")
        seconds = float(np.median([done[name, draw]["cpu_seconds"] for draw in range(draws + 1)]))
        rows[name] = first["accuracy"], first["log_loss"], mean, PUBLISHED.get(name, float("nan")), seconds
        yield line(name, rows[name])
    twelve = [row for name, row in rows.items() if name not in APART]
    for said, some in ((f"mean of these {len(twelve)} without {', '.join(sorted(APART))}", twelve),
                       (f"mean of {len(rows)}", list(rows.values()))):  # fmt: skip
        yield line(said, tuple(np.mean(some, 0).tolist()))


def line(name: str, numbers: tuple[float, ...]) -> str:
    """Return one line of the table."""
    first, loss, mean, published, seconds = numbers
    said = (f"{first:.3f}", f"{loss:.2f}", f"{mean:.3f}", "" if np.isnan(published) else f"{published:.3f}")
    return f"| {name} | {' | '.join(said)} | {seconds:.2f} |"


if __name__ == "__main__":
    main()

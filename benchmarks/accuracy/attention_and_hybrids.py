"""What attention and what a hybrid cell add to a classifier: two cells by two read-outs on sets of the UCR archive.

    python benchmarks/accuracy/attention_and_hybrids.py FOLDER [--seeds 3] [--sets Adiac,Plane] [SETTINGS..]

FOLDER holds NAME_TRAIN.tsv.xz and NAME_TEST.tsv.xz (https://www.cs.ucr.edu/~eamonn/time_series_data_2018/). Every set
is learned by a GRU and by the fused LSTM-GRU, each read out by its last states and by the default attention; all else
is left at its defaults. A line of JSON is added to ``--out`` (attention_and_hybrids.jsonl) for every training; what is
in it already is not done again. At the end the tables of docs/attention_and_hybrids.md are printed.
Other arguments go to ``recurra train`` as they are, such as ``--filters 0``.
"""

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
from fits import Fit, Fits, every
from ucr import run

from recurra.compare.significance import interval_of_mean

CELLS = ("gru", "lstm_gru")
READOUTS = {"last": ["--readout", "last", "--attention", "none"], "attention": []}
VARIANTS = list(product(CELLS, READOUTS))
# Those for which others publish figures of networks with and without attention.
SETS = "Adiac,ArrowHead,Computers,ECG200,FaceAll,Fish,GunPoint,ItalyPowerDemand,Lightning7,OSULeaf,Plane,SwedishLeaf"


def main() -> None:
    """Run what is not done yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("attention_and_hybrids.jsonl"))
    parser.add_argument("--sets", default=SETS)
    asked, settings = parser.parse_known_args()
    names = asked.sets.split(",")

    def fit(name: str, cell: str, readout: str, seed: int) -> Fit:
        return run(asked.folder, name, seed, ["--cell", cell, *READOUTS[readout], *settings])

    wanted = ((name, *variant, seed) for seed in range(asked.seeds) for name in names for variant in VARIANTS)
    done = every(asked.out, ("set", "cell", "readout", "seed"), wanted, fit)
    accuracies = mean_over_seeds(done, names, asked.seeds, "accuracy")
    print("\n".join(by_set(names, accuracies)), end="\n\n")
    print("\n".join(costs(done, names, asked.seeds)), end="\n\n")
    print("\n".join(effects(names, accuracies)))


def mean_over_seeds(done: Fits, names: list[str], seeds: int, what: str) -> np.ndarray:
    """Return a number of each fit, mean over seeds: by set, cell and read-out."""
    every = [[done[name, *variant, seed][what] for seed in range(seeds)] for name in names for variant in VARIANTS]
    return np.mean(every, 1).reshape(len(names), len(CELLS), len(READOUTS))


def by_set(names: list[str], accuracies: np.ndarray) -> Iterator[str]:
    """Return the lines of the table of accuracies."""
    yield f"| set | {' | '.join(map(called, VARIANTS))} |"
    yield "|---|---|---|---|---|"
    for name, row in zip([*names, f"mean of {len(names)}"], [*accuracies, accuracies.mean(0)], strict=True):
        yield f"| {name} | {' | '.join(f'{value:.3f}' for value in row.ravel())} |"


def costs(done: Fits, names: list[str], seeds: int) -> Iterator[str]:
    """Return the lines of the table of what each variant costs, mean over all sets."""
    every = [mean_over_seeds(done, names, seeds, what).mean(0).ravel() for what in ("parameters", "cpu_seconds")]
    yield "| variant | parameters | CPU seconds a fit |"
    yield "|---|---|---|"
    for variant, parameters, seconds in zip(VARIANTS, *every, strict=True):
        yield f"| {called(variant)} | {parameters:,.0f} | {seconds:.1f} |"


def called(variant: tuple[str, str]) -> str:
    """Return a variant as the tables name it."""
    return f"`{variant[0]}`, {variant[1]}"


def effects(names: list[str], accuracies: np.ndarray) -> Iterator[str]:
    """Return the lines of the table of effects, in points of accuracy, and what may be said of each."""
    points = 100 * accuracies
    attention, hybrid = points[:, :, 1] - points[:, :, 0], points[:, 1] - points[:, 0]
    found = {
        "attention": ("attention instead of the last states, mean of both cells", attention.mean(1)),
        "the hybrid": ("`lstm_gru` instead of `gru`, mean of both read-outs", hybrid.mean(1)),
        "the two together": ("attention on `lstm_gru` instead of on `gru`", attention[:, 1] - attention[:, 0]),
    }
    yield "| effect | points of accuracy | 95 % interval | sets better / worse |"
    yield "|---|---|---|---|"
    for said, each in found.values():
        mean, half = each.mean(), interval_of_mean(each)
        better, worse = (each > 1e-9).sum(), (each < -1e-9).sum()
        yield f"| {said} | {mean:+.2f} | {mean - half:+.2f} to {mean + half:+.2f} | {better} / {worse} |"
    yield ""
    for name, (_, each) in found.items():
        yield f"- {verdict(name, each)}"


def verdict(name: str, points: np.ndarray) -> str:
    """Return one sentence on an effect of which ``points`` (sets,) were seen."""
    mean, half = points.mean(), interval_of_mean(points)
    if name == "the two together":
        if not abs(mean) > half:
            return "Whether attention helps does not depend on the cell, as far as can be told from chance."
        return f"Attention {'added more to' if mean > 0 else 'took more from'} the hybrid than the GRU, beyond chance."
    if not abs(mean) > half:
        return f"{name[0].upper()}{name[1:]} made no difference that can be told from chance."
    return f"{name[0].upper()}{name[1:]} {'added' if mean > 0 else 'cost'} {abs(mean):.1f} points, beyond chance."


if __name__ == "__main__":
    main()

"""What an attention, a hybrid cell and a conditional random field add to classifiers and taggers of text.

    python benchmarks/accuracy/attention_in_texts.py FOLDER [--seeds 3] [--sets trec,sst2,resume,ud] [--out FILE]

Every row is ``recurra train`` with default settings but for what the row says: classifiers, the network alone, read
out by the largest value of each unit or by additive attention; taggers with or without looking at all other words
(scaled dot products), with or without a conditional random field. Those of UD, where a training of up to 40 epochs and
10 at the end takes eight minutes, have 8 and 2. FOLDER holds what texts.py and taggers.py read; the
test parts judge, nothing is chosen by them. A line of JSON is added to ``--out`` (attention_in_texts.jsonl) for every
training; what is in it already is not done again.
"""

import argparse
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import taggers
from fits import Fit, Fits, classified, every
from scipy.stats import t

import texts

CELLS = ("gru", "lstm_gru")
READOUTS = {"max": ["--readout", "max", "--attention", "none"], "attention": ["--attention", "additive"]}
LOOKS = {"alone": [], "attention": ["--self-attention", "scaled_dot"]}
FIELDS = {"each": ["--no-crf"], "together": ["--crf"]}
SHORTER = {"ud": ["--max-epochs", "8", "--last-epochs", "2"]}
CLASSIFIED, TAGGED = ("trec", "sst2"), ("resume", "ud")


def main() -> None:
    """Run what is not done yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", default=",".join((*CLASSIFIED, *TAGGED)))
    parser.add_argument("--out", type=Path, default=Path("attention_in_texts.jsonl"))
    asked = parser.parse_args()
    names = asked.sets.split(",")

    def fit(name: str, cell: str, looks: str, field: str, seed: int) -> Fit:
        how = ["--cell", cell]
        if name in CLASSIFIED:
            return classify(texts.SETS[name](asked.folder), seed, [*how, "--no-combine", *READOUTS[looks]])
        first, second, judge = taggers.SETS[name](asked.folder)
        how += [*LOOKS[looks], *FIELDS[field], *SHORTER.get(name, [])]
        return taggers.run(f"{first}\n{second}", judge, seed, how)

    rows = [row for name in names for row in rows_of(name)]
    wanted = [(*row, seed) for seed in range(asked.seeds) for row in rows]
    done = every(asked.out, ("set", "cell", "looks", "field", "seed"), wanted, fit)
    print("\n".join(table(done, rows, asked.seeds)))


def classify(parts: texts.Parts, seed: int, settings: list[str]) -> Fit:
    """Train a classifier and judge it on the test."""
    train, valid, test = parts
    with tempfile.TemporaryDirectory() as place:
        files = texts.written(Path(place), train + valid, test)
        return classified(*files, seed, settings, Path(place, "run"))


def rows_of(name: str) -> list[tuple[str, str, str, str]]:
    """Return the rows of one set."""
    if name in CLASSIFIED:
        return list(product((name,), CELLS, READOUTS, ("",)))
    return list(product((name,), CELLS, LOOKS, FIELDS))


def score(fit: Fit) -> float:
    """Return what ranks."""
    if "accuracy" in fit:
        return float(fit["accuracy"])
    mine = fit["metrics"]["this model"]
    return float(mine.get("entity_f1", mine["accuracy"]))


def table(done: Fits, rows: list[tuple[str, str, str, str]], seeds: int) -> Iterator[str]:
    """Return the lines of the table: means over seeds with their 95 % intervals by Student's t, and seconds."""
    yield "| set | cell | looks | labels | score | CPU seconds |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        runs = [done[(*row, seed)] for seed in range(seeds)]
        scores = np.array([score(one) for one in runs])
        off = t.ppf(0.975, seeds - 1) * scores.std(ddof=1) / np.sqrt(seeds) if seeds > 1 else float("nan")
        seconds = np.mean([one["cpu_seconds"] for one in runs])
        yield f"| {' | '.join(row)} | {100 * scores.mean():.2f} ± {100 * off:.2f} | {seconds:.0f} |"


if __name__ == "__main__":
    main()

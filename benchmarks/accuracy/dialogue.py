"""Reply to the speech before: one command of recurra for each row and seed.

    python benchmarks/accuracy/dialogue.py FOLDER [--seeds 3] [--judge test] [--sets ..] [--out FILE] [SETTING..]

FOLDER holds tinyshakespeare as input.txt, packed as .xz or not, or in tinyshakespeare/. Every speech, its speaker's
name in front, is the reply to the one before it. The first 85 % of the pairs train, the last 10 % judge; of those
between, with ``--judge validation``, the test is never read. "without" is the same network, as large, trained and
judged with another speech of the same part, drawn at random, in the place of the one before. What is judged is the
surprise of the right replies, in nats for each of their characters, the end of a speech among them. A line of JSON is
added to ``--out`` (dialogue.jsonl) for every training, with the nats of every reply; what is in it already is not done
again. Other arguments go to ``recurra train``, behind those of the rows.
"""

import json
import lzma
import random
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fits import Fit, Fits, judged, trained

from recurra import Translator

SETTINGS = ["--level=subword", "--vocabulary=1000", "--shared", "--hidden-size=128", "--longest=200", "--smoothing=0"]
SETTINGS += ["--dropout=0.4", "--input-dropout=0.3", "--max-epochs=8", "--rank=chrf", "--beam=1"]
DRAWS = 2_000  # of replies, for the interval


class Row(NamedTuple):
    """What a network is trained with."""

    before: bool  # whether it reads the speech before, and not another
    settings: tuple[str, ...] = ()


ROWS = {  # of as many parameters
    "with": Row(True, ("--copy",)),
    "without": Row(False, ("--copy",)),
    "with and no copying": Row(True),
    "without and no copying": Row(False),
    "with and no attention": Row(True, ("--attention=none", "--hidden-size=157")),
}


def main() -> None:
    """Run what is not done yet, and print the table."""
    asked = judged(str(__doc__), ROWS, "dialogue.jsonl")

    def fit(name: str, how: str, seed: int) -> Fit:
        return run(ROWS[name], asked.folder, asked.by_test, seed, asked.settings)

    print("\n".join(table(asked.fits(fit), asked.names, asked.how, asked.seeds)))


def speeches(folder: Path) -> list[str]:
    """Return all speeches with their speakers, each in one line."""
    places = (folder / "tinyshakespeare", folder)
    place = next(one for one in places if any(one.glob("input.txt*")))
    packed = place / "input.txt.xz"
    content = lzma.decompress(packed.read_bytes()) if packed.exists() else (place / "input.txt").read_bytes()
    text = content.decode("utf-8").replace("\r\n", "\n")
    return [" ".join(one.split()) for one in text.split("\n\n") if one.strip()]


def pairs(folder: Path, by_test: bool, before: bool) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the pairs that train and those that judge."""
    said = speeches(folder)
    every = list(pairwise(said))
    first, second = round(0.85 * len(every)), round(0.9 * len(every))
    parts = every[:first], every[second:] if by_test else every[first:second]
    if before:
        return parts
    return shuffled(parts[0], 0), shuffled(parts[1], 1)


def shuffled(part: Sequence[tuple[str, str]], seed: int) -> list[tuple[str, str]]:
    """Return each reply with another speech of the same part."""
    others = [one for one, _ in part]
    random.Random(seed).shuffle(others)
    return [(other, reply) for other, (_, reply) in zip(others, part, strict=True)]


def run(row: Row, folder: Path, by_test: bool, seed: int, settings: list[str]) -> Fit:
    """Train, and ask how surprising the right replies are."""
    train, judge = pairs(folder, by_test, row.before)
    with tempfile.TemporaryDirectory() as place:
        files = Path(place, "train.jsonl"), Path(place, "judge.jsonl")
        for path, some in zip(files, (train, judge), strict=True):
            lines = [json.dumps({"source": one, "target": reply}) for one, reply in some]
            path.write_text("\n".join(lines), encoding="utf-8")
        flags = [*SETTINGS, *row.settings, *settings, "--validation-size=400"]
        fit = trained("seq2seq", files[0], files[1], seed, flags, Path(place, "run"))
        model = Translator.load(Path(place, "run"))
    nats = model.surprise([one for one, _ in judge], [reply for _, reply in judge])
    return fit | {"nats": [round(float(one), 3) for one in nats], "characters": [len(reply) + 1 for _, reply in judge]}


def per_character(runs: Sequence[dict[str, Any]], chosen: np.ndarray | slice = slice(None)) -> float:
    """Return the nats for each character of the ``chosen`` replies, the mean over seeds."""
    return float(
        np.mean([np.array(one["nats"])[chosen].sum() / np.array(one["characters"])[chosen].sum() for one in runs])
    )


def table(done: Fits, names: list[str], how: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table: nats a character, and how much more than with the speech before, 95 %."""
    yield "| the network reads | nats a character | more than with the speech before | weights | CPU seconds |"
    yield "|---|---|---|---|---|"
    best = [done["with", how, seed] for seed in range(seeds)]
    draw = np.random.default_rng(0)
    chosen = [draw.integers(0, len(best[0]["nats"]), len(best[0]["nats"])) for _ in range(DRAWS)]
    for name in names:
        runs = [done[name, how, seed] for seed in range(seeds)]
        more = [per_character(runs, some) - per_character(best, some) for some in chosen]
        low, high = np.quantile(more, (0.025, 0.975))
        said = "" if name == "with" else f"{per_character(runs) - per_character(best):.3f} ({low:.3f} to {high:.3f})"
        seconds = sum(one["cpu_seconds"] for one in runs) / seeds
        yield f"| {name} | {per_character(runs):.3f} | {said} | {runs[0]['parameters']:,} | {seconds:.0f} |"


if __name__ == "__main__":
    main()

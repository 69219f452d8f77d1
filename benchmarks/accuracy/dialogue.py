"""Reply to the speech before: one command of recurra for each row and seed.

    python benchmarks/accuracy/dialogue.py FOLDER [--seeds 3] [--judge test] [--sets ..] [--out FILE] [SETTING..]

FOLDER holds tinyshakespeare as input.txt, packed as .xz or not, or in tinyshakespeare/. Every speech, its speaker's
name in front, is the reply to the one before it. The first 85 % of the pairs train, the last 10 % judge; of those
between, with ``--judge validation``, the test is never read. "without" is the same network, as large, trained and
judged with another speech of the same part, drawn at random, in the place of the one before; "given another speech" is
how much worse the network that was trained with the speech before does so. The test are other plays than those that
train; "in known plays" stretches of 50 speeches from all over the text judge, none of which has a speech that trains.
What is judged is the surprise of the right replies, in nats for each of their characters, the end of a speech among
them. A line of JSON is added to ``--out`` (dialogue.jsonl) for every training, with the nats of every reply; what is in
it already is not done again. Other arguments go to ``recurra train``, behind those of the rows.
"""

import json
import lzma
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fits import Fit, Fits, judged, trained

from recurra import Translator

SETTINGS = ["--level=subword", "--vocabulary=1000", "--shared", "--hidden-size=128", "--longest=200", "--smoothing=0"]
SETTINGS += ["--dropout=0.4", "--input-dropout=0.3", "--max-epochs=8", "--rank=chrf", "--beam=1"]
DRAWS = 2_000  # of replies, for the interval
STRETCH = 50  # speeches

Pair = tuple[str, str]
Parts = tuple[list[Pair], list[Pair], list[Pair]]


class Row(NamedTuple):
    """What a network is trained with."""

    before: bool  # whether it reads the speech before, and not another
    settings: tuple[str, ...] = ()
    known: bool = False  # whether other scenes of the plays that judge train, and not only other plays
    turns: int = 1  # speeches that it reads


ROWS = {  # of as many parameters
    "with": Row(True, ("--copy",)),
    "without": Row(False, ("--copy",)),
    "with and no copying": Row(True),
    "without and no copying": Row(False),
    "with and no attention": Row(True, ("--attention=none", "--hidden-size=157")),
    "without and no attention": Row(False, ("--attention=none", "--hidden-size=157")),
    "with two": Row(True, ("--copy",), turns=2),
    "with in known plays": Row(True, ("--copy",), known=True),
    "without in known plays": Row(False, ("--copy",), known=True),
    "with in known plays and no attention": Row(True, ("--attention=none", "--hidden-size=157"), known=True),
    "without in known plays and no attention": Row(False, ("--attention=none", "--hidden-size=157"), known=True),
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


def pairs(folder: Path, by_test: bool, row: Row) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs that train and those that judge."""
    said = speeches(folder)
    train, valid, test = scattered(said, row.turns) if row.known else in_order(said, row.turns)
    parts = train, test if by_test else valid
    if row.before:
        return parts
    return shuffled(parts[0], 0), shuffled(parts[1], 1)


def replies(said: Sequence[str], turns: int) -> list[Pair]:
    """Return each speech but the first with up to so many before it."""
    return [(" ".join(said[max(0, n - turns) : n]), said[n]) for n in range(1, len(said))]


def in_order(said: Sequence[str], turns: int) -> Parts:
    """Return the first 85 %, 5 % and 10 % of all replies: what judges are other plays than those that train."""
    every = replies(said, turns)
    first, second = round(0.85 * len(every)), round(0.9 * len(every))
    return every[:first], every[first:second], every[second:]


def scattered(said: Sequence[str], turns: int) -> Parts:
    """Return as many replies of stretches from all over the plays; no speech is in two parts."""
    parts: Parts = ([], [], [])
    for n, first in enumerate(range(0, len(said), STRETCH)):
        part = {4: 1, 9: 2, 19: 2}.get(n % 20, 0)
        parts[part].extend(replies(said[first : first + STRETCH], turns))
    return parts


def shuffled(part: Sequence[tuple[str, str]], seed: int) -> list[tuple[str, str]]:
    """Return each reply with another speech of the same part."""
    others = [one for one, _ in part]
    random.Random(seed).shuffle(others)
    return [(other, reply) for other, (_, reply) in zip(others, part, strict=True)]


def run(row: Row, folder: Path, by_test: bool, seed: int, settings: list[str]) -> Fit:
    """Train, and ask how surprising the right replies are."""
    train, judge = pairs(folder, by_test, row)
    with tempfile.TemporaryDirectory() as place:
        files = Path(place, "train.jsonl"), Path(place, "judge.jsonl")
        for path, some in zip(files, (train, judge), strict=True):
            lines = [json.dumps({"source": one, "target": reply}) for one, reply in some]
            path.write_text("\n".join(lines), encoding="utf-8")
        flags = [*SETTINGS, *row.settings, *settings, "--validation-size=400"]
        fit = trained("seq2seq", files[0], files[1], seed, flags, Path(place, "run"))
        model = Translator.load(Path(place, "run"))
    return fit | {
        "nats": surprise(model, judge),
        "nats_of_another": surprise(model, shuffled(judge, 2)),
        "characters": [len(reply) + 1 for _, reply in judge],
    }


def surprise(model: Translator, part: Sequence[tuple[str, str]]) -> list[float]:
    """Return the nats of each reply, given what it is paired with."""
    return [round(float(one), 3) for one in model.surprise([one for one, _ in part], [reply for _, reply in part])]


def per_character(runs: Sequence[dict[str, Any]], chosen: np.ndarray | slice = slice(None)) -> float:
    """Return the nats for each character of the ``chosen`` replies, the mean over seeds."""
    return float(
        np.mean([np.array(one["nats"])[chosen].sum() / np.array(one["characters"])[chosen].sum() for one in runs])
    )


def table(done: Fits, names: list[str], how: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table: nats a character, and how many more without the speech before, 95 %."""
    yield "| the network reads | nats a character | each seed | given another speech | weights | CPU seconds |"
    yield "|---|---|---|---|---|---|"
    for name in names:
        runs = [done[name, how, seed] for seed in range(seeds)]
        each = ", ".join(f"{per_character([one]):.3f}" for one in runs)
        others = ""
        if ROWS[name].before and all("nats_of_another" in one for one in runs):  # the first fits were not asked
            others = more(runs, [one | {"nats": one["nats_of_another"]} for one in runs])
        seconds = sum(one["cpu_seconds"] for one in runs) / seeds
        yield f"| {name} | {per_character(runs):.3f} | {each} | {others} | {runs[0]['parameters']:,} | {seconds:.0f} |"
    for name in names:
        without = name.replace("with", "without", 1)
        if ROWS[name].before and without in names:
            runs, others = ([done[row, how, seed] for seed in range(seeds)] for row in (name, without))
            yield f"{without}: {more(runs, others)} nats a character more than {name}"


def more(runs: Sequence[Fit], others: Sequence[Fit]) -> str:
    """Return how many more nats for a character ``others`` need than ``runs``; the interval is of replies alone."""
    draw, replies = np.random.default_rng(0), len(runs[0]["nats"])
    drawn = (draw.integers(0, replies, replies) for _ in range(DRAWS))
    low, high = np.quantile([per_character(others, some) - per_character(runs, some) for some in drawn], (0.025, 0.975))
    return f"{per_character(others) - per_character(runs):+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()

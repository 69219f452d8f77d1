"""Write down spoken digits that follow each other: one command of recurra for each way, split and seed.

    python benchmarks/accuracy/connected_digits.py FOLDER [--ways "ctc;attention"] [--splits official] [--seeds 3]
        [--count 2000] [--out connected_digits.jsonl] [SETTINGS..]

FOLDER holds the recordings of the Free Spoken Digit Dataset, DIGIT_SPEAKER_INDEX.wav
(https://github.com/Jakobovski/free-spoken-digit-dataset). 3 to 7 recordings of one speaker are joined to a string, with
0 to 0.3 seconds of near silence before, between and behind them; of each string the digits are the answer, in words.
The split ``official`` trains on strings of the recordings with the indices 10 to 49. Strings of 5 to 9 are what
settings are chosen by, and those of 0 to 4 are the test, which is asked when the training is over. ``speakers`` leaves
each speaker out once: strings of all that the others say train, strings of all that this one says test; a name of one
leaves out that one alone. A line of JSON is added to ``--out`` for every training; what is in it already is not done
again. At the end the table is printed. Other arguments go to ``recurra train`` as they are.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fits import Fit, Fits, every, trained
from scipy.io import wavfile
from spoken_digits import OFFICIAL, Recording, found

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE, FEWEST, MOST, GAP, SILENCE = 8000, 3, 7, 0.3, 3.0  # the last in units of 16 bits: 81 dB below the loudest
JUDGED = 300  # strings
SPEAKERS = "speakers"
WAYS = {  # the last one has as many parameters as attention
    "ctc": ["--decoder", "ctc"],
    "ctc, greedy": ["--decoder", "ctc", "--beam", "1"],
    "ctc, forwards only": ["--decoder", "ctc", "--no-bidirectional"],
    "attention": [],
    "location_aware": ["--attention", "location_aware"],
    "monotonic": ["--attention", "monotonic"],
    "no attention": ["--attention", "none", "--hidden-size", "322"],
}


class Asked(NamedTuple):
    """What the command line says of every training."""

    recordings: list[Recording]
    count: int
    settings: list[str]


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ways", default="ctc;attention;no attention")
    parser.add_argument("--splits", default=OFFICIAL)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("connected_digits.jsonl"))
    given, settings = parser.parse_known_args()
    asked = Asked(found(given.folder), given.count, settings)
    speakers = sorted({one.speaker for one in asked.recordings})
    splits = [name for split in given.splits.split(",") for name in (speakers if split == SPEAKERS else [split])]
    more = " ".join(settings)
    every_one = product(given.ways.split(";"), splits, range(given.seeds))
    wanted = [(way, split, asked.count, more, seed) for way, split, seed in every_one]

    def fit(way: str, split: str, *rest: object) -> Fit:
        return run(asked, way, split, int(str(rest[-1])))

    done = every(given.out, ("way", "split", "count", "more", "seed"), wanted, fit)
    print("\n".join(table({one: done[one] for one in wanted})))


def parts(recordings: list[Recording], split: str) -> dict[str, list[Recording]]:
    """Return the recordings that train, those that settings are chosen by, if there are any, and those of the test."""
    if split != OFFICIAL:
        own = [one for one in recordings if one.speaker == split]
        return {"train": [one for one in recordings if one.speaker != split], "test": own}
    ends = {"train": (10, 50), "valid": (5, 10), "test": (0, 5)}
    return {name: [one for one in recordings if low <= one.index < high] for name, (low, high) in ends.items()}


def run(asked: Asked, way: str, split: str, seed: int) -> Fit:
    """Train on strings of one part, judge on those of the others."""
    with tempfile.TemporaryDirectory() as place:
        # The strings are the same for every way and every seed.
        files = {
            name: joined(some, asked.count if name == "train" else JUDGED, Path(place, name), draw)
            for draw, (name, some) in enumerate(parts(asked.recordings, split).items())
        }
        folder = Path(place, "run")
        judged = files.get("valid", files["test"])
        fit = trained("seq2seq", files["train"], judged, seed, [*WAYS[way], *asked.settings], folder)
        metrics = fit.pop("metrics")
        if "valid" not in files:
            return fit | scores(metrics)
        fit["valid_wer"] = metrics["this model"]["wer"]
        command = [sys.executable, "-m", "recurra.cli", "evaluate", str(folder), str(files["test"]), "--json"]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        return fit | scores(json.loads(answer.stdout))


def scores(metrics: dict[str, dict[str, float]]) -> Fit:
    """Return what the table shows."""
    mine = metrics["this model"]
    return {"wer": mine["wer"], "exact": mine["exact"], "nearest": metrics["nearest pair"]["wer"]}


def joined(recordings: Sequence[Recording], count: int, folder: Path, draw: int) -> Path:
    """Write strings as wav files and a table of them; return the table."""
    folder.mkdir()
    random = np.random.default_rng(draw)
    speakers = sorted({one.speaker for one in recordings})
    of = {speaker: [one for one in recordings if one.speaker == speaker] for speaker in speakers}
    lines = ["clip\ttext"]
    for number in range(count):
        own = of[speakers[number % len(speakers)]]
        some = [own[at] for at in random.integers(len(own), size=random.integers(FEWEST, MOST + 1))]
        pieces = [silence(random)]
        for one in some:
            pieces += [wavfile.read(one.path)[1].astype(float), silence(random)]
        samples = np.clip(np.concatenate(pieces).round(), -32768, 32767).astype(np.int16)
        wavfile.write(folder / f"{number}.wav", RATE, samples)
        lines.append(f"{number}.wav\t{' '.join(WORDS[int(one.digit)] for one in some)}")
    path = folder / "strings.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def silence(random: np.random.Generator) -> np.ndarray:
    """Return some near silence."""
    return SILENCE * random.standard_normal(round(RATE * random.uniform(0, GAP)))


def table(done: Fits) -> Iterator[str]:
    """Return the lines of the table: the digit error rate of each way and split, mean and range over seeds."""
    yield "| way | strings of | digit error rate | range | nearest | all right | parameters | CPU seconds |"
    yield "|---|---|---|---|---|---|---|---|"
    for way, split in dict.fromkeys(key[:2] for key in done):
        runs = [fit for key, fit in done.items() if key[:2] == (way, split)]
        wer, exact, seconds = ([fit[name] for fit in runs] for name in ("wer", "exact", "cpu_seconds"))
        span = f"{100 * min(wer):.1f} to {100 * max(wer):.1f} %"
        yield (
            f"| {way} | {split} | {100 * np.mean(wer):.1f} % | {span} | {100 * runs[0]['nearest']:.0f} % | "
            f"{100 * np.mean(exact):.0f} % | {runs[0]['parameters']:,} | {np.mean(seconds):.0f} |"
        )


if __name__ == "__main__":
    main()

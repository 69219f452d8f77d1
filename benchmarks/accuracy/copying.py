"""Say the words of a text that are marked, of which some were never seen: with and without copying.

    python benchmarks/accuracy/copying.py [--seeds 3] [--count 3000] [--out FILE]

The words are made here, of two or three syllables. A text has 8 to 19 of them, one to three with a * before them; its
answer is those. Texts that train have words of one half alone; of those that judge a fifth is of the other half. A line
of JSON is added to ``--out`` (copying.jsonl) for every training; what is in it already is not done again.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from fits import Fit, every

from recurra import Translator

SYLLABLES = [one + other for one in "bdfgklmnprst" for other in "aeiou"]
WORDS, JUDGE, UNSEEN = 700, 1000, 0.2
SETTINGS = {"level": "word", "hidden_size": 64, "max_epochs": 12, "batch_size": 32, "smoothing": 0.0}
WAYS = {"copy": {"copy": True}, "no copy": {}, "no copy, no attention": {"attention": "none"}}


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--out", type=Path, default=Path("copying.jsonl"))
    asked = parser.parse_args()
    wanted = [(way, asked.count, seed) for seed in range(asked.seeds) for way in WAYS]
    done = every(asked.out, ("way", "count", "seed"), wanted, fit)
    print("| network | right, mean | range | seconds |\n|---|---|---|---|")
    for way in WAYS:
        runs = [done[way, asked.count, seed] for seed in range(asked.seeds)]
        right, seconds = ([run[name] for run in runs] for name in ("exact", "seconds"))
        print(f"| {way} | {np.mean(right):.4f} | {min(right):.4f} to {max(right):.4f} | {np.mean(seconds):.0f} |")


def fit(way: str, count: int, seed: int) -> Fit:
    """Train on some texts, judge on others."""
    random = np.random.default_rng(seed)
    every_word = {"".join(random.choice(SYLLABLES, random.integers(2, 4))) for _ in range(WORDS)}
    words = random.permutation(sorted(every_word)).tolist()
    known, unseen = words[::2], words[1::2]
    train = [marked(random, known, unseen, 0.0) for _ in range(count)]
    judge = [marked(random, known, unseen, UNSEEN) for _ in range(JUDGE)]
    begin = time.process_time()
    translator = Translator(**SETTINGS, **WAYS[way], seed=seed).fit(train)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that words are not known, as they should be
        said = translator.predict([text for text, _ in judge])
    right = float(np.mean([one == answer for one, (_, answer) in zip(said, judge, strict=True)]))
    return {"exact": right, "seconds": round(time.process_time() - begin, 1)}


def marked(random: np.random.Generator, known: list[str], unseen: list[str], share: float) -> tuple[str, str]:
    """Return a text and its answer; a ``share`` of its words are ``unseen`` ones."""
    words = [str(random.choice(unseen if random.random() < share else known)) for _ in range(random.integers(8, 20))]
    places = sorted(random.choice(len(words), random.integers(1, 4), replace=False))
    text = [f"* {word}" if place in places else word for place, word in enumerate(words)]
    return " ".join(text), " ".join(words[place] for place in places)


if __name__ == "__main__":
    main()

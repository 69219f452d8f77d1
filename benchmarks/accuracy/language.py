"""Learn a text and say how surprising another one is: one command of recurra for each row and seed.

    python benchmarks/accuracy/language.py FOLDER [--seeds 3] [--judge test] [--sets wikitext2] [--out FILE] [SETTING..]

FOLDER holds, packed as .xz or not, input.txt (tinyshakespeare) and train.txt, valid.txt and test.txt (WikiText-2), or
these in tinyshakespeare/ and wikitext2/. Of tinyshakespeare the first 85 % of the characters train, the next 5 % decide
when to stop, the last 10 % judge; WikiText-2 is cut as published and read by words, with an <eos> behind each line, and
judged with and without a neural cache, whose size, θ and λ are those that are best on the text that decides when to
stop. Of tinyshakespeare the network with one attention head has as many weights as the one without; a larger one, which
goes on with the text that decides when to stop, is judged with and without dynamic evaluation.

With ``--judge validation`` the test is never read: what decides when to stop judges, for choosing settings by. A line
of JSON is added to ``--out`` (language.jsonl) for every training; what is in it already is not done again. Other
arguments go to ``recurra train`` as they are, behind those of the row, which they may change.
"""

import lzma
import math
import tempfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from fits import Fit, Fits, judged, trained

from recurra import LanguageModel
from recurra.compare.comparison import equal_size
from recurra.settings import make_config
from recurra.tasks.language.kind import KIND
from recurra.tasks.language.learned import LanguageLearned
from recurra.tasks.language.settings import PARTS, LanguageSettings


class Texts(NamedTuple):
    """What trains, what decides when to stop, the test."""

    train: str
    valid: str
    test: str


# Ten times over; chosen on the text that decides when to stop, see language.md.
WORDS = {
    "level": "word",
    "hidden_size": 200,
    "batch_size": 16,
    "epoch_steps": 1020,
    "max_epochs": 20,
    "dropout": 0.4,
    "input_dropout": 0.2,
    "embedding_dropout": 0.05,
    "weight_decay": 0.1,
    "precision": "bfloat16",
}
HEAD = {"attention": "scaled_dot"}
LARGE = {"hidden_size": 512, "dropout": 0.4, "last_epochs": 5, "precision": "bfloat16"}
RATE = 0.3  # chosen on text before that which judges: see language.md
SIZE = 256  # of the network without a head
CACHES = list(product((500, 2000), (0.1, 0.3, 1.0), (0.05, 0.1, 0.2)))  # units, θ, λ


class Row(NamedTuple):
    """What is learned, and with which settings."""

    texts: Callable[[Path], Texts]
    settings: dict[str, Any]
    cached: bool = False
    equal: bool = False  # whether it has as many weights as a network of SIZE without its settings
    dynamic: float = 0.0  # a rate to learn on with as it is judged, besides


def main() -> None:
    """Run what is not done yet, and print the table."""
    asked = judged(str(__doc__), ROWS, "language.jsonl")

    def fit(name: str, how: str, seed: int) -> Fit:
        return run(ROWS[name], asked.folder, asked.by_test, seed, asked.settings)

    print("\n".join(table(asked.fits(fit), asked.names, asked.how, asked.seeds)))


def run(row: Row, folder: Path, by_test: bool, seed: int, settings: list[str]) -> Fit:
    """Train on what trains, and judge on the test, or on what decided when to stop."""
    texts = row.texts(folder)
    size = {"hidden_size": equal_hidden(texts, row.settings)} if row.equal else {}
    flags = [flag(name, value) for name, value in (row.settings | size).items()]
    with tempfile.TemporaryDirectory() as place:
        files = Path(place, "train.txt"), Path(place, "judge.txt")
        files[0].write_text(texts.train + texts.valid, encoding="utf-8")
        files[1].write_text(texts.test if by_test else texts.valid, encoding="utf-8")
        flags.append(f"--validation-size={len(texts.valid)}")
        fit = trained("language", *files, seed, [*flags, *settings], Path(place, "run"))
        model = LanguageModel.load(Path(place, "run"))
        if row.dynamic:
            fit["dynamic"] = {"rate": row.dynamic, "perplexity": model.perplexity(files[1], dynamic=row.dynamic)}
        return fit | (with_cache(model, texts.valid, files[1]) if row.cached else {})


def flag(name: str, value: Any) -> str:
    """Return a setting as a flag."""
    text = f"--{name.replace('_', '-')}"
    return text if value is True else f"{text}={value}"


def with_cache(model: LanguageModel, valid: str, judge: Path) -> Fit:
    """Return the perplexity with the cache that is best on validation, which cache that is, and what all had there."""
    tried = {}
    for units, sharpness, share in CACHES:
        tried[units, sharpness, share] = model.perplexity(
            valid, cache=units, cache_sharpness=sharpness, cache_share=share
        )
    best = min(tried, key=lambda cache: tried[cache])
    found = model.perplexity(judge, cache=best[0], cache_sharpness=best[1], cache_share=best[2])
    every = [[*cache, perplexity] for cache, perplexity in tried.items()]
    return {"cache": {"units": best[0], "sharpness": best[1], "share": best[2], "perplexity": found, "tried": every}}


def equal_hidden(texts: Texts, settings: dict[str, Any]) -> int:
    """Return the size with which a network of these settings has as many weights as one of SIZE without them."""
    learned = LanguageLearned.of(texts.train, LanguageSettings(steps=1))

    def count(size: int, own: dict[str, Any]) -> int:
        network, _ = KIND.make(make_config(PARTS, own | {"hidden_size": size}), learned)
        return sum(parameter.numel() for parameter in network.parameters())

    return equal_size(lambda size: count(size, settings), count(SIZE, {}))


def content(folder: Path, name: str) -> str:
    """Return what is in a file of this name, packed or not, in the folder or in one in it."""
    place = next(one for one in (folder / name, folder / Path(name).name) if one.parent.exists())
    packed = place.with_name(f"{place.name}.xz")
    if packed.exists():
        return lzma.open(packed, "rt", encoding="utf-8", newline="").read()
    return place.read_text(encoding="utf-8")


def shakespeare(folder: Path) -> Texts:
    """Return one text, cut in its order."""
    text = content(folder, "tinyshakespeare/input.txt")
    first, second = round(0.85 * len(text)), round(0.9 * len(text))
    return Texts(text[:first], text[first:second], text[second:])


def wikitext(folder: Path) -> Texts:
    """Return articles of Wikipedia, whose rare words are <unk> already."""
    return Texts(*(content(folder, f"wikitext2/{part}.txt") for part in ("train", "valid", "test")))


ROWS = {
    "shakespeare": Row(shakespeare, {"hidden_size": SIZE}),
    "shakespeare with one head": Row(shakespeare, HEAD, equal=True),
    "shakespeare larger": Row(shakespeare, LARGE, dynamic=RATE),
    "wikitext2": Row(wikitext, WORDS, cached=True),
    "wikitext2 with one head": Row(wikitext, WORDS | HEAD, cached=True),
}


def table(done: Fits, names: list[str], how: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table: what ranks, mean and range over seeds, adapting, the n-grams, and seconds."""
    yield "| text | metric | mean | range | adapting to the text | n-grams | weights | CPU seconds |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in names:
        runs = [done[name, how, seed] for seed in range(seeds)]
        metric = "perplexity" if ROWS[name].texts is wikitext else "nats"
        scores = [one["metrics"]["this model"][metric] for one in runs]
        grams = next(row[metric] for label, row in runs[0]["metrics"].items() if label.endswith("-grams"))
        adapted = [one[how]["perplexity"] for one in runs for how in ("cache", "dynamic") if how in one]
        if metric == "nats":
            adapted = [math.log(one) for one in adapted]
        said = f"{sum(adapted) / seeds:.3f}" if adapted else ""
        seconds, weights = sum(one["cpu_seconds"] for one in runs) / seeds, runs[0]["parameters"]
        span = f"{sum(scores) / seeds:.3f} | {min(scores):.3f} to {max(scores):.3f}"
        yield f"| {name} | {metric} | {span} | {said} | {grams:.3f} | {weights:,} | {seconds:.0f} |"


if __name__ == "__main__":
    main()

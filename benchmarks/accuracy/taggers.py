"""Tag sentences with the default settings: one command of recurra for each set and seed.

    python benchmarks/accuracy/taggers.py FOLDER [--seeds 3] [--judge test] [--sets ud,wnut] [--out FILE] [SETTINGS..]

FOLDER holds, packed as .xz or not, here or below: en_ewt-ud-train, -dev and -test.conllu (Universal Dependencies, parts
of speech), wnut17train.conll, emerging.dev.conll and emerging.test.annotated (WNUT-17), train, dev and test.char.bmes
(Chinese CVs), and train, valid and test .seq.in, .seq.out and .label (SNIPS: slots, intents). All are cut as published.
With ``--judge validation`` the dev part judges, for choosing settings by; else it may train, too. A line of JSON is
added to ``--out`` (taggers.jsonl) for every training; what is in it already is not done again. Other arguments go to
``recurra train`` as they are.
"""

import lzma
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from fits import Fit, Fits, judged, trained

Parts = tuple[str, str, str]  # CoNLL: what trains, what settings are chosen by, the test


def main() -> None:
    """Run what is not done yet, and print the table."""
    asked = judged(str(__doc__), SETS, "taggers.jsonl")

    def fit(name: str, how: str, seed: int) -> Fit:
        train, valid, test = SETS[name](asked.folder)
        if asked.by_test:
            return run(f"{train}\n{valid}", test, seed, asked.settings)
        return run(train, valid, seed, asked.settings)

    print("\n".join(table(asked.fits(fit), asked.names, asked.how, asked.seeds)))


def run(train: str, judge: str, seed: int, settings: list[str]) -> Fit:
    """Train on one part, judge on the other."""
    with tempfile.TemporaryDirectory() as place:
        ending = "conllu" if "\tPUNCT\t" in judge else "conll"
        files = Path(place, f"train.{ending}"), Path(place, f"judge.{ending}")
        for file, text in zip(files, (train, judge), strict=True):
            file.write_text(text, encoding="utf-8")
        return trained("tag", *files, seed, settings, Path(place, "run"))


def content(folder: Path, name: str) -> str:
    """Return the text of a file, unpacked."""
    path = next(one for one in sorted(folder.rglob(f"{name}*")) if one.name in (name, f"{name}.xz"))
    packed = path.read_bytes()
    return (lzma.decompress(packed) if path.suffix == ".xz" else packed).decode("utf-8")


def ud(folder: Path) -> Parts:
    """Return parts of speech of English sentences."""
    train, dev, test = (content(folder, f"en_ewt-ud-{part}.conllu") for part in ("train", "dev", "test"))
    return train, dev, test


def wnut(folder: Path) -> Parts:
    """Return entities in posts."""
    names = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
    train, dev, test = ("\n".join(line.strip() for line in content(folder, one).splitlines()) for one in names)
    return train, dev, test


def resume(folder: Path) -> Parts:
    """Return entities in Chinese CVs, character by character."""
    train, dev, test = (content(folder, f"{part}.char.bmes") for part in ("train", "dev", "test"))
    return train, dev, test


def snips(folder: Path) -> Parts:
    """Return slots and intents of what people say to an assistant."""

    def part(name: str) -> str:
        columns = (content(folder, f"{name}.{one}").splitlines() for one in ("seq.in", "seq.out", "label"))
        return "\n".join(
            f"# intent = {label.strip()}\n"
            + "".join(f"{a}\t{b}\n" for a, b in zip(words.split(), tags.split(), strict=True))
            for words, tags, label in zip(*columns, strict=True)
        )

    return part("train"), part("valid"), part("test")


SETS: dict[str, Callable[[Path], Parts]] = {"ud": ud, "wnut": wnut, "resume": resume, "snips": snips}


def table(done: Fits, names: list[str], how: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table: what ranks, mean and range, the other rows of recurra's table, and seconds."""
    yield "| set | metric | mean | range | intents | usual label of a word | word regression | CPU seconds |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in names:
        runs = [done[name, how, seed] for seed in range(seeds)]
        rows = [one["metrics"]["this model"] for one in runs]
        metric = "entity_f1" if "entity_f1" in rows[0] else "accuracy"
        scores = [row[metric] for row in rows]
        seconds = sum(one["cpu_seconds"] for one in runs) / seeds
        intents = [row["intent_accuracy"] for row in rows if "intent_accuracy" in row]
        whole = f"{sum(intents) / seeds:.4f}" if intents else ""
        others = " | ".join(
            f"{runs[0]['metrics'][row][metric]:.4f}" for row in ("usual label of a word", "word regression")
        )
        span = f"{min(scores):.4f} to {max(scores):.4f}"
        yield f"| {name} | {metric} | {sum(scores) / seeds:.4f} | {span} | {whole} | {others} | {seconds:.0f} |"


if __name__ == "__main__":
    main()

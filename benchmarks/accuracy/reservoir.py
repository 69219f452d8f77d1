"""Echo state networks beside ReservoirPy: Mackey-Glass to be forecast, and spoken vowels to be told apart.

    python benchmarks/accuracy/reservoir.py [--seeds 3] [--out reservoir.jsonl] [--vowels FOLDER] [--only NAME]

The series is made here. FOLDER holds JapaneseVowels_TRAIN.ts and _TEST.ts (or .ts.xz, https://timeseriesclassification.com).
A line of JSON is added to the file for every fit; what is in it already is not done again. At the end the tables are
printed. Without ReservoirPy (``pip install reservoirpy``) its rows are missing.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from recurra import Classifier
from recurra.settings import make_config
from recurra.tasks.classify.kind import KIND as CASES
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.session import Session

POINTS, TEST, TAU = 4000, 1000, 17
UNITS, HORIZONS = (100, 500), (1, 10, 84)
USUAL = {"spectral_radius": 1.25, "leak": 0.3, "input_scaling": 1.0}  # of ReservoirPy's examples
Line = dict[str, Any]


def main() -> None:
    """Run what is not done yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("reservoir.jsonl"))
    parser.add_argument("--vowels", type=Path)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    done = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    for name, units, ahead, seed, fit in jobs(asked.seeds, asked.vowels):
        key = {"name": name, "units": units, "ahead": ahead, "seed": seed}
        if asked.only in name and not any(key.items() <= one.items() for one in done):
            done.append(key | fit())
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[-1]) + "\n")
    if find_spec("reservoirpy") is None:
        print("ReservoirPy is not installed, so its rows are missing.\n")
    print("\n".join(table(done)))


def jobs(seeds: int, vowels: Path | None) -> Iterator[tuple[str, int, int, int, Callable[[], Line]]]:
    """Yield every fit: name, units, steps ahead (0: classes), seed, and what does it; rivals one after the other."""
    series = mackey_glass(POINTS)
    theirs = find_spec("reservoirpy") is not None
    for seed in range(seeds):
        for units in UNITS:
            for ahead in HORIZONS:
                size = (units, ahead, seed)
                yield "recurra, numbers of ReservoirPy", *size, lambda s=size: ours(series, *s, USUAL)
                if theirs:
                    yield "ReservoirPy", *size, lambda s=size: reservoirpy(series, *s, USUAL)
                yield "recurra", *size, lambda s=size: ours(series, *s, {})
    for seed in range(seeds if vowels else 0):
        yield "vowels, recurra", 64, 0, seed, lambda s=seed: classes(vowels, s)
        if theirs:
            yield "vowels, ReservoirPy", 500, 0, seed, lambda s=seed: reservoirpy_classes(vowels, s)


def mackey_glass(count: int) -> np.ndarray:
    """Return ``x' = 0.2 x(t − τ) / (1 + x(t − τ)^10) − 0.1 x`` by steps of Runge and Kutta of length 1, from 1.2 on."""
    x = np.full(count + TAU, 1.2)

    def slope(now: float, late: float) -> float:
        return 0.2 * late / (1 + late**10) - 0.1 * now

    for t in range(TAU, count + TAU - 1):
        now, late = x[t], x[t - TAU]
        first = slope(now, late)
        second = slope(now + first / 2, late)
        third = slope(now + second / 2, late)
        fourth = slope(now + third, late)
        x[t + 1] = now + (first + 2 * second + 2 * third + fourth) / 6
    return x[TAU:]


def ours(series: np.ndarray, units: int, ahead: int, seed: int, numbers: dict[str, float]) -> Line:
    """Forecast the last quarter; what is not given is found on the last tenth of the training rows."""
    frame = pd.DataFrame({"step": np.arange(len(series)), "x": series})
    started = time.perf_counter()
    settings = {"hidden_size": units, "horizon": ahead, "seed": seed, "season": 1} | numbers
    config = make_config(KIND.parts, {"cell": "reservoir", "combine": False} | settings)
    session = Session(KIND.prepare(KIND.read(frame, config), config, TEST))
    for _ in session.epochs():
        pass
    fitted, prepared = session.fitted, session.prepared
    exam = KIND.exam(prepared.data, fitted.learned, prepared.plan.test)
    said = KIND.ask(fitted, exam.examples)
    seconds = time.perf_counter() - started
    error = said.point[:, -1, 0] - exam.truth.values[:, -1, 0]
    (cell,) = fitted.network.recurrent.cells()
    found = {name: round(float(getattr(cell, name)), 4) for name in USUAL}
    inside = {
        f"inside_{level}": float(np.mean((low <= exam.truth.values) & (exam.truth.values <= high)))
        for level, (low, high) in said.bands.items()
    }
    tried = sum(epoch["valid_loss"] is not None for epoch in session.history)
    return {"score": nrmse(error, series), "seconds": round(seconds, 3), "tried": tried} | found | inside


def reservoirpy(series: np.ndarray, units: int, ahead: int, seed: int, numbers: dict[str, float]) -> Line:
    """Do the same by ReservoirPy, as its documentation does: a hundred steps to warm up, a ridge of 1e-8."""
    from reservoirpy.nodes import Reservoir, Ridge

    started = time.perf_counter()
    scales = {"sr": numbers["spectral_radius"], "lr": numbers["leak"], "input_scaling": numbers["input_scaling"]}
    model = Reservoir(units, seed=seed, **scales) >> Ridge(ridge=1e-8)
    x, y, cut = series[:-ahead, None], series[ahead:, None], len(series) - TEST - ahead
    model.fit(x[:cut], y[:cut], warmup=100)
    said = model.run(x[cut:])
    seconds = time.perf_counter() - started
    return {"score": nrmse((said - y[cut:])[:, 0], series), "seconds": round(seconds, 3), "tried": 1}


def nrmse(errors: np.ndarray, series: np.ndarray) -> float:
    """Return the root of the mean square, in deviations of the series."""
    return float(np.sqrt(np.square(errors).mean()) / series.std())


def classes(folder: Path, seed: int) -> Line:
    """Tell the nine speakers of JapaneseVowels apart, by the official files, with nothing but defaults."""
    train, test = files(folder)
    started = time.perf_counter()
    model = Classifier(cell="reservoir", seed=seed).fit(train)
    score = model.score(test)
    return {"score": score, "seconds": round(time.perf_counter() - started, 3), "tried": len(model.history_)}


def files(folder: Path) -> list[str]:
    """Return the official training and test file."""
    return [str(next(folder.glob(f"JapaneseVowels_{part}.ts*"))) for part in ("TRAIN", "TEST")]


def reservoirpy_classes(folder: Path, seed: int) -> Line:
    """Do the same by ReservoirPy, as its documentation does: the last state of 500 units, and a ridge of 1e-6."""
    from reservoirpy.nodes import Reservoir, Ridge

    train, test = (CASES.read(path, Classifier()._config()) for path in files(folder))
    names = sorted(set(train.labels or ()))
    started = time.perf_counter()
    reservoir, readout = Reservoir(500, sr=0.9, lr=0.1, seed=seed), Ridge(ridge=1e-6)
    reservoir.initialize(train.values[0])
    states = []
    for cases in (train, test):
        states.append(np.concatenate([(reservoir.reset(), reservoir.run(one)[-1:])[1] for one in cases.values]))
    readout.fit(states[0], np.eye(len(names))[[names.index(label) for label in train.labels or ()]])
    said = [names[place] for place in readout.run(states[1]).argmax(1)]
    score = float(np.mean([one == other for one, other in zip(said, test.labels or (), strict=True)]))
    return {"score": score, "seconds": round(time.perf_counter() - started, 3), "tried": 1}


def table(done: list[Line]) -> Iterator[str]:
    """Return the lines of the table: mean over seeds with the worst one, and the shortest and the median time."""
    yield "| fit | units | steps ahead | NRMSE or accuracy, mean (lowest to highest) | seconds, median (least) |"
    yield "|---|---|---|---|---|"
    keys = dict.fromkeys((one["units"], one["ahead"], one["name"]) for one in done)
    for units, ahead, name in sorted(keys, key=lambda key: (key[1] == 0, *key)):
        runs = [one for one in done if (one["units"], one["ahead"], one["name"]) == (units, ahead, name)]
        scores, seconds = [one["score"] for one in runs], [one["seconds"] for one in runs]
        spread = f"{np.mean(scores):.2e} ({min(scores):.1e} to {max(scores):.1e})"
        if not ahead:
            spread = f"{np.mean(scores):.3f} ({min(scores):.3f} to {max(scores):.3f})"
        yield f"| {name} | {units} | {ahead or ''} | {spread} | {np.median(seconds):.2f} ({min(seconds):.2f}) |"


if __name__ == "__main__":
    main()

"""How well intervals hold on a stream, as they were calibrated in training and as they follow what turns out.

``python benchmarks/accuracy/intervals.py ETTh1=ett/ETTh1.csv:OT ..``: a name, a file with the time in its first column,
and a column. A file that is not here and that data.py knows comes from the folder ``RECURRA_DATA`` or is downloaded.
The first rows train, the last ``--test`` come one by one.

Shapes: T steps, H horizon.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from data import FILES, fetch

from recurra import Forecaster
from recurra.tasks.forecast.stream import ForecastStream

LEVELS = (80, 90)


def ends(stream: ForecastStream) -> np.ndarray:
    """Return what a stream forecasts now: (levels, 2, H)."""
    said = stream.predict()
    return np.stack([said[[f"yhat-lo-{level}", f"yhat-hi-{level}"]].to_numpy().T for level in LEVELS])


def judged(forecaster: Forecaster, values: np.ndarray, adapt: bool) -> list[str]:
    """Stream ``values`` (T,); return, by level, coverage, that of near and far steps, the worst tenth, a score."""
    stream, horizon = forecaster.stream(adapt=adapt), forecaster.fitted_.learned.layout.horizon
    every = np.stack([(stream.update(value), ends(stream))[1] for value in values[:-horizon]])
    truth = np.lib.stride_tricks.sliding_window_view(values[1:], horizon)[: len(every)]
    scale = float(forecaster.fitted_.learned.scaling.std[0, 0])
    cells = []
    for place, level in enumerate(LEVELS):
        low, high = every[:, place, 0], every[:, place, 1]
        inside, share = (truth >= low) & (truth <= high), 1 - level / 100
        tenths = [part.mean() for part in np.array_split(inside, 10)]
        worst = max(tenths, key=lambda one: abs(one - level / 100))
        out = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
        score = (high - low + 2 / share * out).mean() / scale
        near, far = inside[:, : horizon // 4].mean(), inside[:, -horizon // 4 :].mean()
        cells += [
            f"{100 * inside.mean():.1f}",
            f"{100 * near:.1f} / {100 * far:.1f}",
            f"{100 * worst:.1f}",
            f"{score:.3f}",
        ]
    return cells


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--test", type=int, default=3000)
    parser.add_argument("--train", type=int, default=8000)
    asked = parser.parse_args()
    heads = " | ".join(f"{level} % | near / far | worst tenth | score" for level in LEVELS)
    print(f"| set | intervals | {heads} |\n|---|---|" + "---|" * 8)
    for one in asked.sets:
        name, rest = one.split("=", 1)
        path, column = rest.rsplit(":", 1)
        table = pd.read_csv(fetch(path) if path in FILES and not Path(path).exists() else path)
        times = pd.to_datetime(table.iloc[:, 0])
        frame = pd.DataFrame({"ds": times, "y": table[column]}).sort_values("ds").drop_duplicates("ds")
        frame = frame[-asked.train - asked.test :]
        forecaster = Forecaster(horizon=asked.horizon).fit(frame[: asked.train])
        for adapt in (False, True):
            cells = judged(forecaster, frame["y"].to_numpy()[asked.train :], adapt)
            print(f"| {name} | {'followed' if adapt else 'calibrated'} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

"""What one more observation costs: an update of a stream and a forecast from it, by length of the look-back.

``OMP_NUM_THREADS=1 python benchmarks/streaming.py``. Every figure is a median, in time of the processor, so that it
says little of what else runs.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from recurra import Forecaster

ROUNDS, ROWS, HORIZON = 100, 4000, 24
MODELS: dict[str, dict[str, object]] = {
    "default": {},
    "vanilla": {"decoder": "vanilla"},
    "reservoir, 500 units": {"cell": "reservoir", "hidden_size": 500},
}
SHORT = {"max_epochs": 1, "epoch_steps": 5}  # what is learned does not matter here


def frame() -> pd.DataFrame:
    """Return a noisy daily wave, by the hour."""
    steps = np.arange(ROWS)
    y = np.sin(steps / 24 * 2 * np.pi) + np.random.default_rng(0).normal(scale=0.1, size=ROWS)
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=ROWS, freq="h"), "y": y})


def microseconds(call: Callable[[], object]) -> float:
    """Return the median time of a call, warm."""
    times = []
    for _ in range(ROUNDS + 10):
        begun = time.thread_time()
        call()
        times.append(time.thread_time() - begun)
    return 1e6 * statistics.median(times[10:])


def row(settings: dict[str, object], lookback: int) -> list[float]:
    """Return the times of an update, of a forecast, of both with intervals that follow, and of predict from a table."""
    data = frame()
    short = {"max_epochs": 1} if "cell" in settings else SHORT
    forecaster = Forecaster(horizon=HORIZON, lookback=lookback, **settings, **short).fit(data)
    stream, following, context = forecaster.stream(), forecaster.stream(adapt=True), data[-lookback:]
    return [
        microseconds(lambda: stream.update(0.5)),
        microseconds(stream.predict),
        microseconds(lambda: following.update(0.5).predict()),
        microseconds(lambda: forecaster.predict(df=context)),
    ]


def main() -> None:
    """Print the table."""
    print("| model | look-back | update | predict | both, adapt=True | Forecaster.predict(df) |")
    print("|---|---|---|---|---|---|")
    for name, settings in MODELS.items():
        for lookback in (48, 168, 720):
            print(f"| {name} | {lookback} | " + " | ".join(f"{time:,.0f}" for time in row(settings, lookback)) + " |")


if __name__ == "__main__":
    main()

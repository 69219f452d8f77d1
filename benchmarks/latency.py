"""How long a person waits: start of the command line, import, and one forecast.

Run it on an idle machine: ``python benchmarks/latency.py``. Every figure is a median, and all processes are fresh.
The import is timed within its process, after ``import torch``: a difference of two processes would hold the noise of
torch's own import, and the end of the process.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

ROUNDS = 7


def seconds(run: Callable[[], object]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def process(code: str) -> Callable[[], object]:
    """Return a call that runs ``code`` in a fresh Python."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def statement(first: str, then: str) -> float:
    """Return how long ``then`` takes in a fresh Python that has run ``first``."""
    code = f"import time; {first}; t = time.perf_counter(); {then}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def starts() -> dict[str, float]:
    """Return the median time of fresh processes, taken in turns."""
    help_ = process("import sys; sys.argv=['recurra','--help']; from recurra.cli import main; main()")
    runs = {
        "python": lambda: seconds(process("pass")),
        "recurra --help": lambda: seconds(help_),
        "import torch": lambda: statement("pass", "import torch"),
        "from recurra import Forecaster": lambda: statement("import torch", "from recurra import Forecaster"),
        "the same after import pandas": lambda: statement("import torch, pandas", "from recurra import Forecaster"),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(run())
    return {name: statistics.median(values) for name, values in times.items()}


def forecasts() -> dict[str, float]:
    """Return the median of 100 warm forecasts of one series, look-back 720, frame in and frame out."""
    from recurra import Forecaster

    steps = np.arange(3000)
    noise = np.random.default_rng(0).normal(scale=0.1, size=3000)
    frame = pd.DataFrame(
        {"ds": pd.date_range("2024-01-01", periods=3000, freq="h"), "y": np.sin(steps / 24 * 2 * np.pi) + noise}
    )
    forecaster = Forecaster(horizon=96, lookback=720, max_epochs=1, epoch_steps=5).fit(frame)
    context = frame.iloc[-720:]
    calls = {"predict()": forecaster.predict, "predict(df=720 rows)": lambda: forecaster.predict(df=context)}
    for call in calls.values():
        for _ in range(20):
            call()
    return {name: statistics.median(seconds(call) for _ in range(100)) for name, call in calls.items()}


def main() -> None:
    """Print the table."""
    waits = starts()
    waits |= forecasts()
    for name, wait in waits.items():
        print(f"{name:32} {1000 * wait:9.1f} ms")


if __name__ == "__main__":
    main()

"""How long many series take, and how much memory: ``python benchmarks/many_series.py 300 1000 3000 30000``.

Each count of series, 400 daily rows each, becomes a long Parquet file in a folder of its own; then
``recurra train FILE --horizon 14 --max-epochs 2 --epoch-steps 50`` runs in a fresh process, with its report. Time is
that of the whole command, memory the most that its process had.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 400
COMMAND = ("train", "many.parquet", "--horizon", "14", "--max-epochs", "2", "--epoch-steps", "50", "--out", "run")


def write(path: Path, count: int) -> None:
    """Write ``count`` series with a weekly pattern."""
    random = np.random.default_rng(0)
    week = 10 * np.sin(2 * np.pi * np.arange(ROWS) / 7)
    values = 50 + 20 * random.normal(size=(count, 1)) + week + 2 * random.normal(size=(count, ROWS))
    names = np.repeat([f"s{n:05}" for n in range(count)], ROWS)
    days = np.tile(pd.date_range("2023-01-01", periods=ROWS), count)
    pd.DataFrame({"unique_id": names, "ds": days, "y": values.round(2).ravel()}).to_parquet(path)


def measure(folder: Path) -> tuple[float, float]:
    """Return the seconds and the GB that the command takes."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "recurra.cli", *COMMAND],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"The command failed with status {status}.")
    return time.perf_counter() - started, usage.ru_maxrss / 1e6


def main() -> None:
    """Print a row per count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[300, 1000, 3000])
    print("| series | seconds | GB |\n|---|---|---|")
    for count in parser.parse_args().counts:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder) / "many.parquet", count)
            seconds, memory = measure(Path(folder))
        print(f"| {count:,} | {seconds:.0f} | {memory:.2f} |", flush=True)


if __name__ == "__main__":
    main()

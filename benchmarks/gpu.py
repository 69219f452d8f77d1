"""From which size on is a GPU the faster one? The same trainings on the processor and on the GPU.

    OMP_NUM_THREADS=4 python benchmarks/gpu.py

Synthetic series, cases and a text; the seconds are those of 20 training steps and a validation, in the mean of two
epochs, with the defaults but for the cell and the number of units. What came out is in gpu.md.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from recurra import Classifier, Forecaster, LanguageModel

SHORT: dict[str, Any] = {"max_epochs": 2, "epoch_steps": 20}
Training = Callable[[str], Any]  # on a device


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    if not torch.cuda.is_available():
        raise SystemExit("There is no CUDA device on this machine.")
    print("| training | weights | CPU, s per epoch | GPU, s per epoch | engines |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, training in trainings(Path(folder)):
            records = [training(device).fitted_.record for device in ("cpu", "cuda")]
            cpu, gpu = (f"{one.seconds / one.epochs:.2f}" for one in records)
            engines = ", ".join(" ".join(one.engines) for one in records)
            print(f"| {name} | {records[0].parameters:,} | {cpu} | {gpu} | {engines} |", flush=True)


def trainings(folder: Path) -> Iterator[tuple[str, Training]]:
    """Return what is trained, by name."""
    draw = np.random.default_rng(0)
    days = np.arange(3000)
    sales = pd.DataFrame({"y": 50 + 10 * np.sin(days * 2 * np.pi / 7) + draw.normal(0, 2, len(days))})
    x, y = draw.normal(size=(300, 150, 3)).astype(np.float32), draw.integers(0, 3, 300)
    book = folder / "book.txt"
    book.write_text(" ".join(f"w{int(3000 * lot**3)}" for lot in draw.random(40_000)), encoding="utf-8")
    for size in (32, 64, 128, 256, 512):
        for cell in ("gru", "lstm_gru"):
            yield f"forecast, {cell}, {size} units", partial(forecast, sales, cell, size)
    for size in (64, 128, 256):
        for cell in ("gru", "lstm_gru"):
            yield f"classify, {cell}, {size} units", partial(classify, x, y, cell, size)
    for size in (64, 128, 256, 512):
        yield f"language, lstm, {size} units", partial(write, book, size)


def forecast(sales: pd.DataFrame, cell: str, size: int, device: str) -> Any:
    """Train on one series of days."""
    return Forecaster(horizon=14, cell=cell, hidden_size=size, device=device, **SHORT).fit(sales)


def classify(x: np.ndarray, y: np.ndarray, cell: str, size: int, device: str) -> Any:
    """Train on 300 cases of 150 steps."""
    return Classifier(cell=cell, hidden_size=size, device=device, **SHORT).fit(x, y)


def write(book: Path, size: int, device: str) -> Any:
    """Train on a text of 40,000 words, 3,000 of them different."""
    return LanguageModel(level="word", hidden_size=size, device=device, **SHORT).fit(book)


if __name__ == "__main__":
    main()

"""How long one fit takes, beside a fit of the GRU of neuralforecast.

neuralforecast is no dependency of recurra. It goes into an environment of its own, from the root of the repository:

    python3 -m venv .venv-neuralforecast
    .venv-neuralforecast/bin/pip install -c constraints.txt -e . neuralforecast
    .venv-neuralforecast/bin/python benchmarks/against_neuralforecast.py

Both read 96 hours with one layer of 64 GRU units and forecast 24, in 300 steps of 32 windows, Adam at 1e-3, mean
absolute error, no early stopping. What stays different: recurra writes step by step, each step reading the one before
(its decoder is a GRU cell of 64 units), and looks once at one validation window, which it cannot do without;
neuralforecast writes all steps at once, by two dense layers. A time is that of all that ``fit`` does.
"""

import argparse
import logging
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

HORIZON, LOOKBACK, HIDDEN, STEPS, BATCH = 24, 96, 64, 300, 32


def series(rows: int = 5000) -> pd.DataFrame:
    """Return an hourly series: a day's sine with noise."""
    noise = np.random.default_rng(0).normal(scale=0.3, size=rows)
    values = np.sin(2 * np.pi * np.arange(rows) / 24) + noise
    return pd.DataFrame({"unique_id": "one", "ds": pd.date_range("2024-01-01", periods=rows, freq="h"), "y": values})


def recurra_fit(frame: pd.DataFrame, steps: int) -> Callable[[], object]:
    """Return a fit of recurra's step-by-step forecaster."""
    from recurra import Forecaster

    forecaster = Forecaster(
        horizon=HORIZON,
        lookback=LOOKBACK,
        decoder="vanilla",
        cell="gru",
        hidden_size=HIDDEN,
        attention="none",
        dropout=0.0,
        cycle=False,
        season=1,
        loss="absolute",
        validation_size=HORIZON,
        batch_size=BATCH,
        epoch_steps=steps,
        max_epochs=1,
        learning_rate=1e-3,
        weight_decay=0.0,
        device="cpu",
    )
    return lambda: forecaster.fit(frame)


def neuralforecast_fit(frame: pd.DataFrame, steps: int) -> Callable[[], object]:
    """Return a fit of neuralforecast's GRU, without logs, bars and checkpoints."""
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MAE
    from neuralforecast.models import GRU

    # Here, as the import sets them. Each logger that has its own level must be told.
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)

    def fit() -> None:
        model = GRU(
            h=HORIZON,
            input_size=LOOKBACK,
            encoder_hidden_size=HIDDEN,
            encoder_n_layers=1,
            decoder_hidden_size=HIDDEN,
            loss=MAE(),
            max_steps=steps,
            learning_rate=1e-3,
            batch_size=1,
            windows_batch_size=BATCH,
            early_stop_patience_steps=-1,
            accelerator="cpu",
            devices=1,
            logger=False,
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        NeuralForecast(models=[model], freq="h").fit(frame, val_size=0)

    return fit


def seconds(run: Callable[[], object]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(description="Time a fit beside the GRU of neuralforecast.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    warnings.simplefilter("ignore")
    frame = series()
    makers = {"recurra": recurra_fit, "neuralforecast": neuralforecast_fit}
    for make in makers.values():
        make(frame, 3)()  # loads what is loaded at the first fit
    runs = {name: make(frame, asked.steps) for name, make in makers.items()}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(asked.rounds):
        for name, run in runs.items():
            times[name].append(seconds(run))
    print(f"PyTorch {torch.__version__}, {asked.threads} threads, {asked.steps} steps, {asked.rounds} rounds in turns")
    for name, each in times.items():
        print(f"{name:16} {statistics.median(each):7.2f} s   ({', '.join(f'{one:.2f}' for one in each)})")
    pairs = zip(times["neuralforecast"], times["recurra"], strict=True)
    print(f"recurra is {statistics.median(theirs / ours for theirs, ours in pairs):.2f} times as fast")


if __name__ == "__main__":
    main()

"""Eight threads that fit, and eight that predict from one forecaster, against one thread: run by ``test_random.py``."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pandas as pd
import torch

from recurra import Forecaster

SEEDS = [0, 1, 2, 3] * 2
DROPS = {"dropout": 0.2, "weight_drop": 0.2, "zoneout": 0.2, "attention_dropout": 0.2, "num_layers": 2}
SMALL = {"horizon": 4, "lookback": 16, "hidden_size": 8, "max_epochs": 2, "epoch_steps": 5, "attention": "dot"}


def table() -> pd.DataFrame:
    steps = np.arange(120)
    noise = np.random.default_rng(0).normal(0, 1, 120)
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=120), "y": np.sin(steps) + noise})


def fitted(engine: str, cell: str, seed: int) -> Forecaster:
    return Forecaster(**SMALL, **DROPS, engine=engine, cell=cell, seed=seed).fit(table())  # type: ignore[arg-type]


def answer(forecaster: Forecaster) -> bytes:
    return forecaster.predict().drop(columns=["unique_id", "ds"]).to_numpy().tobytes()


def numbers(forecaster: Forecaster) -> bytes:
    return b"".join(value.numpy().tobytes() for value in forecaster.network_.state_dict().values())


def check(engine: str, cell: str) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    alone = {seed: fitted(engine, cell, seed) for seed in set(SEEDS)}
    assert len({numbers(one) for one in alone.values()}) == len(alone), "the seed decides"
    with ThreadPoolExecutor(8) as pool:
        for seed, one in zip(SEEDS, pool.map(lambda seed: fitted(engine, cell, seed), SEEDS), strict=True):
            assert numbers(one) == numbers(alone[seed]), f"the weights of seed {seed} ({engine}, {cell})"
            assert answer(one) == answer(alone[seed]), f"the forecast of seed {seed} ({engine}, {cell})"
        expected = answer(alone[0])
        assert all(one == expected for one in pool.map(lambda _: answer(alone[0]), range(40))), (
            f"forecasts of one ({engine}, {cell})"
        )
    assert torch.equal(torch.random.get_rng_state(), before), f"the random numbers of the user ({engine}, {cell})"


if __name__ == "__main__":
    for engine, cell in product(("auto", "reference"), ("gru", "lstm_gru")):
        check(engine, cell)

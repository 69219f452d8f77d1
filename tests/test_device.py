"""Where a network computes. The tests need no GPU: that there is one is pretended, and 'meta' is another device."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from recurra import Forecaster
from recurra.errors import ConfigError
from recurra.tasks.seq2seq import answers
from recurra.tasks.seq2seq.answers import Decoder
from recurra.training.device import MANY, pick_device
from test_translator import made


@pytest.fixture
def _gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.mark.usefixtures("_gpu")
def test_a_network_takes_the_gpu_when_it_is_large() -> None:
    small, large = (nn.Linear(size, 1, bias=False, device="meta") for size in (MANY - 1, MANY))
    assert pick_device("auto", small).type == "cpu"
    assert pick_device("auto", large).type == "cuda"
    assert pick_device("cpu", large).type == "cpu"
    assert pick_device("cuda", small).type == "cuda"


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    large = nn.Linear(MANY, 1, device="meta")
    assert pick_device("auto", large).type == "cpu"
    with pytest.raises(ConfigError, match=r"There is no CUDA device on this machine. Use device='cpu'."):
        pick_device("cuda", large)
    with pytest.raises(ConfigError, match=r"Unknown device 'gpu'. Choose auto, cpu or cuda."):
        pick_device("gpu", large)


def test_the_run_says_where_it_was_trained() -> None:
    values = pd.DataFrame({"y": np.sin(np.arange(60))})
    forecaster = Forecaster(horizon=2, lookback=6, hidden_size=2, max_epochs=1, epoch_steps=1).fit(values)
    assert forecaster.fitted_.record.device == "cpu"


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_rows_of_a_beam_go_where_the_network_is(attention: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, _, examples = made([("a b", "b a"), ("b", "b"), ("a a b", "b a a")], attention=attention)
    there = torch.device("meta")
    decoder = Decoder(network.to(there), examples.take(torch.arange(3)).to(there))
    rows: list[torch.Tensor] = []
    if decoder.stepper is None:
        monkeypatch.setattr(answers, "take_rows", lambda _, taken: rows.append(taken))
    else:
        monkeypatch.setattr(decoder, "stepper", SimpleNamespace(take=rows.append))
    decoder.keep(torch.tensor([0, 0, 2]))
    assert rows[0].is_meta

"""The translator of the task beside one written by hand with torch.nn: scores, gradients, and what a search finds."""

import importlib.util
import sys
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from recurra.nn.beam import Search
from recurra.settings import make_config
from recurra.tasks.seq2seq.answers import Decoder
from recurra.tasks.seq2seq.kind import KIND
from recurra.tasks.seq2seq.source import paired

HERE = Path(__file__).parents[1] / "benchmarks" / "accuracy" / "torch_translator.py"
WORDS = ["red", "green", "blue", "cat", "dog", "sat", "ran", "the", "a", "on"]
TEXTS = [" ".join((*pair, WORDS[len(pair[0])])) for pair in product(WORDS, WORDS)]
PAIRS = paired(TEXTS, [text[::-1] for text in TEXTS])


@pytest.fixture(scope="module")
def by_hand() -> Any:
    spec = importlib.util.spec_from_file_location("torch_translator", HERE)
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def both(by_hand: Any, **settings: Any) -> tuple[Any, Any, Any, Any]:
    """Return the task, the network, the one by hand with its weights, and a batch."""
    asked = {"hidden_size": 12, "level": "word", "dropout": 0.0, "input_dropout": 0.0} | settings
    prepared = KIND.prepare(PAIRS, make_config(KIND.parts, asked))
    network, task = KIND.make(prepared.config, prepared.learned)
    network.double().eval()
    model, own = prepared.config.model, prepared.config.task
    sizes = by_hand.Sizes(
        prepared.learned.source.size,
        prepared.learned.target.size,
        own.embedding_size or model.hidden_size,
        model.hidden_size,
        model.num_layers,
        model.cell,
        model.attention,
        own.feeding,
        own.tied,
    )
    other = by_hand.Translator(sizes).double().eval()
    other.take_weights(network.state_dict())
    return task, network, other, prepared.train.take(torch.arange(8))


@pytest.mark.parametrize("attention", ["additive", "general"])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(
    "settings", [{}, {"embedding_size": 7, "num_layers": 2}, {"feeding": False}, {"tied": False, "embedding_size": 5}]
)
def test_scores_and_gradients_are_those_of_torch(
    by_hand: Any, cell: str, attention: str, settings: dict[str, Any]
) -> None:
    task, network, other, batch = both(by_hand, cell=cell, attention=attention, **settings)
    lengths = batch.mask.sum(1)
    scores = network(batch).prediction[batch.target_mask]
    torch.testing.assert_close(scores, other(batch.inputs, lengths, batch.targets), rtol=0, atol=1e-12)
    ours = task.loss(task.ask(network, batch), batch).mean
    theirs = other.loss(batch.inputs, lengths, batch.targets, task.smoothing)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    ours.backward()
    theirs.backward()
    pairs = {"embed.weight": "read.weight", "decoder.cell.weight_hh": "decoder.weight_hh"}
    for name, same in pairs.items():
        found = network.get_parameter(name).grad, other.get_parameter(same).grad
        torch.testing.assert_close(*found, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("width", "penalty"), [(1, 1.0), (3, 1.0), (5, 0.6), (7, 0.0)])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_search_finds_what_one_by_hand_does(by_hand: Any, cell: str, width: int, penalty: float) -> None:
    task, network, other, batch = both(by_hand, cell=cell, level="character")
    network.train()
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(25):  # so that answers end
        optimiser.zero_grad()
        task.loss(task.ask(network, batch), batch).mean.backward()
        optimiser.step()
    network.eval()
    other.take_weights(network.state_dict())
    with torch.no_grad():
        found = Search(width, penalty, by_hand.END, (by_hand.PAD,))(Decoder(network, batch), [12] * len(batch.inputs))
    units = [list(one[0].units) for one in found]
    lengths = batch.mask.sum(1)
    assert units == other.beam(batch.inputs, lengths, 12, width, penalty)
    assert width > 1 or units == other.greedy(batch.inputs, lengths, 12)
    assert len({len(one) for one in units}) > 1

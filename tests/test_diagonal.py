"""Looks away from the diagonal: by loops, in batches with padding, and what they do to a training."""

from math import exp

import numpy as np
import pytest
import torch

from recurra import ConfigError, Translator
from recurra.nn.diagonal import off_diagonal
from recurra.settings import make_config
from recurra.tasks.seq2seq.kind import KIND
from recurra.tasks.seq2seq.settings import PARTS
from recurra.tasks.seq2seq.source import pairs_of
from recurra.tasks.seq2seq.task import Seq2seqTask


def test_it_is_the_formula_of_its_paper() -> None:
    torch.manual_seed(0)
    weights = torch.rand(3, 4, 5, dtype=torch.float64)
    said, read = torch.tensor([4, 2, 3]), torch.tensor([5, 3, 1])
    for b in range(3):
        weights[b, :, read[b] :] = 0.0
    expected = 0.0
    for b, (q_count, t_count) in enumerate(zip(said.tolist(), read.tolist(), strict=True)):
        for q in range(q_count):
            for t in range(t_count):
                away = 1 - exp(-((q / q_count - t / t_count) ** 2) / (2 * 0.2**2))
                expected += weights[b, q, t].item() * away
    assert off_diagonal(weights, said, read).item() == pytest.approx(expected)
    heads = torch.stack([weights, 0 * weights], 1)
    assert off_diagonal(heads, said, read).item() == pytest.approx(expected / 2)


def test_it_joins_the_loss_in_training_alone() -> None:
    pairs = [(f"a b c {n}", f"c b a {n}") for n in range(20)]
    prepared = KIND.prepare(
        pairs_of(pairs), make_config(PARTS, {"hidden_size": 8, "dropout": 0.0, "input_dropout": 0.0})
    )
    network, _ = KIND.make(prepared.config, prepared.learned)
    batch = prepared.train.take(torch.arange(6))
    plain, guided = Seq2seqTask(), Seq2seqTask(diagonal=0.5)
    weights = network(batch).weights
    away = off_diagonal(weights, batch.target_mask.sum(1), batch.mask.sum(1))
    assert away > 0
    before, after = (task.ask(network.train(), batch).prediction.item() for task in (plain, guided))
    assert after - before == pytest.approx(0.5 * away.item(), rel=1e-4)
    assert plain.ask(network.eval(), batch).prediction.item() == guided.ask(network, batch).prediction.item()


def test_segments_of_sequences_are_counted() -> None:
    draw = np.random.default_rng(0)
    lengths = [4, 5, 9, 14, 3]
    pairs = pairs_of(([draw.normal(size=(2, n)) for n in lengths * 3], ["a b", "b", "a a", "b a", "a"] * 3))
    prepared = KIND.prepare(pairs, make_config(PARTS, {"hidden_size": 8, "target_level": "word", "segment": 4}))
    network, _ = KIND.make(prepared.config, prepared.learned)
    batch = prepared.train.take(torch.arange(len(prepared.train)))
    expected = [prepared.learned.source.steps(int(n)) for n in batch.mask.sum(1)]
    assert network.steps(batch).tolist() == expected  # type: ignore[operator]


def test_looks_come_nearer_to_the_diagonal() -> None:
    words = [f"{a}{b}" for a in "bdfgk" for b in "aeiou"]
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(words, 8)) for _ in range(300)]
    found = {}
    for penalty in (0.0, 5.0):
        settings = {
            "level": "word",
            "hidden_size": 24,
            "learning_rate": 0.01,
            "max_epochs": 3,
            "batch_size": 16,
            "diagonal_penalty": penalty,
        }
        translator = Translator(**settings).fit(texts, [text.upper() for text in texts])  # type: ignore[arg-type]
        looked = torch.tensor(translator.align(texts[0], texts[0].upper()).to_numpy())[None]
        found[penalty] = off_diagonal(looked, torch.tensor([9]), torch.tensor([9])).item()
    assert found[5.0] < 0.7 * found[0.0]


def test_where_nothing_looks_it_is_refused() -> None:
    with pytest.raises(ConfigError, match="diagonal_penalty has no effect"):
        Translator(attention="none", diagonal_penalty=1.0).fit([("a", "b"), ("c", "d")])

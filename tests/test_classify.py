"""Classification of series as a kind of task: the cut, the network, the answers, the verbs and the report."""

import dataclasses
import html
import json
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn import metrics as oracle
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from torch.nn import functional as F

from commands import Answer, Run, run_command
from pages import figures_in
from recurra import Classifier
from recurra.attention import ATTENTIONS
from recurra.cells import CELLS
from recurra.data.batch import Batch
from recurra.data.cases import Cases, cases_of
from recurra.data.moments import moments
from recurra.errors import ConfigError, DataError
from recurra.nn.build import unused
from recurra.nn.filters import Branch, StepNorm
from recurra.random import using
from recurra.settings import make_config
from recurra.tasks import kind_of, name_of, parts_of
from recurra.tasks.base import Fitted
from recurra.tasks.cases.classes import classes_of
from recurra.tasks.cases.confusion import confusion
from recurra.tasks.cases.convolutions import affordable
from recurra.tasks.cases.drawing import frames_figure, sound_figure
from recurra.tasks.cases.examples import CaseExamples
from recurra.tasks.cases.figures import Falls, case_figure, confusion_figure, small_case_figure
from recurra.tasks.cases.network import Layout
from recurra.tasks.cases.reading import Reading, filled, resampled
from recurra.tasks.cases.split import stratified
from recurra.tasks.classify.answers import Guess, ask_network, statistics_of
from recurra.tasks.classify.combination import DRAWN, weights_of
from recurra.tasks.classify.kind import KIND
from recurra.tasks.classify.metrics import METRICS
from recurra.tasks.classify.plan import make_plan
from recurra.tasks.classify.report import MEASURE
from recurra.tasks.classify.sharpness import log_softmax, sharpness_and_shift, sharpness_of
from recurra.tasks.saving import from_run, to_run
from recurra.tasks.session import Session
from recurra.training.loop import Epoch, fit
from recurra.training.record import Record
from recurra.verbs.common import Listener, Source
from recurra.verbs.train import train

TINY: dict[str, Any] = {
    "hidden_size": 8,
    "epoch_steps": 3,
    "max_epochs": 2,
    "batch_size": 8,
    "last_epochs": 1,
}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]


def waves(count: int, seed: int = 0, channels: int = 1, gaps: bool = False, longer: int = 1) -> Cases:
    """Slow and fast waves of unequal length with a random phase, in noise."""
    random = np.random.default_rng(seed)
    X, y = [], []
    for n in range(count):
        fast = n % 2
        steps = int(random.integers(30, 60)) * longer
        angle = 2 * np.pi * (np.arange(steps) / (6.0 if fast else 15.0) + random.random())
        case = np.stack([np.sin(angle + c) for c in range(channels)]) + random.normal(0, 0.3, (channels, steps))
        if gaps:
            case[:, random.choice(steps, 4, replace=False)] = np.nan
        X.append(case)
        y.append("fast" if fast else "slow")
    return cases_of(X, y)


def config_of(**changed: Any) -> Any:
    return make_config(KIND.parts, TINY | changed)


def trained(data: Cases, test_size: int | None = None, **changed: Any) -> tuple[Fitted, Any]:
    """A model, and the exam of what was held out."""
    config = config_of(**changed)
    prepared = KIND.prepare(data, config, test_size)
    session = Session(prepared)
    for _ in session.epochs():
        pass
    session.fit_baselines()
    exam = KIND.exam(data, prepared.learned, prepared.plan.test) if prepared.plan.test_size else None
    return session.fitted, exam


def accuracy(fitted: Fitted, exam: Any) -> float:
    return METRICS[0].of(KIND.statistics(exam.truth, KIND.ask(fitted, exam.examples)))


def untrained(data: Cases, **changed: Any) -> tuple[nn.Module, Any]:
    """A network with its first weights, and all of ``data`` as its examples."""
    config = config_of(**changed)
    prepared = KIND.prepare(data, config, 0)
    network, _ = KIND.build(config, prepared.learned)
    return network.eval(), KIND.encode(data, prepared.learned)


# Where it is


def test_it_is_a_kind_by_name() -> None:
    assert kind_of("classify") is KIND and name_of(KIND) == "classify"
    parts = parts_of("classify")
    assert parts.defaults()["bidirectional"] is True and parts_of("forecast").defaults()["bidirectional"] is False
    assert parts.part_of()["bidirectional"] == "model" and parts.part_of()["readout"] == "classify"


# The cut


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=8),
    size=st.integers(0, 120),
    seed=st.integers(0, 5),
    left=st.integers(0, 1),
)
@settings(max_examples=80, deadline=None)
def test_a_part_is_drawn_class_by_class(counts: list[int], size: int, seed: int, left: int) -> None:
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    chosen = stratified(codes, np.arange(len(codes)), size, seed, left)
    taken, room = np.bincount(codes[chosen], minlength=len(counts)), np.array(counts) - left
    assert len(chosen) == len(set(chosen)) == min(size, room.sum()) and (taken <= room).all()
    if size >= len(counts):
        assert (taken[room > 0] >= 1).all()
    full = (taken == room) | (taken <= 1)
    wanted = np.array(counts) * size / len(codes)
    assert (np.abs(taken - wanted)[~full] <= max(1, len(counts))).all()
    assert np.array_equal(chosen, stratified(codes, np.arange(len(codes)), size, seed, left)), "always the same"


def test_the_shares_of_classes_are_kept() -> None:
    codes = np.repeat([0, 1, 2], [100, 50, 10])
    chosen = stratified(codes, np.arange(160), 32, 0)
    assert np.bincount(codes[chosen]).tolist() == [20, 10, 2]
    assert chosen[:20].max() > 30, "not the first ones, but any"


def test_parts_do_not_overlap_and_a_single_case_trains() -> None:
    data = cases_of(np.random.default_rng(0).normal(size=(40, 9)), ["a"] * 20 + ["b"] * 18 + ["c", "d"])
    plan = make_plan(data, config_of().task, None)
    parts = [plan.train, plan.valid, plan.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(40)) and plan.test_size == 8
    assert {38, 39} <= set(plan.train.tolist())
    assert "single case" in plan.notes[-1]
    other = make_plan(data, config_of(seed=5).task, None)
    assert np.array_equal(other.test, plan.test), "what is held out is held out whatever the seed"


@pytest.mark.parametrize(("given_size", "expected"), [(None, 8), (0.5, 20), (5, 5), (0.1, 4)])
def test_validation_size(given_size: float | None, expected: int) -> None:
    data = cases_of(np.random.default_rng(0).normal(size=(40, 9)), ["a", "b"] * 20)
    plan = make_plan(data, config_of(validation_size=given_size).task, 0)
    assert len(plan.valid) == expected and plan.test_size == 0
    assert set(np.array(data.labels)[plan.valid]) == {"a", "b"}


def test_classes_are_sorted_by_number_or_text() -> None:
    assert classes_of(cases_of([[1.0]] * 4, ["10", "9", "-1", "9"])) == ("-1", "9", "10")
    assert classes_of(cases_of([[1.0]] * 3, ["10", "b", "A"])) == ("10", "A", "b")


# What is read


def test_each_channel_is_scaled_by_the_training_cases() -> None:
    data = waves(30, channels=2)
    prepared = KIND.prepare(data, config_of(normalise="series", changes=False), 6)
    train = np.concatenate([data.values[i] for i in prepared.plan.train])
    np.testing.assert_allclose(prepared.learned.reading.mean, train.mean(0))
    np.testing.assert_allclose(prepared.learned.reading.std, train.std(0))
    batch = prepared.train.take(torch.tensor([2]))
    first = data.values[prepared.plan.train[2]]
    np.testing.assert_allclose(batch.inputs[0], (first - train.mean(0)) / train.std(0), rtol=1e-5, atol=1e-6)


def test_each_case_is_scaled_by_itself_or_not_at_all() -> None:
    data = waves(30, channels=2)
    for normalise, expected in (("case", lambda v: (v - v.mean(0)) / v.std(0)), ("none", lambda v: v)):
        prepared = KIND.prepare(data, config_of(normalise=normalise, changes=False), 0)
        batch = prepared.train.take(torch.tensor([0]))
        value = data.values[prepared.plan.train[0]]
        np.testing.assert_allclose(batch.inputs[0], expected(value), rtol=1e-5, atol=1e-6)


def test_changes_are_read_beside_the_values() -> None:
    data = waves(30, channels=2, gaps=True)
    prepared = KIND.prepare(data, config_of(), 0)
    learned, train = prepared.learned.reading, [data.values[i] for i in prepared.plan.train]
    scaled = [filled((case - learned.mean) / learned.std) for case in train]
    np.testing.assert_allclose(learned.change, np.concatenate([np.diff(case, axis=0) for case in scaled]).std(0))
    batch = prepared.train.take(torch.tensor([3]))
    np.testing.assert_allclose(batch.inputs[0, :, :2], scaled[3], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(batch.inputs[0, 0, 2:], 0)
    np.testing.assert_allclose(
        batch.inputs[0, 1:, 2:], np.diff(scaled[3], axis=0) / learned.change, rtol=1e-4, atol=1e-5
    )


def test_gaps_are_filled_in_a_straight_line() -> None:
    nan = np.nan
    values = np.array([[nan, nan], [2.0, nan], [nan, nan], [6.0, nan], [nan, nan]])
    assert filled(values).tolist() == [[2, 0], [2, 0], [4, 0], [6, 0], [6, 0]]
    assert np.isnan(values[0, 0]), "the data stay as they are"
    mean, std = moments(values)
    assert mean.tolist() == [4, 0] and std.tolist() == [2, 1]


def test_the_network_is_told_what_is_missing() -> None:
    data = waves(30, gaps=True)
    network, examples = untrained(data)
    batch = examples.take(torch.arange(4))
    for n in range(4):
        steps = len(data.values[n])
        assert batch["known"][n, :steps].numpy().tolist() == np.isfinite(data.values[n]).tolist()
        assert not batch["known"][n, steps:].any() and not batch.inputs[n, steps:].any()
    changed = batch.with_values("known", torch.ones_like(batch["known"]))
    assert not torch.allclose(network(batch).prediction, network(changed).prediction)


def test_each_case_counts_as_much_as_its_weight() -> None:
    data, weights = waves(30), np.linspace(0, 3, 30)
    prepared = KIND.prepare(data.weighted(weights), config_of(smoothing=0.0), 0)
    network, task = KIND.make(prepared.config, prepared.learned)
    batch = prepared.train.take(torch.arange(8))
    loss = task.loss(task.ask(network.eval(), batch), batch)
    own = weights[prepared.plan.train[:8]]
    logs = network(batch).prediction.log_softmax(-1).detach().double().numpy()
    assert batch.targets is not None
    expected = -(own * logs[np.arange(8), batch.targets.numpy()]).sum() / own.sum()
    assert loss.mean.item() == pytest.approx(expected, rel=1e-5)
    assert KIND.fingerprint(data) != KIND.fingerprint(data.weighted(weights))


@pytest.mark.parametrize("weights", [[1.0], [-1.0] * 30, [0.0] * 30, [np.nan] * 30, ["a"] * 30])
def test_weights_that_are_none_are_refused(weights: list[Any]) -> None:
    with pytest.raises(DataError, match="sample_weight"):
        waves(30).weighted(weights)


@pytest.mark.parametrize(("balance", "smoothing"), [(False, 0.0), (True, 0.0), (False, 0.2)])
def test_loss_is_cross_entropy(balance: bool, smoothing: float) -> None:
    data = cases_of(np.random.default_rng(0).normal(size=(20, 9)), ["a"] * 14 + ["b"] * 6)
    config = config_of(balance=balance, smoothing=smoothing)
    prepared = KIND.prepare(data, config, 0)
    network, task = KIND.build(config, prepared.learned)
    counts = np.bincount([int(target) for target in prepared.train.targets])
    weights = torch.tensor(counts.sum() / (2 * counts)).float() if balance else None
    batch = prepared.train.take(torch.arange(len(prepared.train)))
    output = task.ask(network.eval(), batch)
    expected = F.cross_entropy(output.prediction, batch.targets, weights)
    if smoothing:
        labels = 0.8 * F.one_hot(batch.targets, 2) + 0.2 / 2
        expected = -(labels * output.prediction.log_softmax(1)).sum(1).mean()
    assert float(task.loss(output, batch).mean.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_at_the_end_all_cases_train() -> None:
    data = waves(40)
    config = config_of(last_epochs=2, epoch_steps=4)
    prepared = KIND.prepare(data, config, 10)
    assert "6 to decide when to stop and train at the end" in " ".join(prepared.plan.notes)
    without = Session(KIND.prepare(data, config_of(last_epochs=0, epoch_steps=4), 10))
    list(without.epochs())
    session = Session(prepared)
    list(session.epochs())
    watched, last = session.history[:-2], session.history[-2:]
    assert [epoch["valid_loss"] for epoch in watched] == [epoch["valid_loss"] for epoch in without.history]
    assert [epoch["valid_loss"] for epoch in last] == [None, None] and not any(epoch["best"] for epoch in last)
    assert [epoch["number"] for epoch in session.history] == list(range(1, len(watched) + 3))
    record = session.fitted.record
    assert (record.epochs, record.last_epochs) == (len(watched), 2)
    assert record.seconds == pytest.approx(sum(epoch["seconds"] for epoch in session.history), abs=0.01)
    assert record.course().endswith(f"from the best one, epoch {record.best_epoch}, it went on for 2 epochs")
    seen: set[int] = set()
    network = without.fitted.network
    whole = CaseExamples.of(data.some(np.setdiff1d(np.arange(40), prepared.plan.test)), prepared.learned)
    settings = dataclasses.replace(config.training, learning_rate=config.training.learning_rate / 2, warmup=10)
    for _ in fit(network, without.fitted.task, Watched(whole, seen), None, settings):
        pass
    assert len(seen) == 30, "or this test shows little"
    for name, value in session.fitted.network.state_dict().items():
        torch.testing.assert_close(value, network.state_dict()[name], rtol=0, atol=0)


class Watched:
    """Examples that note which were taken."""

    def __init__(self, examples: CaseExamples, seen: set[int]):
        self.examples, self.seen, self.lengths = examples, seen, examples.lengths

    def __len__(self) -> int:
        return len(self.examples)

    def take(self, numbers: torch.Tensor) -> Batch:
        self.seen.update(numbers.tolist())
        return self.examples.take(numbers)


# The network


def alone(network: nn.Module, examples: CaseExamples, number: int) -> Any:
    return network(examples.take(torch.tensor([number])))


LOOKS = {"rows": 3, "self_attention": "multi_head", "heads": 2}
READ_OUT = [(cell, readout) for cell in CELLS for readout in ("last", "mean", "max", "attention")]


@pytest.mark.parametrize("pool", [1, 3])
def test_a_branch_is_three_layers_of_filters_and_their_mean(pool: int) -> None:
    branch = Branch(2, 4, pool).double()
    for norm in branch.filters.norms:
        nn.init.normal_(norm.weight), nn.init.normal_(norm.bias)
        norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2)
    lengths = [11, 4, 1]
    mask = torch.arange(11) < torch.tensor(lengths).unsqueeze(1)
    x = torch.randn(3, 11, 2, dtype=torch.float64) * mask.unsqueeze(-1)
    found = branch.eval()(x, mask)
    for n, length in enumerate(lengths):
        rows = x[n, :length].numpy()
        for number, (layer, norm) in enumerate(zip(branch.filters.layers, branch.filters.norms, strict=True)):
            weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            half, steps = weight.shape[2] // 2, len(rows)
            sums = np.array([bias] * steps)
            for t in range(steps):
                for k in range(weight.shape[2]):
                    if 0 <= t + k - half < steps:
                        sums[t] += weight[:, :, k] @ rows[t + k - half]
            scale = norm.weight.detach().numpy() / np.sqrt(norm.running_var.numpy() + norm.eps)
            rows = np.maximum((sums - norm.running_mean.numpy()) * scale + norm.bias.detach().numpy(), 0)
            if number == 0 and pool > 1:
                rows = np.array([rows[t : t + pool].max(0) for t in range(0, steps, pool)])
        np.testing.assert_allclose(found[n].detach().numpy(), rows.mean(0), rtol=1e-9, atol=1e-12)


def test_beside_a_branch_most_of_the_read_out_is_dropped_in_training() -> None:
    network, examples = untrained(waves(12), convolutions=3, dropout=0.1)
    batch, seen = examples.take(torch.arange(12)), []
    network.out.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    with using(torch.Generator().manual_seed(0)):
        network.train()(batch), network.eval()(batch)
    trained, answered = (found[:, :-3] for found in seen)
    assert 0.75 < float((trained == 0).float().mean()) < 0.85 and not (answered == 0).any()
    assert bool((seen[0][:, -3:] != 0).any(0).all())  # of the branch nothing is


def test_a_branch_needs_series_and_a_reservoir_stands_alone() -> None:
    pictures = cases_of(np.random.default_rng(0).normal(size=(12, 5, 4, 4)), [0, 1] * 6)
    prepared = KIND.prepare(pictures, config_of(convolutions=4), 0)
    with pytest.raises(ConfigError, match="convolutions=4 is a branch over the steps of series"):
        KIND.make(prepared.config, prepared.learned)
    with pytest.raises(ConfigError, match="convolutions has no effect"):
        Classifier(cell="reservoir", convolutions=4).fit(np.random.default_rng(0).normal(size=(12, 20)), [0, 1] * 6)


@pytest.mark.parametrize("more", [{}, LOOKS, {"convolutions": 3}], ids=["plain", "looks", "convolutions"])
@pytest.mark.parametrize(("cell", "readout"), [one for one in READ_OUT if one != ("reservoir", "attention")])
def test_a_padded_batch_answers_like_each_case_alone(cell: str, readout: str, more: dict[str, Any]) -> None:
    if cell == "reservoir" and more:
        pytest.skip("a reservoir looks nowhere, and nothing stands beside it")
    network, examples = untrained(waves(12, gaps=True), cell=cell, readout=readout, segment=4, **more)
    with torch.no_grad():
        together = network(examples.take(torch.arange(12)))
        for n in (0, 3, 7):
            one = alone(network, examples, n)
            torch.testing.assert_close(together.prediction[n], one.prediction[0], rtol=1e-4, atol=1e-5)
            if one.weights is not None:
                size = one.weights.shape[-1]
                torch.testing.assert_close(together.weights[n, ..., :size], one.weights[0], rtol=1e-4, atol=1e-5)
                assert not together.weights[n, ..., size:].any()
            if one.self_weights is not None:
                size = one.self_weights.shape[-1]
                found = together.self_weights[n, ..., :size, :size]
                torch.testing.assert_close(found, one.self_weights[0], rtol=1e-4, atol=1e-5)
                assert not together.self_weights[n, ..., size:].any()
        assert (together.self_weights is not None) == ("self_attention" in more)


def test_a_padded_batch_of_long_cases_answers_like_each_alone() -> None:
    network, examples = untrained(waves(12, gaps=True, longer=11))
    assert network.layout.pool == 3
    with torch.no_grad():
        together = network(examples.take(torch.arange(12)))
        for n in range(12):
            torch.testing.assert_close(
                together.prediction[n], alone(network, examples, n).prediction[0], rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_attention_reads_out(attention: str) -> None:
    network, examples = untrained(waves(12), attention=attention, num_layers=2)
    with torch.no_grad():
        together = network(examples.take(torch.arange(12)))
        one = alone(network, examples, 5)
    torch.testing.assert_close(together.prediction[5], one.prediction[0], rtol=1e-4, atol=1e-5)
    fitted = fitted_of(network, examples, attention=attention, num_layers=2)
    table = KIND.glimpse(fitted, examples.cases)
    assert table.attention is not None and len(table.steps) == one_count(network, table.batch)


def one_count(network: nn.Module, batch: Batch) -> int:
    return int(network(batch).weights.shape[-1])


def fitted_of(network: nn.Module, examples: CaseExamples, **changed: Any) -> Fitted:
    config = config_of(**changed)
    learned = KIND.prepare(examples.cases, config, 0).learned
    return Fitted(KIND, config, learned, network, None, {}, Record())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "segment", "hop", "expected"),
    [(10, 4, 2, [(0, 3), (2, 5), (4, 7), (6, 9)]), (9, 4, 2, [(0, 3), (2, 5), (4, 7), (6, 8)]), (3, 4, 2, [(0, 2)])],
)
def test_stretches(steps: int, segment: int, hop: int, expected: list[tuple[int, int]]) -> None:
    learned = KIND.prepare(waves(12), config_of(segment=segment), 0).learned
    layout = dataclasses.replace(learned.reading.layout, segment=segment, hop=hop)
    assert layout.stretches(steps) == expected


IDLE = [
    ({"readout": "mean", "rows": 2}, {"rows": "readout='mean' looks nowhere"}),
    ({"attention": "none", "rows": 2}, {"rows": "attention='none' looks nowhere"}),
    ({"attention": "none", "overlap_penalty": 1.0}, {"overlap_penalty": "attention='none' looks nowhere"}),
    ({"readout": "max", "entropy_penalty": 1.0}, {"entropy_penalty": "readout='max' looks nowhere"}),
    ({"readout": "max", "attention_dropout": 0.1}, {"attention_dropout": "readout='max' looks nowhere"}),
    ({"readout": "max", "attention": "dot"}, {"attention": "readout='max' looks nowhere"}),
    (
        {"readout": "last", "self_attention": "dot"},
        {"self_attention": "readout='last' takes the state after the last step as it is"},
    ),
    (
        {"readout": "last", "attention": "none", "self_attention": "multi_head", "heads": 8},
        {
            "self_attention": "readout='last' takes the state after the last step as it is",
            "heads": "attention='none' looks nowhere",
        },
    ),
    (
        {"self_attention": "multi_head", "attention": "dot", "window": 3},
        {"window": "attention='dot' and self_attention='multi_head' do not use it"},
    ),
    (
        {"self_attention": "multi_head", "readout": "mean", "attention_size": 3},
        {"attention_size": "self_attention='multi_head' does not use it"},
    ),
    ({"self_attention": "multi_head", "readout": "mean", "heads": 8, "attention_dropout": 0.1}, {}),
    ({"self_attention": "multi_head", "attention": "none", "heads": 8, "attention_warmup": 3}, {}),
    ({"self_attention": "local_m", "attention": "multi_head", "heads": 8, "window": 3, "rows": 2}, {}),
    ({"attention": "tanh_dot", "rows": 4, "overlap_penalty": 1.0, "readout": "attention"}, {}),
]


@pytest.mark.parametrize(("settings", "expected"), IDLE, ids=str)
def test_what_nothing_uses(settings: dict[str, Any], expected: dict[str, str]) -> None:
    config = make_config(KIND.parts, settings)
    assert unused(config, KIND.unused(config)) == expected


@pytest.mark.parametrize(
    ("plain", "changed"),
    [
        ({}, {"rows": 2}),
        ({}, {"self_attention": "dot"}),
        ({"readout": "mean"}, {"self_attention": "dot"}),
        ({"self_attention": "multi_head", "readout": "mean"}, {"heads": 2}),
        ({"self_attention": "local_m", "readout": "mean"}, {"window": 1}),
    ],
    ids=str,
)
def test_looks_change_the_network(plain: dict[str, Any], changed: dict[str, Any]) -> None:
    answers = []
    for options in (plain, plain | changed):
        torch.manual_seed(0)
        network, examples = untrained(waves(8), **options)
        answers.append(network(examples.take(torch.arange(8))).prediction)
    assert not torch.allclose(*answers)


@pytest.mark.parametrize("settings", [{}, {"self_attention": "additive", "readout": "mean"}], ids=str)
def test_weights_of_attention_are_dropped_in_training(settings: dict[str, Any]) -> None:
    network, examples = untrained(waves(8), dropout=0.0, attention_dropout=0.5, **settings)
    batch = examples.take(torch.arange(8))
    assert torch.equal(network(batch).prediction, network(batch).prediction)
    for module in network.modules():
        module.training = not isinstance(module, StepNorm)
    assert not torch.equal(network(batch).prediction, network(batch).prediction)


@pytest.mark.parametrize(("filters", "steps", "pool"), [(0, 20, 1), (6, 20, 1), (6, 330, 2)])
def test_the_network_is_what_torch_says(filters: int, steps: int, pool: int) -> None:
    """The same weights in torch.nn, written down once more."""
    data = cases_of(np.random.default_rng(0).normal(size=(12, 3, steps)), ["a", "b", "c"] * 4)
    network, examples = untrained(data, segment=4, attention="scaled_dot", cell="gru", filters=filters)
    batch = examples.take(torch.arange(12))
    assert network.layout.pool == pool
    x = batch.inputs.mT
    if filters:
        for conv, norm in zip(network.embed.filters.layers, network.embed.filters.norms, strict=True):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            twin = nn.BatchNorm1d(norm.num_features).eval()
            twin.load_state_dict(norm.state_dict())
            x = twin(F.conv1d(x, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2)).relu()
            x = F.max_pool1d(x, pool) if conv is network.embed.filters.layers[0] else x
        windows = F.max_pool1d(x, 4 // pool, 2 // pool).mT
    else:
        windows = torch.stack([x[..., n : n + 4].flatten(1) for n in range(0, 18, 2)], 1)
    gru = nn.GRU(8, 8, batch_first=True, bidirectional=True)
    for name, direction in zip(("", "_reverse"), network.recurrent.stack()[0], strict=True):
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(gru, f"{part}_l0{name}").data = getattr(direction.cell, part).data
    outputs, _ = gru(network.embed.linear(windows).relu())
    weights = (outputs @ network.pool.query / 16**0.5).softmax(1)
    expected = network.out((weights.unsqueeze(-1) * outputs).sum(1))
    output = network(batch)
    torch.testing.assert_close(output.prediction, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(output.weights[:, 0], weights, rtol=1e-4, atol=1e-5)


def test_only_real_steps_are_measured() -> None:
    """Batch normalisation of a padded batch is that of its real steps alone, in values, gradients and buffers."""
    norm, twin = StepNorm(3), nn.BatchNorm1d(3)
    mask = torch.arange(7) < torch.tensor([[7], [2], [5]])
    x = torch.randn(3, 7, 3, requires_grad=True)
    y = torch.where(mask.unsqueeze(-1), x.detach(), 1e6).requires_grad_()
    out, expected = norm(y.mT, mask).mT, twin(x[mask])
    torch.testing.assert_close(out[mask], expected)
    assert not out[~mask].any()
    for name, value in twin.named_buffers():
        if name != "num_batches_tracked":
            torch.testing.assert_close(norm.get_buffer(name), value)
    out.pow(3).sum().backward()
    expected.pow(3).sum().backward()
    torch.testing.assert_close(y.grad, x.grad)
    torch.testing.assert_close(norm.eval()(y.mT, mask).mT[mask], twin.eval()(x[mask]))
    norm.train()(torch.zeros(1, 3, 1))  # a single step has no deviation


# What it can learn


def test_waves_of_unequal_length_are_told_apart() -> None:
    fitted, exam = trained(waves(200), 60, hidden_size=16, epoch_steps=20, max_epochs=10, batch_size=32)
    assert accuracy(fitted, exam) >= 0.97


@pytest.mark.parametrize("readout", ["last", "attention"])
def test_what_was_seen_at_the_beginning_is_remembered(readout: str) -> None:
    """The class is the sign of a bump at the beginning; what follows is noise that is as large."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 500)
    X = random.normal(0, 0.3, (500, 30)) + np.sign(random.normal(size=(500, 30))) * (random.random((500, 30)) < 0.1)
    X[:, :4] = random.normal(0, 0.1, (500, 4)) + (2 * y[:, None] - 1)
    data = cases_of(X, y)
    settings = {"hidden_size": 16, "epoch_steps": 30, "max_epochs": 10, "batch_size": 32, "bidirectional": False}
    fitted, exam = trained(data, 100, readout=readout, segment=2, **settings)
    assert accuracy(fitted, exam) >= 0.97


# Baselines


def test_nearest_neighbour_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(90, 15)) + 5, random.integers(0, 4, 90)
    fitted, exam = trained(cases_of(X, y), 30)
    plan = KIND.plan(cases_of(X, y), fitted.config, 30)
    known = np.concatenate([plan.train, plan.valid])
    expected = KNeighborsClassifier(1).fit(X[known], y[known]).predict(X[plan.test])
    nearest = fitted.baselines["nearest neighbour"]
    assert np.array_equal(nearest.answer(exam.examples).codes, expected)
    constant = fitted.baselines["most frequent class"].answer(exam.examples)
    assert set(constant.codes) == {np.bincount(y[plan.train]).argmax()}
    np.testing.assert_allclose(np.exp(constant.log_probabilities).sum(1), 1)


def test_nearest_neighbour_needs_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    data = waves(60)
    fitted, exam = trained(data, 20)
    whole = fitted.baselines["nearest neighbour"].answer(exam.examples).codes
    monkeypatch.setattr("recurra.tasks.cases.neighbours.AT_ONCE", 100)
    assert np.array_equal(fitted.baselines["nearest neighbour"].answer(exam.examples).codes, whole)


def bumps(count: int, seed: int = 0) -> Cases:
    """Noise in which somewhere something rises slowly and falls fast, or the other way round."""
    random = np.random.default_rng(seed)
    X, y = random.normal(0, 0.3, (count, 200)), random.integers(0, 2, count)
    bump = np.linspace(0, 2, 12)
    for case, falls in zip(X, y, strict=True):
        at = random.integers(0, 188)
        case[at : at + 12] += bump[::-1] if falls else bump
    return cases_of(X, y)


def test_random_convolutions_find_what_lies_anywhere() -> None:
    fitted, exam = trained(bumps(300), 100)
    right = {name: np.mean(row.answer(exam.examples).codes == exam.truth) for name, row in fitted.baselines.items()}
    assert right["random convolutions"] >= 0.95 and right["nearest neighbour"] < 0.75


@pytest.mark.parametrize("gaps", [False, True])
def test_random_convolutions_answer_each_case_by_itself_and_as_saved(gaps: bool) -> None:
    fitted, exam = trained(waves(40, channels=2, gaps=gaps), 12)
    row = fitted.baselines["random convolutions"]
    said = row.answer(exam.examples).log_probabilities
    np.testing.assert_allclose(np.exp(said).sum(1), 1)
    assert METRICS[3].of(KIND.statistics(exam.truth, row.answer(exam.examples))) < np.log(2), (
        "better than to toss a coin"
    )
    cases = exam.examples.cases
    for n in range(len(cases)):
        alone = row.answer(CaseExamples.of(cases.some([n]), fitted.learned)).log_probabilities
        np.testing.assert_allclose(alone[0], said[n], rtol=1e-5, atol=1e-5)
    run = to_run(fitted, [])
    again = from_run(run, Path(), KIND).baselines["random convolutions"].answer(exam.examples).log_probabilities
    assert np.array_equal(again, said)


def test_probabilities_are_as_sharp_as_what_was_left_out_allows() -> None:
    random = np.random.default_rng(0)
    codes = random.integers(0, 3, 200)
    answers = random.normal(size=(200, 3)) + 1.5 * np.eye(3)[codes]
    found = sharpness_of(answers, codes)
    tries = np.linspace(0.2, 5, 300)
    second, first = np.sort(answers, 1)[:, 1:].T
    margin = np.median(first - second)
    losses = [
        np.log1p(np.exp(s * margin)) - np.log(softmax(s * answers, 1)[np.arange(200), codes]).sum() for s in tries
    ]
    assert found == pytest.approx(tries[int(np.argmin(losses))], abs=0.02)
    sure = np.exp(log_softmax(sharpness_of(np.eye(2)[[0, 1] * 10], np.array([0, 1] * 10)) * np.eye(2)))
    assert sure.max() == pytest.approx(20 / 21, rel=1e-3), "as after 20 of 20: one more may be wrong"


def test_the_shift_brings_forward_a_class_that_answers_hold_back() -> None:
    random = np.random.default_rng(0)
    codes = random.choice(3, 200, p=[0.1, 0.6, 0.3])
    answers = random.normal(size=(200, 3)) + 1.5 * np.eye(3)[codes] - [2.0, 0.0, 0.0]
    second, first = np.sort(answers, 1)[:, 1:].T

    def given(place: np.ndarray) -> float:
        sharpness, shift = np.exp(place[0]), place[1:]
        logs = np.log(softmax(sharpness * answers + shift, 1))[np.arange(200), codes]
        return float(np.logaddexp(0, sharpness * np.median(first - second)) - logs.sum() + shift @ shift)

    best = minimize(given, np.zeros(4), method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-9}).x
    sharpness, shift = sharpness_and_shift(answers, codes)
    assert sharpness == pytest.approx(np.exp(best[0]), rel=1e-3) and shift == pytest.approx(best[1:], abs=2e-3)
    assert shift[0] > 0.5 and shift.sum() == pytest.approx(0, abs=1e-4)
    sure = sharpness_and_shift(np.eye(2)[[0, 1] * 10], np.array([0, 1] * 10))
    assert sure[0] == pytest.approx(np.log(20), rel=1e-3), "as without a shift"
    assert sure[1] == pytest.approx(np.zeros(2), abs=1e-3)


@given(cases=st.integers(2, 10**6), steps=st.floats(1, 10**6))
@settings(max_examples=100, deadline=None)
def test_random_convolutions_take_seconds(cases: int, steps: float) -> None:
    count, features = affordable(cases, steps)
    assert min(cases, 1000) <= count <= 10_000 and 1008 <= features <= 9996 and features % 84 == 0
    assert count * steps * features <= 5e9 or (features == 1008 and count <= 1000), "or far less than a network takes"
    assert min(count, features) <= 2016
    if count < min(cases, 10_000):
        assert features == 1008


def test_what_is_left_out_to_save_time_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("recurra.tasks.cases.convolutions.WORK", 1e6)
    monkeypatch.setattr("recurra.tasks.cases.convolutions.LEAST_CASES", 10)
    told: list[str] = []
    done = train(KIND, Source(waves(50), test_size=10), TINY, tmp_path / "run", listener=Listener(notes=told.extend))
    note = "to save time, the row 'random convolutions' learned 21 of 40 cases by 1,008 features"
    assert note in told and done.fitted.record.notes.count(note) == 1
    assert done.report is not None and "21 of 40 cases" in done.report.read_text(encoding="utf-8")


# Network and random convolutions together


def spoken(sizes: tuple[float, ...], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what as many models as there are sizes say, the better the larger, and the true classes."""
    random = np.random.default_rng(0)
    codes = random.integers(0, 3, count)
    said = [log_softmax(random.normal(size=(count, 3)) + size * np.eye(3)[codes]) for size in sizes]
    return np.stack(said), codes


@pytest.mark.parametrize(("sizes", "count"), [((1.0, 2.0), 60), ((0.5, 1.0, 2.0), 300)])
def test_the_weights_are_what_gives_the_validation_cases_most(sizes: tuple[float, ...], count: int) -> None:
    said, codes = spoken(sizes, count)
    found = weights_of(said, codes)

    def given(place: np.ndarray) -> float:
        shares, sharpness = softmax(place[:-1]), np.exp(place[-1])
        logs = np.log(softmax(sharpness * (shares[:, None, None] * said).sum(0), 1))
        return float(-logs[np.arange(count), codes].sum() - DRAWN * np.log(shares).sum() + DRAWN * place[-1] ** 2)

    best = minimize(given, np.zeros(len(sizes) + 1), method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-9}).x
    assert found == pytest.approx(np.exp(best[-1]) * softmax(best[:-1]), abs=1e-3)
    assert np.all(np.diff(found) > 0) and abs(found.sum() - 1) > 0.02


def test_without_validation_cases_all_weigh_the_same() -> None:
    assert weights_of(np.empty((2, 0, 3)), np.empty(0, int)) == pytest.approx([0.5, 0.5], abs=1e-4)


def test_what_is_too_careful_together_is_made_as_sure_as_it_is_right() -> None:
    said, codes = spoken((1.0, 1.0), 2000)
    careful = np.stack([log_softmax(one / 3) for one in said])
    assert weights_of(careful, codes) == pytest.approx(3 * weights_of(said, codes), rel=0.1)


def test_both_answer_together_in_training_in_a_run_and_in_python(tmp_path: Path) -> None:
    data, asked = waves(50), waves(20, seed=5)
    source = Source(data, test_size=10)
    done = train(KIND, source, TINY | {"combine": True}, tmp_path / "run")
    fitted, mix = done.fitted, done.fitted.learned.mix
    examples = CaseExamples.of(asked, fitted.learned)
    network = ask_network(fitted, examples).log_probabilities
    row = fitted.baselines["random convolutions"].answer(examples).log_probabilities
    assert list(mix) == ["network", "random convolutions"] and network is not None and not np.allclose(network, row)
    expected = softmax(mix["network"] * network + mix["random convolutions"] * row, 1)
    np.testing.assert_allclose(np.exp(KIND.ask(fitted, examples).log_probabilities), expected, atol=1e-9)
    assert done.judged is not None and {"this model", "network", "random convolutions"} < set(done.judged.metrics)
    assert "% random convolutions, by what they said of 8 validation cases" in fitted.record.answer
    loaded = Classifier.load(tmp_path / "run")
    X = [case.T for case in asked.values]
    np.testing.assert_allclose(loaded.predict_proba(X), expected, atol=1e-6)
    assert loaded.predict(X).tolist() == [loaded.classes_[n] for n in expected.argmax(1)]
    for name, alone in (("network", network), ("random_convolutions", row)):
        said = KIND.answer(loaded.fitted_, asked, KIND.parts.predict(model=name)).guess.log_probabilities
        np.testing.assert_allclose(said, alone, atol=1e-5)
    again = Classifier(**TINY, combine=True).fit([case.T for case in data.values], data.labels)
    assert set(again.fitted_.baselines) == {"random convolutions"} and again.score(X, asked.labels) > 0.8


def test_a_case_of_another_length_is_stretched() -> None:
    assert resampled(np.array([[0.0], [1], [2]]), 5)[:, 0].tolist() == [0, 0.5, 1, 1.5, 2]
    assert resampled(np.array([[3.0]]), 3)[:, 0].tolist() == [3, 3, 3]


# Metrics


@given(st.integers(2, 6), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_metrics_are_those_of_scikit_learn(classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(classes), random.integers(0, classes, 40)])
    logs = torch.from_numpy(random.normal(size=(len(truth), classes))).log_softmax(1).numpy()
    guess = Guess(logs.argmax(1), logs)
    found = {metric.name: metric.of(statistics_of(truth, guess)) for metric in METRICS}
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(truth, guess.codes))
    assert found["macro_f1"] == pytest.approx(oracle.f1_score(truth, guess.codes, average="macro", zero_division=0))
    assert found["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(truth, guess.codes))
    assert found["log_loss"] == pytest.approx(oracle.log_loss(truth, np.exp(logs)))
    table = confusion(truth, guess.codes, classes)
    assert np.array_equal(table, oracle.confusion_matrix(truth, guess.codes, labels=np.arange(classes)))


def test_metrics_of_classes_that_do_not_occur() -> None:
    truth, codes = np.array([0, 0, 2]), np.array([0, 4, 4])
    found = {metric.name: metric.of(statistics_of(truth, Guess(codes, None))) for metric in METRICS[:3]}
    assert found["macro_f1"] == pytest.approx(oracle.f1_score(truth, codes, average="macro", zero_division=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of the class that is not there
        assert found["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(truth, codes))


def test_chance() -> None:
    right = np.array([1.0] * 30 + [0.0] * 10)
    better = {"correct": right, "truth": np.zeros(40), "predicted": 1 - right}
    worse = {name: values[::-1] for name, values in better.items()}
    assert KIND.chance(None, [better], [better], METRICS[0]) == 1.0  # type: ignore[arg-type]
    one = KIND.chance(None, [better], [worse], METRICS[0])  # type: ignore[arg-type]
    assert one == pytest.approx(1.0), "ten against ten"
    none = {"correct": np.zeros(40), "truth": np.zeros(40), "predicted": np.ones(40)}
    assert KIND.chance(None, [better], [none], METRICS[0]) == pytest.approx(2 * 0.5**30)  # type: ignore[arg-type]
    several = KIND.chance(None, [better, better], [none], METRICS[0])  # type: ignore[arg-type]
    assert 0 < several < 0.001


# What is wrong is said


def fails(data: Any, message: str, kind: type[Exception] = DataError, test_size: int = 0, **changed: Any) -> None:
    with pytest.raises(kind, match=message):
        config = config_of(**changed)
        KIND.prepare(KIND.read(data, config), config, test_size)


def test_faults_of_data_and_settings() -> None:
    X = np.random.default_rng(0).normal(size=(6, 9))
    fails((X, ["a"] * 6), "All cases are of one class, 'a'")
    fails((X, list("abcdef")), "No class has two cases")
    fails(cases_of(X), "have no labels")
    fails(X, "A training needs labels")
    fails((X, list("aaabbb")), "leaves none of 6 cases", ConfigError, test_size=6)
    fails((X, list("aaabbb")), "leaves none of 6 cases", ConfigError, validation_size=6)
    fails((X, list("aaabbb")), "keeps none of 6 cases", ConfigError, validation_size=0.01)
    with pytest.raises(ConfigError, match="needs an attention, but attention='none'"):
        trained(cases_of(X, list("aaabbb")), 0, readout="attention", attention="none")


def test_faults_of_what_is_asked() -> None:
    fitted, _ = trained(waves(30, channels=2), 0)
    more, unlike = waves(4, channels=3), dataclasses.replace(waves(4, channels=2), channels=("x", "y"))
    with pytest.raises(DataError, match=r"trained on 2 channel\(s\).*these cases have 3 channel"):
        KIND.read(more, fitted.config, fitted.learned)
    assert KIND.read(unlike, fitted.config, fitted.learned) is unlike, "channels without names are known by place"
    strange = dataclasses.replace(waves(2, channels=2), labels=("slow", "fats"))
    with pytest.raises(DataError, match=r"Case '2' is of the class 'fats', which .* Did you mean 'fast'"):
        KIND.exam(strange, fitted.learned, None)
    with pytest.raises(DataError, match="have no labels"):
        KIND.exam(dataclasses.replace(waves(4, channels=2), labels=None), fitted.learned, None)


def test_channels_are_known_by_name() -> None:
    data = dataclasses.replace(waves(30, channels=2), channels=("x", "y"))
    fitted, _ = trained(data, 0)
    turned = dataclasses.replace(data, channels=("y", "x"), values=tuple(v[:, ::-1] for v in data.values))
    again = KIND.read(turned, fitted.config, fitted.learned)
    assert again.channels == ("x", "y")
    assert all(np.array_equal(a, b) for a, b in zip(again.values, data.values, strict=True))
    other = dataclasses.replace(data, channels=("x", "z"))
    with pytest.raises(DataError, match=r"'x', 'y'.*these cases have .*'x', 'z'"):
        KIND.read(other, fitted.config, fitted.learned)


def test_some_of_many_cases_are_of_all_classes() -> None:
    X = np.arange(100.0)[:, None] + np.zeros(5)
    told: list[str] = []
    few = KIND.read((X, ["a"] * 50 + ["b"] * 50), config_of(), None, 11, told.extend)
    assert len(few) == 11 and few.names[0] == "1" and few.names[-1] == "100" and set(few.labels) == {"a", "b"}
    assert "only 11 of 100 cases are used, evenly spread" in told


# The verbs


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: Any) -> Answer:
        return run_command(capsys, *arguments)

    return call


def write_ucr(path: Path, cases: Cases) -> Path:
    pairs = zip(cases.labels or (), cases.values, strict=True)
    rows = [",".join([label, *(f"{value:.6f}" for value in values[:30, 0])]) for label, values in pairs]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_train_predict_evaluate_report(run: Run, tmp_path: Path) -> None:
    other = waves(20, seed=9)
    other = dataclasses.replace(other, labels=("fast", *other.labels[1:]))  # a slow one: so that something is wrong
    train, test = write_ucr(tmp_path / "a.csv", waves(40)), write_ucr(tmp_path / "b.csv", other)
    folder = tmp_path / "run"
    made = run("train", train, "--task", "classify", "--test-data", test, "--out", folder, *FLAGS, "--json")
    assert made.code == 0, made.err
    assert (folder / "report.html").exists()
    about = json.loads(made.out)["about"]
    assert set(about["metrics"]) == {"this model", "most frequent class", "nearest neighbour", "random convolutions"}
    judged = run("evaluate", folder, test, "--json")
    assert json.loads(judged.out) == about["metrics"], "the same file, the same answers"
    assert json.loads(run("evaluate", folder, "--json").out) == about["metrics"]
    answers = run("predict", folder, test)
    lines = answers.out.splitlines()
    assert lines[0] == "case,label,p_fast,p_slow" and len(lines) == 21
    right = np.mean([line.split(",")[1] == label for line, label in zip(lines[1:], other.labels, strict=True)])
    assert right == pytest.approx(about["metrics"]["this model"]["accuracy"])
    before = (folder / "report.html").read_text(encoding="utf-8")
    assert run("report", folder).code == 0
    assert (folder / "report.html").read_text(encoding="utf-8") == before
    for words in ("What was confused", "Class by class", "Two cases", "Where it looked", "Gates over time"):
        assert words in before, words
    assert "What its confidence is worth" in before and "Attention and occlusion" in before
    wrong = [line for line, label in zip(lines[1:], other.labels, strict=True) if line.split(",")[1] != label]
    shown = min(len(wrong), 10)
    every = f"All {shown} mistakes" if shown > 1 else "The only mistake"
    assert (f"The {shown} worst cases" if len(wrong) > 10 else every) in before
    worst = max(wrong, key=lambda line: max(map(float, line.split(",")[2:]))).split(",")
    assert f"{worst[0]}: is '{other.labels[int(worst[0]) - 1]}', called '{worst[1]}'" in html.unescape(before)
    assert len(before) < 1_000_000, "small enough to send"


def test_several_looks_from_settings_to_pictures(run: Run, tmp_path: Path) -> None:
    """Three looks and self-attention by names: in the weights, the page, the comparison, and after loading."""
    data, folder = write_ucr(tmp_path / "a.csv", waves(40)), tmp_path / "run"
    looks = ["--rows", 3, "--overlap-penalty", 0.1, "--self-attention", "general"]
    made = run("train", data, "--task", "classify", "--out", folder, *FLAGS, *looks, "--json")
    assert made.code == 0, made.err
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "It takes 3 looks at once; the shading is their mean." in page
    assert "How the steps looked at each other" in page
    cells = [str(one["data"][0].get("text")) for one in figures_in(page)]
    for first in ("'look 3 looked at", "'step 0 looked at 0"):
        assert sum(first in text for text in cells) == 1
    classifier = Classifier.load(folder)
    output = classifier.network_(CaseExamples.of(waves(5), classifier.fitted_.learned).take(torch.arange(5)))
    assert output.weights.shape[1] == 3 and output.self_weights.shape[1] == output.self_weights.shape[2]
    table = classifier.attention_table(data)
    np.testing.assert_allclose(table.groupby("case")["weight"].sum(), 1, rtol=1e-5)
    cells = ["--cells", "gru", "--attentions", "none,dot"]
    both = run("compare", data, "--task", "classify", *cells, "--out", tmp_path / "both", *FLAGS, *looks[:2])
    assert both.code == 0, both.err


def test_a_part_is_held_out(run: Run, tmp_path: Path) -> None:
    train, folder = write_ucr(tmp_path / "a.csv", waves(50)), tmp_path / "run"
    made = run("train", train, "--task", "classify", "--out", folder, *FLAGS, "--test-size", 12, "--json")
    about = json.loads(made.out)["about"]
    assert about["test_size"] == 12
    again = run("evaluate", folder, "--json")
    assert "judged by 12 cases" in again.err and json.loads(again.out) == about["metrics"]
    fewer = run("evaluate", folder, "--test-size", 6, "--json")
    assert "judged by 6 cases" in fewer.err and "careful" not in fewer.err
    more = run("evaluate", folder, "--test-size", 20, "--json")
    assert "careful" in more.err and "judged by 20 cases" in more.err
    asked = run("predict", folder)
    assert len(asked.out.splitlines()) == 51, "without data: about those of the training"


def test_compare(run: Run, tmp_path: Path) -> None:
    train, folder = write_ucr(tmp_path / "a.csv", waves(40)), tmp_path / "run"
    command = ["compare", train, "--task", "classify", "--cells", "gru,lstm/gru", "--seeds", 2, "--out", folder]
    made = run(*command, *FLAGS, "--json")
    assert made.code == 0, made.err
    compared = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    assert {row["model"] for row in compared["table"]} >= {"gru", "gru + additive", "nearest neighbour"}
    assert len(compared["outcomes"]) == 8 and compared["measure"] == "accuracy"
    assert run("report", folder).code == 0
    rows = {row["model"]: row for row in compared["table"]}
    own = [one["metrics"]["accuracy"] for one in compared["outcomes"] if one["model"] == "gru"]
    assert rows["gru"]["accuracy"] == pytest.approx(np.mean(own)) and len(own) == 2


def test_a_training_goes_on(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = write_ucr(tmp_path / "a.csv", waves(40))
    flags = [*FLAGS, "--max-epochs=4", "--test-size", "8", "--zoneout", "0.1"]
    whole = run("train", train, "--task", "classify", "--out", tmp_path / "whole", *flags)
    assert whole.code == 0, whole.err
    stop_after(monkeypatch, 2)
    cut = run("train", train, "--task", "classify", "--out", tmp_path / "cut", *flags)
    assert cut.code == 130
    monkeypatch.undo()
    assert run("train", "--resume", tmp_path / "cut").code == 0
    whole_weights, weights = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert whole_weights.keys() == weights.keys()
    assert all(torch.equal(whole_weights[name], weights[name]) for name in weights)


def stop_after(monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    """Let Ctrl-C come after so many epochs."""
    from recurra.training import runs

    write = runs.write_checkpoint

    def interrupted(folder: Path, plan: Any, weights: Any, progress: Any, history: Any) -> None:
        write(folder, plan, weights, progress, history)
        if progress.epoch == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "write_checkpoint", interrupted)


def test_a_training_that_stopped_in_its_last_epochs_goes_on_and_counts_them_once(tmp_path: Path) -> None:
    data, settings = waves(40), {"max_epochs": 2, "epoch_steps": 3, "last_epochs": 3, "hidden_size": 8}

    def stop(name: str, epoch: Epoch, most: int) -> None:
        if epoch.number == 4:
            raise KeyboardInterrupt

    source = Source(data, test_size=8)
    halted = train(KIND, source, settings, tmp_path / "run", listener=Listener(epoch=stop))
    assert halted.interrupted and halted.fitted.record.last_epochs == 0
    done = train(KIND, source, settings, tmp_path / "run", resume=True)
    whole = train(KIND, source, settings, tmp_path / "whole")
    assert (
        [epoch["number"] for epoch in done.history] == [epoch["number"] for epoch in whole.history] == [1, 2, 3, 4, 5]
    )
    for name, value in done.fitted.network.state_dict().items():
        torch.testing.assert_close(value, whole.fitted.network.state_dict()[name], rtol=0, atol=0)


def test_tables_of_other_forms(run: Run, tmp_path: Path) -> None:
    data = waves(24, channels=2)
    long = pd.concat(
        pd.DataFrame({"id": f"c{n}", "step": np.arange(len(v)), "mood": label, "x": v[:, 0], "y2": v[:, 1]})
        for n, (v, label) in enumerate(zip(data.values, data.labels or (), strict=True))
    )
    long.to_csv(tmp_path / "long.csv", index=False)
    folder = tmp_path / "run"
    made = run("train", tmp_path / "long.csv", "--task", "classify", "--target", "mood", "--out", folder, *FLAGS)
    assert made.code == 0, made.err
    long.drop(columns="mood").to_csv(tmp_path / "bare.csv", index=False)
    answers = run("predict", folder, tmp_path / "bare.csv", "--json")
    assert [row["case"] for row in json.loads(answers.out)] == [f"c{n}" for n in range(24)]
    lacking = run("evaluate", folder, tmp_path / "bare.csv")
    assert lacking.code == 2 and "have no labels" in lacking.err
    long.drop(columns="y2").to_csv(tmp_path / "narrow.csv", index=False)
    narrow = run("predict", folder, tmp_path / "narrow.csv")
    assert narrow.code == 2 and "trained on 2 channel(s) ('x', 'y2')" in narrow.err


def test_names_of_classes_survive(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(20, 12))
    names = ["label", "case", "<b>bold</b>", "a, 'b'"]
    config = config_of()
    prepared = KIND.prepare(KIND.read((X, [names[n % 4] for n in range(20)]), config), config, 4)
    session = Session(prepared)
    list(session.epochs())
    frame = KIND.frame(KIND.answer(session.fitted, cases_of(X), KIND.parts.predict()))
    assert list(frame.columns) == ["case", "label", *(f"p_{name}" for name in sorted(names))]
    np.testing.assert_allclose(frame.iloc[:, 2:].sum(axis=1), 1)
    assert set(frame["label"]) <= set(names)
    session.fit_baselines()
    rows = {"network": 6, "nearest_neighbour": 2, "most_frequent_class": 6, "random_convolutions": 6}
    for row, columns in rows.items():
        asked = KIND.frame(KIND.answer(session.fitted, cases_of(X), KIND.parts.predict(model=row)))
        assert asked.shape == (20, columns), row
    with pytest.raises(ConfigError, match="Did you mean 'nearest_neighbour'"):
        KIND.answer(session.fitted, cases_of(X), KIND.parts.predict(model="nearest_neighbor"))
    figure = confusion_figure(np.eye(4, dtype=int), names)
    assert "<b>" not in str(figure.layout.xaxis.ticktext) and "&lt;b&gt;" in str(figure.data[0].text)


def test_demo_is_a_comparison_that_needs_nothing() -> None:
    shown = KIND.demo()
    assert len(shown.data) >= 500 and len(set(shown.data.labels)) == 10 and len(shown.data.channels) == 8
    settings = shown.settings | {"max_epochs": 6}
    session = Session(KIND.prepare(shown.data, make_config(KIND.parts, settings), 100))
    list(session.epochs())
    exam = KIND.exam(shown.data, session.fitted.learned, session.prepared.plan.test)
    assert accuracy(session.fitted, exam) > 0.8


# How much memory it takes.


def test_reading_cases_takes_a_few_times_their_size() -> None:
    X = np.random.default_rng(0).normal(size=(800, 500)).astype(np.float32)
    config = make_config(KIND.parts, {})
    tracemalloc.start()
    try:
        prepared = KIND.prepare(KIND.read((X, np.arange(800) % 2), config), config)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(prepared.train) == 640
    assert peak < 4 * X.size * 8, peak / X.size / 8


# What is in both parts.


def test_cases_that_are_in_both_files_are_counted(tmp_path: Path, run: Run) -> None:
    table = pd.DataFrame(np.random.default_rng(1).normal(size=(24, 5)).round(3))
    table.insert(0, "label", np.arange(24) % 2)
    table[:16].to_csv(tmp_path / "train.csv", index=False)
    table[14:].to_csv(tmp_path / "test.csv", index=False)
    few = ("--max-epochs", "1", "--epoch-steps", "1", "--last-epochs", "0", "--hidden-size", "2")
    place = (str(tmp_path / "train.csv"), "--task", "classify", "--out", str(tmp_path / "run"), *few)
    answer: Answer = run("train", *place, "--test-data", str(tmp_path / "test.csv"))
    assert answer.code == 0 and "2 of 10 test cases are also among the training cases" in answer.err
    answer = run("evaluate", str(tmp_path / "run"))
    assert answer.code == 0 and "2 of 10 test cases are also among the training cases" in answer.err


# Pictures

SURE = MEASURE.wording


def test_confusion_says_counts_and_shares() -> None:
    figure = confusion_figure(np.array([[3, 1], [0, 0]]), ["a", "b"])
    assert figure.data[0].text[0][1] == "a was called b: 1 of 4 (25 %)"
    assert figure.data[0].z.tolist() == [[0.75, 0.25], [0, 0]]
    light, dark = figure.data[1:]
    assert (list(light.text), list(dark.text)) == (["1"], ["3"]) and dark.textfont.color == "white"
    hostile = confusion_figure(np.eye(2, dtype=int), ["<script>alert(1)</script>", "b"])
    assert hostile.layout.xaxis.ticktext == ("&lt;script…cript&gt;", "b")
    family = confusion_figure(np.eye(2, dtype=int), ["species number 3", "species number 27"])
    assert family.layout.xaxis.ticktext == ("species…mber 3", "species…ber 27")
    assert [MEASURE.wording.written(fall) for fall in (0.004, -0.004, 0.21, -0.3)] == ["0 %", "0 %", "−21 %", "+30 %"]
    many = confusion_figure(np.eye(40, dtype=int), [f"class {n}" for n in range(40)])
    assert len(many.data) == 1 and many.layout.height <= 900


def test_attention_is_a_shade_behind_the_case() -> None:
    values = np.sin(np.arange(10.0))[:, None]
    figure = case_figure(values, ["value"], np.array([0.25, 0.75]), [(0, 4), (5, 9)])
    shade, line = figure.data
    np.testing.assert_allclose(shade.z[0], [0.05] * 5 + [0.15] * 5)
    np.testing.assert_allclose(line.y, values[:, 0])
    assert len(case_figure(values, ["value"], None, []).data) == 1


def test_falls_stand_below_the_case() -> None:
    """At every step the mean without the stretches that hold it; a strip of noise does not look like something."""
    values = np.arange(6.0)[:, None]
    figure = case_figure(values, ["value"], None, [(0, 3), (2, 5)], falls=Falls(np.array([0.4, 0.2]), SURE))
    strip = figure.data[1]
    np.testing.assert_allclose(strip.y, [0.4, 0.4, 0.3, 0.3, 0.2, 0.2])
    assert strip.yaxis == "y3" and figure.layout.yaxis3.range[1] == pytest.approx(0.44)
    noise = case_figure(values, ["value"], None, [(0, 3), (2, 5)], falls=Falls(np.array([0.001, -0.002]), SURE))
    assert noise.layout.yaxis3.range[1] > 0.05 and noise.layout.yaxis3.range[0] < -0.002


@pytest.mark.parametrize("steps", [5, 160, 161, 5000])
def test_a_small_picture_keeps_the_extremes(steps: int) -> None:
    values = np.random.default_rng(0).normal(size=(steps, 2))
    values[2, 0], values[steps // 2, 1] = 9.0, -9.0
    values[1:3, 1] = np.nan
    figure = small_case_figure(values, "a")
    assert len(figure.data) == 2 and len(figure.data[0].x) <= 160
    for line, channel in zip(figure.data, values.T, strict=True):
        assert np.nanmax(line.y) == pytest.approx(np.nanmax(channel)) and np.nanmin(line.y) == pytest.approx(
            np.nanmin(channel)
        )
        assert np.isfinite(line.y).any() and not np.isinf(line.y).any()


def test_what_is_read_is_derived_again() -> None:
    data = waves(9, channels=2, gaps=True)
    for changes in (True, False):
        learned = KIND.prepare(data, config_of(changes=changes), 0).learned
        batch = CaseExamples.of(data, learned).take(torch.arange(9))
        beyond = int(batch.mask.shape[1])  # a stretch behind the end of all cases: nothing is taken away
        derived = learned.reading.without(batch.inputs, beyond, beyond, batch.mask.sum(1)) * batch.mask.unsqueeze(-1)
        torch.testing.assert_close(derived, batch.inputs, rtol=1e-5, atol=1e-5)
        if changes:
            values, found = batch.inputs[..., :2], batch.inputs[..., 2:]
            expected = values.diff(dim=1) / torch.from_numpy(learned.reading.change).float() * batch.mask[:, 1:, None]
            torch.testing.assert_close(found[:, 1:], expected, rtol=1e-4, atol=1e-4)
            assert not found[:, 0].any(), "nothing changed before the first step"


def test_the_frames_that_were_looked_at_longest_stand_in_the_order_of_time() -> None:
    frames = np.arange(10.0)[:, None, None] * np.ones((10, 2, 3))
    weights = np.array([0, 0.3, 0, 0.1, 0.1, 0.05, 0.15, 0.05, 0.25, 0])
    figure = frames_figure(frames, weights)
    assert figure.data[0].z[0][::4].tolist() == [1, 3, 4, 5, 6, 8]  # three columns each, and one between them
    assert figure.data[0].z.shape == (2, 23) and np.isnan(figure.data[0].z[:, 3::4]).all()
    texts = [one.text for one in figure.layout.annotations]
    assert texts[0] == "<b>1</b><br>30 %" and texts[-1] == "<b>8</b><br>25 %"
    spread = frames_figure(frames, None)
    assert [one.text for one in spread.layout.annotations] == [f"<b>{n}</b>" for n in (0, 2, 4, 5, 7, 9)]
    assert len(frames_figure(frames[:2], None).layout.annotations) == 2


def test_a_sound_is_drawn_band_by_band_and_a_long_one_in_means() -> None:
    values = np.arange(12.0).reshape(6, 2)
    looks = np.array([0, 0, 0.5, 0.5, 0, 0])
    layout = Layout(2, 2, 1, 1, 1, False, 6)
    reading = Reading(("a", "b"), layout, "series", False, *(np.ones(2),) * 3, rate=8000)
    seconds = reading.seconds
    assert seconds == pytest.approx(0.01)
    figure = sound_figure(values, reading, looks)
    loud, strip = figure.data
    np.testing.assert_allclose(loud.z, values.T)
    np.testing.assert_allclose(loud.x, [0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    np.testing.assert_allclose(strip.z, looks[None])
    assert len(sound_figure(values, reading, None).data) == 1
    below = sound_figure(values, reading, looks, falls=Falls(0.1 * np.arange(6), SURE))
    np.testing.assert_allclose(below.data[2].x, 0.01 * np.arange(6))
    np.testing.assert_allclose(below.data[2].y, 0.1 * np.arange(6))
    domains = [below.layout[name].domain for name in ("yaxis3", "yaxis", "yaxis2")]
    assert domains[0][1] < domains[1][0] < domains[1][1] < domains[2][0], "one above the other"
    long = sound_figure(np.arange(1001.0)[:, None], dataclasses.replace(reading, channels=("a",)), None).data[0]
    assert long.z.shape == (1, 334) and long.z[0, :2].tolist() == [1, 4] and long.z[0, -1] == 1000
    assert long.x[1] == pytest.approx(0.03)


def test_stretches_are_said_as_what_they_are() -> None:
    layout = Layout(1, 2, 4, 2, 1, False, 9)
    series = Reading(("value",), layout, "series", True, *(np.ones(1),) * 3)
    assert (series.place(2, 5), series.span(2)) == ("step 2 to 5", "4 steps")
    sound = dataclasses.replace(series, rate=16000)
    assert (sound.place(2, 5), sound.span(2)) == ("0.02 s to 0.06 s", "0.04 s")
    pictures = dataclasses.replace(series, layout=Layout(12, 12, 1, 1, 1, False, 9, shape=(1, 3, 4)))
    assert (pictures.place(2, 2), pictures.place(2, 3)) == ("frame 2", "frame 2 to 3")


@pytest.mark.parametrize(("steps", "every"), [(2, 1), (12, 1), (13, None)])
def test_the_picture_of_a_short_case_has_no_half_steps(steps: int, every: int | None) -> None:
    figure = case_figure(np.arange(steps, dtype=float)[:, None], ["values"], None, [])
    assert figure.layout.xaxis.dtick == every

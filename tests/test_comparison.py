"""A comparison says what its numbers say: tables, verdicts, sizes and memory."""

import dataclasses
import itertools
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from recurra.compare.comparison import (
    Candidate,
    Chance,
    Comparison,
    Effort,
    Outcome,
    Reference,
    chance,
    compare,
    equal_size,
    paired_verdict,
)
from recurra.compare.metric import Metric, Statistics, ratio
from recurra.compare.significance import diebold_mariano, interval_of_mean, paired_permutation
from recurra.data.batch import Batch
from recurra.settings import make_config
from recurra.settings.model import CELL_NAMES
from recurra.tasks.forecast.build import make_forecaster
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.settings import PARTS
from recurra.training.memory import step_memory
from recurra.training.task import Loss

ORIGINS = 60
MASE = Metric("mase", "MASE", "low", lambda statistics: float(statistics["loss"].mean()))
ACCURACY = Metric("accuracy", "accuracy", "high", ratio("right", "count"), share=True)


def losses(level: float, seed: int = 0, spread: float = 0.2) -> np.ndarray:
    return level + spread * np.random.default_rng(seed).normal(size=ORIGINS)


def mean_loss(statistics: Sequence[Statistics]) -> np.ndarray:
    return np.mean([seed["loss"] for seed in statistics], 0)


def chance_of(overlap: int) -> Chance:
    return lambda first, second: diebold_mariano(mean_loss(first), mean_loss(second), overlap)


def outcome(cell: str, score: float, seed: int = 0, attention: str = "none", hybrid: bool = False) -> Outcome:
    label = cell if attention == "none" else f"{cell} + {attention}"
    number = sum(map(ord, label)) + 1000 * seed
    return Outcome(
        candidate=Candidate(label, {"cell": cell, "attention": attention}, attention, cell, hybrid),
        seed=seed,
        statistics={"loss": losses(score, number)},
        metrics={"mase": score, "mae": 10 * score},
        effort=Effort(
            parameters=100,
            seconds_per_epoch=1.0 + seed,
            memory=3 * 2**20,
            engines=("torch", "reference", "torch"),
            epochs=4 + seed,
            stopped_by="patience" if seed else "max_epochs",
        ),
    )


def comparison(*outcomes: Outcome, naive: float = 1.0, linear: float = 0.8, overlap: int = 1) -> Comparison:
    references = [
        Reference("repeat last", {"loss": losses(1.5 * naive, 1)}, {"mase": 1.5 * naive, "mae": 15.0}, True),
        Reference("seasonal naive", {"loss": losses(naive, 2)}, {"mase": naive, "mae": 10.0}, True),
        Reference("linear", {"loss": losses(linear, 3)}, {"mase": linear, "mae": 8.0}, False),
    ]
    return Comparison(MASE, chance_of(overlap), references, list(outcomes))


# The table


def test_rows_are_sorted_and_complete() -> None:
    found = comparison(
        outcome("gru", 0.7), outcome("gru", 0.5, 1), outcome("lstm", 0.9), outcome("lstm", 1.1, 1), overlap=3
    )
    rows = found.rows()
    assert [row["model"] for row in rows] == ["gru", "linear", "lstm", "seasonal naive", "repeat last"]
    assert [row["mase"] for row in rows] == pytest.approx([0.6, 0.8, 1.0, 1.0, 1.5])
    gru, lstm = rows[0], rows[2]
    assert (gru["seeds"], gru["parameters"], gru["memory_mb"]) == (2, 100, 3.0)
    assert (gru["seconds_per_epoch"], gru["epochs"]) == (1.5, 4.5)
    assert (gru["engines"], gru["stopped_by"]) == ("torch+reference", "max_epochs+patience")
    assert gru["mae"] == pytest.approx(6.0)
    assert gru["interval"] == pytest.approx(interval_of_mean(np.array([0.7, 0.5])))
    best = np.mean([one.statistics["loss"] for one in found.of("gru")], 0)
    lstms, naive, linear = mean_loss(found.statistics("lstm")), found.references[1], found.references[2]
    assert math.isnan(gru["p_best"]), "the best is not compared with itself"
    assert lstm["p_best"] == diebold_mariano(lstms, best, 3)
    assert gru["p_naive"] == diebold_mariano(best, naive.statistics["loss"], 3)
    assert rows[1]["p_best"] == diebold_mariano(linear.statistics["loss"], best, 3)
    assert "seeds" not in rows[1]


def test_scores_and_statistics_are_those_of_all_seeds() -> None:
    found = comparison(outcome("gru", 0.7), outcome("lstm", 0.6), outcome("gru", 0.5, 1))
    assert found.scores("gru").tolist() == [0.7, 0.5]
    assert found.labels() in (["gru", "lstm"], ["lstm", "gru"])
    first, second = (outcome("gru", 0.7).statistics["loss"], outcome("gru", 0.5, 1).statistics["loss"])
    np.testing.assert_allclose(mean_loss(found.statistics("gru")), (first + second) / 2)
    assert [len(found.statistics(label)) for label in ("gru", "lstm")] == [2, 1]
    naive = found.best_naive()
    assert naive is not None and naive.label == "seasonal naive", "linear is better, but it is trained"


def test_nothing_trained_yet() -> None:
    empty = comparison()
    assert [row["model"] for row in empty.rows()] == ["linear", "seasonal naive", "repeat last"]
    assert empty.verdicts() == []


# What is said


def test_nothing_beats_naive() -> None:
    (sentence,) = comparison(outcome("gru", 1.2), outcome("lstm", 1.3)).verdicts()
    assert sentence == "No network beats the best naive answer ('seasonal naive', MASE 1); the best, gru, has 1.2."
    assert comparison(outcome("gru", 1.0)).verdicts()[0].startswith("No network beats"), "as good is not better"


def test_naive_is_beaten() -> None:
    sentence = comparison(outcome("gru", 0.5), outcome("lstm", 1.3)).verdicts()[0]
    assert sentence == (
        "1 of 2 networks beat the best naive answer ('seasonal naive', MASE 1); the best, gru, is 50 % better, "
        "unlikely to be chance (p < 0.001)."
    )


def test_naive_is_beaten_by_chance() -> None:
    found = comparison(outcome("gru", 0.99))
    found.outcomes[0].statistics["loss"][:] = losses(0.99, 7)
    p = diebold_mariano(mean_loss(found.statistics("gru")), found.references[1].statistics["loss"], 1)
    assert p > 0.05
    assert f"is 1 % better, which may be chance (p = {p:.2g})" in found.verdicts()[0]
    short = [Reference("repeat last", {"loss": np.ones(4)}, {"mase": 1.0}, True)]
    few = Comparison(MASE, chance_of(1), short, [outcome("gru", 0.5)])
    few.outcomes[0].statistics["loss"].resize(4, refcheck=False)
    assert "which may be chance (too few cases to say)" in few.verdicts()[0]


def pairs(without: list[float], change: list[float]) -> list[Outcome]:
    found = []
    for seed, (score, factor) in enumerate(zip(without, change, strict=True)):
        found += [outcome("gru", score, seed), outcome("gru", score * factor, seed, "dot")]
    return found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ([0.90, 0.91, 0.89], "Attention helped here: MASE -10.0 %"),
        ([1.10, 1.11, 1.09], "Attention hurt here: MASE +10.0 %"),
        ([0.90, 1.10, 1.00], "Attention made no difference that 3 pairs can show: MASE +0.0 %"),
        ([0.50, 1.10, 1.00], "Attention made no difference that 3 pairs can show: MASE -13.3 %"),
        ([1.50, 0.90, 1.00], "Attention made no difference that 3 pairs can show: MASE +13.3 %"),
        ([1.00, 1.00, 1.00], "Attention made no difference that 3 pairs can show: MASE +0.0 %"),
    ],
)
def test_did_attention_help(change: list[float], words: str) -> None:
    sentence = comparison(*pairs([0.5, 0.6, 0.7], change)).verdicts()[1]
    assert sentence.startswith(f"{words} against the same cell and seed without it, 95 % interval ")
    half = interval_of_mean(100 * (np.array(change) - 1))
    low, high = re.findall(r"interval ([+-][\d.]+) to ([+-][\d.]+) %", sentence)[0]
    mean = 100 * (np.mean(change) - 1)
    assert (float(low), float(high)) == pytest.approx((mean - half, mean + half), abs=0.06)


def test_attention_is_compared_with_its_own_twin() -> None:
    outcomes = [
        outcome("gru", 0.5), outcome("gru", 0.45, attention="dot"),
        outcome("lstm", 1.0), outcome("lstm", 0.9, attention="dot"),
        outcome("rnn", 9.0, attention="dot"),  # no twin
        outcome("gru", 9.0, 1, attention="dot"),  # no twin of this seed
    ]  # fmt: skip
    found = comparison(*outcomes)
    assert "MASE -10.0 %" in found.verdicts()[1]
    shuffled = comparison(*reversed(outcomes))
    assert shuffled.verdicts()[1] == found.verdicts()[1]


def test_one_pair_is_not_enough() -> None:
    sentence = comparison(*pairs([0.5], [0.9])).verdicts()[1]
    expected = (
        "Attention: one pair only (MASE -10.0 % against the same cell and seed without it); use more seeds to know."
    )
    assert sentence == expected


def test_did_the_hybrid_help() -> None:
    outcomes = []
    for seed, attention in itertools.product((0, 1), ("none", "dot")):
        noise = 0.001 * seed
        outcomes += [
            outcome("gru", 0.8, seed, attention),
            outcome("lstm", 1.2, seed, attention),
            outcome("lstm_gru", 0.9 + noise, seed, attention, hybrid=True),
            outcome("rnn", 5.0, seed, attention),
        ]
    sentence = comparison(*outcomes).verdicts()[2]
    assert sentence.startswith("Mixing LSTM and GRU helped here: MASE -9.9 % against the mean of lstm and gru")
    alone = comparison(*[one for one in outcomes if one.candidate.cell not in ("gru", "lstm")])
    assert not [verdict for verdict in alone.verdicts() if "Mixing" in verdict], "no parents, nothing to say"


def test_paired_verdict_without_pairs() -> None:
    assert paired_verdict("This", [], "that", MASE) == ""


def test_pairs_of_which_no_percent_can_be_said_are_left_out() -> None:
    pairs = [(0.9, 1.0), (0.5, 0.0), (0.91, 1.0), (0.0, 0.0)]
    assert paired_verdict("This", pairs, "that", MASE) == paired_verdict("This", pairs[::2], "that", MASE) != ""
    assert paired_verdict("This", pairs[3:], "that", MASE) == ""
    assert "one pair only (accuracy +50.0 points" in paired_verdict("This", pairs[1:2], "that", ACCURACY)


def test_chance_as_a_person_reads_it() -> None:
    assert [chance(p) for p in (1e-9, 0.0123, 0.5, math.nan)] == [
        "p < 0.001", "p = 0.012", "p = 0.5", "too few cases to say",
    ]  # fmt: skip


# Where high is better, and a share is written in percent


def right(share: float, seed: int, count: int = 200) -> Statistics:
    cases = np.random.default_rng(seed).permutation(count) < share * count
    return {"right": cases.astype(float), "count": np.ones(count)}


def classified(cell: str, share: float, seed: int = 0, attention: str = "none", hybrid: bool = False) -> Outcome:
    statistics = right(share, sum(map(ord, cell + attention)) + 1000 * seed)
    made = outcome(cell, share, seed, attention, hybrid)
    return dataclasses.replace(made, statistics=statistics, metrics={"accuracy": ACCURACY.of(statistics)})


def contest(*outcomes: Outcome, naive: float | None = 0.5, centroid: float = 0.7) -> Comparison:
    def permuted(first: Sequence[Statistics], second: Sequence[Statistics]) -> float:
        return paired_permutation(ACCURACY, first, second)

    simple = Reference("nearest centroid", right(centroid, 2), {"accuracy": centroid}, False)
    most = [] if naive is None else [Reference("most frequent", right(naive, 1), {"accuracy": naive}, True)]
    return Comparison(ACCURACY, permuted, [*most, simple], list(outcomes))


def test_the_highest_comes_first() -> None:
    found = contest(classified("gru", 0.8), classified("lstm", 0.9), classified("rnn", 0.4))
    assert found.labels() == ["lstm", "gru", "rnn"]
    rows = found.rows()
    assert [row["model"] for row in rows] == ["lstm", "gru", "nearest centroid", "most frequent", "rnn"]
    assert [row["accuracy"] for row in rows] == pytest.approx([0.9, 0.8, 0.7, 0.5, 0.4])
    assert math.isnan(rows[0]["p_best"]) and rows[0]["p_naive"] < 0.001
    best = found.statistics("lstm")
    assert rows[1]["p_best"] == paired_permutation(ACCURACY, found.statistics("gru"), best) < 0.05
    assert rows[3]["p_best"] == paired_permutation(ACCURACY, [found.references[0].statistics], best)
    several = [Reference(name, right(share, 1), {"accuracy": share}, True) for name, share in (("a", 0.3), ("b", 0.6))]
    naive = Comparison(ACCURACY, found.chance, several).best_naive()
    assert naive is not None and naive.label == "b"


def test_a_share_is_written_in_percent_and_compared_in_points() -> None:
    assert contest(classified("gru", 0.8), classified("lstm", 0.45)).verdicts()[0] == (
        "1 of 2 networks beat the best naive answer ('most frequent', accuracy 50.0 %); the best, gru, is 30.0 points "
        "better, unlikely to be chance (p < 0.001)."
    )
    luck = contest(classified("gru", 0.51)).verdicts()[0]
    assert re.search(r"the best, gru, is 1\.0 points better, which may be chance \(p = 0\.\d+\)\.", luck)
    assert contest(classified("gru", 0.45), classified("lstm", 0.4)).verdicts() == [
        "No network beats the best naive answer ('most frequent', accuracy 50.0 %); the best, gru, has 45.0 %."
    ]
    assert contest(classified("gru", 0.5)).verdicts()[0].startswith("No network beats"), "as good is not better"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ([0.10, 0.11, 0.09], "Attention helped here: accuracy +10.0 points"),
        ([-0.10, -0.11, -0.09], "Attention hurt here: accuracy -10.0 points"),
        ([-0.10, 0.10, 0.03], "Attention made no difference that 3 pairs can show: accuracy +1.0 points"),
    ],
)
def test_did_attention_help_a_share(change: list[float], words: str) -> None:
    outcomes = []
    for seed, (score, more) in enumerate(zip([0.5, 0.6, 0.7], change, strict=True)):
        outcomes += [classified("gru", score, seed), classified("gru", score + more, seed, "dot")]
    sentence = contest(*outcomes).verdicts()[1]
    assert sentence.startswith(f"{words} against the same cell and seed without it, 95 % interval ")
    half = interval_of_mean(100 * np.array(change))
    low, high = re.findall(r"interval ([+-][\d.]+) to ([+-][\d.]+) points\.", sentence)[0]
    assert (float(low), float(high)) == pytest.approx(
        (100 * np.mean(change) - half, 100 * np.mean(change) + half), abs=0.06
    )


def test_did_the_hybrid_help_a_share() -> None:
    outcomes = []
    for seed in (0, 1):
        outcomes += [classified("gru", 0.5, seed), classified("lstm", 0.7, seed)]
        outcomes.append(classified("lstm_gru", 0.8 + 0.01 * seed, seed, hybrid=True))
    sentence = contest(*outcomes).verdicts()[1]
    assert sentence.startswith("Mixing LSTM and GRU helped here: accuracy +20.5 points against the mean of lstm and")


def test_without_a_naive_reference_nothing_is_said_of_one() -> None:
    found = contest(classified("gru", 0.6), naive=None)
    assert found.best_naive() is None and found.verdicts() == []
    rows = found.rows()
    assert [row["model"] for row in rows] == ["nearest centroid", "gru"]
    assert math.isnan(rows[1]["p_naive"]) and rows[0]["p_best"] < 0.05
    alone = Comparison(ACCURACY, found.chance, [], found.outcomes)
    assert [row["model"] for row in alone.rows()] == ["gru"] and alone.verdicts() == []


def test_a_metric_knows_its_better_side() -> None:
    assert MASE.beats(0.5, 1.0) and not MASE.beats(1.0, 0.5) and not MASE.beats(1.0, 1.0)
    assert ACCURACY.beats(1.0, 0.5) and not ACCURACY.beats(0.5, 1.0) and not ACCURACY.beats(1.0, 1.0)
    assert (MASE.write(1234.5678), MASE.write(0.123456), MASE.unit) == ("1235", "0.1235", "%")
    assert (ACCURACY.write(0.98765), ACCURACY.unit) == ("98.8 %", "points")
    assert (MASE.change(2.0, 1.5), ACCURACY.change(0.5, 0.75)) == (-25.0, 25.0)


def test_seed_by_seed() -> None:
    candidates = [Candidate(name, {}) for name in "ab"]
    order = list(compare(candidates, (5, 6), lambda c, s: (c.label, s)))  # type: ignore[arg-type, return-value]
    assert order == [("a", 5), ("b", 5), ("a", 6), ("b", 6)]


# Sizes

LAYOUT = Layout(lookback=24, horizon=6, segment=3, season=4, cycle=True, channels=1, series=2, missing=True)


def count_of(**settings: Any) -> Any:
    def count(size: int) -> int:
        config = make_config(PARTS, settings | {"hidden_size": size})
        return sum(p.numel() for p in make_forecaster(config, LAYOUT)[0].parameters())

    return count


@pytest.mark.parametrize("cell", [*CELL_NAMES, ("lstm", "gru")])
@pytest.mark.parametrize("attention", ["none", "additive"])
def test_equal_size(cell: Any, attention: str) -> None:
    goal = count_of(cell="gru", attention="additive")(32)
    count = count_of(cell=cell, attention=attention)
    size = equal_size(count, goal)
    around = {near: abs(count(near) - goal) for near in range(max(1, size - 3), size + 4)}
    assert around[size] == min(around.values()), "no whole size is nearer"
    assert around[size] / goal < 0.02 or around[size] <= (count(size + 1) - count(size)) / 2 + 1


def test_equal_size_in_steps_of_the_heads() -> None:
    count = count_of(cell="lstm", attention="multi_head", heads=4)
    goal = count_of(cell="gru", attention="additive")(30)
    size = equal_size(count, goal, 4)
    assert size % 4 == 0
    assert abs(count(size) - goal) == min(abs(count(near) - goal) for near in range(4, 64, 4))


@pytest.mark.parametrize("goal", [0, 1, 2, 3, 7, 10, 95, 100, 101, 10**6])
@pytest.mark.parametrize("step", [1, 3])
def test_equal_size_against_trying_all(goal: int, step: int) -> None:
    found = equal_size(lambda n: n * n + n, goal, step)
    best = min(range(step, 1100 * step, step), key=lambda n: abs(n * n + n - goal))
    assert abs(found * found + found - goal) == abs(best * best + best - goal) and found % step == 0


# Memory


def memory(batch_size: int, **settings: Any) -> tuple[int, int]:
    config = make_config(PARTS, {"hidden_size": 8, "engine": "reference"} | settings)
    network, task = make_forecaster(config, LAYOUT)
    others = {"series": torch.zeros(batch_size, dtype=torch.long), "phase": torch.zeros(batch_size, dtype=torch.long)}
    batch = Batch(torch.randn(batch_size, 24, 1), torch.randn(batch_size, 6, 1), others=others)
    before = torch.random.get_rng_state()
    found = step_memory(network, task, batch)
    assert torch.equal(before, torch.random.get_rng_state()) and not network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    return found, 16 * sum(parameter.numel() for parameter in network.parameters())


def test_memory_of_a_step() -> None:
    (one, fixed), (two, _), (four, _) = (memory(size) for size in (16, 32, 64))
    assert fixed < one < two < four, "weights, gradients and two moments in float32, and what backward needs"
    assert (four - two) == pytest.approx(2 * (two - one), rel=0.01), "which grows with the batch"
    assert memory(32, hidden_size=16)[0] > two
    assert memory(32, attention="none")[0] < two


def test_memory_of_a_sum_by_hand() -> None:
    class Exponentials:
        def ask(self, model: Any, batch: Batch) -> Any:
            return model(batch.inputs)

        def loss(self, output: torch.Tensor, batch: Batch) -> Loss:
            return Loss(output.exp().sum(), 1)  # backward needs what exp said, and what each layer read

    layers = torch.nn.Sequential(torch.nn.Linear(5, 3, bias=False), torch.nn.Linear(3, 2, bias=False))
    found = step_memory(layers, Exponentials(), Batch(torch.randn(10, 5)))  # type: ignore[arg-type]
    assert found == 4 * 4 * (15 + 6) + 4 * (10 * 5 + 10 * 3 + 10 * 2), "the second layer's weights count once"

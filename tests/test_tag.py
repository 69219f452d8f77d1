"""A label for every step: pieces, the loss, spans, what is compared with, the verbs and the report."""

import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from commands import Answer, Run, run_command
from pages import figures_in
from recurra import Classifier, Regressor, Tagger
from recurra.data.cases import Cases, read_cases
from recurra.errors import Caution, ConfigError, DataError
from recurra.settings import make_config
from recurra.tasks.base import Fitted
from recurra.tasks.session import Session
from recurra.tasks.tag.answers import Said, Truth, ask_network, statistics_of
from recurra.tasks.tag.baselines import WindowRegression
from recurra.tasks.tag.examples import pieces
from recurra.tasks.tag.figures import Strips, strips_figure
from recurra.tasks.tag.kind import KIND
from recurra.tasks.tag.metrics import metrics_of
from recurra.tasks.tag.plan import rarest
from recurra.training.record import Record
from recurra.verbs.common import judge
from recurra.verbs.compare import make_candidates

METRICS = metrics_of(None, None)

TINY: dict[str, Any] = {"hidden_size": 8, "filters": 4, "epoch_steps": 3, "max_epochs": 2, "batch_size": 8}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in (TINY | {"last_epochs": 1}).items()]
Sequences = tuple[list[np.ndarray], list[np.ndarray]]


def peaks(count: int, seed: int = 0) -> Sequences:
    """Three bumps in noise, of any height; the steps of the largest one are labelled: no stretch alone tells which."""
    random = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(count):
        steps = np.arange(int(random.integers(36, 54)))
        places = 6 + 12 * np.arange(3) + random.integers(-2, 3, 3)
        heights = random.uniform(1, 2, 3)
        largest = int(random.integers(3))
        heights[largest] = heights.max() + 0.8
        bumps = [h * np.exp(-0.5 * ((steps - p) / 1.5) ** 2) for h, p in zip(heights, places, strict=True)]
        X.append((np.sum(bumps, 0) + random.normal(0, 0.1, len(steps))) * random.uniform(0.4, 3))
        y.append(np.where(abs(steps - places[largest]) <= 3, "peak", "rest"))
    return X, y


def table_of(X: list[np.ndarray], y: list[np.ndarray]) -> pd.DataFrame:
    """A step in each row, the rows of all cases shuffled."""
    parts = [
        pd.DataFrame({"id": f"c{n}", "step": np.arange(len(x)), "value": x.round(5), "label": labels})
        for n, (x, labels) in enumerate(zip(X, y, strict=True))
    ]
    return pd.concat(parts).sample(frac=1, random_state=0).reset_index(drop=True)


def config_of(**changed: Any) -> Any:
    return make_config(KIND.parts, TINY | changed)


def untrained(data: Cases, **changed: Any) -> Fitted:
    prepared = KIND.prepare(data, config_of(**changed), 0)
    config = prepared.config
    network, task = KIND.make(config, prepared.learned)
    return Fitted(KIND, config, prepared.learned, network.eval(), task, {}, Record.of(network, "cpu"))


@pytest.fixture(scope="module")
def one() -> Tagger:
    """A tagger for tests that change nothing in it."""
    return Tagger(**TINY).fit(*peaks(20))


# Long cases are read in pieces.


@given(lengths=st.lists(st.integers(1, 200), min_size=1, max_size=5), most=st.integers(16, 70))
@settings(max_examples=40, deadline=None)
def test_each_step_is_answered_once_and_far_from_ends(lengths: list[int], most: int) -> None:
    owner, read, answered = pieces(np.array(lengths), most)
    assert sorted(set(owner.tolist())) == list(range(len(lengths)))
    assert ((read[:, 1] - read[:, 0]) <= most).all()
    for case, steps in enumerate(lengths):
        mine = owner == case
        told = [step for first, behind in answered[mine] for step in range(first, behind)]
        assert told == list(range(steps))
        for step, (first, behind) in (
            (s, r) for a, r in zip(answered[mine], read[mine], strict=True) for s in range(*a)
        ):
            # How far a step is from an end that the case itself does not have: in no other piece is it farther.
            own = min(step - first if first else steps, behind - 1 - step if behind < steps else steps)
            others = [
                min(step - a if a else steps, b - 1 - step if b < steps else steps)
                for a, b in read[mine]
                if a <= step < b
            ]
            assert own >= max(others) - 1
            assert own == steps or own >= most // 4 - 1


def test_a_long_case_is_answered_piece_by_piece() -> None:
    X, y = peaks(6)
    X, y = [np.concatenate(X[:4]), *X], [np.concatenate(y[:4]), *y]
    data = KIND.arrays(X, y)
    fitted = untrained(data, piece=32)
    examples = KIND.encode(data, fitted.learned)
    assert len(examples) > len(data) and int(examples.lengths.max()) == 32
    said = ask_network(fitted, examples).log_probabilities
    inputs = fitted.learned.reading.inputs(data.values[0])
    _, read, answered = pieces(data.lengths[:1], 32)
    for (first, behind), (start, stop) in zip(read, answered, strict=True):
        values = torch.from_numpy(inputs[first:behind]).float().unsqueeze(0)
        known = torch.ones(1, behind - first, 1)
        with torch.no_grad():
            vectors, _ = fitted.network.embed(torch.cat([values, known], -1), None)
            logs = fitted.network.out(fitted.network.recurrent(vectors).outputs).log_softmax(-1)[0]
        np.testing.assert_allclose(said[start:stop], logs[start - first : stop - first], rtol=1e-4, atol=1e-5)


def test_each_known_step_is_asked_once_in_training() -> None:
    X, y = peaks(8)
    labels = [np.where(np.arange(len(row)) % 5, row, None) for row in y]
    data = KIND.arrays(X, labels)
    fitted = untrained(data, piece=16)
    examples = KIND.encode(data, fitted.learned)
    batch = examples.take(torch.arange(len(examples)))
    assert batch.target_mask is not None and batch.targets is not None
    counts = torch.bincount(batch.targets[batch.target_mask], minlength=2)
    known = np.concatenate([row[row != None] for row in labels])  # noqa: E711
    assert counts.tolist() == [int((known == name).sum()) for name in ("peak", "rest")]


@pytest.mark.parametrize("among", ["none", "dot", "multi_head"])
def test_a_padded_batch_answers_like_each_case_alone(among: str) -> None:
    X, y = peaks(9)
    X[3] = X[3].copy()
    X[3][[4, 5, 17]] = np.nan
    data = KIND.arrays(X, y)
    fitted = untrained(data, self_attention=among)
    together = ask_network(fitted, KIND.encode(data, fitted.learned)).log_probabilities
    ends = np.cumsum(data.lengths)
    for n in range(9):
        alone = ask_network(fitted, KIND.encode(data.some([n]), fitted.learned)).log_probabilities
        np.testing.assert_allclose(together[ends[n] - data.lengths[n] : ends[n]], alone, rtol=1e-4, atol=1e-5)


# What is learned


@pytest.mark.parametrize(
    ("balance", "smoothing", "weighted"), [(False, 0.0, False), (True, 0.2, False), (True, 0, True)]
)
def test_loss_is_cross_entropy_over_the_steps_that_are_known(balance: bool, smoothing: float, weighted: bool) -> None:
    X, y = peaks(7)
    labels = [np.where(np.arange(len(row)) % 7 == 2, None, row) for row in y]
    data = KIND.arrays(X, labels)
    weights = np.linspace(0.5, 3, 7)
    if weighted:
        data = data.weighted(weights)
    prepared = KIND.prepare(data, config_of(balance=balance, smoothing=smoothing), 0)
    network, task = KIND.make(prepared.config, prepared.learned)
    batch = prepared.train.take(torch.arange(len(prepared.train)))
    output = task.ask(network.eval(), batch)
    logs = output.prediction.log_softmax(-1).detach().double().numpy()
    places = prepared.plan.train
    counts = {name: sum((labels[n] == name).sum() for n in places) for name in ("peak", "rest")}
    total = weight = 0.0
    for row, n in enumerate(places):
        for step, label in enumerate(labels[n]):
            if label is None:
                continue
            own = sum(counts.values()) / (2 * counts[label]) if balance else 1.0
            own *= weights[n] if weighted else 1.0
            answer = [(1 - smoothing) * (name == label) + smoothing / 2 for name in ("peak", "rest")]
            total -= own * float(np.dot(answer, logs[row, step]))
            weight += own
    assert task.loss(output, batch).mean.item() == pytest.approx(total / weight, rel=1e-5)


def test_rare_labels_are_in_every_part() -> None:
    y = [["a", "a", "a", "a", "b" if n % 4 == 1 else "c" if n % 8 == 0 else "d" if n == 3 else "a"] for n in range(40)]
    data = KIND.arrays(np.random.default_rng(0).normal(size=(40, 5)), y)
    last = np.array([row[-1] for row in y])
    assert rarest(data).tolist() == [{"a": 0, "b": 1, "c": 2, "d": 0}[label] for label in last], "of d there is one"
    plan = KIND.plan(data, config_of(), None)
    assert sorted(np.concatenate([plan.train, plan.valid, plan.test]).tolist()) == list(range(40))
    for part in (plan.train, plan.valid, plan.test):
        assert {"b", "c"} <= set(last[part])
    assert plan.test_size == 8 and plan.notes[0] == "4 labels of 200 steps: 'a' 184, 'b' 10, 'c' 5, 'd' 1"


@pytest.mark.slow
def test_the_largest_peak_is_found_which_no_window_can_know() -> None:
    tagger = Tagger(hidden_size=32, filters=16, max_epochs=14, last_epochs=6, learning_rate=1e-2).fit(*peaks(200))
    X, y = peaks(60, seed=1)
    fitted = tagger.fitted_
    tagger._session.fit_baselines()
    exam = KIND.exam(KIND.read((X, y), fitted.config, fitted.learned), fitted.learned, None)
    scores = judge(fitted, exam).metrics
    assert scores["this model"]["span_f1"] > 0.9 and scores["this model"]["macro_f1"] > 0.92
    assert scores["window regression"]["span_f1"] < 0.75 and scores["window regression"]["macro_f1"] < 0.82
    assert scores["this model"]["accuracy"] == tagger.score(X, y)


# How good it is


def judged_cases(seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray], Truth, Said]:
    random = np.random.default_rng(seed)
    truth = [np.repeat(random.integers(-1, 3, 9), random.integers(1, 6, 9)) for _ in range(12)]
    said = [
        np.where(random.random(len(row)) < 0.8, np.maximum(row, 0), random.integers(0, 3, len(row))) for row in truth
    ]
    logs = np.log(random.dirichlet(np.ones(3), sum(map(len, truth))))
    lengths = np.array([len(row) for row in truth])
    return truth, said, Truth(np.concatenate(truth), lengths, ("a", "b", "c")), Said(np.concatenate(said), logs)


def spans_in(labels: np.ndarray) -> list[tuple[int, int, int]]:
    """The label, the first step and the one behind the last of each span."""
    found, at = [], 0
    for label, run in itertools.groupby(labels.tolist()):
        count = len(list(run))
        found.append((label, at, at + count))
        at += count
    return found


def test_metrics_against_scikit_learn_and_loops() -> None:
    truth, said, exam, answers = judged_cases()
    statistics = statistics_of(exam, answers)
    known = exam.codes >= 0
    scores = {metric.name: metric.of(statistics) for metric in METRICS}
    assert scores["accuracy"] == pytest.approx(oracle.accuracy_score(exam.codes[known], answers.codes[known]))
    macro = oracle.f1_score(exam.codes[known], answers.codes[known], average="macro")
    assert scores["macro_f1"] == pytest.approx(macro)
    logs = answers.log_probabilities
    assert logs is not None
    assert scores["log_loss"] == pytest.approx(
        oracle.log_loss(exam.codes[known], np.exp(logs[known]), labels=[0, 1, 2])
    )
    hits = there = named = 0
    for own, other in zip(truth, said, strict=True):
        first, second = spans_in(own[own >= 0]), spans_in(other[own >= 0])
        there, named = there + len(first), named + len(second)
        for (a, s, e), (b, t, f) in itertools.product(first, second):
            both = len(set(range(s, e)) & set(range(t, f)))
            hits += a == b and both / len(set(range(s, e)) | set(range(t, f))) > 0.5
    assert (statistics["true_spans"].sum(), statistics["named_spans"].sum()) == (there, named)
    assert statistics["span_hits"].sum() == hits and scores["span_f1"] == pytest.approx(2 * hits / (there + named))
    assert all(len(values) == 12 for values in statistics.values()), "case by case, so that tests are over cases"


def test_statistics_are_those_of_each_case() -> None:
    truth, said, exam, answers = judged_cases(1)
    whole = statistics_of(exam, answers)
    assert answers.log_probabilities is not None
    ends = np.cumsum(exam.lengths)
    for n in range(12):
        part = slice(ends[n] - exam.lengths[n], ends[n])
        alone = statistics_of(
            Truth(truth[n], exam.lengths[n : n + 1], ("a", "b", "c")), Said(said[n], answers.log_probabilities[part])
        )
        for name, values in whole.items():
            np.testing.assert_allclose(values[n], alone[name][0], err_msg=name)


def test_a_perfect_and_an_empty_answer() -> None:
    truth = Truth(np.array([0, 0, 1, 1, 0]), np.array([5]), ("a", "b"))
    scores = [metric.of(statistics_of(truth, Said(truth.codes, None))) for metric in METRICS[:3]]
    assert scores == [1, 1, 1]
    flat = statistics_of(truth, Said(np.zeros(5, int), None))
    assert METRICS[0].of(flat) == 0.6 and METRICS[2].of(flat) == 0, "no span of two or one is more than half of five"


# What it is compared with


def test_window_regression_against_scikit_learn() -> None:
    X, y = peaks(12)
    y[2] = np.where(np.arange(len(y[2])) < 9, None, y[2])
    data = KIND.arrays(X, y)
    prepared = KIND.prepare(data, config_of(), 0)
    baseline = WindowRegression(prepared.learned)
    baseline.fit(prepared)
    reach = baseline.reach
    assert reach == 16

    def windows(case: np.ndarray) -> list[np.ndarray]:
        inputs = prepared.learned.reading.inputs(case).astype(np.float32)
        last = len(inputs) - 1
        return [
            np.concatenate([inputs[min(max(t + d, 0), last)] for d in range(-reach, reach + 1)])
            for t in range(len(inputs))
        ]

    rows, labels = [], []
    for n in prepared.plan.train:
        own = [
            (window, label) for window, label in zip(windows(data.values[n]), y[n], strict=True) if label is not None
        ]
        rows += [window for window, _ in own]
        labels += [label for _, label in own]
    model = LogisticRegression(max_iter=200).fit(np.array(rows), labels)
    examples = KIND.encode(data, prepared.learned)
    ahead = model.decision_function(np.array([window for case in data.values for window in windows(case)]))
    expected = -np.logaddexp(0, np.stack([ahead, -ahead], 1))
    said = baseline.answer(examples)
    assert said.log_probabilities is not None
    np.testing.assert_allclose(said.log_probabilities, expected, rtol=1e-3, atol=1e-3)
    assert np.array_equal(said.codes, expected.argmax(1))


def test_a_label_that_no_training_step_has() -> None:
    X, y = peaks(20)
    y[0] = np.where(np.arange(len(y[0])) == 3, "odd", y[0])
    data = KIND.arrays(X, y)
    prepared = KIND.prepare_as(data, KIND.plan(data, config_of(), 0), config_of())
    without = np.setdiff1d(np.arange(20), [0])
    plan = type(prepared.plan)(without[:15], without[15:], np.array([0]))
    session = Session(KIND.prepare_as(data, plan, config_of(balance=True)))
    list(session.epochs())
    session.fit_baselines()
    scores = judge(session.fitted, KIND.exam(data, session.fitted.learned, plan.test)).metrics
    assert session.fitted.learned.counts[session.fitted.learned.classes.index("odd")] == 0
    assert all(np.isfinite(list(row.values())).all() for row in scores.values())


def test_only_one_network_is_compared_where_attentions_look_nowhere() -> None:
    made = make_candidates(KIND, {}, ["gru", "lstm"], ["none", "additive", "dot"])
    assert [candidate.label for candidate in made] == ["gru", "lstm"]
    with pytest.raises(ConfigError, match="The setting attention has no effect: each step is answered by"):
        Tagger(attention="dot").fit(*peaks(8))


# From Python


def blocks() -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(12, 20))
    return X, X > 0.3


FORMS: dict[str, Any] = {
    "truth": blocks,
    "numbers": lambda: (blocks()[0], blocks()[1].astype(int) * 3),
    "floats": lambda: (blocks()[0], blocks()[1] * 2.0),
    "text": lambda: (blocks()[0], np.where(blocks()[1], "high", "low")),
    "objects": lambda: (blocks()[0], np.where(blocks()[1], "high", "low").astype(object)),
    "lists": lambda: (blocks()[0].tolist(), blocks()[1].astype(int).tolist()),
    "channels": lambda: (np.stack([blocks()[0], -blocks()[0]], 1), np.where(blocks()[1], "high", "low")),
    "unequal": lambda: (
        [row[: 9 + n] for n, row in enumerate(blocks()[0])],
        [row[: 9 + n] for n, row in enumerate(blocks()[1])],
    ),
    "tensors": lambda: (torch.from_numpy(blocks()[0]), torch.from_numpy(blocks()[1].astype(int))),
    "frames": lambda: (pd.DataFrame(blocks()[0]), pd.DataFrame(blocks()[1].astype(int))),
}


@pytest.mark.parametrize("form", FORMS)
def test_labels_come_back_as_they_came(form: str, tmp_path: Path) -> None:
    X, y = FORMS[form]()
    tagger = Tagger(**TINY).fit(X, y)
    rows = [np.asarray(row) for row in (y.to_numpy() if isinstance(y, pd.DataFrame) else y)]
    flat = np.concatenate(rows)
    assert np.array_equal(tagger.classes_, np.unique(flat))
    said, sure = tagger.predict(X), tagger.predict_proba(X)
    assert [len(row) for row in said] == [len(row) for row in rows] == [len(row) for row in sure]
    assert np.concatenate(said).dtype.kind == np.array(flat.tolist()).dtype.kind
    for labels, shares in zip(said, sure, strict=True):
        np.testing.assert_allclose(shares.sum(1), 1)
        assert np.array_equal(tagger.classes_[shares.argmax(1)], labels)
    assert tagger.score(X, y) == oracle.accuracy_score(flat.astype(str), np.concatenate(said).astype(str))
    again = Tagger.load(tagger.save(tmp_path / "run"))
    assert all(np.array_equal(a, b) for a, b in zip(again.predict(X), said, strict=True))


def test_what_is_not_known_counts_nowhere() -> None:
    X, y = peaks(16)
    hidden = [np.where(np.arange(len(row)) % 3 == 0, None, row) for row in y]
    tagger = Tagger(**TINY).fit(X, hidden)
    assert any("step(s) have no label" in note for note in tagger.notes_)
    wrong = [np.where(np.arange(len(row)) % 3 == 0, "peak", row) for row in y]
    other = Tagger(**TINY).fit(X, [np.where(row == None, None, w) for row, w in zip(hidden, wrong, strict=True)])  # noqa: E711
    assert np.array_equal(np.concatenate(tagger.predict_proba(X)), np.concatenate(other.predict_proba(X)))
    said = np.concatenate(tagger.predict(X))
    flat = np.concatenate(hidden)
    known = np.array([label is not None for label in flat])
    assert tagger.score(X, hidden) == np.mean(said[known] == flat[known])
    numbers = [np.where(np.arange(len(row)) % 3 == 0, np.nan, row == "peak") for row in y]
    assert Tagger(**TINY).fit(X, numbers).classes_.tolist() == [0.0, 1.0]
    whole = [pd.Series(row).astype("Int64") for row in numbers]
    assert Tagger(**TINY).fit(X, whole).predict(X)[0].dtype.kind == "i"


def test_padding_of_an_array_has_no_labels() -> None:
    X, y = blocks()
    X[3, 15:] = np.nan
    with pytest.warns(UserWarning, match=r"5 label\(s\) of steps that have no value at the end"):
        tagger = Tagger(**TINY).fit(X, y)
    assert [len(row) for row in tagger.predict(X)][2:5] == [20, 15, 20]
    short = [row[:15] if n == 3 else row for n, row in enumerate(y)]
    assert tagger.score(X, short) == Tagger(**TINY).fit(X, short).score(X, short)


def test_a_table_is_answered_in_the_order_of_its_rows() -> None:
    X, y = peaks(15)
    table = table_of(X, y)
    tagger = Tagger(**TINY).fit(table)
    found = tagger.predict(table.drop(columns="label"))
    assert list(found.columns) == ["case", "step", "label", "p_peak", "p_rest"]
    assert found["case"].tolist() == table["id"].tolist() and found["step"].tolist() == table["step"].tolist()
    assert tagger.score(table) == np.mean(found["label"] == table["label"])
    arrays = Tagger(**TINY).fit([x.round(5) for x in X], y)
    order = [f"c{n}" for n in sorted(range(15), key=lambda n: f"c{n}")]
    by_case = {name: part.sort_values("step")["p_peak"].to_numpy() for name, part in found.groupby("case")}
    assert set(order) == set(by_case) and arrays.classes_.tolist() == tagger.classes_.tolist()
    whole = tagger.predict_proba(table)
    assert sorted(len(part) for part in whole) == sorted(len(x) for x in X)
    polars = tagger.predict(pl.from_pandas(table))
    assert isinstance(polars, pl.DataFrame) and polars["label"].to_list() == found["label"].tolist()
    alone = tagger.predict(table[table["id"] == "c7"])
    np.testing.assert_allclose(alone.sort_values("step")["p_peak"], by_case["c7"], rtol=1e-4, atol=1e-6)


def test_it_is_an_estimator_of_scikit_learn() -> None:
    X, y = FORMS["text"]()
    search = GridSearchCV(Tagger(**TINY), {"hidden_size": [4, 8]}, cv=3, error_score="raise").fit(X, y)
    best = search.best_estimator_
    assert search.best_score_ <= 1 and search.predict(X)[0].tolist() == best.predict(X)[0].tolist()
    again = pickle.loads(pickle.dumps(best))
    np.testing.assert_array_equal(again.predict_proba(X)[2], best.predict_proba(X)[2])
    assert clone(best).get_params() == best.get_params() and not hasattr(clone(best), "fitted_")
    with pytest.raises(NotFittedError, match="This Tagger is not fitted yet"):
        Tagger().predict(X)


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (lambda y: [*y[:3], y[3][:-2], *y[4:]], r"Case '4' has \d+ steps, but y has \d+ labels for it"),
        (lambda y: y[:-1], r"X has 12 case\(s\), but y has the labels of 11"),
        (lambda y: [np.full(len(row), "same") for row in y], "Every step has the same label, 'same'"),
        (lambda y: [np.linspace(0, 1, len(row)) for row in y], "Unknown label type: y is continuous"),
        (lambda y: [*y[:5], [None] * len(y[5]), *y[6:]], "No step of the case '6' has a label"),
        (lambda y: [row[0] for row in y], "Case '1' has the single label"),
        (lambda y: np.zeros(12, int), r"y has the shape \(12,\), but every step needs a label"),
        (lambda y: [row[:, None] for row in y], r"The labels of case '1' have the shape"),
        (lambda y: "labels", "y is of type str"),
        (lambda y: [[{}] * len(row) for row in y], "A label is"),
    ],
)
def test_labels_that_cannot_be_used(y: Any, said: str) -> None:
    X, labels = peaks(12)
    with pytest.raises(DataError, match=said):
        Tagger(**TINY).fit(X, y(labels))


@pytest.mark.parametrize("name", ["y", "marks"])
@pytest.mark.parametrize("unknown", ["", np.nan], ids=str)
def test_labels_of_steps_lie_beside_the_values(name: str, unknown: Any, tmp_path: Path) -> None:
    """Filled up to one length behind the end of a case; a label that is empty within it is not known."""
    X, y = peaks(12)
    width = max(map(len, X))
    values = np.stack([np.pad(x, (0, width - len(x)), constant_values=np.nan) for x in X])
    coded = [row if unknown == "" else np.where(row == "peak", 1.0, 0.0) for row in y]
    labels = np.full((12, width), unknown, dtype=np.result_type(*coded))
    for row, own in zip(labels, coded, strict=True):
        row[: len(own)] = own
    labels[3, 5] = unknown
    np.savez(tmp_path / "a.npz", X=values, **{name: labels})
    cases = read_cases(tmp_path / "a.npz", what="mark")
    expected = KIND.read((X, [*y[:3], [*y[3][:5], None, *y[3][6:]], *y[4:]]), config_of())
    named = [np.array([*expected.marks.names, "?"])[codes] for codes in expected.marks.codes]
    found = [np.array([*cases.marks.names, "?"])[codes] for codes in cases.marks.codes]
    meant = {"1": "peak", "0": "rest"}
    assert [[meant.get(one, one) for one in row] for row in found] == [row.tolist() for row in named]
    tagger = Tagger(**TINY).fit(tmp_path / "a.npz")
    assert [len(row) for row in tagger.predict(tmp_path / "a.npz")] == [len(x) for x in X]


def test_which_task_labels_are_of() -> None:
    X, y = peaks(12)
    square, labels = np.stack([x[:36] for x in X]), np.stack([row[:36] for row in y])
    with pytest.raises(
        DataError, match=r"y has the shape \(12, 36\); .* The task 'tag' can read these data: use Tagger"
    ):
        Classifier().fit(square, labels)
    with pytest.raises(DataError, match="The task 'classify' can read these data: use Classifier"):
        Tagger().fit(square, np.array(["up", "down"] * 6))
    few = {"max_epochs": 1, "epoch_steps": 1, "last_epochs": 0, "hidden_size": 2}
    with pytest.warns(Caution, match="each case has as many targets as steps, 36; to label each step, use Tagger"):
        Regressor(**few).fit(square, (labels == "peak") + np.arange(12)[:, None])


def test_other_faults(one: Tagger) -> None:
    X, y = peaks(4, seed=3)
    with pytest.raises(DataError, match="A training needs labels"):
        Tagger(**TINY).fit(X)
    with pytest.raises(DataError, match="There is 1 case, and at least one more"):
        Tagger(**TINY).fit(X[:1], y[:1])
    with pytest.raises(DataError, match="The steps of these cases have no labels"):
        one.score(X)
    strange = [*y[:2], np.where(np.arange(len(y[2])) == 5, "paek", y[2]), y[3]]
    fitted = one.fitted_
    cases = KIND.read((X, strange), fitted.config, fitted.learned)
    with pytest.raises(DataError, match=r"Step 6 of the case '3' is labelled 'paek', .*Did you mean 'peak'\?"):
        KIND.exam(cases, fitted.learned, None)
    said, flat = np.concatenate(one.predict(X)), np.concatenate(strange)
    assert one.score(X, strange) == np.mean(said == flat), "what was not there is not named"
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 5))).assign(label=list("ababab"))
    with pytest.raises(DataError, match="a label for every step needs a step in each row"):
        Tagger(**TINY).fit(wide)


# The verbs


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: Any) -> Answer:
        return run_command(capsys, *arguments)

    return call


def test_train_predict_evaluate_report(run: Run, tmp_path: Path) -> None:
    X, y = peaks(24)
    table = table_of(X, y)
    table.loc[table.index % 11 == 0, "label"] = None
    table.to_csv(tmp_path / "a.csv", index=False)
    folder = tmp_path / "run"
    made = run("train", tmp_path / "a.csv", "--task", "tag", "--target", "label", "--out", folder, *FLAGS, "--json")
    assert made.code == 0, made.err
    about = json.loads(made.out)["about"]
    assert set(about["metrics"]) == {"this model", "most frequent label", "window regression"}
    assert json.loads(run("evaluate", folder, "--json").out) == about["metrics"]
    table.drop(columns="label").to_csv(tmp_path / "b.csv", index=False)
    answers = run("predict", folder, tmp_path / "b.csv")
    lines = answers.out.splitlines()
    assert lines[0] == "case,step,label,p_peak,p_rest" and len(lines) == len(table) + 1
    assert [line.split(",")[0] for line in lines[1:]] == table["id"].tolist()
    row = run("predict", folder, tmp_path / "b.csv", "--model", "window_regression", "--json")
    assert len(json.loads(row.out)) == len(table)
    lacking = run("evaluate", folder, tmp_path / "b.csv")
    assert lacking.code == 2 and "have no labels" in lacking.err
    before = (folder / "report.html").read_text(encoding="utf-8")
    assert run("report", folder).code == 0 and (folder / "report.html").read_text(encoding="utf-8") == before
    for words in (
        "A case from the middle",
        "The worst cases",
        "What was confused",
        "Label by label",
        "Gates over time",
    ):
        assert words in before, words
    strips = [figure for figure in figures_in(before) if "ticktext" in figure["layout"].get("yaxis2", {})]
    assert strips and all(figure["layout"]["yaxis2"]["ticktext"] == ["true", "said"] for figure in strips)
    chinese = run("report", folder, "--lang", "zh")
    assert chinese.code == 0 and "最差的样本" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_reservoir_labels_no_steps() -> None:
    with pytest.raises(
        ConfigError, match="A reservoir is read out once for each case, and here every step has an answer"
    ):
        Tagger(cell="reservoir").fit(np.random.default_rng(0).normal(size=(12, 20)), [["a", "b"] * 10] * 12)


def test_compare(run: Run, tmp_path: Path) -> None:
    table_of(*peaks(16)).to_csv(tmp_path / "a.csv", index=False)
    command = ["compare", tmp_path / "a.csv", "--task", "tag", "--cells", "gru,lstm", "--seeds", 1]
    made = run(*command, "--out", tmp_path / "run", *FLAGS, "--json")
    assert made.code == 0, made.err
    compared = json.loads((tmp_path / "run" / "comparison.json").read_text(encoding="utf-8"))
    assert {row["model"] for row in compared["table"]} == {"gru", "lstm", "window regression", "most frequent label"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "1,0.1,0.2,0.3\n2,0.1,0.3,0.2\n", "This file has one label for each case"),
        (
            "a.ts",
            "@univariate true\n@classLabel true a b\n@data\n1,2,3:a\n2,3,4:b\n",
            "has one label for each case; give a table",
        ),
        ("a.csv", "label,t0,t1,t2\na,1,2,3\nb,2,3,4\n", "needs a step in each row"),
        ("a.csv", "id,at,value\nx,1,2\nx,2,3\ny,1,2\ny,2,5\n", "No column is the label"),
        ("a.csv", "id,at,value,label\nx,1,2,a\nx,2,3,\ny,1,2,\ny,2,5,\n", "No step of the case 'y' has a label"),
    ],
)
def test_files_that_cannot_be_used(name: str, text: str, said: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    answer = run("train", tmp_path / name, "--task", "tag", "--out", tmp_path / "run", *FLAGS)
    assert answer.code == 2 and said in " ".join(answer.err.split()), answer.err
    assert not (tmp_path / "run").exists()


# Pictures


def test_strips_are_boxes_of_their_label() -> None:
    values = np.arange(6.0)[:, None]
    rows = {"true": np.array([0, 0, 1, 1, -1, 0]), "said": np.array([0, 0, 0, 1, 1, 1])}
    figure = strips_figure(values, ["value"], Strips(rows, ["<b>", "b"], 0), first=10)
    line, usual, other = figure.data
    assert line.x.tolist() == [10, 11, 12, 13, 14, 15] and usual.name == "&lt;b&gt;"
    assert usual.x[:6] == (9.5, 11.5, 11.5, 9.5, 9.5, None) and usual.y[:6] == (-0.4, -0.4, 0.4, 0.4, -0.4, None)
    assert len(usual.x) == 6 * 3 and len(other.x) == 6 * 2
    assert other.x[6:11] == (12.5, 15.5, 15.5, 12.5, 12.5) and other.y[6] == 0.6
    assert usual.fillcolor != other.fillcolor and "grey" in figure.layout.meta["reading"]

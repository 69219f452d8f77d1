"""Cases of which each has any number of labels: how they are written, the loss, how good answers are, the verbs."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.multiclass import OneVsRestClassifier

from commands import Run, run_command
from recurra import Classifier
from recurra.data.batch import Batch
from recurra.data.cases import cases_of
from recurra.data.cases.labels import joined, parts
from recurra.errors import ConfigError, DataError
from recurra.nn.models import Output
from recurra.nn.occlusion import less_likely
from recurra.tasks.classify.answers import Guess
from recurra.tasks.classify.kind import KIND
from recurra.tasks.classify.several import LABEL_METRICS, REGRESSION, LabelRegression, labels_statistics
from recurra.tasks.classify.task import LabelsTask

TINY: dict[str, Any] = {"hidden_size": 8, "embedding_size": 12, "epoch_steps": 10, "max_epochs": 3, "last_epochs": 1}
TINY |= {"several": True, "min_count": 1}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items() if name != "several"] + ["--several"]
THINGS = ["house", "tree", "river", "stone", "cloud", "door", "window", "lamp"]
SIGNS = {"wet": "rain", "cold": "snow", "loud": "thunder"}


def weather(count: int, seed: int = 0) -> tuple[list[str], list[list[str]]]:
    """Texts with a word for each of their labels, of which they have none to three."""
    draw = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(count):
        own = [name for name in SIGNS if draw.random() < 0.4]
        words = [*draw.choice(THINGS, 5), *(SIGNS[name] for name in own)]
        draw.shuffle(words)
        texts.append(" ".join(words))
        labels.append(own)
    return texts, labels


def config(**settings: Any) -> Any:
    return Classifier(**TINY | settings)._config()


@pytest.fixture(scope="module")
def forecaster() -> Classifier:
    return Classifier(**TINY | {"max_epochs": 25, "hidden_size": 16}).fit(*weather(300))


# How labels are written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("b|a", "a|b"), ("b; a ;b", "a|b"), ("a", "a"), ("", "|"), (" | ", "|"), (["b", "a", "b"], "a|b"), ([], "|"),
        ([2, 1.0], "1|2"), (3, "3"), ("1.0|2", "1|2"), (None, None), (float("nan"), None), (("x y",), "x y"),
    ],
)  # fmt: skip
def test_several_labels_as_one_text(value: Any, text: str | None) -> None:
    assert joined(value) == text
    if text is not None:
        assert joined(list(parts(text))) == text


def test_labels_of_lists_tables_and_files(tmp_path: Path) -> None:
    texts, labels = weather(40)
    wanted = tuple("|".join(sorted(own)) or "|" for own in labels)
    frame = pd.DataFrame({"text": texts, "labels": ["; ".join(own) for own in labels]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    lines = [json.dumps({"text": text, "labels": own}) for text, own in zip(texts, labels, strict=True)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    held = pd.DataFrame({name: [int(name in own) for own in labels] for name in SIGNS})
    sources: list[Any] = [frame, tmp_path / "a.csv", tmp_path / "a.jsonl", (texts, labels), (texts, held)]
    for source in sources:
        cases = KIND.read(source, config())
        assert cases.several and cases.labels == wanted and cases.texts == tuple(texts)
    numbered = KIND.read((texts, held.to_numpy()), config())
    assert numbered.labels == tuple(
        "|".join(str(n) for n, name in enumerate(SIGNS) if name in own) or "|" for own in labels
    )
    curves = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 5))).add_prefix("t").assign(label=frame["labels"])
    assert KIND.read(curves, config()).labels == wanted


def test_whole_numbers_stay_such() -> None:
    texts, labels = weather(60)
    places = {name: n for n, name in enumerate(SIGNS)}
    model = Classifier(**TINY).fit(texts, [[places[name] for name in own] for own in labels])
    assert model.classes_.tolist() == [0, 1, 2] and model.classes_.dtype.kind == "i"
    assert all(isinstance(one, int) for own in model.predict(texts) for one in own)


# The loss and the metrics


def test_loss_by_hand() -> None:
    draw = np.random.default_rng(0)
    scores, held, counts = draw.normal(size=(5, 3)), draw.random((5, 3)) < 0.4, draw.random(5)
    share = np.array([0.5, 1.0, 1.5])
    soft = 0.8 * held + 0.1
    p = 1 / (1 + np.exp(-scores))
    each = (-share * (soft * np.log(p) + (1 - soft) * np.log(1 - p))).mean(1)
    batch = Batch(
        torch.zeros(5, 1, 1), torch.tensor(held, dtype=torch.float64), others={"weight": torch.tensor(counts)}
    )
    loss = LabelsTask(0.2, torch.tensor(share)).loss(Output(torch.tensor(scores)), batch)
    assert float(loss.mean) == pytest.approx((each * counts).sum() / counts.sum())


def test_metrics_are_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(1)
    truth, named = draw.random((200, 4)) < 0.3, draw.random((200, 4)) < 0.4
    logs = np.log(draw.uniform(0.05, 0.95, (200, 4)))
    found = labels_statistics(truth, Guess(named, logs))
    values = {metric.name: metric.of(found) for metric in LABEL_METRICS}
    p = np.exp(logs)
    assert values["micro_f1"] == pytest.approx(f1_score(truth, named, average="micro"))
    assert values["macro_f1"] == pytest.approx(f1_score(truth, named, average="macro"))
    assert values["exact"] == pytest.approx(accuracy_score(truth, named))
    assert values["log_loss"] == pytest.approx(-np.where(truth, np.log(p), np.log(1 - p)).mean())


def test_fall_of_the_surest_label_by_hand() -> None:
    whole, left = torch.tensor([[1.0, 3.0], [0.0, -2.0]]), torch.tensor([[1.0, 0.0], [-1.0, 5.0]])
    expected = [1 / (1 + np.exp(-3)) - 0.5, 0.5 - 1 / (1 + np.exp(1))]
    np.testing.assert_allclose(less_likely(whole, left), expected, atol=1e-6)


def test_the_row_beside_it_is_that_of_scikit_learn() -> None:
    texts, labels = weather(120)
    prepared = KIND.prepare(cases_of(texts, labels, what="labels"), config(), 0)
    row = KIND.baselines(prepared.config, prepared.learned)[REGRESSION]
    assert isinstance(row, LabelRegression)
    row.fit(prepared)
    answer = row.answer(KIND.encode(cases_of(texts), prepared.learned))
    weighed = TfidfVectorizer(sublinear_tf=True, token_pattern=r"[A-Za-z]+|\S", ngram_range=(1, 2))
    held = np.array([[name in own for name in sorted(SIGNS)] for own in labels]).astype(int)
    model = OneVsRestClassifier(LogisticRegression(C=10, max_iter=1000)).fit(weighed.fit_transform(texts), held)
    np.testing.assert_allclose(
        np.exp(answer.log_probabilities), model.predict_proba(weighed.transform(texts)), atol=1e-3
    )
    again = LabelRegression(prepared.learned)
    again.from_arrays(row.to_arrays())
    np.testing.assert_array_equal(again.answer(KIND.encode(cases_of(texts), prepared.learned)).codes, answer.codes)


# The estimator


def test_every_label_is_found_and_its_word_is_seen_to(forecaster: Classifier, tmp_path: Path) -> None:
    texts, labels = weather(100, seed=1)
    assert forecaster.score(texts, labels) > 0.95
    said = forecaster.predict(texts)
    assert [sorted(own) for own in said][:5] == [sorted(own) for own in labels][:5]
    chances = forecaster.predict_proba(texts)
    assert chances.shape == (100, 3)
    assert [sorted(own) for own in said] == [sorted(forecaster.classes_[row > 0.5]) for row in chances]
    one = forecaster.occlusion_table(["house tree thunder lamp stone"])
    assert one["token"][one["fall"].idxmax()] == "thunder"
    again = Classifier.load(forecaster.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.predict_proba(texts), chances)
    assert any("3 labels: 'cold'" in note for note in forecaster.notes_)
    assert any("have no label" in note for note in forecaster.notes_)


def test_curves_have_several_labels_too() -> None:
    draw = np.random.default_rng(0)
    held = draw.random((160, 2)) < 0.5
    curves = draw.normal(0, 0.1, (160, 40))
    curves[:, 5:10] += 2 * held[:, :1]
    curves[:, 25:30] -= 2 * held[:, 1:]
    labels = [[name for name, there in zip(("up", "down"), row, strict=True) if there] for row in held]
    settings = {name: value for name, value in TINY.items() if name not in ("embedding_size", "min_count")}
    model = Classifier(**settings | {"max_epochs": 20}).fit(curves, labels)
    assert model.score(curves, labels) > 0.9


def test_rare_labels_are_in_every_part() -> None:
    texts, labels = weather(100)
    labels = [[*own, "rare"] if n % 20 == 0 else own for n, own in enumerate(labels)]
    plan = KIND.prepare(cases_of(texts, labels, what="labels"), config(), None).plan
    for part in (plan.train, plan.valid, plan.test):
        assert any("rare" in labels[n] for n in part)


# What is wrong is said


def test_what_is_wrong_is_said(forecaster: Classifier) -> None:
    texts, labels = weather(40)
    with pytest.raises(DataError, match=r"A label is itself a list or table; .* or classify with several=True"):
        Classifier(**TINY | {"several": False}).fit(texts, labels)
    with pytest.raises(ConfigError, match="combine has no effect: it is for classes of which a case has one"):
        Classifier(several=True, combine=True).fit(np.zeros((40, 9)) + np.arange(9), labels)
    with pytest.raises(ConfigError, match="A reservoir is read out to one class"):
        Classifier(several=True, cell="reservoir").fit(np.random.default_rng(0).normal(size=(40, 9)), labels)
    with pytest.raises(DataError, match="None of the cases has a label"):
        Classifier(**TINY).fit(texts, [[] for _ in texts])
    with pytest.raises(DataError, match=re.escape("The label 'a|b' in a list holds '|'")):
        Classifier(**TINY).fit(texts, [["a|b"], *labels[1:]])
    with pytest.raises(DataError, match=r"y has the shape \(40, 2\); give a list of labels"):
        Classifier(**TINY).fit(texts, np.full((40, 2), 0.5))
    with pytest.raises(DataError, match="'stormy', which the training had not"):
        KIND.exam(cases_of(texts, [["stormy"], *labels[1:]], what="labels"), forecaster.fitted_.learned, None)


# The verbs


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *arguments: run_command(capsys, *arguments)


def test_train_predict_evaluate_report_compare(run: Run, tmp_path: Path) -> None:
    texts, labels = weather(80)
    data, folder = tmp_path / "train.csv", tmp_path / "run"
    pd.DataFrame({"label": ["|".join(own) for own in labels], "text": texts}).to_csv(data, index=False)
    done = run("train", data, "--task=classify", "--test-size=20", *FLAGS, f"--out={folder}")
    assert done.code == 0, done.err
    assert all(row in done.out for row in ("most frequent labels", "logistic regression", "this model", "micro-F1"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Label by label" in page and "<mark style=" in page
    judged = run("evaluate", folder, data, "--json")
    assert judged.code == 0 and "micro_f1" in judged.out, judged.err
    answers = tmp_path / "answers.csv"
    assert run("predict", folder, data, f"--out={answers}").code == 0
    table = pd.read_csv(answers, dtype=str, keep_default_na=False)
    assert list(table.columns) == ["case", "label", "p_cold", "p_loud", "p_wet"]
    assert {part for label in table["label"] for part in label.split("|") if part} <= set(SIGNS)
    done = run("predict", folder, data, "--model=logistic_regression", "--json")
    assert done.code == 0 and json.loads(done.out)
    done = run(
        "compare", data, "--task=classify", "--cells=gru", "--attentions=none,additive", "--seeds=1", "--test-size=20",
        *FLAGS, f"--out={tmp_path / 'compared'}",
    )  # fmt: skip
    assert done.code == 0 and "micro-F1" in done.out, done.err

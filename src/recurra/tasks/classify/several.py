"""Cases of which each has any number of labels: the answers, how good they are, and what costs little.

Shapes: N cases, K labels that are known.
"""

from collections.abc import Mapping

import numpy as np
from torch.nn import functional as F

from ...compare.metric import Metric, Statistics
from ...data.cases import Cases
from ...data.cases.labels import BETWEEN, parts
from ...errors import DataError, nearest, plural
from ..base import Baseline, Exam, Fitted, Prepared
from ..cases.baselines import not_held_out
from ..cases.classes import labels_of, sets_of
from ..cases.examples import CaseExamples
from ..cases.looking import predictions
from .answers import Guess
from .learned import ClassifyLearned
from .linear import SupportVectors

SURE = 0.5  # probability from which a label is named
MOST_FREQUENT, REGRESSION = "most frequent labels", "logistic regression"  # rows of the table


def ask_labels(fitted: Fitted, examples: CaseExamples) -> Guess:
    """Name the labels of all ``examples``: those that are more probable than not."""
    scores = predictions(fitted, examples)
    logs = F.logsigmoid(scores).numpy()
    return Guess((scores > 0).numpy(), logs)


def written(held: np.ndarray, classes: tuple[str, ...]) -> list[str]:
    """Return the labels of each case (N, K) as one text, as they stand in files."""
    return [BETWEEN.join(np.array(classes, object)[row]) for row in held.astype(bool)]


def labels_statistics(truth: np.ndarray, guess: Guess) -> Statistics:
    """Return case by case which labels it has and which were named (N, K), and how well that was foreseen."""
    held, named = truth.astype(bool), guess.codes.astype(bool)
    found = {"truth": held, "predicted": named, "correct": (held == named).all(1).astype(float)}
    if guess.log_probabilities is not None:
        logs = guess.log_probabilities
        missing = np.log(-np.expm1(np.minimum(logs, -1e-12)))
        found["log_probability"] = np.where(held, logs, missing).mean(1)
    return found


def labels_exam(cases: Cases, learned: ClassifyLearned, examples: CaseExamples) -> Exam:
    """Return ``examples`` of labelled ``cases``; raises DataError if one has a label that the training had not."""
    labels = labels_of(cases, "to judge by")
    for name, label in zip(cases.names, labels, strict=True):
        strange = next((part for part in parts(label) if part not in learned.classes), None)
        if strange is not None:
            raise DataError(
                f"Case '{name}' has the label '{strange}', which the training had not."
                f"{nearest(strange, learned.classes)} Leave it out, or train with it."
            )
    return Exam(examples, sets_of(labels, learned.classes), f"judged by {len(cases):,} case{plural(len(cases))}")


def precision_recall_f1(truth: np.ndarray, named: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return three numbers per label (K,) of what cases have and what was named (N, K); NaN where nothing is there."""
    right, said, true = (truth & named).sum(0), named.sum(0), truth.sum(0)

    def share(above: np.ndarray, below: np.ndarray) -> np.ndarray:
        return np.divide(above, below, out=np.full(len(right), np.nan), where=below > 0)

    return share(right, said), share(right, true), share(2 * right, said + true)


def _micro_f1(statistics: Statistics) -> float:
    truth, named = statistics["truth"], statistics["predicted"]
    there = float(truth.sum() + named.sum())
    return 2 * float((truth & named).sum()) / there if there else float("nan")


def _macro_f1(statistics: Statistics) -> float:
    f1 = precision_recall_f1(statistics["truth"], statistics["predicted"])[2]
    return float(np.nanmean(f1)) if np.isfinite(f1).any() else float("nan")


def _exact(statistics: Statistics) -> float:
    return float(np.mean(statistics["correct"]))


def _log_loss(statistics: Statistics) -> float:
    return -float(np.mean(statistics["log_probability"]))


LABEL_METRICS = (
    Metric("micro_f1", "micro-F1", "high", _micro_f1, "micro-F1 counts every label of every case alike", True),
    Metric("macro_f1", "macro-F1", "high", _macro_f1, "macro-F1 is the mean of the F1 of each label", True),
    Metric(
        "exact",
        "all right",
        "high",
        _exact,
        "all right is the share of cases of which all labels are named and no other",
        True,
    ),
    Metric("log_loss", "log loss", "low", _log_loss),
)


class FrequentLabels(Baseline):
    """The labels that more than half of the cases have, else the most frequent one."""

    shares: np.ndarray  # (K,)

    def fit(self, prepared: Prepared) -> None:
        """Count the labels."""
        cases = not_held_out(prepared)
        held = sets_of(labels_of(cases, "to learn from"), prepared.learned.classes)
        self.shares = (held.sum(0) + 0.5) / (len(held) + 1)

    def answer(self, examples: CaseExamples) -> Guess:
        """Return the same for every case."""
        named = self.shares >= min(SURE, self.shares.max())
        return Guess(np.tile(named, (len(examples), 1)), np.tile(np.log(self.shares), (len(examples), 1)))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the shares."""
        return {"shares": self.shares}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the shares."""
        self.shares = arrays["shares"]


class LabelRegression(SupportVectors):
    """A logistic regression for each label, on TF-IDF of words and pairs of them."""

    def fit(self, prepared: Prepared) -> None:
        """Learn from all texts that are not held out."""
        from sklearn.linear_model import LogisticRegression

        cases = not_held_out(prepared)
        vectors = self.vectors()
        x = vectors.fit_transform(cases.texts)
        self.grams, self.idf = np.array(vectors.get_feature_names_out(), dtype=object), vectors.idf_
        held = sets_of(labels_of(cases, "to learn from"), self.classes)
        self.weights = np.zeros((x.shape[1], len(self.classes)), np.float32)
        self.bias = np.log((held.sum(0) + 0.5) / (len(held) - held.sum(0) + 0.5))
        for number, column in enumerate(held.T):
            if column.any() and not column.all():
                model = LogisticRegression(C=10, max_iter=1000).fit(x, column)
                self.weights[:, number], self.bias[number] = model.coef_[0], model.intercept_[0]

    def answer(self, examples: CaseExamples) -> Guess:
        """Return the labels and their probabilities."""
        scores = np.asarray(self.counted(examples.cases.texts) @ self.weights, float) + self.bias
        return Guess(scores > 0, -np.logaddexp(0, -scores))


def label_baselines(learned: ClassifyLearned) -> dict[str, Baseline]:
    """Return the baselines by name, not yet fitted."""
    rows: dict[str, Baseline] = {MOST_FREQUENT: FrequentLabels()}
    return rows | ({REGRESSION: LabelRegression(learned)} if learned.reading.layout.vocabulary else {})

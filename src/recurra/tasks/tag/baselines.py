"""Labels that cost little: the most frequent one, and a regression on the values around each step.

Shapes: N cases, R steps of all cases, I inputs, W steps of a window, K labels.
"""

import warnings
from collections.abc import Mapping

import numpy as np

from ..base import Baseline, Prepared
from ..cases.baselines import Shares
from ..cases.sentences import SentenceReading
from .answers import Said
from .examples import TagExamples
from .learned import TagLearned
from .words import Memory, WordRegression

REACH, NUMBERS = 16, 528  # steps to either side that a window has at most, and numbers in it
STEPS = 20_000  # that the regression learns from at most
AT_ONCE = 2**16  # windows in memory at a time
NEVER = -30.0  # the logarithm of the share of a label that no step had


class Majority(Shares):
    """The most frequent label; its probabilities are the shares of the labels in the training steps."""

    def answer(self, examples: TagExamples) -> Said:
        """Return the same for every step."""
        with np.errstate(divide="ignore"):
            logs = np.maximum(np.log(self.shares), NEVER)
        count = len(examples.values)
        return Said(np.full(count, int(self.shares.argmax())), np.broadcast_to(logs, (count, len(logs))))


class WindowRegression(Baseline):
    """Logistic regression on what the network reads of a step and its neighbours: ``softmax(W x + b)``.

    ``x`` are the inputs of up to 16 steps to either side, fewer if there are many channels; beyond an end of the case
    its outermost step stands. It learns from 20,000 steps at most, drawn at random but always the same.
    """

    naive = False
    weight: np.ndarray  # (K, W·I)
    bias: np.ndarray  # (K,)

    def __init__(self, learned: TagLearned):
        inputs = learned.reading.layout.inputs
        self.labels = len(learned.classes)
        self.reach = min(REACH, max(1, (NUMBERS // inputs - 1) // 2))

    def fit(self, prepared: Prepared) -> None:
        """Fit the regression to the training steps."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        examples = prepared.train
        assert isinstance(examples, TagExamples) and examples.targets is not None
        targets = examples.targets.numpy()
        known = np.flatnonzero(targets >= 0)
        if len(known) > STEPS:
            known = np.sort(np.random.default_rng(0).choice(known, STEPS, replace=False))
        found = np.unique(targets[known])
        self.weight = np.zeros((self.labels, (2 * self.reach + 1) * examples.values.shape[1]))
        self.bias = np.full(self.labels, NEVER)
        self.bias[found] = 0.0
        if len(found) < 2:
            return
        model = LogisticRegression(max_iter=200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # near its end it is good enough
            model.fit(self._windows(examples, known), targets[known])
        if len(found) == 2:  # one row of weights then, which says how much the second is ahead
            found = found[1:]
        self.weight[found], self.bias[found] = model.coef_, model.intercept_

    def answer(self, examples: TagExamples) -> Said:
        """Return the label of every step."""
        parts = np.array_split(np.arange(len(examples.values)), -(-len(examples.values) // AT_ONCE))
        scores = np.concatenate([self._windows(examples, part) @ self.weight.T + self.bias for part in parts])
        scores -= scores.max(1, keepdims=True)
        return Said(scores.argmax(1), scores - np.log(np.exp(scores).sum(1, keepdims=True)))

    def _windows(self, examples: TagExamples, rows: np.ndarray) -> np.ndarray:
        """Return the inputs around each of these ``rows`` of all steps (n, W·I)."""
        ends = np.cumsum(examples.cases.lengths)
        case = np.searchsorted(ends, rows, side="right")
        first, last = (ends - examples.cases.lengths)[case], ends[case] - 1
        around = rows[:, None] + np.arange(-self.reach, self.reach + 1)
        around = np.clip(around, first[:, None], last[:, None])
        return examples.values.numpy()[around].reshape(len(rows), -1)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the weights."""
        return {"weight": self.weight, "bias": self.bias}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the weights."""
        self.weight, self.bias = arrays["weight"], arrays["bias"]


def make_baselines(learned: TagLearned) -> dict[str, Baseline]:
    """Return the baselines by name, not yet fitted."""
    if isinstance(learned.reading, SentenceReading):
        rows: dict[str, Baseline] = {"usual label of a word": Memory(), "word regression": WordRegression(learned)}
        return {"most frequent label": Majority()} | rows
    return {"most frequent label": Majority(), "window regression": WindowRegression(learned)}

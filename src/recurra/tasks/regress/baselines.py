"""Numbers that cost little: mean, median, those of the most similar cases, two kinds of ridge regression.

Shapes: N training cases, M cases asked, D values of a case, K targets.
"""

from collections.abc import Mapping

import numpy as np

from ...nn.ridge import Ridge
from ..base import Baseline, Prepared
from ..cases.baselines import not_held_out
from ..cases.convolutions import CONVOLUTIONS, CaseConvolutions
from ..cases.examples import CaseExamples
from ..cases.neighbours import nearest
from ..cases.reading import points
from .answers import Guess
from .learned import RegressLearned
from .numbers import groups_of, numbers_of

NEIGHBOURS = 5


class Constant(Baseline):
    """The same for every case: the mean of the training cases, or their median."""

    value: np.ndarray  # (K,)

    def __init__(self, median: bool):
        self.median = median

    def fit(self, prepared: Prepared) -> None:
        """Take the middle of all cases that are not held out."""
        numbers = numbers_of(not_held_out(prepared), "to learn from")
        self.value = np.median(numbers, 0) if self.median else numbers.mean(0)

    def answer(self, examples: CaseExamples) -> Guess:
        """Return the same for every case."""
        return Guess(np.tile(self.value, (len(examples), 1)), {})

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the value."""
        return {"value": self.value}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the value."""
        self.value = arrays["value"]


class NearestNeighbours(Baseline):
    """The mean of the five training cases at the smallest Euclidean distance, value by value, as ``points`` has them.

    It is not trained at all, so it counts as naive.
    """

    points: np.ndarray  # (N, D)
    numbers: np.ndarray  # (N, K)

    def __init__(self, learned: RegressLearned):
        self.learned = learned

    def fit(self, prepared: Prepared) -> None:
        """Remember all cases that are not held out."""
        cases = not_held_out(prepared)
        self.points, self.numbers = points(cases, self.learned.reading), numbers_of(cases, "to learn from")

    def answer(self, examples: CaseExamples) -> Guess:
        """Return the mean of the nearest cases."""
        asked = points(examples.cases, self.learned.reading)
        return Guess(self.numbers[nearest(asked, self.points, NEIGHBOURS)].mean(1), {})

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the cases."""
        return {"points": self.points, "numbers": self.numbers}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the cases."""
        self.points, self.numbers = arrays["points"], arrays["numbers"]


class RidgeRegression(Baseline):
    """A linear function of the values of a case as ``points`` has them, ``w · x + b`` (Hoerl & Kennard 1970)."""

    naive = False
    weights: np.ndarray  # (D, K)
    bias: np.ndarray  # (K,)

    def __init__(self, learned: RegressLearned):
        self.learned = learned

    def fit(self, prepared: Prepared) -> None:
        """Fit to all cases that are not held out."""
        cases, learned = not_held_out(prepared), self.learned
        scaled = learned.scaled(numbers_of(cases, "to learn from"))
        ridge = Ridge.of(points(cases, learned.reading).astype(float), scaled)
        self.weights, self.bias = ridge.weights, ridge.bias

    def answer(self, examples: CaseExamples) -> Guess:
        """Return what the function says."""
        said = points(examples.cases, self.learned.reading) @ self.weights + self.bias
        return Guess(self.learned.unscaled(said), {})

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the weights."""
        return {"weights": self.weights, "bias": self.bias}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the weights."""
        self.weights, self.bias = arrays["weights"], arrays["bias"]


class Convolutions(CaseConvolutions):
    """Ridge regression from random convolutions to the scaled numbers."""

    def __init__(self, learned: RegressLearned):
        self.learned = learned

    def fit(self, prepared: Prepared) -> None:
        """Learn from all cases that are not held out, or from as many as take a few seconds."""
        numbers = numbers_of(not_held_out(prepared), "to learn from")
        self.learn(prepared, groups_of(numbers), self.learned.scaled(numbers))

    def answer(self, examples: CaseExamples) -> Guess:
        """Return the numbers."""
        return Guess(self.learned.unscaled(self.said(examples)), {})


def make_baselines(learned: RegressLearned) -> dict[str, Baseline]:
    """Return the baselines by name, not yet fitted."""
    return {
        "mean": Constant(median=False),
        "median": Constant(median=True),
        "nearest neighbours": NearestNeighbours(learned),
        "ridge": RidgeRegression(learned),
        CONVOLUTIONS: Convolutions(learned),
    }

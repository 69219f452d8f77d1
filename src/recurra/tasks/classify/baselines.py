"""Classes that cost little: the most frequent one, that of the most similar training case, random convolutions.

Shapes: N training cases, M cases asked, C channels, L steps to which cases are brought, K classes.
"""

from collections.abc import Mapping

import numpy as np

from ..base import Baseline, Prepared
from ..cases.baselines import Shares, not_held_out
from ..cases.classes import codes_of, labels_of
from ..cases.convolutions import CONVOLUTIONS
from ..cases.examples import CaseExamples
from ..cases.neighbours import nearest
from ..cases.reading import Reading, points
from ..cases.text import TextReading
from .answers import Guess
from .convolutions import Convolutions
from .learned import ClassifyLearned
from .linear import BAYES, GRAMS, SVM, GramVectors, NaiveBayes, SupportVectors


class Majority(Shares):
    """The most frequent class; its probabilities are the shares of the classes in the training cases."""

    def answer(self, examples: CaseExamples) -> Guess:
        """Return the same for every case."""
        count = len(examples)
        logs = np.tile(np.log(self.shares), (count, 1))
        return Guess(np.full(count, int(self.shares.argmax())), logs)


class NearestNeighbour(Baseline):
    """The class of the training case at the smallest Euclidean distance, value by value.

    Values are as they came, but each channel divided by its deviation if there are several; gaps are filled in a
    straight line, and cases of another length are stretched to the median one. What decides when a network stops it
    needs not, so it looks among those cases, too. It is not trained at all, so it counts as naive, and it is the usual
    floor of this task: a network that does not beat it is not worth its trouble.
    """

    points: np.ndarray  # (N, L·C)
    codes: np.ndarray  # (N,)

    def __init__(self, learned: ClassifyLearned):
        assert isinstance(learned.reading, Reading)
        self.learned, self.reading = learned, learned.reading

    def fit(self, prepared: Prepared) -> None:
        """Remember all cases that are not held out."""
        cases = not_held_out(prepared)
        self.points = points(cases, self.reading)
        self.codes = codes_of(labels_of(cases, "to learn from"), self.learned.classes)

    def answer(self, examples: CaseExamples) -> Guess:
        """Return the class of the nearest case; of equally near ones, the first."""
        asked = points(examples.cases, self.reading)
        return Guess(self.codes[nearest(asked, self.points)[:, 0]], None)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the cases."""
        return {"points": self.points, "codes": self.codes}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the cases."""
        self.points, self.codes = arrays["points"], arrays["codes"]


def make_baselines(learned: ClassifyLearned) -> dict[str, Baseline]:
    """Return the baselines by name, not yet fitted."""
    if isinstance(learned.reading, TextReading):
        rows = {BAYES: NaiveBayes(learned), SVM: SupportVectors(learned), GRAMS: GramVectors(learned)}
        return {"most frequent class": Majority(), **rows}
    return {
        "most frequent class": Majority(),
        "nearest neighbour": NearestNeighbour(learned),
        CONVOLUTIONS: Convolutions(),
    }

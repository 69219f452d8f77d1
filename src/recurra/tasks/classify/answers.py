"""What a classifier says of cases.

Shapes: N cases, K classes.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...compare.metric import Statistics
from ...data.cases import Cases
from ...data.cases.labels import BETWEEN
from ...errors import DataError, nearest, plural
from ..base import Exam, Fitted
from ..cases.classes import codes_of, labels_of
from ..cases.examples import CaseExamples
from ..cases.looking import predictions
from .learned import ClassifyLearned


class Guess(NamedTuple):
    """What one model said about some cases."""

    codes: np.ndarray  # (N,) the class it named, by its number; bool (N, K) where it named any number of them
    log_probabilities: np.ndarray | None  # (N, K); None of a model that only names

    @property
    def sure(self) -> np.ndarray:
        """How probable what was named is, its logarithm (N,)."""
        assert self.log_probabilities is not None
        return self.log_probabilities[np.arange(len(self.codes)), self.codes]


@dataclass(frozen=True)
class Classes:
    """The classes of some cases."""

    cases: Cases
    classes: tuple[str, ...]
    guess: Guess

    def frame(self) -> pd.DataFrame:
        """Return ``case, label`` and, if the model has them, for every class its probability, ``p_<class>``."""
        codes = self.guess.codes
        if codes.ndim == 2:  # any number of them
            labels = [BETWEEN.join(np.array(self.classes, object)[row]) for row in codes.astype(bool)]
        else:
            labels = [self.classes[code] for code in codes]
        frame = pd.DataFrame({"case": list(self.cases.names), "label": labels})
        if self.guess.log_probabilities is None:
            return frame
        columns = [f"p_{name}" for name in self.classes]
        return pd.concat([frame, pd.DataFrame(np.exp(self.guess.log_probabilities), columns=columns)], axis=1)


def ask_network(fitted: Fitted, examples: CaseExamples) -> Guess:
    """Name the class of all ``examples``."""
    logs = predictions(fitted, examples).log_softmax(-1).numpy()
    return Guess(logs.argmax(1), logs)


def statistics_of(truth: np.ndarray, guess: Guess) -> Statistics:
    """Return case by case whether the guess is right, and how much it gave to the true class."""
    found = {
        "correct": (truth == guess.codes).astype(float),
        "truth": truth,
        "predicted": guess.codes,
    }
    if guess.log_probabilities is not None:
        found["log_probability"] = guess.log_probabilities[np.arange(len(truth)), truth]
    return found


def make_exam(cases: Cases, learned: ClassifyLearned, examples: CaseExamples) -> Exam:
    """Return ``examples`` of labelled ``cases``; raises DataError if a label is missing or strange."""
    labels = labels_of(cases, "to judge by")
    codes = codes_of(labels, learned.classes)
    if (codes < 0).any():
        at = int(np.argmax(codes < 0))
        known = ", ".join(f"'{name}'" for name in learned.classes[:20]) + (", .." if len(learned.classes) > 20 else "")
        raise DataError(
            f"Case '{cases.names[at]}' is of the class '{labels[at]}', which the training had not."
            f"{nearest(labels[at], learned.classes)} The classes are: {known}. Leave such cases out, or train with "
            "them."
        )
    return Exam(examples, codes, f"judged by {len(cases):,} case{plural(len(cases))}")

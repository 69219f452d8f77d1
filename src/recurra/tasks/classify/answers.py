"""What a classifier says of cases, and where it looked.

Shapes: N cases, K classes, n segments.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ...compare.metric import Statistics
from ...data.cases import Cases
from ...errors import ConfigError, DataError, nearest
from ...nn.surroundings import on_its_own
from ..base import Exam, Fitted
from .examples import CaseExamples
from .learned import ClassifyLearned
from .plan import codes_of, labels_of

AT_ONCE = 256  # cases that the network reads at a time: more would only take more memory


class Guess(NamedTuple):
    """What one model said about some cases."""

    codes: np.ndarray  # (N,) the class it named, by its number
    log_probabilities: np.ndarray | None  # (N, K); None of a model that only names


@dataclass(frozen=True)
class Classes:
    """The classes of some cases."""

    cases: Cases
    classes: tuple[str, ...]
    guess: Guess

    def frame(self) -> pd.DataFrame:
        """Return ``case, label`` and, if the model has them, for every class its probability, ``p_<class>``."""
        labels = [self.classes[code] for code in self.guess.codes]
        frame = pd.DataFrame({"case": list(self.cases.names), "label": labels})
        if self.guess.log_probabilities is None:
            return frame
        columns = [f"p_{name}" for name in self.classes]
        return pd.concat([frame, pd.DataFrame(np.exp(self.guess.log_probabilities), columns=columns)], axis=1)


@on_its_own
def ask_network(fitted: Fitted, examples: CaseExamples) -> Guess:
    """Name the class of all ``examples``."""
    network = fitted.network
    network.eval()
    device = next(network.parameters()).device
    scores = []
    with torch.inference_mode():
        for numbers in _by_length(examples):
            scores.append(network(examples.take(numbers).to(device)).prediction.cpu().double())
    logs = torch.cat(scores).log_softmax(-1).numpy()[_back(examples)]
    return Guess(logs.argmax(1), logs)


@on_its_own
def looks(fitted: Fitted, examples: CaseExamples) -> list[np.ndarray]:
    """Return where the network looked in each case: (n,) over its own segments, mean over heads and rows.

    Raises ConfigError if the network does not look.
    """
    network, layout = fitted.network, fitted.learned.layout
    network.eval()
    device = next(network.parameters()).device
    found: list[np.ndarray] = []
    with torch.inference_mode():
        for numbers in torch.arange(len(examples)).split(AT_ONCE):
            weights = network(examples.take(numbers).to(device)).weights
            if weights is None:
                raise ConfigError("This model looks nowhere: it reads out without attention.")
            rows = weights.flatten(1, -2).mean(1).cpu().double().numpy()
            lengths = examples.lengths[numbers].tolist()
            found += [row[: layout.read(steps)] for row, steps in zip(rows, lengths, strict=True)]
    return found


def _by_length(examples: CaseExamples) -> tuple[torch.Tensor, ...]:
    """Return the numbers of all cases, those of about the same length together."""
    return torch.argsort(examples.lengths, stable=True).split(AT_ONCE)


def _back(examples: CaseExamples) -> np.ndarray:
    """Return what brings answers in the order of ``_by_length`` back."""
    return torch.argsort(torch.argsort(examples.lengths, stable=True)).numpy()


def stretches(steps: int, learned: ClassifyLearned) -> list[tuple[int, int]]:
    """Return the first and the last step of every segment of a case of so many ``steps``."""
    layout = learned.layout
    return [(n * layout.hop, min(n * layout.hop + layout.segment, steps) - 1) for n in range(layout.read(steps))]


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
    return Exam(examples, codes, f"judged by {len(cases):,} cases")

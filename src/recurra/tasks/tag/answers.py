"""What a tagger says of the steps of cases.

Shapes: N cases, R steps of all cases, K labels.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ...compare.metric import Statistics
from ...data.cases import Cases
from ...nn.surroundings import on_its_own
from ..base import Exam, Fitted
from ..cases.looking import outputs
from .examples import TagExamples
from .learned import TagLearned
from .marks import marks_of, numbers_of, refuse_strange
from .spans import spans_found

AT_ONCE = 2**16  # steps that the network reads at a time: more would only take more memory


class Said(NamedTuple):
    """What one model said of the steps of some cases."""

    codes: np.ndarray  # (R,) the label it named, by its number
    log_probabilities: np.ndarray | None  # (R, K); None of a model that only names


class Truth(NamedTuple):
    """What the steps of some cases are."""

    codes: np.ndarray  # (R,) the number of the label of each step, below 0 where not known
    lengths: np.ndarray  # (N,)
    labels: int  # K


@dataclass(frozen=True)
class Tags:
    """The labels of the steps of some cases."""

    cases: Cases
    classes: tuple[str, ...]
    said: Said

    def frame(self) -> pd.DataFrame:
        """Return ``case, step, label`` and, if the model has them, for every label its probability, ``p_<label>``.

        Rows are in the order of the table that the cases came in, else by case; steps are counted from 0.
        """
        lengths = self.cases.lengths
        columns = {
            "case": np.repeat(np.array(self.cases.names, dtype=object), lengths),
            "step": np.concatenate([np.arange(steps) for steps in lengths]),
            "label": np.array(self.classes, dtype=object)[self.said.codes],
        }
        if self.said.log_probabilities is not None:
            shares = np.exp(self.said.log_probabilities)
            columns |= {f"p_{name}": shares[:, n] for n, name in enumerate(self.classes)}
        frame = pd.DataFrame(columns)
        if self.cases.rows is None:
            return frame
        return frame.iloc[np.argsort(np.concatenate(self.cases.rows))].reset_index(drop=True)


@on_its_own
def ask_network(fitted: Fitted, examples: TagExamples) -> Said:
    """Name the label of every step."""
    parts = examples.by_length(max(1, AT_ONCE // int(examples.lengths.max())))
    logs = torch.empty(len(examples.values), len(fitted.learned.classes), dtype=torch.float64)
    for numbers, output in zip(parts, outputs(fitted, examples, parts), strict=True):
        rows, mine = examples.rows(numbers)
        logs[rows[mine]] = output.prediction.cpu()[mine].double().log_softmax(-1)
    found = logs.numpy()
    return Said(found.argmax(1), found)


def statistics_of(truth: Truth, said: Said) -> Statistics:
    """Return case by case how many steps and spans of each label there are, were named, and were named rightly.

    Steps whose label is not known are left out, as if they were not there.
    """
    known = truth.codes >= 0
    cases = np.repeat(np.arange(len(truth.lengths)), truth.lengths)[known]
    true, named = truth.codes[known], said.codes[known]
    right = true == named
    size = (len(truth.lengths), truth.labels)

    def counted(labels: np.ndarray, owners: np.ndarray) -> np.ndarray:
        return np.bincount(owners * size[1] + labels, minlength=size[0] * size[1]).reshape(size).astype(float)

    found = {
        "steps": np.bincount(cases, minlength=size[0]).astype(float),
        "right": np.bincount(cases, right, minlength=size[0]),
        "true": counted(true, cases),
        "named": counted(named, cases),
        "hits": counted(true[right], cases[right]),
    }
    for name, (labels, owners) in spans_found(cases, true, named).items():
        found[name] = counted(labels, owners)
    if said.log_probabilities is not None:
        own = said.log_probabilities[known, true]
        found["log_probability"] = np.bincount(cases, own, minlength=size[0])
    return found


def make_exam(cases: Cases, learned: TagLearned, examples: TagExamples) -> Exam:
    """Return ``examples`` of labelled ``cases``; raises DataError if a case has no label, or a strange one."""
    codes = numbers_of(marks_of(cases, "to judge by"), learned.classes)
    refuse_strange(cases, codes, learned.classes)
    steps = int((codes >= 0).sum())
    said = f"judged by {steps:,} steps of {len(cases):,} cases"
    return Exam(examples, Truth(codes, cases.lengths, len(learned.classes)), said)

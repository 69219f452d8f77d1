"""What a tagger says of the steps of cases.

Shapes: N cases, R steps of all cases, T steps of a piece, K labels, W intents.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from ...compare.metric import Statistics
from ...data.cases import Cases
from ...errors import ConfigError, plural
from ...nn.crf import Chain
from ...nn.surroundings import on_its_own
from ..base import Exam, Fitted
from ..cases.looking import outputs
from .examples import TagExamples
from .learned import TagLearned
from .marks import marks_of, numbers_of, refuse_strange
from .schemes import Scheme, entities_found
from .stretches import spans_found

TOKEN = {"token": "text", "start": "start", "end": "end"}  # columns of an answer about a token
NEVER = -700.0  # the logarithm of what a scheme of labels rules out
AT_ONCE = 2**16  # steps that the network reads at a time: more would only take more memory


class Said(NamedTuple):
    """What one model said of the steps of some cases."""

    codes: np.ndarray  # (R,) the label it named, by its number
    log_probabilities: np.ndarray | None  # (R, K); None of a model that only names
    wholes: np.ndarray | None = None  # (N, W) the probability of what each case is as a whole; None if it says nothing


class Scored(NamedTuple):
    """What the network said of some pieces."""

    numbers: torch.Tensor  # (B,) of the pieces
    scores: torch.Tensor  # (B, T, K) of the labels
    wholes: torch.Tensor | None  # (B, T, W) what each step says of its case as a whole


class Truth(NamedTuple):
    """What the steps of some cases are."""

    codes: np.ndarray  # (R,) the number of the label of each step, below 0 where not known
    lengths: np.ndarray  # (N,)
    classes: tuple[str, ...]  # (K,)
    scheme: Scheme | None = None  # of labels that say what is an entity
    wholes: np.ndarray | None = None  # (N,) what each case is as a whole, below 0 where not known

    @property
    def labels(self) -> int:
        """How many labels there are."""
        return len(self.classes)


@dataclass(frozen=True)
class Tags:
    """The labels of the steps of some cases."""

    cases: Cases
    learned: TagLearned
    said: Said

    def frame(self) -> pd.DataFrame:
        """Return ``case, step, label`` and, if the model has them, for every label its probability, ``p_<label>``.

        Of sentences it has the token, where it stands in the text (start, end) and the probability ``p`` of its label
        alone; beside them the intent, if there is one. Rows are in the order of the table that the cases came in, else
        by case; steps are counted from 0.
        """
        lengths, classes = self.cases.lengths, self.learned.classes
        columns: dict[str, Any] = {
            "case": np.repeat(np.array(self.cases.names, dtype=object), lengths),
            "step": np.concatenate([np.arange(steps) for steps in lengths]),
        }
        if self.cases.sentences is not None:
            tokens = [token for sentence in self.cases.sentences for token in sentence.tokens]
            columns |= {name: [getattr(one, part) for one in tokens] for name, part in TOKEN.items()}
        columns["label"] = np.array(classes, dtype=object)[self.said.codes]
        logs = self.said.log_probabilities
        if logs is not None and self.cases.sentences is not None:
            columns["p"] = np.exp(logs[np.arange(len(logs)), self.said.codes])
        elif logs is not None:
            columns |= {f"p_{name}": share for name, share in zip(classes, np.exp(logs).T, strict=True)}
        if self.said.wholes is not None:
            named = np.array(self.learned.intents, dtype=object)[self.said.wholes.argmax(1)]
            columns["intent"] = np.repeat(named, lengths)
        frame = pd.DataFrame(columns)
        if self.cases.rows is None:
            return frame
        return frame.iloc[np.argsort(np.concatenate(self.cases.rows))].reset_index(drop=True)


@on_its_own
def ask_network(fitted: Fitted, examples: TagExamples) -> Said:
    """Name the label of every step: the most probable ones together, if the network has a chain, and else each."""
    return said_in(scored(fitted, examples), fitted, examples)


def scored(fitted: Fitted, examples: TagExamples) -> Iterator[Scored]:
    """Yield what the network says of all pieces, as many of them at a time as fit into memory."""
    parts = examples.by_length(max(1, AT_ONCE // int(examples.lengths.max())))
    for numbers, output in zip(parts, outputs(fitted, examples, parts), strict=True):
        yield Scored(numbers, output.prediction, output.whole)


def said_in(parts: Iterable[Scored], fitted: Fitted, examples: TagExamples) -> Said:
    """Return the labels that all ``parts`` of the examples name."""
    rows, classes = len(examples.values), len(fitted.learned.classes)
    logs, codes = torch.empty(rows, classes, dtype=torch.float64), torch.empty(rows, dtype=torch.int64)
    wholes = torch.zeros(len(examples.cases), len(fitted.learned.intents), dtype=torch.float64)
    chain: Chain | None = fitted.network.chain  # type: ignore[assignment]
    for numbers, predicted, own in parts:
        places, mine = examples.rows(numbers)
        scores = predicted.double()
        mask = examples.places(numbers)[1].to(scores.device)
        if chain is None:
            found = scores.log_softmax(-1)
            named = found.argmax(-1)
        else:
            found, named = chain.probabilities(scores, mask).log().clamp(min=NEVER), chain.best(scores, mask)
        logs[places[mine]], codes[places[mine]] = found.cpu()[mine], named.cpu()[mine]
        if own is not None:
            shares = own.cpu().double().softmax(-1) * mine.unsqueeze(-1)
            wholes.index_add_(0, examples.owner[numbers], shares.sum(1))
    intents = None
    if wholes.shape[1]:
        intents = (wholes / wholes.sum(1, keepdim=True)).numpy()
    return Said(codes.numpy(), logs.numpy(), intents)


@on_its_own
def n_best(fitted: Fitted, examples: TagExamples, count: int) -> list[list[tuple[list[str], float]]]:
    """Return the most probable rows of labels of each case with their probabilities, the best first."""
    chain: Chain | None = fitted.network.chain  # type: ignore[assignment]
    if count < 1:
        raise ConfigError(f"count must be at least 1. Got {count} instead.")
    if chain is None:
        raise ConfigError("This model decides on each label by itself. Train it with crf=True.")
    if len(examples) > len(examples.cases):
        raise ConfigError(
            f"A case is longer than piece={fitted.learned.piece} steps, so it is not decided on together."
        )
    classes, found = fitted.learned.classes, dict[int, list[tuple[list[str], float]]]()
    for numbers, predicted, _ in scored(fitted, examples):
        scores = predicted.double()
        paths, logs = chain.n_best(scores, examples.places(numbers)[1].to(scores.device), count)
        for number, own, sure in zip(numbers.tolist(), paths.cpu(), logs.exp().tolist(), strict=True):
            steps = int(examples.lengths[number])
            rows = [([classes[code] for code in path[:steps].tolist()], p) for path, p in zip(own, sure, strict=True)]
            found[number] = [one for one in rows if one[1] > 0]
    return [found[number] for number in range(len(examples))]


def statistics_of(truth: Truth, said: Said) -> Statistics:
    """Return case by case how many steps and spans of each label there are, were named, and were named rightly.

    Steps whose label is not known are left out, as if they were not there. Where labels say what is an entity, spans
    are entities, and have the types of these.
    """
    known = truth.codes >= 0
    cases = np.repeat(np.arange(len(truth.lengths)), truth.lengths)[known]
    true, named = truth.codes[known], said.codes[known]
    right = true == named
    count = len(truth.lengths)

    def counted(labels: np.ndarray, owners: np.ndarray, kinds: int) -> np.ndarray:
        return np.bincount(owners * kinds + labels, minlength=count * kinds).reshape(count, kinds).astype(float)

    found = {
        "steps": np.bincount(cases, minlength=count).astype(float),
        "right": np.bincount(cases, right, minlength=count),
        "true": counted(true, cases, truth.labels),
        "named": counted(named, cases, truth.labels),
        "hits": counted(true[right], cases[right], truth.labels),
    }
    if truth.scheme is None:
        spans, kinds = spans_found(cases, true, named), truth.labels
    else:
        spans = entities_found(cases, true, named, truth.classes, truth.scheme)
        kinds = len(truth.scheme.types(truth.classes))
    for name, (labels, owners) in spans.items():
        found[name] = counted(labels, owners, kinds)
    if said.log_probabilities is not None:
        own = said.log_probabilities[known, true]
        found["log_probability"] = np.bincount(cases, own, minlength=count)
    if said.wholes is not None and truth.wholes is not None:
        told = truth.wholes >= 0
        found["intents"] = told.astype(float)
        found["intents_right"] = (told & (said.wholes.argmax(1) == truth.wholes)).astype(float)
    return found


def make_exam(cases: Cases, learned: TagLearned, examples: TagExamples) -> Exam:
    """Return ``examples`` of labelled ``cases``; raises DataError if a case has no label, or a strange one."""
    codes = numbers_of(marks_of(cases, "to judge by"), learned.classes)
    refuse_strange(cases, codes, learned.classes)
    steps = int((codes >= 0).sum())
    said = f"judged by {steps:,} step{plural(steps)} of {len(cases):,} case{plural(len(cases))}"
    wholes = learned.wholes(cases)
    truth = Truth(codes, cases.lengths, learned.classes, learned.scheme, None if wholes is None else wholes.numpy())
    return Exam(examples, truth, said)

"""The entities of sentences, where they stand in the text, and how sure the model is of each.

Shapes: R tokens of all sentences, m entities, E entities of a batch, T tokens, K labels.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...data.cases import Cases
from ...errors import ConfigError
from ...nn.crf import Chain
from ...nn.surroundings import on_its_own
from ..base import Fitted
from .answers import Said, Scored, said_in, scored
from .examples import TagExamples
from .learned import TagLearned
from .schemes import Entities, begins_of, entities


@dataclass(frozen=True)
class Spans:
    """The entities of some sentences."""

    cases: Cases
    learned: TagLearned
    found: Entities
    probabilities: np.ndarray  # (m,)

    def frame(self) -> pd.DataFrame:
        """Return ``case, start, end, text, label, p``: characters count from 0, ``end`` is behind the last one."""
        owners, steps = owners_of(self.cases, self.found)
        types = self.learned.scheme.types(self.learned.classes) if self.learned.scheme else ()
        rows = []
        for case, first, kind, size, p in zip(
            owners.tolist(),
            steps.tolist(),
            self.found.kind.tolist(),
            (self.found.behind - self.found.first).tolist(),
            self.probabilities.tolist(),
            strict=True,
        ):
            assert self.cases.sentences is not None
            sentence = self.cases.sentences[case]
            start, end = sentence.tokens[first].start, sentence.tokens[first + size - 1].end
            rows.append((self.cases.names[case], start, end, sentence.text[start:end], types[kind], p))
        return pd.DataFrame(rows, columns=["case", "start", "end", "text", "label", "p"])


def spans_in(cases: Cases, learned: TagLearned, said: Said) -> Entities:
    """Return the entities in what was ``said``; raises ConfigError if labels say nothing of entities."""
    if learned.scheme is None or cases.sentences is None:
        raise ConfigError(
            "The labels of this model are not such as B-PER and I-PER, so they say nothing of entities. Ask for labels."
        )
    return entities(said.codes, begins_of(cases.lengths), learned.classes, learned.scheme)


@on_its_own
def spans_of(fitted: Fitted, examples: TagExamples) -> Spans:
    """Return the entities that the network names, each with its probability; it reads the examples once."""
    parts = list(scored(fitted, examples))
    said = said_in(parts, fitted, examples)
    found = spans_in(examples.cases, fitted.learned, said)
    sure = together(parts, fitted, examples, found, said) if fitted.config.task.crf else independent(found, said)
    return Spans(examples.cases, fitted.learned, found, sure)


@on_its_own
def sureness(fitted: Fitted, cases: Cases, found: Entities, said: Said) -> np.ndarray:
    """Return how probable each entity is (m,) that the network ``found`` in what it ``said`` of ``cases`` before."""
    if not fitted.config.task.crf:
        return independent(found, said)
    examples = TagExamples.cut(cases, fitted.learned)
    return together(scored(fitted, examples), fitted, examples, found, said)


def owners_of(cases: Cases, found: Entities) -> tuple[np.ndarray, np.ndarray]:
    """Return the case of each entity (m,), and the first token of it, counted in its case (m,)."""
    ends = np.cumsum(cases.lengths)
    owners = np.searchsorted(ends, found.first, side="right")
    return owners, found.first - (ends - cases.lengths)[owners]


def independent(found: Entities, said: Said) -> np.ndarray:
    """Return how probable each entity is (m,) if its tokens are answered one by one: the product over them."""
    assert said.log_probabilities is not None
    own = said.log_probabilities[np.arange(len(said.codes)), said.codes]
    before = np.concatenate([[0.0], np.cumsum(own)])
    return np.exp(before[found.behind] - before[found.first])


def together(parts: Iterable[Scored], fitted: Fitted, examples: TagExamples, found: Entities, said: Said) -> np.ndarray:
    """Return how probable each entity is (m,) where all tokens are decided together: exactly so far, and no longer.

    P(tags of its tokens) − P(these, and it goes on), each a sum over all tags of the other tokens.
    """
    probabilities = np.zeros(len(found.first))
    chain: Chain = fitted.network.chain  # type: ignore[assignment]
    goes_on = fitted.learned.continuing()
    for numbers, predicted, _ in parts:
        places, mine = examples.rows(numbers)
        mask, scores = examples.places(numbers)[1], predicted.double()
        for row in range(len(numbers)):
            own = places[row][mine[row]]
            inside = np.flatnonzero((found.first >= int(own[0])) & (found.first <= int(own[-1])))
            if not len(inside):
                continue
            steps, offset = int(mask[row].sum()), int(places[row, 0])
            labels = torch.full((len(inside), steps), -1)
            for n, entity in enumerate(inside.tolist()):
                first, behind = int(found.first[entity]), int(found.behind[entity])
                at = slice(first - offset, min(behind - offset, steps))
                labels[n, at] = torch.from_numpy(said.codes[first : at.stop + offset])
            behind_each = torch.from_numpy(np.minimum(found.behind[inside] - offset, steps))
            probabilities[inside] = _exactly(chain, scores[row, :steps], labels, behind_each, goes_on)
    return probabilities


@torch.no_grad()
def _exactly(chain: Chain, scores: Tensor, labels: Tensor, behind: Tensor, goes_on: np.ndarray) -> np.ndarray:
    """Return the probability (E,) of ``labels`` (E, T), -1 where any will do, less that with one more behind them."""

    def sure_of(some: Tensor) -> Tensor:
        return chain.log_likelihood(scores.expand(len(some), -1, -1), some.to(scores.device), None).exp().cpu()

    sure = sure_of(labels)
    for code in np.unique(goes_on[goes_on >= 0]).tolist():
        last = labels[torch.arange(len(labels)), behind - 1]
        more = (behind < labels.shape[1]) & torch.from_numpy((goes_on[last.numpy()] == code).any(-1))
        if not more.any():
            continue
        longer = labels[more].clone()
        longer[torch.arange(len(longer)), behind[more]] = code
        sure[more] -= sure_of(longer)
    return sure.clamp(0.0, 1.0).numpy()

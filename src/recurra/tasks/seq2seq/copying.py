"""Answers that take units from their text, also such as the network does not know.

A unit that is not known has a number all the same, as long as its text is answered: from V on, in the order in which
such units come in the text. Shapes: B texts, T units read, Q units written, n of them all, V units that are known, X
that are not.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...data.batch import Batch
from ...data.text import UNKNOWN
from ...random import current
from .learned import Side

MARKS = 64  # units of a text that are not known and told apart
LEAST = 1e-20  # what a share is at least, whose logarithm is taken


class Copying(nn.Module):
    """What is written is a unit that is known, or one of the text that the decoder looks at (pointer-generator).

        P(w) = g softmax(W h~)_w + (1 − g) Σ_{i: x_i = w} a_i,   g = σ(v · h~ + b)

    Gulcehre et al. 2016, arXiv 1603.08148; See et al. 2017, arXiv 1704.04368.
    """

    def __init__(self, hidden_size: int):
        super().__init__()
        self.gate = nn.Linear(hidden_size, 1)

    def scores(self, states: Tensor, scores: Tensor, looked: Tensor, copied: Tensor) -> Tensor:
        """Return ``log P`` (B, Q, V + X) of what comes after ``states`` (B, Q, H).

        The vocabulary has ``scores`` (B, Q, V); ``looked`` (B, Q, T) is where the decoder looks, ``copied`` (B, T)
        which units stand there.
        """
        known, own = self._gates(states)
        more = max(0, int(copied.max()) + 1 - scores.shape[-1])
        said = F.pad(torch.exp(scores.log_softmax(-1) + known), (0, more))
        return said.scatter_add(-1, copied.unsqueeze(1).expand_as(looked), looked * own.exp()).clamp_min(LEAST).log()

    def loss(
        self, states: Tensor, scores: Tensor, looked: Tensor, copied: Tensor, wanted: Tensor, smoothing: float
    ) -> Tensor:
        """Return the cross entropy of the units ``wanted`` (n,) after ``states`` (n, H), summed up.

        ``smoothing`` is that of the vocabulary: a share of the loss is ``−1/V Σ_v log softmax(W h~)_v``.
        """
        known, own = self._gates(states)
        logs, size = scores.log_softmax(-1), scores.shape[1]
        said = logs.gather(1, wanted.clamp(max=size - 1).unsqueeze(1)) + known
        said = said.masked_fill((wanted >= size).unsqueeze(1), -torch.inf)
        there = (looked * (copied == wanted.unsqueeze(1))).sum(1, keepdim=True)
        total = -(1 - smoothing) * torch.logaddexp(said, there.clamp_min(LEAST).log() + own).sum()
        return total - smoothing * logs.mean(1).sum() if smoothing else total

    def _gates(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``log g`` and ``log (1 − g)``, (.., 1) each."""
        gate = self.gate(states)
        return F.logsigmoid(gate), F.logsigmoid(-gate)


class Strangers(nn.Module):
    """A vector for each unit of a text that is not known, by which it is told from the others there.

    Which of the vectors it gets is drawn in training, so that they say nothing but that it is this one again (entity
    markers: Hermann et al. 2015, arXiv 1506.03340).
    """

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(MARKS, width) * width**-0.5)

    def forward(self, copied: Tensor, size: int) -> Tensor:
        """Return vectors (B, T, E) for those of the units ``copied`` (B, T) that are not among ``size``, else zeros."""
        own = copied >= size
        places = ranked(copied.masked_fill(~own, -1)) % MARKS
        if self.training:
            lots = torch.rand(len(copied), MARKS, generator=current(copied.device), device=copied.device).argsort(1)
            places = lots.gather(1, places)
        return F.embedding(places, self.weight) * own.unsqueeze(-1)


def ranked(numbers: Tensor) -> Tensor:
    """Return which of the different ``numbers`` of its row each is, (B, T), counted from the smallest one."""
    ordered, places = numbers.sort(1)
    fresh = F.pad(ordered[:, 1:] != ordered[:, :-1], (1, 0)).cumsum(1)
    return torch.empty_like(fresh).scatter(1, places, fresh)


def numbered(read: Sequence[str], said: Sequence[str], side: Side) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the units of a text and of its answer, int64, where those not known have their own.

    The end of either is among them. A unit of the answer that is neither known nor in the text has none.
    """
    own: dict[str, int] = {}
    known = side.vocabulary.numbers
    copied = [known.get(unit) or own.setdefault(unit, side.size + len(own)) for unit in read]
    wanted = [known.get(unit) or own.get(unit, UNKNOWN) for unit in said]
    return np.array([*copied, side.end]), np.array([*wanted, side.end])


def forgetting(batch: Batch, share: float, first: int, size: int) -> Batch:
    """Return a batch in which a ``share`` of the different units of each text is as if it were not known.

    So a network learns to take units from the text which it knows nothing of. Units before ``first`` stay; ``size`` of
    them are known.
    """
    copied = batch["copied"]
    lots = torch.rand(len(batch), size + 1, generator=current(copied.device), device=copied.device) < share
    # What is not in the text cannot be copied from there, and stays what it is.
    lots &= torch.zeros_like(lots).scatter_(1, copied.clamp(max=size), True)
    lots[:, :first], lots[:, size] = False, False
    away = int(copied.max()) + 1
    for plain, own in (("source", "copied"), ("target", "wanted")):
        if own in batch.streams:
            numbers = batch[own]
            gone = lots.gather(1, numbers.clamp(max=size))
            batch = batch.with_values(plain, batch[plain].masked_fill(gone, UNKNOWN))
            batch = batch.with_values(own, torch.where(gone, numbers + away, numbers))
    return batch

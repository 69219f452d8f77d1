"""The network that says of every step which unit it hears, or none, and what it is trained for.

Shapes: B sequences, T steps, n segments of them, V units and their end, Q units of an answer and its end.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...data.batch import Batch
from ...nn.augment import Augmentation
from ...nn.build import make_recurrent
from ...nn.layers import Recurrence, Recurrent
from ...nn.models import Output
from ...random import Dropout
from ...settings import Config
from ...training.task import Loss
from .learned import Seq2seqLearned
from .sequences import SequenceVectors

FIRST = 1  # the number of the unit that comes first in what a step says: there is no padding in it


class Spoken(NamedTuple):
    """What the segments say."""

    logs: Tensor  # (B, n, V - 1), log P of each unit from FIRST on, the end among them, which stands for none
    lengths: Tensor  # (B,), how many segments are real
    read: Recurrence


class CtcNet(nn.Module):
    """Segments, a recurrent stack over them, and of each the probability of every unit and of none.

        P(u | t) = softmax(W h_t + b)_u

    The end of texts, which no segment says, stands for the blank of CTC.
    """

    def __init__(self, embed: SequenceVectors, recurrent: Recurrent, size: int, end: int, dropout: float):
        super().__init__()
        self.embed, self.recurrent, self.blank = embed, recurrent, end - FIRST
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(recurrent.output_size, size - FIRST)

    @classmethod
    def of(cls, config: Config, learned: Seq2seqLearned) -> "CtcNet":
        """Make an untrained network."""
        task, model = config.task, config.model
        source: Any = learned.source
        width = task.embedding_size or model.hidden_size
        read = SequenceVectors(source, width, task.filters, task.input_dropout)
        return cls(read, make_recurrent(model, width), learned.target.size, learned.target.end, model.dropout)

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return log P (B, n, V - 1) of the units of each segment."""
        spoken = self.spoken(batch, record)
        return Output(spoken.logs, None, spoken.read)

    def spoken(self, batch: Batch, record: bool = False) -> Spoken:
        """Return what the segments of a batch say."""
        vectors, mask = self.embed(batch.inputs, batch.mask)
        read = self.recurrent(vectors, mask=mask, record=record)
        count, steps = vectors.shape[:2]
        lengths = torch.full((count,), steps, device=vectors.device) if mask is None else mask.sum(1)
        return Spoken(self.said(read.outputs), lengths, read)

    def said(self, states: Tensor) -> Tensor:
        """Return log P (B, n, V - 1) from what was read (B, n, H)."""
        return self.out(self.dropout(states)).log_softmax(-1)


class CtcTask:
    """The probability of an answer, whichever segments say its units.

        −log Σ_A Π_t P(a_t | t)

    over all A that say it: a unit may go on over several segments, and between two of them may be segments that say
    none, as there must be between two equal ones. Graves et al. 2006, "Connectionist temporal classification".
    Sequences are those of the ``augmentation`` in training.
    """

    def __init__(self, augmentation: Augmentation = Augmentation()):  # noqa: B008  (immutable)
        self.augmentation = augmentation

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Return the loss over all answers, summed up; infinite if one has more units than there are segments."""
        assert isinstance(model, CtcNet) and batch.targets is not None
        spoken = model.spoken(self.augmentation.changed(batch) if model.training else batch)
        lengths = _units(batch) - 1  # the end is not said
        loss = F.ctc_loss(
            spoken.logs.transpose(0, 1), batch.targets - FIRST, spoken.lengths, lengths, model.blank, "sum"
        )
        return Output(loss, None, spoken.read)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss, and of how many units it is, the ends of answers among them."""
        return Loss(output.prediction, _units(batch).sum())


def _units(batch: Batch) -> Tensor:
    """Return how many units each answer has, with its end (B,)."""
    assert batch.targets is not None
    count, longest = batch.targets.shape
    mask = batch.target_mask
    return torch.full((count,), longest, device=batch.targets.device) if mask is None else mask.sum(1)

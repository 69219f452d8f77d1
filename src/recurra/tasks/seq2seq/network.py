"""The network that reads one text and writes another.

Shapes: B texts, T units read, Q units written, E numbers of a unit, H hidden units, V units that are known.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...data.batch import Batch
from ...data.text import PADDING, UNKNOWN
from ...nn.attending import AttendingCell
from ...nn.build import cell_names, make_attention, make_cell, make_recurrent
from ...nn.entropy import total_cross_entropy
from ...nn.layers import Recurrence, Recurrent
from ...nn.models import Output, Writer
from ...random import Dropout
from ...settings import Config
from .copying import Copying, Strangers
from .learned import Seq2seqLearned, Side
from .sequences import SequenceVectors


class Vectors(nn.Module):
    """A learned vector for each unit, of which some numbers are dropped in training."""

    def __init__(self, size: int, width: int, dropout: float):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, width) * width**-0.5)
        with torch.no_grad():
            self.weight[PADDING] = 0.0
        self.dropout = Dropout(dropout)

    def forward(self, units: Tensor) -> Tensor:
        """Return vectors (..., E) of ``units`` (...)."""
        vectors: Tensor = self.dropout(F.embedding(units, self.weight))
        return vectors


class Next(nn.Module):
    """Which unit comes next: ``W P h~ + b``.

    W are the ``vectors`` of the units themselves if they are tied (Press & Wolf 2017, arXiv 1608.05859), and P takes h~
    to their width.
    """

    def __init__(self, size: int, hidden_size: int, vectors: Vectors | None, dropout: float):
        super().__init__()
        self.dropout = Dropout(dropout)
        width = hidden_size if vectors is None else vectors.weight.shape[1]
        self.narrow = nn.Linear(hidden_size, width, bias=False) if width != hidden_size else None
        self.weight = nn.Parameter(torch.randn(size, width) * width**-0.5) if vectors is None else vectors.weight
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, states: Tensor) -> Tensor:
        """Return the scores (..., V) of the units after ``states`` (..., H)."""
        return F.linear(self._ready(states), self.weight, self.bias)

    def loss(self, states: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        """Return the cross entropy of ``targets`` (n,) after ``states`` (n, H), summed up."""
        return total_cross_entropy(self._ready(states), self.weight, self.bias, targets, smoothing)

    def _ready(self, states: Tensor) -> Tensor:
        states = self.dropout(states)
        return states if self.narrow is None else self.narrow(states)


class Seq2seqNet(Writer):
    """Encoder, attending decoder, and what says which unit comes next.

    The answers in a batch are its targets; before the first unit of each the decoder reads ``start``. With ``copies``
    it may also write units of its text.
    """

    def __init__(
        self,
        vectors: tuple[Vectors | SequenceVectors, Vectors],
        recurrent: Recurrent,
        decoder: AttendingCell,
        head: Next,
        start: int,
        copies: bool = False,
    ):
        super().__init__(vectors[0], recurrent, decoder, vectors[1], head)
        self.start = start
        self.copying = Copying(decoder.hidden_size) if copies else None
        self.strangers = Strangers(vectors[1].weight.shape[1]) if copies else None

    @classmethod
    def of(cls, config: Config, learned: Seq2seqLearned) -> "Seq2seqNet":
        """Make an untrained network."""
        task, model = config.task, config.model
        width = task.embedding_size or model.hidden_size
        read: Any = None
        if not isinstance(learned.source, Side):
            read = SequenceVectors(learned.source, width, task.filters, task.input_dropout)
        elif not learned.shared:
            read = Vectors(learned.source.size, width, task.input_dropout)
        said = Vectors(learned.target.size, width, task.input_dropout)
        read = said if read is None else read
        recurrent = make_recurrent(model, width)
        cell = make_cell(cell_names(model)[-1], width, model.hidden_size, model.chrono)
        seen = width if isinstance(read, SequenceVectors) and read.looked_at else recurrent.output_size
        attention = make_attention(model, model.hidden_size, seen)
        decoder = AttendingCell(cell, attention, model.attention_dropout, task.feeding)
        head = Next(learned.target.size, model.hidden_size, said if task.tied else None, model.dropout)
        return cls((read, said), recurrent, decoder, head, learned.target.end, task.copy)

    def forward(self, batch: Batch, record: bool = False) -> Output:  # type: ignore[override]
        """Return the scores (B, Q, V) of the answers' units, each after the right ones before it."""
        assert batch.targets is not None
        read, written = self.written(batch, self.previous(batch.targets), record)
        return Output(self.scores(written.outputs, written.looked, batch.get("copied")), written.weights, read)

    def scores(self, states: Tensor, looked: Tensor | None, copied: Tensor | None) -> Tensor:
        """Return the scores (B, Q, V) of the units after ``states`` (B, Q, H), which ``looked`` there (B, Q, T).

        If units of the text are ``copied`` (B, T), they are scores of those that are not known, too (B, Q, V + X).
        """
        scores: Tensor = self.head(states)
        if self.copying is None or looked is None or copied is None:
            return scores
        return self.copying.scores(states, scores, looked, copied)

    def embedded(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return what the encoder reads of a batch (B, T, E), and which steps of it are real (B, T)."""
        if isinstance(self.embed, SequenceVectors):
            read: tuple[Tensor, Tensor | None] = self.embed(batch.inputs, batch.mask)
            return read
        vectors, mask = super().embedded(batch)
        copied = batch.get("copied")
        if self.strangers is not None and copied is not None:
            vectors = vectors + self.strangers(copied, self.size)
        return vectors, mask

    def steps(self, batch: Batch) -> Tensor:
        """Return how many steps there are to look at for each answer of a batch (B,)."""
        mask = torch.ones(batch.inputs.shape[:2]).bool().to(batch.inputs.device) if batch.mask is None else batch.mask
        return self.embed.counts(mask) if isinstance(self.embed, SequenceVectors) else mask.sum(1)

    def memory(self, vectors: Tensor, read: Recurrence) -> Tensor:
        """Return what can be looked at (B, T, ·): of a picture the cells themselves, so that it is seen where."""
        itself = isinstance(self.embed, SequenceVectors) and self.embed.looked_at
        return vectors if itself else super().memory(vectors, read)

    def engines(self) -> list[str]:
        """Return what runs each layer that reads, and what writes."""
        slow = self.recurrent.engine == "reference"
        return [*self.recurrent.engines(), "reference" if slow else self.decoder.engine()]

    def previous(self, targets: Tensor) -> Tensor:
        """Return what the decoder reads before each of ``targets`` (B, Q)."""
        return F.pad(targets[:, :-1], (1, 0), value=self.start)

    @property
    def size(self) -> int:
        """How many numbers the units of answers have."""
        return len(cast(Vectors, self.target_embed).weight)

    def known(self, units: Tensor) -> Tensor:
        """Return ``units`` as the decoder reads them: those that only their text knows are unknown ones."""
        return units if self.copying is None else units.masked_fill(units >= self.size, UNKNOWN)

    def teach(self, batch: Batch, previous: Tensor, smoothing: float) -> Output:
        """Return the cross entropy of all real units of the answers, summed up: the prediction is a scalar."""
        assert batch.targets is not None
        read, written = self.written(batch, previous)
        real = torch.ones_like(batch.targets, dtype=torch.bool) if batch.target_mask is None else batch.target_mask
        states, head = written.outputs[real], cast(Next, self.head)
        looked = written.looked
        if self.copying is None or looked is None:
            loss = head.loss(states, batch.targets[real], smoothing)
        else:
            copied = batch["copied"].unsqueeze(1).expand_as(looked)
            units = looked[real], copied[real], batch["wanted"][real]
            loss = self.copying.loss(states, head(states), *units, smoothing)
        return Output(loss, written.weights, read)

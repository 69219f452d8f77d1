"""The classifying network: read a case in overlapping segments, look back over all of it, name the class.

Shapes: B cases, T steps, C channels, n segments, H hidden units of all directions, K classes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...data.batch import Batch
from ...data.cases import Cases
from ...nn.layers import Pool, Recurrent, SelfAttention
from ...nn.models import Output
from ...random import Dropout
from ...training.task import Loss
from .settings import ClassifySettings

STEPS = 32  # segments that the recurrent layer reads of a case, about
FINE = 160  # steps of a case that the later filters see, about, if it has more


@dataclass(frozen=True)
class Layout:
    """The sizes that follow from settings and data together."""

    channels: int
    inputs: int  # numbers of a step: the values of all channels and, if asked for, their changes
    classes: int
    segment: int  # steps that are read at a time
    hop: int  # steps from the beginning of one segment to that of the next
    pool: int  # steps of which the later filters see the largest; it divides the segment and the hop
    told: bool  # whether the network is told which values are real
    length: int  # steps of the median training case

    @classmethod
    def of(cls, cases: Cases, settings: ClassifySettings, classes: int) -> "Layout":
        """Choose the sizes for training ``cases``."""
        segment = settings.segment
        lengths = cases.lengths
        length = int(np.median(lengths))
        pool = max(1, round(length / FINE))
        if segment is None:
            segment = 2 * pool * max(1, round(length / pool / STEPS))
        segment = min(segment, int(lengths.max()))
        hop = max(1, segment // 2)
        pool = max(n for n in range(1, pool + 1) if segment % n == hop % n == 0)
        told = bool((lengths != lengths[0]).any()) or any(np.isnan(values).any() for values in cases.values)
        channels = len(cases.channels)
        return cls(channels, channels * (1 + settings.changes), classes, segment, hop, pool, told, length)

    def read(self, steps: int) -> int:
        """Return in how many segments so many ``steps`` are read."""
        return max(0, -(-(steps - self.segment) // self.hop)) + 1


class StepNorm(nn.BatchNorm1d):
    """Batch normalisation of every filter over the steps that are real, of all cases of a batch."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return ``x`` (B, T, F) normalised; what is not real, by ``mask`` (B, T), becomes zero."""
        rows = x.flatten(0, 1) if mask is None else x[mask]
        # A single step has no deviation; there, what was measured before serves.
        measure = self.training and len(rows) > 1
        rows = F.batch_norm(
            rows, self.running_mean, self.running_var, self.weight, self.bias, measure, self.momentum or 0.1, self.eps
        )
        return rows.view_as(x) if mask is None else torch.zeros_like(x).masked_scatter(mask.unsqueeze(-1), rows)


class Filters(nn.Module):
    """Two layers of learned filters, each over a step and its neighbours: ``relu(norm(W * x))``.

    Between them, of every ``pool`` steps the largest is kept. The front of Wang et al., arXiv 1611.06455, but small.
    """

    WIDTHS = (9, 5)  # steps that a filter of each layer covers

    def __init__(self, channels: int, filters: int, pool: int):
        super().__init__()
        sizes = [channels, filters, 2 * filters]
        self.pool, self.output_size = pool, sizes[-1]
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, width, padding="same")
            for before, after, width in zip(sizes, sizes[1:], self.WIDTHS, strict=False)
        )
        self.norms = nn.ModuleList(StepNorm(size) for size in sizes[1:])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return (B, ⌈T / pool⌉, F) for ``x`` (B, T, I); both are zero where a step is not real by ``mask`` (B, T)."""
        first, second = self.layers
        x = self.norms[0](first(x.mT).mT, mask).relu()
        if self.pool > 1:
            x = F.max_pool1d(x.mT, self.pool, ceil_mode=True).mT
            mask = None if mask is None else mask[:, :: self.pool]
        return self.norms[1](second(x.mT).mT, mask).relu()


class Segments(nn.Module):
    """Turn the steps of a case into vectors: one per segment of ``layout.segment`` steps, every ``layout.hop``.

    With ``filters`` a segment is the largest that each filter found in it, ``relu(W max_t f_t)``; without, it is all of
    its values, ``relu(W [x_1; ..; x_s])``.
    """

    def __init__(self, layout: Layout, width: int, filters: int):
        super().__init__()
        self.layout = layout
        size = layout.inputs + (layout.channels if layout.told else 0)
        self.filters = Filters(size, filters, layout.pool) if filters else None
        self.linear = nn.Linear(self.filters.output_size if self.filters else layout.segment * size, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return vectors (B, n, E) of ``x`` (B, T, I) and which are real (B, n), from which steps are (B, T)."""
        size, hop = self.layout.segment, self.layout.hop
        count = self.layout.read(x.shape[1])
        vectors = self.linear(self._read(x, mask, (count - 1) * hop + size)).relu()
        if mask is None:
            return vectors, None
        counts = ((mask.sum(1) - size + hop - 1) // hop).clamp(min=0) + 1
        return vectors, torch.arange(count, device=x.device) < counts.unsqueeze(1)

    def _read(self, x: Tensor, mask: Tensor | None, steps: int) -> Tensor:
        """Return what each segment holds (B, n, ·), after ``x`` was made ``steps`` long."""
        size, hop, pool = self.layout.segment, self.layout.hop, self.layout.pool
        if self.filters is None:
            return F.pad(x, (0, 0, 0, steps - x.shape[1])).unfold(1, size, hop).flatten(2)
        found = self.filters(x, mask)
        # Zero behind the end is never larger than what a filter found.
        found = F.pad(found, (0, 0, 0, steps // pool - found.shape[1]))
        return F.max_pool1d(found.mT, size // pool, hop // pool).mT


class ClassifyNet(nn.Module):
    """Segments, a recurrent stack over them, self-attention if asked for, a read-out, a linear layer to the classes."""

    def __init__(self, embed: Segments, recurrent: Recurrent, among: SelfAttention | None, pool: Pool, dropout: float):
        super().__init__()
        self.layout = embed.layout
        self.embed, self.recurrent, self.among, self.pool = embed, recurrent, among, pool
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(pool.size(recurrent.output_size), embed.layout.classes)

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return the scores (B, K) of ``batch.inputs`` (B, T, C)."""
        x, mask = batch.inputs, batch.mask
        if self.layout.told:
            x = torch.cat([x, batch["known"].to(x.dtype)], -1)
        vectors, mask = self.embed(x, mask)
        read = self.recurrent(vectors, mask=mask, record=record)
        among = None
        if self.among is not None:
            states, among = self.among(read.outputs, mask)
            read = read._replace(outputs=states)
        summary, weights = self.pool(read, mask)
        return Output(self.out(self.dropout(summary)), weights, read, self_weights=among)


class ClassifyTask:
    """Cross entropy with labels smoothed (Szegedy et al., arXiv 1512.00567): ``(1 − s) · label + s / K``.

    With ``weights`` (K,) a case counts as much as its class says.
    """

    def __init__(self, smoothing: float = 0.0, weights: Tensor | None = None):
        self.smoothing, self.weights = smoothing, weights

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model on the cases."""
        return model(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss over all cases."""
        targets = batch.targets
        assert targets is not None
        losses = F.cross_entropy(output.prediction, targets, reduction="none", label_smoothing=self.smoothing)
        if self.weights is None:
            return Loss.over(losses)
        weights = self.weights.to(losses.device)[targets]
        return Loss((losses * weights).sum(), weights.sum())

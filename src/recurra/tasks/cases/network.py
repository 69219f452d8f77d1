"""The network that reads cases: overlapping segments or pictures, a recurrent stack over them, a read-out.

Shapes: B cases, T steps, C channels, n segments, H hidden units of all directions, O numbers that come out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...data.batch import Batch
from ...data.cases import Cases
from ...nn.filters import Branch, Filters
from ...nn.layers import Pool, Recurrent, SelfAttention
from ...nn.letters import LONGEST, Letters
from ...nn.models import Output
from ...nn.pictures import Pictures
from ...nn.words import Words
from ...random import Dropout
from .settings import CaseSettings, PooledSettings

STEPS = 32  # segments that the recurrent layer reads of a case, about
BESIDE = 0.8  # dropout of what stands beside a branch
FINE = 160  # steps of a case that the later filters see, about, if it has more


@dataclass(frozen=True)
class Layout:
    """The sizes that follow from settings and data together."""

    channels: int
    inputs: int  # numbers of a step: the values of all channels and, if asked for, their changes
    segment: int  # steps that are read at a time
    hop: int  # steps from the beginning of one segment to that of the next
    pool: int  # steps of which the later filters see the largest; it divides the segment and the hop
    told: bool  # whether the network is told which values are real
    length: int  # steps of the median training case
    warp: float = 0.0  # augmentation in training: the largest share of a case by which a moment of it is moved
    rescale: float = 0.0  # augmentation in training: the deviation of the factor that values are multiplied by
    disguise: float = 0.0  # augmentation in training: how much sounds are changed
    shape: tuple[int, int, int] | None = None  # channels, height and width, if each step is a picture
    vocabulary: int = 0  # tokens that are known, if each step is one
    pieces: int = 0  # of words, that have vectors of their own
    letters: int = 0  # that are known, if words are also read letter by letter
    embedding: int = 0  # numbers of a token; runs of earlier versions have it in their settings
    hierarchy: bool = False  # whether words are read to sentences, and those to the text

    @classmethod
    def of(cls, cases: Cases, settings: CaseSettings) -> "Layout":
        """Choose the sizes for training ``cases``."""
        segment = settings.segment if isinstance(settings, PooledSettings) else 1  # else each step is answered
        lengths = cases.lengths
        length = int(np.median(lengths))
        channels = len(cases.channels)
        if cases.shape is not None:  # a picture is as much as can be read at a time
            return cls(channels, channels, 1, 1, 1, _have_gaps(cases), length, shape=cases.shape)
        pool = max(1, round(length / FINE))
        if segment is None:
            segment = 2 * pool * max(1, round(length / pool / STEPS))
        segment = min(segment, int(lengths.max()))
        hop = max(1, segment // 2)
        pool = max(n for n in range(1, pool + 1) if segment % n == hop % n == 0)
        told = bool((lengths != lengths[0]).any()) or _have_gaps(cases)
        return cls(channels, channels * (1 + settings.changes), segment, hop, pool, told, length)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Layout":
        """Return a layout from a run, which may be older and hold what is kept elsewhere now."""
        known = {name: plain[name] for name in cls.__dataclass_fields__ if name in plain}
        shape = known.get("shape")
        return cls(**known | {"shape": None if shape is None else tuple(shape)})

    @property
    def width(self) -> int:
        """How many numbers of a step the network reads: the inputs and, if it is told, which values are real."""
        return self.inputs + (self.channels if self.told else 0)

    def joined(self, batch: Batch) -> Tensor:
        """Return what the network reads of a batch (B, T, ``width``)."""
        x = batch.inputs
        return torch.cat([x, batch["known"].to(x.dtype)], -1) if self.told else x

    def read(self, steps: int) -> int:
        """Return in how many segments so many ``steps`` are read."""
        return max(0, -(-(steps - self.segment) // self.hop)) + 1

    def stretches(self, steps: int) -> list[tuple[int, int]]:
        """Return the first and the last step of every segment of a case of so many ``steps``."""
        return [(n * self.hop, min(n * self.hop + self.segment, steps) - 1) for n in range(self.read(steps))]


def _have_gaps(cases: Cases) -> bool:
    return any(np.isnan(values).any() for values in cases.values)


class Segments(nn.Module):
    """Turn the steps of a case into vectors: one per segment of ``layout.segment`` steps, every ``layout.hop``.

    With ``filters`` a segment is the largest that each filter found in it, ``relu(W max_t f_t)``; without, it is all of
    its values, ``relu(W [x_1; ..; x_s])``.
    """

    def __init__(self, layout: Layout, width: int, filters: int):
        super().__init__()
        self.layout = layout
        self.filters = Filters(layout.width, (filters, 2 * filters), layout.pool) if filters else None
        self.linear = nn.Linear(self.filters.output_size if self.filters else layout.segment * layout.width, width)

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
        found = F.pad(found, (0, steps // pool - found.shape[2]))
        return F.max_pool1d(found, size // pool, hop // pool).mT


class Frames(nn.Module):
    """Turn every picture of a case into a vector, ``relu(W f)`` of what filters found in it, or of its pixels."""

    def __init__(self, layout: Layout, width: int, filters: int):
        super().__init__()
        self.layout = layout
        assert layout.shape is not None
        colours, *sides = layout.shape
        self.shape = (colours * (1 + layout.told), *sides)
        self.filters = Pictures((self.shape[0], self.shape[1], self.shape[2]), filters) if filters else nn.Flatten()
        size = self.filters.output_size if isinstance(self.filters, Pictures) else layout.channels * (1 + layout.told)
        self.linear = nn.Linear(size, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return vectors (B, T, E) of ``x`` (B, T, I), and ``mask`` (B, T), of which frames are real, as it is."""
        pictures = x.flatten(0, 1) if mask is None else x[mask]  # what is not real is not even looked at
        found = self.linear(self.filters(pictures.view(-1, *self.shape))).relu()
        if mask is None:
            return found.view(*x.shape[:2], -1), None
        return found.new_zeros(*mask.shape, found.shape[1]).masked_scatter(mask.unsqueeze(-1), found), mask


class Tokens(nn.Module):
    """Turn every token of a text into a vector: what it is by itself and, with ``letters``, how it is written."""

    def __init__(self, layout: Layout, words: Words, letters: Letters | None = None):
        super().__init__()
        self.layout, self.words, self.letters = layout, words, letters
        self.output_size = words.output_size + (letters.output_size if letters else 0)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return vectors (B, T, E) of ``x`` (B, T, I), and ``mask`` (B, T), of which tokens are real, as it is."""
        x = x.long()
        if self.letters is None:
            return self.words(x), mask
        own = x.shape[-1] - LONGEST  # the number of the word and those of its pieces come first
        return torch.cat([self.words(x[..., :own]), self.letters(x[..., own:], mask)], -1), mask


class CaseNet(nn.Module):
    """Segments or frames, a recurrent stack, a read-out of ``sizes[0]`` numbers, and a linear layer to ``sizes[1]``.

    Segments look ``among`` each other, where that is asked for, before the read-out. Without a ``pool`` every segment
    is answered by itself. What a convolutional ``branch`` finds in the steps is laid beside the read-out, of which most
    is dropped in training then, as in an LSTM-FCN: what learns fast would leave nothing for the branch to learn.
    """

    def __init__(
        self,
        embed: Segments | Frames | Tokens,
        recurrent: Recurrent,
        pool: Pool | None,
        sizes: tuple[int, int],
        dropout: float,
        among: SelfAttention | None = None,
        branch: Branch | None = None,
    ):
        super().__init__()
        self.layout = embed.layout
        self.embed, self.recurrent, self.among, self.pool, self.branch = embed, recurrent, among, pool, branch
        self.dropout = Dropout(max(dropout, BESIDE) if branch else dropout)
        self.out = nn.Linear(*sizes)

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return the answers (B, O), or (B, n, O) without a pool, to ``batch.inputs`` (B, T, I)."""
        x, mask = self.layout.joined(batch), batch.mask
        beside = None if self.branch is None else self.branch(x, mask)
        vectors, mask = self.embed(x, mask)
        read = self.recurrent(vectors, mask=mask, record=record)
        among = None
        if self.among is not None:
            states, among = self.among(read.outputs, mask)
            read = read._replace(outputs=states)
        if self.pool is None:
            said, whole = self.answered(self.dropout(read.outputs), mask)
            return Output(said, recurrence=read, self_weights=among, whole=whole)
        summary, weights = self.pool(read, mask)
        summary = self.dropout(summary)
        if beside is not None:
            summary = torch.cat([summary, beside], -1)
        return Output(self.out(summary), weights, read, self_weights=among)

    def answered(self, states: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return what is said of each step (B, n, O) and of the whole, which is nothing; ``states`` are (B, n, H)."""
        return self.out(states), None

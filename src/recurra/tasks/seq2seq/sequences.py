"""What is read where it is no text: sounds, series and other sequences of numbers.

Shapes: N cases, T_i steps of case i, C channels; B cases of a batch, n segments, E numbers of a segment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ...data.cases import Cases
from ...errors import ConfigError
from ...nn.augment import Augmentation
from ...nn.disguise import Disguise
from ...random import Dropout
from ..cases.network import Layout, Segments
from ..cases.reading import Reading
from .settings import Seq2seqSettings

ENOUGH = 0.99  # share of the cases that have as many segments as their targets need
HEARD = 8  # moments of a sound that are read at a time, 10 ms from one to the next


class Picture(NamedTuple):
    """What is shown of a sequence."""

    values: np.ndarray  # (T, C)
    channels: tuple[str, ...]
    unit: float  # how long a step is
    middles: np.ndarray  # (n,), where the middle of each segment is
    timed: bool  # whether it is seconds by which is counted


@dataclass(frozen=True, eq=False)
class Sequences:
    """How sequences of numbers are read: their scale, and how many steps at a time."""

    reading: Reading

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequences):
            return NotImplemented
        (plain, scales), (others, other_scales) = self.to_plain(), other.to_plain()
        return plain == others and all(np.array_equal(scales[name], other_scales[name]) for name in scales)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of(cls, cases: Cases, settings: Seq2seqSettings, least: Sequence[int] | None = None) -> "Sequences":
        """Learn the scale of ``cases``; if each needs at ``least`` so many segments (N,), they are chosen so small."""
        channels, lengths = len(cases.channels), cases.lengths
        usual = HEARD if cases.rate is not None else 1
        if least is not None:
            usual = _fitting(usual, lengths, np.array(least))
        segment = min(settings.segment or usual, int(lengths.max()))
        hop = max(1, segment // 2)
        pool = 2 if hop % 2 == segment % 2 == 0 else 1
        layout = Layout(channels, channels, segment, hop, pool, told=False, length=int(np.median(lengths)))
        layout = replace(layout, disguise=_disguised(cases, settings.disguise))
        return cls(Reading.plain(cases, layout, "series"))

    def encode(self, cases: Cases) -> tuple[np.ndarray, np.ndarray]:
        """Return all ``cases`` scaled, one behind the other, float32 (Σ T_i, C), and how long each is (N,).

        Raises DataError if they are not like those of the training.
        """
        encoded = self.reading.encoded(self.reading.with_channels(cases))
        return encoded.values.numpy(), encoded.lengths.numpy()

    def steps(self, length: int) -> int:
        """Return how many steps the encoder makes of so many."""
        return self.reading.layout.read(length)

    def labels(self, length: int) -> list[str]:
        """Return what each step of the encoder is called: when it begins, in seconds where that is known."""
        firsts = [first for first, _ in self.reading.layout.stretches(length)]
        seconds = self.reading.seconds
        return [f"{first * seconds:.2f} s" if seconds else str(first + 1) for first in firsts]

    @property
    def augmentation(self) -> Augmentation:
        """What training does to sequences."""
        strength, scale = self.reading.layout.disguise, self.reading.scale
        if not strength or scale is None:
            return Augmentation()
        mean, std = (torch.from_numpy(one) for one in scale)
        return Augmentation(disguise=Disguise(strength, mean, std, None))

    def picture(self, steps: np.ndarray) -> Picture:
        """Return encoded ``steps`` (T, C) as they came, and when the segments that are read of them begin and end."""
        reading, unit = self.reading, self.reading.seconds or 1.0
        mean, std = reading.scale or (0.0, 1.0)
        middles = [(first + last + 1) / 2 * unit for first, last in reading.layout.stretches(len(steps))]
        return Picture(steps * std + mean, reading.channels, unit, np.array(middles), reading.seconds is not None)

    def to_plain(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return it as JSON values and arrays."""
        return self.reading.to_plain()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "Sequences":
        """Return what ``to_plain`` wrote."""
        return cls(Reading.from_plain(plain, arrays))


class SequenceVectors(nn.Module):
    """Turn the steps of sequences into vectors, one per segment, some numbers of which are dropped in training."""

    def __init__(self, side: Sequences, width: int, filters: int, dropout: float):
        super().__init__()
        self.segments = Segments(side.reading.layout, width, filters)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return vectors (B, n, E) of ``x`` (B, T, C), and which are real (B, n), from which steps are (B, T)."""
        vectors, mask = self.segments(x, mask)
        return self.dropout(vectors), mask


def _fitting(segment: int, lengths: np.ndarray, least: np.ndarray) -> int:
    """Return ``segment``, halved until nearly all cases of such ``lengths`` (N,) have at ``least`` so many (N,)."""
    while segment > 1:
        hop = max(1, segment // 2)
        if np.mean(np.maximum(0, -(-(lengths - segment) // hop)) + 1 >= least) >= ENOUGH:
            break
        segment //= 2
    return segment


def _disguised(cases: Cases, given: float | None) -> float:
    """Return how much sequences are disguised; raises ConfigError if they are to be, but are no sounds."""
    if cases.rate is None:
        if given:
            raise ConfigError(f"disguise={given:g} is for sounds, and these sequences are none: leave it out.")
        return 0.0
    return 1.0 if given is None else given

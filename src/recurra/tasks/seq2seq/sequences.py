"""What is read where it is no text: sounds, series and other sequences of numbers, and pictures.

Shapes: N cases, T_i steps of case i, C channels; B cases of a batch, n segments, frames or cells, E numbers of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ...data.cases import Cases
from ...data.cases.stills import coloured
from ...errors import DataError
from ...nn.augment import Augmentation
from ...nn.disguise import Disguise
from ...nn.pictures import Cells, Grid
from ...random import Dropout
from ..cases.network import Frames, Layout, Segments
from ..cases.reading import Reading
from .settings import Seq2seqSettings

ENOUGH = 0.99  # share of the cases that have as many segments as their targets need
HEARD = 8  # moments of a sound that are read at a time, 10 ms from one to the next


def are_pictures(cases: Cases) -> bool:
    """Tell whether all ``cases`` are single pictures."""
    return cases.shape is not None and bool((cases.lengths == 1).all())


class Picture(NamedTuple):
    """What is shown of a sequence."""

    values: np.ndarray  # (T, C)
    channels: tuple[str, ...]
    unit: float  # how long a step is
    middles: np.ndarray  # (n,), where the middle of each segment is
    timed: bool  # whether it is seconds by which is counted


@dataclass(frozen=True, eq=False)
class Sequences:
    """How sequences of numbers are read: their scale, how many steps at a time, and the cells of pictures."""

    reading: Reading
    cells: Cells | None = None  # of a picture, where each case is one
    featured: bool = False  # whether what is known of each cell are features that another network found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequences):
            return NotImplemented
        (plain, scales), (others, other_scales) = self.to_plain(), other.to_plain()
        return plain == others and all(np.array_equal(scales[name], other_scales[name]) for name in scales)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of(cls, cases: Cases, settings: Seq2seqSettings, least: Sequence[int] | None = None) -> "Sequences":
        """Learn the scale of ``cases``; if each needs at ``least`` so many segments (N,), they are chosen so small."""
        channels, lengths, shape = len(cases.channels), cases.lengths, cases.shape
        usual = HEARD if cases.rate is not None else 1
        if least is not None:
            usual = _fitting(usual, lengths, np.array(least))
        segment = 1 if shape else min(settings.segment or usual, int(lengths.max()))
        hop = max(1, segment // 2)
        pool = 2 if hop % 2 == segment % 2 == 0 else 1
        layout = Layout(channels, channels, segment, hop, pool, told=False, length=int(np.median(lengths)), shape=shape)
        layout = replace(layout, disguise=settings.disguised(cases))
        return cls(Reading.plain(cases, layout, "series"), _cells_of(cases, settings.grid), cases.featured)

    @property
    def reads(self) -> str:
        """What arrays are, as the setting says it."""
        if self.cells is None:
            return "sequences"
        return "features" if self.featured else "pictures"

    def encode(self, cases: Cases) -> tuple[np.ndarray, np.ndarray]:
        """Return all ``cases`` scaled, one behind the other, float32 (Σ T_i, C), and how long each is (N,).

        Raises DataError if they are not like those of the training.
        """
        cases = cases if self.cells is None else self._like_the_training(cases)
        encoded = self.reading.encoded(self.reading.with_channels(cases))
        return encoded.values.numpy(), encoded.lengths.numpy()

    def _like_the_training(self, cases: Cases) -> Cases:
        """Return pictures with the colours of the training; raises DataError if they are of another size."""
        shape = self.reading.layout.shape
        assert shape is not None
        if self.featured:
            return _features_like(cases, shape)
        known = f"pictures of {shape[1]} x {shape[2]} pixels and {shape[0]} colour(s)"
        if cases.shape is None or cases.featured or not are_pictures(cases):
            raise DataError(f"The model was trained on {known}, and these are no single pictures: give it pictures.")
        if cases.shape == (1, *shape[1:]):
            values = tuple(coloured(one, shape[0]) for one in cases.values)
            return replace(cases, values=values, shape=shape, channels=self.reading.channels)
        if cases.shape != shape:
            raise DataError(
                f"The model was trained on {known}, and these are of {cases.shape[1]} x {cases.shape[2]} pixels and "
                f"{cases.shape[0]} colour(s): bring them to the same."
            )
        return cases

    def pictured(self, values: np.ndarray) -> np.ndarray:
        """Return what ``encode`` made of one picture (1, C) as its pixels again (H, W, colours).

        Where features are known and no pixels, it is how large they are in each place, (H, W, 1).
        """
        shape, scale = self.reading.layout.shape, self.reading.scale
        assert shape is not None and scale is not None
        if self.featured:
            sizes: np.ndarray = np.sqrt(np.square(values[0].reshape(shape)).mean(0))[..., None]
            return sizes / (sizes.max() or 1.0)
        pixels: np.ndarray = np.moveaxis((values[0] * scale[1] + scale[0]).reshape(shape), 0, 2)
        return pixels

    def steps(self, length: int) -> int:
        """Return how many steps the encoder makes of so many."""
        return self.reading.layout.read(length) if self.cells is None else self.cells.number

    def labels(self, length: int) -> list[str]:
        """Return what each step of the encoder is called: when it begins, in seconds where that is known, or where."""
        if self.cells is not None:
            rows, columns = (range(1, count + 1) for count in self.cells[:2])
            return [f"row {row}, column {column}" for row in rows for column in columns]
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
        plain, arrays = self.reading.to_plain()
        cells = None if self.cells is None else list(self.cells)
        return plain | {"cells": cells, "featured": self.featured}, arrays

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "Sequences":
        """Return what ``to_plain`` wrote."""
        cells = plain.get("cells")
        reading = Reading.from_plain(plain, arrays)
        return cls(reading, None if cells is None else Cells(*cells), plain.get("featured", False))


def _cells_of(cases: Cases, most: int) -> Cells | None:
    """Return the cells of pictures, each place of features is one; None for others."""
    if cases.shape is None or not are_pictures(cases):
        return None
    return Cells(*cases.shape[1:], 1, 1) if cases.featured else Cells.of(cases.shape, most)


def _features_like(cases: Cases, shape: tuple[int, int, int]) -> Cases:
    """Return ``cases``; raises DataError if they are no features of this ``shape`` (F, rows, columns)."""
    known = f"{shape[0]:,} features for each of {shape[1]} x {shape[2]} places"
    if cases.shape is None or not cases.featured:
        raise DataError(f"The model was trained on {known}, and these are no features: give it features.")
    if cases.shape != shape:
        raise DataError(
            f"The model was trained on {known}, and these are {cases.shape[0]:,} for each of {cases.shape[1]} x "
            f"{cases.shape[2]}: bring them to the same."
        )
    return cases


class SequenceVectors(nn.Module):
    """Turn sequences into vectors, one per segment, frame or cell; some numbers are dropped in training."""

    def __init__(self, side: Sequences, width: int, filters: int, dropout: float):
        super().__init__()
        layout = side.reading.layout
        self.layout, self.shape, self.cells = layout, layout.shape, side.cells
        self.segments: nn.Module
        if layout.shape is None:
            self.segments = Segments(layout, width, filters)
        elif side.cells is None:
            self.segments = Frames(layout, width, filters)
        else:
            self.segments = Grid(layout.shape, side.cells, 0 if side.featured else filters, width)
        self.dropout = Dropout(dropout)

    @property
    def looked_at(self) -> bool:
        """Whether the vectors themselves are looked at, and not what the encoder made of them on its way."""
        return isinstance(self.segments, Grid)

    def counts(self, mask: Tensor) -> Tensor:
        """Return how many vectors are real of each sequence (B,), from which steps are (B, T)."""
        if self.cells is not None:
            return torch.full_like(mask[:, 0], self.cells.number, dtype=torch.long)
        layout, lengths = self.layout, mask.sum(1)
        return ((lengths - layout.segment + layout.hop - 1) // layout.hop).clamp(min=0) + 1

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return vectors (B, n, E) of ``x`` (B, T, C), and which are real (B, n), from which steps are (B, T)."""
        if isinstance(self.segments, Grid):
            assert self.shape is not None
            return self.dropout(self.segments(x.view(-1, *self.shape))), None
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

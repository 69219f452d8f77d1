"""A long text as examples: many readers go over it, each with its own place, and none of them forgets.

Shapes: L units of the text, B readers, T units that each of them reads at a time, N chunks of T units.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...data.batch import Batch
from .learned import LanguageLearned


@dataclass(frozen=True)
class Chunks:
    """A text in chunks, of which each example is one: its units, and as targets those that come next.

    Reader b begins ⌈N / B⌉ chunks behind reader b − 1, and all take the next chunk at every step, so what one of them
    remembers is what stood before. Before the first unit stands the end of a line.
    """

    units: tuple[str, ...]
    numbers: Tensor  # (1 + L,), the start before them
    steps: int  # T

    @classmethod
    def of(cls, text: str, learned: LanguageLearned) -> "Chunks":
        """Cut a text into units."""
        units = learned.units(text)
        return cls(tuple(units), torch.cat([torch.tensor([learned.start]), learned.encode(units)]), learned.steps)

    def __len__(self) -> int:
        chunks, rest = divmod(len(self.units), self.steps)
        return chunks + bool(rest)

    def order(self, size: int, first: int, count: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield the chunks of ``size`` readers, from training step ``first`` on."""
        each = -(-len(self) // size)
        begin = torch.arange(size) * each
        return ((begin + step) % (size * each) for step in range(first, first + count))

    def take(self, numbers: Tensor) -> Batch:
        """Return the chunks with these ``numbers`` (B,); of one behind the end nothing is real."""
        places = numbers.unsqueeze(1) * self.steps + torch.arange(self.steps)
        real = places < len(self.units)
        places = places.clamp(max=len(self.units) - 1)
        return Batch(self.numbers[places], self.numbers[places + 1], real, real)

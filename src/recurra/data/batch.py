"""Tensors that cross boundaries by name.

Shapes: B batch, T steps, I inputs.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ConfigError


class Stream(NamedTuple):
    """One kind of numbers for every example of a batch, and which of them are real."""

    values: Tensor  # (B, ...)
    mask: Tensor | None = None  # True where a value is real, of as many dimensions as are needed; None: all are


class Batch:
    """What a model reads and what it should have said: streams by name, each with its own mask.

    ``inputs``, (B, T, I) numbers or (B, T) symbols, are the stream "source", and ``mask`` (B, T) says which steps
    are real. ``targets`` are the stream "target", and ``target_mask`` says which are known. ``others`` are what
    only some tasks know, such as what does not change over time or is known ahead.
    ``carried`` are tensors (B, ...) that the batch before handed on.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor | None = None,
        mask: Tensor | None = None,
        target_mask: Tensor | None = None,
        others: Mapping[str, Stream | Tensor] | None = None,
        carried: tuple[Tensor, ...] = (),
    ):
        self.carried = carried
        self.streams = {"source": Stream(inputs, mask)}
        if targets is not None:
            self.streams["target"] = Stream(targets, target_mask)
        for name, stream in (others or {}).items():
            if name in ("source", "target"):
                raise ConfigError(f"The stream '{name}' of a batch is given as its inputs or targets, not by name.")
            self.streams[name] = stream if isinstance(stream, Stream) else Stream(stream)

    @property
    def inputs(self) -> Tensor:
        """What is read: the values of the stream "source"."""
        return self.streams["source"].values

    @property
    def mask(self) -> Tensor | None:
        """Where a step that is read is real; None means everywhere."""
        return self.streams["source"].mask

    @property
    def targets(self) -> Tensor | None:
        """What the task compares with: the values of the stream "target"; None if there is nothing to compare."""
        return self.get("target")

    @property
    def target_mask(self) -> Tensor | None:
        """Where a target is known; None means everywhere."""
        return self.streams["target"].mask if "target" in self.streams else None

    def __len__(self) -> int:
        return self.inputs.shape[0]

    def __getitem__(self, name: str) -> Tensor:
        """Return the values of a stream. Raises ConfigError that lists the streams if there is none of this name."""
        if name not in self.streams:
            raise ConfigError(f"The batch has no stream '{name}'. It has: {', '.join(self.streams)}.")
        return self.streams[name].values

    def get(self, name: str) -> Tensor | None:
        """Return the values of a stream, or None if there is none of this name."""
        return self.streams[name].values if name in self.streams else None

    def with_values(self, name: str, values: Tensor) -> "Batch":
        """Return the batch with other values in one stream, a new one if need be; its mask stays."""
        old = self.streams.get(name, Stream(values))
        return _made(self.streams | {name: old._replace(values=values)}, self.carried)

    def with_carried(self, carried: tuple[Tensor, ...]) -> "Batch":
        """Return the batch with what the one before handed on."""
        return _made(self.streams, carried)

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device."""
        return self._each(lambda tensor: tensor.to(device))

    def rows(self, numbers: Tensor) -> "Batch":
        """Return the batch of the examples with these ``numbers`` alone."""
        return self._each(lambda tensor: tensor[numbers])

    def _each(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        streams = {
            name: Stream(function(values), None if mask is None else function(mask))
            for name, (values, mask) in self.streams.items()
        }
        return _made(streams, tuple(map(function, self.carried)))


def _made(streams: dict[str, Stream], carried: tuple[Tensor, ...]) -> Batch:
    batch = Batch.__new__(Batch)
    batch.streams, batch.carried = streams, carried
    return batch

"""What a task is to the training loop: examples by number, a way to ask the model, and a loss."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..nn.loss import Loss
from ..nn.models import Output


class Examples(Protocol):
    """Examples that can be taken by their numbers."""

    def __len__(self) -> int: ...

    def take(self, numbers: Tensor) -> Batch:
        """Return the examples with these ``numbers`` (B,)."""
        ...


@runtime_checkable
class Ordered(Protocol):
    """Examples that decide in which order they are seen; others are shuffled anew for every pass."""

    def order(self, size: int, first: int, count: int, generator: torch.Generator) -> Iterable[Tensor]:
        """Return the numbers (B,) of each of ``count`` batches, of ``size`` or fewer, from training step ``first`` on.

        What is random in it comes from ``generator``, which is the same whenever the same epoch is trained.
        For validation the first ⌈N / size⌉ batches are asked for: together they should hold all N examples.
        """
        ...


@runtime_checkable
class Unequal(Protocol):
    """Examples of unequal lengths: the loop takes those of about one length together, as padding costs time."""

    @property
    def lengths(self) -> Tensor:
        """How many steps each example has (N,)."""
        ...


class Task(Protocol):
    """What is asked of a model."""

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model as this task trains it.

        ``batch.carried`` is what the output of the batch before had as ``carried``, and empty for the first one.
        """
        ...

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss of a batch: its sum, and how many values, tokens or sequences it is over."""
        ...


class Memorised:
    """Examples that are one batch in memory."""

    def __init__(self, batch: Batch):
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch)

    def take(self, numbers: Tensor) -> Batch:
        """Return the examples with these ``numbers``."""
        return self.batch.rows(numbers)


__all__ = ["Examples", "Loss", "Memorised", "Ordered", "Task", "Unequal"]

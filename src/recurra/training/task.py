"""What a task is to the training loop: examples by number, a way to ask the model, and a loss."""

from typing import Protocol

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


class Task(Protocol):
    """What is asked of a model."""

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model as this task trains it."""
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


__all__ = ["Examples", "Loss", "Memorised", "Task"]

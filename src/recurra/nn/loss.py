"""What a loss is: a sum, and how much was summed."""

from typing import NamedTuple

import torch
from torch import Tensor


class Loss(NamedTuple):
    """The loss of a batch as its sum over values, tokens or sequences, and how many of them were counted.

    A batch with more of them weighs more in the mean over many batches: ``Σ sum / Σ count``.
    """

    sum: Tensor  # a scalar
    count: Tensor | float  # type: ignore[assignment]  # a tuple has a method of this name

    @property
    def mean(self) -> Tensor:
        """Return ``sum / count``; zero, with a gradient, where nothing was counted."""
        count = self.count
        if isinstance(count, Tensor):
            return self.sum / torch.where(count > 0, count, 1)
        return self.sum / (count or 1)

    @staticmethod
    def over(values: Tensor, mask: Tensor | None = None) -> "Loss":
        """Return the loss over all ``values``, or over those where ``mask`` is True."""
        if mask is None:
            return Loss(values.sum(), values.numel())
        mask = mask.expand_as(values)
        return Loss(torch.where(mask, values, 0.0).sum(), mask.sum())

    @staticmethod
    def weighted(values: Tensor, weights: Tensor | None) -> "Loss":
        """Return the loss over all ``values``, each of which counts as much as its weight; all alike without any."""
        return Loss.over(values) if weights is None else Loss((values * weights).sum(), weights.sum())

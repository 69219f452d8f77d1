"""Numbers for sequences by an echo state network.

Shapes: B cases, F features, K targets, P parameters of the head for each.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...nn.heads import Head
from ...settings import Config
from ..cases.network import Layout
from ..cases.reservoir import Known, ReservoirNet


class NumberReservoir(ReservoirNet):
    """``V z + b`` are the numbers, and the head's parameters lie around each as far as validation cases were missed."""

    spread: Tensor

    def __init__(self, config: Config, layout: Layout, targets: int, head: Head):
        super().__init__(config, layout, targets)
        self.head = head
        self.register_buffer("spread", torch.zeros(targets, head.size, dtype=torch.float64))

    def said(self, features: Tensor) -> Tensor:
        """Return the head's parameters (B, K · P), target by target, of ``features`` (B, F)."""
        return (self.out(features).unsqueeze(-1) + self.spread).flatten(1)

    def goals(self, targets: Tensor) -> Tensor:
        """Return the numbers themselves (B, K)."""
        return targets.double()

    def adapt(self, valid: Known, loss: Callable[[Known], float]) -> float:
        """Take the quantiles of what was missed; return the loss with them."""
        self.settle((self.goals(valid.targets) - self.out(valid.x)).cpu().numpy())
        return loss(valid)

    def settle(self, missed: np.ndarray) -> None:
        """Take the quantiles of what was ``missed`` (N, K), further out as they are those of a finite sample.

        Of all cases, each left out, they are more, and none of them has chosen the reservoir by itself.
        """
        for number, quantile in enumerate(self.head.quantiles):
            # The number that is regressed stays the median, between the ends.
            low, high = -np.inf if quantile < 0.5 else 0.0, np.inf if quantile > 0.5 else 0.0
            level = np.clip(0.5 + (quantile - 0.5) * (1 + 1 / len(missed)), 0, 1)
            self.spread[:, number] = torch.from_numpy(np.quantile(missed, level, axis=0).clip(low, high))

"""What a network that goes step by step reads: values with what is known of them, and covariates.

Shapes: B windows, L look-back, H horizon, C channels, I numbers read a step, K numbers known ahead, Z that never
change, N drivers.
"""

import torch
from torch import Tensor, nn

from ...data.batch import Batch
from .gaps import FilledColumns, age, last_seen
from .layout import Layout


def known(batch: Batch) -> Tensor:
    """Return 1 where an input is known and 0 where it is not: (B, L, C)."""
    observed = batch.get("observed")
    return torch.ones_like(batch.inputs) if observed is None else observed.to(batch.inputs.dtype)


def told(batch: Batch, layout: Layout) -> list[Tensor]:
    """Return what is read of each value, (B, L, C) each: itself, whether it is known, how long ago it was."""
    x, observed = batch.inputs, batch.get("observed")
    parts = [x, known(batch), torch.zeros_like(x) if observed is None else age(last_seen(observed)).to(x.dtype)]
    return parts[: layout.told]


class Steps(nn.Module):
    """What stands at each step: of the past all that is known of it, ahead what is known beforehand."""

    def __init__(self, layout: Layout):
        super().__init__()
        self.layout = layout
        self.known = FilledColumns(layout.known, layout.known_holes, layout.gaps)
        self.past = FilledColumns(layout.past, layout.past_holes, layout.gaps)

    @property
    def read_width(self) -> int:
        """How many numbers are read at each step of the past: I."""
        layout = self.layout
        values = layout.channels * layout.told
        return values + sum(self.known.widths) + sum(self.past.widths) + sum(layout.static)

    @property
    def ahead_width(self) -> int:
        """How many numbers are known at each step to come: K + Z."""
        return sum(self.known.widths) + sum(self.layout.static)

    @property
    def drivers(self) -> int:
        """How many drivers there are, N: all columns that change, or the series itself without any."""
        return sum(self.known.widths) + sum(self.past.widths) or self.layout.channels

    def forward(self, batch: Batch) -> Tensor:
        """Return what is read at each step of the past: (B, L, I)."""
        layout, parts = self.layout, told(batch, self.layout)
        if layout.covariates:
            static = batch["static"].unsqueeze(1).expand(-1, layout.lookback, -1)
            parts += [self.known(batch["known"])[:, : layout.lookback], self.past(batch["past"]), static]
        return torch.cat(parts, -1)

    def ahead(self, batch: Batch) -> Tensor:
        """Return what is known at each step to come: (B, H, K + Z)."""
        layout = self.layout
        if not layout.covariates:
            return batch.inputs.new_zeros(len(batch), layout.horizon, 0)
        static = batch["static"].unsqueeze(1).expand(-1, layout.horizon, -1)
        return torch.cat([self.known(batch["known"])[:, layout.lookback :], static], -1)

    def driving(self, batch: Batch) -> Tensor:
        """Return the drivers (B, L, N): those that are known ahead reach up to the last step that is forecast."""
        if not (self.layout.known or self.layout.past):
            return batch.inputs
        return torch.cat([self.known(batch["known"])[:, self.layout.horizon :], self.past(batch["past"])], -1)

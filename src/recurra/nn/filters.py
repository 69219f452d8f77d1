"""Learned filters over neighbouring steps, normalised over the steps that are real.

Shapes: B batch, T steps, I inputs, F filters.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StepNorm(nn.BatchNorm1d):
    """Batch normalisation of every filter over the steps that are real, of all sequences of a batch."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return ``x`` (B, F, T) normalised; what is not real, by ``mask`` (B, T), becomes zero."""
        if mask is None:
            return self._normalised(x, x.shape[0] * x.shape[2])
        rows = x.mT[mask]
        rows = self._normalised(rows, len(rows))
        return torch.zeros_like(x.mT).masked_scatter(mask.unsqueeze(-1), rows).mT

    def _normalised(self, x: Tensor, steps: int) -> Tensor:
        # A single step has no deviation; there, what was measured before serves.
        measure = self.training and steps > 1
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, measure, self.momentum or 0.1, self.eps
        )


class Filters(nn.Module):
    """Layers of learned filters, each over a step and its neighbours: ``relu(norm(W * x))``.

    ``sizes`` says how many filters each layer has. Behind the first one, of every ``pool`` steps the largest is kept.
    The layers of Wang et al., arXiv 1611.06455.
    """

    WIDTHS = (9, 5, 3)  # steps that a filter of each layer covers

    def __init__(self, channels: int, sizes: Sequence[int], pool: int):
        super().__init__()
        self.pool, self.output_size = pool, sizes[-1]
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, width, padding="same")
            for before, after, width in zip((channels, *sizes), sizes, self.WIDTHS, strict=False)
        )
        self.norms = nn.ModuleList(StepNorm(size) for size in sizes)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return (B, F, ⌈T / pool⌉) for ``x`` (B, T, I); both are zero where a step is not real by ``mask`` (B, T)."""
        x = x.mT
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            x = norm(layer(x), mask).relu()
            if number == 0 and self.pool > 1:
                x = F.max_pool1d(x, self.pool, ceil_mode=True)
                mask = self.kept(mask)
        return x

    def kept(self, mask: Tensor | None) -> Tensor | None:
        """Return which steps of what comes out are real (B, ⌈T / pool⌉), from which of the sequence are (B, T)."""
        return None if mask is None else mask[:, :: self.pool]


class Branch(nn.Module):
    """Three layers of filters and their mean over all steps: what stands beside the recurrence in an LSTM-FCN.

    The layers have F, 2F and F filters. Karim et al. 2018, arXiv 1709.05206.
    """

    def __init__(self, channels: int, filters: int, pool: int):
        super().__init__()
        self.filters = Filters(channels, (filters, 2 * filters, filters), pool)
        self.output_size = filters

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return (B, F) for ``x`` (B, T, I), over the steps that are real by ``mask`` (B, T)."""
        found, kept = self.filters(x, mask), self.filters.kept(mask)
        return found.mean(2) if kept is None else found.sum(2) / kept.sum(1, keepdim=True)

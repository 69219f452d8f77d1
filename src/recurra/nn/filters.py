"""Learned filters over neighbouring steps, normalised over the steps that are real.

Shapes: B batch, T steps, I inputs, F filters.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StepNorm(nn.BatchNorm1d):
    """Batch normalisation of every filter over the steps that are real, of all sequences of a batch."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return ``x`` (B, T, F) normalised; what is not real, by ``mask`` (B, T), becomes zero."""
        rows = x.flatten(0, 1) if mask is None else x[mask]
        # A single step has no deviation; there, what was measured before serves.
        measure = self.training and len(rows) > 1
        rows = F.batch_norm(
            rows, self.running_mean, self.running_var, self.weight, self.bias, measure, self.momentum or 0.1, self.eps
        )
        return rows.view_as(x) if mask is None else torch.zeros_like(x).masked_scatter(mask.unsqueeze(-1), rows)


class Filters(nn.Module):
    """Two layers of learned filters, each over a step and its neighbours: ``relu(norm(W * x))``.

    Between them, of every ``pool`` steps the largest is kept. The front of Wang et al., arXiv 1611.06455, but small.
    """

    WIDTHS = (9, 5)  # steps that a filter of each layer covers

    def __init__(self, channels: int, filters: int, pool: int):
        super().__init__()
        sizes = [channels, filters, 2 * filters]
        self.pool, self.output_size = pool, sizes[-1]
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, width, padding="same")
            for before, after, width in zip(sizes, sizes[1:], self.WIDTHS, strict=False)
        )
        self.norms = nn.ModuleList(StepNorm(size) for size in sizes[1:])

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return (B, ⌈T / pool⌉, F) for ``x`` (B, T, I); both are zero where a step is not real by ``mask`` (B, T)."""
        first, second = self.layers
        x = self.norms[0](first(x.mT).mT, mask).relu()
        if self.pool > 1:
            x = F.max_pool1d(x.mT, self.pool, ceil_mode=True).mT
            mask = None if mask is None else mask[:, :: self.pool]
        return self.norms[1](second(x.mT).mT, mask).relu()

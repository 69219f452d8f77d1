"""What a network that goes step by step reads: values with what is known of them, and covariates.

Shapes: B windows, L look-back, H horizon, C channels, I numbers read a step, K numbers known ahead, Z that never
change.
"""

import torch
from torch import Tensor

from ...data.batch import Batch
from .layout import Layout


def known(batch: Batch) -> Tensor:
    """Return 1 where an input is known and 0 where it is not: (B, L, C)."""
    observed = batch.get("observed")
    return torch.ones_like(batch.inputs) if observed is None else observed.to(batch.inputs.dtype)


def read_width(layout: Layout) -> int:
    """Return how many numbers are read at each step of the past: I."""
    values = layout.channels * (2 if layout.missing else 1)
    return values + sum(layout.known) + sum(layout.past) + sum(layout.static)


def read_steps(batch: Batch, layout: Layout) -> Tensor:
    """Return what is read at each step of the past: (B, L, I)."""
    parts = [batch.inputs, known(batch)] if layout.missing else [batch.inputs]
    if layout.covariates:
        static = batch["static"].unsqueeze(1).expand(-1, layout.lookback, -1)
        parts += [batch["known"][:, : layout.lookback], batch["past"], static]
    return torch.cat(parts, -1)


def ahead_width(layout: Layout) -> int:
    """Return how many numbers are known at each step to come: K + Z."""
    return sum(layout.known) + sum(layout.static)


def steps_ahead(batch: Batch, layout: Layout) -> Tensor:
    """Return what is known at each step to come: (B, H, K + Z)."""
    if not layout.covariates:
        return batch.inputs.new_zeros(len(batch), layout.horizon, 0)
    static = batch["static"].unsqueeze(1).expand(-1, layout.horizon, -1)
    return torch.cat([batch["known"][:, layout.lookback :], static], -1)

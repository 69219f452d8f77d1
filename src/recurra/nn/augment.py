"""Training examples that are a little different each time they are seen.

Shapes: B batch, T steps, I inputs.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.batch import Batch
from ..random import current
from .disguise import Disguise


class Augmentation(NamedTuple):
    """What is done to sequences of numbers before each training step; nothing by default.

    ``disguise``: sounds are those of another voice, microphone and room.
    ``warp``: in each a moment, drawn at random, comes earlier or later by up to this share of the sequence, what lies
    before is stretched or squeezed and what lies behind the other way round (window warping, Le Guennec et al. 2016);
    the ends stay where they are, as what begins or ends a sequence may be what tells it apart. ``rescale``: each is
    multiplied by a factor drawn from ``N(1, rescale²)`` (Um et al. 2017, arXiv 1706.00527).
    """

    warp: float = 0.0
    rescale: float = 0.0
    disguise: Disguise | None = None

    def changed(self, batch: Batch) -> Batch:
        """Return ``batch`` with other inputs (B, T, I) and, if it has it, another stream "known" (B, T, ·)."""
        if self.disguise is not None:
            batch = self.disguise.changed(batch)
        if self.warp:
            batch = warped(batch, self.warp)
        if self.rescale:
            x = batch.inputs
            batch = batch.with_values("source", x * (1 + self.rescale * _drawn(torch.randn, x)[:, :, None]))
        return batch


def warped(batch: Batch, most: float) -> Batch:
    """Return ``batch`` with a moment of every sequence moved by up to a share ``most`` of it.

    With a time from 0 to 1, what is new at p was at q: ``p ~ U(0.1, 0.9)``, ``q − p ~ U(−most, most)``, but no further
    than half-way to an end. In between, time goes in straight lines.
    """
    x, mask = batch.inputs, batch.mask
    steps = torch.arange(x.shape[1], device=x.device)
    last = x.new_full((len(x), 1), x.shape[1] - 1) if mask is None else mask.sum(1, keepdim=True).to(x.dtype) - 1
    new = 0.1 + 0.8 * _drawn(torch.rand, x)
    furthest = torch.minimum(new, 1 - new) / 2
    old = new + (most * (2 * _drawn(torch.rand, x) - 1)).clamp(-furthest, furthest)
    # Step t of the new sequence is read at this place of the old one.
    time = torch.minimum(steps.to(x.dtype), last) / last.clamp(min=1)
    place = last * torch.where(time <= new, time * old / new, 1 - (1 - time) * (1 - old) / (1 - new))
    before = place.floor().long()
    after = torch.minimum(before + 1, last.long())
    share = (place - before).unsqueeze(-1)
    new = torch.lerp(_at(x, before), _at(x, after), share)
    batch = batch.with_values("source", new if mask is None else new * mask.unsqueeze(-1))
    if "known" not in batch.streams:
        return batch
    known = _at(batch["known"], torch.where(share[..., 0] < 0.5, before, after))
    return batch.with_values("known", known if mask is None else known & mask.unsqueeze(-1))


def _drawn(draw: Callable[..., Tensor], x: Tensor) -> Tensor:
    """Return one random number for each sequence (B, 1)."""
    return draw(len(x), 1, generator=current(x.device), device=x.device, dtype=x.dtype)


def _at(values: Tensor, steps: Tensor) -> Tensor:
    """Return ``values`` (B, T, I) at ``steps`` (B, T) of each sequence."""
    return values.gather(1, steps.unsqueeze(-1).expand(-1, -1, values.shape[2]))

"""Training sounds that are said by another throat each time, heard by another microphone, in another room.

Shapes: B sounds, T steps, C bands.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.batch import Batch
from ..data.sound import RANGE
from ..random import current

THROAT = 0.1  # largest share by which frequencies are stretched or pressed
MICROPHONE = 5.0  # dB: deviation of what a microphone adds at each of the places
ROOM = 25.0  # dB: how far the noise of a room rises above the quietest that is heard, at most
COLOUR = 5.0  # dB: deviation of that noise at each of the places
PLACES = 4  # of the spectrum, between which lines are straight


class Disguise(NamedTuple):
    """What is done to log-mel features before each training step, by a ``strength`` s of which 1 is the usual one.

    Each sound has a u from U(0, 1), a v from U(-1, 1) and lines g and n of its own over the bands b:

        throat       y_t(b) ← y_t(b (1 + 0.1 s v)), in straight lines from band to band
        microphone   y_t(b) ← y_t(b) + g(b), in straight lines between 4 values of N(0, (5 s)²) dB
        room         y_t(b) ← max(y_t(b), 25 s u − 50 + n(b)) dB below the loudest, n as g

    after the second of which the loudest is as loud as before. After "Vocal tract length perturbation", Jaitly &
    Hinton, ICML workshop 2013, and "FilterAugment", Nam et al., arXiv 2110.03282. What a network reads are dB less a
    ``mean`` (C,), divided by a deviation ``std`` (C,), and if it reads them, the changes of that from step to step,
    divided by ``change`` (C,).
    """

    strength: float
    mean: Tensor
    std: Tensor
    change: Tensor | None

    def changed(self, batch: Batch) -> Batch:
        """Return ``batch`` with other inputs (B, T, C or 2C)."""
        x, mask = batch.inputs, batch.mask
        mean, std = self.mean.to(x), self.std.to(x)
        heard = x[..., : len(mean)] * std + mean
        y = stretched(heard, THROAT * self.strength)
        y = y + _lines(y, MICROPHONE * self.strength)
        y = y + _loudest(heard, mask) - _loudest(y, mask)
        noise = ROOM * self.strength * _uniform(y) - RANGE + _lines(y, COLOUR * self.strength)
        new = (torch.maximum(y, noise) - mean) / std
        if self.change is not None:
            new = torch.cat([new, torch.diff(new, dim=1, prepend=new[:, :1]) / self.change.to(x)], -1)
        return batch.with_values("source", new if mask is None else new * mask.unsqueeze(-1))


def stretched(y: Tensor, most: float) -> Tensor:
    """Return ``y`` (B, T, C), its bands read faster or slower by a share up to ``most``; behind the last it stays."""
    last = y.shape[2] - 1
    place = torch.arange(last + 1, device=y.device) * (1 + most * (2 * _uniform(y)[:, 0] - 1))
    before = place.floor().long().clamp(max=last)
    after = (before + 1).clamp(max=last)
    low, high = (y.gather(2, one.unsqueeze(1).expand_as(y)) for one in (before, after))
    return torch.lerp(low, high, (place - before).unsqueeze(1))


def _loudest(y: Tensor, mask: Tensor | None) -> Tensor:
    """Return the largest value of each sound (B, 1, 1) in steps that are real."""
    real = y if mask is None else y.masked_fill(~mask.unsqueeze(-1), -torch.inf)
    return real.amax((1, 2), keepdim=True)


def _uniform(y: Tensor) -> Tensor:
    """Return a number between 0 and 1 for each sound (B, 1, 1)."""
    return torch.rand(len(y), 1, 1, generator=current(y.device), device=y.device, dtype=y.dtype)


def _lines(y: Tensor, deviation: float) -> Tensor:
    """Return a line over the bands for each sound (B, 1, C), straight between a few random values."""
    values = torch.randn(len(y), 1, PLACES, generator=current(y.device), device=y.device, dtype=y.dtype)
    return deviation * F.interpolate(values, size=y.shape[2], mode="linear", align_corners=True)

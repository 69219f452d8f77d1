"""What a network reads where values are missing: when each was last seen, and what stands in its place.

Shapes: B windows, T steps, C channels; ``observed`` (B, T, C) is true where a value is known.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn


def last_seen(observed: Tensor) -> Tensor:
    """Return δ (B, T, C), how many steps before each step its channel was last seen.

        δ_1 = 0,  δ_t = 1 + δ_{t−1} if the value at t − 1 is missing, else 1

    Che et al. 2018, https://arxiv.org/abs/1606.01865, where time goes in steps; a window begins as if just seen.
    """
    steps = _steps(observed)
    last = torch.where(observed, steps, 0).cummax(1).values
    return steps - torch.cat([torch.zeros_like(last[:, :1]), last[:, :-1]], 1)


def age(delta: Tensor) -> Tensor:
    """Return ``1 − 1 / √δ``: 0 for what was seen a step ago, near 1 for what was seen long ago."""
    return 1 - delta.clamp(min=1).to(torch.get_default_dtype()).rsqrt()


def carried(x: Tensor, observed: Tensor, before: Tensor) -> Tensor:
    """Return ``x`` (B, T, C) with the last known value where it is missing; ``before`` (B, 1, C) until there is one."""
    last = torch.where(observed, _steps(observed), -1).cummax(1).values
    return torch.where(last < 0, before, x.gather(1, last.clamp(min=0)))


def _steps(observed: Tensor) -> Tensor:
    return torch.arange(observed.shape[1], device=observed.device).view(1, -1, 1)


class InputDecay(nn.Module):
    """Missing values that fade from the last one to the mean, as in the GRU-D.

        x̂_t = m_t x_t + (1 − m_t) (γ_t x_last + (1 − γ_t) x̄),  γ_t = exp(−max(0, w δ_t + b))

    m is 1 where x is known, x_last what was known last, x̄ the mean of the training, which is zero, as values are
    standardised and without their season; w and b are learned, one of each channel. Che et al. 2018,
    https://arxiv.org/abs/1606.01865, equations 5 and 10 with a diagonal W.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), 0.1))  # of its own sign nothing would be learned at zero
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, observed: Tensor, before: Tensor) -> Tensor:
        """Return x̂ (B, T, C); ``before`` (B, 1, C) is x_last until a value is known."""
        kept = torch.exp(-(self.weight * last_seen(observed) + self.bias).relu())
        return torch.where(observed, x, kept * carried(x, observed, before))


class FilledColumns(nn.Module):
    """Covariates of one sort: what is read of each column that had holes in training, as ``how`` says.

    ``mask``: zero, whether it is missing, and how long ago it was seen. ``decay``: the same, with what fades in the
    place of zero. ``fill``: the last value alone. ``""``, as runs had it before: zero, and whether it is missing.
    """

    def __init__(self, widths: Sequence[int], holes: Sequence[bool], how: str):
        super().__init__()
        self.ends = [0, *accumulate(widths)]
        self.holes = [how != "" and hole for hole in (holes or [False] * len(widths))]
        self.how, more = how, -1 if how == "fill" else 1
        self.widths = tuple(width + more * hole for width, hole in zip(widths, self.holes, strict=True))
        self.decays = nn.ModuleDict(
            {str(n): InputDecay(width - 1) for n, width in enumerate(widths) if self.holes[n] and how == "decay"}
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (B, T, ·), in which the last number of a column with holes says where it is missing, filled."""
        if not any(self.holes):
            return x
        return torch.cat([self._column(n, x[..., a:b]) for n, (a, b) in enumerate(pairwise(self.ends))], -1)

    def _column(self, n: int, x: Tensor) -> Tensor:
        if not self.holes[n]:
            return x
        values, missing = x[..., :-1], x[..., -1:]
        observed = (missing == 0).expand_as(values)
        nothing = torch.zeros_like(values[:, :1])
        if self.how == "fill":
            return carried(values, observed, nothing)
        if self.how == "decay":
            values = self.decays[str(n)](values, observed, nothing)
        return torch.cat([values, missing, age(last_seen(missing == 0))], -1)

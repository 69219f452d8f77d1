"""What a prediction is: numbers that say a value, a loss for them, and what can be read from them.

Shapes: ``params`` (..., P) with P parameters per predicted value; ``target``, ``mask`` (...).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import ConfigError, pick
from .distributions import normal_quantile, student_quantile


class Head(ABC):
    """The meaning of the last layer's numbers."""

    size: int  # P, numbers per predicted value
    quantiles: tuple[float, ...] = ()  # the quantiles that ``quantile`` can answer, none by default
    plain: bool = True  # whether the first of the numbers is the point, just as it is

    @abstractmethod
    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every predicted value, of the shape of ``target``."""

    @abstractmethod
    def point(self, params: Tensor) -> Tensor:
        """Return the single best value (...)."""

    def shift(self, params: Tensor, offset: Tensor) -> Tensor:
        """Move the prediction by ``offset`` (...)."""
        return params + offset.unsqueeze(-1)

    def stretch(self, params: Tensor, unit: Tensor) -> Tensor:
        """Return the prediction in units that are so much smaller: what was said in ``unit`` (a scalar)."""
        return params * unit

    def interval(self, params: Tensor) -> Tensor:
        """Return the values of ``quantiles`` (..., K) in rising order."""
        raise ConfigError(f"{type(self).__name__} predicts one value without an interval. Use loss='quantile'.")


class AbsoluteHead(Head):
    """One value under the absolute error ``|y − p|``: the median."""

    size = 1

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        return (params[..., 0] - target).abs()

    def point(self, params: Tensor) -> Tensor:
        return params[..., 0]


class SquaredHead(Head):
    """One value under the squared error ``(y − p)²``: the mean."""

    size = 1

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        return (params[..., 0] - target).square()

    def point(self, params: Tensor) -> Tensor:
        return params[..., 0]


class HuberHead(Head):
    """One value under Huber's error: ``d²/2`` where ``d = |y − p| ≤ 1``, ``d − 1/2`` beyond (Huber 1964)."""

    size = 1

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(params[..., 0], target, reduction="none")

    def point(self, params: Tensor) -> Tensor:
        return params[..., 0]


class QuantileHead(Head):
    """The median and the two ends of every central interval, under the pinball loss (Koenker & Bassett 1978).

    ``L = 2 Σ_q w_q max(q (y − p_q), (q − 1)(y − p_q))`` with ``w = 1`` for the median, whose share is
    ``|y − p|``, and ``w = 0.1`` for the ends: the intervals are learned, but the median shapes the network.
    ``levels`` are the intervals' coverages in percent, such as (80, 90).
    """

    END_WEIGHT = 0.1
    plain = False

    def __init__(self, levels: tuple[int, ...] = (80, 90)):
        self.quantiles = quantiles_of(levels)
        self.size = len(self.quantiles)
        self.middle = self.quantiles.index(0.5)
        self.weights = [1.0 if q == 0.5 else self.END_WEIGHT for q in self.quantiles]

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        q = params.new_tensor(self.quantiles)
        error = target.unsqueeze(-1) - params
        pinball = torch.maximum(q * error, (q - 1) * error)
        return 2 * (pinball * params.new_tensor(self.weights)).sum(-1)

    def point(self, params: Tensor) -> Tensor:
        # The quantiles were trained one by one and may cross; sorted, the middle one is still the median.
        return self.interval(params)[..., self.middle]

    def interval(self, params: Tensor) -> Tensor:
        return params.sort(-1).values


def quantiles_of(levels: tuple[int, ...]) -> tuple[float, ...]:
    """Return the ends of the central intervals that hold ``levels`` percent, and the median, in rising order."""
    ends = {(100 - level) / 200 for level in levels} | {(100 + level) / 200 for level in levels}
    return tuple(sorted({round(end, 6) for end in ends | {0.5}}))


class DistributionHead(Head):
    """A distribution around a place, which is the first number and the median, under its negative log-likelihood."""

    LEAST = 1e-3  # of a scale, so that one value that is met exactly does not decide all

    def __init__(self, levels: tuple[int, ...] = (80, 90)):
        self.quantiles = quantiles_of(levels)

    def stretch(self, params: Tensor, unit: Tensor) -> Tensor:
        """Multiply place and scale by ``unit``; the shape stays. Before its softplus, a scale is ``ln(eˢ − 1)``."""
        scale = unit * F.softplus(params[..., 1:2])
        parts = [params[..., :1] * unit, scale + torch.log(-torch.expm1(-scale)), params[..., 2:]]
        return torch.cat(parts, -1) if float(unit) != 1.0 else params

    def shift(self, params: Tensor, offset: Tensor) -> Tensor:
        """Move the place by ``offset`` (...); the rest stays."""
        return torch.cat([params[..., :1] + offset.unsqueeze(-1), params[..., 1:]], -1)

    def point(self, params: Tensor) -> Tensor:
        return params[..., 0]

    @abstractmethod
    def at(self, params: Tensor, levels: Tensor) -> Tensor:
        """Return the values (...) that are not exceeded with the probabilities ``levels`` (...)."""

    def scale(self, params: Tensor) -> Tensor:
        """Return the scale (...), above zero."""
        return F.softplus(params[..., 1]) + self.LEAST


class GaussianHead(DistributionHead):
    """Mean and deviation of a normal distribution: ``L = ln σ + ½ ((y − μ)/σ)² + ½ ln 2π``, ``σ = softplus(p₂)``.

    The quantiles are ``μ + σ Φ⁻¹(q)``. DeepAR for real values (Salinas et al., arXiv 1704.04110).
    """

    size = 2

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        scale = self.scale(params)
        return scale.log() + 0.5 * ((target - params[..., 0]) / scale).square() + 0.5 * math.log(2 * math.pi)

    def at(self, params: Tensor, levels: Tensor) -> Tensor:
        return params[..., 0] + self.scale(params) * torch.special.ndtri(levels).to(params.dtype)

    def interval(self, params: Tensor) -> Tensor:
        away = params.new_tensor([normal_quantile(q) for q in self.quantiles])
        return params[..., :1] + self.scale(params).unsqueeze(-1) * away


class StudentHead(DistributionHead):
    """Place, scale and degrees of freedom of Student's t, whose tails forgive what is far off.

    ``L = −ln t_ν((y − μ)/σ) + ln σ`` with ``σ = softplus(p₂)`` and ``ν = 2 + softplus(p₃)``, so that the variance is
    finite. The quantiles are ``μ + σ t_ν⁻¹(q)`` (Lange et al. 1989).
    """

    size = 3

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        scale, df = self.scale(params), self.freedom(params)
        z = (target - params[..., 0]) / scale
        constant = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2) - 0.5 * torch.log(df * math.pi)
        return scale.log() - constant + (df + 1) / 2 * torch.log1p(z * z / df)

    def freedom(self, params: Tensor) -> Tensor:
        """Return the degrees of freedom (...)."""
        return 2 + F.softplus(params[..., 2])

    def at(self, params: Tensor, levels: Tensor) -> Tensor:
        away = student_quantile(levels, self.freedom(params)).to(params.dtype)
        return params[..., 0] + self.scale(params) * away

    def interval(self, params: Tensor) -> Tensor:
        df = self.freedom(params)
        away = torch.stack([student_quantile(q, df) for q in self.quantiles], -1).to(params.dtype)
        return params[..., :1] + self.scale(params).unsqueeze(-1) * away


def make_head(loss: str, levels: tuple[int, ...]) -> Head:
    """Make the head for a ``loss``."""
    heads: dict[str, Callable[[], Head]] = {
        "quantile": lambda: QuantileHead(levels),
        "absolute": AbsoluteHead,
        "squared": SquaredHead,
        "huber": HuberHead,
        "gaussian": lambda: GaussianHead(levels),
        "student_t": lambda: StudentHead(levels),
    }
    return pick(heads, loss, "loss")()

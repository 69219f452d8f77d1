"""Heads that have to know where a window stands: of distributions under logarithms, and of counts.

Shapes: ``params`` (..., P), ``target`` (...); B windows, H steps, C channels.
"""

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F

from ...data.batch import Batch
from ...nn.distributions import count_log_probability, count_quantile
from ...nn.heads import DistributionHead, Head, quantiles_of
from .scaling import FLOOR

CEILING = 15.0  # of a logarithm, so that no forecast is infinite


def to_log(z: Tensor, ratio: Tensor) -> Tensor:
    """Return ``ln(1 + c z) / c``, the logarithms of standardised values."""
    return (1 + ratio * z).clamp(min=FLOOR).log() / ratio


def from_log(w: Tensor, ratio: Tensor) -> Tensor:
    """Return ``(exp(c w) − 1) / c``."""
    return torch.expm1((ratio * w).clamp(max=CEILING)) / ratio


class PlacedHead(Head):
    """A head whose numbers are joined by what places them; only then can they be read."""

    @abstractmethod
    def placed(self, params: Tensor, place: Tensor | None) -> Tensor:
        """Return ``params`` (B, H, C, ·) with the ``place`` of their windows."""

    @abstractmethod
    def at(self, params: Tensor, levels: Tensor) -> Tensor:
        """Return the values (...) that are not exceeded with the probabilities ``levels`` (...)."""


class LoggedHead(PlacedHead):
    """The distribution of a logarithm ``w = ln(1 + c z) / c``: what is predicted, z, has that of its image.

    ``L = L_w(w(y)) + ln(1 + c y)``; the quantiles are the images of those of w, as the logarithm keeps the order.
    The last number is the ratio c.
    """

    def __init__(self, head: DistributionHead):
        self.head, self.size, self.quantiles = head, head.size, head.quantiles

    def placed(self, params: Tensor, place: Tensor | None) -> Tensor:
        """Join the ratio (B, 1, C)."""
        assert place is not None
        return torch.cat([params, place.unsqueeze(-1).expand(*params.shape[:-1], 1)], -1)

    def stretch(self, params: Tensor, unit: Tensor) -> Tensor:
        """Multiply place and scale of the logarithm by ``unit``."""
        return self.head.stretch(params, unit)

    def shift(self, params: Tensor, offset: Tensor) -> Tensor:
        """Move the place of the logarithm by ``offset`` (...)."""
        return self.head.shift(params, offset)

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        ratio = params[..., -1]
        w = to_log(target, ratio)
        return self.head.loss(params[..., :-1], w) + ratio * w

    def point(self, params: Tensor) -> Tensor:
        return from_log(self.head.point(params[..., :-1]), params[..., -1])

    def at(self, params: Tensor, levels: Tensor) -> Tensor:
        return from_log(self.head.at(params[..., :-1], levels), params[..., -1])

    def interval(self, params: Tensor) -> Tensor:
        return from_log(self.head.interval(params[..., :-1]), params[..., -1:])


class CountHead(PlacedHead):
    """Mean and excess of a negative binomial on counts in the unit of the data, under its negative log-likelihood.

    ``μ = ν softplus₁₀((mean + std p₁) / ν)`` and ``α = softplus(p₂) / √ν`` with the variance ``μ + α μ²``, where
    ``mean`` and ``std`` are those of the training rows and ν is one more than the mean of the window, as in DeepAR
    (Salinas et al., arXiv 1704.04110): so large and small counts ask for like numbers. The answers are standardised
    again. What is placed is ``(μ, α, mean, std)``.
    """

    size = 2
    SHARP = 10.0  # of the softplus, which leaves a mean of the window's size as it is
    LEAST, LEAST_MEAN = 1e-4, 1e-6  # of an excess, and of a mean

    def __init__(self, levels: tuple[int, ...] = (80, 90)):
        self.quantiles = quantiles_of(levels)

    def stretch(self, params: Tensor, unit: Tensor) -> Tensor:
        """Multiply the mean by ``unit``, standardised, before it is placed."""
        return torch.cat([params[..., :1] * unit, params[..., 1:]], -1)

    def shift(self, params: Tensor, offset: Tensor) -> Tensor:
        """Move the mean by ``offset`` (...), standardised, before it is placed."""
        return torch.cat([params[..., :1] + offset.unsqueeze(-1), params[..., 1:]], -1)

    def placed(self, params: Tensor, place: Tensor | None) -> Tensor:
        """Return mean, excess and unit (B, H, C, 4) of ``params`` (B, H, C, 2) in units (B, 1, C, 3)."""
        assert place is not None
        mean, std, level = place.unbind(-1)
        center = (mean + std * params[..., 0]) / level
        expected = level * F.softplus(center, beta=self.SHARP) + self.LEAST_MEAN
        excess = F.softplus(params[..., 1]) / level.sqrt() + self.LEAST
        return torch.stack([expected, excess, mean.expand_as(expected), std.expand_as(expected)], -1)

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        mean, excess, least, unit = params.double().unbind(-1)
        counts = (least + unit * target).round().clamp(min=0)
        return -count_log_probability(counts, mean, excess).to(params.dtype)

    def point(self, params: Tensor) -> Tensor:
        return self._quantile(0.5, params)

    def at(self, params: Tensor, levels: Tensor) -> Tensor:
        return self._quantile(levels, params)

    def interval(self, params: Tensor) -> Tensor:
        return torch.stack([self._quantile(q, params) for q in self.quantiles], -1)

    @torch.no_grad()
    def _quantile(self, q: float | Tensor, params: Tensor) -> Tensor:
        mean, excess, least, unit = params.double().unbind(-1)
        return ((count_quantile(q, mean, excess) - least) / unit).to(params.dtype)


def unit_of(batch: Batch) -> Tensor:
    """Return mean, deviation and level of windows (B, 1, C, 3): the level is one more than the mean of what is known.

    Values that are not counts, below zero, stand for zero.
    """
    unit, observed, x = batch["unit"], batch.get("observed"), batch.inputs
    if observed is None:
        center = x.mean(1, keepdim=True)
    else:
        center = torch.where(observed, x, 0.0).sum(1, keepdim=True) / observed.sum(1, keepdim=True).clamp(min=1)
    level = 1 + (unit[..., 0] + unit[..., 1] * center).clamp(min=0)
    return torch.cat([unit, level.unsqueeze(-1)], -1)

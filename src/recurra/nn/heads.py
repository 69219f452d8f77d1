"""What a prediction is: numbers that say a value, a loss for them, and what can be read from them.

Shapes: ``params`` (..., P) with P parameters per predicted value; ``target``, ``mask`` (...).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import ConfigError, pick


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
        ends = {(100 - level) / 200 for level in levels} | {(100 + level) / 200 for level in levels}
        self.quantiles = tuple(sorted({round(end, 6) for end in ends | {0.5}}))
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


def make_head(loss: str, levels: tuple[int, ...]) -> Head:
    """Make the head for a ``loss``."""
    if loss == "quantile":
        return QuantileHead(levels)
    heads: dict[str, Callable[[], Head]] = {"absolute": AbsoluteHead, "squared": SquaredHead, "huber": HuberHead}
    return pick(heads, loss, "loss")()

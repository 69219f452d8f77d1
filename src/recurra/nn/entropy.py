"""The cross entropy of a last layer, with its gradients at once.

Shapes: N units, V units that are known, E numbers of a unit.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ROWS = 256  # whose scores are there at the same time


def total_cross_entropy(
    states: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float = 0.0
) -> Tensor:
    """Return the sum of the cross entropy of ``targets`` (N,) after ``states`` (N, E), a scalar, in nats.

        Σ_n −(1 − ε) log P_n(y_n) − ε/V Σ_v log P_n(v),  P_n = softmax(W x_n + b)

    It is ``F.cross_entropy(F.linear(x, W, b), y, reduction="sum", label_smoothing=ε)`` with ``weight`` W (V, E) and
    ``bias`` b (V,), but never holds the scores of all units, and has the gradients when it has the value: they can be
    asked for once, and not be differentiated again. ε is ``smoothing`` (Szegedy et al. 2016, arXiv 1512.00567).
    """
    if torch.is_grad_enabled() and any(one.requires_grad for one in (states, weight, bias)):
        total: Tensor = _Total.apply(states, weight, bias, targets, smoothing)
        return total
    return _total(states, weight, bias, targets, smoothing, None)


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        grads = torch.empty_like(states), torch.zeros_like(weight), torch.zeros_like(bias)
        total = _total(states, weight, bias, targets, smoothing, grads)
        _add_targets(states, weight, targets, smoothing, grads)
        ctx.save_for_backward(*grads)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, share: Tensor) -> tuple[Tensor | None, ...]:
        return *(grad * share for grad in ctx.saved_tensors), None, None


Grads = tuple[Tensor, Tensor, Tensor]  # of states, weight and bias


def _total(
    states: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float, grads: Grads | None
) -> Tensor:
    """Return the sum; to ``grads`` add those of Σ log Σ exp, of the states that are looked at set them."""
    total = states.new_zeros(())
    for first in range(0, len(states), ROWS):
        rows = slice(first, first + ROWS)
        x, y = states[rows], targets[rows]
        scores = torch.addmm(bias, x, weight.mT)
        right, every = scores.gather(1, y.unsqueeze(1)).sum(), scores.mean(1).sum()
        highest = scores.amax(1, keepdim=True)
        sums = scores.sub_(highest).exp_().sum(1, keepdim=True)
        total += (highest + sums.log()).sum() - (1 - smoothing) * right - smoothing * every
        if grads is not None:
            shares = scores.div_(sums)
            torch.mm(shares, weight, out=grads[0][rows])
            grads[1].addmm_(shares.mT, x)
            grads[2].add_(shares.sum(0))
    return total


def _add_targets(states: Tensor, weight: Tensor, targets: Tensor, smoothing: float, grads: Grads) -> None:
    """Add to ``grads`` what comes of the right units, and of all of them where they are smoothed."""
    of_states, of_weight, of_bias = grads
    of_states.sub_(weight[targets], alpha=1 - smoothing)
    of_weight.index_add_(0, targets, states, alpha=smoothing - 1)
    of_bias.sub_(torch.bincount(targets, minlength=len(weight)).to(of_bias), alpha=1 - smoothing)
    if smoothing:
        of_states.sub_(weight.mean(0), alpha=smoothing)
        of_weight.sub_(states.sum(0), alpha=smoothing / len(weight))
        of_bias.sub_(smoothing * len(states) / len(weight))

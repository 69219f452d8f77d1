"""The cross entropy of a last layer with its gradients at once: what torch makes of the same in several steps."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from laws_native import agree
from recurra.nn.entropy import ROWS, total_cross_entropy

E, V = 6, 11


def problem(count: int, dtype: torch.dtype = torch.float64) -> tuple[list[Tensor], Tensor]:
    leaves = [torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in ((count, E), (V, E), (V,))]
    return leaves, torch.randint(V, (count,))


def by_torch(leaves: list[Tensor], targets: Tensor, smoothing: float) -> Tensor:
    return F.cross_entropy(F.linear(*leaves), targets, reduction="sum", label_smoothing=smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("count", [0, 1, ROWS, 2 * ROWS + 3])
def test_it_is_the_cross_entropy(count: int, smoothing: float) -> None:
    for dtype, within in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        leaves, targets = problem(count, dtype)
        ours, theirs = total_cross_entropy(*leaves, targets, smoothing), by_torch(leaves, targets, smoothing)
        agree([ours.detach()], [theirs.detach()], within)
        found = [torch.autograd.grad(total * 0.3, leaves) for total in (ours, theirs)]
        agree(*found, within)
        with torch.no_grad():
            agree([total_cross_entropy(*leaves, targets, smoothing)], [theirs.detach()], within)


def test_large_scores_do_not_overflow() -> None:
    leaves, targets = problem(5, torch.float32)
    scaled = [one.detach() * 300 for one in leaves]
    assert torch.isfinite(total_cross_entropy(*scaled, targets))
    agree([total_cross_entropy(*scaled, targets)], [by_torch(scaled, targets, 0.0)], 1e-5)


def test_weights_that_are_also_those_of_the_inputs_get_both_gradients() -> None:
    (_, weight, bias), targets = problem(40)
    read = torch.randint(V, (40,))
    found = []
    for way in (lambda *given: total_cross_entropy(*given, targets), lambda *given: by_torch([*given], targets, 0.0)):
        found.append(torch.autograd.grad(way(torch.tanh(F.embedding(read, weight)), weight, bias), (weight, bias)))
    agree(*found, 1e-12)


def test_only_what_is_asked_for_needs_a_gradient() -> None:
    (states, weight, bias), targets = problem(9)
    total = total_cross_entropy(states, weight.detach(), bias.detach(), targets)
    theirs = by_torch([states, weight.detach(), bias.detach()], targets, 0.0)
    agree(torch.autograd.grad(total, states), torch.autograd.grad(theirs, states), 1e-12)


def test_it_says_that_it_cannot_be_differentiated_twice() -> None:
    leaves, targets = problem(9)
    (first, *_) = torch.autograd.grad(total_cross_entropy(*leaves, targets).square(), leaves, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()

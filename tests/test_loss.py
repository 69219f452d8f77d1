"""A loss is a sum and a count, and its mean is what it always was."""

import pytest
import torch

from recurra.nn.loss import Loss


def test_over_all_and_over_some() -> None:
    values = torch.tensor([1.0, 2.0, 6.0, float("nan")], requires_grad=True)
    assert Loss.over(values[:3]).mean.item() == 3.0
    loss = Loss.over(values, torch.tensor([True, False, True, False]))
    assert (loss.sum.item(), float(loss.count), loss.mean.item()) == (7.0, 2.0, 3.5)
    loss.mean.backward()
    assert values.grad is not None and values.grad.tolist() == [0.5, 0.0, 0.5, 0.0]


@pytest.mark.parametrize("count", [0, 0.0, torch.tensor(0), torch.tensor(0.0)])
def test_the_mean_of_nothing_is_zero_with_a_gradient(count: float | torch.Tensor) -> None:
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    mean = Loss((0.0 * values).sum(), count).mean
    assert mean.item() == 0.0
    mean.backward()
    assert values.grad is not None and values.grad.tolist() == [0.0, 0.0]


def test_a_mask_that_spreads_counts_values() -> None:
    assert float(Loss.over(torch.ones(2, 3), torch.tensor([[True], [False]])).count) == 3


def test_shares_of_a_count_are_not_rounded_up() -> None:
    assert Loss(torch.tensor(1.0), torch.tensor(0.5)).mean.item() == Loss(torch.tensor(1.0), 0.5).mean.item() == 2.0


@pytest.mark.parametrize("shape", [(7,), (64, 24, 1), (64, 96, 7)])
def test_the_mean_over_all_is_that_of_torch_bit_for_bit(shape: tuple[int, ...]) -> None:
    values = torch.randn(shape, requires_grad=True)
    ours, theirs = Loss.over(values).mean, values.mean()
    assert torch.equal(ours, theirs)
    assert torch.equal(*[torch.autograd.grad(mean, values)[0] for mean in (ours, theirs)])

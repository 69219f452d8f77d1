"""What the last layer's numbers mean: losses by hand, points, intervals."""

import pytest
import torch

from recurra.errors import ConfigError
from recurra.nn.heads import AbsoluteHead, Head, HuberHead, QuantileHead, SquaredHead

TARGET = torch.tensor([1.0, 2.0, -3.0])
POINT = torch.tensor([1.5, 0.0, -3.0])


@pytest.mark.parametrize(
    ("head", "losses"),
    [(AbsoluteHead(), [0.5, 2.0, 0.0]), (SquaredHead(), [0.25, 4.0, 0.0]), (HuberHead(), [0.125, 1.5, 0.0])],
    ids=["absolute", "squared", "huber"],
)
def test_one_value(head: Head, losses: list[float]) -> None:
    params = POINT.unsqueeze(-1)
    assert head.size == 1 and head.quantiles == ()
    assert head.loss(params, TARGET).tolist() == losses
    assert torch.equal(head.point(params), POINT)
    moved = head.shift(params, torch.tensor([1.0, 2.0, 3.0]))
    assert head.point(moved).tolist() == [2.5, 2.0, 0.0]
    with pytest.raises(ConfigError, match="Use loss='quantile'"):
        head.interval(params)


def test_quantiles_of_the_levels() -> None:
    assert QuantileHead((80, 90)).quantiles == (0.05, 0.1, 0.5, 0.9, 0.95)
    assert QuantileHead((90, 80, 80)).quantiles == (0.05, 0.1, 0.5, 0.9, 0.95)
    assert QuantileHead(()).quantiles == (0.5,)
    assert QuantileHead((95,)).quantiles == (0.025, 0.5, 0.975)
    assert all(len(QuantileHead((level,)).quantiles) == 3 for level in range(1, 100))
    assert QuantileHead((80, 90)).size == 5 and QuantileHead((80,)).middle == 1


def test_pinball_by_hand() -> None:
    head = QuantileHead((80,))  # 0.1, 0.5, 0.9
    params = torch.tensor([[1.0, 2.0, 5.0]], dtype=torch.float64)
    # y = 3: errors 2, 1, -2; pinball 0.1·2, 0.5·1, 0.1·2; the ends count a tenth, and all is doubled.
    assert head.loss(params, torch.tensor([3.0])).item() == pytest.approx(2 * (0.02 + 0.5 + 0.02))
    # y = 0: errors -1, -2, -5; pinball 0.9·1, 0.5·2, 0.1·5.
    assert head.loss(params, torch.tensor([0.0])).item() == pytest.approx(2 * (0.09 + 1.0 + 0.05))
    median = QuantileHead(())
    assert median.loss(params[:, :1], torch.tensor([3.0])).item() == pytest.approx(2.0), "|y - p| alone"


def test_pinball_is_least_at_the_quantiles() -> None:
    head = QuantileHead((80,))
    values = torch.arange(1001.0) / 1000
    right = head.loss(torch.tensor([0.1, 0.5, 0.9]).expand(1001, 3), values).mean()
    for wrong in ([0.2, 0.5, 0.9], [0.1, 0.4, 0.9], [0.1, 0.5, 0.8]):
        assert head.loss(torch.tensor(wrong).expand(1001, 3), values).mean() > right


def test_crossed_quantiles_are_sorted() -> None:
    head = QuantileHead((80,))
    params = torch.tensor([[5.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
    assert head.interval(params).tolist() == [[1, 2, 5], [1, 2, 3]]
    assert head.point(params).tolist() == [2, 2]
    moved = head.shift(params, torch.tensor([10.0, 20.0]))
    assert head.interval(moved).tolist() == [[11, 12, 15], [21, 22, 23]]

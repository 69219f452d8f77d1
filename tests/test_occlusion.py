"""What an answer rests on: against numbers by hand, NumPy's interpolation, SciPy and scikit-learn."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.calibration import calibration_curve
from torch import Tensor, nn

from recurra.compare.agreement import Agreement, rank_agreement
from recurra.data.batch import Batch
from recurra.nn.models import Output
from recurra.nn.occlusion import occlusion, straightened
from recurra.tasks.classify.reliability import reliability_of

B, T, I = 3, 7, 2  # noqa: E741
LENGTHS = torch.tensor([7, 4, 1])


def make_x() -> Tensor:
    x = torch.randn(B, T, I, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x * (torch.arange(T) < LENGTHS.unsqueeze(1)).unsqueeze(-1)


def on_a_line(sequence: np.ndarray, first: int, last: int) -> np.ndarray:
    """``straightened`` of one sequence (T, I), by NumPy."""
    steps = np.arange(len(sequence))
    kept = (steps < first) | (steps > last)
    if not kept.any():
        return np.repeat(sequence.mean(0, keepdims=True), len(sequence), 0)
    return np.stack([np.interp(steps, steps[kept], channel[kept]) for channel in sequence.T], 1)


@pytest.mark.parametrize("stretch", [(first, last) for first in range(T) for last in range(first, T)])
def test_a_stretch_becomes_a_line(stretch: tuple[int, int]) -> None:
    x = make_x()
    found = straightened(x, *stretch, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        expected = on_a_line(x[row, :length].numpy(), *stretch) if stretch[0] < length else x[row, :length].numpy()
        np.testing.assert_allclose(found[row, :length].numpy(), expected, atol=1e-12)
        assert torch.equal(found[row, length:], x[row, length:]), "what lies behind the end stays"
    assert torch.equal(x, make_x()), "the inputs stay as they were"


class Weighted(nn.Module):
    """Class scores that are sums of the inputs, each times its own weight, of the real steps."""

    def __init__(self) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(T, I, 3, dtype=torch.float64, generator=draw))
        self.noise = nn.Dropout(0.5)

    def forward(self, batch: Batch) -> Output:
        return Output(torch.einsum("bti,tik->bk", self.noise(batch.inputs), self.weight))


STRETCHES = [(0, 1), (1, 3), (3, 6), (6, 6), (0, 6)]


def by_hand(model: Weighted, sequence: np.ndarray, stretches: Sequence[tuple[int, int]]) -> list[float]:
    weight = model.weight.detach().numpy()

    def chances(values: np.ndarray) -> np.ndarray:
        powers = np.exp(np.einsum("ti,tik->k", values, weight[: len(values)]))
        return powers / powers.sum()

    whole = chances(sequence)
    named = whole.argmax()
    return [
        whole[named] - chances(on_a_line(sequence, *s) if s[0] < len(sequence) else sequence)[named] for s in stretches
    ]


def test_falls_by_hand() -> None:
    model, x = Weighted().train(), make_x()
    batch = Batch(x, mask=torch.arange(T) < LENGTHS.unsqueeze(1))
    found = occlusion(model, batch, STRETCHES)
    assert model.training and model.noise.training, "the model is left as it was, and does not drop meanwhile"
    assert not found.requires_grad and found.dtype is torch.float64
    for row, length in enumerate(LENGTHS.tolist()):
        np.testing.assert_allclose(found[row], by_hand(model, x[row, :length].numpy(), STRETCHES), atol=1e-12)
    assert found[2, 1:4].tolist() == [0, 0, 0], "behind the end of the last one there is nothing to lose"
    full = occlusion(model, Batch(x[:1]), STRETCHES)
    torch.testing.assert_close(full, found[:1])


def test_other_scores_and_inputs_that_follow_from_others() -> None:
    """A model of numbers, and a second channel that is the square of the first."""
    model, x = Weighted(), make_x()
    x[..., 1] = x[..., 0] ** 2
    batch = Batch(x[:1])

    def without(x: torch.Tensor, first: int, last: int, lengths: torch.Tensor) -> torch.Tensor:
        line = straightened(x, first, last, lengths)[..., 0]
        return torch.stack([line, line**2], -1)

    found = occlusion(model, batch, STRETCHES, torch.sub, without)
    weight = model.weight.detach().numpy()
    assert found.shape == (1, len(STRETCHES), 3)
    for n, stretch in enumerate(STRETCHES):
        line = on_a_line(x[0, :, :1].numpy(), *stretch)
        expected = np.einsum("ti,tik->k", x[0].numpy() - np.concatenate([line, line**2], 1), weight)
        np.testing.assert_allclose(found[0, n], expected)


# Whether two orders agree


def test_agreement_is_the_mean_of_rank_correlations_of_scipy() -> None:
    random = np.random.default_rng(0)
    first = [random.normal(size=n).round(1) for n in (5, 9, 30, 4)]
    second = [a + random.normal(size=len(a)).round() for a in first]
    found = rank_agreement(first, second)
    each = np.array([stats.spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)])
    low, high = stats.t.interval(0.95, 3, each.mean(), stats.sem(each))
    assert found.cases == 4 and found.mean == pytest.approx(each.mean())
    assert found.interval == pytest.approx((high - low) / 2)


def test_agreement_of_what_has_no_order() -> None:
    nan, line = np.nan, np.arange(5.0)
    found = rank_agreement([line, np.ones(5), line, line[:2]], [line, line, np.zeros(5), line[:2]])
    assert (found.mean, found.cases) == (pytest.approx(1), 1) and np.isnan(found.interval) and found.degree == "unknown"
    nothing = rank_agreement([np.ones(4)], [np.ones(4)])
    assert nothing.cases == 0 and np.isnan(nothing.mean) and nothing.degree == "unknown"
    gaps = rank_agreement([np.array([1, nan, 2, 3, 4.0])], [np.array([4, 9, 3, nan, 1.0])])
    assert gaps.mean == pytest.approx(-1)


@pytest.mark.parametrize(
    ("mean", "interval", "degree"),
    [
        (0.9, 0.1, "much"),
        (0.75, 0.1, "partly"),
        (0.5, 0.05, "partly"),
        (0.5, 0.3, "unknown"),
        (0.1, 0.05, "little"),
        (-0.8, 0.1, "little"),
    ],
)
def test_degrees(mean: float, interval: float, degree: str) -> None:
    assert Agreement(mean, interval, 20).degree == degree


# Whether a model is right as often as it says


@given(seed=st.integers(0, 1000), count=st.integers(1, 200))
@settings(max_examples=30, deadline=None)
def test_reliability_is_that_of_scikit_learn(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    sure = random.uniform(0, 1, count)
    right = random.random(count) < sure**2
    found = reliability_of(sure, right)
    shares, means = calibration_curve(right, sure, n_bins=10)
    np.testing.assert_allclose(found.table["right"], shares)
    np.testing.assert_allclose(found.table["sure"], means)
    assert found.table["cases"].sum() == count
    assert found.error == pytest.approx((found.table["cases"] / count) @ np.abs(shares - means))
    assert (found.table["low"] <= shares + 1e-12).all() and (shares <= found.table["high"] + 1e-12).all()


def test_chance_explains_an_honest_model_and_not_a_vain_one() -> None:
    """As often right as it says: beyond chance in one of twenty; always 95 % sure and right in 80 %: every time."""
    random = np.random.default_rng(3)
    honest = [reliability_of(sure, random.random(100) < sure) for sure in random.uniform(0.5, 1, (60, 100))]
    beyond = np.mean([one.error > one.chance for one in honest])
    assert beyond < 0.15, beyond
    vain = reliability_of(np.full(200, 0.95), np.arange(200) % 5 > 0)
    assert vain.error == pytest.approx(0.15) and vain.chance < 0.05
    assert (vain.sure, vain.right) == (pytest.approx(0.95), pytest.approx(0.8))
    certain = reliability_of(np.ones(3), np.ones(3, bool))
    assert certain.error == 0 and certain.table["cases"].tolist() == [3]
    last = reliability_of(np.array([1.0, 0.95]), np.array([False, True]))
    assert last.table["cases"].tolist() == [2] and last.error == pytest.approx(0.475), "the last bin holds 100 %"

"""Distributions as predictions: likelihoods and quantiles beside those of scipy, alone and in a forecaster."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from recurra import Forecaster
from recurra.data.batch import Batch
from recurra.errors import ConfigError, DataError
from recurra.nn.distributions import count_log_probability, count_quantile, student_quantile
from recurra.nn.heads import DistributionHead, GaussianHead, QuantileHead, StudentHead, make_head
from recurra.tasks.forecast.placing import CountHead, LoggedHead, unit_of

LEVELS = (50, 80, 90, 95, 99)
QUICK = {
    "horizon": 4, "lookback": 12, "segment": 4, "hidden_size": 8, "max_epochs": 3, "epoch_steps": 10, "season": 1,
    "engine": "reference",
}  # fmt: skip


def numbers(count: int, size: int, seed: int = 0) -> torch.Tensor:
    return 2 * torch.randn(count, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(x))


def test_student_quantiles_are_those_of_scipy() -> None:
    df = torch.tensor([2.001, 2.5, 3.0, 5.0, 30.0, 1e3, 1e6], dtype=torch.float64)
    for q in (0.005, 0.05, 0.1, 0.5, 0.9, 0.975, 0.995):
        np.testing.assert_allclose(student_quantile(q, df), stats.t.ppf(q, df), atol=1e-8)


def test_count_quantiles_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    mean, alpha = np.exp(random.uniform(np.log(0.01), np.log(1e5), 500)), np.exp(random.uniform(-9, 3, 500))
    r = 1 / alpha
    m, a = torch.from_numpy(mean), torch.from_numpy(alpha)
    for q in (0.005, 0.05, 0.1, 0.5, 0.9, 0.975, 0.995):
        assert (count_quantile(q, m, a).numpy() == stats.nbinom.ppf(q, r, r / (r + mean))).all()
    k = np.floor(random.uniform(0, 60, 500))
    own = count_log_probability(torch.from_numpy(k), m, a)
    np.testing.assert_allclose(own, stats.nbinom.logpmf(k, r, r / (r + mean)), rtol=1e-7)


def test_gaussian_head_is_the_normal_of_scipy() -> None:
    head, params, target = GaussianHead(LEVELS), numbers(50, 2), numbers(50, 1, 1)[:, 0]
    place, scale = params[:, 0].numpy(), softplus(params[:, 1].numpy()) + 1e-3
    np.testing.assert_allclose(head.loss(params, target), -stats.norm.logpdf(target, place, scale))
    ends = stats.norm.ppf(np.array(head.quantiles), place[:, None], scale[:, None])
    np.testing.assert_allclose(head.interval(params), ends, rtol=1e-9, atol=1e-12)


def test_student_head_is_the_t_of_scipy() -> None:
    head, params, target = StudentHead(LEVELS), numbers(50, 3), numbers(50, 1, 1)[:, 0]
    place, scale, df = params[:, 0].numpy(), softplus(params[:, 1].numpy()) + 1e-3, 2 + softplus(params[:, 2].numpy())
    np.testing.assert_allclose(head.loss(params, target), -stats.t.logpdf(target, df, place, scale))
    ends = stats.t.ppf(np.array(head.quantiles), df[:, None], place[:, None], scale[:, None])
    np.testing.assert_allclose(head.interval(params), ends, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["gaussian", "student_t"])
def test_a_distribution_moves_as_a_whole(name: str) -> None:
    head = make_head(name, (80,))
    assert isinstance(head, DistributionHead) and head.quantiles == QuantileHead((80,)).quantiles
    params, offset = numbers(20, head.size), numbers(20, 1, 2)[:, 0]
    moved = head.shift(params, offset)
    torch.testing.assert_close(head.interval(moved), head.interval(params) + offset.unsqueeze(-1))
    torch.testing.assert_close(head.point(moved), head.point(params) + offset)
    torch.testing.assert_close(head.loss(moved, offset), head.loss(params, torch.zeros(20, dtype=torch.float64)))
    torch.testing.assert_close(head.interval(params)[:, 1], head.point(params))


@pytest.mark.parametrize("name", ["gaussian", "student_t"])
def test_a_distribution_is_stretched_as_a_whole(name: str) -> None:
    """Said in units of 0.1, place and scale are a tenth, and the shape stays."""
    head = make_head(name, (80,))
    assert isinstance(head, DistributionHead)
    params = numbers(20, head.size)
    small = head.stretch(params, torch.tensor(0.1, dtype=torch.float64))
    torch.testing.assert_close(small[:, 0], params[:, 0] / 10)
    torch.testing.assert_close(head.scale(small) - head.LEAST, (head.scale(params) - head.LEAST) / 10)
    assert torch.equal(small[:, 2:], params[:, 2:])
    assert torch.equal(head.stretch(params, torch.ones(())), params)


def test_under_logarithms_the_density_is_that_of_the_image() -> None:
    head, params = LoggedHead(GaussianHead((80, 90))), numbers(1, 2).expand(20001, 2)
    ratio = torch.full((20001, 1), 0.3, dtype=torch.float64)
    placed = head.placed(params, ratio[:, 0])
    y = torch.linspace(-3.2, 300, 20001, dtype=torch.float64)
    density = (-head.loss(placed, y)).exp().numpy()
    inside = 1 + 0.3 * y.numpy() > 0.011  # where no logarithm is cut off
    chance = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(y.numpy()))])
    assert chance[-1] == pytest.approx(1, abs=0.01) and inside[50:].all()
    for q, end in zip(head.quantiles, head.interval(placed)[0].tolist(), strict=True):
        assert np.interp(end, y.numpy(), chance) == pytest.approx(q, abs=0.01)
    assert head.point(placed)[0].item() == head.interval(placed)[0, 2].item()


def windows(counts: np.ndarray, observed: torch.Tensor | None = None) -> tuple[Batch, float, float]:
    """Return standardised windows (B, L, 1) of counts that have the mean 7 and the deviation 3 in training."""
    unit = torch.tensor([7.0, 3.0], dtype=torch.float64).expand(len(counts), 1, 1, 2)
    x = torch.from_numpy((counts - 7) / 3).unsqueeze(-1)
    return Batch(x, x, None, None, {"unit": unit} | ({} if observed is None else {"observed": observed})), 7.0, 3.0


def test_count_head_by_the_equations() -> None:
    counts = np.random.default_rng(0).poisson(7, (30, 6)).astype(float)
    batch, mean, std = windows(counts)
    head, params = CountHead(LEVELS), numbers(30, 2).view(30, 1, 1, 2)
    placed = head.placed(params, unit_of(batch))
    level = 1 + counts.mean(1)
    raw = params.numpy()[:, 0, 0]
    mu = level * softplus(10 * (mean + std * raw[:, 0]) / level) / 10 + 1e-6
    alpha = softplus(raw[:, 1]) / np.sqrt(level) + 1e-4
    r, target = 1 / alpha, counts[:, 0]
    own = head.loss(placed, batch.inputs[:, :1]).squeeze()
    np.testing.assert_allclose(own, -stats.nbinom.logpmf(target, r, r / (r + mu)), rtol=1e-9)
    ends = stats.nbinom.ppf(np.array(head.quantiles), r[:, None], (r / (r + mu))[:, None])
    np.testing.assert_allclose(head.interval(placed).squeeze() * std + mean, ends, atol=1e-9)
    np.testing.assert_allclose(head.point(placed).squeeze() * std + mean, ends[:, len(LEVELS)], atol=1e-9)


def test_the_level_is_that_of_what_is_known() -> None:
    counts = np.array([[2.0, 100.0, 4.0]])
    batch, _, _ = windows(counts, torch.tensor([[[True], [False], [True]]]))
    assert unit_of(batch)[..., 2].item() == pytest.approx(4)


def test_quantiles_never_cross() -> None:
    wild = numbers(2000, 5, 3)
    for head in (QuantileHead((80, 90)), GaussianHead((80, 90)), StudentHead((80, 90))):
        ends = head.interval(wild[:, : head.size])
        assert (ends.diff(dim=-1) >= 0).all()
    batch, _, _ = windows(np.random.default_rng(0).poisson(3, (500, 6)).astype(float))
    placed = CountHead((80, 90)).placed(3 * wild[:500, :2].view(500, 1, 1, 2), unit_of(batch))
    assert (CountHead((80, 90)).interval(placed).diff(dim=-1) >= 0).all()


def counts_frame(length: int = 160, low: float = 2.0, high: float = 9.0) -> pd.DataFrame:
    level = low + (high - low) * (1 + np.sin(np.arange(length) / 12)) / 2
    values = np.random.default_rng(1).negative_binomial(4, 4 / (4 + level))
    return pd.DataFrame({"day": pd.date_range("2020-01-01", periods=length), "sold": values.astype(float)})


@pytest.mark.parametrize("loss", ["gaussian", "student_t", "negative_binomial"])
@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
def test_a_forecaster_of_distributions(loss: str, decoder: str, tmp_path) -> None:
    quick = QUICK if decoder == "segment" else {name: one for name, one in QUICK.items() if name != "segment"}
    frame = counts_frame()
    frame.loc[20:22, "sold"] = np.nan
    forecaster = Forecaster(**quick, loss=loss, decoder=decoder, levels=(60, 95)).fit(frame)
    answer = forecaster.predict()
    columns = [answer[name] for name in ("yhat-lo-95", "yhat-lo-60", "yhat", "yhat-hi-60", "yhat-hi-95")]
    assert all((low <= high).all() for low, high in pairwise(columns))
    assert (columns[-1] > columns[0]).all()
    forecaster.save(tmp_path / "run")
    assert Forecaster.load(tmp_path / "run").predict().equals(answer)


@pytest.mark.parametrize("loss", ["gaussian", "student_t"])
def test_distributions_under_logarithms(loss: str) -> None:
    frame = counts_frame()
    frame["sold"] = np.exp(0.02 * np.arange(160)) * (1 + 0.1 * np.random.default_rng(0).standard_normal(160))
    answer = Forecaster(**QUICK, loss=loss, log=True).fit(frame).predict()
    up, down = answer["yhat-hi-90"] - answer["yhat"], answer["yhat"] - answer["yhat-lo-90"]
    assert (up > 0).all() and (down > 0).all() and (answer["yhat-lo-90"] > 0).all()


def test_counts_of_any_size_are_learned_alike() -> None:
    """A series of a thousand times as many is answered by a thousand times as many."""
    small = counts_frame(low=2, high=2)
    large = small.assign(sold=small["sold"] * 1000)
    answers = [
        Forecaster(**QUICK, loss="negative_binomial", combine=False).fit(one).predict() for one in (small, large)
    ]
    ratio = answers[1]["yhat"].mean() / max(answers[0]["yhat"].mean(), 0.5)
    assert 300 < ratio < 3000


@pytest.mark.parametrize("value", [-1.0, 2.5])
def test_what_is_no_count_is_refused(value: float) -> None:
    frame = counts_frame()
    frame.loc[7, "sold"] = value
    with pytest.raises(DataError, match=rf"is for counts, .*'sold' has the value {value:g} at 2020-01-08.*quantile"):
        Forecaster(**QUICK, loss="negative_binomial").fit(frame)
    forecaster = Forecaster(**QUICK, loss="negative_binomial").fit(counts_frame())
    with pytest.raises(DataError, match="is for counts"):
        forecaster.predict(df=frame)


def test_what_does_not_go_with_a_likelihood() -> None:
    with pytest.raises(ConfigError, match="counts as they are: leave log= out"):
        Forecaster(**QUICK, loss="negative_binomial", log=True).fit(counts_frame())
    with pytest.raises(ConfigError, match="closed form, and a likelihood has none"):
        Forecaster(horizon=4, cell="reservoir", max_epochs=1, loss="gaussian").fit(counts_frame())

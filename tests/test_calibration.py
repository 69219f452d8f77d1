"""After training, intervals hold what they say on the validation rows, and strangers look like the average series."""

import numpy as np
import pandas as pd
import pytest
import torch

from recurra import Forecaster
from recurra.nn.intervals import levels_of, widened
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.network import ForecastNet

TINY = {
    "horizon": 4,
    "lookback": 16,
    "hidden_size": 8,
    "max_epochs": 2,
    "epoch_steps": 20,
    "season": 7,
    "last_epochs": 0,
}


def noisy(count: int = 400, gaps: bool = False) -> pd.DataFrame:
    draw = np.random.default_rng(5)
    values = 10 + np.sin(np.arange(count) * 2 * np.pi / 7) + draw.standard_t(3, size=count)
    if gaps:
        values[draw.choice(count - 50, 40, replace=False)] = np.nan
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=count), "y": values})


def on_validation(forecaster: Forecaster, frame: pd.DataFrame) -> tuple[ForecastNet, np.ndarray, np.ndarray]:
    """The network, its calibrated quantiles (N, K) on every known validation target, and the targets (N,).

    They lie further off than they do by what the best epoch of these windows flatters.
    """
    network, config = forecaster.network_, forecaster.fitted_.config
    assert isinstance(network, ForecastNet)
    valid = KIND.prepare(KIND.read(frame, config), config, 0).valid
    batch = valid.take(torch.arange(len(valid)))
    with torch.no_grad():
        quantiles = widened(network.head.interval(network(batch).prediction), network.widen)
    known = torch.ones_like(batch.targets, dtype=torch.bool) if batch.target_mask is None else batch.target_mask
    middle = quantiles[..., network.head.middle]
    targets = middle + (1 + 0.5 * TINY["horizon"] / len(valid)) * (batch.targets - middle)
    return network, quantiles[known].numpy(), targets[known].numpy()


def wanted(level: int, windows: int) -> float:
    """The share of the validation values that an interval should hold, corrected for so many windows."""
    return min(1.0, level / 100 * (1 + 1 / windows))


@pytest.mark.parametrize("gaps", [False, True])
def test_intervals_hold_what_they_say_on_the_validation_rows(gaps: bool) -> None:
    frame = noisy(gaps=gaps)
    network, quantiles, target = on_validation(Forecaster(**TINY, combine=False).fit(frame), frame)
    assert network.widen.abs().max() > 0
    for level, low, high in levels_of(network.head.quantiles):
        inside = ((target >= quantiles[:, low]) & (target <= quantiles[:, high])).mean()
        assert inside == pytest.approx(wanted(level, len(target) // TINY["horizon"]), abs=0.02)


def test_the_margin_is_the_quantile_of_the_misses() -> None:
    forecaster = Forecaster(**TINY, combine=False).fit(noisy())
    network = forecaster.network_
    margins = network.widen.clone()
    network.widen.zero_()
    _, quantiles, target = on_validation(forecaster, noisy())
    for level, low, high in levels_of(network.head.quantiles):
        misses = sorted(
            max(lower - y, y - upper) for lower, upper, y in zip(*quantiles.T[[low, high]], target, strict=True)
        )
        place = wanted(level, len(misses) // TINY["horizon"]) * (len(misses) - 1)
        below, above = misses[int(np.floor(place))], misses[int(np.ceil(place))]
        expected = below + (place - np.floor(place)) * (above - below)
        assert float(margins[high]) == pytest.approx(expected, rel=1e-4)
        assert float(margins[low]) == pytest.approx(-expected, rel=1e-4)


def test_moved_ends_stay_in_order_and_leave_the_median() -> None:
    forecaster = Forecaster(**TINY).fit(noisy())
    network = forecaster.network_
    params = torch.randn(50, len(network.head.quantiles))
    for _ in range(20):
        network.widen.copy_(torch.randn(len(network.head.quantiles)))
        quantiles = widened(network.head.interval(params), network.widen)
        assert (quantiles.diff(dim=-1) >= 0).all()
        assert torch.equal(quantiles[..., network.head.middle], network.head.point(params))


def test_point_heads_have_nothing_to_calibrate() -> None:
    forecaster = Forecaster(**TINY, loss="absolute").fit(noisy())
    assert forecaster.network_.widen.shape == (0,)
    assert list(forecaster.predict().columns) == ["unique_id", "ds", "yhat"]


def test_a_stranger_has_the_mean_identity() -> None:
    frame = pd.concat([noisy().assign(unique_id=name) for name in "abc"])
    forecaster = Forecaster(**TINY).fit(frame)
    identities = forecaster.network_.core.identities.weight
    torch.testing.assert_close(identities[-1], identities[:-1].mean(0))


@pytest.mark.parametrize("count", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wider_interval_visibly_holds_a_narrower_one(count: int, seed: int) -> None:
    answer = Forecaster(**TINY | {"epoch_steps": 5}, levels=(50, 80, 90), seed=seed).fit(noisy(count)).predict()
    for wide, narrow in ((90, 80), (80, 50)):
        assert (answer[f"yhat-hi-{wide}"] > answer[f"yhat-hi-{narrow}"]).all()
        assert (answer[f"yhat-lo-{wide}"] < answer[f"yhat-lo-{narrow}"]).all()

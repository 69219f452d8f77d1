"""The intervals of a member that has none of its own: quantiles of what it missed, and how wide they are in the end."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import networks
from recurra import Forecaster
from recurra.tasks.forecast.answers import forecast
from recurra.tasks.forecast.intervals import Whole, around, spread_of

QUANTILES = (0.05, 0.1, 0.5, 0.9, 0.95)


def cases() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    said = draw.normal(size=(30, 4, 2))
    truth = said + draw.standard_t(3, size=said.shape) * np.array([0.1, 0.2, 0.4, 0.8])[:, None]
    truth[draw.random(truth.shape) < 0.2] = np.nan
    return said, truth


def slowly(errors: np.ndarray) -> np.ndarray:
    """The quantiles of errors (W, H, C), number by number."""
    windows, steps, channels = errors.shape
    size = np.zeros((steps, channels))
    for c in range(channels):
        every = [one for one in errors[:, :, c].flatten().tolist() if not np.isnan(one)]
        mean = sum(one * one for one in every) / len(every)
        for h in range(steps):
            known = [errors[w, h, c] for w in range(windows) if not np.isnan(errors[w, h, c])]
            # As if one horizon of windows more had missed what all steps miss in the mean.
            size[h, c] = ((sum(one * one for one in known) + steps * mean) / (len(known) + steps)) ** 0.5
    shares = sorted(
        errors[w, h, c] / size[h, c]
        for w in range(windows)
        for h in range(steps)
        for c in range(channels)
        if not np.isnan(errors[w, h, c])
    )
    found = np.zeros((steps, channels, len(QUANTILES)))
    for k, level in enumerate(QUANTILES):
        place = level * (len(shares) - 1)
        low, high = shares[int(np.floor(place))], shares[int(np.ceil(place))]
        found[..., k] = size * (low + (place - np.floor(place)) * (high - low))
    return found


def test_the_spread_is_that_of_the_errors() -> None:
    said, truth = cases()
    found = spread_of(said, truth, QUANTILES, None)
    assert found is not None
    np.testing.assert_allclose(found, slowly(truth - said))
    assert found[3, 0, 4] > 2 * found[0, 0, 4] > 0  # far steps are missed by more


def test_what_few_windows_missed_counts_on_both_sides() -> None:
    """Two overlapping years that both came out higher are one surprise, which may be one of the other sign."""
    said = np.zeros((2, 12, 1))
    truth = said + np.linspace(1, 2, 24).reshape(said.shape)
    found = spread_of(said, truth, QUANTILES, None)
    assert found is not None
    np.testing.assert_allclose(found, -found[..., ::-1], atol=1e-12)
    assert (found[..., 3] > 0.5).all()
    many = spread_of(np.zeros((24, 12, 1)), np.tile(truth, (12, 1, 1)), QUANTILES, None)
    assert many is not None and (many > 0).all()  # they say so


def test_the_spread_of_logarithms_grows_with_the_level() -> None:
    draw = np.random.default_rng(1)
    level = draw.uniform(1, 9, size=(400, 2, 1))
    values = level * np.exp(draw.normal(size=level.shape) / 10)
    mean, std = 5.0, 2.0
    ratio = torch.full((400, 1, 1), std / mean, dtype=torch.float64)
    said, truth = (level - mean) / std, (values - mean) / std
    found = spread_of(said, truth, QUANTILES, ratio)
    assert found is not None
    ends = around(torch.from_numpy(said), torch.from_numpy(found), ratio).numpy() * std + mean
    np.testing.assert_allclose(ends[..., 3] / level, np.broadcast_to(ends[0, :, :, 3] / level[0], level.shape))
    inside = (values >= ends[..., 1]) & (values <= ends[..., 3])
    assert inside.mean() == pytest.approx(0.8, abs=0.01)
    assert inside[level < 3].mean() == pytest.approx(0.8, abs=0.05)


def test_where_nothing_is_known_there_is_no_spread() -> None:
    said, truth = cases()
    assert spread_of(said, np.full_like(truth, np.nan), QUANTILES, None) is None
    truth[:, 2] = np.nan  # a step that is never known is as uncertain as all are
    found = spread_of(said, truth, QUANTILES, None)
    assert found is not None and np.isfinite(found).all()
    least, most = found[[0, 1, 3]].min(0), found[[0, 1, 3]].max(0)
    assert ((found[2] > least) & (found[2] < most)).all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_whole_weighs_the_ends_of_both(share: float) -> None:
    draw = torch.Generator().manual_seed(0)
    point, moved = torch.randn(5, 3, 2, generator=draw), torch.randn(5, 3, 2, generator=draw)
    ends = point.unsqueeze(-1) + torch.randn(5, 3, 2, 5, generator=draw).sort(-1).values
    spread = torch.randn(3, 2, 5, generator=draw).sort(-1).values
    numbers = torch.tensor([4, 0, 2])
    found, said = Whole(moved.numpy(), share, spread.numpy()).answers(ends[numbers], point[numbers], numbers)
    torch.testing.assert_close(said, (point + moved)[numbers])
    for row, n in enumerate(numbers.tolist()):
        answer = (point + moved)[n].unsqueeze(-1)
        expected = answer + share * (ends[n] - point[n].unsqueeze(-1)) + (1 - share) * spread
        torch.testing.assert_close(found[row], expected)
    alone, _ = Whole(moved.numpy()).answers(ends, point, torch.arange(5))
    torch.testing.assert_close(alone, ends + moved.unsqueeze(-1))


def straight(count: int, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    steps = np.arange(count)
    values = 100 + steps / 5 + 20 * np.sin(steps * 2 * np.pi / 12) + draw.normal(scale=3, size=count)
    return pd.DataFrame({"ds": pd.date_range("2000-01-01", periods=count, freq="MS"), "y": values})


BRIEF: dict[str, Any] = networks.TINY | {"horizon": 6, "lookback": 24, "season": 12, "max_epochs": 2, "last_epochs": 0}


def test_intervals_are_as_wide_as_the_linear_model_misses_where_it_answers() -> None:
    inside = []
    for seed in range(4):
        table = straight(300, seed)
        forecaster = Forecaster(**BRIEF, seed=seed).fit(table[:180])
        assert forecaster.fitted_.learned.mix["linear"] > 0.7  # it is most of the answer
        for end in range(180, 294, 6):
            said = forecaster.predict(df=table[:end])
            values = table["y"].to_numpy()[end : end + 6]
            inside += ((values >= said["yhat-lo-80"]) & (values <= said["yhat-hi-80"])).tolist()
    assert 0.7 < np.mean(inside) < 0.9


def test_a_run_without_a_spread_has_the_intervals_of_its_network() -> None:
    forecaster = Forecaster(**BRIEF).fit(straight(180, 0))
    fitted = forecaster.fitted_
    assert fitted.learned.spread is not None
    now = forecast(fitted).guess
    fitted.learned = replace(fitted.learned, spread=None)
    before, network = forecast(fitted).guess, forecast(fitted, model="network").guess
    np.testing.assert_array_equal(now.point, before.point)
    for level, (low, high) in before.bands.items():
        np.testing.assert_allclose(high - low, network.bands[level][1] - network.bands[level][0], rtol=1e-6)
        assert not np.allclose(high - low, now.bands[level][1] - now.bands[level][0])

"""Gaps: when each value was last seen and what stands in its place, against loops; what the networks read of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from recurra import Forecaster
from recurra.data.batch import Batch, Stream
from recurra.settings import make_config
from recurra.tasks.forecast.build import make_forecaster
from recurra.tasks.forecast.gaps import FilledColumns, InputDecay, age, carried, last_seen
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.network import told
from recurra.tasks.forecast.settings import PARTS

WAYS = ("mask", "decay", "fill")
TINY: dict[str, Any] = {"horizon": 3, "hidden_size": 8, "max_epochs": 2, "epoch_steps": 4, "batch_size": 16}


def window(share: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return values (4, 11, 2), zero where missing, which are known, and what stands before the first."""
    random = np.random.default_rng(seed)
    observed = random.random((4, 11, 2)) >= share
    observed[0, :, 0] = False  # nothing at all
    observed[1, :, 1] = True
    x = np.where(observed, random.normal(size=observed.shape), 0.0)
    return torch.from_numpy(x), torch.from_numpy(observed), torch.from_numpy(random.normal(size=(4, 1, 2)))


def seen_by_loops(observed: np.ndarray) -> np.ndarray:
    delta = np.zeros(observed.shape)
    for b, t, c in np.ndindex(*observed.shape):
        if t:
            delta[b, t, c] = 1 if observed[b, t - 1, c] else 1 + delta[b, t - 1, c]
    return delta


def last_by_loops(x: np.ndarray, observed: np.ndarray, before: np.ndarray) -> np.ndarray:
    last = np.zeros(x.shape)
    for b, c in np.ndindex(x.shape[0], x.shape[2]):
        value = before[b, 0, c]
        for t in range(x.shape[1]):
            value = x[b, t, c] if observed[b, t, c] else value
            last[b, t, c] = value
    return last


@pytest.mark.parametrize("share", [0.0, 0.4, 0.9])
def test_when_a_value_was_last_seen(share: float) -> None:
    _, observed, _ = window(share)
    expected = seen_by_loops(observed.numpy())
    np.testing.assert_array_equal(last_seen(observed).numpy(), expected)
    ages = age(last_seen(observed)).numpy()
    np.testing.assert_allclose(ages, 1 - 1 / np.sqrt(np.maximum(expected, 1)), rtol=1e-6)
    assert ages.min() == 0 and ages.max() < 1  # however long ago


@pytest.mark.parametrize("share", [0.0, 0.4, 0.9])
def test_the_last_value_is_carried_on(share: float) -> None:
    x, observed, before = window(share)
    expected = last_by_loops(x.numpy(), observed.numpy(), before.numpy())
    np.testing.assert_allclose(carried(x, observed, before).numpy(), expected)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.9])
def test_missing_values_fade_as_in_the_grud(share: float) -> None:
    x, observed, before = window(share)
    decay = InputDecay(2).double()
    with torch.no_grad():
        decay.weight.copy_(torch.tensor([0.3, -0.2]))
        decay.bias.copy_(torch.tensor([-0.5, 1.0]))
    found = decay(x, observed, before).detach().numpy()
    delta = seen_by_loops(observed.numpy())
    last = last_by_loops(x.numpy(), observed.numpy(), before.numpy())
    for b, t, c in np.ndindex(*x.shape):
        gamma = np.exp(-max(0.0, [0.3, -0.2][c] * delta[b, t, c] + [-0.5, 1.0][c]))
        m = observed[b, t, c].item()
        expected = m * x[b, t, c].item() + (1 - m) * (gamma * last[b, t, c] + (1 - gamma) * 0.0)
        assert found[b, t, c] == pytest.approx(expected)


def test_what_fades_is_learned() -> None:
    x, observed, before = window(0.5)
    decay = InputDecay(2).double()
    assert torch.autograd.gradcheck(lambda x, b: decay(x, observed, b), (x.requires_grad_(), before.requires_grad_()))
    decay(x, observed, before).sum().backward()
    assert decay.weight.grad is not None and (decay.weight.grad != 0).all()


@pytest.mark.parametrize("how", ["", *WAYS])
def test_covariates_with_holes(how: str) -> None:
    """A number with holes, one without, and three categories with holes."""
    x, observed, _ = window(0.5)
    whole = torch.randn(4, 11, 1, dtype=torch.float64)
    classes = torch.eye(3, dtype=torch.float64)[torch.arange(44).view(4, 11) % 3] * observed[..., 1:]
    missing = (~observed).double()
    given = torch.cat([x[..., :1], missing[..., :1], whole, classes, missing[..., 1:]], -1)
    columns = FilledColumns([2, 1, 4], [True, False, True], how).double()
    assert columns.widths == {"": (2, 1, 4), "mask": (3, 1, 5), "decay": (3, 1, 5), "fill": (1, 1, 3)}[how]
    found = columns(given).detach().numpy()
    assert found.shape == (4, 11, sum(columns.widths))
    at = sum(columns.widths[:1])
    np.testing.assert_array_equal(found[..., at : at + 1], whole.numpy())
    number, seen = found[..., :1], observed.numpy()[..., :1]
    last = last_by_loops(x.numpy()[..., :1], seen, np.zeros((4, 1, 1)))
    if how == "fill":
        np.testing.assert_allclose(number, last)
        places = observed.numpy()[..., 1:].repeat(3, -1)
        np.testing.assert_allclose(found[..., 2:], last_by_loops(classes.numpy(), places, np.zeros((4, 1, 3))))
        return
    gamma = np.exp(-0.1 * seen_by_loops(seen)) if how == "decay" else 0.0
    np.testing.assert_allclose(number, np.where(seen, x.numpy()[..., :1], gamma * last))
    np.testing.assert_array_equal(found[..., 1:2], ~seen)
    if how:
        np.testing.assert_allclose(found[..., 2:3], 1 - np.maximum(seen_by_loops(seen), 1) ** -0.5, rtol=1e-6)


LAYOUT = Layout(
    lookback=12, horizon=4, segment=3, season=5, cycle=True, channels=2, series=3, missing=True,
    known=(2,), past=(1, 3), known_holes=(True,), past_holes=(False, True),
)  # fmt: skip


def some(layout: Layout, seed: int = 0) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    observed = torch.rand(5, 12, 2, generator=draw) > 0.4
    x = torch.where(observed, torch.randn(5, 12, 2, generator=draw), 0.0)
    streams = {
        "series": torch.tensor([0, 1, 2, 3, 0]),
        "phase": torch.arange(5),
        "observed": observed,
        "known": torch.cat([torch.randn(5, 16, 1, generator=draw), torch.zeros(5, 16, 1)], -1),
        "past": torch.cat([torch.randn(5, 12, 3, generator=draw), torch.rand(5, 12, 1, generator=draw).round()], -1),
        "static": torch.zeros(5, 0),
    }
    return Batch(x, torch.zeros(5, layout.horizon, 2), others={name: Stream(value) for name, value in streams.items()})


@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
@pytest.mark.parametrize("how", ["", *WAYS])
def test_networks_read_gaps(decoder: str, how: str) -> None:
    """What a missing value happens to be changes nothing; when it was seen does, unless it is filled."""
    torch.manual_seed(0)
    layout = replace(LAYOUT, gaps=how, segment=3 if decoder == "segment" else 1)
    config = make_config(PARTS, {"horizon": 4, "hidden_size": 6, "attention": "general", "decoder": decoder})
    net = make_forecaster(config, layout)[0].eval()
    assert net.layout.told == {"": 2, "mask": 3, "decay": 3, "fill": 1}[how]
    given = some(layout)
    with torch.no_grad():
        answer = net(given).prediction
        other = given.with_values("source", torch.where(given["observed"], given.inputs, 99.0))
        torch.testing.assert_close(net(other).prediction, answer)
    assert torch.isfinite(answer).all()
    bared = net.bared(given).batch
    parts = told(bared, layout)
    assert len(parts) == layout.told
    if layout.told == 3:
        np.testing.assert_array_equal(parts[1].numpy(), given["observed"].numpy())
        expected = 1 - np.maximum(seen_by_loops(given["observed"].numpy()), 1) ** -0.5
        np.testing.assert_allclose(parts[2].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("how", WAYS)
def test_what_stands_in_the_place_of_a_missing_value(how: str) -> None:
    """The level of the window, which is zero without it; what fades from the last value; or that itself."""
    layout = replace(LAYOUT, gaps=how, cycle=False)
    config = make_config(PARTS, {"horizon": 4, "hidden_size": 6, "attention": "general", "normalise": "mean"})
    net = make_forecaster(config, layout)[0].eval()
    given = some(layout)
    x, seen = given.inputs.double().numpy(), given["observed"].numpy()
    level = x.sum(1, keepdims=True) / np.maximum(seen.sum(1, keepdims=True), 1)
    last = last_by_loops(x, seen, level)
    stands = {"mask": level, "decay": np.exp(-0.1 * seen_by_loops(seen)) * last, "fill": last}[how]
    found = net.bared(given).batch.inputs.detach().numpy()
    np.testing.assert_allclose(found, np.where(seen, x, stands) - level, atol=1e-6)


def test_a_network_that_knew_no_gaps_gets_the_last_value() -> None:
    layout = replace(LAYOUT, missing=False, gaps="mask", cycle=False)
    config = make_config(PARTS, {"horizon": 4, "hidden_size": 6, "attention": "general", "normalise": "none"})
    net = make_forecaster(config, layout)[0].eval()
    given = some(layout)
    nothing = np.zeros((5, 1, 2))
    expected = last_by_loops(given.inputs.numpy(), given["observed"].numpy(), nothing)
    np.testing.assert_allclose(net.bared(given).batch.inputs.numpy(), expected, atol=1e-6)


def sensor(seed: int = 0) -> pd.DataFrame:
    """Return a wave with gaps and a covariate with gaps."""
    random = np.random.default_rng(seed)
    steps = np.arange(240)
    wave, wind = np.sin(steps / 4) + 0.1 * random.normal(size=240), random.normal(size=240)
    wave[random.random(240) < 0.25], wind[random.random(240) < 0.25] = np.nan, np.nan
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=240, freq="h"), "y": wave, "wind": wind})


@pytest.mark.parametrize("how", WAYS)
def test_every_way_learns_is_saved_and_answers(how: str, tmp_path: Any) -> None:
    frame = sensor()
    made = Forecaster(target="y", past="wind", missing=how, **TINY).fit(frame)  # type: ignore[arg-type]
    layout = made.fitted_.learned.layout
    assert layout.missing and layout.gaps == how and layout.past_holes == (True,)
    answer = made.predict()
    assert np.isfinite(answer["yhat"]).all() and len(answer) == 3
    made.save(tmp_path / "run")
    pd.testing.assert_frame_equal(Forecaster.load(tmp_path / "run").predict(), answer)
    assert np.isfinite(made.predict(df=frame[:-1])["yhat"]).all()


def test_a_reservoir_has_a_way_of_its_own() -> None:
    with pytest.raises(ValueError, match="missing has no effect: a reservoir reads zero where a value is missing"):
        Forecaster(horizon=3, cell="reservoir", hidden_size=20, missing="decay").fit(sensor())
    made = Forecaster(horizon=3, target="y", cell="reservoir", hidden_size=20, max_epochs=1).fit(sensor())
    assert made.fitted_.learned.layout.gaps == "" and np.isfinite(made.predict()["yhat"]).all()


def test_a_way_that_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"missing.*mask.*decay.*fill"):
        Forecaster(horizon=3, missing="interpolate").fit(sensor())  # type: ignore[arg-type]

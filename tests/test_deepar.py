"""DeepAR: its equations once more in loops, what it draws, and what theory says of a process that is known.

Shapes: B windows, L look-back, H horizon, C columns, n paths.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from recurra import Forecaster
from recurra.data.batch import Batch
from recurra.errors import ConfigError
from recurra.settings import make_config
from recurra.tasks.forecast.build import make_forecaster
from recurra.tasks.forecast.drawing import PATHS, DrawnHead, path_levels
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.settings import PARTS
from test_presets import lstm_step

B, L, H, C = 3, 5, 4, 2
LAYOUT = Layout(lookback=L, horizon=H, segment=1, season=1, cycle=False, channels=C, series=3, missing=False)
BESIDE = {"known": (2, 1), "past": (1,), "static": (1,)}
Array = np.ndarray


def network_of(layout: Layout = LAYOUT, **settings: Any) -> tuple[Any, Any]:
    """A network in float64, whose weights are large enough to be seen, and its task."""
    torch.manual_seed(0)
    chosen = {"preset": "deepar", "cell": "lstm", "hidden_size": 8, "dropout": 0.0} | settings
    network, task = make_forecaster(make_config(PARTS, chosen), layout)
    return network.double().eval(), task


def batch(layout: Layout = LAYOUT, count: int = B) -> Batch:
    draw = torch.Generator().manual_seed(1)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    others: dict[str, Any] = {
        "series": torch.arange(count) % layout.series,
        "phase": torch.zeros(count, dtype=torch.long),
        "known": randn(count, L + H, sum(layout.known)),
        "past": randn(count, L, sum(layout.past)),
        "static": randn(count, sum(layout.static)),
    }
    if layout.log:
        others["ratio"] = torch.full((count, 1, layout.channels), 0.1, dtype=torch.float64)
    if layout.counts:
        others["unit"] = torch.tensor([20.0, 5.0], dtype=torch.float64).expand(count, 1, layout.channels, 2)
    return Batch(randn(count, L, layout.channels), randn(count, H, layout.channels), None, None, others)


def some(one: Batch, rows: slice) -> Batch:
    others = {name: stream.values[rows] for name, stream in one.streams.items() if name not in ("source", "target")}
    assert one.targets is not None
    return Batch(one.inputs[rows], one.targets[rows], None, None, others)


def by_hand(network: Any, one: Batch, b: int, values: Any) -> list[Array]:
    """The law's numbers (C, 2) of window ``b`` at each of L + H steps, of values that ``values`` says of each step.

    The network reads values without the mean of the look-back; the numbers are those of values with it.
    """
    core, out = network.core, []
    mean = one.inputs[b].mean(0).numpy()
    cell = core.recurrent.layers[0][0].cell
    h, c = np.zeros(8), np.zeros(8)
    before = np.zeros(C + 2)  # the value, and a column of which the past is known, and whether it is
    for t in range(L + H):
        beside = [one["known"][b, t].numpy(), one["static"][b].numpy()]
        identity = core.identities.weight[one["series"][b]].detach().numpy()
        h, c = lstm_step(cell, np.concatenate([before, *beside, identity]), h, c)
        said = (core.out.weight.detach().numpy() @ h + core.out.bias.detach().numpy()).reshape(C, 2)
        said[:, 0] += mean
        out.append(said)
        past = one["past"][b, t].numpy() if t < L else np.zeros(1)
        before = np.concatenate([values(t, said) - mean, past, [float(t < L)]])
    return out


# The paper's equations


def test_the_numbers_after_true_values_are_those_of_the_paper() -> None:
    layout = replace(LAYOUT, **BESIDE)
    network, _ = network_of(layout)
    one = batch(layout)
    assert one.targets is not None
    whole = torch.cat([one.inputs, one.targets], 1).numpy()
    said = network.train().taught(one).prediction.detach().numpy()
    ahead = network.eval().taught(one).prediction.detach().numpy()
    assert said.shape == (B, L + H, C, 2)
    for b in range(B):
        expected = by_hand(network, one, b, lambda t, _, b=b: whole[b, t])
        np.testing.assert_allclose(said[b], np.stack(expected), atol=1e-10)
        np.testing.assert_allclose(ahead[b], np.stack(expected)[L:], atol=1e-10)


@pytest.mark.parametrize("cell", ["lstm", "gru/lstm"])
def test_without_any_spread_the_mean_is_fed_back(cell: str) -> None:
    layout = replace(LAYOUT, **BESIDE)
    network, _ = network_of(layout, cell=cell)
    with torch.no_grad():
        network.core.out.weight.mul_(3.0)[1::2].zero_()
        network.core.out.bias[1::2] = -40.0  # the scale is the least that a head allows
        network.law.LEAST = 1e-12
    one = batch(layout)
    drawn = network(one).prediction.detach().numpy()
    assert drawn.shape == (B, H, C, PATHS) and np.ptp(drawn, -1).max() < 1e-9
    if cell == "lstm":
        for b in range(B):
            inputs = one.inputs[b].numpy()
            fed = by_hand(network, one, b, lambda t, said, inputs=inputs: inputs[t] if t < L else said[:, 0])
            np.testing.assert_allclose(drawn[b, ..., 0], np.stack(fed)[L:, :, 0], atol=1e-8)
    # what is drawn and then given as true asks for the same numbers
    again = Batch(one.inputs, torch.from_numpy(drawn[..., 0]), None, None, {k: one[k] for k in (*BESIDE, "series")})
    said = network.taught(again).prediction.detach().numpy()
    np.testing.assert_allclose(said[..., 0], drawn[..., 0], atol=1e-8)


@pytest.mark.parametrize("gaps", ["", "mask", "decay"])
def test_each_path_reads_what_was_drawn_of_it(gaps: str) -> None:
    """Given as true values, a path has the numbers at whose levels it was drawn, also after a gap."""
    layout = replace(LAYOUT, **BESIDE, missing=bool(gaps), gaps=gaps, season=3, cycle=True)
    network, _ = network_of(layout)
    network.cycle.start_from(torch.randn(3, 3, C))
    one = some(batch(layout), slice(1))
    streams, known = {name: one[name] for name in (*BESIDE, "series", "phase")}, None
    if gaps:  # the last values of a column are missing
        streams["observed"] = torch.ones(1, L, C, dtype=torch.bool)
        streams["observed"][:, 2:, 0], known = False, torch.ones(1, H, C, dtype=torch.bool)
        one = Batch(torch.where(streams["observed"], one.inputs, 0.0), one.targets, None, known, streams)
    drawn = network(one).prediction.detach()
    levels = path_levels(H, C)
    for path in (0, 17, 127):
        again = Batch(one.inputs, drawn[..., path], None, known, streams)
        mean, scale = network.taught(again).prediction.detach().unbind(-1)
        scores = torch.special.ndtri(levels[path])
        expected = mean[0] + (F.softplus(scale[0]) + network.law.LEAST) * scores
        torch.testing.assert_close(drawn[0, ..., path], expected)


def test_the_loss_is_the_likelihood_of_the_whole_window() -> None:
    """By scipy; what is not known does not count, and in validation only what is ahead does."""
    from scipy.stats import norm

    network, task = network_of(replace(LAYOUT, missing=True, gaps="mask"))
    one = batch()
    assert one.targets is not None
    observed, known = torch.rand(B, L, C) > 0.3, torch.rand(B, H, C) > 0.3
    one = Batch(
        torch.where(observed, one.inputs, 0.0),
        torch.where(known, one.targets, 0.0),
        None,
        known,
        {"series": one["series"], "phase": one["phase"], "observed": observed},
    )
    for training, first in ((True, 0), (False, L)):
        output = task.ask(network.train(training), one)
        mean, scale = output.prediction.detach().numpy()[..., 0], output.prediction.detach()[..., 1]
        truth = torch.cat([one.inputs, one.targets], 1).numpy()[:, first:]  # type: ignore[list-item]
        which = torch.cat([observed, known], 1).numpy()[:, first:]
        expected = -norm.logpdf(truth, mean, F.softplus(scale).numpy() + network.law.LEAST)[which]
        loss = task.loss(output, one)
        assert loss.sum.item() == pytest.approx(expected.sum()) and int(loss.count) == which.sum()


def test_a_missing_value_ahead_is_not_read() -> None:
    network, _ = network_of(replace(LAYOUT, missing=True, gaps="mask"))
    one = batch()
    assert one.targets is not None
    known = torch.ones(B, H, C, dtype=torch.bool)
    known[:, 1] = False
    streams = {"series": one["series"], "phase": one["phase"], "observed": torch.ones(B, L, C, dtype=torch.bool)}
    said = [
        network.taught(Batch(one.inputs, torch.where(known, one.targets, other), None, known, streams)).prediction
        for other in (0.0, 9.0)
    ]
    assert torch.equal(*said)


# What is drawn


@pytest.mark.parametrize("loss", ["gaussian", "student_t", "negative_binomial"])
@pytest.mark.parametrize("log", [False, True])
def test_the_first_step_has_the_quantiles_of_its_law(loss: str, log: bool) -> None:
    if loss == "negative_binomial" and log:
        return
    layout = replace(LAYOUT, log=log, counts=loss == "negative_binomial")
    network, _ = network_of(layout, loss=loss)
    one = batch(layout)
    drawn, said = network(one).prediction.detach(), network.taught(one).prediction.detach()
    ends, expected = network.head.interval(drawn)[:, 0], network.law.interval(said)[:, 0]
    # one path in each of n equal parts: a level is met up to one of them
    spread = (expected[..., -1] - expected[..., 0]).unsqueeze(-1)
    assert ((ends - expected).abs() < 0.12 * spread + 0.1).all()
    assert ((network.head.point(drawn) - network.law.point(said))[:, 0].abs() < 0.05 * spread[..., 0] + 0.1).all()
    if layout.counts:  # whole numbers in the unit of the data
        counts = 20 + 5 * drawn
        torch.testing.assert_close(counts, counts.round())


def test_quantiles_of_values_are_those_of_numpy() -> None:
    network, _ = network_of(levels=(50, 95))
    head = network.head
    assert isinstance(head, DrawnHead)
    values = torch.randn(3, 4, 40, dtype=torch.float64)
    expected = np.quantile(values.numpy(), head.quantiles, axis=-1, method="hazen")
    np.testing.assert_allclose(head.interval(values).numpy(), np.moveaxis(expected, 0, -1))
    np.testing.assert_allclose(head.point(values).numpy(), np.median(values.numpy(), -1))


def test_the_same_is_drawn_each_time_and_in_any_company() -> None:
    network, _ = network_of()
    one = batch(count=6)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    whole = network(one).prediction
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert torch.equal(network(one).prediction, whole)
    for rows in (slice(0, 1), slice(2, 5)):
        torch.testing.assert_close(network(some(one, rows)).prediction, whole[rows])


def test_levels_fill_each_step_evenly() -> None:
    levels = path_levels(6, 2).numpy()
    assert ((levels > 0) & (levels < 1)).all()
    parts = np.sort(np.floor(levels * PATHS), 0)
    assert (parts == np.arange(PATHS)[:, None, None]).all()
    together = np.corrcoef(levels.reshape(PATHS, -1).T)
    assert np.abs(together - np.eye(12)).max() < 0.3


# In use


def autoregressive(count: int, phi: float = 0.8) -> Array:
    random = np.random.default_rng(0)
    y = np.zeros(count)
    for t in range(1, count):
        y[t] = phi * y[t - 1] + random.normal()
    return y


SMALL: dict[str, Any] = {"preset": "deepar", "hidden_size": 8, "max_epochs": 2, "epoch_steps": 5, "lookback": 8}


def test_an_autoregressive_process_is_forecast_as_theory_says() -> None:
    """``z_{t+h}`` has mean ``φ^h z_t`` and variance ``σ² (1 − φ^{2h}) / (1 − φ²)``."""
    phi, horizon, y = 0.8, 6, autoregressive(2500)
    told = {"season": 1, "normalise": "none", "log": False, "dropout": 0.0, "learning_rate": 5e-3, "seed": 1}
    forecaster = Forecaster(
        horizon=horizon, **SMALL | told | {"hidden_size": 16, "max_epochs": 12, "epoch_steps": 60, "last_epochs": 0}
    )
    stamps = pd.date_range("2024", periods=len(y), freq="h")
    forecaster.fit(pd.DataFrame({"ds": stamps, "y": y}))
    steps = np.arange(1, horizon + 1)
    spread = np.sqrt((1 - phi ** (2 * steps)) / (1 - phi**2))
    for last in (800, 1200, 2000):
        said = forecaster.predict(pd.DataFrame({"ds": stamps[:last], "y": y[:last]}))
        assert np.abs(said["yhat"] - y[last - 1] * phi**steps).max() < 0.5
        width = (said["yhat-hi-80"] - said["yhat-lo-80"]).to_numpy() / (2 * 1.2816)
        assert width == pytest.approx(spread, rel=0.2)
        assert width[0] < width[1] < width[3] and width[1] < width[5]


def two_series() -> pd.DataFrame:
    stamps = pd.date_range("2024", periods=120, freq="D")
    waves = [np.sin(np.arange(120) / 3) * size + 5 * size for size in (1.0, 20.0)]
    frames = [
        pd.DataFrame({"unique_id": name, "ds": stamps, "y": wave, "price": np.cos(np.arange(120)), "seen": wave[::-1]})
        for name, wave in zip("ab", waves, strict=True)
    ]
    return pd.concat(frames)


def test_it_is_saved_streamed_sampled_and_cross_validated(tmp_path: Any) -> None:
    frame = two_series()
    forecaster = Forecaster(horizon=3, **SMALL, calendar=True, past="seen").fit(frame)
    said = forecaster.predict()
    again = Forecaster.load(forecaster.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(again.predict(), said)
    alone = forecaster.predict(frame[frame["unique_id"] == "b"])
    expected = said[said["unique_id"] == "b"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected, rtol=1e-4)
    paths = forecaster.sample(20)
    assert len(paths) == 2 * 20 * 3 and np.isfinite(paths["y"]).all()
    tested = forecaster.cross_validation(frame, n_windows=2)
    assert len(tested) == 2 * 2 * 3 and (tested["yhat-lo-90"] <= tested["yhat-hi-90"]).all()


def test_a_stream_and_steps_beyond_the_horizon(tmp_path: Any) -> None:
    y = autoregressive(150)
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=150), "y": y})
    forecaster = Forecaster(horizon=3, **SMALL).fit(frame)
    longer = forecaster.predict(h=7)
    assert len(longer) == 7 and np.isfinite(longer["yhat"]).all()
    np.testing.assert_allclose(longer["yhat"][:3], forecaster.predict()["yhat"])
    stream = forecaster.stream()
    more = pd.DataFrame({"ds": pd.date_range(frame["ds"].iloc[-1], periods=2)[1:], "y": [0.5]})
    found = stream.update(0.5).predict()
    direct = forecaster.predict(pd.concat([frame, more]))
    np.testing.assert_allclose(found["yhat"], direct["yhat"], rtol=1e-4, atol=1e-4)


def test_counts_and_gaps(tmp_path: Any) -> None:
    random = np.random.default_rng(0)
    y = random.poisson(4, 150).astype(float)
    y[20:25] = np.nan
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=150), "y": y})
    forecaster = Forecaster(horizon=3, **SMALL, loss="negative_binomial").fit(frame)
    said = forecaster.predict()
    assert (said["yhat-lo-90"] >= 0).all() and (said["yhat-lo-90"] % 1 == 0).all() and (said["yhat"] < 20).all()


def test_strangers_get_the_mean_identity() -> None:
    frame = two_series()
    forecaster = Forecaster(horizon=3, **SMALL).fit(frame[["unique_id", "ds", "y"]])
    weights = forecaster._fitted().network.core.identities.weight
    torch.testing.assert_close(weights[-1], weights[:-1].mean(0))


@pytest.mark.parametrize("loss", ["quantile", "squared"])
def test_a_loss_that_is_no_distribution_is_refused(loss: str) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=80), "y": np.sin(np.arange(80) / 3)})
    with pytest.raises(ConfigError, match=f"draws from a distribution, and loss='{loss}' is none. Use loss='gaussian'"):
        Forecaster(horizon=2, preset="deepar", loss=loss).fit(frame)

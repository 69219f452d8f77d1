"""Presets: what they fill in, and each paper's equations once more, in loops over numpy arrays.

Shapes: B windows, L look-back, H horizon, C columns, M hidden units.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from recurra import Forecaster
from recurra.cells import GRUCell, LSTMCell
from recurra.data.batch import Batch
from recurra.errors import ConfigError
from recurra.nn.drivers import InputAttention
from recurra.nn.patterns import TemporalPatternAttention
from recurra.nn.scan import EVERY_STEP, scan
from recurra.settings import make_config
from recurra.tasks.forecast.build import make_forecaster
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.presets import PRESETS, has_own_core
from recurra.tasks.forecast.settings import PARTS

B, L, H = 3, 8, 4
LAYOUT = Layout(lookback=L, horizon=H, segment=1, season=3, cycle=False, channels=2, series=1, missing=False)
BESIDE = {"known": (2, 1), "past": (1,), "static": (1,)}
OWN = [name for name in PRESETS if has_own_core(name)]
Array = np.ndarray


def core_of(preset: str, layout: Layout = LAYOUT, **settings: Any) -> Any:
    """A core in float64, so that equal means equal."""
    chosen = {"preset": preset, "hidden_size": 8, "dropout": 0.0} | settings
    return make_forecaster(make_config(PARTS, chosen), layout)[0].double().eval().core


def batch(layout: Layout = LAYOUT, seed: int = 0) -> Batch:
    torch.manual_seed(seed)
    double = {"dtype": torch.float64}
    x = torch.randn(B, layout.lookback, layout.channels, **double)  # type: ignore[call-overload]
    others = {
        "series": torch.zeros(B, dtype=torch.long),
        "phase": torch.zeros(B, dtype=torch.long),
        "known": torch.randn(B, layout.lookback + layout.horizon, sum(layout.known), **double),  # type: ignore[call-overload]
        "past": torch.randn(B, layout.lookback, sum(layout.past), **double),  # type: ignore[call-overload]
        "static": torch.randn(B, sum(layout.static), **double),  # type: ignore[call-overload]
    }
    return Batch(x, None, others=others)


def beside(layout: Layout = LAYOUT) -> Layout:
    from dataclasses import replace

    return replace(layout, **BESIDE)


def numbers(module: nn.Module, name: str) -> Array:
    return dict(module.named_parameters())[name].detach().numpy()


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return e / e.sum()


def lstm_step(cell: Any, x: Array, h: Array, c: Array) -> tuple[Array, Array]:
    """One step of an LSTM as torch orders its gates: in, forget, candidate, out."""
    sums = numbers(cell, "weight_ih") @ x + numbers(cell, "bias_ih") + numbers(cell, "weight_hh") @ h
    i, f, g, o = np.split(sums + numbers(cell, "bias_hh"), 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def linear(layer: Any, x: Array) -> Array:
    bias = 0 if layer.bias is None else layer.bias.detach().numpy()
    return x @ layer.weight.detach().numpy().T + bias


# What is filled in


def test_a_preset_fills_in_what_is_left_open() -> None:
    config = make_config(PARTS, {"preset": "lstnet"})
    assert config.task.loss == "absolute" and config.model.cell == "gru" and config.task.channels == "joint"
    given = make_config(PARTS, {"preset": "lstnet", "loss": "quantile", "cell": "lstm_gru", "combine": True})
    assert (given.task.loss, given.model.cell, given.task.combine) == ("quantile", "lstm_gru", True)
    assert given.task.channels == "joint"
    usual = make_config(PARTS, {})
    assert (usual.model.cell, usual.task.loss, usual.task.decoder) == ("gru", "quantile", "segment")
    assert usual.task.combine is True and usual.task.normalise == "last"


def test_the_defaults_themselves_can_be_asked_for() -> None:
    """A setting that is given is given, also where it is what would be there without the preset."""
    config = make_config(PARTS, {"preset": "da_rnn", "cell": "gru", "normalise": "last"})
    assert config.model.cell == "gru" and config.task.normalise == "last"


def test_a_run_has_what_was_filled_in(tmp_path: Any) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=80), "y": np.sin(np.arange(80) / 3)})
    forecaster = Forecaster(horizon=2, preset="da_rnn", lookback=6, hidden_size=4, max_epochs=1, epoch_steps=2)
    assert "cell" not in repr(forecaster)
    forecaster.fit(frame)
    again = Forecaster.load(forecaster.save(tmp_path / "run"))
    assert again.preset == "da_rnn" and again.cell == "lstm" and again.combine is False
    pd.testing.assert_frame_equal(again.predict(), forecaster.predict())
    looked = forecaster.attention_table()
    assert len(looked) == 2 * 6 and looked.groupby("ds")["weight"].sum().to_numpy() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"preset": "da_rnn", "static": "z"}, "static has no effect"),
        ({"preset": "da_rn"}, "Unknown preset 'da_rn'. Did you mean 'da_rnn'?"),
        ({"preset": "da_rnn", "attention": "dot"}, "attention has no effect: preset='da_rnn' has its own way"),
        ({"preset": "mqrnn", "segment": 3}, "segment has no effect"),
        ({"preset": "tpa_lstm", "lookback": 1}, "lookback=1 has one: use 2"),
    ],
)
def test_what_a_preset_cannot_do_is_said(told: dict[str, Any], said: str) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=80), "y": np.sin(np.arange(80) / 3), "z": 1.0})
    with pytest.raises(ConfigError) as fault:
        Forecaster(horizon=2, target="y", **told).fit(frame)
    assert said in str(fault.value)


@pytest.mark.parametrize("preset", [*OWN, "vanilla", "seq2seq"])
@pytest.mark.parametrize("columns", [False, True])
def test_every_preset_reads_all_it_is_given(preset: str, columns: bool) -> None:
    """Each value of the past, and each number that is known beside it or ahead, moves the answer."""
    layout = beside() if columns else LAYOUT
    core, one = core_of(preset, layout), batch(layout)
    names = [name for name in BESIDE if columns and (preset, name) != ("da_rnn", "static")]
    streams = {name: one[name].requires_grad_() for name in names}
    one = one.with_values("source", x := one.inputs.requires_grad_())
    if preset == "deepar":  # which answers with what is drawn of its numbers; here with their first
        drawn: list[torch.Tensor] = []
        core.fed(one, lambda params, step: drawn.append(params[..., 0]) or drawn[-1], 1)
        said = torch.stack(drawn, 1).unsqueeze(-1)
    else:
        said = core(one, False).prediction
        assert said.shape[-1] == (core.head.size if hasattr(core, "head") else core.size)
    assert said.shape[:-1] == (B, H, 2)
    torch.manual_seed(1)
    gradients = torch.autograd.grad((said * torch.randn_like(said)).sum(), [x, *streams.values()])
    for name, gradient in zip(["source", *streams], gradients, strict=True):
        if preset == "da_rnn" and name == "known":  # drivers are as long as the look-back, up to the last step ahead
            assert not gradient[:, :H].any() and gradient[:, H:].abs().amax((0, 2)).all()
        else:
            assert gradient.abs().amax((0, 2) if gradient.dim() == 3 else 0).all()


# DA-RNN


def test_input_attention_is_that_of_the_paper() -> None:
    torch.manual_seed(0)
    owner = InputAttention(LSTMCell(3, 5), L).double()
    drivers = torch.randn(B, L, 3, dtype=torch.float64)
    bound = owner.bind(drivers)
    found = scan(bound, drivers, bound.initial(), EVERY_STEP, "reference")
    x = drivers.numpy()
    w, u, v = (numbers(owner, f"{name}.weight") for name in ("state", "driver", "energy"))
    for b in range(B):
        h, c = np.zeros(5), np.zeros(5)
        for t in range(L):
            energy = np.array([v[0] @ np.tanh(w @ np.concatenate([h, c]) + u @ x[b, :, k]) for k in range(3)])
            weights = softmax(energy)
            h, c = lstm_step(owner.cell, weights * x[b, t], h, c)
            np.testing.assert_allclose(found.outputs[b, t].detach().numpy(), h, atol=1e-10)
        np.testing.assert_allclose(found.state.weights[b].detach().numpy(), weights, atol=1e-10)


def test_da_rnn_is_that_of_the_paper() -> None:
    """Both stages and the read-out by hand: d_{t+1} reads y_t and c_t, and c_t was seen from d_{t−1}."""
    layout = beside()
    core, one = core_of("da_rnn", layout, cell="lstm"), batch(layout)
    said = core(one, False)
    drivers = np.concatenate([one["known"][:, H:].numpy(), one["past"].numpy()], -1)
    encoded = core.drivers.bind(torch.from_numpy(drivers))
    states = scan(encoded, torch.from_numpy(drivers), encoded.initial(), EVERY_STEP, "reference").outputs
    for b in range(B):
        hs = states[b].detach().numpy()

        def look(d: Array, c: Array, hs: Array = hs) -> tuple[Array, Array]:
            w, u = numbers(core.temporal, "query.weight"), numbers(core.temporal, "key.weight")
            v = numbers(core.temporal, "energy.weight")[0]
            weights = softmax(np.array([v @ np.tanh(w @ np.concatenate([d, c]) + u @ h) for h in hs]))
            return weights @ hs, weights

        d, c = np.zeros(8), np.zeros(8)
        context, weights = look(d, c)
        for t in range(L):
            read = linear(core.join, np.concatenate([one.inputs[b, t].numpy(), context]))
            before = d, c
            d, c = lstm_step(core.decoder, read, d, c)
            context, weights = look(*before)
        out = linear(core.out, linear(core.combine, np.concatenate([d, context])))
        np.testing.assert_allclose(said.prediction[b].detach().numpy().ravel(), out, atol=1e-10)
        np.testing.assert_allclose(said.weights[b, 0].detach().numpy(), weights, atol=1e-10)


def test_gates_of_cells_that_look_are_those_of_the_cell_inside() -> None:
    """A picture of the gates shows what the step used."""
    torch.manual_seed(0)
    owner = InputAttention(GRUCell(3, 5), L).double()
    drivers = torch.randn(B, L, 3, dtype=torch.float64)
    bound = owner.bind(drivers)
    found = scan(bound, drivers, bound.initial(), EVERY_STEP._replace(record=True), "reference")
    plain = owner.cell.gates(
        owner.cell.project(drivers[:, 0] * bound.step(drivers[:, 0], bound.initial()).weights), owner.cell.initial(B)
    )
    assert found.gates is not None
    for name, gate in plain.items():
        torch.testing.assert_close(found.gates[name][:, 0], gate)


# TPA-LSTM


def test_temporal_patterns_are_those_of_the_paper() -> None:
    torch.manual_seed(0)
    attention = TemporalPatternAttention(L, 5, 4).double()
    states = torch.randn(B, L, 5, dtype=torch.float64)
    found = attention(states)
    filters, query = numbers(attention, "patterns.weight"), numbers(attention, "query.weight")
    for b in range(B):
        past, last = states[b, :-1].numpy(), states[b, -1].numpy()
        seen = np.zeros(4)
        for i in range(5):
            c = np.array([sum(past[t, i] * filters[k, t] for t in range(L - 1)) for k in range(4)])
            weight = sigmoid(c @ query @ last)
            assert found.weights[b, i].item() == pytest.approx(weight)
            seen += weight * c
        expected = numbers(attention, "state.weight") @ last + numbers(attention, "seen.weight") @ seen
        np.testing.assert_allclose(found.context[b].detach().numpy(), expected, atol=1e-10)


def test_tpa_lstm_adds_a_straight_line() -> None:
    core, one = core_of("tpa_lstm"), batch()
    found = core(one, False).prediction.detach().numpy()
    seen = core.attention(core.recurrent(one.inputs).outputs).context.detach().numpy()
    network = linear(core.out, seen).reshape(B, H, 2, 1)
    line = np.einsum("hq,bqc->bhc", core.straight.line.weight.detach().numpy(), one.inputs.numpy())
    line += core.straight.line.bias.detach().numpy()[:, None]
    np.testing.assert_allclose(found, network + line[..., None], atol=1e-10)


# LSTNet


def test_lstnet_is_that_of_the_paper() -> None:
    """Filters by loops; every phase of the season is read by itself; a straight line is added."""
    core, one = core_of("lstnet"), batch()
    found = core(one, False).prediction.detach().numpy()
    x = one.inputs.numpy()
    weight, bias = numbers(core.filters, "weight"), numbers(core.filters, "bias")
    maps = np.zeros((B, L, len(bias)))
    for t in range(L):
        for j in range(6):
            if (at := t - 5 + j) >= 0:
                maps[:, t] += x[:, at] @ weight[:, :, j].T
    maps = np.maximum(maps + bias, 0)
    states = [core.recurrent(torch.from_numpy(maps)).outputs[:, -1]]
    first = L % 3  # steps that fill no season
    states += [core.skipping(torch.from_numpy(maps[:, first + phase :: 3])).outputs[:, -1] for phase in range(3)]
    network = linear(core.out, torch.cat(states, -1).detach().numpy()).reshape(B, H, 2, 1)
    line = np.einsum("hq,bqc->bhc", core.straight.line.weight.detach().numpy(), x)
    line += core.straight.line.bias.detach().numpy()[:, None]
    np.testing.assert_allclose(found, network + line[..., None], atol=1e-10)


def test_lstnet_skips_nothing_without_two_seasons() -> None:
    from dataclasses import replace

    assert core_of("lstnet", replace(LAYOUT, season=1)).skipping is None
    assert core_of("lstnet", replace(LAYOUT, season=5)).skipping is None
    assert core_of("lstnet", replace(LAYOUT, season=4)).skipping is not None


# MQ-RNN


def test_mqrnn_is_that_of_the_paper() -> None:
    layout = beside()
    core, one = core_of("mqrnn", layout), batch(layout)
    found = core(one, False).prediction.detach().numpy()
    static = one["static"].numpy()
    past = np.concatenate(
        [
            one.inputs.numpy(),
            one["known"][:, :L].numpy(),
            one["past"].numpy(),
            np.repeat(static[:, None], L, 1),
        ],
        -1,
    )
    last = core.recurrent(torch.from_numpy(past)).outputs[:, -1].detach().numpy()
    ahead = np.concatenate([one["known"][:, L:].numpy(), np.repeat(static[:, None], H, 1)], -1)

    def perceptron(layers: Any, x: Array) -> Array:
        return linear(layers[3], np.maximum(linear(layers[0], x), 0))

    for b in range(B):
        contexts = perceptron(core.everything, np.concatenate([last[b], *ahead[b]])).reshape(H + 1, -1)
        for h in range(H):
            said = perceptron(core.one, np.concatenate([contexts[h], contexts[-1], ahead[b, h]]))
            np.testing.assert_allclose(found[b, h].ravel(), said, atol=1e-10)


# All


@pytest.mark.parametrize("preset", [*OWN, "seq2seq"])
def test_a_preset_learns_a_wave(preset: str) -> None:
    """Far better than the last value, whose mean error on a wave of two columns is about 0.9."""
    steps = np.arange(400)
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=400, freq="h")})
    frame["a"], frame["b"] = np.sin(steps * 2 * np.pi / 8), np.cos(steps * 2 * np.pi / 8)
    told: dict[str, Any] = {
        "horizon": 4,
        "lookback": 16,
        "season": 8,
        "cycle": False,
        "hidden_size": 24,
        "dropout": 0.0,
    }
    forecaster = Forecaster(preset=preset, **told, max_epochs=15, epoch_steps=20, learning_rate=1e-2, seed=1)
    config = forecaster._config()
    prepared = KIND.prepare(KIND.read(frame, config), config, 40)
    from recurra.tasks.session import Session

    session = Session(prepared)
    for _ in session.epochs():
        pass
    exam = KIND.exam(prepared.data, prepared.learned, prepared.plan.test)
    said = KIND.ask(session.fitted, exam.examples).point
    assert np.abs(said - exam.truth.values).mean() < 0.15

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
from recurra.cells import GRUCell, LSTMCell, state_tensors
from recurra.data.batch import Batch
from recurra.errors import ConfigError
from recurra.nn.dilated import Dilated
from recurra.nn.drivers import InputAttention
from recurra.nn.gating import GatedResidual, GatedSelection
from recurra.nn.layers import Recurrent
from recurra.nn.patterns import TemporalPatternAttention
from recurra.nn.scan import EVERY_STEP, scan
from recurra.settings import make_config
from recurra.tasks.forecast.build import make_forecaster
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.presets import PRESETS, has_own_core
from recurra.tasks.forecast.settings import PARTS
from recurra.verbs.common import Source
from recurra.verbs.train import train

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


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_has_a_report(preset: str, tmp_path: Any) -> None:
    steps = np.arange(90)
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=90), "a": np.sin(steps / 3), "b": np.cos(steps / 3)})
    told = {"preset": preset, "horizon": 2, "lookback": 6, "hidden_size": 4, "max_epochs": 1, "epoch_steps": 2}
    done = train(KIND, Source(KIND.read(frame, make_config(PARTS, told)), test_size=20), told, tmp_path / "run")
    assert done.report is not None
    page = done.report.read_text(encoding="utf-8")
    assert "Learning" in page and ("Gates over time" in page) == (preset not in ("da_rnn", "es_rnn"))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"preset": "da_rnn", "static": "z"}, "static has no effect"),
        ({"preset": "lstnet", "zoneout": 0.1}, "zoneout has no effect: preset='lstnet' has one layer"),
        ({"preset": "es_rnn", "cell": "lstm/gru"}, "has a place for one cell. Got cell='lstm/gru'"),
        ({"preset": "tft", "cell": "reservoir"}, "leave one of them out"),
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


# TFT


def norm(layer: Any, x: Array) -> Array:
    scaled = (x - x.mean()) / np.sqrt(x.var() + layer.eps)
    return scaled * numbers(layer, "weight") + numbers(layer, "bias")


def gated_skip(skip: Any, x: Array, y: Array) -> Array:
    """Of two layers in one, the first half is the value and the second one the gate."""
    value, gate = np.split(linear(skip.gated.both, y), 2)
    return norm(skip.norm, x + value * sigmoid(gate))


def residual(network: Any, x: Array, context: Array | None) -> Array:
    hidden = linear(network.read, x) + (0 if network.context is None else linear(network.context, context))  # type: ignore[arg-type]
    inner = linear(network.inner, np.where(hidden > 0, hidden, np.exp(hidden) - 1))
    return gated_skip(network.skip, x if isinstance(network.around, nn.Identity) else linear(network.around, x), inner)


def selection(chosen: Any, variables: list[Array], context: Array | None) -> tuple[Array, Array]:
    parts = [linear(one, x) for one, x in zip(chosen.maps, variables, strict=True)]
    said = [residual(one, part, None) for one, part in zip(chosen.networks, parts, strict=True)]
    if len(said) == 1:
        return said[0], np.ones(1)
    weights = softmax(residual(chosen.weigh, np.concatenate(parts), context))
    return sum(weight * part for weight, part in zip(weights, said, strict=True)), weights


@pytest.mark.parametrize(("size", "context"), [(5, 0), (5, 4), (7, 4)])
def test_a_gated_residual_network_is_that_of_the_paper(size: int, context: int) -> None:
    torch.manual_seed(0)
    network = GatedResidual(5, 6, size, context).double()
    x, c = torch.randn(B, 5, dtype=torch.float64), torch.randn(B, context, dtype=torch.float64)
    found = network(x, c if context else None).detach().numpy()
    for b in range(B):
        expected = residual(network, x[b].numpy(), c[b].numpy() if context else None)
        np.testing.assert_allclose(found[b], expected, atol=1e-10)


@pytest.mark.parametrize("widths", [(1, 3, 2), (3,)])
def test_variables_are_selected_as_in_the_paper(widths: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    chosen = GatedSelection(widths, 6, 4).double()
    variables = [torch.randn(B, L, width, dtype=torch.float64) for width in widths]
    c = torch.randn(B, 1, 4, dtype=torch.float64)
    found, weights = chosen(variables, c)
    for b in range(B):
        for t in range(L):
            said, weighed = selection(chosen, [one[b, t].numpy() for one in variables], c[b, 0].numpy())
            np.testing.assert_allclose(found[b, t].detach().numpy(), said, atol=1e-10)
            np.testing.assert_allclose(weights[b, t].detach().numpy(), weighed, atol=1e-10)


def looked(attention: Any, states: Array, at: int) -> tuple[Array, Array]:
    """Four heads see the same values up to ``at``; returns what is seen and the mean weights."""
    query, keys = linear(attention.query, states[at]), linear(attention.key, states[: at + 1])
    values, width = linear(attention.value, states[: at + 1]), len(query) // 4
    heads = [slice(n * width, (n + 1) * width) for n in range(4)]
    weights = np.mean([softmax(keys[:, head] @ query[head] / np.sqrt(width)) for head in heads], 0)
    return linear(attention.out, weights @ values), weights


@pytest.mark.parametrize("columns", [False, True])
def test_tft_is_that_of_the_paper(columns: bool) -> None:
    """Every step by hand, with static, past and known columns and two series, and with the values alone."""
    from dataclasses import replace

    layout = replace(beside(), series=2) if columns else LAYOUT
    core, one = core_of("tft", layout, cell="lstm"), batch(layout).with_values("series", torch.arange(B))
    said, fused = core(one, False), core.steps
    for b in range(B):
        x, known, past, static = (one[name][b].numpy() for name in ("source", "known", "past", "static"))
        select = enrich = None
        h, c = np.zeros(8), np.zeros(8)
        if columns:
            zeta = selection(fused.static.selection, [static, numbers(core.identities, "weight")[b]], None)[0]
            select, enrich, h, c = (residual(network, zeta, None) for network in fused.static.networks)
        chosen, steps = [], []
        for t in range(L + H):
            ahead = [known[t, :2], known[t, 2:]] if columns else []
            if t < L:
                values = [x[t], *([past[t]] if columns else []), *ahead]
                chosen.append(selection(fused.past, values, select)[0])
            else:
                chosen.append(selection(fused.future, ahead, select)[0] if columns else numbers(fused, "places")[t - L])
            cell = (fused.reader if t < L else fused.writer).cells()[0]
            h, c = lstm_step(cell, chosen[t], h, c)
            steps.append(gated_skip(fused.skip, chosen[t], h))
        states = np.array([residual(fused.enrich, step, enrich) for step in steps])
        for ahead_by in range(H):
            seen, weights = looked(core.attention, states, L + ahead_by)
            inner = residual(core.single, gated_skip(core.looked, states[L + ahead_by], seen), None)
            params = linear(core.out, gated_skip(core.last, steps[L + ahead_by], inner))
            np.testing.assert_allclose(said.prediction[b, ahead_by].detach().numpy().ravel(), params, atol=1e-10)
            np.testing.assert_allclose(said.weights[b, ahead_by].detach().numpy(), weights[:L], atol=1e-10)


def test_what_never_changes_is_where_any_cell_begins() -> None:
    """The states of a cell that has no memory, or two cells inside, are filled as far as there are h and c."""
    from recurra.tasks.forecast.presets.tft import Contexts, _begun

    h, c = torch.full((B, 8), 2.0), torch.full((B, 8), 3.0)
    contexts = Contexts(h, h, h, c)
    for cell, expected in (("lstm", (h, c)), ("gru", (h,)), ("lstm_gru", (h, c)), ("parallel", (h, h, c, h))):
        core = core_of("tft", beside(), cell=cell)
        ((state,),) = _begun(core.steps.reader, contexts)
        for found, given in zip(state_tensors(state), expected, strict=True):
            assert torch.equal(found, given)
        assert core(batch(beside()), False).prediction.shape[:3] == (B, H, 2)


def test_tft_takes_the_number_of_its_heads() -> None:
    assert core_of("tft", heads=2).attention.heads == 2
    with pytest.raises(ConfigError, match="nearest number of heads that fits is 2"):
        core_of("tft", heads=3)


# ES-RNN


def smoothed(x: list[float], alpha: float, gamma: float, m: int) -> tuple[float, list[float]]:
    """The last level and the seasons of all steps and the next ``H``; NaN stands for a missing value."""
    first = [value for value in x[:m] if not np.isnan(value)] or [value for value in x if not np.isnan(value)]
    level = sum(first) / len(first) if first else 0.0
    season = {t: 0.0 if m == 1 or np.isnan(x[t]) else x[t] - level for t in range(m)}
    for t, value in enumerate(x):
        season[t + m] = season[t]
        if t >= m and not np.isnan(value):
            level = alpha * (value - season[t]) + (1 - alpha) * level
            if m > 1:
                season[t + m] = gamma * (value - level) + (1 - gamma) * season[t]
    for t in range(len(x) + m, len(x) + H):
        season[t] = season[t - m]
    return level, [season[t] for t in range(len(x) + H)]


def with_shares(core: Any) -> Array:
    """Shares of their own for each series and column; returns them (S + 1, 2, C)."""
    torch.manual_seed(2)
    nn.init.normal_(core.identities.weight)
    return sigmoid(numbers(core.identities, "weight")).reshape(-1, 2, 2)


@pytest.mark.parametrize("dilation", [1, 2, 3, 5, 9])
def test_a_dilated_layer_reads_the_state_so_many_steps_before(dilation: int) -> None:
    torch.manual_seed(0)
    layer = Dilated(Recurrent([[LSTMCell(2, 5)]]), dilation).double()
    x = torch.randn(B, L, 2, dtype=torch.float64)
    found, cell = layer(x).detach().numpy(), layer.recurrent.cells()[0]
    for b in range(B):
        states = [(np.zeros(5), np.zeros(5))] * dilation
        for t in range(L):
            states.append(lstm_step(cell, x[b, t].numpy(), *states[-dilation]))
            np.testing.assert_allclose(found[b, t], states[-1][0], atol=1e-10)


@pytest.mark.parametrize(("season", "m"), [(3, 3), (4, 4), (1, 1), (5, 1)])
@pytest.mark.parametrize("holes", [(), (4, 6), (0, 5), (0, 1, 2, 3), tuple(range(L))])
def test_windows_are_smoothed_as_in_the_paper(season: int, m: int, holes: tuple[int, ...]) -> None:
    """With and without a season, of which two fit, and with values missing at places, at first, and all of them."""
    from dataclasses import replace

    core, one = core_of("es_rnn", replace(LAYOUT, season=season, series=2)), batch()
    shares, known = with_shares(core), torch.ones_like(one.inputs)
    known[:, list(holes)] = 0
    found = core.smoothing(one.inputs * known, known, core.identities(torch.tensor([0, 1, 2])))
    for b in range(B):
        for c in range(2):
            x = [float("nan") if t in holes else one.inputs[b, t, c].item() for t in range(L)]
            level, seasons = smoothed(x, *shares[b, :, c], m)
            assert found.level[b, 0, c].item() == pytest.approx(level)
            np.testing.assert_allclose(found.season[b, :, c].detach().numpy(), seasons, atol=1e-10)


def test_es_rnn_is_that_of_the_paper() -> None:
    """Layers of 1 and 2, then of 3 and 4 steps with what they read beside them, on what smoothing leaves."""
    from dataclasses import replace

    layout = replace(beside(), series=2)
    core, one = core_of("es_rnn", layout, loss="squared", cell="lstm"), batch(layout)
    one = one.with_values("series", torch.arange(B))
    assert [[layer.dilation for layer in block] for block in core.stack.blocks] == [[1, 2], [3, 4]]
    shares, found = with_shares(core), core(one, False).prediction.detach().numpy()
    for b in range(B):
        x, known, past, static = (one[name][b].numpy() for name in ("source", "known", "past", "static"))
        done = [smoothed(list(x[:, c]), *shares[b, :, c], 3) for c in range(2)]
        level, seasons = np.array([one[0] for one in done]), np.array([one[1] for one in done]).T
        read = np.concatenate([x - level - seasons[:L], known[:L], past, np.repeat(static[None], L, 0)], -1)
        for number, block in enumerate(core.stack.blocks):
            said = read
            for layer in block:
                states = [(np.zeros(8), np.zeros(8))] * layer.dilation
                for step in said:
                    states.append(lstm_step(layer.recurrent.cells()[0], step, *states[-layer.dilation]))
                said = np.array([h for h, _ in states[layer.dilation :]])
            read = said + read if number else said
        ahead = np.concatenate([known[L:], np.repeat(static[None], H, 0)], -1).ravel()
        out = linear(core.out, np.tanh(linear(core.adapter, np.concatenate([read[-1], ahead]))))
        np.testing.assert_allclose(found[b, ..., 0], out.reshape(H, 2) + level + seasons[L:], atol=1e-10)


def test_es_rnn_multiplies_where_the_network_sees_logarithms() -> None:
    """Where nothing is added, the answer is level times season, both smoothed as products of positive values."""
    from dataclasses import replace

    layout = replace(LAYOUT, log=True)
    config = make_config(PARTS, {"preset": "es_rnn", "hidden_size": 8, "loss": "squared"})
    network, ratio = make_forecaster(config, layout)[0].double().eval(), 0.2
    core: Any = network.core
    nn.init.zeros_(core.out.weight)
    nn.init.zeros_(core.out.bias)
    one, (alpha, gamma) = batch(layout), with_shares(core)[0]
    one = one.with_values("ratio", torch.full((B, 1, 2), ratio, dtype=torch.float64))
    said = network(one).prediction.detach().numpy()[..., 0]
    values = 1 + ratio * one.inputs.numpy()
    assert (values > 0).all()
    for b in range(B):
        level = np.exp(np.log(values[b, :3]).mean(0))
        season = [values[b, t] / level for t in range(3)] * 2
        for t in range(3, L):
            level = level ** (1 - alpha) * (values[b, t] / season[t]) ** alpha
            season.append(season[t] ** (1 - gamma) * (values[b, t] / level) ** gamma)
        ahead = np.array([*season, season[L]][L:])
        np.testing.assert_allclose(1 + ratio * said[b], level * ahead, atol=1e-10)


def test_es_rnn_reads_nothing_where_a_value_is_missing() -> None:
    core, one = core_of("es_rnn"), batch()
    observed = torch.ones(B, L, 2, dtype=torch.bool)
    observed[0, 5, 1] = observed[1, 0, 0] = False
    one = one.with_values("observed", observed)
    other = one.with_values("source", torch.where(observed, one.inputs, 9.0))
    torch.testing.assert_close(core(one, False).prediction, core(other, False).prediction)


@pytest.mark.parametrize(
    ("lookback", "season", "blocks"),
    [(8, 1, [[1, 2], [4]]), (7, 1, [[1, 2]]), (1, 1, [[1]]), (24, 12, [[1, 2], [4, 12]]), (23, 12, [[1, 2], [4]])],
)
def test_layers_are_dilated_as_far_as_the_look_back_allows(lookback: int, season: int, blocks: Any) -> None:
    from dataclasses import replace

    core = core_of("es_rnn", replace(LAYOUT, lookback=lookback, season=season))
    assert [[layer.dilation for layer in block] for block in core.stack.blocks] == blocks


def test_a_stranger_is_smoothed_as_the_others_are_on_average() -> None:
    steps = np.arange(60)
    frame = pd.concat(
        pd.DataFrame({"unique_id": n, "ds": pd.date_range("2024", periods=60), "y": np.sin(steps / k)})
        for k, n in enumerate("ab", 2)
    )
    told: dict[str, Any] = {"horizon": 2, "lookback": 8, "hidden_size": 4, "max_epochs": 1, "epoch_steps": 3}
    forecaster = Forecaster(preset="es_rnn", learning_rate=0.1, **told).fit(frame)
    shares = forecaster.network_.core.identities.weight
    assert shares[:-1].any() and torch.equal(shares[-1], shares[:-1].mean(0))
    new = frame[frame.unique_id == "a"].assign(unique_id="z")
    assert forecaster.predict(new)["yhat"].notna().all()
    grown = forecaster.fit_more(pd.concat([frame, new])).network_.core.identities.weight
    assert grown.shape == (4, 2) and torch.equal(grown[-1], grown[:-1].mean(0))


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

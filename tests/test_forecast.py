"""The forecasting network: level and cycle go out and come back, what is missing is not seen, a sine is learned."""

import copy
import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recurra.attention.lagged import SPEED
from recurra.data.batch import Batch
from recurra.data.series import Panel, Schema
from recurra.nn.heads import AbsoluteHead, Head, QuantileHead
from recurra.nn.models import Output
from recurra.settings import make_config
from recurra.tasks.base import Prepared
from recurra.tasks.forecast.build import make_forecaster
from recurra.tasks.forecast.exam import ask_network
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.network import Cycle, ForecastNet, level
from recurra.tasks.forecast.settings import PARTS
from recurra.tasks.forecast.task import ForecastTask
from recurra.tasks.session import Session
from recurra.training.loop import fit

LAYOUT = Layout(lookback=12, horizon=4, segment=3, season=5, cycle=False, channels=2, series=3, missing=False)
B, L, H, C, S = 4, 12, 4, 2, 5  # a look-back that is no whole number of seasons


def make(layout: Layout = LAYOUT, **settings: Any) -> ForecastNet:
    """A small network in float64, so that equal means equal."""
    chosen = {"hidden_size": 8, "heads": 2, "dropout": 0.0} | settings
    if chosen.get("decoder") == "vanilla":
        layout = dataclasses.replace(layout, segment=1)
    return make_forecaster(make_config(PARTS, chosen), layout)[0].double().eval()


def batch(seed: int = 0, missing: float = 0.0, layout: Layout = LAYOUT) -> Batch:
    torch.manual_seed(seed)
    x = torch.randn(B, layout.lookback, layout.channels, dtype=torch.float64)
    others = {"series": torch.tensor([0, 1, 2, 0]), "phase": torch.tensor([0, 3, -2, 9])}
    if missing:
        others["observed"] = torch.rand(x.shape) >= missing
        x = x * others["observed"]
    targets = torch.randn(B, layout.horizon, layout.channels, dtype=torch.float64)
    return Batch(x, targets, others=others)


class Silent(nn.Module):
    """A core that has nothing to say."""

    def __init__(self, horizon: int, numbers: int):
        super().__init__()
        self.horizon, self.numbers = horizon, numbers
        self.seen: list[Tensor] = []

    def forward(self, batch: Batch, record: bool) -> Output:
        x = batch.inputs
        self.seen.append(x)
        return Output(x.new_zeros(len(x), self.horizon, x.shape[2], self.numbers))


# Level


@pytest.mark.parametrize("kind", ["last", "mean", "none"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_level_by_loops(kind: str, share: float) -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(6, 5, 2))
    known = random.random(x.shape) >= share
    found = level(torch.from_numpy(x), torch.from_numpy(known) if share else None, kind)
    assert found.shape == (6, 1, 2)
    for b in range(6):
        for c in range(2):
            values = x[b, known[b, :, c], c] if share else x[b, :, c]
            expected = (
                {"last": lambda v: v[-1], "mean": np.mean, "none": lambda v: 0.0}[kind](values) if len(values) else 0
            )
            assert found[b, 0, c].item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["last", "mean", "none"])
def test_level_does_not_see_what_is_missing(kind: str) -> None:
    x, known = torch.randn(6, 5, 2), torch.rand(6, 5, 2) > 0.5
    for garbage in (1e30, math.inf, math.nan):
        assert torch.equal(level(torch.where(known, x, garbage), known, kind), level(x, known, kind))


# Unit


def slow(size: float) -> Prepared:
    """Return windows of a series that goes up and down again, with noise of ``size`` beside a spread of about 1."""
    random = np.random.default_rng(0)
    values = np.concatenate([np.linspace(-2, 2, 150), np.linspace(2, -2, 150)]) + size * random.normal(size=300)
    config = make_config(PARTS, {"horizon": 1, "lookback": 8, "segment": 4, "season": 1, "log": False})
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=300), "y": values})
    return KIND.prepare(KIND.read(frame, config), config, 0)


def test_small_changes_are_a_unit_of_their_own() -> None:
    """It is the mean change of the training targets; of changes that are not small it is 1."""
    prepared = slow(0.03)
    network = Session(prepared).fitted.network
    scaling, y = prepared.learned.scaling, prepared.data.values[0]
    firsts = prepared.plan.train.origins[0]
    expected = np.abs(y[firsts] - y[firsts - 1]).mean() / scaling.std[0, 0]
    assert network.unit.item() == pytest.approx(expected, rel=1e-5) and expected < 0.2
    assert Session(slow(1.0)).fitted.network.unit.item() == 1.0


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_core_sees_and_says_changes_in_their_unit(missing: float) -> None:
    """What it sees is so much larger, what it says counts so much less, and level and cycle stay as they are."""
    net, plain = make(), make()
    net.load_state_dict(plain.state_dict() | {"unit": torch.tensor(0.1, dtype=torch.float64)})
    one = batch(missing=missing)
    torch.testing.assert_close(net.bared(one).batch.inputs, 10 * plain.bared(one).batch.inputs)
    said = torch.randn(B, H, C, net.head.size, dtype=torch.float64)
    bared = net.bared(one)
    torch.testing.assert_close(net.dressed(said, bared), plain.dressed(0.1 * said, plain.bared(one)))


# Cycle


def test_cycle_is_a_table_that_goes_round() -> None:
    cycle = Cycle(2, 4, 1)
    assert (cycle.table == 0).all()
    cycle.start_from(torch.arange(8.0).view(2, 4, 1))
    found = cycle(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 3, -1, 1]), 6)[..., 0]
    assert found.tolist() == [[0, 1, 2, 3, 0, 1], [7, 4, 5, 6, 7, 4], [7, 4, 5, 6, 7, 4], [0] * 6]


def test_a_series_that_was_not_there_has_no_cycle_even_after_training() -> None:
    cycle = Cycle(2, 4, 1)
    cycle.start_from(torch.randn(2, 4, 1))
    optimiser = torch.optim.AdamW(cycle.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(5):
        optimiser.zero_grad()
        cycle(torch.tensor([0, 1]), torch.tensor([1, 2]), 4).square().sum().backward()
        optimiser.step()
    assert (cycle.table[2] == 0).all() and (cycle.table[:2] != 0).all()


# What is taken out comes back


@pytest.mark.parametrize("head", [AbsoluteHead(), QuantileHead((80,))], ids=["point", "quantiles"])
@pytest.mark.parametrize("missing", [0.0, 0.4])
@pytest.mark.parametrize("kind", ["last", "mean", "none"])
@pytest.mark.parametrize("cycle", [False, True])
def test_undo_is_exact(head: Head, missing: float, kind: str, cycle: bool) -> None:
    layout = dataclasses.replace(LAYOUT, cycle=cycle)
    net = ForecastNet(Silent(H, head.size), head, layout, kind).double()
    table = torch.zeros(3, S, C, dtype=torch.float64)
    if net.cycle is not None:
        table = torch.randn(3, S, C, dtype=torch.float64)
        net.cycle.start_from(table)
    given = batch(missing=missing)
    answer = head.point(net(given).prediction)
    observed = given.get("observed")
    observed = torch.ones(B, L, C, dtype=torch.bool) if observed is None else observed
    for b in range(B):
        s, phase = int(given["series"][b]), int(given["phase"][b])
        for c in range(C):
            season = [table[s, (phase + t) % S, c].item() for t in range(L + H)]
            rest = [given.inputs[b, t, c].item() - season[t] for t in range(L) if observed[b, t, c]]
            base = {"last": rest[-1], "mean": sum(rest) / len(rest), "none": 0.0}[kind]
            for step in range(H):
                assert answer[b, step, c].item() == pytest.approx(base + season[L + step], abs=1e-12)


def test_a_silent_core_repeats_the_last_value_and_the_cycle() -> None:
    pattern = torch.tensor([1.0, -2.0, 0.5, 0.5, 0.0]).double()
    series = (7.0 + pattern[torch.arange(L + H) % S]).view(1, -1, 1).expand(B, -1, C)
    net = ForecastNet(Silent(H, 1), AbsoluteHead(), dataclasses.replace(LAYOUT, cycle=True), "last").double()
    assert net.cycle is not None
    net.cycle.start_from(pattern.view(1, S, 1).expand(3, S, C))
    given = Batch(series[:, :L], others={"series": torch.zeros(B, dtype=torch.long), "phase": torch.zeros(B).long()})
    assert torch.allclose(net(given).prediction[..., 0], series[:, L:])
    (seen,) = net.core.seen  # type: ignore[union-attr]
    assert torch.allclose(seen, torch.zeros_like(seen)), "level and season are out: nothing is left to say"


@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
@pytest.mark.parametrize("kind", ["last", "mean"])
def test_a_shift_of_the_level_shifts_the_forecast(decoder: str, kind: str) -> None:
    net = make(decoder=decoder, normalise=kind)
    given = batch()
    moved = given.with_values("source", given.inputs + 100)
    assert torch.allclose(net(moved).prediction, net(given).prediction + 100)
    absolute = make(decoder=decoder, normalise="none")
    assert not torch.allclose(absolute(moved).prediction, absolute(given).prediction + 100)


# The cores against other words for them


def test_segment_core_in_the_words_of_torch() -> None:
    layout = dataclasses.replace(LAYOUT, series=1)
    net = make(layout, cell="gru", attention="dot", loss="absolute", normalise="none")
    core: Any = net.core
    lagged = core.writer.attention
    with torch.no_grad():  # as if something had been learned of lags and copies, which start at nothing
        nn.init.normal_(lagged.preferences)
        lagged.share.fill_(0.8)
        nn.init.normal_(core.copied)
    given = batch()
    given["series"][:] = 0
    gru = nn.GRU(8, 8, batch_first=True).double()
    cell = core.recurrent.cells()[0]
    gru.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    last = nn.GRUCell(8, 8).double()
    last.load_state_dict(core.writer.cell.state_dict())
    segments = given.inputs.reshape(B, 4, 3 * C)
    states, h = gru(F.relu(F.linear(segments, core.embed.weight, core.embed.bias)))
    written, looked = [], []
    for number, query in enumerate(core.places):
        s = last(query.expand(B, -1), h[0])
        preferred = SPEED * lagged.preferences[0, [3 + number, 2 + number, 1 + number, number]]
        weights = torch.softmax(0.8 * (states @ s.unsqueeze(2))[..., 0] + preferred, 1)
        context = (weights.unsqueeze(2) * states).sum(1)
        copied = core.copied[number] * (weights.unsqueeze(2) * segments).sum(1)
        written.append(core.out(s + core.writer.combine(torch.cat([context, s], 1))) + copied)
        looked.append(weights)
    expected = torch.stack(written, 1).reshape(B, 2, 3, C).reshape(B, 6, C)[:, :H]
    answer = net(given)
    assert torch.allclose(answer.prediction[..., 0], expected)
    assert answer.weights is not None and torch.allclose(answer.weights, torch.stack(looked, 1))


def test_vanilla_core_in_the_words_of_torch() -> None:
    net = make(cell="lstm", attention="none", loss="absolute", normalise="none", decoder="vanilla")
    core: Any = net.core
    given = batch()
    lstm, step = nn.LSTM(C, 8, batch_first=True).double(), nn.LSTMCell(C, 8).double()
    cell = core.writer.recurrent.cells()[0]
    lstm.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    step.load_state_dict(core.writer.decoder.cell.state_dict())
    _, (h, c) = lstm(given.inputs)
    state, x, said = (h[0], c[0]), given.inputs[:, -1], []
    for _ in range(H):
        state = step(x, state)
        x = core.writer.head(state[0])
        said.append(x)
    assert torch.allclose(net(given).prediction[..., 0], torch.stack(said, 1))


def test_vanilla_is_autoregressive() -> None:
    long = make(decoder="vanilla", attention="additive")
    short = make(dataclasses.replace(LAYOUT, horizon=2), decoder="vanilla", attention="additive")
    short.load_state_dict(long.state_dict())
    given = batch()
    assert torch.allclose(short(given).prediction, long(given).prediction[:, :2])


def test_what_the_vanilla_decoder_reads_back_is_the_median() -> None:
    net = make(decoder="vanilla", loss="quantile", levels=(80,))
    spread = copy.deepcopy(net)
    out: Any = spread.core.writer.head[-1]  # type: ignore[union-attr]
    out.bias.data.view(C, 3)[:, 0] -= 5
    out.bias.data.view(C, 3)[:, 2] += 5
    one, two = net(batch()).prediction, spread(batch()).prediction
    assert not torch.allclose(one, two)
    assert two[..., 0].max() < two[..., 1].min(), "now in order, so the middle number is the median"
    base = copy.deepcopy(spread)
    base_out: Any = base.core.writer.head[-1]  # type: ignore[union-attr]
    base_out.bias.data.view(C, 3)[:, 2] += 5
    assert torch.allclose(base(batch()).prediction[..., 1], two[..., 1]), "the ends feed nothing back"


# Columns, series, missing values


@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
def test_columns_read_together_know_of_each_other(decoder: str) -> None:
    net = make(decoder=decoder)
    given = batch()
    changed = given.with_values("source", given.inputs.clone())
    changed.inputs[:, 3, 0] += 1
    one, two = net(given).prediction, net(changed).prediction
    assert not torch.equal(one[:, :, 1], two[:, :, 1])


def test_identity_of_a_series() -> None:
    net = make(normalise="none")
    given = batch()
    answers = []
    for number in range(4):  # 3 is a series that was not there in training
        given["series"][:] = number
        answers.append(net(given).prediction)
    assert all(torch.isfinite(answer).all() for answer in answers)
    assert len({round(answer.sum().item(), 9) for answer in answers}) == 4
    alone = make(dataclasses.replace(LAYOUT, series=1))
    assert alone.core.identities is None  # type: ignore[union-attr]


@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("kind", ["last", "mean", "none"])
@pytest.mark.parametrize("cycle", [False, True])
def test_garbage_in_missing_places_does_not_matter(decoder: str, told: bool, kind: str, cycle: bool) -> None:
    net = make(dataclasses.replace(LAYOUT, missing=told, cycle=cycle), decoder=decoder, normalise=kind)
    given = batch(missing=0.4)
    clean = net(given).prediction
    assert torch.isfinite(clean).all()
    for garbage in (1e9, math.nan):
        spoilt = given.with_values("source", given.inputs.masked_fill(~given["observed"], garbage))
        assert torch.equal(net(spoilt).prediction, clean)


@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
def test_the_network_is_told_what_is_missing(decoder: str) -> None:
    net = make(dataclasses.replace(LAYOUT, missing=True), decoder=decoder, normalise="none")
    given = batch()
    given.inputs[:, 4] = 0.0
    holes = given.with_values("observed", torch.ones(B, L, C, dtype=torch.bool))
    whole = net(holes).prediction
    assert torch.equal(whole, net(given).prediction), "all known is the same as nothing said"
    holes["observed"][:, 4] = False
    assert not torch.equal(net(holes).prediction, whole), "a zero is not a hole"


@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
@pytest.mark.parametrize("attention", ["none", "additive", "multi_head", "local_p", "location_aware", "monotonic"])
def test_answers_and_gradients_are_finite_in_extremes(decoder: str, attention: str) -> None:
    layout = dataclasses.replace(LAYOUT, missing=True, cycle=True)
    net = make(layout, decoder=decoder, attention=attention).float()
    task = ForecastTask(net.head)
    for scale, missing in ((0.0, 0.0), (1e4, 0.3), (1.0, 1.0)):
        given = batch(missing=missing)
        given = given.with_values("source", scale * given.inputs.float()).with_values("target", given["target"].float())
        net.zero_grad()
        answer = task.ask(net, given)
        assert answer.prediction.shape == (B, H, C, 5) and torch.isfinite(answer.prediction).all()
        task.loss(answer, given).mean.backward()
        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
def test_gradients_against_differences(decoder: str) -> None:
    layout = Layout(lookback=4, horizon=3, segment=2, season=3, cycle=True, channels=1, series=2, missing=True)
    net = make(layout, decoder=decoder, hidden_size=3, attention="additive", loss="squared").train()
    given = batch(layout=layout, missing=0.3)
    given = given.with_values("series", torch.tensor([0, 1, 2, 0]))

    def answer(x: Tensor, table: Tensor) -> Tensor:
        state = {"cycle.table": table}
        return torch.func.functional_call(net, state, (given.with_values("source", x),)).prediction

    assert net.cycle is not None
    inputs = (given.inputs.requires_grad_(), torch.randn_like(net.cycle.table).requires_grad_())
    assert torch.autograd.gradcheck(answer, inputs)


# The task


def test_loss_is_the_mean_over_what_is_known() -> None:
    head = AbsoluteHead()
    random = np.random.default_rng(0)
    said, truth = random.normal(size=(3, 4, 2, 1)), random.normal(size=(3, 4, 2))
    known = random.random(truth.shape) > 0.4
    given = Batch(torch.zeros(3, 1, 2), torch.from_numpy(np.where(known, truth, 0.0)), None, torch.from_numpy(known))
    loss = ForecastTask(head).loss(Output(torch.from_numpy(said)), given).mean
    assert loss.item() == pytest.approx(np.abs(said[..., 0] - truth)[known].mean())
    every = Batch(given.inputs, torch.from_numpy(truth))
    loss = ForecastTask(head).loss(Output(torch.from_numpy(said)), every).mean
    assert loss.item() == pytest.approx(np.abs(said[..., 0] - truth).mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"segment": 5, "attention": "additive", "hidden_size": 32},
        {"segment": 5, "attention": "none", "cell": "lstm_gru", "hidden_size": 32},
        {"decoder": "vanilla", "attention": "dot"},
    ],
    ids=["segment", "hybrid", "vanilla"],
)
def test_a_noisy_sine_is_learned_down_to_its_noise(settings: dict[str, Any]) -> None:
    """Nothing can forecast sin + noise better than the sine without the noise does."""
    n = 2500
    sine = np.sin(2 * np.pi * np.arange(n) / 17.3)
    values = sine + np.random.default_rng(5).normal(0, 0.15, n)
    panel = Panel(Schema(None, None, ("y",), None), ("y",), (values,), (1,))
    chosen = {"horizon": 5, "lookback": 40, "normalise": "mean", "loss": "absolute", "dropout": 0.0, "hidden_size": 16}
    training = {"learning_rate": 1e-2, "batch_size": 64, "epoch_steps": 60, "max_epochs": 5}
    training |= {"warmup": 10, "patience": 5}
    config = make_config(PARTS, chosen | training | settings)
    prepared = KIND.prepare(panel, config, 300)
    net, task = KIND.build(config, prepared.learned)
    for _ in fit(net, task, prepared.train, prepared.valid, config.training):
        pass
    windows = KIND.encode(panel, prepared.learned, prepared.plan.test)
    guess = ask_network(net, task.head, windows).point[..., 0]  # type: ignore[arg-type, attr-defined]
    places = (windows.starts.numpy() + 40)[:, None] + np.arange(5)
    error, floor = (np.abs(one - values[places]).mean() for one in (guess, sine[places]))
    assert floor * 0.98 < error < 1.12 * floor
    naive = np.abs(values[places[:, :1] - 1] - values[places]).mean()
    assert error < 0.3 * naive

"""Echo state networks: the cell, the read-out in closed form, the search, and forecasting with them."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pandas.testing import assert_frame_equal
from sklearn.linear_model import Ridge as SklearnRidge
from torch import nn

from laws_native import HAS_LIBRARY
from recurra import Classifier, Forecaster, Regressor
from recurra.cells import GRUCell, ReservoirCell
from recurra.cells.reservoir import spectral_radius_of
from recurra.data.batch import Batch
from recurra.errors import ConfigError, RunError
from recurra.native import library
from recurra.nn.layers import Recurrent
from recurra.nn.scan import Plan, choose_engine, scan
from recurra.settings import ModelSettings, TrainingSettings, make_config
from recurra.tasks.base import Prepared
from recurra.tasks.forecast import reservoir as networks
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.readout import Finder
from recurra.tasks.forecast.reservoir import ReservoirNet
from recurra.training.loop import Epoch, Progress, Watch
from recurra.training.reservoirs import NUMBERS, RANGES, USUAL, Fit, search
from recurra.training.ridge import NormalEquations, predicted
from recurra.verbs.common import Source
from recurra.verbs.compare import Lineup, compare_candidates, make_candidates

QUICK: dict[str, Any] = {"cell": "reservoir", "hidden_size": 60, "max_epochs": 3, "combine": False}


def mackey_glass(steps: int, tau: int = 17) -> np.ndarray:
    """``x' = 0.2 x(t−τ) / (1 + x(t−τ)^10) − 0.1 x`` by Euler steps of a tenth, every tenth of them."""
    x = np.full((steps + 200) * 10, 1.2)
    for t in range(tau * 10, len(x) - 1):
        late = x[t - tau * 10]
        x[t + 1] = x[t] + 0.1 * (0.2 * late / (1 + late**10) - 0.1 * x[t])
    return x[::10][-steps:]


def table(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"step": np.arange(len(values)), "x": values})


# The cell.


@pytest.mark.parametrize(("size", "connectivity"), [(5, 0.1), (40, 0.5), (300, 0.1), (300, 0.01)])
def test_the_largest_eigenvalue_is_one_before_it_is_scaled(size: int, connectivity: float) -> None:
    cell = ReservoirCell(3, size, connectivity=connectivity).double()
    weights = cell.weight_hh.numpy()
    assert abs(np.abs(np.linalg.eigvals(weights)).max() - 1.0) < 1e-5
    assert ((weights != 0).sum(1) == max(1, round(connectivity * size))).all(), "so many inputs for each unit"
    assert spectral_radius_of(3 * cell.weight_hh) == pytest.approx(3.0, rel=1e-5)


def test_weights_stay_and_three_numbers_are_tuned() -> None:
    cell = ReservoirCell(2, 8, leak=0.3)
    assert not list(cell.parameters()) and not any(one.requires_grad for one in cell.state_dict().values())
    before = {name: value.clone() for name, value in cell.state_dict().items()}
    cell.tune(spectral_radius=1.25, leak=0.75, input_scaling=2.5)
    changed = {name for name, value in cell.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == set(NUMBERS)
    assert repr(cell) == "ReservoirCell(2, 8, spectral_radius=1.25, leak=0.75, input_scaling=2.5)"


@pytest.mark.skipif(not HAS_LIBRARY, reason="the native engine is not there")
def test_leak_and_zoneout_go_together_in_the_native_engine() -> None:
    cell = ReservoirCell(2, 8, leak=0.3).double()
    x, keep = torch.randn(3, 9, 2, dtype=torch.float64), torch.rand(3, 9, 8, dtype=torch.float64)
    mask = torch.arange(9) < torch.tensor([[9], [4], [1]])
    for plan in (Plan(), Plan(mask), Plan(mask, True, keep), Plan(keep=keep, truncate=4)):
        assert choose_engine(cell, plan) == "native"
        ours, theirs = (scan(cell, x, None, plan, engine) for engine in ("auto", "reference"))
        assert ours.engine == "native" and theirs.engine == "reference"
        torch.testing.assert_close(ours.outputs, theirs.outputs, rtol=0, atol=1e-12)
        torch.testing.assert_close(ours.state, theirs.state, rtol=0, atol=1e-12)
    assert Recurrent([[cell]]).engines() == ("sparse",)  # as it has no gradient, wherever it is asked


@pytest.mark.skipif(not HAS_LIBRARY, reason="the native engine is not there")
def test_weights_that_are_not_zero_do_what_all_weights_do(
    each_instruction_set: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recurra.native.threads.SCAN_WORK", 1)
    before = torch.get_num_threads()
    sizes = ((1, 5, 7), (5, 20, 61), (37, 6, 33))  # one row, less than a vector of them, several and a part
    types = ((torch.float64, 1e-13), (torch.float32, 1e-6))
    try:
        for instructions, (batch, steps, hidden), (dtype, within) in product(each_instruction_set, sizes, types):
            assert library.load().recurra_use_instruction_set(instructions) == 0
            torch.set_num_threads(3 if batch > 8 else 1)
            cell = ReservoirCell(3, hidden, spectral_radius=1.2, leak=0.3).to(dtype)
            x, mask, start = (
                torch.randn(batch, steps, 3, dtype=dtype),
                torch.rand(batch, steps) > 0.3,
                cell.initial(batch),
            )
            start.h.uniform_(-1, 1)
            for plan in (Plan(), Plan(mask), Plan(mask, True)):
                given = x if plan.mask is None else x.masked_fill(~mask.unsqueeze(-1), torch.nan)
                with torch.no_grad():
                    ours, theirs = (scan(cell, given, start, plan, engine) for engine in ("auto", "reference"))
                assert (ours.engine, theirs.engine) == ("sparse", "reference")
                torch.testing.assert_close(ours.outputs, theirs.outputs, rtol=0, atol=within)
                torch.testing.assert_close(ours.state, theirs.state, rtol=0, atol=within)
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not HAS_LIBRARY, reason="the native engine is not there")
def test_what_the_sparse_engine_refuses() -> None:
    cell, x = ReservoirCell(2, 8), torch.randn(3, 4, 2)
    assert choose_engine(cell, Plan()) == "native"  # with gradients
    with torch.no_grad():
        assert choose_engine(cell, Plan()) == choose_engine(cell, Plan(torch.ones(3, 4, dtype=torch.bool))) == "sparse"
        assert choose_engine(ReservoirCell(2, 8, connectivity=0.5), Plan()) == "native"
        assert choose_engine(cell.bfloat16(), Plan()) == "reference"
        cell.float()
        for plan, reason in (
            (Plan(keep=torch.rand(3, 4, 8)), "no gates and has no zoneout"),
            (Plan(record=True), "no gates and has no zoneout"),
        ):
            with pytest.raises(ConfigError, match=reason):
                scan(cell, x, None, plan, "sparse")
        with pytest.raises(ConfigError, match="mostly zero are taken one by one, and a GRUCell has none"):
            scan(GRUCell(2, 8), x, None, Plan(), "sparse")
        for wrong in (x[..., :1], x.double(), x[0]):
            with pytest.raises(ConfigError, match="must have shape"):
                scan(cell, wrong, cell.initial(3), Plan(), "sparse")
        with pytest.raises(ConfigError, match="state h must have shape"):
            scan(cell, x, cell.initial(2), Plan(), "sparse")
        with pytest.raises(ConfigError, match="mask must have shape"):
            scan(cell, x, None, Plan(torch.ones(3, 5, dtype=torch.bool)), "sparse")
    with pytest.raises(ConfigError, match=r"no gradients: call it under torch\.no_grad"):
        scan(cell, x, None, Plan(), "sparse")


# The read-out.


@pytest.mark.parametrize("penalty", [1e-6, 1e-2, 10.0])
def test_normal_equations_are_the_ridge_of_scikit_learn(penalty: float) -> None:
    draw = np.random.default_rng(0)
    x, y = 3 + draw.standard_normal((80, 7)), draw.standard_normal((80, 2)) - 5
    whole, first, rest = (NormalEquations(7, 2) for _ in range(3))
    whole.add(x, y)
    first.add(x[:30], y[:30])
    first.solve(1.0)  # what is added after that counts, too
    rest.add(x[30:50], y[30:50])
    rest.add(x[50:], y[50:])
    first.join(rest)
    theirs = SklearnRidge(alpha=penalty * np.square(x).sum(0).mean()).fit(x, y)
    for sums in (whole, first):
        weights = sums.solve(penalty)
        np.testing.assert_allclose(weights[:-1].T, theirs.coef_, rtol=1e-8)
        np.testing.assert_allclose(predicted(x, weights), theirs.predict(x), rtol=1e-8)
        np.testing.assert_allclose(sums.solve_once(penalty), weights, rtol=1e-8)


@pytest.mark.parametrize("counts", [None, np.linspace(0.2, 3, 12)])
@pytest.mark.parametrize(("features", "penalty"), [(4, 1e-3), (30, 1e-2), (30, 1e-9)])
def test_what_is_missed_is_that_of_a_fit_without_the_example(
    features: int, penalty: float, counts: np.ndarray | None
) -> None:
    draw = np.random.default_rng(0)
    x, y = 3 + draw.standard_normal((12, features)), draw.standard_normal((12, 2)) - 5
    sums = NormalEquations(features, 2)
    sums.add(x, y, counts)
    # As scikit-learn has it: of the same λ, which is a share of what all examples together have.
    weight = np.ones(12) if counts is None else counts
    alpha, others = penalty * (weight @ np.square(x)).mean(), ~np.eye(12, dtype=bool)
    fits = [SklearnRidge(alpha=alpha, solver="svd").fit(x[left], y[left], weight[left]) for left in others]
    missed = [truth - fit.predict(case[None])[0] for fit, case, truth in zip(fits, x, y, strict=True)]
    np.testing.assert_allclose(sums.missed(x, y, penalty, counts), missed, rtol=1e-4)


def test_equations_without_one_answer_are_solved() -> None:
    sums = NormalEquations(3, 1)
    sums.add(np.zeros((5, 3)), np.ones((5, 1)))
    sums.gram[0, 0] = -1e-9  # as rounding leaves it
    for weights in (sums.solve(1e-13), sums.solve_once(1e-13)):
        np.testing.assert_allclose(predicted(np.zeros((2, 3)), weights), 1.0)


# The search.


class Guessing:
    """A network whose loss is how far its numbers are from some that are best."""

    best = {"spectral_radius": 0.5, "leak": 0.2, "input_scaling": 1.5}

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network, self.tried = nn.Sequential(ReservoirCell(1, 4)), []

    def fit(self) -> Fit:
        now = {name: float(getattr(self.network[0], name)) for name in NUMBERS}
        self.tried.append(now)
        return Fit(0.0, sum(abs(np.log(now[name] / goal)) for name, goal in self.best.items()))

    def run(self, progress: Progress, given: dict[str, float] | None = None, **training: Any) -> list[Epoch]:
        model, how = ModelSettings(**(given or {})), TrainingSettings(**({"max_epochs": 30, "patience": 30} | training))
        return list(search(self.network, self.fit, model, how, progress))


def test_a_search_begins_with_the_usual_and_comes_closer() -> None:
    one, progress = Guessing(), Progress()
    epochs = one.run(progress)
    assert one.tried[0] == pytest.approx(USUAL) and [epoch.number for epoch in epochs] == list(range(1, 31))
    losses = [epoch.valid_loss for epoch in epochs]
    assert progress.best_loss == min(losses) and progress.stopped_by == "max_epochs"
    assert np.median(losses[4::2]) < 0.6 * np.median(losses[1::2]), "by turns near the best and anywhere"
    kept = {name: float(getattr(one.network[0], name)) for name in NUMBERS}
    assert kept == one.tried[progress.best_epoch - 1]
    for name, limits in RANGES.items():
        values = [numbers[name] for numbers in one.tried]
        assert limits.low <= min(values) < 0.7 * max(values) < limits.high


def test_a_search_goes_on_as_if_it_had_not_stopped() -> None:
    whole, halves, progress = Guessing(), Guessing(), Progress()
    whole.run(Progress(), max_epochs=12)
    generator = search(halves.network, halves.fit, ModelSettings(), TrainingSettings(max_epochs=12), progress)
    for _ in range(8):
        next(generator)
    halves.run(progress, max_epochs=12)
    assert halves.tried == whole.tried
    other = Guessing()
    other.run(Progress(), max_epochs=12, seed=1)
    assert other.tried[1:] != whole.tried[1:], "the seed is used"


def test_what_is_given_is_not_searched_and_patience_ends_it() -> None:
    one, progress = Guessing(), Progress()
    one.run(progress, {"leak": 0.7}, patience=2)
    assert {round(numbers["leak"], 6) for numbers in one.tried} == {0.7}
    assert progress.stopped_by == "patience" and progress.epoch == progress.best_epoch + 2


def test_a_metric_may_decide_and_no_number_never_does() -> None:
    one = Guessing()
    metric = next(one for one in KIND.metrics(Forecaster(horizon=1)._config()) if one.name == "mae")
    watch = Watch(metric, lambda: float(one.network[0].leak))
    epochs = list(search(one.network, one.fit, ModelSettings(), TrainingSettings(max_epochs=6), Progress(), watch))
    assert [e.watched for e in epochs if e.best] == sorted((e.watched for e in epochs if e.best), reverse=True)
    assert float(one.network[0].leak) == min(epoch.watched for epoch in epochs)
    with pytest.raises(RunError, match="finite loss"):
        list(search(one.network, lambda: Fit(0.0, np.nan), ModelSettings(), TrainingSettings(max_epochs=2), Progress()))


# Forecasting.


def prepared(df: pd.DataFrame, **settings: Any) -> tuple[ReservoirNet, Prepared]:
    config = Forecaster(**(QUICK | {"horizon": 2} | settings))._config()
    ready = KIND.prepare(KIND.read(df, config), config)
    network, _ = KIND.make(ready.config, ready.learned)
    assert isinstance(network, ReservoirNet)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(generator=torch.Generator().manual_seed(1))
    return network.eval(), ready


@pytest.mark.parametrize("log", [False, True])
def test_a_forecast_is_the_equation_by_loops(log: bool) -> None:
    values = 5 + mackey_glass(150)
    values[40:43] = np.nan
    network, ready = prepared(table(values), num_layers=2, lookback=20, log=log, loss="absolute")
    network.from_last.fill_(1.0)
    batch = ready.train.take(torch.tensor([0, 25, 30]))
    with torch.no_grad():
        ours = network(batch).prediction[..., 0, 0].numpy()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    for row in range(3):
        x, known = batch.inputs[row].double().numpy(), batch["observed"][row].numpy()
        ratio = float(batch["ratio"][row, 0, 0]) if log else 0.0
        x = np.log(1 + ratio * x) / ratio if log else x
        read, last, features = np.concatenate([np.where(known, x, 0), known], 1), x[known[:, 0]][-1, 0], []
        for layer in range(2):
            at = f"recurrent.layers.{layer}.0.cell."
            h, outputs = np.zeros(60), []
            for x_t in read:
                drive = state[at + "input_scaling"] * state[at + "weight_ih"] @ x_t + state[at + "bias_ih"]
                moved = np.tanh(drive + state[at + "spectral_radius"] * state[at + "weight_hh"] @ h)
                h = h + state[at + "leak"] * (moved - h)
                outputs.append(h)
            read = np.stack(outputs)
            features.append(h)
        said = state["readout.weight"] @ np.concatenate([*features, [last]]) + state["readout.bias"] + last
        said = np.expm1(np.minimum(ratio * said, 15)) / ratio if log else said
        np.testing.assert_allclose(ours[row], said, rtol=1e-6)


def many(lengths: tuple[int, ...] = (300, 150, 30)) -> pd.DataFrame:
    wave = mackey_glass(400)
    parts = [
        pd.DataFrame({"unique_id": f"s{n}", "ds": np.arange(length), "y": 3 + wave[20 * n : 20 * n + length]})
        for n, length in enumerate(lengths)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("settings", [{}, {"num_layers": 2}, {"log": True}], ids=str)
def test_one_run_over_series_is_what_every_window_sees(settings: dict[str, Any], monkeypatch: Any) -> None:
    df = many()
    df.loc[[60, 61, 320], "y"] = np.nan
    network, ready = prepared(df, lookback=100, **settings)
    for cell in network.recurrent.cells():
        cell.tune(0.6, 0.7, 0.5)
    windows = ready.train
    monkeypatch.setattr(networks, "ONE_BY_ONE", np.inf)
    assert not network.runs_over(windows), "little is read one by one"
    monkeypatch.setattr(networks, "ONE_BY_ONE", 0.0)
    monkeypatch.setattr(networks, "AT_ONCE", 2)
    assert network.runs_over(windows)
    with torch.no_grad():
        at_once, each = network.states(windows), network.states(windows, one_by_one=True)
        torch.testing.assert_close(at_once, each, rtol=0, atol=1e-9)
        slow = torch.cat([params for _, _, params in network.over(windows)])
        network.faded.fill_(True)
        fast = torch.cat([params for _, _, params in network.over(windows)])
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-6)
    assert not torch.equal(fast, slow), "it was another way"


def test_what_a_reservoir_does_not_forget_counts_as_loss(monkeypatch: Any) -> None:
    monkeypatch.setattr(networks, "ONE_BY_ONE", 0.0)
    values = table(mackey_glass(400))
    given = {"spectral_radius": 0.99, "input_scaling": 0.05, "lookback": 4}
    short, long = (Forecaster(**(QUICK | {"horizon": 1} | given | {"leak": leak})).fit(values) for leak in (1.0, 0.02))
    assert not long.network_.faded and not short.network_.faded
    by_loss = [model.fitted_.record.best_loss for model in (short, long)]
    assert by_loss[1] > by_loss[0]
    fine = Forecaster(**(QUICK | {"horizon": 1, "spectral_radius": 0.5, "leak": 0.9, "input_scaling": 0.5})).fit(values)
    assert fine.network_.faded
    monkeypatch.setattr(Finder, "_begun", lambda *_: 5.0)
    far = Forecaster(**(QUICK | {"horizon": 1, "max_epochs": 1})).fit(values)
    assert far.fitted_.record.best_loss > 5.0 and not far.network_.faded


def test_a_forecast_is_read_out_of_all_windows_at_last() -> None:
    """The ridge of scikit-learn on the states after all windows, those of validation, too."""
    df = table(mackey_glass(300) + 0.05 * np.random.default_rng(0).standard_normal(300))
    model = Forecaster(**(QUICK | {"horizon": 2, "lookback": 50})).fit(df)
    network, panel = model.network_, KIND.read(df, model.fitted_.config)
    windows = KIND.encode(panel, model.fitted_.learned, KIND.plan(panel, model.fitted_.config, 0).whole)
    batch = windows.take(torch.arange(len(windows)))
    last, future = batch.inputs[:, -1].double().numpy(), batch.targets[..., 0].double().numpy()
    assert len(windows) == 300 - 50 - 2 + 1
    with torch.no_grad():
        x = np.c_[network.states(windows).numpy(), last]
    alpha = float(network.penalty) * np.square(x).sum(0).mean()
    theirs = SklearnRidge(alpha=alpha).fit(x, future - float(network.from_last) * last)
    ours = x @ network.readout.weight.detach().numpy().T + network.readout.bias.detach().numpy()
    np.testing.assert_allclose(ours, theirs.predict(x), atol=1e-6)


def errors(df: pd.DataFrame, horizon: int = 1, **settings: Any) -> np.ndarray:
    """Return the errors of forecasts of the last fifth, a column for each step."""
    model, size = Forecaster(**(QUICK | {"horizon": horizon} | settings)), len(df) // 5
    for _ in model.epochs(df, held_out=size):
        pass
    panel = KIND.read(df, model.fitted_.config)
    exam = KIND.exam(panel, model.fitted_.learned, KIND.plan(panel, model.fitted_.config, size).test)
    return (KIND.ask(model.fitted_, exam.examples).point - exam.truth.values)[..., 0]


def test_it_knows_what_no_linear_model_can() -> None:
    values, ahead = mackey_glass(600), 10
    found = np.sqrt(np.square(errors(table(values), ahead, hidden_size=150)[:, -1]).mean()) / values.std()
    lags = np.lib.stride_tricks.sliding_window_view(values, 32)[:-ahead]
    future, cut = values[31 + ahead :], 480 - 31 - ahead
    linear = np.linalg.lstsq(np.c_[lags[:cut], np.ones(cut)], future[:cut], rcond=None)[0]
    missed = np.c_[lags[cut:], np.ones(len(lags) - cut)] @ linear - future[cut:]
    assert found < 0.25 * np.sqrt(np.square(missed).mean()) / values.std()
    assert found < 0.05


def test_it_remembers_a_few_steps() -> None:
    """Each sign is the product of those two and three steps back, but for some that are drawn anew."""
    draw = np.random.default_rng(0)
    signs = [1.0, -1.0, 1.0, 1.0]
    for _ in range(1200):
        signs.append(draw.choice([-1.0, 1.0]) if draw.random() < 0.2 else signs[-2] * signs[-3])
    missed = np.abs(errors(table(np.array(signs) + 0.01 * draw.standard_normal(len(signs))), hidden_size=150))
    assert (missed < 1).mean() > 0.85, "nine of ten signs can be known, and the linear half of them"


def test_a_run_answers_as_before_and_from_other_data(tmp_path: Path) -> None:
    df = many()
    model = Forecaster(**(QUICK | {"horizon": 3, "combine": True})).fit(df)
    again = Forecaster.load(model.save(tmp_path / "run"))
    assert_frame_equal(again.predict(), model.predict())
    assert_frame_equal(again.predict(df=df), model.predict(), check_exact=False, rtol=1e-9)
    assert again.network_.readout.weight.dtype == torch.float64
    frame = model.predict()
    assert (frame["yhat-lo-90"] <= frame["yhat-lo-80"]).all() and (frame["yhat-lo-80"] <= frame.yhat).all()
    assert (frame.yhat <= frame["yhat-hi-80"]).all() and (frame["yhat-hi-80"] <= frame["yhat-hi-90"]).all()
    assert any(note.startswith("reservoir: spectral radius") for note in again.notes_)
    assert [epoch["number"] for epoch in model.history_] == [1, 2, 3, 4], "three are tried, the best is fitted again"


def test_the_same_seed_gives_the_same_forecast_and_another_one_another() -> None:
    df = table(mackey_glass(300))
    one, two, three = (Forecaster(**(QUICK | {"horizon": 2, "seed": seed})).fit(df).predict() for seed in (0, 0, 1))
    assert_frame_equal(one, two, check_exact=True)
    assert not np.allclose(one.yhat, three.yhat, rtol=1e-9)


@pytest.mark.parametrize(
    "settings",
    [{"bidirectional": True}, {"num_layers": 2, "loss": "squared"}, {"channels": "joint"}, {"last_epochs": 0}],
    ids=str,
)
def test_shapes_of_reservoirs(settings: dict[str, Any]) -> None:
    wave = mackey_glass(300)
    df = pd.DataFrame({"step": np.arange(280), "one": wave[:280], "two": wave[20:]})
    answers = Forecaster(**(QUICK | {"horizon": 2} | settings)).fit(df).predict()
    assert len(answers) == 4 and np.isfinite(answers.yhat).all()


def test_all_numbers_given_leave_nothing_to_try() -> None:
    given = {"spectral_radius": 0.8, "leak": 0.4, "input_scaling": 0.3}
    model = Forecaster(**(QUICK | {"horizon": 1} | given)).fit(table(mackey_glass(200)))
    assert [epoch["number"] for epoch in model.history_] == [1, 2]
    (cell,) = model.network_.recurrent.cells()
    assert {name: round(float(getattr(cell, name)), 6) for name in NUMBERS} == given


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cell": "reservoir", "learning_rate": 0.1}, "learning_rate has no effect: a reservoir does not learn"),
        ({"cell": "reservoir", "attention": "dot"}, "attention has no effect: a reservoir does not learn"),
        ({"cell": "reservoir", "segment": 4}, "segment has no effect: a reservoir reads the values as they are"),
        ({"cell": "gru", "leak": 0.4}, "leak has no effect: it is of reservoirs, and cell='gru' is none"),
        ({"cell": "lstm/reservoir"}, "A reservoir does not learn and the other cells of this stack do"),
        ({"cell": "reservoir", "leak": 2}, "leak must be at most 1"),
    ],
)
def test_settings_of_reservoirs(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Forecaster(horizon=1, **settings).fit(table(mackey_glass(100)))


# Classification.


def signals(count: int, seed: int = 0) -> tuple[list[np.ndarray], list[str]]:
    """Noisy sums of two waves of different lengths: the class says which of them comes first."""
    draw = np.random.default_rng(seed)
    cases, labels = [], []
    for _ in range(count):
        steps, first = int(draw.integers(16, 30)), bool(draw.integers(2))
        half = np.arange(steps) < steps // 2
        fast = np.sin(1.5 * np.arange(steps) + 6 * draw.random())
        slow = np.sin(0.5 * np.arange(steps) + 6 * draw.random())
        wave = np.where(half, fast, slow) if first else np.where(half, slow, fast)
        cases.append(wave[None] + 0.1 * draw.standard_normal((1, steps)))
        labels.append("fast first" if first else "slow first")
    return cases, labels


CASES: dict[str, Any] = {"cell": "reservoir", "hidden_size": 40, "max_epochs": 3}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(**CASES).fit(*signals(80))


def test_which_comes_first_is_told(classifier: Classifier) -> None:
    cases, labels = signals(200, seed=1)
    assert classifier.score(cases, labels) > 0.95
    assert classifier.predict_proba(cases).sum(1) == pytest.approx(1.0)


def test_probabilities_are_as_sure_as_they_are_right(classifier: Classifier) -> None:
    cases, labels = signals(200, seed=2)
    true = np.array([classifier.classes_.tolist().index(label) for label in labels])
    given = classifier.predict_proba(cases)[np.arange(200), true]
    assert -np.log(given).mean() < 0.3 < np.log(2), "the score of a regression to 0 and 1 would be no probability"
    assert classifier.network_.sharpness > 1


def test_the_read_out_is_the_ridge_of_scikit_learn(classifier: Classifier) -> None:
    """All cases, each read by a loop; weights of cases are those of scikit-learn."""
    cases, labels = signals(60)
    weights = np.where(np.array(labels) == "fast first", 1.0, 3.0)
    model = Classifier(**CASES | {"bidirectional": False, "readout": "mean", "changes": False})
    model.fit(cases, labels, sample_weight=weights)
    network, reading = model.network_, model.fitted_.learned.reading
    (cell,) = network.recurrent.cells()
    rows = []
    for case in cases:
        read, h, total = reading.scaled(case.T), np.zeros(40), np.zeros(40)
        for x_t in read:
            told = np.r_[x_t, 1.0] if network.layout.told else x_t
            drive = float(cell.input_scaling) * cell.weight_ih.numpy() @ told + cell.bias_ih.numpy()
            moved = np.tanh(drive + float(cell.spectral_radius) * cell.weight_hh.numpy() @ h)
            h = h + float(cell.leak) * (moved - h)
            total += h
        rows.append(total / len(read))
    x, goal = np.stack(rows), np.eye(2)[[int(label == "slow first") for label in labels]]
    counts = model.fitted_.task.counts(
        Batch(torch.empty(60, 0), torch.zeros(60), others={"weight": torch.tensor(weights)})
    )
    counts = counts.numpy() / counts.numpy().mean()
    alpha = float(network.penalty) * np.square(x * np.sqrt(counts)[:, None]).sum(0).mean()
    theirs = SklearnRidge(alpha=alpha, tol=1e-12).fit(x, goal, sample_weight=counts)
    np.testing.assert_allclose(network.out.weight.detach().numpy(), theirs.coef_, rtol=1e-4, atol=1e-6)
    scores = float(network.sharpness) * theirs.predict(x)
    wanted = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(cases), wanted, atol=1e-4)


def test_a_classifier_of_reservoirs_answers_as_before(classifier: Classifier, tmp_path: Path) -> None:
    cases, _ = signals(20, seed=3)
    again = Classifier.load(classifier.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.predict_proba(cases), classifier.predict_proba(cases))
    np.testing.assert_allclose(again.predict_proba(cases[4:5]), classifier.predict_proba(cases)[4:5], rtol=1e-9)
    assert any(note.startswith("reservoir: spectral radius") for note in again.notes_)
    other = Classifier(**CASES).fit(*signals(80))
    np.testing.assert_array_equal(other.predict_proba(cases), classifier.predict_proba(cases))


@pytest.mark.parametrize(
    "settings", [{"num_layers": 2, "balance": True}, {"readout": "last"}, {"last_epochs": 0}], ids=str
)
def test_shapes_of_classifying_reservoirs(settings: dict[str, Any]) -> None:
    cases, labels = signals(60)
    cases[3][0, 5:7] = np.nan
    assert Classifier(**CASES | settings).fit(cases, labels).score(cases, labels) > 0.8


def test_a_reservoir_is_kept_beside_a_network_that_looks(tmp_path: Path) -> None:
    """It reads in other steps than the network, whose looks have no place in pictures of the reservoir."""
    kind = Classifier.kind
    settings = {"hidden_size": 20, "max_epochs": 1, "epoch_steps": 1, "last_epochs": 0, "segment": 4}
    candidates = make_candidates(kind, settings, ["gru", "reservoir"], ["additive"])
    source = Source(kind.read(signals(60), make_config(kind.parts, {})))
    done = compare_candidates(kind, source, Lineup(candidates, [0]), tmp_path / "run")
    assert done.chosen.startswith("reservoir") and done.report is not None
    assert "Gates over time" in done.report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (Classifier, {"segment": 3}, "segment has no effect: a reservoir reads the cases as they are"),
        (Classifier, {"dropout": 0.1}, "dropout has no effect: a reservoir does not learn"),
        (Classifier, {"readout": "attention"}, "readout='attention' needs an attention, and cell='reservoir' has none"),
        (Regressor, {"filters": 3}, "filters has no effect: a reservoir reads the cases as they are"),
        (Regressor, {"loss": "squared", "levels": (50,)}, "levels has no effect: loss='squared' predicts no intervals"),
    ],
)
def test_settings_of_classifying_reservoirs(kind: type, settings: dict[str, Any], said: str) -> None:
    cases, labels = signals(20)
    goals = np.arange(20.0) if kind is Regressor else labels
    with pytest.raises(ConfigError, match=said):
        kind(cell="reservoir", **settings).fit(cases, goals)


# Numbers.


def areas(count: int, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Noise of different lengths, and the mean of what is above zero, which is no line: half of it is cut off."""
    draw = np.random.default_rng(seed)
    cases = [draw.standard_normal((1, int(draw.integers(16, 30)))) * draw.uniform(0.2, 2) for _ in range(count)]
    return cases, np.array([np.maximum(case, 0).mean() for case in cases])


@pytest.fixture(scope="module")
def regressor() -> Regressor:
    return Regressor(**CASES).fit(*areas(160))


def test_numbers_that_no_line_can_say(regressor: Regressor, tmp_path: Path) -> None:
    cases, numbers = areas(200, seed=1)
    assert regressor.score(cases, numbers) > 0.95
    low, high = regressor.predict_interval(cases, 80).T
    assert (low <= regressor.predict(cases)).all() and (regressor.predict(cases) <= high).all()
    assert 0.6 < ((low <= numbers) & (numbers <= high)).mean() < 0.95
    again = Regressor.load(regressor.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.predict_interval(cases), regressor.predict_interval(cases))
    assert any(note.startswith("reservoir: spectral radius") for note in again.notes_)


def test_intervals_of_few_cases_hold_what_they_should() -> None:
    """A dozen validation cases that have chosen reservoir and penalty say too little: they alone gave 67 % of 80."""
    cases, numbers = areas(400, seed=99)
    held = []
    for seed in range(8):
        low, high = Regressor(**CASES, seed=seed).fit(*areas(60, seed=10 + seed)).predict_interval(cases, 80).T
        held.append(((low <= numbers) & (numbers <= high)).mean())
    assert 0.72 < np.mean(held) < 0.88


@pytest.mark.parametrize("loss", ["quantile", "absolute", "squared", "huber"])
def test_numbers_are_the_ridge_of_scikit_learn(loss: str) -> None:
    """Two targets, one of which counts thrice in a case of three; the read-out is that of all cases."""
    cases, numbers = areas(60)
    targets, weights = np.stack([numbers, 3 - 2 * numbers], 1), np.where(np.arange(60) % 3, 1.0, 3.0)
    model = Regressor(**CASES, loss=loss, num_layers=2).fit(cases, targets, sample_weight=weights)
    network, learned = model.network_, model.fitted_.learned
    examples = model.kind.encode(model.kind.read((cases, targets), model.fitted_.config), learned)
    with torch.no_grad():
        x = network.read(examples.take(torch.arange(60)))[1].numpy()
    alpha = float(network.penalty) * np.square(x * np.sqrt(weights / weights.mean())[:, None]).sum(0).mean()
    theirs = SklearnRidge(alpha=alpha, tol=1e-12).fit(x, learned.scaled(targets), weights / weights.mean())
    np.testing.assert_allclose(model.predict(cases), learned.unscaled(theirs.predict(x)), rtol=1e-4, atol=1e-5)

"""The training loop: exact resuming, early stopping, groups, schedules, clipping and penalties."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recurra.attention import AdditiveAttention
from recurra.cells import GRUCell, LSTMCell
from recurra.compare.metric import Metric
from recurra.data.batch import Batch
from recurra.errors import ConfigError, RunError
from recurra.nn.attending import AttendingCell
from recurra.nn.layers import Pool, Recurrent, Regularisers
from recurra.nn.models import Output, Reader, Writer
from recurra.settings import ATTENTION_PENALTIES
from recurra.settings.config import TrainingSettings
from recurra.training.loop import (
    GROUPS,
    PENALTIES,
    Epoch,
    Progress,
    Watch,
    entropy,
    fit,
    group_of,
    make_optimiser,
    overlap,
    rate,
    total_steps,
)
from recurra.training.task import Loss, Memorised

N, T, I, H = 40, 5, 2, 6  # noqa: E741


class Squares:
    """The mean squared error of what a model says."""

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        return model(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        return Loss.over((output.prediction - batch.targets).square(), batch.target_mask)


class Spoilt(Squares):
    """From some step on the loss is not a number."""

    def __init__(self, good: int, value: float):
        self.left, self.value = good, value

    def loss(self, output: Output, batch: Batch) -> Loss:
        self.left -= torch.is_grad_enabled()
        total, count = super().loss(output, batch)
        return Loss(total * (1.0 if self.left >= 0 else self.value), count)


class Worsens(Squares):
    """Training goes on, but validation gets worse from the third epoch on."""

    def __init__(self, losses: list[float]):
        self.losses = iter(losses)

    def loss(self, output: Output, batch: Batch) -> Loss:
        if torch.is_grad_enabled():
            return super().loss(output, batch)
        return Loss(torch.tensor(next(self.losses)), 1)


def make_model(dropout: float = 0.3) -> Reader:
    """Every part that could draw random numbers or keep something between steps."""
    torch.manual_seed(3)
    options = Regularisers(dropout=dropout, weight_drop=dropout, zoneout=dropout)
    recurrent = Recurrent([[GRUCell(I, H)], [LSTMCell(H, H)]], options)
    pool = Pool("attention", AdditiveAttention(H, H), H)
    return Reader(nn.Identity(), recurrent, pool, nn.Sequential(nn.Dropout(dropout), nn.Linear(H, 1)))


def make_examples(seed: int = 0, count: int = N) -> Memorised:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, T, I, generator=draw)
    return Memorised(Batch(x, x[:, :, :1].sum(1)))


def make_settings(**settings: Any) -> TrainingSettings:
    common = {"batch_size": 16, "epoch_steps": 3, "max_epochs": 6, "warmup": 4, "learning_rate": 0.01}
    return TrainingSettings(**{**common, **settings})


def train(model: nn.Module, settings: TrainingSettings, task: Any = None, **options: Any) -> list[Epoch]:
    valid = options.pop("valid", make_examples(1, 12))
    return list(fit(model, task or Squares(), make_examples(), valid, settings, **options))


def weights_of(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def timeless(history: list[Epoch]) -> list[dict[str, Any]]:
    return [{name: value for name, value in vars(epoch).items() if name != "seconds"} for epoch in history]


# The same again.


def test_the_same_seed_gives_the_same_result() -> None:
    runs = []
    for seed in (1, 1, 2):
        model = make_model()
        runs.append((timeless(train(model, make_settings(seed=seed))), weights_of(model)))
    assert runs[0][0] == runs[1][0] and torch.equal(runs[0][1], runs[1][1])
    assert runs[0][0] != runs[2][0] and not torch.equal(runs[0][1], runs[2][1])


@pytest.mark.parametrize(("stop", "average"), [(1, 0.0), (2, 0.0), (4, 0.0), (6, 0.0), (2, 0.7)])
def test_a_resumed_training_is_the_uninterrupted_one(stop: int, average: float) -> None:
    """With dropout, zoneout, weight-drop, a schedule, momentum and best weights: all must go on exactly."""
    whole_model, whole_progress = make_model(), Progress()
    settings = make_settings(patience=3, learning_rate=0.05, average=average)
    whole = train(whole_model, settings, progress=whole_progress)

    model, progress, first = make_model(), Progress(), []
    running = fit(model, Squares(), make_examples(), make_examples(1, 12), settings, progress)
    for epoch in running:
        first.append(epoch)
        if epoch.number == stop:
            break
    saved_weights, saved_progress = copy.deepcopy(model.state_dict()), copy.deepcopy(progress)
    running.close()
    torch.rand(100)  # whatever happens in between
    fresh = make_model()
    with torch.no_grad():
        for parameter in fresh.parameters():
            parameter.add_(1.0)
    fresh.load_state_dict(saved_weights)
    second = train(fresh, settings, progress=saved_progress)
    assert timeless(first + second) == timeless(whole)
    assert torch.equal(weights_of(fresh), weights_of(whole_model))
    assert (saved_progress.stopped_by, saved_progress.steps) == (whole_progress.stopped_by, whole_progress.steps)


def test_the_mean_of_the_weights_validates_and_answers() -> None:
    """It changes nothing of the training itself, only what is validated and kept."""
    model, other, valid = make_model(), make_model(), make_examples(1, 12)
    plain, averaged = train(model, make_settings()), train(other, make_settings(average=0.7))
    assert [epoch.train_loss for epoch in plain] == [epoch.train_loss for epoch in averaged]
    assert all(one.valid_loss != two.valid_loss for one, two in zip(plain, averaged, strict=True))
    best = min(epoch.valid_loss for epoch in averaged if epoch.valid_loss is not None)
    batch = valid.take(torch.arange(12))
    with torch.no_grad():
        assert Squares().loss(other(batch), batch).mean == pytest.approx(best, rel=1e-5)


def test_what_was_saved_at_one_epoch_does_not_move_with_the_next() -> None:
    """Progress holds tensors: training on must not write into the best weights."""
    model, progress = make_model(), Progress()
    task = Worsens([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    running = fit(model, task, make_examples(), make_examples(1, 12), make_settings(), progress)
    next(running)
    best = copy.deepcopy(progress.best_weights)
    after_first = weights_of(model)
    next(running)
    assert all(torch.equal(best[name], value) for name, value in progress.best_weights.items())
    assert not torch.equal(weights_of(model), after_first)


def test_a_finished_training_stays_finished() -> None:
    model, progress = make_model(), Progress()
    train(model, make_settings(), progress=progress)
    weights = weights_of(model)
    assert progress.finished and train(model, make_settings(), progress=progress) == []
    assert torch.equal(weights_of(model), weights)


def test_the_random_numbers_of_the_user_are_left_alone() -> None:
    model = make_model()
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    running = fit(model, Squares(), make_examples(), make_examples(1), make_settings())
    next(running)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(11)
    list(running)
    assert torch.equal(torch.rand(3), expected)


def test_the_random_numbers_of_the_user_change_nothing() -> None:
    histories = []
    for seed in (1, 2):
        model, history = make_model(), []
        torch.manual_seed(seed)
        for epoch in fit(model, Squares(), make_examples(), None, make_settings()):
            torch.rand(seed)
            history.append(epoch)
        histories.append(timeless(history))
    assert histories[0] == histories[1]


# When it stops.


def test_early_stopping_restores_the_best_weights() -> None:
    model, progress, seen = make_model(), Progress(), []
    settings = make_settings(max_epochs=20, patience=2)
    task = Worsens([5.0, 3.0, 4.0, 3.0, 1.0, 1.0, 1.0, 0.5])
    for _ in fit(model, task, make_examples(), make_examples(1, 12), settings, progress):
        seen.append(weights_of(model))
    assert len(seen) == 4 and progress.stopped_by == "patience"
    assert (progress.best_epoch, progress.best_loss) == (2, 3.0), "as good as the best is not better"
    assert torch.equal(weights_of(model), seen[1]) and not torch.equal(seen[1], seen[3])
    assert not model.training


def test_best_epochs_are_marked() -> None:
    history = train(make_model(), make_settings(), Worsens([5.0, 6.0, 4.0, 4.5, 3.0, 2.0]))
    assert [epoch.best for epoch in history] == [True, False, True, False, True, True]
    assert [epoch.valid_loss for epoch in history] == [5.0, 6.0, 4.0, 4.5, 3.0, 2.0]


def test_without_validation_the_training_loss_decides() -> None:
    model, progress = make_model(0.0), Progress()
    history = train(model, make_settings(max_epochs=12, learning_rate=0.05), valid=None, progress=progress)
    assert all(epoch.valid_loss is None for epoch in history)
    losses = [epoch.train_loss for epoch in history]
    assert progress.best_loss == min(losses) and progress.best_epoch == losses.index(min(losses)) + 1
    assert losses[-1] < 0.5 * losses[0], "it learns"
    assert not model.training, "ready to be asked"


def watching(values: list[float], better: str) -> Watch:
    left = iter(values)
    return Watch(Metric("accuracy", "Accuracy", better, lambda statistics: 0.0), lambda: next(left))


@pytest.mark.parametrize(
    ("better", "best"), [("high", [True, True, False, True, False]), ("low", [True, False, True, False, False])]
)
def test_the_watched_metric_decides_in_its_direction(better: str, best: list[bool]) -> None:
    """The loss gets better with every epoch, and yet it is not the last one that is kept."""
    model, progress, seen, found = make_model(), Progress(), [], []
    watch, losses = watching([0.5, 0.6, 0.4, 0.7, 0.6], better), [5.0, 4.0, 3.0, 2.0, 1.0]
    settings = make_settings(max_epochs=5)
    for epoch in fit(model, Worsens(losses), make_examples(), make_examples(1, 12), settings, progress, watch):
        seen.append(weights_of(model))
        found.append((epoch.best, epoch.watched, epoch.valid_loss))
    assert found == list(zip(best, [0.5, 0.6, 0.4, 0.7, 0.6], losses, strict=True))
    last = max(number for number, one in enumerate(best) if one)
    assert (progress.best_epoch, progress.best_loss) == (last + 1, losses[last])
    assert progress.best_watched == (0.7 if better == "high" else 0.4)
    assert torch.equal(weights_of(model), seen[last]) and not torch.equal(seen[last], seen[-1])


def test_of_epochs_with_one_value_of_the_watched_metric_the_loss_decides() -> None:
    progress, watch = Progress(), watching([0.5, 1.0, 1.0, 1.0], "high")
    task, settings = Worsens([5.0, 4.0, 2.0, 3.0]), make_settings(max_epochs=4)
    list(fit(make_model(), task, make_examples(), make_examples(1, 12), settings, progress, watch))
    assert (progress.best_epoch, progress.best_loss, progress.best_watched) == (3, 2.0, 1.0)


def test_patience_is_with_the_watched_metric_and_goes_on_after_a_break() -> None:
    values, losses = [0.5, 0.9, 0.8, 0.7, 1.0], [5.0, 4.0, 3.0, 2.0, 1.0]
    settings = make_settings(max_epochs=20, patience=2)

    def some(progress: Progress, begin: int, most: int) -> list[float | None]:
        task, watch = Worsens(losses[begin:]), watching(values[begin:], "high")
        running = fit(make_model(), task, make_examples(), make_examples(1, 12), settings, progress, watch)
        return [epoch.watched for _, epoch in zip(range(most), running, strict=False)]

    whole, parts = Progress(), Progress()
    assert some(whole, 0, 20) == [0.5, 0.9, 0.8, 0.7] and whole.stopped_by == "patience"
    some(parts, 0, 3)
    assert some(copy.deepcopy(parts), 3, 20) == [0.7], "the best so far is remembered"


def test_the_metric_is_measured_on_a_model_that_is_not_in_training() -> None:
    model = make_model()

    def measure() -> float:
        assert not model.training and not torch.is_grad_enabled()
        return float(torch.rand(()))  # the same in every epoch, and not from the numbers of the user

    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    watch = Watch(watching([], "low").metric, measure)
    history = list(fit(model, Squares(), make_examples(), None, make_settings(), None, watch))
    assert len({epoch.watched for epoch in history}) == 1
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_watched_metric_that_is_not_finite(value: float) -> None:
    with pytest.raises(RunError, match=r"validation Accuracy became (nan|inf) at step 6 with learning_rate=0\.01"):
        train(make_model(), make_settings(), watch=watching([0.5, value], "high"))


def test_a_metric_without_a_direction_cannot_decide() -> None:
    with pytest.raises(ConfigError, match="Accuracy cannot decide when to stop"):
        train(make_model(), make_settings(), watch=watching([0.5], ""))


@pytest.mark.parametrize(
    ("settings", "epochs", "steps", "stopped_by"),
    [
        ({"max_epochs": 4}, 4, 12, "max_epochs"),
        ({"max_epochs": 9, "max_steps": 7}, 3, 7, "max_steps"),
        ({"max_epochs": 3, "epoch_steps": 2}, 3, 6, "max_epochs"),
        ({"max_epochs": 2, "batch_size": 100}, 2, 6, "max_epochs"),  # more than there are examples
    ],
)
def test_the_budget(settings: dict[str, int], epochs: int, steps: int, stopped_by: str) -> None:
    progress = Progress()
    made = make_settings(**settings)
    history = train(make_model(), made, progress=progress)
    assert total_steps(made) == steps
    assert [epoch.number for epoch in history] == list(range(1, epochs + 1))
    assert (history[-1].steps, progress.steps, progress.stopped_by) == (steps, steps, stopped_by)


def test_every_example_is_seen_equally_often() -> None:
    """Five steps of 16 are two passes over 40 examples, each in an order of its own, in full batches."""

    class Watched(Memorised):
        taken: list[list[int]] = []

        def take(self, numbers: Tensor) -> Batch:
            self.taken.append(numbers.tolist())
            return super().take(numbers)

    examples = Watched(make_examples().batch)
    running = fit(make_model(), Squares(), examples, None, make_settings(epoch_steps=5))
    passes = []
    for _ in range(2):
        examples.taken.clear()
        next(running)
        assert [len(numbers) for numbers in examples.taken] == [16] * 5
        seen = [number for numbers in examples.taken for number in numbers]
        passes += [seen[:N], seen[N:]]
    assert all(sorted(one) == list(range(N)) for one in passes)
    assert len({tuple(one) for one in [*passes, range(N)]}) == 5, "shuffled, and anew for every pass"


def test_validation_is_the_mean_over_examples() -> None:
    """130 examples in pieces of 64: the last piece must not count as much as the others."""
    model, valid = make_model(), make_examples(2, 130)
    history = train(model, make_settings(max_epochs=1), valid=valid)
    with torch.no_grad():
        expected = Squares().loss(model(valid.batch), valid.batch).mean
    assert history[0].valid_loss == pytest.approx(float(expected), rel=1e-5)


def test_every_value_that_is_known_counts_the_same() -> None:
    """One batch with 16 known targets and two with one: the mean is over 18 values, in training and validation."""
    examples = make_examples(2, 48)
    known = torch.ones(48, 1, dtype=torch.bool)
    known[17:32] = known[33:] = False
    batch = Batch(examples.batch.inputs, examples.batch.targets, target_mask=known)
    with torch.no_grad():
        errors = (make_model(0.0)(batch).prediction - batch.targets).square()[known]
    still = make_settings(max_epochs=1, learning_rate=1e-12, batch_size=16)

    class InOrder(Memorised):
        begin = 0

        def take(self, numbers: Tensor) -> Batch:
            self.begin += len(numbers)
            return super().take(torch.arange(self.begin - len(numbers), self.begin))

    (epoch,) = fit(make_model(0.0), Squares(), InOrder(batch), None, still)
    assert epoch.train_loss == pytest.approx(errors.mean().item(), rel=1e-4)
    pieces = make_settings(max_epochs=1, learning_rate=1e-12, batch_size=4)  # validated in pieces of 16
    (epoch,) = fit(make_model(0.0), Squares(), make_examples(), Memorised(batch), pieces)
    assert epoch.valid_loss == pytest.approx(errors.mean().item(), rel=1e-4)


def test_where_nothing_is_known_the_loss_is_zero() -> None:
    examples = make_examples()
    unknown = Memorised(Batch(examples.batch.inputs, examples.batch.targets, target_mask=torch.zeros(N, 1).bool()))
    (epoch,) = fit(make_model(), Squares(), unknown, unknown, make_settings(max_epochs=1))
    assert (epoch.train_loss, epoch.valid_loss) == (0.0, 0.0)


def test_a_task_that_returns_a_plain_number_is_told() -> None:
    class Old(Squares):
        def loss(self, output: Output, batch: Batch) -> Any:
            return super().loss(output, batch).mean

    with pytest.raises(ConfigError, match="loss of a Old is a Tensor"):
        train(make_model(), make_settings(), Old())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite(value: float) -> None:
    model = make_model()
    with pytest.raises(RunError) as fault:
        train(model, make_settings(clip_norm=2.0), Spoilt(4, value))
    message = f"The training loss became {value} at step 5 with learning_rate=0.01 and clip_norm=2. "
    assert str(fault.value) == message + "Try learning_rate=0.001, or clip_norm=0.5."
    assert weights_of(model).isfinite().all(), "the weights of the step before"


# Groups and rates.


def full_model() -> nn.Module:
    recurrent = Recurrent([[LSTMCell(I, H)], [GRUCell(H, H)]], Regularisers(layer_norm=True))
    decoder = AttendingCell(GRUCell(1, H), AdditiveAttention(H, H))
    return Writer(nn.Linear(I, I), recurrent, decoder, nn.Identity(), nn.Linear(H, 1))


def test_groups_hold_every_parameter_once() -> None:
    model = full_model()
    optimiser = make_optimiser(model, TrainingSettings())
    grouped = [id(parameter) for group in optimiser.param_groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())
    assert [group["name"] for group in optimiser.param_groups] == list(GROUPS)
    groups = group_of(model)
    assert groups["recurrent.layers.0.0.cell.weight_hh"] == "recurrence"
    assert groups["decoder.cell.bias_ih"] == "recurrence"
    assert groups["decoder.attention.key.weight"] == "attention"
    others = {"embed", "recurrent.norms.0", "decoder.feed", "decoder.combine", "head"}
    assert {name.rpartition(".")[0] for name, group in groups.items() if group == "other"} == others


def test_shared_parameters_are_in_one_group() -> None:
    model = full_model()
    first, second = model.recurrent.layers[1][0].cell, model.decoder.cell
    second.weight_hh = first.weight_hh
    model.target_embed = model.embed
    optimiser = make_optimiser(model, TrainingSettings())
    grouped = [id(parameter) for group in optimiser.param_groups for parameter in group["params"]]
    assert sorted(grouped) == sorted(id(parameter) for parameter in model.parameters())


def test_an_empty_group_is_left_out() -> None:
    names = [group["name"] for group in make_optimiser(nn.Linear(1, 1), TrainingSettings()).param_groups]
    assert names == ["other"]
    alone = GRUCell(1, 1)
    assert set(group_of(alone).values()) == {"recurrence"} and set(group_of(alone)) == set(alone.state_dict())


def test_groups_have_their_own_settings() -> None:
    settings = TrainingSettings(
        learning_rate=0.1,
        weight_decay=0.2,
        warmup=3,
        recurrence_learning_rate=0.01,
        recurrence_weight_decay=0.0,
        attention_warmup=0,
    )
    groups = {group["name"]: group for group in make_optimiser(full_model(), settings).param_groups}
    found = {name: (g["peak"], g["weight_decay"], g["warmup"]) for name, g in groups.items()}
    assert found == {"recurrence": (0.01, 0.0, 3), "attention": (0.1, 0.2, 0), "other": (0.1, 0.2, 3)}


@pytest.mark.parametrize("group", ["recurrence", "attention"])
def test_a_group_with_rate_zero_stands_still(group: str) -> None:
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    history = train(model, make_settings(**{f"{group}_learning_rate": 0.0}))
    for name, of in group_of(model).items():
        assert torch.equal(model.state_dict()[name], before[name]) == (of == group), name
    assert history[0].learning_rates[group] == 0.0 and history[0].learning_rates["other"] > 0.0


def test_schedules_by_hand() -> None:
    total, warmup = 110, 10
    for schedule in ("cosine", "step", "constant"):
        assert [rate(step, total, warmup, schedule) for step in (0, 4, 9, 10)] == [0.1, 0.5, 1.0, 1.0]
    assert rate(60, total, warmup, "cosine") == pytest.approx(0.5)
    assert rate(35, total, warmup, "cosine") == pytest.approx(0.5 + math.sqrt(2) / 4)
    assert rate(110, total, warmup, "cosine") == pytest.approx(0.0)
    assert [rate(step, total, warmup, "step") for step in (76, 77, 99, 100, 109)] == [1.0, 0.1, 0.1, 0.01, 0.01]
    assert rate(109, total, warmup, "constant") == 1.0
    assert rate(0, total, 0, "cosine") == 1.0
    assert [rate(step, 20, 100, "constant") for step in (0, 4, 5)] == [0.2, 1.0, 1.0], "a quarter at most"
    assert rate(0, 1, 50, "cosine") == 1.0


def test_rates_in_the_history() -> None:
    settings = make_settings(learning_rate=0.2, max_epochs=4, warmup=3, schedule="cosine")
    history = train(make_model(), settings)
    expected = [0.2 * rate(step, 12, 3, "cosine") for step in (2, 5, 8, 11)]
    assert [epoch.learning_rates["other"] for epoch in history] == pytest.approx(expected)
    assert set(history[0].learning_rates) == set(history[0].gradient_norms) == set(GROUPS)


# One step at a time: what clipping and penalties do.


class Line(nn.Module):
    """Three weights and an output of attention, with gradients that can be computed by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[3.0, -4.0]]))
        self.bias = nn.Parameter(torch.tensor([2.0]))
        self.scores = nn.Parameter(torch.tensor([[1.0, 0.0, -1.0]]))

    def forward(self, batch: Batch) -> Output:
        weights = self.scores.softmax(-1).unsqueeze(0)
        return Output((batch.inputs @ self.weight.T).sum() + self.bias.sum(), weights)


class Value(Squares):
    def loss(self, output: Output, batch: Batch) -> Loss:
        return Loss(output.prediction, 1)


ONE_STEP = {"max_epochs": 1, "epoch_steps": 1, "batch_size": 1}


def gradients(**settings: Any) -> tuple[dict[str, Tensor], Epoch]:
    """The gradients of one step on inputs (3, 4), as the optimiser sees them."""
    model = Line()
    examples = Memorised(Batch(torch.tensor([[3.0, 4.0]])))
    (epoch,) = fit(model, Value(), examples, None, make_settings(**ONE_STEP, weight_decay=0.0, **settings))
    return {name: parameter.grad for name, parameter in model.named_parameters()}, epoch


def close(tensor: Tensor, expected: list[float]) -> bool:
    return torch.allclose(tensor.flatten(), torch.tensor(expected, dtype=tensor.dtype), atol=1e-4)


def test_no_clipping() -> None:
    found, epoch = gradients(clip_norm=0.0)
    assert close(found["weight"], [3, 4]) and close(found["bias"], [1])
    assert epoch.gradient_norms["other"] == pytest.approx(math.sqrt(26))


def test_clip_norm() -> None:
    found, epoch = gradients(clip_norm=1.0)
    assert close(found["weight"], [3 / math.sqrt(26), 4 / math.sqrt(26)])
    assert close(found["bias"], [1 / math.sqrt(26)])
    assert epoch.gradient_norms["other"] == pytest.approx(math.sqrt(26)), "the norm before clipping"
    wide, _ = gradients(clip_norm=10.0)
    assert close(wide["weight"], [3, 4])


def test_clip_norm_is_over_all_groups() -> None:
    model = make_model(0.0)
    before = train(copy.deepcopy(model), make_settings(**{**ONE_STEP, "batch_size": N}, clip_norm=0.0))
    whole = math.sqrt(sum(norm**2 for norm in before[0].gradient_norms.values()))
    train(model, make_settings(**{**ONE_STEP, "batch_size": N}, clip_norm=whole / 2))
    left = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
    assert left == pytest.approx(whole / 2, rel=1e-4)


def test_clip_value() -> None:
    found, _ = gradients(clip_norm=0.0, clip_value=3.5)
    assert close(found["weight"], [3, 3.5]) and close(found["bias"], [1])
    both, _ = gradients(clip_norm=1.0, clip_value=3.0)
    assert close(both["weight"], [3 / math.sqrt(19), 3 / math.sqrt(19)]), "first the value, then the norm"


@pytest.mark.parametrize(
    ("settings", "weight", "scores"),
    [
        ({"l1": 0.5}, [3.5, 3.5], [0.5, 0.0, -0.5]),  # sign
        ({"l2": 0.5}, [6.0, 0.0], [1.0, 0.0, -1.0]),  # 2 · 0.5 · w
    ],
    ids=["l1", "l2"],
)
def test_penalties_on_weights(settings: dict[str, float], weight: list[float], scores: list[float]) -> None:
    found, epoch = gradients(clip_norm=0.0, **settings)
    assert close(found["weight"], weight) and close(found["scores"], scores)
    assert close(found["bias"], [1]), "biases are left out"
    assert epoch.train_loss == pytest.approx(3 * 3 - 4 * 4 + 2), "the loss that is shown is the task's"


def test_entropy_by_hand() -> None:
    assert float(entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))) == pytest.approx(math.log(2) / 2)
    assert float(entropy(torch.full((2, 3, 8), 1 / 8))) == pytest.approx(math.log(8))
    weights = torch.tensor([1.0, 0.0], requires_grad=True)
    entropy(weights).backward()
    assert weights.grad is not None and weights.grad.isfinite().all()


def test_overlap_by_hand() -> None:
    """Rows (1, 0) and (1, 0) have all in common: ‖[[1, 1], [1, 1]] − I‖² = 2; (½, ½) alone is ½ from 1: ¼."""
    assert float(overlap(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))) == pytest.approx(2)
    assert float(overlap(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))) == 0
    assert float(overlap(torch.tensor([[0.5, 0.5]]))) == pytest.approx(0.25)
    weights = torch.rand(3, 2, 4, 6, dtype=torch.float64).softmax(-1)
    apart = [np.linalg.norm(a @ a.T - np.eye(4), "fro") ** 2 for a in weights.flatten(0, 1).numpy()]
    assert float(overlap(weights)) == pytest.approx(np.mean(apart))
    assert tuple(PENALTIES) == ATTENTION_PENALTIES


class Rows(Line):
    """A line that looks twice at three places."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor([[1.0, 0.0, 0.1], [0.9, 0.0, 0.0]]))


def test_overlap_penalty() -> None:
    """Looks move apart, as one step down the gradient of the formula says; without it nothing pulls at them."""
    examples = Memorised(Batch(torch.tensor([[3.0, 4.0]])))
    found = {}
    for share in (0.0, 0.5):
        model = Rows()
        list(fit(model, Value(), examples, None, make_settings(**ONE_STEP, clip_norm=0.0, overlap_penalty=share)))
        found[share] = model.scores.grad
    scores = Rows().scores
    rows = scores.softmax(-1)
    (expected,) = torch.autograd.grad(0.5 * ((rows @ rows.T - torch.eye(2)) ** 2).sum(), scores)
    assert found[0.0] is None or not found[0.0].any()
    torch.testing.assert_close(found[0.5], expected)


def test_coverage_penalty() -> None:
    """The second look pays for what the first one has seen: the sum of the smaller shares, over two looks."""
    examples = Memorised(Batch(torch.tensor([[3.0, 4.0]])))
    model = Rows()
    list(fit(model, Value(), examples, None, make_settings(**ONE_STEP, clip_norm=0.0, coverage_penalty=0.5)))
    scores = Rows().scores
    rows = scores.softmax(-1)
    twice = sum(min(rows[0, j], rows[1, j]) for j in range(3))
    (expected,) = torch.autograd.grad(0.5 * twice / 2, scores)
    torch.testing.assert_close(model.scores.grad, expected)


@pytest.mark.parametrize(("share", "sharper"), [(0.3, True), (-0.3, False)])
def test_entropy_penalty(share: float, sharper: bool) -> None:
    model = Line()
    before = float(entropy(model.scores.detach().softmax(-1)))
    examples = Memorised(Batch(torch.tensor([[3.0, 4.0]])))
    settings = make_settings(batch_size=1, learning_rate=0.1, weight_decay=0.0, entropy_penalty=share)
    list(fit(model, Value(), examples, None, settings))
    assert (float(entropy(model.scores.detach().softmax(-1))) < before) == sharper
    still = Line()
    list(fit(still, Value(), examples, None, make_settings(weight_decay=0.0)))
    assert torch.equal(still.scores, Line().scores), "without the penalty nothing pulls at the weights"


def test_weight_decay_is_decoupled() -> None:
    """AdamW takes lr · decay off every weight, whatever its gradient."""
    moved = {}
    for decay in (0.0, 0.5):
        model = Line()
        settings = make_settings(**ONE_STEP, learning_rate=0.1, warmup=0, weight_decay=decay)
        list(fit(model, Value(), Memorised(Batch(torch.tensor([[3.0, 4.0]]))), None, settings))
        moved[decay] = model.weight.detach()
    assert torch.allclose(moved[0.0] - moved[0.5], 0.1 * 0.5 * Line().weight.detach(), atol=1e-6)


def test_an_infinite_gradient_stops_before_it_reaches_the_weights() -> None:
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    next(iter(model.parameters())).register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(RunError, match=r"gradient norm .* at step 1 .*learning_rate"):
        train(model, make_settings(clip_norm=0.0))
    after = model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_validation_loss_that_is_no_number_is_not_passed_over() -> None:
    valid = make_examples()
    valid.batch.targets[0] = math.nan
    with pytest.raises(RunError, match="validation loss became nan"):
        list(fit(make_model(), Squares(), make_examples(), valid, make_settings()))

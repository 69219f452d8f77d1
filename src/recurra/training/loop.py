"""The training loop: a generator of epochs. Whoever runs it stops, saves, prunes or draws progress.

Parameters come in three groups, ``recurrence``, ``attention`` and ``other``, each with its own rate, decay
and warm-up, and the gradient norm of each is in the history.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..attention import Attention
from ..cells import Cell
from ..compare.metric import Metric
from ..errors import ConfigError, RunError
from ..native.threads import threads_for
from ..nn.models import Output
from ..random import drawing, using, watching
from ..settings.config import TrainingSettings
from .adamw import AdamW
from .precision import multiplying_in
from .task import Examples, Loss, Ordered, Task, Unequal

Carried = tuple[Tensor, ...]
GROUPS = ("recurrence", "attention", "other")
NEAR = 8  # batches, drawn by chance, among which examples are sorted by length


@dataclass(frozen=True)
class Epoch:
    """The record of one epoch."""

    number: int  # from 1
    steps: int  # training steps so far
    train_loss: float  # mean over all that was counted in the epoch
    valid_loss: float | None  # mean over all that was counted; None without validation examples
    best: bool  # no earlier epoch was better
    learning_rates: dict[str, float]  # of each group, at the end of the epoch
    gradient_norms: dict[str, float]  # of each group before clipping, mean over the epoch
    seconds: float
    watched: float | None = None  # the metric that decides which epoch is best; None if that is the loss


class Watch(NamedTuple):
    """A metric that decides which epoch is best, and how it is measured on the validation examples."""

    metric: Metric
    measure: Callable[[], float]


@dataclass
class Progress:
    """How far a training has come: with the model's weights, all it takes to go on exactly."""

    epoch: int = 0
    steps: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf  # of the best epoch, whatever decided which it is
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] | None = None
    best_watched: float | None = None  # the metric that was watched, of the best epoch; None if none was
    carried: Carried = ()  # what the last training batch handed on
    finished: bool = False
    stopped_by: str = ""  # patience, max_epochs or max_steps

    def exhausted(self, settings: TrainingSettings) -> bool:
        """Tell whether nothing more is to be trained, and note why."""
        if self.epoch - self.best_epoch >= settings.patience:
            self.stopped_by = "patience"
        elif self.epoch >= settings.max_epochs:
            self.stopped_by = "max_epochs"
        elif self.steps >= total_steps(settings):
            self.stopped_by = "max_steps"
        return bool(self.stopped_by)

    def beaten(self, loss: float, watched: float | None, watch: Watch | None) -> bool:
        """Tell whether an epoch is better than the best one: by its loss, or what was ``watched`` and then its loss."""
        if watch is None or watched is None or watched == self.best_watched:
            return loss < self.best_loss
        return self.best_watched is None or watch.metric.beats(watched, self.best_watched)

    def keep(self, number: int, loss: float, watched: float | None, model: nn.Module) -> None:
        """Note epoch ``number`` as the best one, with the weights that ``model`` has now."""
        self.best_epoch, self.best_loss, self.best_watched = number, loss, watched
        self.best_weights = {name: value.detach().clone() for name, value in model.state_dict().items()}


def fit(
    model: nn.Module,
    task: Task,
    train: Examples,
    valid: Examples | None,
    settings: TrainingSettings,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Iterator[Epoch]:
    """Train ``model`` and yield an Epoch after each one; stop early when ``valid`` no longer improves.

    When the generator ends, the model has the best weights. ``progress`` is kept up to date at every yield:
    given again with the model it belongs to, training goes on as if it had never stopped.
    The best epoch is that of the lowest loss on ``valid``, or of the best metric if one is to ``watch``.
    Raises RunError, with the step and what to try, if the loss or the metric is not a finite number.
    """
    if watch is not None and not watch.metric.better:
        raise ConfigError(f"{watch.metric.title} cannot decide when to stop: neither low nor high values are better.")
    progress = Progress() if progress is None else progress
    device = next(model.parameters()).device
    optimiser = make_optimiser(model, settings)
    if progress.optimiser is not None:
        optimiser.load_state_dict(progress.optimiser)
    total = total_steps(settings)
    loop = _Loop(model, task, settings, optimiser, total, device, watch)
    while not (progress.finished or progress.exhausted(settings)):
        yield loop.epoch(train, valid, progress)
    progress.finished = True
    if progress.best_weights:
        model.load_state_dict(progress.best_weights)
    model.eval()


@torch.no_grad()
def keep_start(
    model: nn.Module, task: Task, valid: Examples, settings: TrainingSettings, progress: Progress, watch: Watch | None
) -> None:
    """Let the weights that ``model`` begins with be the best so far, as epoch 0: what goes on must beat them."""
    device = next(model.parameters()).device
    loop = _Loop(model, task, settings, make_optimiser(model, settings), total_steps(settings), device, watch)
    generator = loop.generator(0)  # as validation draws after each epoch
    with using(generator):
        loss = loop.validate(valid, generator)
    progress.keep(0, loss, loop.measure(-1), model)


def total_steps(settings: TrainingSettings) -> int:
    """Return how many steps the training takes if nothing stops it early."""
    return min(settings.max_steps, settings.max_epochs * settings.epoch_steps)


def group_of(model: nn.Module) -> dict[str, str]:
    """Return the group of every parameter by its name."""
    groups = {name: "other" for name, _ in model.named_parameters()}
    for module_name, module in model.named_modules():
        if isinstance(module, (Cell, Attention)):
            group = "recurrence" if isinstance(module, Cell) else "attention"
            for name, _ in module.named_parameters():
                whole = f"{module_name}.{name}".lstrip(".")
                if whole in groups:  # a shared parameter counts once, under its first name
                    groups[whole] = group
    return groups


def _own(settings: TrainingSettings, group: str, name: str) -> Any:
    value = getattr(settings, f"{group}_{name}", None)
    return getattr(settings, name) if value is None else value


def make_optimiser(model: nn.Module, settings: TrainingSettings) -> AdamW:
    """Return AdamW over the three groups (those that are not empty)."""
    groups = group_of(model)
    parameters = dict(model.named_parameters())
    lists = {g: [parameters[name] for name, of in groups.items() if of == g] for g in GROUPS}
    return AdamW(
        [
            {
                "params": lists[g],
                "name": g,
                "lr": _own(settings, g, "learning_rate"),
                "peak": _own(settings, g, "learning_rate"),
                "weight_decay": _own(settings, g, "weight_decay"),
                "warmup": _own(settings, g, "warmup"),
            }
            for g in GROUPS
            if lists[g]
        ],
        settings.average,
    )


def rate(step: int, total: int, warmup: int, schedule: str) -> float:
    """Return the share of the full learning rate at ``step`` of ``total``.

    It rises linearly over ``warmup`` steps; then ``cosine`` falls to zero along half a wave, ``step`` is cut to
    a tenth at two thirds and again at nine tenths, ``constant`` stays.
    """
    warmup = min(warmup, total // 4)
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    if schedule == "step":
        return 1.0 if done < 2 / 3 else (0.1 if done < 0.9 else 0.01)
    return 1.0


def entropy(weights: Tensor) -> Tensor:
    """Return the mean entropy ``−Σ_j a_j log a_j`` of attention weights (..., T)."""
    return -torch.special.xlogy(weights, weights.clamp(min=1e-12)).sum(-1).mean()


def overlap(weights: Tensor) -> Tensor:
    """Return the mean ``‖A Aᵀ − I‖²`` (Frobenius) of attention weights A (..., R, T) with a row for each look.

    It is zero where every look is at one step, and no two at the same (Lin et al., arXiv 1703.03130).
    """
    return (weights @ weights.mT - torch.eye(weights.shape[-2]).to(weights)).square().sum((-2, -1)).mean()


def again(weights: Tensor) -> Tensor:
    """Return the mean ``Σ_j min(a_qj, Σ_{q' < q} a_q'j)`` of attention weights (..., Q, T).

    It is zero where no look falls on what was looked at before (See et al., arXiv 1704.04368).
    """
    before = weights.cumsum(-2) - weights
    return torch.minimum(weights, before).sum(-1).mean()


# What each of ATTENTION_PENALTIES weighs.
PENALTIES: dict[str, Callable[[Tensor], Tensor]] = {
    "entropy_penalty": entropy,
    "overlap_penalty": overlap,
    "coverage_penalty": again,
}


def order_of(examples: Examples, size: int, first: int, count: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the numbers of each of ``count`` batches: in the examples' own order, or in shuffled passes.

    Raises ConfigError if an own order ends before its time.
    """
    if not isinstance(examples, Ordered):
        # As many passes as the steps need: an epoch is the same amount of work for little and much data.
        passes = -(-count * size // len(examples))
        order = torch.cat([torch.randperm(len(examples), generator=generator) for _ in range(passes)])
        yield from _together(order[: count * size], examples, size, generator)
        return
    own = iter(examples.order(size, first, count, generator))
    for given in range(count):
        numbers = next(own, None)
        if numbers is None:
            raise ConfigError(f"The order of {type(examples).__name__} ended after {given} batches of {count}.")
        yield numbers


def _together(order: Tensor, examples: Examples, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield batches of ``size`` in this ``order``; where lengths differ, each of examples of about one length."""
    lengths = examples.lengths if isinstance(examples, Unequal) else None
    # What a user's own examples call so may be something else.
    if not isinstance(lengths, Tensor) or len(lengths) != len(examples) or bool((lengths == lengths[0]).all()):
        yield from order.split(size)
        return
    for some in order.split(NEAR * size):
        batches = some[torch.argsort(lengths[some], stable=True)].split(size)
        yield from (batches[n] for n in torch.randperm(len(batches), generator=generator).tolist())


class _Total:
    """A mean over batches, each of which weighs as much as was counted in it."""

    def __init__(self) -> None:
        self.sum, self.count = 0.0, 0.0

    def add(self, mean: float, count: float) -> None:
        """Add one batch."""
        self.sum += mean * count
        self.count += count

    def mean(self) -> float:
        """Return the mean so far; zero if nothing was counted."""
        return self.sum / self.count if self.count else 0.0


def _norms(lists: Iterable[list[Tensor]]) -> list[list[float]]:
    """Return the norm of every tensor in every list; all are fetched at once, as a GPU is waited for each time."""
    lists = list(lists)
    every = [one for some in lists for one in some]
    left = iter(torch.stack(torch._foreach_norm(every)).tolist() if every else [])
    return [[next(left) for _ in some] for some in lists]


class _Loop:
    """One epoch at a time, over what does not change between epochs."""

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        settings: TrainingSettings,
        optimiser: AdamW,
        total: int,
        device: torch.device,
        watch: Watch | None,
    ):
        self.model, self.task, self.settings, self.watch = model, task, settings, watch
        self.optimiser, self.total, self.device = optimiser, total, device
        self.parameters = sum(parameter.numel() for parameter in model.parameters())

    def epoch(self, train: Examples, valid: Examples | None, progress: Progress) -> Epoch:
        """Train one epoch, validate, and note the best weights."""
        started = time.perf_counter()
        number = progress.epoch + 1
        # Every epoch has its own seed, so a resumed training draws what an uninterrupted one would have drawn.
        generator = self.generator(number)
        threads = threads_for(self.settings.batch_size, self.parameters)
        with using(generator), threads, multiplying_in(self.settings.precision):
            train_loss, norms = self._train(train, progress, generator)
        generator = self.generator(0)  # validation draws the same in every epoch
        with self.optimiser.averaged():
            with using(generator):
                valid_loss = None if valid is None else self.validate(valid, generator)
            loss = train_loss if valid_loss is None else valid_loss
            self._require_finite("validation loss", loss, progress.steps - 1)
            watched = self.measure(progress.steps - 1)
            best = progress.beaten(loss, watched, self.watch)
            if best:
                progress.keep(number, loss, watched, self.model)
        progress.epoch = number
        progress.optimiser = self.optimiser.state_dict()
        rates = {group["name"]: group["lr"] for group in self.optimiser.param_groups}
        seconds = time.perf_counter() - started
        return Epoch(number, progress.steps, train_loss, valid_loss, best, rates, norms, seconds, watched)

    @torch.no_grad()
    def measure(self, step: int) -> float | None:
        """Return the metric to watch, or None if there is none."""
        if self.watch is None:
            return None
        self.model.eval()
        with drawing(self.generator(0)):  # as validation does
            value = float(self.watch.measure())
        self._require_finite(f"validation {self.watch.metric.title}", value, step)
        return value

    def generator(self, number: int) -> torch.Generator:
        """Return what draws in epoch ``number``, or, for 0, in every validation."""
        return torch.Generator().manual_seed((self.settings.seed * 1_000_003 + number) % 2**63)

    def _train(self, train: Examples, progress: Progress, generator: torch.Generator) -> tuple[float, dict[str, float]]:
        self.model.train()
        count = min(self.settings.epoch_steps, self.total - progress.steps)
        order = order_of(train, self.settings.batch_size, progress.steps, count, generator)
        total, norms = _Total(), {group["name"]: 0.0 for group in self.optimiser.param_groups}
        ask = self._asking(train, order)
        for _ in range(count):
            output, loss = ask(progress.carried)
            progress.carried = tuple(tensor.detach() for tensor in output.carried)
            total.add(self._descend(output, loss, progress.steps), float(loss.count))
            for name, norm in self._clip().items():
                self._require_finite(f"gradient norm of the {name} weights", norm, progress.steps)
                norms[name] += norm
            self.optimiser.step()
            progress.steps += 1
        return total.mean(), {name: norm / count for name, norm in norms.items()}

    def _asking(self, examples: Examples, order: Iterator[Tensor]) -> Callable[[Carried], tuple[Output, Loss]]:
        """Return a function that asks the model about the next batch, which is handed what the one before carried."""
        watched = watching(self.model, self.task, examples)

        def ask(carried: Carried) -> tuple[Output, Loss]:
            with watched():
                batch = examples.take(next(order)).with_carried(carried).to(self.device)
                output = self.task.ask(self.model, batch)
                loss = self.task.loss(output, batch)
            if not isinstance(loss, Loss):
                raise ConfigError(
                    f"The loss of a {type(self.task).__name__} is a {type(loss).__name__}, but it must be a "
                    f"Loss(sum, count) of recurra.training.task, such as Loss.over(one loss per value, mask)."
                )
            return output, loss

        return ask

    def _descend(self, output: Output, loss: Loss, step: int) -> float:
        """Set the rates and the gradients of one step; return the mean loss."""
        for group in self.optimiser.param_groups:
            share = rate(step, self.total, group["warmup"], self.settings.schedule)
            group["lr"] = group["peak"] * share
        mean = loss.mean
        value = float(mean.detach())
        self._require_finite("training loss", value, step)
        self.optimiser.zero_grad()
        (mean + self._penalty(output)).backward()
        return value

    def _require_finite(self, what: str, value: float, step: int) -> None:
        if math.isfinite(value):
            return
        settings = self.settings
        raise RunError(
            f"The {what} became {value} at step {step + 1} with learning_rate={settings.learning_rate:g} "
            f"and clip_norm={settings.clip_norm:g}. Try learning_rate={settings.learning_rate / 10:g}, "
            f"or clip_norm=0.5."
        )

    def _penalty(self, output: Output) -> Tensor | float:
        settings = self.settings
        penalty: Tensor | float = 0.0
        weights = [p for p in self.model.parameters() if p.dim() > 1] if settings.l1 or settings.l2 else []
        if settings.l1:
            penalty = penalty + settings.l1 * torch.stack([w.abs().sum() for w in weights]).sum()
        if settings.l2:
            penalty = penalty + settings.l2 * torch.stack([w.square().sum() for w in weights]).sum()
        for name, measure in PENALTIES.items():
            share = getattr(settings, name)
            if share and output.weights is not None:
                penalty = penalty + share * measure(output.weights)
        return penalty

    @torch.no_grad()
    def _clip(self) -> dict[str, float]:
        """Clip the gradients; return the norm that those of each group had before."""
        settings, groups = self.settings, self.optimiser.param_groups
        gradients = {group["name"]: [p.grad for p in group["params"] if p.grad is not None] for group in groups}
        every = [gradient for of_group in gradients.values() for gradient in of_group]
        norms = {name: math.hypot(*each) for name, each in zip(gradients, _norms(gradients.values()), strict=True)}
        if settings.clip_value:
            torch._foreach_clamp_min_(every, -settings.clip_value)
            torch._foreach_clamp_max_(every, settings.clip_value)
        if settings.clip_norm:
            whole = math.hypot(*(_norms([every])[0] if settings.clip_value else norms.values()))
            if whole > settings.clip_norm:
                torch._foreach_mul_(every, settings.clip_norm / (whole + 1e-6))
        return norms

    @torch.no_grad()
    def validate(self, valid: Examples, generator: torch.Generator) -> float:
        """Return the mean loss on the ``valid`` examples."""
        self.model.eval()
        carried: Carried = ()
        total, ordered = _Total(), isinstance(valid, Ordered)
        size = self.settings.batch_size * (1 if ordered else 4)
        count = -(-len(valid) // size)
        plain = iter(torch.arange(len(valid)).split(size))
        ask = self._asking(valid, order_of(valid, size, 0, count, generator) if ordered else plain)
        for _ in range(count):
            output, loss = ask(carried)
            carried = output.carried
            total.add(float(loss.mean), float(loss.count))
        return total.mean()

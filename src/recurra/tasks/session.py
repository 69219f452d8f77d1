"""One training of one model: its network built, its epochs one at a time, its best weights kept."""

import dataclasses
import logging
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from ..compare.metric import Metric
from ..errors import ConfigError, nearest
from ..nn.surroundings import on_its_own
from ..settings import Config
from ..training.device import pick_device
from ..training.loop import Epoch, Progress, Watch, keep_start, total_steps
from ..training.meter import Outlook, describe_epoch
from ..training.record import Record
from ..training.task import Task
from .base import BY_USER, Baseline, Fitted, Kind, Prepared, Tell, tell_nobody

LOG = logging.getLogger("recurra")
LOG.addHandler(logging.NullHandler())  # whoever wants to hear of it says so


class Session:
    """A training of what was ``prepared``, from its first step or from where an earlier one stopped.

    Whoever iterates over ``epochs`` stops, saves or draws; after stopping early, ``keep_best``. ``fitted`` is the
    model at every moment, ``history`` a plain record per epoch, ``progress`` what it takes to go on.
    """

    @on_its_own
    def __init__(self, prepared: Prepared, progress: Progress | None = None, weights: dict[str, Tensor] | None = None):
        kind, config = prepared.kind, prepared.config
        network, task = _made(kind, config, prepared.learned)
        if weights is None:
            kind.begin(network, prepared)
        else:
            network.load_state_dict(weights)
        device = pick_device(config.training.device, network)
        network.to(device)
        self.prepared = prepared
        self.fitted = Fitted(kind, config, prepared.learned, network, task, {}, Record.of(network, device.type))
        self.progress = Progress() if progress is None else progress
        self.history: list[dict[str, Any]] = []
        self.fitted.record.notes = [*getattr(prepared.data, "notes", ()), *prepared.plan.notes]
        self._watch = self._watched()
        for note in self.fitted.record.notes:
            LOG.info("%s", note)

    @on_its_own
    def keep_start(self) -> None:
        """Let the weights that this begins with be the best so far; raises nothing that training would not."""
        fitted, prepared = self.fitted, self.prepared
        keep_start(fitted.network, fitted.task, prepared.valid, fitted.config.training, self.progress, self._watch)

    @on_its_own
    def epochs(self) -> Iterator[Epoch]:
        """Train one epoch at a time; at the end the model has its best weights and is finished."""
        yield from self.first_epochs()
        self._finish()
        first = self.progress
        for more in self.prepared.kind.train_on(self.fitted, self.prepared):
            epoch = dataclasses.replace(
                more, number=first.epoch + more.number, steps=first.steps + more.steps, best=False
            )
            self._note(epoch)
            yield epoch
        self._record()

    @on_its_own
    def first_epochs(self) -> Iterator[Epoch]:
        """Train as long as the validation decides, and no more: what a search goes by. Nothing is finished after it."""
        for epoch in self.prepared.kind.train(self.fitted, self.prepared, self.progress, self._watch):
            self._note(epoch)
            yield epoch

    @on_its_own
    def keep_best(self) -> None:
        """Put the best weights so far in place: what to do after stopping ``epochs`` early."""
        if self.progress.best_weights:
            self.fitted.network.load_state_dict(self.progress.best_weights)
        self.history[:] = watched_epochs(self.history, self.progress.epoch)
        self.progress.stopped_by = self.progress.stopped_by or BY_USER
        self._finish()

    @property
    def most_epochs(self) -> int:
        """How many epochs the training takes if nothing stops it early."""
        training = self.prepared.config.training
        return math.ceil(total_steps(training) / training.epoch_steps)

    @property
    def outlook(self) -> Outlook:
        """How many epochs may still come."""
        most, more = self.most_epochs, self.prepared.kind.more_epochs(self.fitted.config)
        done = sum(epoch["number"] > self.progress.epoch for epoch in self.history)
        over = self.progress.finished
        left = more - done + (0 if over else most - self.progress.epoch)
        return Outlook(most, max(0, left), certain=over)

    def fit_baselines(self, tell: Tell = tell_nobody) -> None:
        """Fit what the model is compared with, and ``tell`` what is to be said of that."""
        tell(put_beside(self.fitted, fitted_baselines(self.prepared, self.fitted.baselines)))

    def _note(self, epoch: Epoch) -> None:
        self.history.append(dataclasses.asdict(epoch))
        LOG.info("%s", describe_epoch(epoch, self.most_epochs).rstrip())

    def _finish(self) -> None:
        self._record()
        self.prepared.kind.finish(self.fitted, self.prepared)

    def _record(self) -> None:
        self.fitted.network.eval()
        self.fitted.record.trained(self.progress, self.history)

    def _watched(self) -> Watch | None:
        """Return what early stopping watches besides the loss, if it is asked to."""
        prepared = self.prepared
        wanted = prepared.config.training.watch
        if wanted == "loss":
            return None
        metric = watchable(wanted, prepared.kind.metrics(prepared.config))
        exam = prepared.kind.exam(prepared.data, prepared.learned, prepared.plan.valid)

        def measure() -> float:
            answers = prepared.kind.ask(self.fitted, exam.examples)
            return metric.of(prepared.kind.statistics(exam.truth, answers))

        return Watch(metric, measure)


def _made(kind: Kind, config: Config, learned: Any) -> tuple[nn.Module, Task]:
    """Return an untrained network; raises ConfigError if memory does not hold it."""
    try:
        return kind.make(config, learned)
    except (RuntimeError, MemoryError) as fault:
        if not re.search("memory|overflow|storage size", str(fault), re.IGNORECASE):
            raise
        size = config.model.hidden_size
        raise ConfigError(f"A network of hidden_size={size:,} does not fit into memory. Use a smaller one.") from None


def fitted_baselines(prepared: Prepared, fitted: Mapping[str, Baseline]) -> dict[str, Baseline]:
    """Return the baselines of a kind, those that are ``fitted`` already and the others fitted to the same examples."""
    baselines = prepared.kind.baselines(prepared.config, prepared.learned)
    for name, baseline in baselines.items():
        if name not in fitted:
            baseline.fit(prepared)
    return {name: fitted.get(name, baseline) for name, baseline in baselines.items()}


def put_beside(fitted: Fitted, baselines: dict[str, Baseline]) -> list[str]:
    """Give a model its ``baselines``; returns what is to be said of them, which its record keeps, too."""
    fitted.baselines = baselines
    notes = [note for baseline in baselines.values() for note in baseline.notes if note not in fitted.record.notes]
    fitted.record.notes += notes
    return notes


def watched_epochs(history: list[dict[str, Any]], last: int) -> list[dict[str, Any]]:
    """Return the epochs up to the ``last`` that early stopping saw: what came after it is done anew, or undone."""
    return [epoch for epoch in history if epoch["number"] <= last]


def watchable(name: str, metrics: tuple[Metric, ...]) -> Metric:
    """Return the metric called ``name``; raises ConfigError if there is none, or it has no better side."""
    table = {metric.name: metric for metric in metrics if metric.better}
    if name not in table:
        names = ", ".join(["loss", *table])
        raise ConfigError(f"Unknown watch '{name}'.{nearest(name, ['loss', *table])} Choose one of: {names}.")
    return table[name]

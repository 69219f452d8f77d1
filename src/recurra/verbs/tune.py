"""``tune``: many trainings with other settings, judged by validation alone; the best one is trained once more and kept.

What is finished is on disk after every trial. A trial that was going on when all was stopped is done anew; what it
comes to follows from its number and the trials before it, so that nothing is lost but its time.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from ..compare.metric import Metric
from ..errors import ConfigError, RecurraError, RunError
from ..nn.build import is_reservoir, refuse_unused
from ..settings import Config, TuneAsked, make_config, make_part, written
from ..tasks.base import Kind, Prepared
from ..tasks.estimator import Estimator
from ..tasks.frames import collected
from ..tasks.session import LOG, Session
from ..tasks.sizing import SIZED
from ..training import runs
from ..training.loop import Epoch
from ..tuning.findings import Finding, find
from ..tuning.space import Point, Space, make_space
from ..tuning.strategies import Strategy, count, make_strategy
from ..tuning.trials import FAILED, Trial, best_of
from ..writing.numbers import finite
from .common import NOBODY, Cuts, Listener, Source, fresh_folder, used
from .ledger import check_same
from .train import Trained, describe, finish, plan_of, train_to_end
from .trial import Job, metric_of, rank_of, run_all, workers

WAVE = 8  # trials that are held against those before them, and not against each other: whoever runs beside whom
SEARCHED = ("strategy", "prune")  # what a search goes on with as it began, besides where it looks


@dataclass(frozen=True)
class Tuned:
    """What ``tune`` leaves behind: the best model in a run folder, and all trials."""

    trained: Trained
    search: Mapping[str, Any]  # as it stands in the folder, plain data
    finding: Finding
    estimator: Any = None  # fitted, of the class that was given

    @property
    def folder(self) -> Path:
        """The run folder of the best model."""
        return self.trained.folder

    @property
    def report(self) -> Path | None:
        """The page that shows the trials; None if Ctrl-C came before."""
        return self.trained.report

    @property
    def importance(self) -> dict[str, float]:
        """The share of each setting in what mattered, which sum to 1; empty if the trials do not tell."""
        return self.finding.importance.shares

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row per trial, the best one first: number, what was set, score, state, epochs, seconds, parameters."""
        rows = [
            {"trial": one.number, **one.values, self.finding.metric.name: one.score, "state": one.state}
            | {"epochs": len(one.curve), "seconds": one.seconds, "parameters": one.parameters}
            for one in sorted(self.finding.trials, key=lambda one: (one.state == FAILED, one.cost, one.number))
        ]
        return pd.DataFrame(rows)


def tune(estimator: Estimator, data: Any, **asked: Any) -> Tuned:
    """Search better settings for ``estimator`` on ``data``, and return the best model, fitted, with all trials.

    ``data`` is what its ``fit`` takes: a table, a path, a pair ``(X, y)``. The settings of the estimator are trial 0,
    and those that are not searched stay as they are. Trials are judged by validation; what is held out to test is
    answered once, by the best one.

    What may be ``asked``, as on the command line: ``search``, names such as ``"hidden_size,dropout"`` with or without
    ``=16..128`` or ``=a,b`` behind each, or a mapping to lists and ``Range``; ``strategy`` random, grid or optuna;
    ``trials``; ``minutes``; ``prune`` median, halving or none; ``jobs``, at the same time (None as
    ``joblib.parallel_config`` says); ``test_size``, ``test_data``, ``max_rows``; ``out``, the run folder, with
    ``overwrite``; ``resume``, the folder of a search that was stopped. Raises ConfigError for what is none of these, or
    cannot be searched.
    """
    kind, search = estimator.kind, asked.pop("search", None)
    options = make_part(TuneAsked, asked)
    known = kind.parts.settings()
    settings = {n: v for n, v in estimator.get_params().items() if v != known[n].default}
    config = make_config(kind.parts, settings)
    data = (collected(data[0]), *data[1:]) if isinstance(data, tuple) else collected(data)
    read = kind.read(data, config, None, options.max_rows)
    source = Source(read, _path(data), options.max_rows, options.test_size, options.test_data)
    folder = Path(options.resume or options.out or fresh_folder(f"tune-{kind.parts.name}"))
    search = (search,) if isinstance(search, str) else search
    done = tune_settings(kind, source, settings, Searching(options, search), folder)
    fitted = type(estimator)._of(done.trained.fitted, done.trained.history)
    return Tuned(done.trained, done.search, done.finding, fitted)


def _path(data: Any) -> str:
    """Return the file that data come from; nothing if they come from none."""
    try:
        return str(data) if isinstance(data, (str, Path)) and Path(data).exists() else ""
    except OSError:  # a text that is longer than names are
        return ""


@dataclass(frozen=True)
class Searching:
    """What a search was asked for."""

    asked: TuneAsked
    search: Sequence[str] | Mapping[str, Any] | None = None  # settings that vary; those of the kind if None
    again: Mapping[str, Any] = field(default_factory=dict)  # plain data from which it can be asked for again

    def space(self, kind: Kind, settings: Mapping[str, Any]) -> Space:
        """Return where is searched, with ``settings`` as they are given; raises ConfigError that lists every fault."""
        known, needed = kind.parts.settings(), kind.parts.needed
        sized = SIZED if settings.get("size", "m") != "m" else ()
        if self.search is None:
            free = [name for name in kind.parts.search if name not in sized]
            free = [name for name in free if settings.get(name, known[name].default) == known[name].default]
            return make_space(known, free, needed)
        space = make_space(known, self.search, needed)
        for axis in space.axes:
            if axis.name in sized:
                raise ConfigError(
                    f"size={settings['size']} decides {axis.name}, which is searched: leave one of them out."
                )
        return space


def tune_settings(
    kind: Kind,
    source: Source,
    settings: Mapping[str, Any],
    searching: Searching,
    folder: Path,
    listener: Listener = NOBODY,
) -> Tuned:
    """Search settings for one kind of task, and write the run folder of the best model, with a report of all trials.

    ``listener`` is told each trial as an outcome. Raises ConfigError for what cannot be searched, and RunError if no
    trial came to its end. After Ctrl-C it goes on where it was if it is asked to resume.
    """
    asked = searching.asked
    if not asked.resume:
        runs.check_writable(folder, asked.overwrite)
    bench = _Search(kind, source, settings, searching, listener)
    if asked.resume:
        bench.go_on(folder)
    bench.write(folder)
    for trial in bench.run():
        bench.trials.append(trial)
        bench.write(folder)
        LOG.info("trial %s: %s", trial.number, trial.state)
        listener.outcome(trial)
    best = best_of(bench.trials)
    if best is None:
        failed = [trial.why for trial in bench.trials if trial.why]
        raise RunError(failed[0] if failed else "No trial came to its end: give more minutes.")
    finding = find(bench.space, bench.trials, bench.metric)
    search = finite(bench.about() | {"findings": finding.sentences, "importance": finding.importance.shares})
    trained = bench.train(best, search, folder)
    return Tuned(trained, search, finding)


class _Search:
    """Runs the trials of one search."""

    def __init__(
        self, kind: Kind, source: Source, settings: Mapping[str, Any], searching: Searching, listener: Listener
    ):
        self.kind, self.source, self.listener, self.searching = kind, source, listener, searching
        self.asked, self.begun = searching.asked, time.monotonic()
        config = make_config(kind.parts, settings)
        config.require()
        refuse_unused(config, kind.unused(config))
        if is_reservoir(config.model):
            raise ConfigError("A reservoir tries many numbers in each training already: train it instead.")
        self.space = searching.space(kind, settings)
        idle = kind.unused_with(source.data)
        faults = [
            f"The setting {one.name} has no effect: {idle[one.name]}." for one in self.space.axes if one.name in idle
        ]
        if faults:
            raise ConfigError("\n".join(faults))
        self.cuts = Cuts(kind, source, listener)
        prepared, _ = self.cuts.of(config)
        self.settings = dict(settings) | self._told_apart(prepared)
        self.first = self._config({})
        self.prepared, self.exam = self.cuts.of(self.first)
        self.metric: Metric = metric_of(self.prepared)
        self.start = self.space.point(self.prepared.config.flat())
        self.strategy: Strategy = make_strategy(self.asked.strategy, self.space, self.first.training.seed, self.start)
        self.trials: list[Trial] = []
        self._tell_how_many()

    def _told_apart(self, prepared: Prepared) -> dict[str, str]:
        """Return the metric to watch, where what is searched changes what the loss measures."""
        home = self.kind.parts.part_of()
        own = [axis.name for axis in self.space.axes if home[axis.name] == self.kind.parts.name]
        if not own or prepared.config.training.watch != "loss":
            return {}
        name = rank_of(self.kind, prepared)
        title = self.kind.metrics(prepared.config)[0].title
        self.listener.notes([f"trials are told apart by their validation {title}, as {own[0]} may change the loss"])
        return {"watch": name}

    def _tell_how_many(self) -> None:
        total, trials = count(self.strategy), self.asked.trials
        if total is not None and total + 1 > trials:
            self.listener.notes(
                [f"{trials - 1} of {total} combinations are tried, by chance; trials={total + 1} tries all"]
            )
        elif total is not None and total + 1 < trials:
            self.listener.notes([f"there are {total} combinations, so that {total + 1} trials are all"])

    def _config(self, values: Mapping[str, Any]) -> Config:
        """Return the settings of a trial; those that nothing uses have their defaults."""
        own = self.settings | dict(values)
        if isinstance(own.get("cell"), tuple):
            own.pop("num_layers", None)
        return make_config(self.kind.parts, used(self.kind, own))

    # ------------------------------------------------------------------------------------------------- on disk

    def plan(self) -> dict[str, Any]:
        """Return what the search was asked for, as plain data: it goes on only with the same."""
        plan = plan_of(self.kind, self.source, self.first, self.prepared.plan.test_size)
        how = {name: getattr(self.asked, name) for name in SEARCHED}
        return plan | how | {"verb": "tune", "space": self.space.written(), "asked": dict(self.searching.again)}

    def write(self, folder: Path) -> None:
        """Write what is finished into one file, replaced in one move."""
        about = {"plan": self.plan(), "trials": [trial.to_plain() for trial in self.trials]}
        runs.write_state(folder, {}, about)

    def go_on(self, folder: Path) -> None:
        """Take over what was finished before."""
        _, about = runs.read_state(folder, "tune")
        check_same(about["plan"], self.plan(), "search", "Tune")
        self.trials = [Trial.from_plain(one) for one in about["trials"]]
        self.listener.notes([f"{len(self.trials)} of {self.asked.trials} trials are finished already"])

    def about(self) -> dict[str, Any]:
        """Return the search as plain data."""
        metric, axes = self.metric, self.space.axes
        return {
            "metric": {name: getattr(metric, name) for name in ("name", "title", "better", "share", "points")},
            "strategy": self.asked.strategy,
            "axes": [
                {"name": axis.name, "range": axis.range and list(axis.range), "choices": self._texts(axis)}
                for axis in axes
            ],
            "trials": [trial.to_plain() for trial in sorted(self.trials, key=lambda one: one.number)],
        }

    def _texts(self, axis: Any) -> list[str]:
        setting = self.kind.parts.settings()[axis.name]
        return [written(setting, choice) for choice in axis.choices]

    # ------------------------------------------------------------------------------------------------- trials

    def run(self) -> Iterator[Trial]:
        """Run what is not finished, and yield each trial when it has ended."""
        for numbers in self._waves():
            before = sorted((one for one in self.trials if one.number < numbers[0]), key=lambda one: one.number)
            jobs = list(self._points(numbers, before))
            if not jobs:
                return
            done = {trial.number for trial in self.trials}
            rivals = [trial.curve for trial in before if trial.scored]
            left = (self._job(number, point, rivals) for number, point in self._in_time(jobs) if number not in done)
            yield from run_all(left, self.asked.jobs, self.listener.epoch)

    def _waves(self) -> Iterator[list[int]]:
        """Yield the numbers of trials that know of those in the waves before, and not of each other.

        So what a trial comes to does not depend on how many run at once; with a strategy that learns it does.
        """
        size = WAVE if self.strategy.alone else workers(self.asked.jobs)
        if self.strategy.alone and self.asked.prune == "none":
            size = max(1, self.asked.trials)
        for first in range(0, self.asked.trials, size):
            yield list(range(first, min(first + size, self.asked.trials)))

    def _points(self, numbers: Sequence[int], before: Sequence[Trial]) -> Iterator[tuple[int, Point | None]]:
        if numbers[0] == 0:
            yield 0, self.start
        others = [number for number in numbers if number]
        if others:
            yield from zip(others, self.strategy.ask(others, before), strict=False)

    def _in_time(self, jobs: Sequence[tuple[int, Point | None]]) -> Iterator[tuple[int, Point | None]]:
        """Yield jobs as long as there is time; the first trial has all the time that it needs."""
        for number, point in jobs:
            if number and self._seconds_left() <= 0:
                return
            yield number, point

    def _seconds_left(self) -> float:
        minutes = self.asked.minutes
        return math.inf if minutes is None else 60 * minutes - (time.monotonic() - self.begun)

    def _job(self, number: int, point: Point | None, rivals: Sequence[Sequence[float]]) -> Job:
        values = self.space.values(point) if point is not None and number else {}
        try:
            config = self._config(values)
            prepared = self.cuts.of(config)[0]
        except RecurraError as fault:
            return Job(number, point, self._told(values), None, str(fault))
        at_once = workers(self.asked.jobs)
        threads = None if at_once == 1 else max(1, torch.get_num_threads() // at_once)
        seconds = self._seconds_left() if number else math.inf
        told = self._told(prepared.config.flat())
        return Job(number, point, told, prepared, "", self.asked.prune, rivals, threads, seconds)

    def _told(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the settings that vary, as plain data."""
        known = self.kind.parts.settings()
        found = {axis.name: values[axis.name] for axis in self.space.axes if axis.name in values}
        return {
            name: value if isinstance(value, (int, float, str)) else written(known[name], value)
            for name, value in found.items()
        }

    # ------------------------------------------------------------------------------------------------- the best

    def train(self, best: Trial, search: Mapping[str, Any], folder: Path) -> Trained:
        """Train the best trial once more, to its very end, judge it, and write its run folder."""
        values = self.space.values(best.point) if best.point is not None and best.number else {}
        prepared, exam = self.cuts.of(self._config(values))
        session = Session(prepared)
        describe(session.fitted, self.plan())

        def told(epoch: Epoch) -> None:
            self.listener.epoch("the best one", epoch, session.outlook)

        interrupted = train_to_end(session, told)
        return finish(session, exam, folder, interrupted, self.listener, search)

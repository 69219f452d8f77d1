"""``compare``: many models on the same data, budget and seeds; which is best, and does it beat what costs nothing?"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..cells import CELLS
from ..compare.comparison import Candidate, Comparison, Effort, Outcome, Reference, compare, equal_size
from ..errors import ConfigError, RunError
from ..nn.build import attention_options, cell_names, is_reservoir
from ..report.inside import mean_over_heads
from ..settings import Config, make_config
from ..tasks.base import Exam, Fitted, Judged, Kind, Prepared
from ..tasks.pages import comparison_page, is_naive
from ..tasks.saving import to_run
from ..tasks.session import LOG, Session, put_beside
from ..training import runs
from ..training.memory import step_memory
from ..writing.numbers import finite
from .common import NOBODY, Cuts, Listener, Source, exchanged, judge_beside, judge_network, prepare, used
from .ledger import Best, Ledger, Looked, read_ledger
from .train import describe, plan_of

CELLS_COMPARED = ("rnn", "lstm", "gru", "lstm/gru", "parallel", "lstm_gru", "lstm_gru_full")  # in the demo


def make_candidates(
    kind: Kind, settings: Mapping[str, Any], cells: Sequence[Any], attentions: Sequence[Any]
) -> list[Candidate]:
    """Return every cell with every attention, once; settings that one of them does not use are left out for it.

    A cell is a name, a stack such as ``lstm/gru``, or a class; an attention a name or a class.
    """
    every = [_candidate(kind, {**settings, "cell": c, "attention": a}) for c in cells for a in attentions]
    return list({candidate.label: candidate for candidate in every}.values())


def make_recipes(
    kind: Kind, settings: Mapping[str, Any], recipes: Sequence[tuple[str, Mapping[str, Any]]], others: Sequence[str]
) -> list[Candidate]:
    """Return a candidate for each of the ``recipes``: a name, and settings that go before the ``settings`` of all.

    Raises ConfigError if two have the same name, or one has that of one of the ``others``.
    """
    names = [*others, *(name for name, _ in recipes)]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"Two models would be called '{twice[0]}': rename the file of the recipe.")
    return [
        dataclasses.replace(_candidate(kind, {**settings, **own}), label=name, recipe=True) for name, own in recipes
    ]


def _candidate(kind: Kind, own: dict[str, Any]) -> Candidate:
    config = make_config(kind.parts, {name: v for name, v in own.items() if name != "num_layers"})
    if isinstance(config.model.cell, tuple):
        own.pop("num_layers", None)
    if "attention" in kind.unused(config):
        own["attention"] = "none"  # whichever is named, it looks nowhere
    own = used(kind, own)
    config = make_config(kind.parts, own)
    cell_name = config.named("cell")
    attention_name = "none" if is_reservoir(config.model) else config.named("attention")
    label = cell_name if attention_name == "none" else f"{cell_name} + {attention_name}"
    return Candidate(label, own, attention_name, cell_name, is_hybrid(config))


def is_hybrid(config: Config) -> bool:
    """Tell whether a model is built of several kinds of cell: one by one, or in one cell."""
    cells = set(cell_names(config.model))
    return len(cells) > 1 or any(cell in CELLS and CELLS.entries[str(cell)].hybrid for cell in cells)


def equalise(kind: Kind, source: Source, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Give every candidate the hidden size whose parameter count comes nearest to the first one's."""
    config = make_config(kind.parts, candidates[0].settings)
    prepared = prepare(kind, source, config)[0]
    learned = prepared.learned

    def count(candidate: Candidate, size: int) -> int:
        network, _ = kind.make(make_config(kind.parts, candidate.settings | {"hidden_size": size}), learned)
        return sum(p.numel() for p in network.parameters())

    goal = count(candidates[0], prepared.config.model.hidden_size)
    equal = []
    for candidate in candidates:
        model = make_config(kind.parts, candidate.settings).model
        heads = model.heads if "heads" in attention_options(model.attention) else 1
        size = equal_size(lambda n, c=candidate: count(c, n), goal, heads)  # type: ignore[misc]
        equal.append(dataclasses.replace(candidate, settings=candidate.settings | {"hidden_size": size}))
    return equal


@dataclass(frozen=True)
class Compared:
    """What ``compare`` leaves behind."""

    folder: Path
    report: Path | None  # None if Ctrl-C came before there was one
    comparison: Comparison
    fitted: Fitted  # the model that is kept
    judged: Judged  # on the exam that all had
    chosen: str  # the candidate that is kept: lowest validation loss
    interrupted: bool  # by Ctrl-C
    fault: str  # what ended the comparison before its time, if it was not Ctrl-C


@dataclass(frozen=True)
class Lineup:
    """What is compared: every candidate with every seed."""

    candidates: Sequence[Candidate]
    seeds: Sequence[int]
    asked: Mapping[str, Any] = field(default_factory=dict)  # plain data from which it can be made again
    verb: str = "compare"  # the command that goes on with it


def compare_candidates(
    kind: Kind,
    source: Source,
    lineup: Lineup,
    folder: Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    listener: Listener = NOBODY,
) -> Compared:
    """Train every candidate with every seed, judge all by the same exam, and write one report.

    The run that is kept is the one with the lowest validation loss, which a recipe may reckon in another way, so that
    it is judged and not kept: the test only judges. What is finished is on
    disk after every training; with ``resume`` a comparison goes on from there. Ctrl-C, or a training that fails,
    ends the comparison and keeps what was done.
    """
    if not resume:
        runs.check_writable(folder, overwrite)
    bench = _Bench(kind, source, lineup, listener)
    plan = bench.plan()
    if resume:
        bench.go_on(read_ledger(folder, plan, kind, lineup.candidates))
    interrupted, fault = False, ""
    try:
        for outcome in compare(lineup.candidates, lineup.seeds, bench.run, bench.ledger.find):
            bench.ledger.outcomes.append(outcome)
            bench.ledger.write(folder, plan)
            LOG.info("%s, seed %s, is finished", outcome.candidate.label, outcome.seed)
            listener.outcome(outcome)
    except (KeyboardInterrupt, RunError) as stop:
        if not bench.ledger.outcomes:
            raise
        interrupted, fault = isinstance(stop, KeyboardInterrupt), str(stop)
    comparison = bench.compared()
    best, judged = bench.ledger.best, bench.judged
    assert best is not None and judged is not None
    best.fitted.record.metrics = judged.metrics
    numbers = comparison_data(comparison, judged.name) | {"attention": bench.looked()}
    unfinished = interrupted or bool(fault)
    # The numbers are safe before anything else can go wrong.
    if interrupted:
        bench.ledger.write(folder, plan)  # Ctrl-C may have come while it was written
    texts = {runs.COMPARISON: json.dumps(numbers, ensure_ascii=False, indent=2)}
    runs.write(folder, to_run(best.fitted, best.history), texts, keep_checkpoint=unfinished)
    report = None
    try:
        html = comparison_page(best.fitted, best.history, source.data, judged, numbers, folder)
        report = runs.write_report(folder, html)
    except KeyboardInterrupt:
        interrupted = True
    return Compared(folder, report, comparison, best.fitted, judged, judged.name, interrupted, fault)


class _Bench:
    """Trains and judges one candidate at a time, and keeps the one with the lowest validation loss."""

    def __init__(self, kind: Kind, source: Source, lineup: Lineup, listener: Listener):
        self.kind, self.source, self.lineup, self.listener = kind, source, lineup, listener
        self.cuts = Cuts(kind, source, listener)
        self.ledger = Ledger()
        self.judged: Judged | None = None  # the best one, with the baselines beside it

    def plan(self) -> dict[str, Any]:
        """Return what the comparison was asked for, as plain data: it goes on only with the same."""
        candidates, seeds = self.lineup.candidates, self.lineup.seeds
        config = self._config(candidates[0], seeds[0])
        plan = plan_of(self.kind, self.source, config, self._prepare(config)[0].plan.test_size)
        settings = {one.label: make_config(self.kind.parts, one.settings).plain() for one in candidates}
        asked = {"verb": self.lineup.verb, "seeds": list(seeds), "asked": dict(self.lineup.asked)}
        return plan | asked | {"settings": settings}

    def go_on(self, ledger: Ledger) -> None:
        """Take over what was finished before."""
        best, self.ledger = ledger.best, ledger
        assert best is not None
        candidate = next(one for one in self.lineup.candidates if one.label == best.label)
        exam = self._prepare(self._config(candidate, best.seed))[1]
        self.judged = judge_beside(best.fitted, judge_network(best.fitted, exam, best.label))
        done, total = len(ledger.outcomes), len(self.lineup.candidates) * len(self.lineup.seeds)
        self.listener.notes([f"{done} of {total} trainings are finished already"])

    def run(self, candidate: Candidate, seed: int) -> Outcome:
        """Train ``candidate`` from ``seed`` and judge it by the exam."""
        config = self._config(candidate, seed)
        prepared, exam = self._prepare(config)
        session = Session(prepared)
        if self.ledger.best is not None:
            session.fitted.baselines = dict(self.ledger.best.fitted.baselines)  # they are the same for all
        for epoch in session.epochs():
            self.listener.epoch(f"{candidate.label} (seed {seed})", epoch, session.outlook)
        fitted = session.fitted
        describe(fitted, plan_of(self.kind, self.source, config, prepared.plan.test_size))
        own = judge_network(fitted, exam, candidate.label)
        statistics, metrics = own.statistics[own.name], own.metrics[own.name]
        outcome = Outcome(candidate, seed, statistics, metrics, effort_of(session), session.progress.best_loss)
        if not candidate.recipe:
            self._keep(session, own, seed)
            self._look(session, candidate.label)
        return outcome

    def compared(self) -> Comparison:
        """Return the comparison of all outcomes, with the baselines beside them."""
        assert self.judged is not None and self.ledger.best is not None
        fitted, judged = self.ledger.best.fitted, self.judged
        metric = self.kind.metrics(fitted.config)[0]
        references = [
            Reference(label, judged.statistics[label], judged.metrics[label], is_naive(fitted, label))
            for label in judged.metrics
            if label != judged.name
        ]
        return Comparison(
            metric,
            lambda one, other: self.kind.chance(judged.exam, one, other, metric),
            references,
            self.ledger.outcomes,
        )

    def looked(self) -> dict[str, Any] | None:
        """Return where the best model that has an attention looked, as plain data."""
        looked = self.ledger.looked
        return None if looked is None else {"model": looked.model, "weights": looked.weights}

    def _config(self, candidate: Candidate, seed: int) -> Config:
        return make_config(self.kind.parts, candidate.settings | {"seed": seed})

    def _prepare(self, config: Config) -> tuple[Prepared, Exam]:
        """Cut and encode the data once for all candidates that read them alike."""
        prepared, exam = self.cuts.of(config)
        if exam is None:
            raise ConfigError("A comparison needs something held out to judge by: give a test size above 0.")
        return prepared, exam

    def _look(self, session: Session, label: str) -> None:
        looked, loss = self.ledger.looked, session.progress.best_loss
        if looked is not None and loss >= looked.loss:
            return
        glimpse = self.kind.glimpse(session.fitted, self.source.data)
        if glimpse is None:
            return
        with torch.inference_mode():
            network = session.fitted.network
            weights = network(glimpse.batch.to(next(network.parameters()).device)).weights
        if weights is not None:
            self.ledger.looked = Looked(label, mean_over_heads(weights[0]).tolist(), loss)

    def _keep(self, session: Session, own: Judged, seed: int) -> None:
        """Keep a model that is better on validation than all before it, with the baselines beside it."""
        best, fitted, loss = self.ledger.best, session.fitted, session.progress.best_loss
        if best is None or self.judged is None:
            session.fit_baselines(self.listener.notes)
            self.judged = judge_beside(fitted, own)
        elif loss < best.loss:
            put_beside(fitted, best.fitted.baselines)
            self.judged = exchanged(self.judged, own, fitted.baselines)
        else:
            return
        self.ledger.best = Best(own.name, seed, loss, fitted, session.history)


def effort_of(session: Session) -> Effort:
    """Return what a training took."""
    record, progress = session.fitted.record, session.progress
    seconds = float(np.median([epoch["seconds"] for epoch in session.history]))
    memory = memory_of(session)
    return Effort(record.parameters, seconds, memory, tuple(record.engines), progress.epoch, progress.stopped_by)


def memory_of(session: Session) -> int:
    """Return the bytes of a training step."""
    train, fitted = session.prepared.train, session.fitted
    size = min(session.prepared.config.training.batch_size, len(train))
    batch = train.take(torch.arange(size)).to(next(fitted.network.parameters()).device)
    return step_memory(fitted.network, fitted.task, batch)


def comparison_data(comparison: Comparison, kept: str) -> dict[str, Any]:
    """Return a comparison as plain data: the verdicts, the table, which model was kept, and every outcome."""
    return finite(
        {
            "measure": comparison.metric.name,
            "verdicts": comparison.verdicts(),
            "kept": kept,
            "table": comparison.rows(),
            "outcomes": [
                {
                    "model": o.candidate.label,
                    "seed": o.seed,
                    "settings": o.candidate.settings | {"cell": o.candidate.cell, "attention": o.candidate.attention},
                    "valid_loss": o.valid_loss,
                    "metrics": o.metrics,
                }
                for o in comparison.outcomes
            ],
        }
    )

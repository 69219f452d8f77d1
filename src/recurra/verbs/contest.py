"""Many forecasters on one table, with the same data, budget and seeds: who is best, and does it beat the naive?"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..compare.comparison import Candidate, Comparison, Outcome, Reference, compare, equal_size
from ..data.series import Panel, infer_schema, to_panel
from ..errors import RunError
from ..nn.build import attention_options, unused
from ..numbers import finite
from ..settings.config import defaults, make_config
from ..tasks.forecast.backtest import loss_per_origin, summarise
from ..tasks.forecast.build import make_forecaster
from ..tasks.forecast.estimator import Forecaster
from ..tasks.forecast.fitted import Backtest
from ..tasks.forecast.judging import Judged, check_test_size, judge
from ..tasks.forecast.prepare import prepare
from ..tasks.forecast.report import comparison_report
from ..training import runs
from ..training.memory import step_memory
from .workflows import OnEpoch, OnNotes, announce, chosen_test_size, most_epochs, seal_of, tell_nobody, write_run

DEMO = {
    "horizon": 52,
    "lookback": 156,
    "segment": 13,
    "hidden_size": 32,
    "batch_size": 64,
    "epoch_steps": 20,
    "max_epochs": 15,
    "patience": 3,
    "learning_rate": 5e-3,
}
CELLS = ("rnn", "lstm", "gru", "lstm,gru", "parallel", "lstm_gru", "lstm_gru_full")
HYBRIDS = ("lstm,gru", "gru,lstm", "parallel", "lstm_gru", "lstm_gru_full")


def make_candidates(settings: Mapping[str, Any], cells: Sequence[str], attentions: Sequence[str]) -> list[Candidate]:
    """Return every cell with every attention; settings that one of them does not use are left out for it."""
    candidates = []
    for cell in cells:
        for attention in attentions:
            own = dict(settings) | {"cell": cell, "attention": attention}
            if "," in cell:
                own.pop("num_layers", None)
            for name in unused(make_config(own)):
                own[name] = defaults()[name]
            label = cell.replace(",", "→") + ("" if attention == "none" else f" + {attention}")
            candidates.append(Candidate(label, own, attention, cell, cell in HYBRIDS))
    return candidates


def equalise(candidates: Sequence[Candidate], panel: Panel, held_out: int) -> list[Candidate]:
    """Give every candidate the hidden size whose parameter count comes nearest to the first one's."""
    layout = prepare(panel, make_config(candidates[0].settings).forecast, held_out).layout

    def count(candidate: Candidate, size: int) -> int:
        network, _ = make_forecaster(make_config(candidate.settings | {"hidden_size": size}), layout)
        return sum(p.numel() for p in network.parameters())

    goal = count(candidates[0], make_config(candidates[0].settings).model.hidden_size)
    equal = []
    for candidate in candidates:
        heads = make_config(candidate.settings).model.heads if "heads" in attention_options(candidate.attention) else 1
        size = equal_size(lambda n, c=candidate: count(c, n), goal, heads)  # type: ignore[misc]
        equal.append(dataclasses.replace(candidate, settings=candidate.settings | {"hidden_size": size}))
    return equal


@dataclass(frozen=True)
class Compared:
    """What ``compare`` leaves behind."""

    folder: Path
    report: Path | None  # None if Ctrl-C came before there was one
    comparison: Comparison
    judged: Judged  # the kept forecaster
    chosen: str  # the candidate that is kept: lowest validation loss
    interrupted: bool  # by Ctrl-C
    fault: str  # what ended the comparison before its time, if it was not Ctrl-C


def compare_candidates(
    panel: Panel,
    candidates: Sequence[Candidate],
    seeds: Sequence[int],
    folder: Path,
    *,
    source: str = "",
    max_rows: int | None = None,
    test_size: int | None = None,
    overwrite: bool = False,
    on_notes: OnNotes = tell_nobody,
    on_epoch: OnEpoch | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Compared:
    """Train every candidate with every seed, judge all on the same held-out rows, and write one report.

    The run that is kept is the one with the lowest validation loss: the test only judges. Ctrl-C, or a training
    that fails, ends the comparison and keeps what was done.
    """
    runs.check_writable(folder, overwrite)
    settings = candidates[0].settings
    size = chosen_test_size(panel, settings, test_size)
    horizon = make_config(settings).forecast.horizon or 1
    check_test_size(size, horizon)
    origin = {"source": source, "max_rows": max_rows, "test_size": size, "data": seal_of(panel)}
    bench = _Bench(panel, size, origin, on_notes, on_epoch)
    outcomes: list[Outcome] = []
    interrupted, fault = False, ""
    try:
        for outcome in compare(candidates, seeds, bench.run):
            outcomes.append(outcome)
            if on_outcome:
                on_outcome(outcome)
    except (KeyboardInterrupt, RunError) as stop:
        if not outcomes:
            raise
        interrupted, fault = isinstance(stop, KeyboardInterrupt), str(stop)
    assert bench.best is not None and bench.judged is not None
    # Origins that lie further apart share fewer targets.
    comparison = Comparison("mase", -(-horizon // bench.judged.step), bench.references(), outcomes)
    forecaster, judged, chosen = bench.best, bench.judged, bench.best_label
    forecaster.fitted_.about["metrics"] = judged.metrics
    numbers = comparison_data(comparison, chosen) | {"attention": bench.looked}
    texts = {runs.COMPARISON: json.dumps(numbers, ensure_ascii=False, indent=2)}
    # The numbers are safe before anything else can go wrong.
    write_run(folder, forecaster, texts)
    report = None
    try:
        html = comparison_report(forecaster, panel, judged, numbers)
        report = runs.write_report(folder, html)
    except KeyboardInterrupt:
        interrupted = True
    return Compared(folder, report, comparison, judged, chosen, interrupted, fault)


class _Bench:
    """Trains and judges one candidate at a time, and keeps the one with the lowest validation loss."""

    def __init__(self, panel: Panel, size: int, origin: Mapping[str, Any], on_notes: OnNotes, on_epoch: OnEpoch | None):
        self.panel, self.size, self.origin = panel, size, origin
        self.on_notes, self.on_epoch = on_notes, on_epoch
        self.best: Forecaster | None = None
        self.best_label = ""
        self.judged: Judged | None = None
        # Where the best model that has an attention looked: the kept one may have none.
        self.looked: dict[str, Any] | None = None
        self.looked_loss = float("inf")

    def run(self, candidate: Candidate, seed: int) -> Outcome:
        """Train ``candidate`` from ``seed`` and judge it on the held-out rows."""
        forecaster = Forecaster(**(candidate.settings | {"seed": seed}))
        epochs = forecaster.epochs(self.panel, held_out=self.size)
        step = announce(forecaster, self.size, self.on_notes)
        self.on_notes = tell_nobody
        for epoch in epochs:
            if self.on_epoch:
                self.on_epoch(f"{candidate.label} (seed {seed})", epoch, most_epochs(forecaster))
        fitted, progress = forecaster.fitted_, forecaster.progress_
        fitted.about.update(self.origin, notes=list(forecaster.notes_))
        backtest = fitted.test(self.panel, forecaster.prepared_, self.size, step)
        metrics = summarise(backtest.truth, backtest.guess)
        prepared, batch_size = forecaster.prepared_, fitted.config.training.batch_size
        batch = prepared.train.take(torch.arange(min(batch_size, len(prepared.train))))
        seconds = [epoch["seconds"] for epoch in forecaster.history_]
        outcome = Outcome(
            candidate,
            seed,
            loss_per_origin(backtest.truth, backtest.guess),
            metrics,
            fitted.about["parameters"],
            float(np.median(seconds)),
            step_memory(fitted.network, fitted.task, batch.to(next(fitted.network.parameters()).device)),
            tuple(fitted.about["engines"]),
            progress.epoch,
            progress.stopped_by,
            progress.best_loss,
        )
        self._keep(forecaster, backtest, metrics, candidate.label, step)
        self._look(forecaster, candidate.label)
        return outcome

    def _look(self, forecaster: Forecaster, label: str) -> None:
        if forecaster.progress_.best_loss >= self.looked_loss:
            return
        weights = forecaster.fitted_.looks(self.panel)
        if weights is not None:
            self.looked_loss = forecaster.progress_.best_loss
            self.looked = {"model": label, "weights": weights[0].tolist()}

    def _keep(
        self, forecaster: Forecaster, backtest: Backtest, metrics: dict[str, float], label: str, step: int
    ) -> None:
        if self.best is not None and forecaster.progress_.best_loss >= self.best.progress_.best_loss:
            return
        if self.judged is None:
            judged = judge(forecaster.fitted_, backtest, label, step, forecaster.prepared_)
        else:
            # The baselines are the same for all: only the model's own answer changes.
            old = next(iter(self.judged.guesses))
            guesses = {label: backtest.guess} | {k: g for k, g in self.judged.guesses.items() if k != old}
            numbers = {label: metrics} | {k: m for k, m in self.judged.metrics.items() if k != old}
            judged = Judged(backtest, guesses, numbers, step)
        self.best, self.best_label, self.judged = forecaster, label, judged

    def references(self) -> list[Reference]:
        """Return the baselines as references of the comparison."""
        assert self.judged is not None
        truth = self.judged.backtest.truth
        own = next(iter(self.judged.guesses))
        return [
            Reference(label, loss_per_origin(truth, guess), self.judged.metrics[label], label != "linear")
            for label, guess in self.judged.guesses.items()
            if label != own
        ]


def comparison_data(comparison: Comparison, kept: str) -> dict[str, Any]:
    """Return a comparison as plain data: the verdicts, the table, which model was kept, and every outcome."""
    return finite(
        {
            "measure": comparison.measure,
            "verdicts": comparison.verdicts(),
            "kept": kept,
            "table": comparison.rows(),
            "outcomes": [
                {
                    "model": o.candidate.label,
                    "seed": o.seed,
                    "settings": o.candidate.settings,
                    "valid_loss": o.valid_loss,
                    "metrics": o.metrics,
                }
                for o in comparison.outcomes
            ],
        }
    )


def demo_panel() -> tuple[Panel, str]:
    """Return the series of the demo: weekly CO2 at Mauna Loa 1958-2001, with gaps, from statsmodels."""
    from statsmodels.datasets import co2

    frame = co2.load_pandas().data
    schema, notes = infer_schema(frame)
    panel = to_panel(frame, schema)
    about = "weekly CO2 in the air at Mauna Loa, Hawaii, 1958 to 2001 (statsmodels.datasets.co2)"
    return dataclasses.replace(panel, notes=(*notes, *panel.notes)), about

"""What the verbs of the command line do, from a file to a run folder; each can be called from Python too."""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from . import runs
from .build import attention_options, make_forecaster, unused
from .compare import Candidate, Comparison, Outcome, Reference, compare, equal_size, step_memory
from .config import defaults, make_config
from .data.files import read_table
from .data.series import Panel, infer_schema, to_panel
from .errors import ConfigError, RunError
from .estimators import Forecaster, as_panel
from .forecast_report import comparison_report, training_report
from .forecaster import Backtest
from .layers import Recurrent
from .tasks.backtest import Guess, loss_per_origin, summarise
from .tasks.baselines import make_baselines
from .train import Epoch, Progress, total_steps

OnEpoch = Callable[[str, Epoch, int], None]  # which model, its epoch, and the most epochs there can be

DEMO = {
    "horizon": 52,
    "lookback": 156,
    "segment": 13,
    "hidden_size": 32,
    "max_epochs": 12,
    "patience": 3,
    "learning_rate": 3e-3,
}
CELLS = ("rnn", "lstm", "gru", "lstm,gru", "parallel", "lstm_gru", "lstm_gru_full")
HYBRIDS = ("lstm,gru", "gru,lstm", "parallel", "lstm_gru", "lstm_gru_full")


def read_panel(path: str | Path, settings: Mapping[str, Any]) -> Panel:
    """Read a file into a panel; its notes say what was found, assumed and mended."""
    frame, notes = read_table(path)
    wanted = {name: settings.get(name) for name in ("target", "time", "id", "frequency", "season")}
    schema, found = infer_schema(frame, **wanted)
    panel = to_panel(frame, schema)
    return dataclasses.replace(panel, notes=(*notes, *found, *panel.notes))


def default_test_size(panel: Panel, horizon: int) -> int:
    """Return how many of the last values are held out: a tenth, and at least one horizon."""
    return max(horizon, int(np.median([len(values) for values in panel.values])) // 10)


def cut_rows(panel: Panel, most: int | None) -> Panel:
    """Return the first ``most`` steps of every series."""
    if most is None:
        return panel
    note = f"only the first {most} rows of each series are used"
    return dataclasses.replace(panel, values=tuple(v[:most] for v in panel.values), notes=(*panel.notes, note))


class Judged(NamedTuple):
    """A backtest with its baselines."""

    backtest: Backtest
    guesses: dict[str, Guess]  # the model's first, then the baselines'
    metrics: dict[str, dict[str, float]]  # by the same names


def judge(forecaster: Forecaster, backtest: Backtest, name: str) -> Judged:
    """Put the naive and linear forecasts beside a backtest."""
    fitted = forecaster.fitted_
    prepared = getattr(forecaster, "prepared_", None)
    train, valid = (prepared.train, prepared.valid) if prepared is not None else (None, None)
    guesses = {name: backtest.guess}
    for label, baseline in make_baselines(backtest.rows, fitted.layout.season, train, valid).items():
        guesses[label] = as_guess(baseline(backtest.windows), backtest)
    return Judged(backtest, guesses, {k: summarise(backtest.truth, g) for k, g in guesses.items()})


def as_guess(scaled: np.ndarray, backtest: Backtest) -> Guess:
    """Return standardised points (W, H, C) as a guess in the unit of the data."""
    from .tasks.backtest import unscale

    return Guess(unscale(scaled, backtest.scaling, backtest.windows.series.numpy()), {})


@dataclass(frozen=True)
class Trained:
    """What ``train`` leaves behind."""

    folder: Path
    report: Path
    forecaster: Forecaster
    forecast: pd.DataFrame
    metrics: dict[str, dict[str, float]]
    interrupted: bool


def train(
    panel: Panel,
    settings: Mapping[str, Any],
    folder: Path,
    *,
    source: str = "",
    test_size: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    on_start: Callable[[Forecaster, Panel], None] | None = None,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Train one forecaster, judge it on what was held out, and write its run folder with a report.

    A checkpoint is written after every epoch; with ``resume`` training goes on from it. Ctrl-C keeps the best
    weights so far and finishes the run.
    """
    forecaster = Forecaster(**settings)
    horizon = forecaster.horizon
    if horizon is None:
        raise ConfigError("The horizon is missing: say how many steps ahead to forecast, such as --horizon 24.")
    if not resume:
        runs.check_writable(folder, overwrite)
    size = default_test_size(panel, horizon) if test_size is None else test_size
    plan = {"settings": dict(settings), "source": source, "test_size": size}
    progress, weights, before = Progress(), None, []
    if resume:
        checkpoint = runs.read_checkpoint(folder)
        progress, weights, before = checkpoint.progress, checkpoint.weights, checkpoint.history
    interrupted = _train_with_checkpoints(
        forecaster, panel, folder, plan, size, progress, weights, before, on_start, on_epoch
    )
    forecaster.fitted_.about.update(source=source, test_size=size)
    judged = (
        judge(forecaster, forecaster.fitted_.test(panel, forecaster.prepared_, size), "this model") if size else None
    )
    fitted = forecaster.fitted_
    metrics = judged.metrics if judged else {}
    fitted.about["metrics"] = metrics
    html = training_report(forecaster, panel, judged)
    runs.write(folder, runs.Run(fitted.to_config(), fitted.to_tensors(), forecaster.history_), {runs.REPORT: html})
    return Trained(folder, folder / runs.REPORT, forecaster, forecaster.predict(), metrics, interrupted)


def _train_with_checkpoints(
    forecaster: Forecaster,
    panel: Panel,
    folder: Path,
    plan: dict[str, Any],
    size: int,
    progress: Progress,
    weights: dict[str, torch.Tensor] | None,
    before: list[dict[str, Any]],
    on_start: Callable[[Forecaster, Panel], None] | None,
    on_epoch: OnEpoch | None,
) -> bool:
    """Train to the end, or to Ctrl-C; returns whether it was interrupted."""
    epochs = forecaster.epochs(panel, held_out=size, progress=progress, weights=weights)
    history = [Epoch(**record) for record in before]
    try:
        for epoch in epochs:
            if on_start and len(history) == len(before):
                on_start(forecaster, panel)
            history.append(epoch)
            network = forecaster.fitted_.network
            runs.write_checkpoint(folder, plan, network.state_dict(), progress, history)
            if on_epoch:
                on_epoch("training", epoch, most_epochs(forecaster))
    except KeyboardInterrupt:
        if not progress.best_weights:
            raise
        forecaster.history_ = [dataclasses.asdict(epoch) for epoch in history]
        forecaster.keep_best()
        return True
    forecaster.history_ = [dataclasses.asdict(epoch) for epoch in history]
    return False


def most_epochs(forecaster: Forecaster) -> int:
    """Return how many epochs a training takes if nothing stops it early."""
    config = forecaster.fitted_.config.training
    return math.ceil(total_steps(config) / config.epoch_steps)


def evaluate(folder: Path, panel: Panel | None, size: int | None, step: int = 1) -> dict[str, dict[str, float]]:
    """Backtest a run on the last ``size`` values of ``panel`` beside the naive forecasts."""
    forecaster = Forecaster.load(folder)
    fitted = forecaster.fitted_
    panel = panel if panel is not None else source_of(forecaster)
    panel = as_panel(panel, fitted.schema)
    size = size or fitted.about.get("test_size") or default_test_size(panel, fitted.layout.horizon)
    return judge(forecaster, fitted.backtest(panel, size, step), "this model").metrics


def source_of(forecaster: Forecaster) -> Panel:
    """Read the file a run was trained on again."""
    source = forecaster.fitted_.about.get("source")
    if not source or not Path(source).exists():
        raise RunError(
            f"The file this run was trained on ({source or 'unknown'}) is not there. Name the data after the run."
        )
    return to_panel(read_table(source)[0], forecaster.fitted_.schema)


def rebuild_report(folder: Path, panel: Panel | None) -> Path:
    """Write the report of a run again, from its files and its data."""
    forecaster = Forecaster.load(folder)
    fitted = forecaster.fitted_
    panel = panel if panel is not None else source_of(forecaster)
    size = fitted.about.get("test_size") or default_test_size(panel, fitted.layout.horizon)
    judged = judge(forecaster, fitted.backtest(panel, size), "this model")
    return runs.write_report(folder, training_report(forecaster, panel, judged))


# ---------------------------------------------------------------------------------------------- comparison


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
    from .tasks.forecast import prepare

    def count(candidate: Candidate, size: int) -> int:
        config = make_config(candidate.settings | {"hidden_size": size})
        layout = prepare(panel, config.forecast, held_out).layout if not layouts else layouts[0]
        layouts[:] = [layout]
        network, _ = make_forecaster(config, layout)
        return sum(p.numel() for p in network.parameters())

    layouts: list[Any] = []
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
    report: Path
    comparison: Comparison
    chosen: str  # the candidate that is kept: lowest validation loss
    interrupted: bool


def compare_candidates(
    panel: Panel,
    candidates: Sequence[Candidate],
    seeds: Sequence[int],
    folder: Path,
    *,
    source: str = "",
    test_size: int | None = None,
    overwrite: bool = False,
    on_start: Callable[[Forecaster, Panel], None] | None = None,
    on_epoch: OnEpoch | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Compared:
    """Train every candidate with every seed, judge all on the same held-out rows, and write one report.

    The run that is kept is the one with the lowest validation loss: the test only judges. Ctrl-C ends the
    comparison and keeps what was done.
    """
    runs.check_writable(folder, overwrite)
    horizon = make_config(candidates[0].settings).forecast.horizon
    if horizon is None:
        raise ConfigError("The horizon is missing: say how many steps ahead to forecast, such as --horizon 24.")
    size = default_test_size(panel, horizon) if test_size is None else test_size
    bench = _Bench(panel, size, source, on_start, on_epoch)
    outcomes: list[Outcome] = []
    interrupted = False
    try:
        for outcome in compare(candidates, seeds, bench.run):
            outcomes.append(outcome)
            if on_outcome:
                on_outcome(outcome)
    except KeyboardInterrupt:
        if not outcomes:
            raise
        interrupted = True
    assert bench.best is not None and bench.judged is not None
    comparison = Comparison("mase", horizon, bench.references(), outcomes)
    forecaster = bench.best
    forecaster.fitted_.about["metrics"] = bench.judged.metrics
    html = comparison_report(forecaster, panel, bench.judged, comparison, bench.best_label)
    texts = {runs.REPORT: html, "comparison.json": json.dumps(comparison_data(comparison), indent=2)}
    fitted = forecaster.fitted_
    runs.write(folder, runs.Run(fitted.to_config(), fitted.to_tensors(), forecaster.history_), texts)
    return Compared(folder, folder / runs.REPORT, comparison, bench.best_label, interrupted)


class _Bench:
    """Trains and judges one candidate at a time, and keeps the one with the lowest validation loss."""

    def __init__(
        self,
        panel: Panel,
        size: int,
        source: str,
        on_start: Callable[[Forecaster, Panel], None] | None,
        on_epoch: OnEpoch | None,
    ):
        self.panel, self.size, self.source = panel, size, source
        self.on_start, self.on_epoch = on_start, on_epoch
        self.best: Forecaster | None = None
        self.best_label = ""
        self.judged: Judged | None = None

    def run(self, candidate: Candidate, seed: int) -> Outcome:
        """Train ``candidate`` from ``seed`` and judge it on the held-out rows."""
        forecaster = Forecaster(**(candidate.settings | {"seed": seed}))
        for epoch in forecaster.epochs(self.panel, held_out=self.size):
            if self.on_start:
                self.on_start(forecaster, self.panel)
                self.on_start = None
            if self.on_epoch:
                self.on_epoch(f"{candidate.label} (seed {seed})", epoch, most_epochs(forecaster))
        fitted, progress = forecaster.fitted_, forecaster.progress_
        fitted.about.update(source=self.source, test_size=self.size)
        backtest = fitted.test(self.panel, forecaster.prepared_, self.size)
        self._keep(forecaster, backtest, candidate.label)
        prepared, batch_size = forecaster.prepared_, fitted.config.training.batch_size
        batch = prepared.train.take(torch.arange(min(batch_size, len(prepared.train))))
        seconds = [epoch["seconds"] for epoch in forecaster.history_]
        return Outcome(
            candidate,
            seed,
            loss_per_origin(backtest.truth, backtest.guess),
            summarise(backtest.truth, backtest.guess),
            fitted.about["parameters"],
            float(np.median(seconds)),
            step_memory(fitted.network, fitted.task, batch.to(next(fitted.network.parameters()).device)),
            tuple(fitted.about["engines"]),
            progress.epoch,
            progress.stopped_by,
        )

    def _keep(self, forecaster: Forecaster, backtest: Backtest, label: str) -> None:
        if self.best is not None and forecaster.progress_.best_loss >= self.best.progress_.best_loss:
            return
        self.best, self.best_label = forecaster, label
        if self.judged is None:
            self.judged = judge(forecaster, backtest, label)
            return
        # The baselines are the same for all: only the model's own answer changes.
        old = next(iter(self.judged.guesses))
        guesses = {label: backtest.guess} | {k: g for k, g in self.judged.guesses.items() if k != old}
        metrics = {label: summarise(backtest.truth, backtest.guess)}
        metrics |= {k: m for k, m in self.judged.metrics.items() if k != old}
        self.judged = Judged(backtest, guesses, metrics)

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


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data: the table, every single outcome and the verdicts."""
    return {
        "measure": comparison.measure,
        "verdicts": comparison.verdicts(),
        "table": [{k: finite(v) for k, v in row.items()} for row in comparison.rows()],
        "outcomes": [
            {"model": o.candidate.label, "seed": o.seed, "settings": o.candidate.settings, "metrics": o.metrics}
            for o in comparison.outcomes
        ],
    }


def finite(value: Any) -> Any:
    """Return None for a number that JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def demo_panel() -> tuple[Panel, str]:
    """Return the series of the demo: weekly CO2 at Mauna Loa 1958-2001, with gaps, from statsmodels."""
    from statsmodels.datasets import co2

    frame = co2.load_pandas().data
    schema, notes = infer_schema(frame)
    panel = to_panel(frame, schema)
    about = "weekly CO2 in the air at Mauna Loa, Hawaii, 1958 to 2001 (statsmodels.datasets.co2)"
    return dataclasses.replace(panel, notes=(*notes, *panel.notes)), about


def fresh_folder(name: str) -> Path:
    """Return a folder under ``runs`` that does not exist yet."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = Path("runs") / f"{name}-{stamp}"
    number = 2
    while folder.exists():
        folder = Path("runs") / f"{name}-{stamp}-{number}"
        number += 1
    return folder


def engines_of(network: torch.nn.Module) -> list[str]:
    """Return the engines that the stacks of ``network`` run on."""
    return [e for module in network.modules() if isinstance(module, Recurrent) for e in module.engines()]

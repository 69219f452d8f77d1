"""What the verbs of the command line do, from a file to a run folder; each can be called from Python too."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..data.series import Panel, infer_schema, to_panel
from ..data.tables.files import read_table
from ..errors import ConfigError, RunError
from ..settings.config import make_config
from ..tasks.forecast.estimator import Forecaster, as_panel
from ..tasks.forecast.judging import (
    Judged,
    check_test,
    check_test_size,
    default_test_size,
    describe_test,
    judge,
    judging_step,
)
from ..tasks.forecast.prepare import prepare
from ..tasks.forecast.report import comparison_report, training_report
from ..training import runs
from ..training.loop import Epoch, Progress, total_steps

OnNotes = Callable[[Sequence[str]], None]  # what was found and assumed, as soon as it is known
OnEpoch = Callable[[str, Epoch, int], None]  # which model, its epoch, and the most epochs there can be

MAY_CHANGE = ("max_epochs", "max_steps", "patience", "device", "engine")  # when a training goes on


def tell_nobody(notes: Sequence[str]) -> None:
    """Take notes and do nothing."""


def read_panel(
    path: str | Path, settings: Mapping[str, Any], most: int | None = None, on_notes: OnNotes = tell_nobody
) -> Panel:
    """Read a file into a panel, at most ``most`` steps of each series; its notes say what was found and mended."""
    frame, notes = read_table(path)
    on_notes(notes)
    wanted = {name: settings.get(name) for name in ("target", "time", "id", "frequency", "season")}
    schema, found = infer_schema(frame, **wanted)
    on_notes(found)
    panel = cut_rows(to_panel(frame, schema), most)
    on_notes(panel.notes)
    return dataclasses.replace(panel, notes=(*notes, *found, *panel.notes))


def cut_rows(panel: Panel, most: int | None) -> Panel:
    """Return the first ``most`` steps of every series."""
    if most is None:
        return panel
    note = f"only the first {most:,} rows of each series are used"
    return dataclasses.replace(panel, values=tuple(v[:most] for v in panel.values), notes=(*panel.notes, note))


def seal_of(panel: Panel) -> str:
    """Return a short text that is another one if any value of ``panel`` is."""
    seal = sha256(repr((panel.names, [str(start) for start in panel.starts])).encode())
    for values in panel.values:
        seal.update(np.ascontiguousarray(values).tobytes())
    return seal.hexdigest()[:32]


# ------------------------------------------------------------------------------------------------- training


@dataclass(frozen=True)
class Trained:
    """What ``train`` leaves behind."""

    folder: Path
    report: Path | None  # None if Ctrl-C came before there was one
    forecaster: Forecaster
    forecast: pd.DataFrame
    judged: Judged | None
    interrupted: bool


def train(
    panel: Panel,
    settings: Mapping[str, Any],
    folder: Path,
    *,
    source: str = "",
    max_rows: int | None = None,
    test_size: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    on_notes: OnNotes = tell_nobody,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Train one forecaster, judge it on what was held out, and write its run folder with a report.

    A checkpoint is written after every epoch; with ``resume`` training goes on from it. Ctrl-C keeps the best
    weights so far and finishes the run. ``source`` and ``max_rows`` say where ``panel`` came from.
    """
    forecaster = Forecaster(**settings)
    size = chosen_test_size(panel, settings, test_size)
    plan = {"source": source, "max_rows": max_rows, "test_size": size, "data": seal_of(panel)}
    checkpoint = runs.Checkpoint({}, {}, Progress(), [])
    if resume:
        checkpoint = runs.read_checkpoint(folder)
        check_same_training(checkpoint.plan, plan | {"settings": dict(settings)})
    else:
        runs.check_writable(folder, overwrite)
    epochs = forecaster.epochs(
        panel, held_out=size, progress=checkpoint.progress, weights=checkpoint.weights if resume else None
    )
    step = announce(forecaster, size, on_notes)
    interrupted = _train_with_checkpoints(
        forecaster, epochs, folder, plan | {"settings": dict(settings)}, checkpoint, on_epoch
    )
    fitted = forecaster.fitted_
    seconds = round(sum(epoch["seconds"] for epoch in forecaster.history_), 2)
    fitted.about.update(plan, seconds=seconds, notes=list(forecaster.notes_))
    # The weights are safe before anything else can go wrong.
    write_run(folder, forecaster, {}, keep_checkpoint=True)
    report, judged = None, None
    try:
        judged = judge_test(forecaster, panel, size, step, "this model") if size else None
        fitted.about["metrics"] = judged.metrics if judged else {}
        html = training_report(forecaster, panel, judged)
        report = write_run(folder, forecaster, {runs.REPORT: html}, keep_checkpoint=interrupted)
    except KeyboardInterrupt:
        interrupted = True
    return Trained(folder, report, forecaster, forecaster.predict(), judged, interrupted)


def chosen_test_size(panel: Panel, settings: Mapping[str, Any], size: int | None) -> int:
    """Return the wanted test size, or the default; raises ConfigError if the horizon is missing."""
    horizon = make_config(settings).forecast.horizon
    if horizon is None:
        raise ConfigError("The horizon is missing: say how many steps ahead to forecast, such as --horizon 24.")
    size = default_test_size(panel, horizon) if size is None else size
    if size:
        check_test_size(size, horizon)
    return size


def announce(forecaster: Forecaster, size: int, on_notes: OnNotes) -> int:
    """Say how the data will be used, refuse a test that cannot judge, and return the step between its origins."""
    prepared = forecaster.prepared_
    on_notes(prepared.notes)
    if not size:
        return 1
    step = judging_step(prepared.lengths, size, prepared.layout.horizon, prepared.layout.season)
    check_test(prepared, size, step)
    if step > 1:
        on_notes([describe_test(len(prepared.test(size, step)), size, step)])
    return step


def judge_test(forecaster: Forecaster, panel: Panel, size: int, step: int, name: str) -> Judged:
    """Judge a forecaster that was just trained on what it held out."""
    fitted, prepared = forecaster.fitted_, forecaster.prepared_
    return judge(fitted, fitted.test(panel, prepared, size, step), name, step, prepared)


def write_run(folder: Path, forecaster: Forecaster, texts: Mapping[str, str], keep_checkpoint: bool = False) -> Path:
    """Write a run folder and return where its report is."""
    fitted = forecaster.fitted_
    run = runs.Run(fitted.to_config(), fitted.to_tensors(), forecaster.history_)
    runs.write(folder, run, texts, keep_checkpoint)
    return folder / runs.REPORT


def check_same_training(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise an error if a training would go on with other data or settings than it began with."""
    if before["data"] != now["data"]:
        raise RunError("The data are not those this training began with, so it cannot go on. Train anew instead.")
    old, new = make_config(before["settings"]).flat(), make_config(now["settings"]).flat()
    changed = [
        f"{name} was {old[name]}, now {new[name]}" for name in old if name not in MAY_CHANGE and old[name] != new[name]
    ]
    if before["test_size"] != now["test_size"]:
        changed.append(f"the test size was {before['test_size']}, now {now['test_size']}")
    if changed:
        raise ConfigError(f"A training goes on with the settings it began with: {'; '.join(changed)}. Leave that out.")


def _train_with_checkpoints(
    forecaster: Forecaster,
    epochs: Iterator[Epoch],
    folder: Path,
    plan: dict[str, Any],
    checkpoint: runs.Checkpoint,
    on_epoch: OnEpoch | None,
) -> bool:
    """Train to the end, or to Ctrl-C; returns whether it was interrupted."""
    progress = forecaster.progress_
    history = [Epoch(**record) for record in checkpoint.history]
    interrupted = False
    try:
        for epoch in epochs:
            history.append(epoch)
            runs.write_checkpoint(folder, plan, forecaster.fitted_.network.state_dict(), progress, history)
            if on_epoch:
                on_epoch("training", epoch, most_epochs(forecaster))
    except KeyboardInterrupt:
        if not progress.best_weights:
            raise
        interrupted = True
        forecaster.keep_best()
    forecaster.history_ = [dataclasses.asdict(epoch) for epoch in history]
    return interrupted


def most_epochs(forecaster: Forecaster) -> int:
    """Return how many epochs a training takes if nothing stops it early."""
    config = forecaster.fitted_.config.training
    return math.ceil(total_steps(config) / config.epoch_steps)


# ---------------------------------------------------------------------------------------- a run, once more


def evaluate(
    folder: Path,
    panel: Panel | None,
    size: int | None = None,
    step: int | None = None,
    on_notes: OnNotes = tell_nobody,
) -> Judged:
    """Backtest a run on the last ``size`` values of ``panel`` beside the naive forecasts."""
    forecaster = Forecaster.load(folder)
    fitted = forecaster.fitted_
    panel = as_panel(panel if panel is not None else source_of(forecaster), fitted.schema)
    horizon = fitted.layout.horizon
    held_out = fitted.about.get("test_size") or 0
    size = size or held_out or default_test_size(panel, horizon)
    check_test_size(size, horizon)
    same = fitted.about.get("data") == seal_of(panel)
    if same and size > held_out:
        on_notes([f"careful: of the last {size:,} rows only {held_out:,} were held out of the training of this run"])
    judged = _judged_again(forecaster, panel, size, step, "this model", same and size == held_out)
    on_notes([describe_test(len(judged.backtest.windows), size, judged.step)])
    return judged


def _judged_again(forecaster: Forecaster, panel: Panel, size: int, step: int | None, name: str, same: bool) -> Judged:
    """Judge a run that was loaded; on the ``same`` data as when it was trained, with the linear model too."""
    fitted = forecaster.fitted_
    layout = fitted.layout
    lengths = [len(panel.values[0])] if fitted.joint else [len(values) for values in panel.values]
    step = step or judging_step(lengths, size, layout.horizon, layout.season)
    if not same:
        return judge(fitted, fitted.backtest(panel, size, step), name, step, None)
    forecaster.prepared_ = prepare(panel, fitted.config.forecast, size)
    return judge_test(forecaster, panel, size, step, name)


def source_of(forecaster: Forecaster) -> Panel:
    """Read the file a run was trained on again."""
    about = forecaster.fitted_.about
    source = about.get("source")
    if not source or not Path(source).exists():
        raise RunError(
            f"The file this run was trained on ({source or 'unknown'}) is not there. Name the data after the run."
        )
    return cut_rows(to_panel(read_table(source)[0], forecaster.fitted_.schema), about.get("max_rows"))


def rebuild_report(folder: Path, panel: Panel | None) -> Path:
    """Write the report of a run again, from its files and its data."""
    forecaster = Forecaster.load(folder)
    about = forecaster.fitted_.about
    panel = panel if panel is not None else source_of(forecaster)
    same = about.get("data") == seal_of(panel)
    size = about.get("test_size", default_test_size(panel, forecaster.fitted_.layout.horizon))
    compared = runs.read_comparison(folder)
    name = compared["kept"] if compared else "this model"
    judged = _judged_again(forecaster, panel, size, None, name, same) if size else None
    if compared is not None and judged is not None:
        html = comparison_report(forecaster, panel, judged, compared)
    else:
        html = training_report(forecaster, panel, judged)
    return runs.write_report(folder, html)


def fresh_folder(name: str) -> Path:
    """Return a folder under ``runs`` that does not exist yet."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = Path("runs") / f"{name}-{stamp}"
    number = 2
    while folder.exists():
        folder = Path("runs") / f"{name}-{stamp}-{number}"
        number += 1
    return folder

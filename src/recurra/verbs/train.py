"""``train``: from data to a run folder with a report; also what was begun and interrupted goes on here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, RunError
from ..nn.build import refuse_unused
from ..settings import Config, make_config
from ..tasks import name_of
from ..tasks.base import BEFORE, Exam, Fitted, Judged, Kind
from ..tasks.pages import training_page
from ..tasks.saving import to_run
from ..tasks.session import Session, watched_epochs
from ..tasks.tuning import tuning_page
from ..training import runs
from ..training.loop import Epoch, Progress
from .common import NOBODY, Listener, Source, judge, prepare
from .fine_tuning import Start, changes, prepare_tuning, tuned_config

MAY_CHANGE = ("max_epochs", "max_steps", "patience", "device", "engine")  # when a training goes on


@dataclass(frozen=True)
class Trained:
    """What ``train`` leaves behind."""

    folder: Path
    report: Path | None  # None if Ctrl-C came before there was one
    fitted: Fitted
    history: list[dict[str, Any]]
    judged: Judged | None
    interrupted: bool


def train(
    kind: Kind,
    source: Source,
    settings: Mapping[str, Any],
    folder: Path,
    *,
    overwrite: bool = False,
    resume: bool = False,
    start: Start | None = None,
    listener: Listener = NOBODY,
) -> Trained:
    """Train one model, judge it on what was held out, and write its run folder with a report.

    A checkpoint is written after every epoch; with ``resume`` training goes on from it. With ``start`` the training is
    a fine-tuning of that run. Ctrl-C keeps the best weights so far and finishes the run.
    """
    config = config_of(kind, settings) if start is None else tuned_config(start, settings)
    if resume:
        checkpoint = runs.read_checkpoint(folder)
    else:
        runs.check_writable(folder, overwrite)
        checkpoint = None
    onward, before = None, None
    if start is None:
        prepared, exam = prepare(kind, source, config, listener.notes)
    else:
        onward, exam, before = prepare_tuning(start, source, config, listener.notes)
        prepared = onward.prepared
    plan = plan_of(kind, source, config, prepared.plan.test_size) | (start.plain() if start else {})
    if checkpoint is not None:
        check_same_training(kind, checkpoint.plan, plan)
        check_goes_on(checkpoint.progress, prepared.config)
    listener.notes(prepared.plan.notes)
    first = None if onward is None else onward.weights
    progress, weights = (None, first) if checkpoint is None else (checkpoint.progress, checkpoint.weights)
    session = Session(prepared, progress, weights)
    if onward is not None:
        session.fitted.baselines |= onward.baselines
    if onward is not None and checkpoint is None:
        session.keep_start()
    describe(session.fitted, plan)
    done = [] if checkpoint is None else watched_epochs(checkpoint.history, checkpoint.progress.epoch)
    interrupted = _run(session, folder, plan, done, listener)
    return finish(session, exam, folder, interrupted, listener, before=before)


def config_of(kind: Kind, settings: Mapping[str, Any]) -> Config:
    """Return the settings of a training; raises ConfigError for one that is missing, or that nothing uses."""
    config = make_config(kind.parts, settings)
    config.require()
    refuse_unused(config, kind.unused(config))
    return config


def plan_of(kind: Kind, source: Source, config: Config, test_size: int) -> dict[str, Any]:
    """Return what a training was asked for, as plain data: it goes on only with the same."""
    return {
        "task": name_of(kind),
        "settings": config.plain(),
        "source": source.path,
        "test_source": source.test_path,
        "max_rows": source.max_rows,
        "test_size": test_size,
        "data": kind.fingerprint(source.data),
    }


def describe(fitted: Fitted, plan: Mapping[str, Any]) -> None:
    """Write into the record of a model on what it is trained."""
    record = fitted.record
    record.source, record.test_source, record.max_rows = plan["source"], plan["test_source"], plan["max_rows"]
    record.test_size, record.data = plan["test_size"], plan["data"]


def check_same_training(kind: Kind, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise an error if a training would go on with other data or settings than it began with."""
    if before["data"] != now["data"]:
        raise RunError("The data are not those this training began with, so it cannot go on. Train anew instead.")
    if before.get("start") != now.get("start"):
        raise RunError("The run that this fine-tuning began from is another one now. Begin anew with overwrite=True.")
    first = kind.parts.defaults()
    changed = changes(kind.parts, first | _listed(before["settings"]), first | _listed(now["settings"]), MAY_CHANGE)
    if before.get("test_source", "") != now["test_source"]:
        changed.append(f"it was judged on '{before.get('test_source', '')}', now on '{now['test_source']}'")
    if before["test_size"] != now["test_size"]:
        changed.append(f"the test size was {before['test_size']}, now {now['test_size']}")
    if changed:
        raise ConfigError(f"A training goes on with the settings it began with: {'; '.join(changed)}. Leave that out.")


def check_goes_on(progress: Progress, config: Config) -> None:
    """Raise ConfigError if a training has come further already than it may go now."""
    done = {"max_epochs": progress.epoch, "max_steps": progress.steps}
    for name, count in done.items() if not progress.finished else ():
        most = getattr(config.training, name)
        if most < count:
            raise ConfigError(
                f"This training has done {count:,} {name.removeprefix('max_')} already, but {name}={most}. Give "
                f"{name}={count} to end it where it is, more to go on, or leave {name}= out."
            )


def _listed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with tuples as tuples, which JSON had made lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def _run(
    session: Session, folder: Path, plan: dict[str, Any], before: list[dict[str, Any]], listener: Listener
) -> bool:
    """Train to the end, or to Ctrl-C, with a checkpoint after each epoch; returns whether it was interrupted."""
    session.history[:0] = before

    def keep(epoch: Epoch) -> None:
        weights = session.fitted.network.state_dict()
        runs.write_checkpoint(folder, plan, weights, session.progress, session.history)
        listener.epoch("training", epoch, session.outlook)

    return train_to_end(session, keep)


def train_to_end(session: Session, told: Callable[[Epoch], None]) -> bool:
    """Train to the end, or to Ctrl-C, which keeps the best weights so far; returns whether it was interrupted.

    Each epoch is ``told``. Raises KeyboardInterrupt if there are no weights to keep yet.
    """
    try:
        for epoch in session.epochs():
            told(epoch)
    except KeyboardInterrupt:
        if not session.progress.best_weights:
            raise
        session.keep_best()
        return True
    return False


def finish(
    session: Session,
    exam: Exam | None,
    folder: Path,
    interrupted: bool,
    listener: Listener,
    search: Mapping[str, Any] | None = None,
    before: Any = None,
) -> Trained:
    """Write the run, judge it, and write it once more with its report, and with the ``search`` it comes from.

    What the run that was fine-tuned said ``before`` is judged, too.
    """
    fitted, history, data = session.fitted, session.history, session.prepared.data
    # The weights are safe before anything else can go wrong.
    runs.write(folder, to_run(fitted, history), keep_checkpoint=True)
    report, judged = None, None
    try:
        session.fit_baselines(listener.notes)
        judged = None if exam is None else judge(fitted, exam, others={} if before is None else {BEFORE: before})
        fitted.record.metrics = judged.metrics if judged else {}
        if search is None:
            texts = {runs.REPORT: training_page(fitted, history, data, judged, folder)}
        else:
            html = tuning_page(fitted, history, data, judged, search, folder)
            texts = {runs.REPORT: html} | runs.write_search(search)
        runs.write(folder, to_run(fitted, history), texts, keep_checkpoint=interrupted)
        report = folder / runs.REPORT
    except KeyboardInterrupt:
        interrupted = True
    return Trained(folder, report, fitted, history, judged, interrupted)

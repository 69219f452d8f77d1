"""``recurra train``: train one model, judge it, and write a report."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError, DataError
from ..settings import DataAsked, TrainAsked, make_part, settings_of
from ..tasks import kind_of
from ..training.meter import meter_for
from .console import message, out_console, print_notes
from .flags import TaskCommand, config_option, data_argument, given, parts_in, spoken, task_option, train_settings

NOTHING_KEPT = "Stopped before there was anything to keep."


@click.command(cls=TaskCommand, settings=train_settings, asked=settings_of(TrainAsked))
@data_argument
@task_option
@config_option
@click.pass_context
def train(ctx: click.Context, config: str | None, **flags: Any) -> None:
    """Train a model on DATA, judge it, and write a report.

    A part of DATA is held out of the training, to judge the model on it; of series it is the last rows.
    """
    parts = parts_in(ctx)
    asked, settings = asked_for(flags, config, parts, "train", TrainAsked)
    from ..verbs.common import Listener
    from ..verbs.train import train as run

    kind = kind_of(asked.task or parts.name)
    folder = folder_for(asked, stem(asked.data))
    start = start_of(kind, asked, settings)
    options = {"overwrite": asked.overwrite, "resume": bool(asked.resume), "start": start}
    with stoppable(folder, "train"):
        source = read_source(kind, asked, settings, None if start is None else start.fitted.learned)
        with meter_for(asked.json) as shown:
            done = run(kind, source, settings, folder, **options, listener=Listener(print_notes, shown))
    show_trained(done, asked.json)
    if done.interrupted:
        message(
            f"Stopped by Ctrl-C: the best weights so far were kept. Go on with: recurra train --resume {folder}"
            + ("" if done.report else f"\nThere is no report yet. Write it with: recurra report {folder}")
        )
        sys.exit(130)


@contextmanager
def stoppable(folder: Path, verb: str) -> Iterator[None]:
    """End with the command that goes on, if there is something to go on, when Ctrl-C stops the block before a run."""
    from ..training.runs import CHECKPOINT, going_on

    try:
        yield
    except KeyboardInterrupt:
        kept = (folder / CHECKPOINT).exists()
        message(f"Stopped. Go on with: {going_on(verb, folder)}" if kept else NOTHING_KEPT)
        sys.exit(130)


def asked_for(flags: Any, config: str | None, parts: Any, verb: str, part: type) -> tuple[Any, dict[str, Any]]:
    """Return what a verb is asked for, a ``part`` of the settings, and the settings of the model.

    What goes on has those it began with, where nothing is said now. Raises an error if one that is needed is missing.
    """
    found, settings = given(flags, config, parts, part)
    if "resume" in found:
        plan = plan_of(found, verb)
        found = as_before(found, plan)
        before = plan["settings"] if verb == "train" else found.pop("settings", {})
        settings = kept_settings(before, settings, parts)
    if found.get("fine_tune"):
        settings = kept_settings(settings_in(found["fine_tune"], found.get("task")), settings, parts)
    asked = make_part(part, found)
    require(parts, settings, asked)
    return asked, settings


def settings_in(run: str, task: str | None) -> dict[str, Any]:
    """Return the settings of the run that is to go on, flat; raises RunError if it is not of the ``task`` named."""
    from ..tasks.saving import kind_of_run
    from ..training.runs import read

    config = read(Path(run)).config
    kind_of_run(config, None if task is None else kind_of(task))
    return {name: value for part in config["settings"].values() for name, value in part.items()}


def start_of(kind: Any, asked: TrainAsked, settings: dict[str, Any]) -> Any:
    """Return the run that is fine-tuned, if one is, with the user's own classes that the ``settings`` bring."""
    if asked.fine_tune is None:
        return None
    from ..verbs.fine_tuning import start_from

    return start_from(Path(asked.fine_tune), kind, _classes_in(settings))


def plan_of(found: dict[str, Any], verb: str) -> dict[str, Any]:
    """Return what is to go on was asked for."""
    from ..training.runs import read_state

    folder = Path(found["resume"])
    if Path(found.get("out", folder)) != folder:
        raise ConfigError("--resume goes on in its own folder. Leave --out out.")
    plan: dict[str, Any] = read_state(folder, verb)[1]["plan"]
    return plan


def as_before(found: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """Return what is asked of what goes on, and what it was asked before where nothing is said now."""
    task = plan.get("task") or found.get("task")  # plans of old have none
    if ":" in str(task) and "task" not in found:
        raise ConfigError(f"What goes on is of the task '{task}', which is not part of recurra: say --task {task}.")
    if found.get("task", task) != task:
        raise ConfigError(f"What goes on is of the task '{task}', not of '{found['task']}'. Leave --task out.")
    before = {"task": task, "data": plan["source"] or None, "max_rows": plan["max_rows"]}
    if "test_data" not in found:
        before |= {"test_size": plan["test_size"], "test_data": plan.get("test_source") or None}
    return before | plan.get("asked", {}) | found


def kept_settings(before: dict[str, Any], settings: dict[str, Any], parts: Any) -> dict[str, Any]:
    """Return the settings a training began with, and those that are given now over them."""
    from ..tasks.saving import brought

    first = parts.defaults()
    before = {name: value for name, value in before.items() if name in first}
    plain = {name: value for name, value in settings.items() if not _classes(value)}
    return brought(parts, {"all": before | plain}, _classes_in(settings))


def _classes_in(settings: dict[str, Any]) -> list[type]:
    return [one for value in settings.values() for one in _classes(value)]


def _classes(value: Any) -> list[type]:
    return [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, type)]


def require(parts: Any, settings: dict[str, Any], asked: DataAsked) -> None:
    """Raise an error before any data is read if a setting is missing, or the data are."""
    from ..settings import make_config

    if not asked.data:
        raise click.UsageError("Missing argument 'DATA': the file to train on.")
    if asked.test_data and asked.test_size:
        raise ConfigError("With --test-data nothing is held out of DATA. Leave --test-size out.")
    make_config(parts, settings).require()


def read_source(kind: Any, asked: DataAsked, settings: dict[str, Any], learned: Any = None) -> Any:
    """Read what is trained on, as a run ``learned`` if one goes on, and what judges it if that is another file."""
    from ..settings import make_config
    from ..verbs.common import Source

    config = make_config(kind.parts, settings)
    # Paths, as a kind that reads texts would take the name of a file that is not there for one.
    read = kind.read(Path(asked.data or ""), config, learned, asked.max_rows, print_notes)
    test_data = Path(asked.test_data) if asked.test_data else None
    return Source(read, asked.data or "", asked.max_rows, asked.test_size, test_data)


def show_trained(done: Any, as_json: bool) -> None:
    """Print the metrics and the paths."""
    from ..tasks.pages import conclusion, warnings
    from .console import print_json
    from .tables import metrics_table

    record, fitted = done.fitted.record, done.fitted
    if as_json:
        said = {"conclusion": conclusion(fitted, done.judged, done.folder)}
        print_json(places(done) | said | {"about": record.to_dict()} | answers_of(fitted))
        return
    console = out_console()
    console.print(f"Training {record.course()}.", markup=False)
    if record.answer:
        console.print(record.answer, markup=False)
    console.print(f"Engine: {' and '.join(dict.fromkeys(record.engines))}.", markup=False)
    if done.judged:
        metrics = fitted.kind.metrics(fitted.config)
        console.print(f"\nHow good it is, {done.judged.exam.said}:", markup=False)
        console.print(metrics_table(done.judged.metrics, metrics))
        if metrics[0].help:
            console.print(f"\n{metrics[0].sentence}", style="dim", markup=False)
    show_conclusion([*conclusion(fitted, done.judged, done.folder), *warnings(fitted)])
    show_places(done)


def show_conclusion(sentences: Sequence[str]) -> None:
    """Print what is concluded, a sentence a line."""
    console = out_console()
    console.print()
    for sentence in sentences:
        console.print(f"→ {spoken(sentence).replace('`', '')}", markup=False, soft_wrap="`" in sentence)


def answers_of(fitted: Any) -> dict[str, Any]:
    """Return what the model says about what it remembers, as plain data; nothing if it remembers nothing.

    Where it cannot say anything yet, as what it reads of the future is not known, there is the reason in its place.
    """
    if not fitted.kind.remembers:
        return {}
    from ..settings import make_part

    parts = fitted.kind.parts
    try:
        frame = fitted.kind.frame(fitted.kind.answer(fitted, None, make_part(parts.predict, {})))
    except DataError as fault:
        return {parts.answer: None, "reason": spoken(str(fault))}
    return {parts.answer: frame.to_dict("records")}


def places(done: Any) -> dict[str, Any]:
    """Return where the files of a run are, as plain data."""
    return {"run": str(done.folder), "report": None if done.report is None else str(done.report)}


def show_places(done: Any) -> None:
    """Print where the files of a run are."""
    console = out_console()
    console.print(f"\nRun folder: {done.folder}", markup=False, soft_wrap=True)
    if done.report is not None:
        console.print(f"Report:     {done.report}", markup=False, soft_wrap=True)


def folder_for(asked: DataAsked, name: str) -> Path:
    """Return the run folder that was asked for, or a fresh one."""
    from ..verbs.common import fresh_folder

    named = asked.resume or asked.out
    return Path(named) if named else fresh_folder(name)


def stem(path: str) -> str:
    """Return the file's name without its endings."""
    return Path(path).name.split(".")[0] or "data"

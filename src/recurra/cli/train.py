"""``recurra train``: train one model, judge it, and write a report."""

import sys
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError
from ..tasks import kind_of
from .console import message, meter_for, out_console, print_notes
from .flags import (
    TaskCommand,
    data_argument,
    given,
    json_option,
    parts_in,
    source_options,
    train_settings,
)

NOTHING_KEPT = "Stopped before there was anything to keep."


@click.command(cls=TaskCommand, settings=train_settings)
@data_argument
@source_options
@click.option(
    "--resume", "resumed", metavar="FOLDER", help="go on with a training that was stopped; DATA may be left out"
)
@json_option
@click.pass_context
def train(
    ctx: click.Context,
    data: str | None,
    config: str | None,
    out: str | None,
    overwrite: bool,
    resumed: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Train a model on DATA, judge it, and write a report.

    A part of DATA is held out of the training, to judge the model on it; of series it is the last rows.
    """
    parts = parts_in(ctx)
    task = flags.pop("task")
    origin = {name: flags.pop(name) for name in ("test_size", "test_data", "max_rows")}
    settings = given(flags, config, parts)
    if resumed:
        plan = plan_of(resumed, out)
        if task is not None and task != plan.get("task", task):
            raise ConfigError(f"This training is of the task '{plan['task']}', not of '{task}'. Leave --task out.")
        task = task or plan.get("task")
        settings = kept_settings(plan, settings, parts)
        data = data or plan["source"]
        before = {"test_size": plan["test_size"], "test_data": plan.get("test_source"), "max_rows": plan["max_rows"]}
        origin = {name: before[name] if value is None else value for name, value in origin.items()}
    if data is None:
        raise click.UsageError("Missing argument 'DATA': the file to train on.")
    require(parts, settings)
    from ..training.runs import CHECKPOINT
    from ..verbs.common import Listener, ignore
    from ..verbs.train import train as run

    kind = kind_of(task or parts.name)
    source = read_source(kind, data, settings, **origin)
    folder = Path(resumed) if resumed else folder_for(out, stem(data))
    try:
        with meter_for(as_json) as shown:
            listener = Listener(print_notes, shown or ignore)
            done = run(kind, source, settings, folder, overwrite=overwrite, resume=bool(resumed), listener=listener)
    except KeyboardInterrupt:
        kept = (folder / CHECKPOINT).exists()
        message(f"Stopped. Go on with: recurra train --resume {folder}" if kept else NOTHING_KEPT)
        sys.exit(130)
    show_trained(done, as_json)
    if done.interrupted:
        message(
            f"Stopped by Ctrl-C: the best weights so far were kept. Go on with: recurra train --resume {folder}"
            + ("" if done.report else f"\nThere is no report yet. Write it with: recurra report {folder}")
        )
        sys.exit(130)


def plan_of(resumed: str, out: str | None) -> dict[str, Any]:
    """Return what a training that is to go on was asked for."""
    from ..training.runs import read_checkpoint

    if out is not None and Path(out) != Path(resumed):
        raise ConfigError("--resume goes on in its own folder. Leave --out out.")
    return read_checkpoint(Path(resumed)).plan


def kept_settings(plan: dict[str, Any], settings: dict[str, Any], parts: Any) -> dict[str, Any]:
    """Return the settings a training began with, and those that are given now over them."""
    from ..tasks.saving import brought

    given_classes = [one for value in settings.values() for one in _classes(value)]
    first = parts.defaults()
    before = {name: value for name, value in plan["settings"].items() if name in first}
    return brought(parts, {"all": before | {n: v for n, v in settings.items() if not _classes(v)}}, given_classes)


def _classes(value: Any) -> list[type]:
    return [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, type)]


def require(parts: Any, settings: dict[str, Any]) -> None:
    """Raise a ConfigError before any data is read if a setting is missing."""
    from ..settings import make_config

    make_config(parts, settings).require()


def read_source(
    kind: Any, data: str, settings: dict[str, Any], test_size: int | None, test_data: str | None, max_rows: int | None
) -> Any:
    """Read what is trained on, and what judges it if that is another file."""
    from ..settings import make_config
    from ..verbs.common import Source

    if test_data and test_size:
        raise ConfigError("With --test-data nothing is held out of DATA. Leave --test-size out.")
    config = make_config(kind.parts, settings)
    read = kind.read(data, config, None, max_rows, print_notes)
    return Source(read, data, max_rows, test_size, test_data or None)


def show_trained(done: Any, as_json: bool) -> None:
    """Print the metrics and the paths."""
    from .console import print_json
    from .tables import metrics_table

    record, fitted = done.fitted.record, done.fitted
    if as_json:
        print_json(places(done) | {"about": record.to_dict()} | answers_of(fitted))
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
    show_places(done)


def answers_of(fitted: Any) -> dict[str, Any]:
    """Return what the model says about what it remembers, as plain data; nothing if it remembers nothing."""
    if not fitted.kind.remembers:
        return {}
    from ..settings import make_part

    parts = fitted.kind.parts
    frame = fitted.kind.frame(fitted.kind.answer(fitted, None, make_part(parts.predict, {})))
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


def folder_for(out: str | None, name: str) -> Path:
    """Return the run folder that was asked for, or a fresh one."""
    from ..verbs.common import fresh_folder

    return Path(out) if out else fresh_folder(name)


def stem(path: str) -> str:
    """Return the file's name without its endings."""
    return Path(path).name.split(".")[0] or "data"

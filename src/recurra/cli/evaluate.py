"""``recurra evaluate`` and ``recurra report``: a run, judged and described once more."""

from pathlib import Path
from typing import Any

import click

from .console import out_console, print_notes
from .flags import (
    TaskCommand,
    asked,
    data_argument,
    evaluate_settings,
    json_option,
    parts_in,
    report_settings,
    run_argument,
    run_options,
)
from .runs import load_run, read_data, taken_out


@click.command(cls=TaskCommand, settings=evaluate_settings)
@run_argument
@data_argument
@run_options
@click.option(
    "--test-size",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="how much of the end is judged; as in training if not given",
)
@json_option
@click.pass_context
def evaluate(
    ctx: click.Context,
    run: str,
    data: str | None,
    test_size: int | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Judge a RUN beside what costs nothing.

    It is judged on DATA, - for standard input, or on what was held out of what it was trained on.
    """
    brought = taken_out(flags)
    wanted = asked(flags, parts_in(ctx).evaluate)
    fitted, _ = load_run(run, brought)
    from ..verbs import evaluate as verb
    from .console import print_json
    from .tables import metrics_table

    judged = verb.evaluate(fitted, read_data(fitted, data), test_size, wanted, print_notes)
    if as_json:
        print_json(judged.metrics)
    else:
        out_console().print(metrics_table(judged.metrics, fitted.kind.metrics(fitted.config)))


@click.command(cls=TaskCommand, settings=report_settings)
@run_argument
@data_argument
@run_options
@json_option
@click.pass_context
def report(ctx: click.Context, run: str, data: str | None, as_json: bool, **flags: Any) -> None:
    """Write the report of a RUN again."""
    brought = taken_out(flags)
    wanted = asked(flags, parts_in(ctx).report)
    fitted, history = load_run(run, brought)
    from ..verbs.evaluate import rebuild_report
    from .console import print_json

    path = rebuild_report(fitted, history, Path(run), read_data(fitted, data), wanted)
    if as_json:
        print_json({"report": str(path)})
    else:
        out_console().print(f"Report: {path}", markup=False, soft_wrap=True)

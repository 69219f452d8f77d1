"""``recurra predict``: what a run says about data."""

from typing import Any

import click

from .console import check_spared, check_target, print_notes, write_frame
from .flags import TaskCommand, asked, data_argument, json_option, parts_in, predict_settings, run_argument, run_options
from .runs import load_run, read_data, taken_out


@click.command(cls=TaskCommand, settings=predict_settings)
@run_argument
@data_argument
@run_options
@click.option("--out", metavar="FILE", help="write CSV or Parquet to this file instead of stdout")
@click.option("--overwrite", is_flag=True, help="replace the output file if there is one")
@json_option
@click.pass_context
def predict(
    ctx: click.Context,
    run: str,
    data: str | None,
    out: str | None,
    overwrite: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Answer with a RUN.

    It answers about DATA, - for standard input, or about what it was trained on; a forecast begins after the end of
    the data.
    """
    check_target(out, overwrite)
    brought = taken_out(flags)
    wanted = asked(flags, parts_in(ctx).predict)
    fitted, _ = load_run(run, brought)
    check_spared(out, (data, fitted.record.source, fitted.record.test_source))
    read = read_data(fitted, data)
    if read is None and fitted.kind.needs_data(wanted):
        from ..verbs.common import source_of

        read = source_of(fitted)
    answers = fitted.kind.answer(fitted, read, wanted)
    notes = tuple(getattr(answers, "notes", ()))
    if notes:
        print_notes(notes)
    write_frame(fitted.kind.frame(answers), out, as_json, fitted.kind.parts.answer, notes)

"""``recurra backtest``: what models like that of a run would have said from past origins."""

import sys
from typing import Any

import click

from ..training.meter import meter_for
from .console import check_spared, check_target, message, out_console, print_json, print_notes, write_frame
from .flags import (
    TaskCommand,
    asked,
    backtest_settings,
    data_argument,
    json_option,
    parts_in,
    run_argument,
    run_options,
)
from .runs import load_run, taken_out


@click.command(cls=TaskCommand, settings=backtest_settings)
@run_argument
@data_argument
@run_options
@click.option("--out", metavar="FILE", help="write all forecasts, CSV or Parquet, to this file")
@click.option("--overwrite", is_flag=True, help="replace the output file if there is one")
@json_option
@click.pass_context
def backtest(
    ctx: click.Context, run: str, data: str | None, out: str | None, overwrite: bool, as_json: bool, **flags: Any
) -> None:
    """Test a RUN from past origins, trained anew.

    Models with its settings are trained on what lies before origins in DATA, or in what the run was trained on, and
    forecast from each. Neither is given what comes after.
    """
    check_target(out, overwrite)
    brought = taken_out(flags)
    wanted = asked(flags, parts_in(ctx).backtest)
    fitted, _ = load_run(run, brought)
    check_spared(out, (data, fitted.record.source, fitted.record.test_source))
    from ..verbs.backtest import backtest as verb
    from ..verbs.backtest import read_anew
    from ..verbs.common import Listener
    from .tables import errors_table

    folds, stopped = [], False
    with meter_for(as_json) as shown:
        listener = Listener(print_notes, shown)
        read = read_anew(fitted, data, listener)
        try:
            for fold in verb(fitted, read, wanted, listener):
                folds.append(fold)
        except KeyboardInterrupt:
            if not folds:
                raise
            stopped = True
    whole, errors = fitted.kind.tested(read, folds)
    if as_json:
        print_json({"errors": [one.to_dict("records") for one in errors]})
    for number, one in enumerate(() if as_json else errors):
        if number:
            out_console().print()
        out_console().print(errors_table(one))
    if out is not None:
        write_frame(whole, out, False, fitted.kind.parts.answer)
    if stopped:
        message("Stopped by Ctrl-C: these are the origins that were done.")
        sys.exit(130)

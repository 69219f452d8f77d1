"""``recurra bench``: time the cells on this machine."""

from pathlib import Path
from typing import Any

import click

from .console import end, err, message, out_console
from .flags import Verb, json_option


@click.command(cls=Verb)
@click.option(
    "--part", "parts", multiple=True, metavar="NAME", help="train, infer, lengths, step, memory; several  [train]"
)
@click.option("--cell", "cells", multiple=True, metavar="NAME", help="a cell; several  [gru lstm lstm_gru]")
@click.option("--engine", "engines", multiple=True, metavar="NAME", help="an engine; several  [native torch auto]")
@click.option("--size", "sizes", multiple=True, metavar="B,T,I,H", help="batch, steps, inputs, hidden units; several")
@click.option(
    "--rounds", type=click.IntRange(min=1), metavar="NUMBER", default=9, help="measurements of each figure  [9]"
)
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="NUMBER", help="threads of torch; as it chose itself if not given"
)
@click.option("--anyway", is_flag=True, help="report although other processes use the machine")
@click.option("--out", metavar="FILE.md", help="also write the tables to this file")
@click.option("--overwrite", is_flag=True, help="replace FILE.md")
@json_option
def bench(threads: int | None, out: str | None, overwrite: bool, as_json: bool, **asked: Any) -> None:
    """Time the cells here, beside the layers of torch.nn.

    It refuses while other processes use the machine, as the times would say little. Takes minutes.
    """
    from ..bench import report as bench_report
    from ..bench.measure import cases, make_request, run
    from ..native.threads import set_threads
    from .console import counter

    request = make_request(asked)
    total = len(cases(request))
    if out is not None:
        bench_report.check_free(Path(out), overwrite)
    with set_threads(threads):
        with counter(err(), total, quiet=as_json) as shown:
            done = run(request, lambda case: shown(str(case)))
        show_bench(done, as_json)
        if out is not None and not done.unfinished:
            bench_report.write_markdown(done, Path(out))
            message(f"Table: {out}")
    end(
        done,
        after_fault="The tables cover what was measured until then.",
        after_stop="Stopped by Ctrl-C: the tables cover what was measured until then, and no file was written.",
    )


def show_bench(done: Any, as_json: bool) -> None:
    """Print the tables of a bench and how to read them."""
    from ..bench import report as bench_report
    from .console import print_json, print_sheet

    if as_json:
        print_json(bench_report.as_data(done))
        return
    console = out_console()
    for sheet in bench_report.sheets(done):
        print_sheet(console, sheet.title, sheet.halves(), sheet.notes)
    console.print("\n".join(bench_report.how(done)), style="dim", markup=False)
    for mark in bench_report.marks(done):
        console.print(mark, style="bold", markup=False)

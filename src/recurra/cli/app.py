"""The command line. Flags are made from the settings; torch is imported only by a verb that needs it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from ..errors import ConfigError, RecurraError, nearest
from .console import check_ending, err, message, meter_for, out_console, write_frame
from .flags import (
    SettingsCommand,
    checked_settings,
    config_option,
    given,
    json_option,
    out_option,
    overwrite_option,
    rows_option,
    settings_options,
    test_option,
)

if TYPE_CHECKING:
    from ..data.series import Panel

NOTHING_KEPT = "Stopped before there was anything to keep."


class Verbs(click.Group):
    """The group of verbs; offers the nearest one for a typing error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they are used."""
        return list(self.commands)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the verb, or offer the nearest one."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            verbs = ", ".join(self.commands)
            raise click.UsageError(f"There is no verb '{args[0]}'.{nearest(args[0], self.commands)} Verbs: {verbs}.")
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="recurra")
def recurra() -> None:
    """Recurrent sequence models with attention, from a table.

    \b
    recurra demo                                 see it work, in under two minutes
    recurra train sales.csv --horizon 28         train, forecast, report
    recurra compare sales.csv --horizon 28       which model, and does it beat repeating last week?
    recurra predict runs/sales-...               the forecast of a run
    """


@recurra.command()
@out_option
@overwrite_option
@click.option("--seeds", type=click.IntRange(min=1), default=2, help="how many seeds each model is trained with  [2]")
@json_option
def demo(out: str | None, overwrite: bool, seeds: int, as_json: bool) -> None:
    """Compare all cells, with and without attention, on real data."""
    from ..verbs import contest

    panel, about = contest.demo_panel()
    message(f"The demo forecasts {about}.")
    print_notes(panel.notes)
    candidates = contest.make_candidates(contest.DEMO, contest.CELLS, ("none", "additive"))
    run_comparison(panel, candidates, range(seeds), folder_for(out, "demo"), as_json, overwrite=overwrite)


@recurra.command(cls=SettingsCommand)
@click.argument("data", required=False)
@settings_options()
@config_option
@out_option
@overwrite_option
@test_option
@rows_option
@click.option(
    "--resume", "resumed", metavar="FOLDER", help="go on with a training that was stopped; DATA may be left out"
)
@json_option
def train(
    data: str | None,
    config: str | None,
    out: str | None,
    overwrite: bool,
    test_size: int | None,
    max_rows: int | None,
    resumed: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Train a forecaster on DATA, judge it, and write a report.

    DATA is a CSV or Parquet file. The last rows are held out of the training, to judge the model on them.
    """
    settings = checked_settings(given(flags, config))
    if resumed:
        plan = plan_of(resumed, out)
        settings, data = plan["settings"] | settings, data or plan["source"]
        test_size = plan["test_size"] if test_size is None else test_size
        max_rows = plan["max_rows"] if max_rows is None else max_rows
    if data is None:
        raise click.UsageError("Missing argument 'DATA': the file to train on.")
    require_horizon(settings)
    from ..verbs import workflows

    panel = workflows.read_panel(data, settings, max_rows, print_notes)
    folder = Path(resumed) if resumed else folder_for(out, stem(data))
    try:
        with meter_for(as_json) as shown:
            done = workflows.train(
                panel,
                settings,
                folder,
                source=data,
                max_rows=max_rows,
                test_size=test_size,
                overwrite=overwrite,
                resume=bool(resumed),
                on_notes=print_notes,
                on_epoch=shown,
            )
    except KeyboardInterrupt:
        kept = (folder / workflows.runs.CHECKPOINT).exists()
        message(f"Stopped. Go on with: recurra train --resume {folder}" if kept else NOTHING_KEPT)
        sys.exit(130)
    show_trained(done, as_json)
    if done.interrupted:
        message(
            f"Stopped by Ctrl-C: the best weights so far were kept. Go on with: recurra train --resume {folder}"
            + ("" if done.report else f"\nThere is no report yet. Write it with: recurra report {folder}")
        )
        sys.exit(130)


@recurra.command()
@click.argument("run")
@click.argument("data", required=False)
@click.option("--steps", "h", type=int, help="how many steps ahead; the trained horizon if not given")
@click.option("--out", metavar="FILE", help="write CSV or Parquet to this file instead of stdout")
@json_option
def predict(run: str, data: str | None, h: int | None, out: str | None, as_json: bool) -> None:
    """Forecast with a RUN.

    The forecast begins after the end of DATA, or after the end of what the run was trained on.
    """
    from ..tasks.forecast.estimator import Forecaster

    check_ending(out)
    forecaster = Forecaster.load(run)
    frame = forecaster.predict(h, None if data is None else panel_for(run, data))
    write_frame(frame, out, as_json)


@recurra.command()
@click.argument("run")
@click.argument("data", required=False)
@click.option("--test-size", type=click.IntRange(min=1), help="last rows to forecast; as in training if not given")
@click.option("--step", type=click.IntRange(min=1), help="distance between forecast origins; found if not given")
@json_option
def evaluate(run: str, data: str | None, test_size: int | None, step: int | None, as_json: bool) -> None:
    """Judge a RUN on the last rows, beside the naive forecasts.

    They are the last rows of DATA, or of what the run was trained on.
    """
    from ..verbs import workflows
    from .console import metrics_table, print_json

    panel = None if data is None else panel_for(run, data)
    judged = workflows.evaluate(Path(run), panel, test_size, step, print_notes)
    if as_json:
        print_json(judged.metrics)
    else:
        out_console().print(metrics_table(judged.metrics))


@recurra.command(cls=SettingsCommand)
@click.argument("data")
@settings_options(skip=("cell", "attention", "seed"))
@click.option(
    "--cells", metavar="NAMES", default="rnn,lstm,gru,lstm+gru,parallel,lstm_gru", help="cells, with + for a stack"
)
@click.option("--attentions", metavar="NAMES", default="none,additive", help="attentions  [none,additive]")
@click.option("--seeds", type=click.IntRange(min=1), default=3, help="how many seeds each is trained with  [3]")
@click.option("--seed", type=click.IntRange(min=0), help="the first seed  [0]")
@click.option("--equal-parameters", is_flag=True, help="adjust hidden sizes until parameter counts agree")
@config_option
@out_option
@overwrite_option
@test_option
@rows_option
@json_option
def compare(
    data: str,
    cells: str,
    attentions: str,
    seeds: int,
    seed: int | None,
    equal_parameters: bool,
    config: str | None,
    out: str | None,
    overwrite: bool,
    test_size: int | None,
    max_rows: int | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Compare cells and attentions on DATA, beside naive forecasts.

    All get the same data, seeds and budget, and are judged on the same held-out rows.
    """
    settings = checked_settings(given(flags | {"seed": seed}, config))
    require_horizon(settings)
    from ..verbs import contest, workflows

    names = [cell.replace("+", ",").replace(">", ",") for cell in listed(cells)]
    candidates = contest.make_candidates(settings, names, listed(attentions))
    panel = workflows.read_panel(data, settings, max_rows, print_notes)
    if equal_parameters:
        held = workflows.chosen_test_size(panel, settings, test_size)
        candidates = contest.equalise(candidates, panel, held)
    first = settings.get("seed", 0)
    run_comparison(
        panel,
        candidates,
        range(first, first + seeds),
        folder_for(out, f"compare-{stem(data)}"),
        as_json,
        source=data,
        max_rows=max_rows,
        test_size=test_size,
        overwrite=overwrite,
    )


@recurra.command()
@click.argument("run")
@click.argument("data", required=False)
@json_option
def report(run: str, data: str | None, as_json: bool) -> None:
    """Write the report of a RUN again."""
    from ..verbs import workflows
    from .console import print_json

    panel = None if data is None else panel_for(run, data)
    path = workflows.rebuild_report(Path(run), panel)
    if as_json:
        print_json({"report": str(path)})
    else:
        out_console().print(f"Report: {path}", markup=False, soft_wrap=True)


@recurra.command()
@click.option(
    "--part", "parts", multiple=True, metavar="NAME", help="train, infer, lengths, step, memory; several  [train]"
)
@click.option("--cell", "cells", multiple=True, metavar="NAME", help="a cell; several  [gru lstm lstm_gru]")
@click.option("--engine", "engines", multiple=True, metavar="NAME", help="an engine; several  [native torch auto]")
@click.option("--size", "sizes", multiple=True, metavar="B,T,I,H", help="batch, steps, inputs, hidden units; several")
@click.option("--rounds", type=click.IntRange(min=1), default=9, help="measurements of each figure  [9]")
@click.option("--threads", type=click.IntRange(min=1), help="threads of torch; as it chose itself if not given")
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
    from ..nn.threads import set_threads
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
    if done.fault:
        raise ConfigError(f"{done.fault} The tables cover what was measured until then.")
    if done.interrupted:
        message("Stopped by Ctrl-C: the tables cover what was measured until then, and no file was written.")
        sys.exit(130)


@recurra.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what is installed, and whether the engines agree."""
    from ..verbs.doctor import examine
    from .console import print_json

    findings = examine()
    if as_json:
        print_json(findings)
    else:
        for name, value in findings.items():
            out_console().print(f"{name:18} {value}", markup=False, soft_wrap=True)
    if any("DIFFERS" in value for value in findings.values()):
        sys.exit(1)


# ------------------------------------------------------------------------------------------------- helpers


def plan_of(resumed: str, out: str | None) -> dict[str, Any]:
    """Return what a training that is to go on was asked for."""
    from ..training.runs import read_checkpoint

    if out is not None and Path(out) != Path(resumed):
        raise ConfigError("--resume goes on in its own folder. Leave --out out.")
    return read_checkpoint(Path(resumed)).plan


def run_comparison(
    panel: "Panel", candidates: list[Any], seeds: range, folder: Path, as_json: bool, **options: Any
) -> None:
    """Run a comparison with a live display, and print its table, verdicts and where its files are."""
    from ..verbs import contest

    total = len(candidates) * len(seeds)
    width = max(len(candidate.label) for candidate in candidates)
    console = err()
    count = 0

    def tell(outcome: Any) -> None:
        nonlocal count
        count += 1
        console.print(
            f"{count:{len(str(total))}}/{total}  {outcome.candidate.label:{width}}  seed {outcome.seed}  "
            f"MASE {outcome.metrics['mase']:.3f}  {outcome.epochs} epochs",
            markup=False,
            soft_wrap=True,
        )

    with meter_for(as_json or not console.is_terminal) as shown:
        done = contest.compare_candidates(
            panel, candidates, seeds, folder, on_notes=print_notes, on_epoch=shown, on_outcome=tell, **options
        )
    show_compared(done, as_json)
    if done.fault:
        raise ConfigError(f"{done.fault} The comparison covers what was done until then.")
    if done.interrupted:
        message("Stopped by Ctrl-C: the comparison covers what was done until then.")
        sys.exit(130)


def show_compared(done: Any, as_json: bool) -> None:
    """Print the table, the verdicts and the paths."""
    from ..verbs.contest import comparison_data
    from .console import LEGEND, comparison_table, print_json

    if as_json:
        print_json(places(done) | comparison_data(done.comparison, done.chosen))
        return
    console = out_console()
    console.print()
    console.print(comparison_table(done.comparison.rows()))
    console.print(f"\n{LEGEND}\n", style="dim", markup=False)
    for sentence in done.comparison.verdicts():
        console.print(f"→ {sentence}", markup=False)
    console.print(f"\nKept: {done.chosen} from the seed with the lowest validation loss.", markup=False)
    show_places(done)


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


def show_trained(done: Any, as_json: bool) -> None:
    """Print the metrics and the paths."""
    from ..tasks.forecast.judging import describe_test
    from .console import metrics_table, print_json

    about = done.forecaster.fitted_.about
    if as_json:
        print_json(places(done) | {"about": about, "forecast": done.forecast.to_dict("records")})
        return
    console = out_console()
    ended = f"ended by {about['stopped_by']} after {about['epochs']} epochs and {about['seconds']:.0f} s"
    console.print(f"Training {ended}; best epoch {about['best_epoch']}.", markup=False)
    console.print(f"Engine: {' and '.join(dict.fromkeys(about['engines']))}.", markup=False)
    if done.judged:
        windows = len(done.judged.backtest.windows)
        console.print(f"\nErrors, {describe_test(windows, about['test_size'], done.judged.step)}:", markup=False)
        console.print(metrics_table(done.judged.metrics))
        console.print("\nMASE: error as a multiple of repeating the last season in training.", style="dim")
    show_places(done)


def places(done: Any) -> dict[str, Any]:
    """Return where the files of a run are, as plain data."""
    return {"run": str(done.folder), "report": None if done.report is None else str(done.report)}


def show_places(done: Any) -> None:
    """Print where the files of a run are."""
    console = out_console()
    console.print(f"\nRun folder: {done.folder}", markup=False, soft_wrap=True)
    if done.report is not None:
        console.print(f"Report:     {done.report}", markup=False, soft_wrap=True)


def print_notes(notes: Sequence[str]) -> None:
    """Print what was found in the data and assumed."""
    from . import console

    console.print_notes(err(), notes)


def panel_for(run: str, data: str) -> "Panel":
    """Read a file into a panel as the run's own data was read."""
    from ..data.series import to_panel
    from ..data.tables.files import read_table
    from ..tasks.forecast.estimator import Forecaster

    schema = Forecaster.load(run).fitted_.schema
    frame, notes = read_table(data)
    print_notes(notes)
    panel = to_panel(frame, schema)
    print_notes(panel.notes)
    return panel


def folder_for(out: str | None, name: str) -> Path:
    """Return the run folder that was asked for, or a fresh one."""
    from ..verbs.workflows import fresh_folder

    return Path(out) if out else fresh_folder(name)


def listed(names: str) -> list[str]:
    """Return the names between commas, each once."""
    return list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))


def require_horizon(settings: dict[str, Any]) -> None:
    """Raise a ConfigError before any data is read if nothing says how far to forecast."""
    if settings.get("horizon") is None:
        raise ConfigError("Say how many steps ahead to forecast, such as --horizon 24.")


def stem(path: str) -> str:
    """Return the file's name without its endings."""
    return Path(path).name.split(".")[0] or "data"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: 0 done, 2 the user's input is wrong, 130 Ctrl-C, 1 a fault of ours."""
    try:
        recurra.main(arguments, prog_name="recurra", standalone_mode=False)
        sys.stdout.flush()
    except (click.exceptions.Abort, KeyboardInterrupt):
        message(NOTHING_KEPT)
        sys.exit(130)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)
    except RecurraError as wrong:
        message(f"Error: {wrong}")
        sys.exit(2)
    except OSError as wrong:
        if wrong.filename is None:
            raise
        message(f"Error: {wrong.strerror}: {wrong.filename}")
        sys.exit(2)

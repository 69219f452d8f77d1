"""The command line. Flags are made from the settings; torch is imported only by a verb that needs it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .config import allowed_types, fields, read_toml
from .errors import ConfigError, RecurraError

if TYPE_CHECKING:
    from .data.series import Panel

TITLES = {"forecast": "Forecast", "model": "Model", "training": "Training"}


class SettingsCommand(click.Command):
    """A command whose help shows the settings part by part."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verb's own options first, then each part of the settings."""
        groups: dict[str, list[tuple[str, str]]] = {"Options": []}
        parts = {name: TITLES[part] for name, (part, _) in fields().items()}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(parts.get(parameter.name or "", "Options"), []).append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def settings_options(skip: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Give a command a flag for every setting but those in ``skip``."""

    def decorate(command: Any) -> Any:
        for name, (_, field) in reversed(fields().items()):
            if name not in skip:
                command = _option(name, field)(command)
        return command

    return decorate


def _option(name: str, field: Any) -> Callable[[Any], Any]:
    flag = f"--{name.replace('_', '-')}"
    choices = field.metadata["choices"]
    text = field.metadata["help"] + (f": {', '.join(choices)}" if choices else "")
    default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    shown = "" if default is None else f"  [{default}]"
    if bool in allowed_types(field):
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text + shown)
    return click.option(flag, name, default=None, metavar="VALUE", help=text + shown)


def given(flags: dict[str, Any], config: str | None) -> dict[str, Any]:
    """Return the settings of a file and of the flags; a flag wins."""
    settings = read_toml(Path(config)) if config else {}
    return settings | {name: value for name, value in flags.items() if value is not None}


def checked_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return ``settings`` in their types; raises one error that lists every fault."""
    from .config import make_config

    flat = make_config(settings).flat()
    return {name: flat[name] for name in settings}


config_option = click.option("--config", metavar="FILE", help="a TOML file of settings; flags win over it")
json_option = click.option("--json", "as_json", is_flag=True, help="print one JSON object to stdout")
out_option = click.option("--out", metavar="FOLDER", help="the run folder; a fresh one under runs/ if not given")
overwrite_option = click.option("--overwrite", is_flag=True, help="replace the run in the output folder")
test_option = click.option(
    "--test-size", type=click.IntRange(min=0), help="last rows held out to judge the model; a tenth if not given"
)
rows_option = click.option("--max-rows", type=click.IntRange(min=1), help="use only the first rows of each series")


class Verbs(click.Group):
    """The group of verbs; offers the nearest one for a typing error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they are used."""
        return list(self.commands)


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
@click.option("--out", metavar="FOLDER", help="the run folder; a fresh one under runs/ if not given")
@click.option("--seeds", type=click.IntRange(min=1), default=2, help="how many seeds each model is trained with  [2]")
@json_option
def demo(out: str | None, seeds: int, as_json: bool) -> None:
    """Compare all kinds of cells, with and without attention, on real data that comes along."""
    from .workflows import CELLS, DEMO, demo_panel

    panel, about = demo_panel()
    message(f"The demo forecasts {about}.")
    options = {"test_size": None, "overwrite": False, "source": ""}
    run_comparison(panel, dict(DEMO), CELLS, ("none", "additive"), seeds, out, "demo", False, as_json, options)


@recurra.command(cls=SettingsCommand)
@click.argument("data")
@settings_options()
@config_option
@out_option
@overwrite_option
@test_option
@rows_option
@click.option("--resume", "resume_folder", metavar="FOLDER", help="go on with a training that was interrupted")
@json_option
def train(
    data: str,
    config: str | None,
    out: str | None,
    overwrite: bool,
    test_size: int | None,
    max_rows: int | None,
    resume_folder: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Train a forecaster on DATA (CSV or Parquet), judge it on held-out rows, and write a report."""
    from . import workflows

    settings, folder = given(flags, config), Path(out) if out else None
    if resume_folder:
        from .runs import read_checkpoint

        folder = Path(resume_folder)
        plan = read_checkpoint(folder).config
        settings, test_size = plan["settings"] | settings, plan["test_size"] if test_size is None else test_size
    settings = checked_settings(settings)
    require_horizon(settings)
    panel = workflows.cut_rows(read_data(data, settings), max_rows)
    console = err()
    with meter_for(console, as_json) as shown:
        done = workflows.train(
            panel,
            settings,
            folder or workflows.fresh_folder(stem(data)),
            source=data,
            test_size=test_size,
            overwrite=overwrite,
            resume=bool(resume_folder),
            on_start=lambda forecaster, _: print_forecaster(forecaster),
            on_epoch=shown,
        )
    show_trained(done, as_json)
    if done.interrupted:
        message("Stopped by Ctrl-C: the best weights so far were kept.")
        sys.exit(130)


@recurra.command()
@click.argument("run")
@click.argument("data", required=False)
@click.option("-h", "--steps", "h", type=int, help="how many steps ahead; the trained horizon if not given")
@click.option("--out", metavar="FILE", help="write CSV or Parquet to this file instead of stdout")
@json_option
def predict(run: str, data: str | None, h: int | None, out: str | None, as_json: bool) -> None:
    """Forecast with a RUN, after the end of what it was trained on or of DATA."""
    from .estimators import Forecaster

    forecaster = Forecaster.load(run)
    frame = forecaster.predict(h, None if data is None else panel_for(forecaster, data))
    write_frame(frame, out, as_json)


@recurra.command()
@click.argument("run")
@click.argument("data", required=False)
@click.option("--test-size", type=click.IntRange(min=1), help="last rows to forecast; as in training if not given")
@click.option("--step", type=click.IntRange(min=1), default=1, help="distance between forecast origins  [1]")
@json_option
def evaluate(run: str, data: str | None, test_size: int | None, step: int, as_json: bool) -> None:
    """Backtest a RUN from a rolling origin over the last rows of DATA, beside the naive forecasts."""
    from . import workflows
    from .console import metrics_table, print_json
    from .estimators import Forecaster

    panel = None if data is None else panel_for(Forecaster.load(run), data)
    metrics = workflows.evaluate(Path(run), panel, test_size, step)
    if as_json:
        print_json(metrics)
    else:
        out_console().print(metrics_table(metrics))


@recurra.command(cls=SettingsCommand)
@click.argument("data")
@settings_options(skip=("cell", "attention", "seed"))
@click.option("--cells", default="rnn,lstm,gru,lstm>gru,parallel,lstm_gru", help="cells, with > for a stack")
@click.option("--attentions", default="none,additive", help="attentions  [none,additive]")
@click.option("--seeds", type=click.IntRange(min=1), default=3, help="how many seeds each is trained with  [3]")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="the first seed  [0]")
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
    seed: int,
    equal_parameters: bool,
    config: str | None,
    out: str | None,
    overwrite: bool,
    test_size: int | None,
    max_rows: int | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Compare cells and attentions on DATA with the same budget and several seeds, beside naive forecasts."""
    from . import workflows

    settings = checked_settings(given(flags, config))
    require_horizon(settings)
    names = [cell.strip().replace(">", ",") for cell in cells.split(",")]
    kinds = [attention.strip() for attention in attentions.split(",")]
    workflows.make_candidates(settings, names, kinds)
    panel = workflows.cut_rows(read_data(data, settings), max_rows)
    options = {"test_size": test_size, "overwrite": overwrite, "source": data, "first_seed": seed}
    run_comparison(
        panel, settings, names, kinds, seeds, out, f"compare-{stem(data)}", equal_parameters, as_json, options
    )


@recurra.command()
@click.argument("run")
@click.argument("data", required=False)
def report(run: str, data: str | None) -> None:
    """Write the report of a RUN again."""
    from . import workflows
    from .estimators import Forecaster

    panel = None if data is None else panel_for(Forecaster.load(run), data)
    message(f"Report: {workflows.rebuild_report(Path(run), panel)}")


@recurra.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what is installed, which engines run, and whether they agree."""
    from .console import print_json
    from .doctor import examine

    findings = examine()
    if as_json:
        print_json(findings)
    else:
        for name, value in findings.items():
            out_console().print(f"{name:24} {value}", markup=False)


# ------------------------------------------------------------------------------------------------- helpers


def run_comparison(
    panel: "Panel",
    settings: dict[str, Any],
    cells: Any,
    attentions: Any,
    seeds: int,
    out: str | None,
    name: str,
    equal_parameters: bool,
    as_json: bool,
    options: dict[str, Any],
) -> None:
    """Run a comparison with a live display, and print its table, verdicts and where its files are."""
    from . import workflows

    first = options.pop("first_seed", 0)
    candidates = workflows.make_candidates(settings, cells, attentions)
    if equal_parameters:
        held = options["test_size"] or workflows.default_test_size(panel, int(settings["horizon"]))
        candidates = workflows.equalise(candidates, panel, held)
    total = len(candidates) * seeds
    console = err()
    count = 0

    def tell(outcome: Any) -> None:
        nonlocal count
        count += 1
        console.print(
            f"{count:3}/{total}  {outcome.candidate.label:28} seed {outcome.seed}  "
            f"MASE {outcome.metrics['mase']:.4f}  ({outcome.epochs} epochs, ended by {outcome.stopped_by})",
            markup=False,
        )

    with meter_for(console, as_json) as shown:
        done = workflows.compare_candidates(
            panel,
            candidates,
            range(first, first + seeds),
            Path(out) if out else workflows.fresh_folder(name),
            on_start=lambda forecaster, _: print_forecaster(forecaster),
            on_epoch=shown,
            on_outcome=tell,
            **options,
        )
    show_compared(done, as_json)
    if done.interrupted:
        message("Stopped by Ctrl-C: the comparison covers what was done until then.")
        sys.exit(130)


def show_compared(done: Any, as_json: bool) -> None:
    """Print the table, the verdicts and the paths."""
    from .console import comparison_table, print_json
    from .workflows import comparison_data

    if as_json:
        print_json({"run": str(done.folder), "report": str(done.report)} | comparison_data(done.comparison))
        return
    console = out_console()
    console.print()
    console.print(comparison_table(done.comparison))
    console.print()
    for sentence in done.comparison.verdicts():
        console.print(f"→ {sentence}", markup=False)
    console.print(f"\nKept: {done.chosen} (lowest validation loss)", markup=False)
    console.print(f"Run folder: {done.folder}\nReport:     {done.report}", markup=False, soft_wrap=True)


def show_trained(done: Any, as_json: bool) -> None:
    """Print the metrics, the first forecasts and the paths."""
    from .console import metrics_table, print_json

    about = done.forecaster.fitted_.about
    if as_json:
        result = {"run": str(done.folder), "report": str(done.report), "about": about}
        print_json(result | {"forecast": done.forecast.to_dict("records")})
        return
    console = out_console()
    ended = f"ended by {about['stopped_by']} after {about['epochs']} epochs and {about['seconds']:.0f} s"
    console.print(f"Training {ended}; best epoch {about['best_epoch']}.", markup=False)
    if done.metrics:
        console.print()
        console.print(metrics_table(done.metrics))
    console.print(f"\nRun folder: {done.folder}\nReport:     {done.report}", markup=False, soft_wrap=True)


def print_forecaster(forecaster: Any) -> None:
    """Print what was found in the data and assumed, once the first epoch is done."""
    from .console import print_notes

    print_notes(err(), forecaster.notes_)


def read_data(path: str, settings: dict[str, Any]) -> Any:
    """Read a file into a panel."""
    from .workflows import read_panel

    return read_panel(path, settings)


def panel_for(forecaster: Any, data: str) -> Any:
    """Read a file into a panel as the run's own data was read."""
    from .console import print_notes
    from .data.files import read_table
    from .data.series import to_panel

    frame, notes = read_table(data)
    panel = to_panel(frame, forecaster.fitted_.schema)
    print_notes(err(), (*notes, *panel.notes))
    return panel


def write_frame(frame: Any, out: str | None, as_json: bool) -> None:
    """Print a frame as CSV or JSON, or write it to a file."""
    if out is None:
        sys.stdout.write(
            frame.to_json(orient="records", date_format="iso") + "\n" if as_json else frame.to_csv(index=False)
        )
        return
    path = Path(out)
    beside = path.with_name(f".{path.name}.new")
    try:
        frame.to_parquet(beside) if path.suffix == ".parquet" else frame.to_csv(beside, index=False)
        beside.replace(path)
    except OSError as fault:
        raise ConfigError(f"The forecast could not be written to {out}: {fault.strerror}.") from None
    message(f"Forecast: {path}")


def require_horizon(settings: dict[str, Any]) -> None:
    """Raise a ConfigError before any data is read if nothing says how far to forecast."""
    if settings.get("horizon") is None:
        raise ConfigError("Say how many steps ahead to forecast, such as --horizon 24.")


def stem(path: str) -> str:
    """Return the file's name without its endings."""
    return Path(path).name.split(".")[0] or "data"


def err() -> Any:
    """Return the console for messages."""
    from .console import make_console

    return make_console(stderr=True)


def out_console() -> Any:
    """Return the console for results."""
    from .console import make_console

    return make_console(stderr=False)


def message(text: str) -> None:
    """Print one line for the person."""
    click.echo(text, err=True)


def meter_for(console: Any, quiet: bool) -> Any:
    """Return a progress display, or one that shows nothing."""
    from contextlib import nullcontext

    from .console import meter

    return nullcontext(None) if quiet or not console.is_terminal else meter(console)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: 0 done, 2 the user's input is wrong, 130 Ctrl-C, 1 a fault of ours."""
    try:
        recurra.main(arguments, prog_name="recurra", standalone_mode=False)
    except click.exceptions.Abort:
        message("Stopped.")
        sys.exit(130)
    except KeyboardInterrupt:
        message("Stopped before there was anything to keep.")
        sys.exit(130)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)
    except RecurraError as wrong:
        message(f"Error: {wrong}")
        sys.exit(2)


if __name__ == "__main__":
    main()

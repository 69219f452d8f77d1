"""The command ``recurra``: its verbs, and how it ends."""

import sys
from typing import Any

import click

from ..errors import RecurraError, nearest
from ..version import __version__
from ..writing.language import speaking
from . import streams
from .backtest import backtest
from .bench import bench
from .compare import compare, demo
from .console import message
from .doctor import doctor
from .evaluate import evaluate, report
from .flags import lang_option, language_in
from .generate import generate
from .help import Help, described_fault, told_fault
from .predict import predict
from .train import NOTHING_KEPT, train
from .tune import tune


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


click.Context.formatter_class = Help


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="recurra")
@click.pass_context
def recurra(ctx: click.Context) -> None:
    """Recurrent sequence models with attention, from a table.

    \b
    recurra demo                                 see it work, in under two minutes
    recurra train sales.csv --horizon 28         train, forecast, report
    recurra compare sales.csv --horizon 28       which model, and does it beat repeating last week?
    recurra tune sales.csv --horizon 28          better settings
    recurra predict runs/sales-...               the forecast of a run
    recurra train moves.ts --task classify       another task: the same verbs
    """
    if ctx.invoked_subcommand is None:  # nothing was asked, but perhaps in a language
        raise click.exceptions.NoArgsIsHelpError(ctx)


recurra.params.insert(0, lang_option())
for verb in (demo, train, predict, generate, evaluate, backtest, compare, tune, report, bench, doctor):
    recurra.add_command(verb)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: 0 done, 2 the user's input is wrong, 130 Ctrl-C, 1 a fault of ours, or nobody reads on."""
    streams.set_up()
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with speaking(language_in(arguments)):
            _run(arguments)
        streams.flush()
    except RecurraError as wrong:  # there is no such language
        click.echo(told_fault(str(wrong)), err=True)
        sys.exit(2)
    except OSError as fault:
        if not streams.broke(fault):
            raise
        sys.exit(streams.give_up(fault))


def _run(arguments: list[str]) -> None:
    try:
        recurra.main(arguments, prog_name="recurra", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        message(NOTHING_KEPT)
        sys.exit(130)
    except click.ClickException as wrong:
        click.echo(described_fault(wrong), err=True)
        sys.exit(2)
    except RecurraError as wrong:
        click.echo(told_fault(str(wrong)), err=True)
        sys.exit(2)
    except OSError as wrong:
        if wrong.filename is None:
            raise
        click.echo(told_fault(f"{wrong.strerror}: {wrong.filename}"), err=True)
        sys.exit(2)

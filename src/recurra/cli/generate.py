"""``recurra generate``: what a run writes."""

from typing import Any

import click

from .flags import TaskCommand, asked, generate_settings, json_option, parts_in, run_argument, run_options
from .runs import load_run, taken_out


@click.command(cls=TaskCommand, settings=generate_settings, default="language")
@run_argument
@run_options
@json_option
@click.pass_context
def generate(ctx: click.Context, run: str, as_json: bool, **flags: Any) -> None:
    """Let a RUN write a text, from its prompt on.

    It appears as it is written.
    """
    from .console import print_json

    brought = taken_out(flags)
    wanted = asked(flags, parts_in(ctx).generate)
    fitted, _ = load_run(run, brought)
    pieces = fitted.kind.write(fitted, wanted)
    if as_json:
        print_json({"text": "".join(pieces)})
        return
    for piece in pieces:
        click.echo(piece, nl=False)
    click.echo()

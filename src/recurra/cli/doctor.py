"""``recurra doctor``: what is installed, and whether the engines agree."""

import sys

import click

from ..writing.language import translated
from ..writing.width import padded
from .flags import Verb, json_option


@click.command(cls=Verb)
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
            click.echo(f"{padded(translated(name), 18)} {translated(value)}")
    if any("DIFFERS" in value for value in findings.values()):
        sys.exit(1)

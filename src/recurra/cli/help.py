"""The help of a command and what click says of a wrong one, in the language of the person."""

from collections.abc import Iterable

import click

from ..writing.language import ENGLISH, current, translated

WIDE = 50  # columns of a text whose letters take two of them each


class Help(click.HelpFormatter):
    """Writes help as click does, translated."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None):
        super().__init__(indent_increment, width, max_width)
        if current() != ENGLISH:
            self.width = min(self.width, WIDE)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write how a command is given."""
        super().write_usage(prog, args, translated("Usage:") + " " if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        """Write the name of a group of flags."""
        super().write_heading(translated(heading))

    def write_text(self, text: str) -> None:
        """Write a paragraph."""
        super().write_text(text if "\b" in text else translated(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write flags with their lines of help."""
        super().write_dl([(flag, translated(text)) for flag, text in rows], col_max, col_spacing)


def described_fault(fault: click.ClickException) -> str:
    """Return what was wrong with a command line, and how its help is asked for."""
    lines = [translated(f"Error: {fault.format_message()}")]
    ctx = fault.ctx if isinstance(fault, click.UsageError) else None
    if ctx is not None:
        lines = [ctx.get_usage(), translated(f"Try '{ctx.command_path} --help' for help."), "", *lines]
    return "\n".join(lines)

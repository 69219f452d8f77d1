"""The help of a command and what click says of a wrong one, in the language of the person."""

import re
from collections.abc import Iterable

import click

from ..writing.language import translated
from ..writing.width import filled, padded, width

NARROW = 10  # columns that a line of help always gets
EXAMPLE = re.compile(r"(?P<command>.*\S\s{2,})(?P<text>\S.*)")


class Help(click.HelpFormatter):
    """Writes help as click does, translated, and counts columns where click counts letters."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write how a command is given."""
        prefix = _head("Usage:") if prefix is None else prefix
        super().write_usage(prog, " ".join(map(translated, args.split())), prefix)

    def write_heading(self, heading: str) -> None:
        """Write the name of a group of flags."""
        self.write(f"{'':{self.current_indent}}{translated(heading + ':')}\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs; one that begins with ``\\b`` keeps its lines, each a command and what it does."""
        margin = " " * self.current_indent
        paragraphs = []
        for paragraph in text.split("\n\n"):
            mark, *examples = paragraph.split("\n")
            whole = translated(" ".join(paragraph.split()))
            lines = map(_example, examples) if mark == "\b" else filled(whole, self.width - len(margin))
            paragraphs.append("\n".join(margin + line for line in lines))
        self.write("\n\n".join(paragraphs) + "\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write flags with their lines of help, or verbs."""
        rows = [(translated(flag), _without_default(text)) for flag, text in rows]
        room = min(max(width(flag) for flag, _ in rows), col_max)
        margin = " " * (self.current_indent + room + col_spacing)
        for flag, text in rows:
            lines = filled(text, max(self.width - len(margin), NARROW))
            first = padded(flag, room + col_spacing) if width(flag) <= room else f"{flag}\n{margin}"
            self.write(f"{'':{self.current_indent}}{first}" + f"\n{margin}".join(lines) + "\n")


def _head(text: str) -> str:
    """Return what stands before something, translated, and a blank if its own colon has none in it."""
    said = translated(text)
    return f"{said} " if said.isascii() else said


def _example(line: str) -> str:
    """Return a command and what it does, this translated."""
    found = EXAMPLE.fullmatch(line)
    return found["command"] + translated(found["text"]) if found else line


def _without_default(text: str) -> str:
    """Return a line of help translated, but for the default and limits at its end."""
    said, gap, rest = text.partition("  [")
    return translated(said) + gap + rest


def told_fault(text: str) -> str:
    """Return what was wrong, translated, behind a word that says so."""
    return f"{_head('Error:')}{translated(text)}"


def described_fault(fault: click.ClickException) -> str:
    """Return what was wrong with a command line, and how its help is asked for; of an empty one the help itself."""
    if isinstance(fault, click.exceptions.NoArgsIsHelpError):
        return fault.format_message().rstrip("\n")
    lines = [told_fault(fault.format_message())]
    ctx = fault.ctx if isinstance(fault, click.UsageError) else None
    if ctx is not None:
        lines = [ctx.get_usage(), translated(f"Try '{ctx.command_path} --help' for help."), "", *lines]
    return "\n".join(lines)

"""What a person sees in the terminal: notes, progress, tables. Everything goes to stderr but results."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError
from ..training.meter import Tally
from ..writing.atomic import draft_of
from ..writing.language import translated
from ..writing.numbers import finite
from ..writing.terminal import make_console, show_notes
from .flags import spoken

if TYPE_CHECKING:
    from rich.console import Console


def err() -> "Console":
    """Return the console for messages."""
    return make_console(stderr=True)


def out_console() -> "Console":
    """Return the console for results."""
    return make_console(stderr=False)


def message(text: str) -> None:
    """Print one line for the person."""
    click.echo(translated(text), err=True)


def end(done: Any, *, after_fault: str, after_stop: str) -> None:
    """Say what is left of what was ``done``, if a fault or Ctrl-C cut it short, and end with the code of that."""
    if done.fault:
        raise ConfigError(f"{done.fault} {after_fault}")
    if done.interrupted:
        message(after_stop)
        sys.exit(130)


def print_notes(notes: Sequence[str]) -> None:
    """Print what was found in the data and assumed."""
    show_notes(err(), [spoken(note) for note in notes])


def print_json(value: Any) -> None:
    """Print one JSON value to stdout; a number that JSON does not have becomes null."""
    sys.stdout.write(json.dumps(finite(value), ensure_ascii=False, indent=2, default=str, allow_nan=False) + "\n")


def counter(console: "Console", total: int, quiet: bool) -> AbstractContextManager[Callable[[str], None]]:
    """Show which of ``total`` pieces of work begins: a bar in a terminal, a line each in a pipe, or nothing."""
    if console.is_terminal:
        return _bar(console, total)
    tally = Tally(total)

    def line(what: str) -> None:
        left = tally.left()
        number = tally.count()
        if not quiet:
            message(f"{number}  {what}{left}")

    return nullcontext(line)


@contextmanager
def _bar(console: "Console", total: int) -> Iterator[Callable[[str], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    texts = (TextColumn("{task.description}"), TextColumn("{task.fields[left]}"))
    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), *texts, TimeElapsedColumn())
    # It draws only when it is told to: a thread that draws would be in the way of what is timed.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        bar, tally = progress.add_task("looking at the machine", total=total, left=""), Tally(total)
        progress.refresh()

        def show(what: str) -> None:
            left, begun = tally.left(), tally.done
            tally.count()
            progress.update(bar, completed=begun, description=what, left=left, refresh=True)

        yield show


Texts = Sequence[str]


def print_sheet(console: "Console", title: str, tables: Sequence[tuple[Texts, Sequence[Texts]]], notes: Texts) -> None:
    """Print tables of texts, each a header and its lines, under one title and above their notes."""
    from rich.table import Table

    console.print(f"\n{title}", markup=False)
    for header, lines in tables:
        table = Table(box=None, pad_edge=False)
        for number, heading in enumerate(header):
            table.add_column(translated(heading), justify="right" if number else "left", no_wrap=not number)
        for line in lines:
            table.add_row(*map(translated, line))
        console.print(table)
    for note in notes:
        console.print(f"{note}.", style="dim", markup=False)


def check_target(out: str | None, overwrite: bool) -> None:
    """Raise a ConfigError if answers cannot be written to a file of such a name, or there is one that may be dear."""
    if out is None:
        return
    path = Path(out)
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ConfigError(f"Answers are written as .csv or .parquet. Got '{out}' instead.")
    if not path.parent.is_dir():
        raise ConfigError(
            f"There is no folder '{path.parent}' to write {path.name} to. Make it first, or name another."
        )
    if path.exists() and not overwrite:
        raise ConfigError(f"The file '{out}' is there already. Name another one, or replace it with --overwrite.")


def check_spared(out: str | None, data: Sequence[str | None]) -> None:
    """Raise a ConfigError if answers would be written over the ``data`` that they are about, or come from."""
    for path in data:
        if out is not None and path and Path(path).exists() and Path(out).exists() and Path(out).samefile(path):
            raise ConfigError(f"'{out}' holds the data themselves, and answers would replace them. Name another file.")


def write_frame(frame: Any, out: str | None, as_json: bool, what: str, notes: Sequence[str] = ()) -> None:
    """Print a frame as CSV or JSON, or write it to a file; the JSON that names the file has the ``notes``, if any."""
    if out is None:
        text = frame.to_json(orient="records", date_format="iso", force_ascii=False)
        sys.stdout.write(text + "\n" if as_json else frame.to_csv(index=False, lineterminator="\n"))
        return
    path = Path(out)
    with draft_of(path, f"The {what} cannot be written to {out}") as draft:
        frame.to_parquet(draft) if path.suffix.lower() == ".parquet" else frame.to_csv(draft, index=False)
    if as_json:
        print_json({what: str(path), **({"notes": list(notes)} if notes else {})})
    else:
        message(f"{what.capitalize()}: {path}")

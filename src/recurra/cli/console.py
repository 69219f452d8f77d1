"""What a person sees in the terminal: notes, progress, tables. Everything goes to stderr but results."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError
from ..writing.atomic import draft_of
from ..writing.numbers import finite

if TYPE_CHECKING:
    from rich.console import Console

    from ..training.loop import Epoch


def make_console(stderr: bool = True) -> "Console":
    """Return a console on stderr (messages) or stdout (results)."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def err() -> "Console":
    """Return the console for messages."""
    return make_console(stderr=True)


def out_console() -> "Console":
    """Return the console for results."""
    return make_console(stderr=False)


def message(text: str) -> None:
    """Print one line for the person."""
    click.echo(text, err=True)


def print_notes(notes: Sequence[str]) -> None:
    """Print what was found in the data and assumed."""
    show_notes(err(), notes)


def show_notes(console: "Console", notes: Sequence[str]) -> None:
    """Print notes as a list; lines after the first stand under it."""
    from rich.padding import Padding
    from rich.table import Table

    lines = Table.grid(padding=(0, 1))
    for note in notes:
        lines.add_row("•", note)
    if notes:
        console.print(Padding(lines, (0, 0, 0, 2), expand=False), style="dim", markup=False)


def print_json(value: Any) -> None:
    """Print one JSON value to stdout; a number that JSON does not have becomes null."""
    sys.stdout.write(json.dumps(finite(value), ensure_ascii=False, indent=2, default=str, allow_nan=False) + "\n")


class Meter:
    """A live progress display: one line that says which model, which epoch, and how good it is."""

    def __init__(self, progress: Any):
        self.progress = progress
        self.name = ""
        self.task = progress.add_task("", total=None, text="first epoch")  # moves until something is known

    def __call__(self, name: str, epoch: "Epoch", most: int) -> None:
        """Show that ``name`` finished ``epoch`` of at most ``most``."""
        if name != self.name:
            self.progress.remove_task(self.task)
            self.name, self.task = name, self.progress.add_task(name, total=most, text="")
        self.progress.update(self.task, completed=epoch.number, text=describe_epoch(epoch, most))


def describe_epoch(epoch: "Epoch", most: int) -> str:
    """Say how an epoch went; a star marks the best so far. What has no validation comes after the best epoch."""
    if epoch.valid_loss is None:
        return f"epoch {epoch.number}  training loss {epoch.train_loss:.4f}"
    return f"epoch {epoch.number}/{most}  validation loss {epoch.valid_loss:.4f}{'*' if epoch.best else ' '}"


@contextmanager
def meter(console: "Console") -> Iterator[Meter]:
    """Show progress while the block runs."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Meter(progress)


def meter_for(quiet: bool) -> Any:
    """Return a progress display: a live line in a terminal, a line for each epoch in a pipe, or nothing."""
    if quiet:
        return nullcontext(None)
    console = err()
    if console.is_terminal:
        return meter(console)
    return nullcontext(lambda name, epoch, most: message(describe_epoch(epoch, most).strip()))


def counter(console: "Console", total: int, quiet: bool) -> AbstractContextManager[Callable[[str], None]]:
    """Show which of ``total`` pieces of work begins: a bar in a terminal, a line each in a pipe, or nothing."""
    if console.is_terminal:
        return _bar(console, total)
    numbers = count(1)
    width = len(str(total))
    return nullcontext(lambda what: None if quiet else message(f"{next(numbers):{width}}/{total}  {what}"))


@contextmanager
def _bar(console: "Console", total: int) -> Iterator[Callable[[str], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    # It draws only when it is told to: a thread that draws would be in the way of what is timed.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        bar, numbers = progress.add_task("looking at the machine", total=total), count()
        progress.refresh()
        yield lambda what: progress.update(bar, completed=next(numbers), description=what, refresh=True)


Texts = Sequence[str]


def print_sheet(console: "Console", title: str, tables: Sequence[tuple[Texts, Sequence[Texts]]], notes: Texts) -> None:
    """Print tables of texts, each a header and its lines, under one title and above their notes."""
    from rich.table import Table

    console.print(f"\n{title}", markup=False)
    for header, lines in tables:
        table = Table(box=None, pad_edge=False)
        for number, heading in enumerate(header):
            table.add_column(heading, justify="right" if number else "left", no_wrap=not number)
        for line in lines:
            table.add_row(*line)
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


def write_frame(frame: Any, out: str | None, as_json: bool, what: str) -> None:
    """Print a frame as CSV or JSON, or write it to a file."""
    if out is None:
        text = frame.to_json(orient="records", date_format="iso", force_ascii=False)
        sys.stdout.write(text + "\n" if as_json else frame.to_csv(index=False, lineterminator="\n"))
        return
    path = Path(out)
    with draft_of(path, f"The {what} cannot be written to {out}") as draft:
        frame.to_parquet(draft) if path.suffix.lower() == ".parquet" else frame.to_csv(draft, index=False)
    if as_json:
        print_json({what: str(path)})
    else:
        message(f"{what.capitalize()}: {path}")

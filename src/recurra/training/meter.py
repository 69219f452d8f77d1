"""How far a training has come and how long it may still take: a line that moves, plain lines, or nothing."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from ..writing.language import translated
from ..writing.numbers import duration
from ..writing.terminal import make_console, moves, say

if TYPE_CHECKING:
    from rich.console import Console

    from .loop import Epoch


class Outlook(NamedTuple):
    """How much of a training may still come."""

    most: int  # epochs that there are if nothing stops the training early
    left: int  # epochs that may still come, those after the best one too
    certain: bool  # whether all of them will come


class Tally:
    """How many pieces of work are done, and how long the others may take by what those took."""

    def __init__(self, total: int, before: int = 0, clock: Callable[[], float] = time.monotonic):
        self.total, self.before, self.done, self.clock = total, before, before, clock
        self.begun = clock()

    def count(self) -> str:
        """Count one more piece, and return which it is: `` 3/12``."""
        self.done += 1
        return f"{self.done:{len(str(self.total))}}/{self.total}"

    def left(self) -> str:
        """Say how long the rest may take, behind two blanks; nothing while nothing is known, or all is done."""
        done, rest = self.done - self.before, self.total - self.done
        return f"  about {duration((self.clock() - self.begun) / done * rest)} left" if done and rest > 0 else ""


class Pace:
    """How long the rest of one training may take, by its own epochs."""

    def __init__(self) -> None:
        self.epochs, self.seconds = 0, 0.0

    def left(self, epoch: "Epoch", outlook: Outlook) -> str:
        """Take one more epoch in, and say how long those to come may take, behind two blanks."""
        self.epochs, self.seconds = self.epochs + 1, self.seconds + epoch.seconds
        if outlook.left <= 0:
            return ""
        bound = "" if outlook.certain else "at most "
        return f"  {bound}{duration(self.seconds / self.epochs * outlook.left)} left"


def describe_epoch(epoch: "Epoch", most: int) -> str:
    """Say how an epoch went; a star marks the best so far. What has no validation comes after the best epoch."""
    if epoch.valid_loss is None:
        return f"epoch {epoch.number}  training loss {epoch.train_loss:.4f}"
    return f"epoch {epoch.number}/{most}  validation loss {epoch.valid_loss:.4f}{'*' if epoch.best else ' '}"


class Meter:
    """A live progress display: one line that says which model, which epoch, how good it is, and what is left.

    Of one training among others, which a ``tally`` counts, the time is that of all.
    """

    def __init__(self, progress: Any, tally: Tally | None = None):
        self.progress, self.tally, self.pace = progress, tally, Pace()
        self.name = ""
        self.task = progress.add_task("", total=None, text=translated("first epoch"))  # moves until something is known

    def __call__(self, name: str, epoch: "Epoch", outlook: Outlook) -> None:
        """Show that ``name`` finished ``epoch``."""
        if name != self.name:
            self.progress.remove_task(self.task)
            self.name, self.pace = name, Pace()
            self.task = self.progress.add_task(name, total=outlook.most, text="")
        left = self.pace.left(epoch, outlook)
        if self.tally is not None:
            left = self.tally.left() or left.replace(" left", " for this model")
        text = translated(describe_epoch(epoch, outlook.most)) + translated(left)
        self.progress.update(self.task, completed=epoch.number, total=epoch.number + outlook.left, text=text)


@contextmanager
def meter(console: "Console", tally: Tally | None = None) -> Iterator[Meter]:
    """Show progress while the block runs."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield Meter(progress, tally)


OnEpoch = Callable[[str, "Epoch", Outlook], None]  # which model, its epoch, and what may still come


def meter_for(quiet: bool) -> AbstractContextManager[OnEpoch]:
    """Return a progress display: a live line in a terminal, a line for each epoch in a pipe, or nothing."""
    if quiet:
        return nullcontext(lambda name, epoch, outlook: None)
    console = make_console()
    return meter(console) if moves(console) else nullcontext(_lines())


def _lines() -> OnEpoch:
    pace = Pace()

    def line(name: str, epoch: "Epoch", outlook: Outlook) -> None:
        said = describe_epoch(epoch, outlook.most), pace.left(epoch, outlook)
        say("".join(map(translated, said)).rstrip())

    return line

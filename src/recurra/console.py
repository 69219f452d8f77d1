"""What a person sees in the terminal: notes, progress, tables. Everything goes to stderr but results."""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from .compare import Comparison
    from .train import Epoch


def make_console(stderr: bool = True) -> "Console":
    """Return a console on stderr (messages) or stdout (results)."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def print_notes(console: "Console", notes: tuple[str, ...]) -> None:
    """Print what was found and assumed."""
    for note in notes:
        console.print(f"  • {note}", style="dim", markup=False)


def print_json(value: Any) -> None:
    """Print one JSON object to stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


class Meter:
    """A live progress display: one line that says which model, which epoch, and how good it is."""

    def __init__(self, progress: Any):
        self.progress = progress
        self.task: Any = None
        self.name = ""

    def __call__(self, name: str, epoch: "Epoch", most: int) -> None:
        """Show that ``name`` finished ``epoch`` of at most ``most``."""
        if name != self.name:
            self._close()
            self.name, self.task = name, self.progress.add_task(name, total=most)
        loss = epoch.valid_loss if epoch.valid_loss is not None else epoch.train_loss
        mark = "*" if epoch.best else " "
        self.progress.update(self.task, total=most, completed=epoch.number, loss=f"validation loss {loss:.4f}{mark}")

    def _close(self) -> None:
        if self.task is not None:
            self.progress.remove_task(self.task)


@contextmanager
def meter(console: "Console") -> Iterator[Meter]:
    """Show progress while the block runs."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("epoch {task.completed}/{task.total}"),
        TextColumn("{task.fields[loss]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        shown = Meter(progress)
        original = progress.add_task
        progress.add_task = lambda *args, **kw: original(*args, loss="", **kw)  # type: ignore[method-assign]
        yield shown


def metrics_table(metrics: Mapping[str, Mapping[str, float]]) -> Any:
    """Return a table of metrics, a row per model, with the best error of each column in bold."""
    from rich.table import Table

    names = list(next(iter(metrics.values()), {}))
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    best = {n: min((m[n] for m in metrics.values() if n in m), default=math.nan) for n in names}
    for label, row in metrics.items():
        cells = []
        for name in names:
            text = number(row.get(name))
            is_best = not name.startswith("coverage") and row.get(name) == best[name]
            cells.append(f"[bold]{text}[/bold]" if is_best else text)
        table.add_row(label, *cells)
    return table


COLUMNS = (
    ("model", "model"),
    ("mase", "MASE"),
    ("interval", "±"),
    ("mae", "MAE"),
    ("p_best", "p best"),
    ("p_naive", "p naive"),
    ("parameters", "parameters"),
    ("seconds_per_epoch", "s/epoch"),
    ("memory_mb", "MB"),
    ("epochs", "epochs"),
    ("stopped_by", "stopped by"),
)


def comparison_table(comparison: "Comparison") -> Any:
    """Return the table of a comparison, best first."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name, heading in COLUMNS:
        table.add_column(heading, justify="left" if name in ("model", "stopped_by") else "right", no_wrap=True)
    for row in comparison.rows():
        style = "dim" if "seeds" not in row else None
        cells = [number(row.get(name)) if name != "stopped_by" else row.get(name, "") for name, _ in COLUMNS]
        table.add_row(*cells, style=style)
    return table


def number(value: Any) -> str:
    """Return a value as a short text."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}" if abs(value) < 1e6 else f"{value:.3g}"

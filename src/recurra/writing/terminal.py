"""What a person sees while something goes on, on stderr: a console, notes, and whether a line can move."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .language import translated
from .width import fitted

if TYPE_CHECKING:
    from rich.console import Console

NOTE = 4  # columns before a note


def make_console(stderr: bool = True) -> "Console":
    """Return a console on stderr (messages) or stdout (results) that speaks the language of the person."""
    from rich.console import Console

    class Translating(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            room = sys.maxsize if options.get("soft_wrap") else self.width
            texts = (fitted(translated(one), room) if isinstance(one, str) else one for one in objects)
            super().print(*texts, **options)

    return Translating(stderr=stderr, highlight=False)


def moves(console: "Console") -> bool:
    """Tell whether a line can be drawn again: in a terminal, and in a notebook that has widgets."""
    return console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)


def say(text: str) -> None:
    """Print one line to stderr at once."""
    print(translated(text), file=sys.stderr, flush=True)


def show_notes(console: "Console", notes: Sequence[str]) -> None:
    """Print notes as a list; lines after the first stand under it."""
    from rich.padding import Padding
    from rich.table import Table

    lines = Table.grid(padding=(0, 1))
    for note in notes:
        lines.add_row("•", fitted(translated(note), console.width - NOTE))
    if notes:
        console.print(Padding(lines, (0, 0, 0, 2), expand=False), style="dim", markup=False)

"""One HTML file that a person can read, send and print: a summary, sections with figures and tables, settings.

The file holds everything it needs, plotly's script included, and asks the network for nothing.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..writing.atomic import write_text
from .canvas import FONT
from .markup import render, style
from .tables import table_html, value_text

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Section:
    """One finding: what it is, what it says, and what shows it."""

    heading: str
    text: str  # plain text; an empty line begins a new paragraph
    figure: "Figure | Sequence[Figure] | None" = None  # several stand beside each other where there is room
    table: "pd.DataFrame | None" = None
    best: Mapping[str, str] = field(default_factory=dict)  # column to 'low' or 'high': what is set in bold


def write_report(
    path: str | os.PathLike[str],
    title: str,
    summary: Sequence[str],
    sections: Sequence[Section],
    settings: Mapping[str, Mapping[str, Any]],
) -> Path:
    """Write the report to ``path`` and return it; an older file there stays whole until the new one is ready.

    The first sentence of ``summary`` is the headline, the others are points below it.
    Raises RunError if the file cannot be written.
    """
    text = report_html(title, summary, sections, settings)
    return write_text(Path(path), text, f"The report cannot be written to {path}")


def report_html(
    title: str, summary: Sequence[str], sections: Sequence[Section], settings: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return the whole file that ``write_report`` writes."""
    parts = [_part(number, section) for number, section in enumerate(sections, 1)]
    values = {
        "title": title,
        "summary": summary,
        "parts": parts,
        "settings": {part: _texts(values) for part, values in settings.items()},
        "font": FONT,
        "style": style(),
        "plotly": _plotly() if any(part.places for part in parts) else "",
    }
    return render("page.html.j2", values)


class Place(NamedTuple):
    """A figure and its place in the page."""

    id: str
    title: str
    height: int
    json: str  # the figure without its title, which stands in the page


class Part(NamedTuple):
    """A section as the template wants it."""

    heading: str
    paragraphs: list[str]
    places: list[Place]
    width: str  # the class of the figures: how wide each must be
    readings: list[str]
    table: str


def _part(number: int, section: Section) -> Part:
    figures = _listed(section.figure)
    paragraphs = [paragraph.strip() for paragraph in section.text.split("\n\n")]
    readings = dict.fromkeys((figure.layout.meta or {}).get("reading", "") for figure in figures)
    return Part(
        section.heading,
        [paragraph for paragraph in paragraphs if paragraph],
        [_place(f"figure-{number}-{n}", figure) for n, figure in enumerate(figures, 1)],
        {1: "one", 2: "wide", 4: "wide"}.get(len(figures), "small"),
        [reading for reading in readings if reading],
        "" if section.table is None else table_html(section.table, section.best),
    )


def _listed(figure: "Figure | Sequence[Figure] | None") -> "list[Figure]":
    if figure is None:
        return []
    return list(figure) if isinstance(figure, Sequence) else [figure]


def _place(name: str, figure: "Figure") -> Place:
    from plotly import graph_objects as go

    bare = go.Figure(figure)
    bare.layout.title.text = None
    return Place(name, figure.layout.title.text or "", figure.layout.height or 400, bare.to_json())


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: value_text(value) for name, value in values.items()}

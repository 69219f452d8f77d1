"""One HTML file that a person can read, send and print: a summary, sections with figures and tables, settings.

The file holds everything it needs, plotly's script included, and asks the network for nothing. Script and figures are
compressed, so that it fits into a letter: the browser unpacks them.
"""

import gzip
import json
import os
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..writing.atomic import write_text
from ..writing.language import ENGLISH, current, translated
from .canvas import FONT
from .marked import Marked
from .markup import render, style
from .tables import table_html, value_text

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure


STROKES = {
    "solid": "",
    "dash": "8 4",
    "dot": "2 3",
    "dashdot": "8 3 2 3",
    "longdash": "12 4",
    "longdashdot": "12 3 2 3",
}

LOW = 120  # pixels; figures that are lower need not be wide
SMALL = 310  # pixels that a figure has at least, of several beside each other
TEXTS = ("text", "name", "ticktext", "hovertemplate", "customdata", "hovertext")  # of a figure, that people read


@dataclass(frozen=True)
class Section:
    """One finding: what it is, what it says, and what shows it."""

    heading: str
    text: str = ""  # plain text; an empty line begins a new paragraph, what stands in `backticks` can be copied
    figure: "Figure | Sequence[Figure] | None" = None  # several stand beside each other where there is room
    table: "pd.DataFrame | None" = None
    best: Mapping[str, str] = field(default_factory=dict)  # column to 'low' or 'high': what is set in bold
    numbers: "pd.DataFrame | None" = None  # what the figure shows, to copy; folded away
    points: Sequence[str] = ()  # a list below the text
    marked: Sequence[Marked] = ()  # texts with marks
    folded: bool = False  # whether only the heading is seen at first
    own: Collection[str] = ()  # what of the tables is the user's own, never translated: "rows", "columns", "cells"


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
    parts = [_part(section) for section in sections]
    values = {
        "lang": current(),
        "title": translated(title),
        "summary": [translated(point) for point in summary],
        "parts": parts,
        "settings": {translated(part): _texts(values) for part, values in settings.items()},
        "font": FONT,
        "style": style(),
        "plotly": _plotly() if any(part.places for part in parts) else "",
        "figures": _packed([place.json for part in parts for place in part.places]),
    }
    return render("page.html.j2", values)


class Place(NamedTuple):
    """A figure and its place in the page."""

    title: str
    height: int
    json: str  # the figure without title and legend, which stand in the page, where they wrap
    legend: list["Key"]
    least: int  # pixels that it must be wide; 0 if any width will do


class Key(NamedTuple):
    """What a line or an area stands for."""

    name: str
    colour: str
    dash: str | None  # of a line, as SVG writes it; None for an area


class Part(NamedTuple):
    """A section as the template wants it."""

    heading: str
    paragraphs: list[str]
    places: list[Place]
    width: str  # the class of the figures: how wide each must be
    legend: list[Key]  # of all figures, if it is the same
    readings: list[str]
    table: str
    numbers: str
    points: Sequence[str]
    marked: Sequence[Marked]
    folded: bool


def _part(section: Section) -> Part:
    figures = _listed(section.figure)
    paragraphs = [paragraph.strip() for paragraph in section.text.split("\n\n")]
    readings = dict.fromkeys((figure.layout.meta or {}).get("reading", "") for figure in figures)
    places = [_place(figure) for figure in figures]
    common = places[0].legend if len(places) > 1 and all(one.legend == places[0].legend for one in places) else []
    return Part(
        translated(section.heading),
        [translated(paragraph) for paragraph in paragraphs if paragraph],
        [place._replace(legend=[]) for place in places] if common else places,
        _width(figures),
        common,
        [translated(reading) for reading in readings if reading],
        "" if section.table is None else table_html(section.table, section.best, section.own),
        "" if section.numbers is None else table_html(section.numbers, own=section.own),
        [translated(point) for point in section.points],
        section.marked,
        section.folded,
    )


def _width(figures: "Sequence[Figure]") -> str:
    """Return the class that says how wide each of some figures must be."""
    if any(_least(figure) > SMALL for figure in figures):
        return "one"
    if len(figures) > 1 and all((figure.layout.height or LOW) < LOW for figure in figures):
        return "tiny"
    return {1: "one", 2: "wide", 4: "wide"}.get(len(figures), "small")


def _least(figure: "Figure") -> int:
    """Return how many pixels wide a figure must be; where there are fewer, it is scrolled."""
    least: int = (figure.layout.meta or {}).get("least", 0)
    return least


def _listed(figure: "Figure | Sequence[Figure] | None") -> "list[Figure]":
    if figure is None:
        return []
    return list(figure) if isinstance(figure, Sequence) else [figure]


def _place(figure: "Figure") -> Place:
    from plotly import graph_objects as go

    bare = go.Figure(figure)
    bare.layout.title.text = None
    bare.layout.showlegend = False
    text = bare.to_json()
    if current() != ENGLISH:
        names = {*TEXTS} - {*(figure.layout.meta or {}).get("own", ())}
        text = json.dumps(_told(json.loads(text), names), ensure_ascii=False)
    return Place(
        translated(figure.layout.title.text or ""), figure.layout.height or 400, text, _legend(figure), _least(figure)
    )


def _told(part: Any, names: Collection[str], name: str = "") -> Any:
    """Return a figure as plain data, with the texts that have these ``names`` in the language that is spoken."""
    if isinstance(part, dict):
        return {key: _told(value, names, key) for key, value in part.items()}
    if isinstance(part, list):
        return [_told(value, names, name) for value in part]
    return translated(part) if isinstance(part, str) and name in names else part


def _legend(figure: "Figure") -> list[Key]:
    """Return what the lines and areas of a figure are called, if there are several."""
    keys = {}
    for trace in figure.data if figure.layout.showlegend is not False else ():
        if trace.type == "scatter" and trace.name and trace.showlegend is not False:
            dash = None if trace.fill else STROKES.get(trace.line.dash or "solid", trace.line.dash)
            keys[trace.name] = Key(translated(trace.name), trace.fillcolor if trace.fill else trace.line.color, dash)
    return list(keys.values()) if len(keys) > 1 else []


@cache
def _plotly() -> str:
    """Return plotly's script for figures with two axes, compressed: text of the page."""
    packed = files(__package__).joinpath("scripts", "plotly-cartesian.min.js.gz").read_bytes()
    return b64encode(packed).decode("ascii")


def _packed(figures: Sequence[str]) -> str:
    """Return figures as JSON, compressed: text of the page. The same figures give the same text."""
    text = f"[{','.join(figures)}]"
    return b64encode(gzip.compress(text.encode("utf-8"), mtime=0)).decode("ascii")


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: value_text(value) for name, value in values.items()}

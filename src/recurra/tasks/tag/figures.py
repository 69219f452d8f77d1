"""A picture of a case and its labels: the values, and below them a strip for what is so and one for what was said.

Shapes: T steps, C channels, K labels.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...report.canvas import COLOURS, NEUTRAL, plain, tint
from ..cases.figures import CHANNELS, case_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FEW = 12  # up to so many labels all of them stand in the legend
STRIPS = 0.24  # share of the height that the strips take, together with what is between them and the values


class Strips(NamedTuple):
    """The labels of the steps of a case, by their numbers; a row each, the first one on top."""

    rows: dict[str, np.ndarray]  # (T,) each, below 0 where not known
    classes: Sequence[str]
    usual: int  # the most frequent label, which is grey


def strips_figure(
    values: np.ndarray, channels: Sequence[str], strips: Strips, title: str = "", first: int = 0
) -> "Figure":
    """Return a case (T, C), or a part of it from step ``first`` on, above the strips of its labels."""
    figure = case_figure(values, channels, None, (), title, first=first)
    figure.update_layout(
        height=340,
        showlegend=True,
        meta={
            "reading": "The line is the case as it came; below it a colour is a label, grey the most frequent one. "
            "Where the two strips differ, the model is wrong."
            if len(strips.rows) > 1
            else "The line is the case as it came; below it a colour is a label, grey the most frequent one."
        },
    )
    if len(channels) == 1:
        figure.update_traces(showlegend=False)
    taken = 0 if len(channels) == 1 else min(len(channels), CHANNELS)  # colours of lines
    for code, name in enumerate(strips.classes):
        x, y = _boxes(strips, code, first)
        if x or len(strips.classes) <= FEW:
            place = taken + code - (code > strips.usual)
            colour = tint(NEUTRAL, 0.3) if code == strips.usual else COLOURS[place % len(COLOURS)]
            figure.add_scatter(
                x=x or [None],
                y=y or [None],
                yaxis="y2",
                name=plain(name),
                mode="none",
                fill="toself",
                fillcolor=colour,
                hoverinfo="skip",
            )
    names = list(strips.rows)
    figure.update_layout(
        yaxis={"domain": [STRIPS + 0.04, 1]},
        yaxis2={
            "domain": [0, STRIPS],
            "range": [len(names) - 0.5, -0.5],
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "showgrid": False,
            "zeroline": False,
            "fixedrange": True,
        },
        xaxis={"anchor": "y2"},
    )
    return figure


def _boxes(strips: Strips, code: int, first: int) -> tuple[list[float | None], list[float | None]]:
    """Return the outlines of all boxes of one label, one after another."""
    x: list[float | None] = []
    y: list[float | None] = []
    for row, labels in enumerate(strips.rows.values()):
        edges = np.flatnonzero(np.diff((labels == code).astype(np.int8), prepend=0, append=0))
        for start, stop in edges.reshape(-1, 2).tolist():
            left, right, top, bottom = first + start - 0.5, first + stop - 0.5, row - 0.4, row + 0.4
            x += [left, right, right, left, left, None]
            y += [top, top, bottom, bottom, top, None]
    return x, y

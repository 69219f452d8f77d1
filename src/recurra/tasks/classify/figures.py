"""A picture of classes: what was confused with what.

Shapes: K classes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...report.canvas import COLOURS, canvas, plain, tint
from ...writing.numbers import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FEW = 12  # up to so many classes the counts stand in the cells


def confusion_figure(table: np.ndarray, classes: Sequence[str]) -> "Figure":
    """Return a confusion ``table`` (K, K): a row is a true class, a column what was said."""
    count = len(classes)
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    reading = (
        "A row is a true class, a column what the model said; what it got right lies on the diagonal. Colour is the "
        "share of the row. Point at a cell to read it."
    )
    figure = canvas(int(min(900, 150 + max(34 if count <= FEW else 18, 100 - 11 * count) * count)), reading)
    names = [plain(name) for name in classes]
    texts = [
        [
            f"{row} was called {column}: {table[i, j]:,} of {table[i].sum():,} ({percent(share[i, j])})"
            for j, column in enumerate(names)
        ]
        for i, row in enumerate(names)
    ]
    figure.add_heatmap(
        z=share,
        x=np.arange(count),
        y=np.arange(count),
        text=texts,
        hovertemplate="%{text}<extra></extra>",
        zmin=0,
        zmax=1,
        colorscale=[[0, tint(COLOURS[0], 0.04)], [1, tint(COLOURS[0], 1)]],
        showscale=False,
        xgap=1,
        ygap=1,
    )
    if count <= FEW:
        for dark in (False, True):
            _add_counts(figure, np.where((share > 0.5) == dark, table, 0), {"color": "white"} if dark else {})
    every = -(-count // 40)
    ticks = {"tickvals": list(range(0, count, every)), "ticktext": [plain(_short(name)) for name in classes[::every]]}
    size = {"tickfont": {"size": 13 if count <= FEW else 10}, "showgrid": False, "zeroline": False}
    plainly = {"showline": False, "ticks": ""}
    figure.update_xaxes(title_text="said", side="top", **ticks, **size, **plainly)
    figure.update_yaxes(title_text="true", autorange="reversed", **ticks, **size, **plainly)
    if count <= FEW:  # square cells; more of them take what room the page has
        figure.update_xaxes(constrain="domain", constraintoward="left")
        figure.update_yaxes(constrain="domain", scaleanchor="x")
    figure.update_layout(margin={"t": 70})
    return figure


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:13]}…"


def _add_counts(figure: "Figure", table: np.ndarray, ink: dict[str, str]) -> None:
    rows, columns = np.nonzero(table)
    figure.add_scatter(
        x=columns,
        y=rows,
        text=[f"{table[i, j]:,}" for i, j in zip(rows, columns, strict=True)],
        mode="text",
        textfont={"size": 13, **ink},
        hoverinfo="skip",
        showlegend=False,
    )

"""Where each unit of an answer was heard in a sequence of numbers, below the picture of that, over one time.

Shapes: T steps, C channels, n segments, Q units of an answer, perhaps with its end.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...report.canvas import COLOURS, NEUTRAL, canvas, named_ticks, plain, tint
from .sequences import Picture

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLUMNS, ROWS = 600, 12  # of the picture above, at most; names of its channels
ABOVE, ROW, BETWEEN, EDGES = 150, 24, 28, 58  # pixels
HEARD = (
    "Above is the sound, the darker the louder, high tones on top; below, a row is a unit of the answer, and the "
    "stronger the colour at a moment, the more of the unit was heard there. Point at a cell to read it."
)
SEEN = (
    "Above is the sequence, the darker the larger, a row for each channel; below, a row is a unit of the answer, and "
    "the stronger the colour at a step, the more of the unit was found there. Point at a cell to read it."
)


def sounding(looked: np.ndarray, picture: Picture, said: Sequence[str], title: str) -> "Figure":
    """Return where each of ``said`` (Q,) was heard (Q, n), below the sequence, with one axis of time."""
    below = ROW * len(said)
    whole = ABOVE + BETWEEN + below
    figure = canvas(whole + EDGES, HEARD if picture.timed else SEEN, title, margin={"t": 14, "b": 44})
    _add_sequence(figure, picture)
    figure.add_heatmap(
        z=looked,
        x=picture.middles,
        y=np.arange(len(said)),
        customdata=[[plain(unit)] * len(picture.middles) for unit in said],
        hovertemplate="%{customdata} · %{x:.2f}: %{z:.0%}<extra></extra>",
        zmin=0,
        zmax=float(looked.max(initial=0.0)) or 1.0,
        colorscale=[[0, tint(COLOURS[0], 0.04)], [1, tint(COLOURS[0], 1)]],
        showscale=False,
        ygap=1,
    )
    last = len(picture.values) * picture.unit
    figure.update_xaxes(title_text="seconds" if picture.timed else "step", range=[0, last], zeroline=False)
    figure.update_yaxes(**named_ticks(said, len(said)), autorange="reversed", showgrid=False, zeroline=False)
    names = named_ticks([plain(name) for name in picture.channels], ROWS)
    figure.update_layout(
        yaxis={"domain": [0, below / whole]},
        yaxis2=names
        | {"domain": [(below + BETWEEN) / whole, 1], "anchor": "x", "autorange": True, "showgrid": False}
        | {"zeroline": False},
    )
    figure.layout.meta |= {"own": ["ticktext"]}
    return figure


def _add_sequence(figure: "Figure", picture: Picture) -> None:
    """Draw the values of all channels, of long sequences the largest of every few steps."""
    every = -(-len(picture.values) // COLUMNS)
    first = np.arange(0, len(picture.values), every)
    values = np.maximum.reduceat(picture.values, first)
    figure.add_heatmap(
        z=values.T.round(1),
        x=(first + every / 2) * picture.unit,
        y=np.arange(len(picture.channels)),
        yaxis="y2",
        colorscale=[[0, tint(NEUTRAL, 0.0)], [1, tint(NEUTRAL, 1)]],
        showscale=False,
        hovertemplate="%{y} · %{x:.2f}: %{z}<extra></extra>",
    )

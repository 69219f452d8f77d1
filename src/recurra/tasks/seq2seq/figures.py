"""Where a model looked in a text, or in a picture, as it wrote its answer.

Shapes: T units of a text and its end, or cells of a picture, Q units of an answer and its end.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...nn.pictures import Cells
from ...report.canvas import COLOURS, canvas, named_ticks, plain, tint
from ...report.figures import attention_map
from ...report.pixels import data_uri

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LEGIBLE = 200  # names on an axis, at most
ROW, COLUMN, LETTER = 24, 18, 8  # pixels, the least there must be
LONGEST = 12  # letters of a name that the picture makes room for
ACROSS = 6  # words beside each other
PANEL, WORD, NARROW = 118, 24, 68  # pixels of a picture and of the word above it; the least that a picture may have
LOOKED = (
    "A picture for each word, in the order in which they were written, ⏎ the end; the stronger the colour, the longer "
    "the look at that cell. Point at a cell to read its part of all looks."
)
READING = (
    "A row is a unit of the answer, a column a unit of the text, ⏎ the end of each; the stronger the colour, the "
    "longer the look. Point at a cell to read it."
)


def alignment(looked: np.ndarray, read: Sequence[str], said: Sequence[str], title: str) -> "Figure":
    """Return where each of ``said`` (Q,) looked in what was ``read`` (T,), with the names of all units on both axes."""
    figure = attention_map(looked, read, said, "unit")
    figure.update_traces(showscale=False)
    columns = named_ticks(read, LEGIBLE) | {"side": "top", "title": None, "ticks": ""}
    letters = min(LONGEST, max(map(len, read)))
    figure.update_xaxes(**columns, tickangle=-90 if letters > 1 else 0, tickfont={"size": 12})
    figure.update_yaxes(**named_ticks(said, LEGIBLE), tickfont={"size": 12})
    height = ROW * len(said) + 30 + LETTER * letters
    figure.update_layout(height=height, title={"text": plain(title)}, margin={"b": 8})
    figure.layout.meta = {"reading": READING, "least": COLUMN * len(read) + 60, "own": ["ticktext"]}
    return figure


def looks(looked: np.ndarray, pixels: np.ndarray, cells: Cells, said: Sequence[str], title: str) -> "Figure":
    """Return for each of ``said`` (Q,) a picture (H, W, C), over whose ``cells`` lies how long they were ``looked`` at.

    ``looked`` is (Q, T), the cells in reading order.
    """
    rows, columns = -(-len(said) // ACROSS), min(ACROSS, len(said))
    figure = canvas(rows * (PANEL + WORD) + 12, LOOKED, showlegend=False, title=title)
    figure.set_subplots(rows=rows, cols=columns, horizontal_spacing=0.012, vertical_spacing=0.0)
    height, width = pixels.shape[:2]
    edges = _edges(cells.columns, cells.width, width), _edges(cells.rows, cells.height, height)
    picture, most = data_uri(pixels), float(looked.max(initial=0.0)) or 1.0
    share = (PANEL + WORD) / (rows * (PANEL + WORD))
    for n, word in enumerate(said):
        row, column = divmod(n, columns)
        number = "" if not n else str(row * columns + column + 1)
        figure.add_layout_image(
            source=picture, xref=f"x{number}", yref=f"y{number}", x=0, y=0, sizex=width, sizey=height, sizing="stretch",
            layer="below",
        )  # fmt: skip
        figure.add_heatmap(
            z=looked[n].reshape(cells.rows, cells.columns),
            x=edges[0],
            y=edges[1],
            zmin=0,
            zmax=most,
            colorscale=[[0, tint(COLOURS[1], 0)], [1, tint(COLOURS[1], 0.8)]],
            showscale=False,
            hovertemplate="%{z:.0%}<extra></extra>",
            row=row + 1,
            col=column + 1,
        )
        top = 1 - row * share
        figure.add_annotation(
            text=plain(word), x=width / 2, xref=f"x{number}",
            y=top, yref="paper", yanchor="top", showarrow=False, font={"size": 13},
        )  # fmt: skip
        hidden = {"visible": False, "row": row + 1, "col": column + 1, "constrain": "domain", "constraintoward": "top"}
        figure.update_xaxes(range=[0, width], **hidden | {"constraintoward": "center"})
        below = top - share * WORD / (PANEL + WORD)
        domain = [max(0.0, top - share + 0.02 * share), below]
        figure.update_yaxes(range=[height, 0], scaleanchor=f"x{number}", domain=domain, **hidden)
    figure.update_layout(margin={"l": 4, "r": 4, "t": 4, "b": 8})
    figure.layout.meta = {"reading": LOOKED, "least": NARROW * columns, "own": ["text"]}
    return figure


def _edges(count: int, size: int, side: int) -> np.ndarray:
    """Return where so many cells of a ``size`` begin, and where the last one ends."""
    found: np.ndarray = np.minimum(np.arange(count + 1) * size, side)
    return found

"""Where a model looked in a text as it wrote its answer, as a picture.

Shapes: T units of a text and its end, Q units of an answer and its end.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...report.canvas import named_ticks, plain
from ...report.figures import attention_map

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LEGIBLE = 200  # names on an axis, at most
ROW, COLUMN, LETTER = 24, 18, 8  # pixels, the least there must be
LONGEST = 12  # letters of a name that the picture makes room for
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

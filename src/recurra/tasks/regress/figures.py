"""Pictures of numbers: what was predicted beside what is true, and how far it was off.

Shapes: N cases.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...report.canvas import COLOURS, NEUTRAL, canvas, plain, tint
from ...writing.numbers import digits

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MOST, FEW = 3000, 300  # points that are drawn, evenly spread over all, and up to how many are large


class Said(NamedTuple):
    """What a model said of one target."""

    cases: Sequence[str]
    truth: np.ndarray  # (N,)
    point: np.ndarray  # (N,)
    band: tuple[np.ndarray, np.ndarray] | None = None  # the ends of the widest interval, each (N,)

    def drawn(self) -> "Said":
        """Return those cases that are drawn, all if they are not too many."""
        at = np.unique(np.linspace(0, len(self.truth) - 1, min(MOST, len(self.truth))).round().astype(int))
        band = None if self.band is None else (self.band[0][at], self.band[1][at])
        return Said([self.cases[n] for n in at], self.truth[at], self.point[at], band)

    def texts(self) -> list[str]:
        """Return what is said of a point that is pointed at."""
        rows = zip(self.cases, self.point, self.truth, strict=True)
        return [f"Case '{plain(name)}': predicted {digits(point)}, true {digits(truth)}" for name, point, truth in rows]


def said_figure(said: Said, title: str = "") -> "Figure":
    """Return what was predicted over what is true; on the dotted line both are the same."""
    reading = "A point is a case: from left to right what is true, from below to above what was predicted. On the "
    reading += "dotted line both are the same."
    if said.band is not None:
        reading += " The thin lines are the intervals."
    figure, shown = canvas(420, reading, title, showlegend=False), said.drawn()
    every = [shown.truth, shown.point]
    low, high = float(min(map(np.min, every))), float(max(map(np.max, every)))
    edge = 0.04 * ((high - low) or 1.0)
    ends = [low - edge, high + edge]
    figure.add_scatter(x=ends, y=ends, mode="lines", line={"color": NEUTRAL, "dash": "dot"}, hoverinfo="skip")
    _add_points(figure, shown, shown.truth, shown.point, _bars(shown))
    figure.update_xaxes(title_text="true", range=ends)
    figure.update_yaxes(title_text="predicted", range=ends)
    return figure


def error_figure(said: Said, title: str = "") -> "Figure":
    """Return the error over what was predicted; above the line that was too much."""
    reading = (
        "Above the line the prediction was too high, below it too low. A slope or a funnel says where it errs: more "
        "for large numbers than for small ones, or on one side."
    )
    figure, shown = canvas(320, reading, title, showlegend=False), said.drawn()
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1.5, "dash": "dot"})
    _add_points(figure, shown, shown.point, shown.point - shown.truth)
    figure.update_xaxes(title_text="predicted")
    figure.update_yaxes(title_text="predicted − true")
    return figure


def _add_points(figure: "Figure", said: Said, x: np.ndarray, y: np.ndarray, bars: dict[str, Any] | None = None) -> None:
    figure.add_scatter(
        x=x,
        y=y,
        error_y=bars,
        mode="markers",
        marker={"color": COLOURS[0], "size": 7 if len(x) <= FEW else 4, "opacity": 0.8},
        customdata=said.texts(),
        hovertemplate="%{customdata}<extra></extra>",
    )


def _bars(said: Said) -> dict[str, Any] | None:
    """Return the intervals as plotly has them, None if there are none."""
    if said.band is None:
        return None
    low, high = said.band
    ends = {"type": "data", "symmetric": False, "array": high - said.point, "arrayminus": said.point - low}
    return ends | {"width": 0, "thickness": 1, "color": tint(COLOURS[0], 0.35)}

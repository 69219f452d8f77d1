"""A picture of a case: its values, and the stretch that decided.

Shapes: T steps, C channels, n segments.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...report.canvas import COLOURS, DASHES, NEUTRAL, canvas, line_mode, plain, tint

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CHANNELS = 6  # that are drawn of a case


def case_figure(
    values: np.ndarray,
    channels: Sequence[str],
    weights: np.ndarray | None,
    stretches: Sequence[tuple[int, int]],
    title: str = "",
) -> "Figure":
    """Return a case (T, C) as lines; behind them, the darker a stretch, the longer the look at it (n,)."""
    reading = "The line is the case as it came; gaps are missing values."
    if weights is not None:
        reading += " The shading is the attention: the darker a stretch, the more it counted for the answer."
    figure = canvas(300, reading, title, hovermode="x unified", showlegend=len(channels) > 1)
    if weights is not None:
        _add_shading(figure, weights, stretches, len(values))
    for number, name in enumerate(channels[:CHANNELS]):
        colour = NEUTRAL if len(channels) == 1 else COLOURS[number % len(COLOURS)]
        figure.add_scatter(
            x=np.arange(len(values)),
            y=values[:, number],
            name=plain(name),
            mode=line_mode(len(values)),
            line={"color": colour, "width": 2, "dash": DASHES[number % len(DASHES)]},
            marker_size=4,
            hovertemplate="%{y:.4~g}",
        )
    figure.update_xaxes(title_text="step", **({"dtick": 1} if len(values) <= 12 else {}))
    return figure


def _add_shading(figure: "Figure", weights: np.ndarray, stretches: Sequence[tuple[int, int]], steps: int) -> None:
    """Shade every step by what the stretches that hold it weigh together."""
    density = np.zeros(steps)
    for weight, (first, last) in zip(weights, stretches, strict=True):
        density[first : last + 1] += weight / (last + 1 - first)
    figure.add_heatmap(
        z=density[None],
        x=np.arange(steps + 1) - 0.5,
        y=[0, 1],
        yaxis="y2",
        colorscale=[[0, tint(COLOURS[1], 0)], [1, tint(COLOURS[1], 0.6)]],
        zmin=0,
        zmax=float(density.max(initial=0.0)) or 1.0,
        showscale=False,
        hoverinfo="skip",
    )
    hidden = {"visible": False, "range": [0, 1], "overlaying": None, "fixedrange": True}
    figure.update_layout(yaxis={"overlaying": "y2", "tickmode": "auto"}, yaxis2=hidden)

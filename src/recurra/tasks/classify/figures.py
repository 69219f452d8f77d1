"""A picture of classes: how often a model is right when it is sure."""

from typing import TYPE_CHECKING

import numpy as np

from ...report.canvas import COLOURS, NEUTRAL, canvas

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure


def reliability_figure(table: "pd.DataFrame") -> "Figure":
    """Return how often a model is ``right`` when it is so ``sure``, bin by bin, beside the line where it should be."""
    reading = (
        "A point is all cases of which the model was about so sure, and the number beside it how many. On the dotted "
        "line it is right as often as it says; above it is too careful, below too sure. The bars are 95 % intervals."
    )
    figure = canvas(320, reading, showlegend=False)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": NEUTRAL, "width": 1.5, "dash": "dot"}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=table["sure"],
        y=table["right"],
        error_y={"array": table["high"] - table["right"], "arrayminus": table["right"] - table["low"], "width": 0},
        mode="markers+text",
        marker={"color": COLOURS[0], "size": 6 + 14 * np.sqrt(table["cases"] / table["cases"].max())},
        text=[f"{count:,}" for count in table["cases"]],
        textposition="middle right",
        hovertemplate="%{x:.1%} · %{y:.1%}<extra></extra>",
    )
    lowest = max(0.0, float(table["sure"].min()) - 0.1)
    figure.update_xaxes(title_text="how sure it is", tickformat=".0%", range=[lowest, 1.03])
    figure.update_yaxes(title_text="how often it is right", tickformat=".0%", range=[-0.03, 1.09])
    return figure

"""How much of what happens the intervals of a forecast hold, by step ahead.

Shapes: W windows, H steps, C channels.
"""

from typing import TYPE_CHECKING

import numpy as np

from ...report.canvas import COLOURS, NEUTRAL, canvas, line_mode
from ...report.page import Section
from ...writing.numbers import percent
from .exam import Guess, Truth

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def coverage_by_step(truth: Truth, guess: Guess) -> dict[int, np.ndarray]:
    """Return, per level, the share of known values of each step ahead (H,) in its interval; NaN where none is known."""
    known = np.isfinite(truth.values)
    count = known.sum((0, 2))
    held = {}
    for level, (low, high) in sorted(guess.bands.items()):
        inside = known & (truth.values >= low) & (truth.values <= high)
        held[level] = np.where(count > 0, inside.sum((0, 2)) / np.maximum(count, 1), np.nan)
    return held


def holding_sections(truth: Truth, guess: Guess) -> list[Section]:
    """Show what intervals hold by step ahead; nothing without intervals, or where there is one step."""
    held = coverage_by_step(truth, guess)
    if not held or truth.values.shape[1] < 2:
        return []
    told = [
        f"The {level} % interval held {percent(float(np.nanmean(share)))} of the held-out values: from "
        f"{percent(float(np.nanmin(share)))} to {percent(float(np.nanmax(share)))}, by step ahead."
        for level, share in held.items()
    ]
    return [Section("How much the intervals hold", " ".join(told), holding_figure(held))]


def holding_figure(held: dict[int, np.ndarray]) -> "Figure":
    """Return the share (H,) that the interval of each level held, beside the level."""
    reading = "A line is the share of what happened that lay within an interval; it should stay by its dashed line."
    figure = canvas(260, reading, hovermode="x unified")
    for place, (level, share) in enumerate(held.items()):
        steps, colour = np.arange(1, len(share) + 1), COLOURS[place % len(COLOURS)]
        figure.add_scatter(
            x=steps,
            y=share,
            name=f"{level} %",
            mode=line_mode(len(share)),
            line={"color": colour, "width": 2.5},
            hovertemplate="%{y:.0%}",
        )
        figure.add_hline(y=level / 100, line={"color": NEUTRAL, "dash": "dash", "width": 1})
    figure.update_xaxes(title_text="steps ahead", **({"dtick": 1} if len(steps) <= 12 else {}))
    least = min(float(np.nanmin(share)) for share in held.values())
    figure.update_yaxes(title_text="share within", tickformat=".0%", range=[max(0.0, min(0.5, least - 0.05)), 1.02])
    return figure

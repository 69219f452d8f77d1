"""A case drawn as what it is: a series, a sound, moving pictures; with what was looked at.

Shapes: T steps, C channels, n segments; of sounds B bands; of moving pictures H rows and W columns.
"""

from typing import TYPE_CHECKING

import numpy as np

from ...data.sound import RANGE
from ...report.canvas import COLOURS, canvas, plain, tint
from ...writing.numbers import percent
from .figures import Falls, add_falls, case_figure, in_words, shade, shading, top_of
from .reading import Reading

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FRAMES = 6  # of a moving picture
WIDE = 1060  # pixels of a page that frames beside each other may take
COLUMNS = 500  # of a sound: what is longer is drawn in means of several steps
TOP = 0.9  # of the picture of a sound, above which its attention stands


def figure_of(
    reading: Reading,
    values: np.ndarray,
    weights: np.ndarray | None,
    title: str = "",
    falls: Falls | None = None,
) -> "Figure":
    """Return a case (T, C) with the looks at it (n,), drawn as what it is: a series, a sound, or moving pictures.

    ``falls`` say how far its answer falls without each stretch.
    """
    if reading.layout.shape is not None:
        return frames_figure(values.reshape(-1, *reading.layout.shape).mean(1), weights, title, falls)
    if reading.seconds is not None:
        return sound_figure(values, reading, weights, title, falls)
    return case_figure(values, reading.channels, weights, reading.layout.stretches(len(values)), title, falls)


def frames_figure(
    frames: np.ndarray, weights: np.ndarray | None, title: str = "", falls: Falls | None = None
) -> "Figure":
    """Return those of the frames (T, H, W) beside each other that were looked at longest (T,), or some of them.

    ``falls`` say how far its answer falls without each frame.
    """
    count, height, width = frames.shape
    reading = "Some frames of the case, evenly spread; each with its number."
    shown = np.unique(np.linspace(0, count - 1, FRAMES).round().astype(int))
    if weights is not None:
        reading = (
            "The frames that counted most for the answer, in the order of time; each with its number and its share of "
            "all looks."
        )
        shown = np.sort(np.argsort(-weights, kind="stable")[:FRAMES])
    if falls is not None:
        reading += f" {falls.wording.frame}"
    step = width + max(1, width // 8)
    row = np.full((height, step * len(shown) - (step - width)), np.nan)
    for n, frame in enumerate(shown):
        row[:, n * step : n * step + width] = frames[frame]
    above = (84 if title else 48) + (18 if falls is not None else 0)
    figure = canvas(round(above + 16 + min(240, max(60, WIDE * height / row.shape[1]))), reading, title)
    figure.add_heatmap(
        z=row,
        colorscale=[[0, tint(COLOURS[0], 0.06)], [1, tint(COLOURS[0], 1)]],
        showscale=False,
        hovertemplate="%{z:.4~g}<extra></extra>",
    )
    for n, frame in enumerate(shown):
        share = "" if weights is None else f"<br>{percent(float(weights[frame]))}"
        share += "" if falls is None else f"<br>{falls.wording.written(float(falls.values[frame]))}"
        place = {"x": n * step + (width - 1) / 2, "y": -0.5, "yanchor": "bottom"}
        figure.add_annotation(text=f"<b>{frame}</b>{share}", showarrow=False, **place)
    hidden = {"visible": False, "showgrid": False, "zeroline": False}
    figure.update_xaxes(**hidden, constrain="domain", constraintoward="left")
    figure.update_yaxes(**hidden, autorange="reversed", scaleanchor="x", constrain="domain", constraintoward="top")
    figure.update_layout(margin={"t": above, "b": 8, "l": 8})
    return figure


def sound_figure(
    values: np.ndarray, reading: Reading, weights: np.ndarray | None, title: str = "", falls: Falls | None = None
) -> "Figure":
    """Return how loud each of the bands (T, B) is over time; above them, the looks at each stretch (n,).

    ``falls`` say how far the answer falls without each stretch; they stand below.
    """
    seconds, stretches = reading.seconds or 1.0, reading.layout.stretches(len(values))
    text = "Time runs to the right, pitch upwards; the stronger the colour, the louder (in dB)."
    if weights is not None:
        text += " The strip above is the attention: the darker, the more that moment counted for the answer."
    if falls is not None:
        text += in_words(falls)
    every = -(-len(values) // COLUMNS)
    edges = seconds * every * np.arange(-(-len(values) // every) + 1)
    figure = canvas(340 if falls is None else 420, text, title)
    loudness = _in_means(values, every).round()
    figure.add_heatmap(
        z=loudness.T,
        x=edges,
        y=[plain(name) for name in reading.channels],
        zmin=float(loudness.max()) - RANGE,
        zmax=float(loudness.max()),
        colorscale=[[0, tint(COLOURS[0], 0)], [1, tint(COLOURS[0], 1)]],
        showscale=False,
        hovertemplate="%{x:.2f} s, %{y}: %{z} dB<extra></extra>",
    )
    ticks = [plain(name) for name in reading.channels[:: max(1, len(reading.channels) // 6)]]
    figure.update_xaxes(title_text="seconds")
    figure.update_yaxes(type="category", tickvals=ticks, showgrid=False)
    if weights is not None:
        strip = _in_means(shading(weights, stretches, len(values))[:, None], every).T
        figure.add_heatmap(z=strip, x=edges, y=[0, 1], yaxis="y2", zmin=0, zmax=top_of(strip), **shade())
        hidden = {"visible": False, "range": [0, 1], "domain": [0.93, 1], "fixedrange": True}
        figure.update_layout(yaxis={"domain": [0, TOP]}, yaxis2=hidden)
    if falls is not None:
        add_falls(figure, falls, stretches, seconds * np.arange(len(values)), TOP)
    return figure


def _in_means(values: np.ndarray, every: int) -> np.ndarray:
    """Return the mean of ``every`` so many steps of ``values`` (T, C)."""
    starts = np.arange(0, len(values), every)
    sums: np.ndarray = np.add.reduceat(values, starts, axis=0)
    return sums / np.diff(np.append(starts, len(values)))[:, None]

"""Pictures of cases: the values of one, and the stretch that decided; what was confused with what.

Shapes: T steps, C channels, n segments, K classes.
"""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...report.canvas import COLOURS, DASHES, NEUTRAL, canvas, line_mode, plain, tint
from ...writing.numbers import percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CHANNELS = 6  # that are drawn of a case
FEW = 12  # up to so many classes the counts stand in the cells
FEW_POINTS = 40  # of a small picture: smallest and largest values of so many pieces
LEAST = 0.05  # the strip of falls shows at least so much, so that nothing looks like something only for want of more


class Wording(NamedTuple):
    """How it is written how far an answer falls."""

    strip: str  # stands above a strip of falls
    below: str  # what there is to see in such a strip
    frame: str  # what a number below a frame says
    share: bool = False  # whether it is a share, to be written in percent

    def written(self, fall: float) -> str:
        """Return a fall in figures: of a share, what becomes of it."""
        if not self.share:
            return f"{fall:.3g}"
        points = round(-100 * fall)
        return f"{points:+d} %".replace("-", "−") if points else "0 %"


class Falls(NamedTuple):
    """How far the answer to a case falls without each of its stretches."""

    values: np.ndarray  # (n,)
    wording: Wording
    unit: float = 1.0  # how much is much


def case_figure(
    values: np.ndarray,
    channels: Sequence[str],
    weights: np.ndarray | None,
    stretches: Sequence[tuple[int, int]],
    title: str = "",
    falls: Falls | None = None,
    first: int = 0,
) -> "Figure":
    """Return a case (T, C) as lines; behind them, the darker a stretch, the longer the look at it (n,).

    ``first`` is the number of its first step, if it is a part of a case.
    ``falls`` say how far its answer falls without each stretch; they stand below the case.
    """
    reading = "The line is the case as it came; gaps are missing values."
    if weights is not None:
        reading += " The shading is the attention: the darker a stretch, the longer the look at it."
    if falls is not None:
        reading += in_words(falls)
    figure = canvas(300 if falls is None else 380, reading, title, hovermode="x unified", showlegend=len(channels) > 1)
    if weights is not None:
        _add_shading(figure, weights, stretches, len(values))
    for number, name in enumerate(channels[:CHANNELS]):
        colour = NEUTRAL if len(channels) == 1 else COLOURS[number % len(COLOURS)]
        figure.add_scatter(
            x=np.arange(first, first + len(values)),
            y=values[:, number],
            name=plain(name),
            mode=line_mode(len(values)),
            line={"color": colour, "width": 2, "dash": DASHES[number % len(DASHES)]},
            marker_size=4,
            hovertemplate="%{y:.4~g}",
        )
    figure.update_xaxes(title_text="step", **({"dtick": 1} if len(values) <= 12 else {}))
    if falls is not None:
        add_falls(figure, falls, stretches, np.arange(len(values)))
        figure.update_layout(yaxis2={"domain": figure.layout.yaxis.domain})
    return figure


def small_case_figure(values: np.ndarray, title: str) -> "Figure":
    """Return a case (T, C) as lines without axes, with few numbers: one picture of many."""
    figure = canvas(90, "", title, margin={"l": 4, "r": 4, "t": 4, "b": 4}, hovermode=False, showlegend=False)
    places, drawn = _thinned(values[:, :CHANNELS])
    for number, channel in enumerate(drawn.T):
        colour = NEUTRAL if drawn.shape[1] == 1 else COLOURS[number % len(COLOURS)]
        figure.add_scatter(x=places, y=channel, mode="lines", line={"color": colour, "width": 1.5})
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure


def _thinned(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return places and values (·, C) of a line that looks alike: the smallest and the largest of every few steps."""
    steps = len(values)
    if steps <= 4 * FEW_POINTS:
        return np.arange(steps), values.astype(np.float32)
    cuts = np.linspace(0, steps, FEW_POINTS + 1).astype(int)
    pieces = [np.nan_to_num(values[a:b], nan=np.inf) for a, b in itertools.pairwise(cuts)]
    ends = np.stack([[piece.min(0), np.where(np.isfinite(piece), piece, -np.inf).max(0)] for piece in pieces])
    drawn = np.where(np.isfinite(ends), ends, np.nan).reshape(-1, values.shape[1])
    return np.repeat(cuts[:-1], 2), drawn.astype(np.float32)


def in_words(falls: Falls) -> str:
    """Return what there is to see in a strip of ``falls``."""
    return " ".join(["", falls.wording.below, "Where nothing stands out, the answer rests on no single stretch."])


def add_falls(
    figure: "Figure", falls: Falls, stretches: Sequence[tuple[int, int]], steps: np.ndarray, top: float = 1.0
) -> None:
    """Draw below the case, at each of its ``steps`` (T,), the mean fall without the stretches that hold it.

    ``top`` is as far as the picture of the case reaches up.
    """
    total, count = np.zeros(len(steps)), np.zeros(len(steps))
    for fall, (first, last) in zip(falls.values, stretches, strict=True):
        total[first : last + 1] += fall
        count[first : last + 1] += 1
    mean, form = total / np.maximum(count, 1), ".0%" if falls.wording.share else ".3~g"
    figure.add_scatter(
        x=steps,
        y=mean,
        mode="lines",
        line={"color": COLOURS[0], "width": 1.5, "shape": "hvh"},
        fill="tozeroy",
        fillcolor=tint(COLOURS[0], 0.35),
        yaxis="y3",
        name=falls.wording.strip,
        hovertemplate=f"%{{y:{form}}}",
        showlegend=False,
    )
    low, high = min(float(mean.min()), 0.0), max(float(mean.max()), LEAST * falls.unit)
    strip = {"domain": [0, 0.2], "range": [1.1 * low - 0.02 * high, 1.1 * high], "nticks": 3, "tickformat": form}
    figure.update_layout(yaxis={"domain": [0.36, top]}, yaxis3=strip)
    figure.update_xaxes(anchor="y3")
    figure.add_annotation(
        text=falls.wording.strip, x=0, xref="paper", xanchor="left", y=0.21, yref="paper", yanchor="bottom",
        showarrow=False,
    )  # fmt: skip


def _add_shading(figure: "Figure", weights: np.ndarray, stretches: Sequence[tuple[int, int]], steps: int) -> None:
    """Shade every step by what the stretches that hold it weigh together."""
    density = shading(weights, stretches, steps)[None]
    edges = np.arange(steps + 1) - 0.5
    figure.add_heatmap(z=density, x=edges, y=[0, 1], yaxis="y2", zmin=0, zmax=top_of(density), **shade())
    hidden = {"visible": False, "range": [0, 1], "overlaying": None, "fixedrange": True}
    figure.update_layout(yaxis={"overlaying": "y2", "tickmode": "auto"}, yaxis2=hidden)


def shading(weights: np.ndarray, stretches: Sequence[tuple[int, int]], steps: int) -> np.ndarray:
    """Return how long each step was looked at (T,): what the stretches that hold it weigh, spread over their steps."""
    density = np.zeros(steps)
    for weight, (first, last) in zip(weights, stretches, strict=True):
        density[first : last + 1] += weight / (last + 1 - first)
    return density


def shade() -> dict[str, Any]:
    """Return the style of a shading."""
    scale = [[0, tint(COLOURS[1], 0)], [1, tint(COLOURS[1], 0.6)]]
    return {"colorscale": scale, "showscale": False, "hoverinfo": "skip"}


def top_of(density: np.ndarray) -> float:
    """Return the largest value of a shading, which is its darkest; 1 if there is nothing to see."""
    return float(density.max(initial=0.0)) or 1.0


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
    return name if len(name) <= 14 else f"{name[:7]}…{name[-6:]}"  # names of a family differ at their end


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

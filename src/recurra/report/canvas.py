"""The house style of figures: colours, axes, and labels as a person writes them.

Shapes: T places on an axis.
"""

import html
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

# Told apart with any colour vision (after Okabe & Ito), and visible on white as well as on near-black.
COLOURS = ("#2b83ce", "#d95f02", "#0b9e77", "#c0629b", "#d19a00", "#56b4e9", "#8c6d5a", "#7d6bd0")
NEUTRAL = "#808892"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px,2px", "2px,4px")
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", sans-serif'
GRID = "rgba(128,136,146,0.25)"
FEW = 31  # up to so many points a line also shows its points


def tint(colour: str, share: float) -> str:
    """Return a ``#rrggbb`` colour that lets ``1 − share`` of the background through."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"


def plain(text: object) -> str:
    """Return ``text`` so that plotly shows its markup characters instead of obeying them."""
    return html.escape(str(text), quote=False)


def canvas(height: int, reading: str, title: str = "", **layout: Any) -> "Figure":
    """Return an empty figure in the house style, ``height`` pixels high and as wide as its place."""
    from plotly import graph_objects as go

    axis = {
        "gridcolor": GRID,
        "linecolor": GRID,
        "zerolinecolor": GRID,
        "automargin": True,
        "title": {"standoff": 8},
    }
    style = {
        "font": {"family": FONT, "size": 13, "color": NEUTRAL},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": COLOURS,
        "margin": {"l": 52, "r": 14, "t": 14, "b": 44},
        "xaxis": axis | {"showgrid": False, "showline": True, "ticks": "outside", "tickcolor": GRID},
        "yaxis": axis,
        "legend": {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
        "hoverlabel": {"bgcolor": "#20252c", "bordercolor": "#20252c", "font": {"color": "#ffffff"}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": NEUTRAL, "activecolor": COLOURS[0]},
        "dragmode": False,  # a finger on the figure scrolls the page
    }
    texts = {"meta": {"reading": reading}} | ({"title": {"text": plain(title)}} if title else {})
    return go.Figure(layout={"template": {"layout": style}, "height": height, **texts, **layout})


def index_of(labels: Iterable[Any]) -> "pd.Index":
    """Return ``labels`` as an index; periods become their first moment, zoned times their wall clock."""
    import pandas as pd

    index = pd.Index(labels)
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
        index = index.tz_localize(None)
    return index


def axis_of(labels: Iterable[Any]) -> tuple[Any, dict[str, Any]]:
    """Return where ``labels`` (T,) stand on an axis, and that axis: of time, of numbers, or of names."""
    index = index_of(labels)
    if index.dtype.kind == "M":
        return index, {"type": "date"}
    if index.dtype.kind in "iuf":
        return index.to_numpy(), {"type": "linear"}
    return np.arange(len(index)), named_ticks([str(label) for label in index])


def named_ticks(names: Sequence[str], most: int = 16) -> dict[str, Any]:
    """Return an axis over positions 0, 1, … that shows at most about ``most`` of their ``names``."""
    shown = range(0, len(names), -(-len(names) // most) if names else 1)
    return {"type": "linear", "tickvals": list(shown), "ticktext": [plain(names[n]) for n in shown]}


def texts_of(labels: Iterable[Any], short: bool = False) -> list[str]:
    """Return ``labels`` (T,) as a person writes them: ``Mon 2024-03-04 06:00``, or ``short`` ``Mar 4 06:00``.

    The first days of months are ``Mar 2024``.
    """
    index = index_of(labels)
    if index.dtype.kind != "M":
        return [f"{label:g}" if isinstance(label, float) else str(label) for label in index]
    if len(index) > 1 and all(stamp.day == 1 and stamp == stamp.normalize() for stamp in index):
        return [stamp.strftime("%b %Y") for stamp in index]  # months
    clock = " %H:%M" if any(stamp != stamp.normalize() for stamp in index) else ""
    if short:
        return [f"{stamp.strftime('%b')} {stamp.day}{stamp.strftime(clock)}" for stamp in index]
    return [stamp.strftime("%a %Y-%m-%d" + clock) for stamp in index]


def log_axis(values: Any) -> dict[str, Any]:
    """Return a logarithmic axis that covers the positive ``values``, or a plain one if there are none."""
    values = np.asarray(values, dtype=float).ravel()
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return {"type": "linear"}
    low, high = math.log10(positive.min()), math.log10(positive.max())
    low, high = low - 0.05 * (high - low) - 0.02, high + 0.12 * (high - low) + 0.02
    axis = {"type": "log", "range": [low, high]}
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    every = math.ceil((high - low) / 8)
    powers = range(every * math.floor(low / every), math.ceil(high) + 1, every)
    ticks = [step * 10.0**power for power in powers for step in steps]
    ticks = [tick for tick in ticks if low <= math.log10(tick) <= high]
    if len(ticks) < 2:  # less than a decade: plotly's own ticks are better
        return axis | {"nticks": 6}
    return axis | {"tickvals": ticks, "ticktext": [_tick_text(tick) for tick in ticks]}


def _tick_text(value: float) -> str:
    if 1e-4 < value < 1e5:
        return f"{value:g}"
    return f"10<sup>{round(math.log10(value))}</sup>".replace("-", "−")


def line_mode(points: int) -> str:
    """Return plotly's mode of a line: with its points shown if there are few."""
    return "lines+markers" if points <= FEW else "lines"


def marked_line(figure: "Figure", at: Any, text: str, on_the_left: bool, top: float = 1.0) -> None:
    """Draw a dotted vertical line at ``at`` with ``text`` beside its upper end."""
    figure.add_shape(
        type="line", x0=at, x1=at, y0=0, y1=top, yref="paper", line={"color": NEUTRAL, "width": 1.5, "dash": "dot"}
    )
    side = {"xanchor": "left", "xshift": 4} if on_the_left else {"xanchor": "right", "xshift": -4}
    figure.add_annotation(x=at, y=top, yref="paper", yanchor="top", text=text, showarrow=False, **side)


def whole_numbers(numbers: Sequence[int]) -> dict[str, Any]:
    """Return an axis of counts that has no fractions when there are few of them."""
    return {"tick0": numbers[0], "dtick": 1} if 0 < len(numbers) <= 12 else {}


def with_headroom(values: np.ndarray, share: float = 0.12) -> dict[str, Any]:
    """Return an axis that covers ``values`` and leaves a ``share`` of its length free at the top, for words."""
    values = values[np.isfinite(values)]
    if not values.size:
        return {}
    low, high = float(values.min()), float(values.max())
    spread = (high - low) or abs(high) or 1.0
    return {"range": [low - 0.05 * spread, high + share * spread]}

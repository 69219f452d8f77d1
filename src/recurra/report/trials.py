"""Pictures of a search: how good each trial was, what each setting had to do with it, and what mattered.

They take numbers and texts and know no task. A cost is a score as it is, or its negative where high is good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..writing.numbers import percent
from .canvas import COLOURS, NEUTRAL, canvas, log_axis, named_ticks, plain, whole_numbers

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

FEW_NUMBERS = 12  # values of a range that have a tick each
# Beyond the edge a picture would show little but trials that went astray.
CUT_OFF = "What stands at the edge is worse than shown."


@dataclass(frozen=True)
class Scores:
    """How good trials were."""

    values: np.ndarray  # (N,)
    ended: np.ndarray  # (N,), whether a training came to its end
    high: bool  # whether high is good


def trials_over_time(scores: Scores, title: str) -> "Figure":
    """Return the ``scores`` of trials by their number, with the best one so far as a line; NaN is none."""
    reading = (
        f"{'Higher' if scores.high else 'Lower'} is better. A point is a trial, a hollow one was ended early; the line "
        f"is the best so far, and the dotted one the settings as they are. {CUT_OFF}"
    )
    figure = canvas(300, reading, showlegend=False)
    values, high = scores.values, scores.high
    numbers, shown, window = np.arange(len(values)), *_window(values, high)
    best = np.where(scores.ended & np.isfinite(values), values, -np.inf if high else np.inf)
    best = np.maximum.accumulate(best) if high else np.minimum.accumulate(best)
    known = np.isfinite(best)
    line = {"color": COLOURS[0], "width": 2, "shape": "hv"}
    figure.add_scatter(x=numbers[known], y=best[known], mode="lines", line=line, hoverinfo="skip")
    _both(figure, numbers, shown, scores)
    if len(values) and np.isfinite(values[0]):
        dotted = {"color": NEUTRAL, "width": 1.5, "dash": "dot"}
        figure.add_shape(type="line", x0=0, x1=1, xref="paper", y0=shown[0], y1=shown[0], line=dotted)
    figure.update_xaxes(title_text="trial", **whole_numbers(list(numbers)))
    figure.update_yaxes(title_text=plain(title), **window)
    return figure


def setting_slice(name: str, values: Sequence[Any], scores: Scores, best: int, log: bool) -> "Figure":
    """Return the ``scores`` of trials by the value of one setting; number ``best`` of them is marked.

    Values that are texts stand beside each other in the order in which they come first, numbers where they belong.
    """
    reading = f"Each point is a trial, a hollow one was ended early, and the large one is the best. {CUT_OFF}"
    figure = canvas(230, reading, title=name, showlegend=False, meta={"reading": reading, "own": ("text",)})
    places, axis = _placed(values, log)
    shown, window = _window(scores.values, scores.high)
    _both(figure, places, shown, scores)
    full = {"color": COLOURS[1], "size": 12}
    here = slice(best, best + 1)
    _points(figure, places[here], shown[here], scores.values[here], full)
    figure.update_xaxes(**axis)
    figure.update_yaxes(**window)
    return figure


def what_mattered(shares: Mapping[str, float]) -> "Figure":
    """Return the share of each setting in what mattered as bars, the largest one on top."""
    reading = (
        "How much worse a score is foretold when the values of this setting are shuffled, as a share of all settings; "
        "a setting without a bar made no difference that these trials show."
    )
    figure = canvas(70 + 30 * len(shares), reading, showlegend=False, meta={"reading": reading, "own": ("ticktext",)})
    names, sizes = list(shares), list(shares.values())
    figure.add_bar(
        x=sizes,
        y=list(range(len(names))),
        orientation="h",
        marker={"color": COLOURS[0]},
        text=[percent(size) for size in sizes],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure.update_xaxes(tickformat=".0%", range=[0, 1.12 * max(sizes, default=1.0)])
    figure.update_yaxes(autorange="reversed", showgrid=False, **named_ticks(names))
    return figure


def _both(figure: "Figure", x: np.ndarray, y: np.ndarray, scores: Scores) -> None:
    """Draw the trials that came to their end, and as rings those that did not."""
    for ended, symbol in ((True, "circle"), (False, "circle-open")):
        here = (scores.ended == ended) & np.isfinite(scores.values)
        _points(figure, x[here], y[here], scores.values[here], {"symbol": symbol, "color": COLOURS[0], "size": 8})


def _points(figure: "Figure", x: Any, y: np.ndarray, scores: np.ndarray, marker: dict[str, Any]) -> None:
    marker = {**marker, "line": {"width": 2}} if marker.get("symbol") == "circle-open" else marker
    figure.add_scatter(x=x, y=y, mode="markers", marker=marker, customdata=scores, hovertemplate=HOVER)


HOVER = "%{x}: %{customdata:.4~g}<extra></extra>"


def _window(scores: np.ndarray, high: bool) -> tuple[np.ndarray, dict[str, Any]]:
    """Return where scores are shown, and an axis that has room for most of them: bad ones stand at its edge."""
    known = scores[np.isfinite(scores)]
    if not known.size:
        return scores, {}
    costs = -known if high else known
    low, middle, top = float(costs.min()), float(np.median(costs)), float(costs.max())
    edge = min(top, middle + 2 * (middle - low)) if middle > low else top
    room = 0.06 * ((edge - low) or abs(low) or 1.0)
    shown = np.clip(scores, -edge, None) if high else np.clip(scores, None, edge)
    ends = (low - room, edge + room)
    return shown, {"range": [-ends[1], -ends[0]] if high else list(ends)}


def _placed(values: Sequence[Any], log: bool) -> tuple[np.ndarray, dict[str, Any]]:
    """Return where values stand on an axis, and the axis."""
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        numbers = np.array(values, dtype=float)
        if log:
            return numbers, log_axis(numbers)
        few = sorted(set(values))
        whole = all(isinstance(value, int) for value in few) and len(few) <= FEW_NUMBERS
        return numbers, {"tickvals": few} if whole else {}
    texts = [str(value) for value in values]
    names = list(dict.fromkeys(texts))
    places = np.array([names.index(text) for text in texts], dtype=float)
    return places, named_ticks(names) | {"range": [-0.5, len(names) - 0.5]}

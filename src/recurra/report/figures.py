"""Pictures of a training and of what a model looked at; they take arrays, labels and records and know no task.

Every figure carries one sentence or two that say how to read it, in ``layout.meta["reading"]``.
Shapes: T steps, Q outputs, H units.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from ..writing.numbers import in_steps, percent
from .canvas import (
    COLOURS,
    DASHES,
    NEUTRAL,
    axis_of,
    canvas,
    index_of,
    line_mode,
    log_axis,
    marked_line,
    named_ticks,
    plain,
    texts_of,
    tint,
    whole_numbers,
    with_headroom,
)

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

EVEN = 1.3  # looks are called even if no place gets more than so many times its part
HOVER_CELLS = 20_000  # a larger map names its cells by the axes, to keep the file small


def learning_curves(history: Sequence[Mapping[str, Any]]) -> "Figure":
    """Return the losses over the epochs of ``history``, with the best epoch marked."""
    numbers = [record["number"] for record in history]
    curves = {"training": [record["train_loss"] for record in history]}
    if any(record["valid_loss"] is not None for record in history):
        curves["validation"] = [record["valid_loss"] for record in history]
    known = np.array([v for curve in curves.values() for v in curve if v is not None], dtype=float)
    wide = known.size > 0 and known.min() > 0 and known.max() > 10 * known.min()
    ends = "the weights of the best epoch are the ones that are kept"
    if "validation" in curves and curves["validation"][-1] is None:
        ends = "from the weights of the best epoch training goes on, without validation, to its end"
    reading = (
        "Lower is better. If validation rises while training still falls, the model learns the training data "
        f"by heart; {ends}."
    )
    if history and not history[0]["gradient_norms"]:
        reading = "Lower is better. What is far above the best one was a reservoir that does not suit these data."
    figure = canvas(320, reading, hovermode="x unified")
    for (name, losses), colour in zip(curves.items(), (NEUTRAL, COLOURS[0]), strict=False):
        figure.add_scatter(
            x=numbers,
            y=losses,
            name=name,
            mode=line_mode(len(numbers)),
            line={"color": colour, "width": 2.5},
            hovertemplate="%{y:.4~g}",
        )
    figure.update_xaxes(title_text="epoch", **whole_numbers(numbers))
    figure.update_yaxes(title_text="loss", **(log_axis(known) if wide else with_headroom(known)))
    best = [record for record in history if record["best"]][-1:]
    for record in best:
        loss = record["valid_loss"] if record["valid_loss"] is not None else record["train_loss"]
        first_half = record["number"] <= (numbers[0] + numbers[-1]) / 2
        marked_line(figure, record["number"], f"best: epoch {record['number']}, {loss:.4g}", first_half)
    return figure


def gradient_norms(history: Sequence[Mapping[str, Any]]) -> "Figure":
    """Return the gradient norm of every parameter group over the epochs of ``history``, on a log scale."""
    numbers = [record["number"] for record in history]
    groups = list(history[0]["gradient_norms"]) if history else []
    reading = (
        "How strongly each part of the model is pulled, before clipping. Steady lines are healthy; a line that "
        "dives has stopped learning, one that climbs without end asks for a smaller learning rate."
    )
    figure = canvas(320, reading, hovermode="x unified")
    series = [[record["gradient_norms"][group] for record in history] for group in groups]
    for group, norms, colour, dash in zip(groups, series, COLOURS, DASHES, strict=False):
        figure.add_scatter(
            x=numbers,
            y=norms,
            name=plain(group),
            mode=line_mode(len(numbers)),
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate="%{y:.3~g}",
        )
    figure.update_xaxes(title_text="epoch", **whole_numbers(numbers))
    figure.update_yaxes(title_text="gradient norm", **log_axis(series))
    return figure


def attention_map(
    weights: np.ndarray, memory_labels: Iterable[Any], query_labels: Iterable[Any], output: str = "output"
) -> "Figure":
    """Return attention ``weights`` (Q, T) as a map: a row is an output, a column a place it could look at.

    A label names the first moment of what it stands for; ``output`` is what a row is called when pointed at.
    Raises ConfigError if the labels are not as many as the weights.
    """
    weights = np.asarray(weights)
    memory, queries = index_of(memory_labels), index_of(query_labels)
    if weights.shape != (len(queries), len(memory)):
        raise ConfigError(
            f"Attention weights of shape {weights.shape} need labels for as many outputs and places: "
            f"got {len(queries)} and {len(memory)}."
        )
    even = percent(1 / max(1, len(memory)))
    whole = "A row sums to 100 %; l" if np.allclose(weights.sum(1), 1, atol=1e-3) else "L"  # some attentions do not
    reading = (
        "A row is what looked, a column is a place it could look at; the stronger its colour, the longer the look. "
        f"{whole}ooking everywhere alike would be {even} per cell. Point at a cell to read it."
    )
    height = round(min(560, max(210, 140 + 30 * len(queries))))
    figure = canvas(height, reading)
    edges, axis = _edges(memory)
    texts = _cell_texts(weights, memory, queries, output) if weights.size <= HOVER_CELLS else None
    plainly = plain(output) + " %{y} looked at %{x}: %{z:.1%}<extra></extra>"
    figure.add_heatmap(
        z=weights,
        x=edges,
        y=np.arange(len(queries)),
        text=texts,
        hovertemplate="%{text}<extra></extra>" if texts else plainly,
        zmin=0,
        zmax=float(weights.max(initial=0.0)) or 1.0,
        colorscale=[[0, tint(COLOURS[0], 0.04)], [1, tint(COLOURS[0], 1)]],
        colorbar=_colour_bar(),
        ygap=1,
    )
    figure.update_xaxes(title_text="looked at", zeroline=False, **axis)
    figure.update_yaxes(autorange="reversed", showgrid=False, zeroline=False)
    figure.update_yaxes(**named_ticks(texts_of(queries, short=True), most=12))
    return figure


def looked_where(weights: np.ndarray, memory_labels: Iterable[Any]) -> str:
    """Say in a sentence where attention ``weights`` (Q, T) went, all outputs together."""
    shares = np.asarray(weights).mean(0) / max(float(np.asarray(weights).mean(0).sum()), 1e-12)
    place, even = int(shares.argmax()), 1 / max(1, len(shares))
    if shares[place] < EVEN * even:
        return "It looks nearly everywhere alike."
    return (
        f"It looks longest at {texts_of(memory_labels)[place]}, with {percent(float(shares[place]))} of all looks; "
        f"looking everywhere alike would be {percent(even)}."
    )


def _cell_texts(weights: np.ndarray, memory: "pd.Index", queries: "pd.Index", output: str) -> list[list[str]]:
    columns = [plain(text) for text in texts_of(memory)]
    rows = [plain(f"{output} {text}") for text in texts_of(queries)]
    return [
        [f"{row} looked at {column}: {percent(weight)}" for column, weight in zip(columns, line, strict=True)]
        for row, line in zip(rows, weights, strict=True)
    ]


def _edges(memory: "pd.Index") -> tuple[Any, dict[str, Any]]:
    """Return the borders (T + 1,) of columns that begin at their label, and their axis."""
    values, axis = axis_of(memory)
    if memory.dtype.kind not in "Miuf" or not (memory.is_monotonic_increasing and memory.is_unique):
        return np.arange(len(memory) + 1) - 0.5, named_ticks(texts_of(memory, short=True))
    width = memory[-1] - memory[-2] if len(memory) > 1 else _one(memory)
    return index_of([*values, memory[-1] + width]), axis


def _one(memory: "pd.Index") -> Any:
    return np.timedelta64(1, "D") if memory.dtype.kind == "M" else 1


def _colour_bar() -> dict[str, Any]:
    return {
        "orientation": "h",
        "x": 0,
        "xanchor": "left",
        "y": 1.02,
        "yanchor": "bottom",
        "len": 0.45,
        "thickness": 10,
        "ypad": 4,
        "tickformat": ".2~%",
        "nticks": 4,
        "outlinewidth": 0,
    }


def gates_over_time(gates: Mapping[str, np.ndarray], labels: Iterable[Any]) -> "Figure":
    """Return one panel per gate (T, H): the median over its units, and the band of the middle 80 %."""
    places, axis = axis_of(labels)
    rows = len(gates)
    reading = (
        "The line is the median over all units, the band holds the middle 80 % of them. A gate at 1 is open, "
        "at 0 it is shut; a flat line means that the gate does not react to the input."
    )
    figure = canvas(70 + 125 * max(1, rows), reading, showlegend=False, hovermode="x unified")
    if rows:
        figure.set_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=min(0.3 / rows, 0.08))
    for row, (name, gate) in enumerate(gates.items(), 1):
        _gate_panel(figure, row, places, np.asarray(gate))
        suffix = "" if row == 1 else str(row)
        figure.add_annotation(
            text=f"<b>{plain(name)}</b>",
            x=0,
            xref="paper",
            xanchor="left",
            y=1,
            yref=f"y{suffix} domain",
            yanchor="bottom",
            showarrow=False,
        )
    figure.update_xaxes(**axis)
    figure.update_layout(margin_t=28)
    return figure


def _gate_panel(figure: "Figure", row: int, places: Any, gate: np.ndarray) -> None:
    low, middle, high = np.quantile(gate, [0.1, 0.5, 0.9], axis=1)
    hidden = {"x": places, "mode": "lines", "line": {"width": 0}, "row": row, "col": 1}
    figure.add_scatter(y=high, hoverinfo="skip", **hidden)
    figure.add_scatter(y=low, fill="tonexty", fillcolor=tint(COLOURS[0], 0.22), hoverinfo="skip", **hidden)
    figure.add_scatter(
        x=places,
        y=middle,
        mode="lines",
        line={"color": COLOURS[0], "width": 2},
        hovertemplate="median %{y:.2f}<extra></extra>",
        row=row,
        col=1,
    )
    signed = bool(low.min() < 0)
    limits = (
        {"range": [-1.05, 1.05], "tickvals": [-1, 0, 1]}
        if signed
        else {"range": [-0.03, 1.03], "tickvals": [0, 0.5, 1]}
    )
    if gate.min() >= -1 and gate.max() <= 1:
        figure.update_yaxes(row=row, col=1, **limits)


def gradient_reach(norms: np.ndarray, labels: Iterable[Any], span: Callable[[float], str] = in_steps) -> "Figure":
    """Return how strongly the last output depends on each step, ``norms`` (T,), on a log scale.

    The title is the verdict, in which ``span`` writes steps as a stretch of the data.
    """
    places, axis = axis_of(labels)
    reading = (
        "How much the last output would move if the input at that step moved a little. What lies far below the "
        "right-hand end has as good as no influence, and the model can hardly learn from it."
    )
    figure = canvas(300, reading, title=reach_verdict(norms, span))
    figure.add_scatter(
        x=places,
        y=np.asarray(norms),
        mode=line_mode(len(norms)),
        line={"color": COLOURS[0], "width": 2.5},
        hovertemplate="%{x}: %{y:.3~g}<extra></extra>",
    )
    figure.update_xaxes(title_text="input at", **axis)
    figure.update_yaxes(title_text="gradient norm", **log_axis(norms))
    if figure.layout.yaxis.type == "log":
        _mark_share(figure, 0.01 * float(np.nanmax(norms)))
    return figure


def _mark_share(figure: "Figure", at: float) -> None:
    """Draw a line at one hundredth of the largest value, if it lies within the axis."""
    if not np.isfinite(at) or np.log10(at) < figure.layout.yaxis.range[0]:
        return
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dot"}
    figure.add_shape(type="line", x0=0, x1=1, xref="paper", y0=at, y1=at, line=line)
    place = {
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "xshift": 4,
        "y": float(np.log10(at)),
        "yanchor": "bottom",
    }
    figure.add_annotation(text="1\u00a0% of the largest", showarrow=False, **place)


def reach_verdict(norms: np.ndarray, span: Callable[[float], str] = in_steps) -> str:
    """Return one sentence on whether the gradient ``norms`` (T,), oldest first, vanish, last or explode."""
    norms = np.asarray(norms, dtype=float)
    steps = len(norms)
    if not np.isfinite(norms).all():
        return "The gradient is not a finite number: it explodes."
    if not norms.any():
        return "No gradient reaches the input: the last output does not depend on it."
    oldest = float(np.median(norms[: max(1, steps // 4)]))
    if steps > 1 and oldest > 10 * norms[-1]:
        times = oldest / norms[-1] if norms[-1] else np.inf
        size = f"{times:.0f}" if times < 1000 else "more than 1000"
        return f"The gradient grows to {size} times its size on its way back: it explodes."
    within = np.flatnonzero(norms > 0.01 * norms.max())
    reach = steps - int(within[0])
    if within[0] == 0:
        share = round(100 * norms[0] / norms.max())
        return f"The gradient does not vanish: {share} % of it is left at the far end, {span(steps)} back."
    verdict = "memory is short" if reach <= steps // 2 else "memory is long"
    return f"The gradient falls to 1 % after {span(reach)} of {span(steps)}: {verdict}."

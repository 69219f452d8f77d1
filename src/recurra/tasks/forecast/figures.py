"""Pictures of forecasts: one series, several series, the error by step ahead, and where the model looked.

Shapes: P past steps, H steps ahead, Q outputs, T places in the past.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...report.canvas import (
    COLOURS,
    DASHES,
    NEUTRAL,
    axis_of,
    canvas,
    line_mode,
    marked_line,
    plain,
    tint,
    with_headroom,
)
from ...report.figures import attention_map
from ...writing.numbers import decimals_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Bands = Mapping[int, tuple[np.ndarray, np.ndarray]]  # level in percent to lower and upper bound, each (H,)
SQUEEZE = 2.5  # times our own worst error, beyond which a model is not drawn whole
SHOWN = 2  # at first the past is shown over so many horizons


class Forecast(NamedTuple):
    """One forecast, and the past it was made from."""

    past_times: Any  # (P,)
    past: np.ndarray  # (P,)
    times: Any  # (H,)
    point: np.ndarray  # (H,) the median, or the mean of a head that has none
    bands: Bands = {}
    truth: np.ndarray | None = None  # (H,)
    parts: Mapping[str, np.ndarray] = {}  # (H,) of what the forecast is a mean of


def forecast_figure(forecast: Forecast, title: str = "") -> "Figure":
    """Return what happened, a line at now, and the forecast with its intervals."""
    return _draw(forecast, title, height=400)


def series_grid(forecasts: Mapping[str, Forecast], most: int = 6) -> "list[Figure]":
    """Return small figures of the first ``most`` series, to stand beside each other as the page has room."""
    chosen = list(forecasts.items())[:most]
    figures = [_draw(forecast, name, height=230) for name, forecast in chosen]
    for figure in figures:
        figure.update_xaxes(nticks=4, tickangle=0)
    return figures


def _draw(forecast: Forecast, title: str, height: int) -> "Figure":
    figure = canvas(height, _reading(forecast), title, hovermode="x unified")
    times, axis = axis_of(forecast.times)
    past_times, _ = axis_of(forecast.past_times)
    decimals = decimals_of(forecast.past)
    value = f"%{{y:,.{decimals}f}}"
    for darker, level in enumerate(sorted(forecast.bands, reverse=True)):
        _add_band(figure, times, level, *forecast.bands[level], min(0.6, 0.16 + 0.14 * darker), decimals)
    lines = [
        ("what happened", past_times, forecast.past, {"color": NEUTRAL, "width": 1.75}, "lines"),
        ("forecast", times, forecast.point, {"color": COLOURS[0], "width": 2.75}, line_mode(len(times))),
        ("what happened then", times, forecast.truth, {"color": COLOURS[1], "width": 1.5}, line_mode(len(times))),
    ]
    for (name, part), dash in zip(forecast.parts.items(), DASHES[1:], strict=False):
        lines.append((plain(name), times, part, {"color": COLOURS[2], "width": 1.5, "dash": dash}, "lines"))
    for name, places, values, line, mode in lines:
        if values is not None:
            figure.add_scatter(
                x=places, y=np.asarray(values), name=name, mode=mode, line=line, marker_size=4, hovertemplate=value
            )
    first = max(0, len(past_times) - max(SHOWN * len(times), 24))
    figure.update_yaxes(**with_headroom(_shown(forecast, first)))
    left = past_times[first] if len(past_times) else times[0]
    figure.update_xaxes(range=[left, times[-1]], **axis)
    if len(past_times):
        marked_line(figure, past_times[-1], "<b>now</b>", on_the_left=False)
    return figure


def _add_band(
    figure: "Figure", times: Any, level: int, low: np.ndarray, high: np.ndarray, share: float, decimals: int
) -> None:
    hidden = {"x": times, "mode": "lines", "line": {"width": 0}, "legendgroup": f"{level}"}
    figure.add_scatter(y=np.asarray(high), hoverinfo="skip", showlegend=False, **hidden)
    figure.add_scatter(
        y=np.asarray(low),
        name=f"{level} % interval",
        fill="tonexty",
        fillcolor=tint(COLOURS[0], share),
        customdata=np.stack([low, high], -1),
        hovertemplate=f"%{{customdata[0]:,.{decimals}f}} to %{{customdata[1]:,.{decimals}f}}",
        **hidden,
    )


def _shown(forecast: Forecast, first: int) -> np.ndarray:
    """Return every value that is drawn from the ``first`` past step on."""
    bounds = [bound for band in forecast.bands.values() for bound in band]
    truth = [] if forecast.truth is None else [forecast.truth]
    parts = [forecast.past[first:], forecast.point, *bounds, *truth, *forecast.parts.values()]
    return np.concatenate([np.asarray(part, dtype=float) for part in parts])


def _reading(forecast: Forecast) -> str:
    reading = "Grey is what happened before now, blue is the forecast."
    if forecast.truth is not None:
        reading = reading.replace(
            ", blue is the forecast", ", blue the forecast, orange what happened after it was made"
        )
    if forecast.parts:
        reading += " The thin green lines are the parts of which it is the weighted mean."
    if forecast.bands:
        level = max(forecast.bands)
        reading += f" The truth should lie inside the {level} % band about {level} times in 100."
    return reading


def error_figure(errors: Mapping[str, np.ndarray], ours: str | None = None) -> "Figure":
    """Return the mean absolute error (H,) of each model by step ahead; ``ours`` (or the first) stands out."""
    ours = next(iter(errors), None) if ours is None else ours
    reading = (
        "How far off each model is on average, so many steps ahead; lower is better. A model that stays below "
        "the thin lines is worth its trouble."
    )
    top, outside = _top_of(errors, ours)
    if outside:
        reading += f" Too far off for this picture: {', '.join(map(plain, outside))}."
    figure = canvas(340, reading, hovermode="x unified")
    styles = zip(COLOURS[1:] * len(errors), DASHES[1:] * len(errors), strict=False)
    for name, error in errors.items():
        colour, dash = (COLOURS[0], "solid") if name == ours else next(styles)
        figure.add_scatter(
            x=np.arange(1, len(error) + 1),
            y=np.asarray(error),
            name=plain(name),
            mode=line_mode(len(error)),
            line={"color": colour, "dash": dash, "width": 3.5 if name == ours else 1.75},
            hovertemplate=f"%{{y:,.{decimals_of(error)}f}}",
        )
    longest = max((len(error) for error in errors.values()), default=0)
    figure.update_xaxes(title_text="steps ahead", **({"dtick": 1} if longest <= 12 else {}))
    figure.update_yaxes(
        title_text="mean absolute error", **({"range": [0, top]} if outside else {"rangemode": "tozero"})
    )
    return figure


def _top_of(errors: Mapping[str, np.ndarray], ours: str | None) -> tuple[float, list[str]]:
    """Return where the axis ends, and which models lie above it for the most part: bad ones must not squeeze others."""
    peaks = {name: float(np.nanmax(error, initial=0.0)) for name, error in errors.items()}
    limit = SQUEEZE * max(min(peaks.values(), default=0.0), peaks.get(ours or "", 0.0))
    inside = [peak for peak in peaks.values() if peak <= limit]
    outside = [name for name, peak in peaks.items() if peak > limit]
    return 1.1 * max(inside, default=0.0), outside


def attention_figure(weights: np.ndarray, memory_labels: Iterable[Any], query_labels: Iterable[Any]) -> "Figure":
    """Return where in the past (T) each forecast (Q) looked, from attention ``weights`` (Q, T)."""
    return attention_map(weights, memory_labels, query_labels, output="forecast of")


def lag_figure(shares: np.ndarray, names: Sequence[str], period: int, seasonal: bool) -> "Figure":
    """Return the share of looks that went 1, 2, .. places back, called ``names``.

    Whole periods are named below, and stand out if the series is ``seasonal``.
    """
    reading = (
        "A bar is how much of the looking went so far back; the step right before what is forecast stands on the right."
    )
    reading += " High bars at whole seasons say that the model repeats what was then." if seasonal else ""
    figure = canvas(260, reading, showlegend=False)
    back = np.arange(1, len(shares) + 1)
    whole = (back % period == 0) & seasonal & (period > 1)
    figure.add_bar(
        x=back,
        y=shares,
        marker_color=[COLOURS[0] if mark else tint(COLOURS[0], 0.45) for mark in whole],
        customdata=[plain(name) for name in names],
        hovertemplate="%{customdata} before: %{y:.1%}<extra></extra>",
    )
    every = period if period > 1 and len(shares) >= period else max(1, len(shares) // 6)
    every *= -(-len(shares) // (8 * every))  # eight names at most
    ticks = [1, *range(every, len(shares) + 1, every)] if every > 2 else list(range(every, len(shares) + 1, every))
    figure.update_xaxes(
        autorange="reversed",
        title_text="before what is forecast",
        tickvals=ticks,
        ticktext=[names[t - 1] for t in ticks],
    )
    figure.update_layout(margin_r=32)  # the name of the first bar is wider than the bar
    figure.update_yaxes(title_text="share of looks", tickformat=".0%", rangemode="tozero")
    return figure


def evidence_figure(growth: np.ndarray, shares: np.ndarray, names: Sequence[str]) -> "Figure":
    """Return how much the error grows without each stretch of the past (n,), called ``names``, the oldest first.

    The darker a bar, the larger the share of looks (n,).
    """
    reading = (
        "A bar is how much larger the error becomes when that stretch of the past is drawn as a straight line; the "
        "darker it is, the more it was looked at. If looking explains, the dark bars are the high ones."
    )
    figure = canvas(260, reading, showlegend=False)
    back = np.arange(len(growth), 0, -1)
    strength = shares / (shares.max(initial=0.0) or 1.0)
    figure.add_bar(
        x=back,
        y=growth,
        marker_color=[tint(COLOURS[0], round(0.12 + 0.88 * float(one), 3)) for one in strength],
        marker_line={"color": COLOURS[0], "width": 1},
        customdata=np.stack([np.array([plain(name) for name in names], dtype=object), shares], -1),
        hovertemplate="%{customdata[0]} before: %{y:+.1%}, %{customdata[1]:.1%} of the looks<extra></extra>",
    )
    every = max(1, len(growth) // 6)
    ticks = [1, *range(every, len(growth) + 1, every)] if every > 1 else back[::-1].tolist()
    figure.update_xaxes(
        autorange="reversed",
        title_text="before what is forecast",
        tickvals=ticks,
        ticktext=[plain(names[len(names) - tick]) for tick in ticks],
    )
    figure.update_layout(margin_r=32)
    figure.update_yaxes(title_text="growth of the error", tickformat="+.0%")
    return figure

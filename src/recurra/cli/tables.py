"""Tables for the terminal: the metrics of a few models, and the models of a comparison."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..compare.metric import Metric
from ..writing.numbers import NOTHING, column, short


def metrics_table(metrics: Mapping[str, Mapping[str, float]], known: Sequence[Metric]) -> Any:
    """Return a table of metrics, a column per model, with the best of each row in bold."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for label in metrics:
        table.add_column(label, justify="right")
    for metric in known:
        values = [row.get(metric.name) for row in metrics.values()]
        if any(value is not None for value in values):
            table.add_row(metric.title, *_cells(metric, values))
    return table


def _cells(metric: Metric, values: Sequence[float | None]) -> list[str]:
    texts = [_percent(value) for value in values] if metric.share else column(values)
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not metric.better or not known:
        return texts
    best = max(known) if metric.better == "high" else min(known)
    return [f"[bold]{text}[/bold]" if v == best else text for v, text in zip(values, texts, strict=True)]


def _percent(share: float | None) -> str:
    return NOTHING if share is None or not math.isfinite(share) else f"{100 * share:.1f} %"


def legend(metric: Metric) -> str:
    """Say how to read the table of a comparison."""
    better = "higher" if metric.better == "high" else "lower"
    return (
        f"{metric.sentence} {metric.title}: {better} is better; ±: 95 % interval over seeds; p: chance that such a "
        "difference to the best model, or to the best naive one, is luck."
    )


def comparison_table(rows: Sequence[Mapping[str, Any]], metric: Metric) -> Any:
    """Return the table of a comparison, best first; it fits 80 columns."""
    from rich.table import Table

    shown = {
        "model": "model",
        metric.name: metric.title,
        "interval": "±",
        "p_best": "p best",
        "p_naive": "p naive",
        "parameters": "params",
        "seconds_per_epoch": "s/epoch",
    }
    table = Table(box=None, pad_edge=False)
    columns = []
    for name, heading in shown.items():
        left = name == "model"
        table.add_column(heading, justify="left" if left else "right", overflow="fold" if left else "ellipsis")
        values = [row.get(name) for row in rows]
        columns.append(_texts(name, values, metric))
    for row, cells in zip(rows, zip(*columns, strict=True), strict=True):
        table.add_row(*cells, style="dim" if "seeds" not in row else None)
    return table


def _texts(name: str, values: Sequence[Any], metric: Metric) -> Sequence[str]:
    """Return one column of a comparison as texts."""
    if name == "model":
        return values
    if metric.share and name in (metric.name, "interval"):
        return [_percent(value) for value in values]
    return column(values) if name == metric.name else [short(value) for value in values]

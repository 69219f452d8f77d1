"""Tables for the terminal: the metrics of a few models, and the models of a comparison."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..compare.metric import Metric
from ..writing.language import translated
from ..writing.numbers import NOTHING, column, short

WIDTH = 80
ERRORS = {"step": "step ahead", "unique_id": "series", "count": "values", "mae": "MAE", "rmse": "RMSE", "bias": "bias"}
INSIDE = "in-"  # and a level: the share of values in its interval


def metrics_table(metrics: Mapping[str, Mapping[str, float]], known: Sequence[Metric]) -> Any:
    """Return a table of metrics, a row per model, best first; of the metrics those that 80 columns have room for."""
    from rich.cells import cell_len
    from rich.table import Table

    rows = _ranked(metrics, known[0])
    table = Table(box=None, pad_edge=False)
    labels = [translated(label) for label in rows]
    table.add_column("", no_wrap=True)
    columns, room = [labels], WIDTH - max(map(cell_len, labels))
    for metric in (one for one in known if one.shown):
        values = [metrics[row].get(metric.name) for row in rows]
        cells = _cells(metric, values)
        room -= 2 + max(map(cell_len, (translated(metric.title), *cells)))
        if any(value is not None for value in values) and (room >= 0 or metric is known[0]):
            table.add_column(translated(metric.title), justify="right", no_wrap=True)
            columns.append(cells)
    for number, row in enumerate(zip(*columns, strict=True)):
        table.add_row(*row, style=None if number else "bold")
    return table


def errors_table(errors: Any) -> Any:
    """Return a table of errors: a row for each value of the first column, which says what the row is."""
    from rich.table import Table

    table, (first, *rest) = Table(box=None, pad_edge=False), errors.columns
    table.add_column(translated(ERRORS.get(first, first)), no_wrap=True)
    columns = [[str(value) for value in errors[first]]]
    for name in rest:
        share = str(name).startswith(INSIDE)
        title = f"in {str(name).removeprefix(INSIDE)} % band" if share else ERRORS.get(name, name)
        table.add_column(translated(title), justify="right", no_wrap=True)
        values = errors[name].tolist()
        columns.append([_percent(v) for v in values] if share else column(values) if name != "count" else values)
    for row in zip(*columns, strict=True):
        table.add_row(*map(str, row))
    return table


def _ranked(metrics: Mapping[str, Mapping[str, float]], metric: Metric) -> list[str]:
    """Return the models, best first by the metric that ranks; those of which it is not known last."""
    sign = -1.0 if metric.better == "high" else 1.0
    scores = {label: row.get(metric.name, math.nan) for label, row in metrics.items()}
    return sorted(scores, key=lambda label: (math.isnan(scores[label]), sign * scores[label]))


def _cells(metric: Metric, values: Sequence[float | None]) -> list[str]:
    return [_percent(value) for value in values] if metric.share else column(values)


def _percent(share: float | None) -> str:
    return NOTHING if share is None or not math.isfinite(share) else f"{100 * share:.1f} %"


def legend(metric: Metric) -> str:
    """Say how to read the table of a comparison."""
    better = "higher" if metric.better == "high" else "lower"
    return (
        f"{metric.sentence} {metric.title}: {better} is better; ±: 95 % interval of the mean over seeds; p: chance "
        "that such a difference to the best model, or to the best naive one, is luck."
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
        table.add_column(
            translated(heading), justify="left" if left else "right", overflow="fold" if left else "ellipsis"
        )
        values = [row.get(name) for row in rows]
        columns.append(_texts(name, values, metric))
    for row, cells in zip(rows, zip(*columns, strict=True), strict=True):
        table.add_row(*cells, style="dim" if "seeds" not in row else None)
    return table


def _texts(name: str, values: Sequence[Any], metric: Metric) -> Sequence[str]:
    """Return one column of a comparison as texts."""
    if name == "model":
        return [translated(value) for value in values]
    if metric.share and name in (metric.name, "interval"):
        return [_percent(value) for value in values]
    return column(values) if name == metric.name else [short(value) for value in values]


def trials_table(trials: Any, metric: Metric) -> Any:
    """Return a table of trials, a row each, from their frame."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = []
    for name in trials.columns:
        if name in ("seconds", "parameters"):
            continue
        values = trials[name].tolist()
        title = translated(metric.title) if name == metric.name else translated(name).replace("_", "_\n")
        table.add_column(title, justify="left" if name == "state" else "right", no_wrap=name != metric.name)
        if name == metric.name:
            columns.append(_cells(metric, values))
        else:
            columns.append([translated(f"{one:g}" if isinstance(one, float) else str(one)) for one in values])
    for cells in zip(*columns, strict=True):
        table.add_row(*cells)
    return table

"""Tables in the report, and any value as a person reads it there."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import pick
from ..writing.language import translated
from ..writing.numbers import NOTHING, column
from .canvas import texts_of
from .markup import render

if TYPE_CHECKING:
    import pandas as pd


LONG = 40  # characters of a text that is broken into lines


class Cell(NamedTuple):
    """One cell: what it says and how it is set."""

    text: str
    number: bool  # numbers stand on the right
    names_row: bool = False
    best: bool = False


def table_html(table: "pd.DataFrame", best: Mapping[str, str] | None = None, own: Collection[str] = ()) -> str:
    """Return ``table`` as HTML; in the columns of ``best`` the 'low' or the 'high' value is bold.

    Its texts are in the language that is spoken, but for what is the user's ``own``: the names of "rows" and "columns",
    and the rest, "cells". An index that only counts the rows is left out. Long texts are broken into lines. Raises
    ConfigError if ``best`` names a column that is not there, or another direction.
    """
    counted = table.index.name is None and list(table.index) == list(range(len(table)))
    frame = table if counted else table.rename_axis(table.index.names if any(table.index.names) else "").reset_index()
    names = 0 if counted else table.index.nlevels
    columns = [frame.iloc[:, n] for n in range(frame.shape[1])]
    bold = _winners({str(name): values for name, values in zip(frame.columns, columns, strict=True)}, best or {})
    numeric = [values.dtype.kind in "iuf" for values in columns]
    titles = [*_texts(frame.columns[:names], True), *_texts(frame.columns[names:], "columns" not in own)]
    head = [Cell(text, number) for text, number in zip(titles, numeric, strict=True)]
    cells = []
    for n, values in enumerate(columns):
        winners = bold.get(str(values.name), set())
        texts = _texts(values, ("rows" if n < names else "cells") not in own)
        cells.append([Cell(text, numeric[n], n < names, row in winners) for row, text in enumerate(texts)])
    long = any(len(cell.text) > LONG for column in cells for cell in column)
    return render("table.html.j2", {"head": head, "rows": list(zip(*cells, strict=True)), "long": long})


def _winners(columns: Mapping[str, "pd.Series"], best: Mapping[str, str]) -> dict[str, set[int]]:
    """Return the rows that hold the best value of each column in ``best``."""
    found = {}
    for name, side in best.items():
        values = pick(columns, name, "column").to_numpy(dtype=float, na_value=np.nan)
        sign = pick({"low": 1.0, "high": -1.0}, side, "direction of the best value")
        scores = np.where(np.isnan(values), np.inf, sign * values)
        best_score = scores.min(initial=np.inf)
        found[name] = {n for n, score in enumerate(scores) if score == best_score < np.inf}
    return found


def _texts(values: "pd.Series | pd.Index", told: bool) -> list[str]:
    """Return one column as people write it: numbers with the same decimals, days without a clock, words translated."""
    missing = np.asarray(values.isna())
    if values.dtype.kind in "iuf":
        numbers = [None if gone else value for value, gone in zip(values.tolist(), missing, strict=True)]
        return [typeset(text) for text in column(numbers)]
    present = values[~missing]
    known = iter(texts_of(present) if values.dtype.kind == "M" else map(value_text, present))
    return [NOTHING if gone else translated(next(known)) if told else next(known) for gone in missing]


def value_text(value: Any) -> str:
    """Return a single value of whatever kind as a person reads it."""
    if value is None or value is True or value is False:
        return {None: NOTHING, True: translated("yes"), False: translated("no")}[value]
    if isinstance(value, float):
        return typeset(f"{value:.10g}")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(value_text, value)) or NOTHING
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {value_text(part)}" for name, part in value.items()) or NOTHING
    return str(value)


def typeset(number: str) -> str:
    """Return a number as print has it: a narrow space between thousands, read alike in every language, and a minus."""
    return number.replace(",", "\u202f").replace("-", "−")

"""Cases from a table with a header: a case in each row (wide), or a step in each row (long).

Shapes: N cases, T steps, C channels.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError
from ..tables.columns import as_pandas, find_column, numbers
from ..tables.index import with_index
from ..tables.names import filled_names
from .cases import Cases, channel_names, checked, counted, cut, missing_note
from .labels import label_codes, labels_of, merged_note
from .roles import Taken, find_id, find_label, find_time, is_wide, row_names, values_in
from .rows import Rows


def frame_cases(
    frame: Any, *, target: str | None = None, id: str | None = None, time: str | None = None, labelled: bool = True
) -> Cases:
    """Return the cases of a pandas or polars table, one in each row (wide) or with a step in each row (long).

    A table is long if its ids repeat or ``time`` is given; the notes say which it was taken for.
    Raises DataError if a column is missing, a value is no number, or a case has no label or two; where ``labelled``
    is false, a table without labels is allowed.
    """
    table, _ = with_index(as_pandas(frame))
    if not len(table):
        raise DataError("The table has no rows; give it at least one case.")
    _refuse_lists(table)
    _refuse_twice(target, id, time)
    if target is not None and labelled:
        find_column(table.columns, target, "label")
    case = find_id(table, target, time) if id is None else find_column(table.columns, id, "id")
    if case is None or is_wide(table, case, id is not None, time):
        return _wide(table, target, case, labelled)
    return long_cases(table, target, case, time, labelled)


def _refuse_lists(table: pd.DataFrame) -> None:
    """Refuse cells that hold a whole sequence each."""
    for name in (name for name, kind in table.dtypes.items() if kind.kind == "O"):
        first = table[name].first_valid_index()
        if first is not None and isinstance(table[name][first], (list, tuple, dict, np.ndarray, pd.Series)):
            raise DataError(
                f"Column '{name}' has a whole sequence in each cell; give a row for each step, a "
                "column for each step, or the sequences to cases_of."
            )


def _refuse_twice(target: str | None, id: str | None, time: str | None) -> None:
    given = [(name, what) for name, what in ((target, "label"), (id, "id"), (time, "time")) if name is not None]
    for i, (name, what) in enumerate(given):
        for other, second in given[:i]:
            if name == other:
                raise DataError(f"Column '{name}' cannot be the {second} and the {what}; name another for one of them.")


def _label(
    table: pd.DataFrame, target: str | None, taken: Taken, rows: Rows | None, cases: int, labelled: bool
) -> str | None:
    """Return the label column; where the user named one that is not there and need not be, no other takes its place."""
    if target is None:
        return find_label(table, taken, rows, cases, labelled)
    return target if target in table.columns else None


def _wide(table: pd.DataFrame, target: str | None, case: str | None, labelled: bool) -> Cases:
    """Read a case in each row."""
    if case is not None and not table[case].is_unique:
        case = None
    label = _label(table, target, (case,), None, len(table), labelled)
    case = case or row_names(table, label)
    steps, notes = values_in(table, (case, label))
    block = np.stack([numbers(table[name], name) for name in steps], axis=1)
    values, more = cut(block[:, :, None])
    names = counted(len(table)) if case is None else filled_names(table[case])[1]
    said = f"each row is a case, named by {_quoted(case, 'its number')}, with {_said(label)}; "
    said += f"its {len(steps)} step(s) are the columns of numbers from '{steps[0]}' to '{steps[-1]}'"
    cases = Cases(values, None, names, channel_names(1), (said, *notes, *more))
    return checked(cases if label is None else with_labels(cases, table[label], None, labelled))


def long_cases(table: pd.DataFrame, target: str | None, case: str, time: str | None, labelled: bool) -> Cases:
    """Return the cases of a table with a step in each row, those of a case told by the column ``case``."""
    codes, names = filled_names(table[case])
    time, rows = find_time(table, case, codes, time, target)
    taken = (case, time, *(time or "").split("+"))
    label = _label(table, target, taken, rows, len(names), labelled)
    channels, notes = values_in(table, (*taken, label))
    values = rows.split(np.stack([numbers(table[name], name) for name in channels], axis=1))
    said = f"each row is a step of the case in '{case}', in the order of {_quoted(time, 'the rows')}, with "
    said += f"{_said(label)}; {len(channels)} channel(s): {_listed(channels)}"
    if rows.doubled:
        notes = [*notes, f"{rows.doubled:,} row(s) have the time of another row of their case; all were kept"]
    cases = Cases(values, None, names, channels, (said, *notes, *missing_note(values)))
    return checked(cases if label is None else with_labels(cases, table[label], rows, labelled))


def _quoted(name: str | None, other: str) -> str:
    return other if name is None else f"'{name}'"


def _said(label: str | None) -> str:
    return "no label" if label is None else f"its label in '{label}'"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def with_labels(cases: Cases, column: pd.Series, rows: Rows | None, labelled: bool) -> Cases:
    """Return the cases with the labels in a column, where each case has one row or ``rows``.

    Raises DataError for a case that has two, or none although cases must be ``labelled``.
    """
    codes, classes = label_codes(column, as_is=False)
    notes = (*cases.notes, *merged_note(column))
    if rows is not None:
        each, twice = rows.one_each(codes)
        if twice is not None:
            start, stop = rows.bounds[twice : twice + 2]
            found = dict.fromkeys(classes[code] for code in rows.take(codes)[start:stop] if code >= 0)
            one, other = list(found)[:2]
            raise DataError(
                f"Case '{cases.names[twice]}' has two labels in '{column.name}', '{one}' and '{other}'; give all its "
                "rows the same, or name the column that tells cases apart with id=."
            )
        codes = each
    return replace(cases, labels=labels_of(codes, classes, cases.names, labelled), notes=notes)

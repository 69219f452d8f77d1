"""Cases from a table with a header: a case in each row (wide), or a step in each row (long).

Shapes: N cases, T steps, C channels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError
from ..tables.columns import as_pandas, find_column, numbers
from ..tables.index import with_index
from ..tables.names import filled_names
from .answers import Answer, What, answer_of
from .cases import Cases, channel_names, checked, counted, cut, missing_note
from .roles import find_id, find_time, is_wide, row_names, values_in


def frame_cases(
    frame: Any,
    *,
    target: str | Sequence[str] | None = None,
    id: str | None = None,
    time: str | None = None,
    labelled: bool = True,
    what: What = "label",
) -> Cases:
    """Return the cases of a pandas or polars table, one in each row (wide) or with a step in each row (long).

    A table is long if its ids repeat or ``time`` is given; the notes say which it was taken for. ``what`` the column
    ``target`` says of a case: its label, or a number, of which there may be several.
    Raises DataError if a column is missing, a value is no number, or a case has no label or two; where ``labelled``
    is false, a table without labels is allowed.
    """
    answer = answer_of(what, target, labelled)
    table, _ = with_index(as_pandas(frame))
    if not len(table):
        raise DataError("The table has no rows; give it at least one case.")
    _refuse_lists(table)
    _refuse_twice(answer, id, time)
    answer.require(table.columns)
    case = find_id(table, answer.target, time) if id is None else find_column(table.columns, id, "id")
    if case is None or is_wide(table, case, id is not None, time):
        return _wide(table, answer, case)
    return long_cases(table, answer, case, time)


def _refuse_lists(table: pd.DataFrame) -> None:
    """Refuse cells that hold a whole sequence each."""
    for name in (name for name, kind in table.dtypes.items() if kind.kind == "O"):
        first = table[name].first_valid_index()
        if first is not None and isinstance(table[name][first], (list, tuple, dict, np.ndarray, pd.Series)):
            raise DataError(
                f"Column '{name}' has a whole sequence in each cell; give a row for each step, a "
                "column for each step, or the sequences to cases_of."
            )


def _refuse_twice(answer: Answer, id: str | None, time: str | None) -> None:
    given = [(name, answer.word) for name in answer.target]
    given += [(name, what) for name, what in ((id, "id"), (time, "time")) if name is not None]
    for i, (name, what) in enumerate(given):
        for other, second in given[:i]:
            if name == other and what == second:
                raise DataError(f"Column '{name}' is named twice as the {what}; name it once.")
            if name == other:
                raise DataError(f"Column '{name}' cannot be the {second} and the {what}; name another for one of them.")


def _wide(table: pd.DataFrame, answer: Answer, case: str | None) -> Cases:
    """Read a case in each row."""
    if case is not None and not table[case].is_unique:
        case = None
    found = answer.find(table, (case,), None, len(table))
    case = case or row_names(table, found)
    steps, notes = values_in(table, (case, *found))
    block = np.stack([numbers(table[name], name) for name in steps], axis=1)
    values, more = cut(block[:, :, None])
    names = counted(len(table)) if case is None else filled_names(table[case])[1]
    said = f"each row is a case, named by {_quoted(case, 'its number')}, with {answer.said(found)}; "
    said += f"its {len(steps)} step(s) are the columns of numbers from '{steps[0]}' to '{steps[-1]}'"
    cases = Cases(values, None, names, channel_names(1), (said, *notes, *more))
    return checked(answer.from_columns(cases, table[list(found)], None) if found else cases)


def long_cases(table: pd.DataFrame, answer: Answer, case: str, time: str | None) -> Cases:
    """Return the cases of a table with a step in each row, those of a case told by the column ``case``."""
    codes, names = filled_names(table[case])
    time, rows = find_time(table, case, codes, time, answer.target)
    taken = (case, time, *(time or "").split("+"))
    found = answer.find(table, taken, rows, len(names))
    channels, notes = values_in(table, (*taken, *found))
    values = rows.split(np.stack([numbers(table[name], name) for name in channels], axis=1))
    said = f"each row is a step of the case in '{case}', in the order of {_quoted(time, 'the rows')}, with "
    said += f"{answer.said(found)}; {len(channels)} channel(s): {_listed(channels)}"
    if rows.doubled:
        notes = [*notes, f"{rows.doubled:,} row(s) have the time of another row of their case; all were kept"]
    places = rows.split(np.arange(len(table)))
    cases = Cases(values, None, names, channels, (said, *notes, *missing_note(values)), rows=places)
    return checked(answer.from_columns(cases, table[list(found)], rows) if found else cases)


def _quoted(name: str | None, other: str) -> str:
    return other if name is None else f"'{name}'"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")

"""Which columns of a table are forecast, and why the others are not."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from ...errors import DataError, KindError
from ..calendar.stamps import holds_dates
from ..tables.columns import find_boundless, is_counter, is_number, is_text, numbers, strip_text, text_numbers
from .ids import is_code, sounds_like_id
from .timing import LIKE_EPOCHS, why_left

COUNTS, CONSTANT, HOLLOW = "only counts the rows", "never changes", "no values"  # of numbers that are no targets


def find_targets(frame: pd.DataFrame, taken: Collection[str], id: str | None, notes: list[str]) -> tuple[str, ...]:
    """Return the columns of numbers that vary, or 'y' alone in a long table that has it; ``taken`` have a role.

    The first note says which they are, another one why the others are not. Raises DataError if there is none.
    """
    free = [name for name in frame.columns if name not in taken]
    if id is not None and "y" in free:
        say_targets(("y",), [name for name in free if name != "y"], id, notes)
        return ("y",)
    left = {name: why for name in free if (why := _why_not(frame[name], name))}
    found = [name for name in free if name not in left]
    codes = [name for name in found if is_code(name)]
    if len(codes) < len(found):
        left |= dict.fromkeys(codes, "an id by its name")
    found = [name for name in found if name not in left] or _last_resort(frame, left)
    written = [name for name in found if is_text(frame[name]) and not sounds_like_id(name)]
    if written:
        notes.append(f"{listed(written)} held numbers written as text, which were converted")
    unused = {name: why for name, why in left.items() if name not in found}
    if unused:
        notes.insert(0, "not used: " + _shortened([f"'{name}' ({why})" for name, why in unused.items()]))
    notes.insert(0, _said(found, id))
    return tuple(found)


def say_targets(targets: Sequence[str], others: Sequence[str], id: str | None, notes: list[str]) -> None:
    """Put in front of the notes what is forecast, where that was told or goes by its name, and what is not used."""
    if others:
        notes.insert(0, f"not used: {listed(others)} (read beside it if named by known=, past= or static=)")
    notes.insert(0, _said(targets, id))


def _said(targets: Sequence[str], id: str | None) -> str:
    each = "" if id is None else f", each series in '{id}' by itself"
    if len(targets) == 1:
        return f"forecasts '{targets[0]}'{each}"
    names = _shortened([f"'{name}'" for name in targets], 20)
    return f"forecasts {len(targets)} columns{each}: {names}; name one with target="


def _why_not(column: pd.Series, name: str) -> str:
    """Return why a column is no target, or nothing; text that is mostly numbers is refused with its row."""
    time = why_left(column, name)
    if time is not None:
        return time
    values: np.ndarray
    if is_text(column):
        values, bad = text_numbers(strip_text(column))
        if bad.sum() >= 0.5 * max(1, np.isfinite(values).sum()):
            return _why_text(column, bad)
        values = numbers(column, name) if bad.any() or find_boundless(values) else values
    elif is_number(column):
        values = numbers(column, name)
    else:
        return _why_other(column)
    if not np.isfinite(values).any():
        return HOLLOW
    if not varies(values):
        return CONSTANT
    counts = len(values) > 2 and is_counter(pd.Series(values))
    return COUNTS if counts else ""


def _why_text(column: pd.Series, bad: np.ndarray) -> str:
    if not bad.any():
        return HOLLOW
    if holds_dates(column):
        return "dates"
    return f"text such as '{str(column.iloc[int(np.argmax(bad))]).strip()[:30]}'"


def _why_other(column: pd.Series) -> str:
    kinds = {"M": "dates", "m": "durations", "b": "true or false"}
    return kinds.get(column.dtype.kind, f"of type {column.dtype}")


def _last_resort(frame: pd.DataFrame, left: dict[str, str]) -> list[str]:
    """Return a column that counts the rows, if it is the only one that varies, or else those that are constant."""
    counts = [name for name, why in left.items() if why in (COUNTS, LIKE_EPOCHS)]
    constant = [name for name, why in left.items() if why == CONSTANT and is_number(frame[name])]
    if counts or constant:
        return counts[:1] or constant
    hollow = [name for name, why in left.items() if why == HOLLOW and is_number(frame[name])]
    if hollow:
        every = listed(hollow)
        raise DataError(f"Every column of numbers ({every}) has no values at all, so there is nothing to learn.")
    reasons = _shortened([f"'{name}' ({why})" for name, why in left.items()])
    said = f" The columns are {reasons}." if left else ""
    raise KindError(f"The table has no column of numbers to forecast; name one with target=.{said}")


def varies(values: np.ndarray) -> bool:
    """Tell whether the known values (n,) are not all the same."""
    known = values[np.isfinite(values)]
    return bool(len(known) and (known != known[0]).any())


def listed(names: Sequence[str]) -> str:
    """Return names in quotes, the first eight of many."""
    return _shortened([f"'{name}'" for name in names])


def _shortened(texts: Sequence[str], most: int = 8) -> str:
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")

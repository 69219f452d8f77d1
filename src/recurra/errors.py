"""The three ways a request can be wrong, what is only doubtful, the nearest name that is allowed, and the plural."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

Value = TypeVar("Value")


class RecurraError(ValueError):
    """A fault in what the user gave; the message is one plain sentence that says what to do."""


class ConfigError(RecurraError):
    """A setting that does not exist, has a wrong value, or is not used by what was chosen."""


class ArgumentError(ConfigError, TypeError):
    """An argument that does not exist: what Python itself would raise a TypeError for."""


class DataError(RecurraError):
    """A table, column or value that cannot be used as it is."""


class RowError(DataError):
    """A fault in one row of a table: ``said`` makes the sentence from the place, such as 'row 17'.

    Rows are counted from 1; whoever read the table from a file says the line of the file instead.
    """

    def __init__(self, said: Callable[[str], str], row: int):
        super().__init__(said(f"row {row + 1}"))
        self.said, self.row = said, row

    def __reduce__(self) -> tuple[type[DataError], tuple[str]]:
        """Return what a copy is made of, which crosses processes: the sentence alone."""
        return DataError, (str(self),)


class KindError(DataError):
    """Data that are not of the kind that a task needs, such as text to forecast; another task may read them."""


class RunError(RecurraError):
    """A file or run folder that cannot be written or read, or a training that cannot go on."""


class Caution(UserWarning):
    """What goes on although it is doubtful: a training of very little, series that were not there before."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the allowed name closest to ``name``, or an empty string."""
    allowed = list(allowed)
    same = [one for one in allowed if one.casefold() == str(name).casefold()]
    close = same or difflib.get_close_matches(str(name), allowed, n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""


def plural(count: float) -> str:
    """Return what stands behind a noun of which there are so many: nothing for one, else an s."""
    return "s" if count != 1 else ""


def pick(table: Mapping[str, Value], name: str, what: str) -> Value:
    """Return ``table[name]``, or raise a ConfigError that lists the names and offers the nearest."""
    if name in table:
        return table[name]
    names = ", ".join(sorted(table))
    raise ConfigError(f"Unknown {what} '{name}'.{nearest(name, table)} Choose one of: {names}.")

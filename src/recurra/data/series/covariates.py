"""What else is known of series beside their values: what is read with them, what is known ahead, what never changes.

Shapes: n rows of a table, T steps of a series, F steps after its last value, K, P and V columns of each sort.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...errors import DataError
from ..calendar.stamps import holds_dates
from ..tables.columns import find_column, is_text, numbers, text_of_numbers
from ..tables.names import name_codes


class Covariates(NamedTuple):
    """The names of the columns that are covariates, by how much is known of them."""

    known: tuple[str, ...] = ()  # also ahead, such as prices and promotions
    past: tuple[str, ...] = ()  # up to now, such as a temperature
    static: tuple[str, ...] = ()  # of a series once, such as its store

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.known, *self.past, *self.static)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any] | None) -> "Covariates":
        """Return what ``_asdict`` gave, as JSON has it."""
        return cls(**{name: tuple(names) for name, names in (plain or {}).items()})


class Beside(NamedTuple):
    """What is known beside the values of one series: numbers, or the places of names; NaN where missing."""

    known: np.ndarray  # (T + F, K)
    past: np.ndarray  # (T, P)
    static: np.ndarray  # (V,)


class Columns(NamedTuple):
    """Columns of covariates, row by row, and the names that those of text consist of."""

    values: Mapping[str, np.ndarray]  # (n,) each
    categories: Mapping[str, tuple[str, ...]]

    def rows(self, chosen: np.ndarray) -> "Columns":
        """Return the ``chosen`` rows."""
        return self._replace(values={name: column[chosen] for name, column in self.values.items()})

    def moving(self, covariates: Covariates) -> tuple[list[np.ndarray], list[str]]:
        """Return the columns that may change from step to step, and how several rows of one step become one."""
        names = (*covariates.known, *covariates.past)
        hows = ["last" if name in self.categories else "mean" for name in names]
        return [self.values[name] for name in names], hows


def checked(covariates: Covariates, columns: pd.Index, taken: Mapping[str, str]) -> Covariates:
    """Return the covariates; raises DataError for a column that is missing, named twice, or ``taken`` as another."""
    for sort, names in covariates._asdict().items():
        for name in names:
            find_column(columns, name, f"setting {sort}=")
            if name in taken:
                raise DataError(f"Column '{name}' cannot be both {taken[name]} and {sort}.")
    double = next((name for name in covariates.names if covariates.names.count(name) > 1), None)
    if double is not None:
        raise DataError(f"Column '{double}' is named twice among known=, past= and static=; name it once.")
    return covariates


def read_columns(frame: pd.DataFrame, covariates: Covariates) -> Columns:
    """Return the columns of ``covariates`` in a table: numbers as they are, text as categories.

    Raises DataError for a column that is missing, and for values that can be neither.
    """
    values: dict[str, np.ndarray] = {}
    categories: dict[str, tuple[str, ...]] = {}
    sorts = [(name, sort) for sort, names in covariates._asdict().items() for name in names]
    for name, sort in sorts:
        column = frame[find_column(frame.columns, name, f"setting {sort}=")]
        if holds_dates(column):
            raise DataError(
                f"Column '{name}' holds dates, which are not read beside a series; what the calendar says of a step is "
                "read with calendar=."
            )
        if column.dtype.kind == "b" or (is_text(column) and not text_of_numbers(column)):
            values[name], categories[name] = _in_order(*name_codes(column))
        else:
            values[name] = numbers(column, name)
    return Columns(values, categories)


def _in_order(codes: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes (n,) as numbers, NaN where empty, and names, sorted: rows to come must not change the order."""
    order = sorted(range(len(names)), key=lambda n: names[n])
    places = np.append(np.argsort(order).astype(np.float64), np.nan)
    return places[codes], tuple(names[n] for n in order)


def once(name: str, values: np.ndarray, bounds: np.ndarray, series: tuple[str, ...]) -> np.ndarray:
    """Return the one value that a static column (n,) has in each series, whose rows begin at ``bounds`` (S,).

    It is missing if no row has it. Raises DataError if a series has two.
    """
    found = np.full(len(bounds), np.nan)
    for place, part in enumerate(np.split(values, bounds[1:])):
        known = part[np.isfinite(part)]
        if len(known) and (known != known[0]).any():
            where = f" within the series '{series[place]}'" if series else ""
            raise DataError(f"Column '{name}' is said to be static, but changes{where}; name it with past= or known=.")
        found[place] = known[0] if len(known) else np.nan
    return found

"""What a person says to a stream: values by the names of series, and columns beside them by theirs.

Shapes: C channels of a row series.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...data.tables.names import name_of
from ...errors import ConfigError, DataError, nearest
from .learned import ForecastLearned
from .variables import Variable

Columns = dict[int, float]  # values of one step, by the number of the column


class Observations:
    """Reads values and columns of series with these ``names``; raises DataError for what is not known or no number."""

    def __init__(self, learned: ForecastLearned, names: tuple[str, ...]):
        self.learned, self.names = learned, names
        self.rows = {name: 0 if learned.joint else n for n, name in enumerate(names)}

    def values(self, value: Any) -> dict[int, np.ndarray]:
        """Return the values (C,) of each row series that an update is about."""
        if not isinstance(value, Mapping):
            some = [value] if np.ndim(value) == 0 else list(value)
            if len(some) != len(self.names):
                raise DataError(
                    f"This stream follows {len(self.names)} series and got {len(some)} value(s): give one for each, or "
                    f"a dict of those that go on, such as {{'{self.names[0]}': 1.0}}."
                )
            value = dict(zip(self.names, some, strict=True))
        if not value:
            raise DataError("An update needs at least one value; give None for one that is missing.")
        found: dict[int, np.ndarray] = {}
        for name, one in value.items():
            if name not in self.rows:
                raise DataError(f"This stream follows no series '{name}'.{nearest(str(name), self.names)}")
            values = found.setdefault(self.rows[name], np.full(self.learned.layout.channels, np.nan))
            values[self.names.index(name) if self.learned.joint else 0] = number(one, str(name))
        return found

    def _per_row(self, given: Any, rows: Iterable[int], what: str) -> dict[int, Mapping[str, Any]]:
        """Return columns for each of the ``rows`` that they are about: for all of them, or for each by its name."""
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            raise DataError(f"{what}= is a dict of columns, such as {{'price': 2.5}}. Got {given!r} instead.")
        if not self.learned.layout.covariates:
            raise ConfigError(f"{what}= is for columns beside the series, and this model reads none: leave it out.")
        if not any(isinstance(one, Mapping) for one in given.values()):
            return dict.fromkeys(rows, given)
        strange = next((name for name in given if name not in self.rows or self.rows[name] not in rows), None)
        if strange is not None:
            raise DataError(
                f"{what}= names '{strange}', which this update has no value of.{nearest(str(strange), self.names)}"
            )
        return {self.rows[name]: columns for name, columns in given.items()}

    def columns(self, given: Any, rows: Iterable[int]) -> dict[int, tuple[Columns, Columns]]:
        """Return, of each row series, the columns of this step that are known ahead and those that are not."""
        variables, found = self.learned.variables, {}
        names = [one.name for one in variables.known]
        for row, columns in self._per_row(given, rows, "covariates").items():
            known: Columns = {}
            past: Columns = {}
            for name, value in columns.items():
                ahead = name in names
                place = place_of(name, variables.known if ahead else variables.past, "read beside the series")
                (known if ahead else past)[place] = code((variables.known if ahead else variables.past)[place], value)
            found[row] = known, past
        return found

    def ahead(self, given: Any, rows: Iterable[int]) -> dict[int, dict[int, np.ndarray]]:
        """Return, of each row series, the columns that are known of the next steps."""
        variables, horizon, found = self.learned.variables.known, self.learned.layout.horizon, {}
        for row, columns in self._per_row(given, rows, "future").items():
            coded = {}
            for name, values in columns.items():
                place = place_of(name, variables, "known ahead")
                some = [values] if np.ndim(values) == 0 else list(values)
                if len(some) > horizon:
                    raise DataError(
                        f"'{name}' has {len(some)} values in future=, and this model looks {horizon} steps ahead: give "
                        "no more than these."
                    )
                coded[place] = np.array([code(variables[place], one) for one in some])
            found[row] = coded
        return found


def code(variable: Variable, value: Any) -> float:
    """Return one value of a covariate as it was coded in training, NaN for None; raises DataError for no number."""
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return float("nan")
    if variable.categories is not None:
        return float(variable.coded(np.zeros(1), (name_of(value, variable.name),))[0])
    return number(value, variable.name)


def number(value: Any, name: str) -> float:
    """Return a value as a number, NaN for None; raises DataError for what is none, or is not finite."""
    if value is None:
        return float("nan")
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        given = float(value)
    except (TypeError, ValueError):
        raise DataError(f"'{name}' needs a number, or None where it is not known. Got {value!r} instead.") from None
    if np.isinf(given):
        raise DataError(f"'{name}' is {given}, which is no number to learn from. Give None where it is not known.")
    return given


def place_of(name: Any, variables: tuple[Variable, ...], what: str) -> int:
    """Return the number of a covariate; raises DataError if there is none of this name, or it is the calendar's."""
    names = [one.name for one in variables if not one.name.startswith("calendar: ")]
    if name not in names:
        raise DataError(f"There is no column '{name}' that is {what}.{nearest(str(name), names)}")
    return names.index(name)

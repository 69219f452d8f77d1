"""What a forecast reads, and what it is labelled with: all that an exported network needs besides itself.

Shapes: S row series, M memory, which is the look-back or more, H horizon, C channels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...data.series import Panel
from ...errors import DataError
from .learned import ForecastLearned, last_values
from .plan import tracks_of
from .scaling import Scaling
from .variables import Around, around


class Context(NamedTuple):
    """The values before a forecast, and where they stand."""

    panel: Panel | None  # None: the remembered end of training
    values: np.ndarray  # (S, M, C)
    identities: np.ndarray  # (S,)
    phases: np.ndarray  # (S,) place of the first value in the season
    scaling: Scaling
    around: Around | None = None  # covariates of the same steps, known ones H further; None if there are none

    @property
    def memory(self) -> int:
        """How many steps it holds."""
        return self.values.shape[1]

    def rows(self, chosen: np.ndarray) -> "Context":
        """Return the context of some row series."""
        parts = self.values[chosen], self.identities[chosen], self.phases[chosen], self.scaling.rows(chosen)
        return Context(self.panel, *parts, None if self.around is None else self.around.rows(chosen))

    @staticmethod
    def joined(contexts: "Sequence[Context]") -> "Context":
        """Return ``contexts`` one after the other, as one whose rows have no names."""
        values, identities, phases = (
            np.concatenate([getattr(one, part) for one in contexts]) for part in ("values", "identities", "phases")
        )
        scaling = Scaling(*(np.concatenate(parts) for parts in zip(*(one.scaling for one in contexts), strict=True)))
        beside = [one.around for one in contexts if one.around is not None]
        joined = Around(*(np.concatenate(parts) for parts in zip(*beside, strict=True))) if beside else None
        return Context(None, values, identities, phases, scaling, joined)

    def last(self, steps: int, season: int) -> "Context":
        """Return the context with no more than its last ``steps``."""
        left = self.memory - steps
        if left <= 0:
            return self
        beside = self.around
        if beside is not None:
            beside = beside._replace(known=beside.known[:, left:], past=beside.past[:, left:])
        phases = (self.phases + left) % season
        return self._replace(values=self.values[:, left:], phases=phases, around=beside)

    def onward(self, more: np.ndarray, season: int) -> "Context":
        """Return the context after ``more`` values (S, h, C), as if they had happened."""
        steps = more.shape[1]
        beside = self.around
        if beside is not None:
            beside = beside._replace(known=beside.known[:, steps:])
        values = np.concatenate([self.values, more], 1)[:, -self.memory :]
        return self._replace(values=values, phases=(self.phases + steps) % season, around=beside)

    def ahead(self, steps: int) -> "Context":
        """Return the context with no more than ``steps`` of what is known ahead."""
        if self.around is None:
            return self
        known = self.around.known[:, : self.memory + steps]
        return self._replace(around=self.around._replace(known=known))


def context_of(learned: ForecastLearned, panel: Panel | None = None, ahead: int | None = None) -> Context:
    """Return what a forecast from the end of ``panel``, or of the training, reads.

    What is known ahead goes so many steps ``ahead``, the horizon if not said; it is missing where it is not known.
    """
    ahead = learned.layout.horizon if ahead is None else ahead
    return _remembered(learned, ahead) if panel is None else _last_of(learned, panel, ahead)


def _remembered(learned: ForecastLearned, ahead: int) -> Context:
    rows = len(learned.context)
    phases = (np.array(learned.lengths[:rows]) - learned.memory) % learned.layout.season
    beside = learned.around
    if beside is not None:
        missing = max(0, ahead - learned.layout.horizon)
        beside = beside._replace(known=np.pad(beside.known, ((0, 0), (0, missing), (0, 0)), constant_values=np.nan))
    return Context(None, learned.context, np.arange(rows), phases, learned.scaling, beside)


def _last_of(learned: ForecastLearned, panel: Panel, ahead: int) -> Context:
    layout, tracks = learned.layout, tracks_of(panel, learned.joint)
    if learned.joint and len(panel) != layout.channels:
        raise DataError(f"The model reads {layout.channels} columns together, but got {len(panel)}.")
    values = np.stack([last_values(track, learned.memory) for track in tracks])
    refuse_empty(values[:, -layout.lookback :], panel.names)
    known = learned.identify(panel, tracks, [len(track) for track in tracks])
    ends = np.array([len(track) for track in tracks]) - learned.memory
    beside = around(learned.variables, panel, learned.memory, ahead, learned.joint)
    return Context(panel, values, known.numbers, (known.phases + ends) % layout.season, known.scaling, beside)


def refuse_empty(values: np.ndarray, names: Sequence[str]) -> None:
    """Raise DataError if nothing is known of a series that is to be forecast, in what is read of it (S, L, C)."""
    empty = ~np.isfinite(values).any((1, 2))
    if empty.any():
        name = names[int(np.argmax(empty))]
        raise DataError(f"The last {values.shape[1]} values of '{name}' are all missing.")


class Unknown(NamedTuple):
    """What should be known ahead and is not."""

    which: str  # a sentence without its end
    steps: int  # of the forecast that needs it
    first: str  # the label of the first of them
    last: str  # and of the last

    def fault(self, told: bool = False) -> DataError:
        """Return the error of a forecast that cannot be made for it, though a table of the future was ``told``."""
        if told:
            return DataError(
                f"{self.which}. Nor does future= say it: a forecast of {self.steps} step(s) needs it from {self.first} "
                f"to {self.last}."
            )
        return DataError(
            f"{self.which}. It is a column of known=, so a forecast of {self.steps} step(s) needs it up to "
            f"{self.last}: add these rows, with nothing for what is forecast, or give them as future=."
        )

    def fault_of_stream(self) -> DataError:
        """Return the error of a stream that has not been told."""
        return DataError(
            f"{self.which}. A forecast of {self.steps} step(s) needs it from {self.first} to {self.last}: say it with "
            "update(value, future={..}) or predict(future={..})."
        )


def unknown_ahead(learned: ForecastLearned, context: Context, steps: int) -> Unknown | None:
    """Return what should be known ahead and is missing for one of the next ``steps``; None if nothing is."""
    if context.around is None or not learned.variables.known:
        return None
    names = learned.names if context.panel is None else context.panel.names
    ahead = ~np.isfinite(context.around.known[:, context.memory : context.memory + steps])
    if not ahead.any():
        return None
    series, step, column = (int(place[0]) for place in np.nonzero(ahead))
    name, times = learned.variables.known[column].name, written(times_of(learned, context.panel, 0, steps)[series])
    which = f" of the series '{names[series]}'" if len(names) > 1 else ""
    return Unknown(f"'{name}' is not known for {times[step]}{which}", steps, times[0], times[-1])


def written(times: pd.Index) -> pd.Index:
    """Return labels as a person writes them: days without an hour, if none has one."""
    days = isinstance(times, pd.DatetimeIndex) and bool((times == times.normalize()).all())
    return times.strftime("%Y-%m-%d") if days else times  # type: ignore[attr-defined]


def times_of(learned: ForecastLearned, panel: Panel | None, start: int, stop: int) -> list[pd.Index]:
    """Return the labels of steps ``start`` to ``stop`` after the end of the context, per series."""
    if panel is None:
        panel, sizes = Panel(learned.schema, learned.names, (), learned.starts, ()), learned.lengths
    else:
        sizes = tuple(len(values) for values in panel.values)
    made: dict[tuple[object, int], pd.Index] = {}  # most series of a table begin and end together
    for n, key in enumerate(zip(panel.starts, sizes, strict=True)):
        if key not in made:
            made[key] = panel.times(n, key[1] + start, key[1] + stop)
    return [made[key] for key in zip(panel.starts, sizes, strict=True)]

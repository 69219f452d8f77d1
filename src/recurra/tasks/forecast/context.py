"""What a forecast reads, and what it is labelled with: all that an exported network needs besides itself.

Shapes: S row series, L look-back, C channels.
"""

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
    values: np.ndarray  # (S, L, C)
    identities: np.ndarray  # (S,)
    phases: np.ndarray  # (S,) place of the first value in the season
    scaling: Scaling
    around: Around | None = None  # covariates; None if there are none

    def rows(self, chosen: np.ndarray) -> "Context":
        """Return the context of some row series."""
        parts = self.values[chosen], self.identities[chosen], self.phases[chosen], self.scaling.rows(chosen)
        return Context(self.panel, *parts, None if self.around is None else self.around.rows(chosen))


def context_of(learned: ForecastLearned, panel: Panel | None = None) -> Context:
    """Return what a forecast from the end of ``panel``, or of the training, reads."""
    return _remembered(learned) if panel is None else _last_of(learned, panel)


def _remembered(learned: ForecastLearned) -> Context:
    rows = len(learned.context)
    phases = (np.array(learned.lengths[:rows]) - learned.layout.lookback) % learned.layout.season
    return Context(None, learned.context, np.arange(rows), phases, learned.scaling, learned.around)


def _last_of(learned: ForecastLearned, panel: Panel) -> Context:
    layout, tracks = learned.layout, tracks_of(panel, learned.joint)
    if learned.joint and len(panel) != layout.channels:
        raise DataError(f"The model reads {layout.channels} columns together, but got {len(panel)}.")
    values = np.stack([last_values(track, layout.lookback) for track in tracks])
    empty = ~np.isfinite(values).any((1, 2))
    if empty.any():
        name = panel.names[int(np.argmax(empty))]
        raise DataError(f"The last {layout.lookback} values of '{name}' are all missing.")
    known = learned.identify(panel, tracks, [len(track) for track in tracks])
    ends = np.array([len(track) for track in tracks]) - layout.lookback
    beside = around(learned.variables, panel, layout.lookback, layout.horizon, learned.joint)
    return Context(panel, values, known.numbers, (known.phases + ends) % layout.season, known.scaling, beside)


def unknown_ahead(learned: ForecastLearned, context: Context, steps: int) -> str:
    """Return a sentence on what should be known ahead and is missing for one of the next ``steps``, or nothing."""
    if context.around is None or not learned.variables.known:
        return ""
    lookback, names = learned.layout.lookback, learned.names if context.panel is None else context.panel.names
    ahead = ~np.isfinite(context.around.known[:, lookback : lookback + steps])
    if not ahead.any():
        return ""
    series, step, column = (int(place[0]) for place in np.nonzero(ahead))
    name, times = learned.variables.known[column].name, times_of(learned, context.panel, 0, steps)[series]
    which = f" of the series '{names[series]}'" if len(names) > 1 else ""
    return (
        f"'{name}' is not known for {times[step]}{which}. It is a column of known=, so a forecast of {steps} step(s) "
        f"needs it up to {times[-1]}: add these rows, with nothing for what is forecast, or give them as future=."
    )


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

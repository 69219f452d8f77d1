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


class Context(NamedTuple):
    """The values before a forecast, and where they stand."""

    panel: Panel | None  # None: the remembered end of training
    values: np.ndarray  # (S, L, C)
    identities: np.ndarray  # (S,)
    phases: np.ndarray  # (S,) place of the first value in the season
    scaling: Scaling

    def rows(self, chosen: np.ndarray) -> "Context":
        """Return the context of some row series."""
        scaling = self.scaling.rows(chosen)
        return Context(self.panel, self.values[chosen], self.identities[chosen], self.phases[chosen], scaling)


def context_of(learned: ForecastLearned, panel: Panel | None = None) -> Context:
    """Return what a forecast from the end of ``panel``, or of the training, reads."""
    return _remembered(learned) if panel is None else _last_of(learned, panel)


def _remembered(learned: ForecastLearned) -> Context:
    rows = len(learned.context)
    phases = (np.array(learned.lengths[:rows]) - learned.layout.lookback) % learned.layout.season
    return Context(None, learned.context, np.arange(rows), phases, learned.scaling)


def _last_of(learned: ForecastLearned, panel: Panel) -> Context:
    layout, tracks = learned.layout, tracks_of(panel, learned.joint)
    if learned.joint and len(panel) != layout.channels:
        raise DataError(f"The model reads {layout.channels} columns together, but got {len(panel)}.")
    values = np.stack([last_values(track, layout.lookback) for track in tracks])
    empty = ~np.isfinite(values).any((1, 2))
    if empty.any():
        name = panel.names[int(np.argmax(empty))]
        raise DataError(f"The last {layout.lookback} values of '{name}' are all missing.")
    known = learned.identify(panel, tracks)
    ends = np.array([len(track) for track in tracks]) - layout.lookback
    return Context(panel, values, known.numbers, (known.phases + ends) % layout.season, known.scaling)


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

"""Values that a forecast reads and that are far from all that was learned from.

Shapes: S row series, C channels, T steps.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .context import Context, times_of, written
from .learned import ForecastLearned

FAR = 30.0  # training deviations from the mean, which a price in another unit is, and rain in a desert is not
MOST = 3  # of them that are named


class Read(NamedTuple):
    """One column, or one channel of what is forecast, as it is read."""

    name: str  # empty: that of the series
    values: np.ndarray  # (S, T)
    distances: np.ndarray  # (S, T) from the mean of the training, in its deviations


def say_unusual(learned: ForecastLearned, context: Context, steps: int) -> list[str]:
    """Say which of the values that a forecast of so many ``steps`` reads are FAR from those of the training, if any.

    They are those of the last steps and, of columns that are known ahead, of the steps that are forecast, too.
    """
    names = learned.names if context.panel is None else context.panel.names
    said: list[str] = []
    count = 0
    for one in _read(learned, context, steps):
        far = np.nan_to_num(np.abs(one.distances))
        rows = np.flatnonzero(far.max(1) > FAR)
        count += len(rows)
        for n in rows[: MOST - len(said)].tolist():
            step = int(far[n].argmax())
            times = times_of(learned, context.panel, -context.memory, steps)[n]
            said.append(
                f"careful: '{one.name or names[n]}' is {one.values[n, step]:g} at {written(times)[step]}, "
                f"{far[n, step]:,.0f} training deviations from its mean: the forecast goes beyond what was learned, so "
                "check this value"
            )
    return said + (
        [f"careful: {count - MOST} more values are as far from those of the training"] if count > MOST else []
    )


def _read(learned: ForecastLearned, context: Context, steps: int) -> Iterator[Read]:
    values, scaling = context.values, context.scaling
    distances = (values - scaling.mean[:, None]) / scaling.std[:, None]
    for c in range(values.shape[2]):
        yield Read(learned.names[c] if learned.joint else "", values[..., c], distances[..., c])
    if context.around is None:
        return
    known = context.around.known[:, : context.memory + steps]
    for variables, beside in ((learned.variables.known, known), (learned.variables.past, context.around.past)):
        for k, one in enumerate(variables):
            if one.categories is None:
                yield Read(one.name, beside[..., k], (beside[..., k] - one.mean) / one.std)

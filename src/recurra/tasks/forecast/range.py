"""Which numbers may be learned from: within the bounds that a person has set, and not beyond what can be computed with.

Shapes: T steps, C channels.
"""

from typing import Any

import numpy as np

from ...data.series import Panel, Schema
from ...data.series.schema import series_table
from ...data.tables.columns import find_column, numbers
from ...errors import ConfigError, DataError, RowError
from .scaling import Scaling, without_faults
from .settings import NEGATIVE_BINOMIAL, ForecastSettings

FARTHEST = 1e15  # training deviations: a network computes in float32, and in squares


def bounds_of(lower: float | None, upper: float | None) -> tuple[float, float]:
    """Return bounds as numbers, infinite where there is none."""
    return -np.inf if lower is None else lower, np.inf if upper is None else upper


def bounds_in(settings: ForecastSettings) -> tuple[float, float]:
    """Return the bounds in the settings; raises ConfigError if nothing lies between them."""
    lower, upper = bounds_of(settings.lower, settings.upper)
    if lower > upper:
        raise ConfigError(f"lower={lower:g} is above upper={upper:g}, so no forecast lies between them. Swap them.")
    return lower, upper


def refuse_outside(source: Any, panel: Panel, settings: ForecastSettings) -> None:
    """Raise DataError for a value of ``source``, read as ``panel``, that lies outside the bounds in the settings."""
    bounds = bounds_in(settings)
    if not np.isfinite(bounds).any():
        return
    if not isinstance(source, Panel):
        _refuse_rows(source, panel.schema, bounds)
    for n, (name, values) in enumerate(zip(panel.names, panel.values, strict=True)):
        at = _first_outside(values, bounds)
        if at is not None:
            raise DataError(_outside(f"Series '{name}'", values[at], f"at {_label(panel, n, at)}", bounds))


def _refuse_rows(source: Any, schema: Schema, bounds: tuple[float, float]) -> None:
    """Name the row, where the steps of a table are its rows."""
    frame = series_table(source)[0]
    for name in () if schema.rows or schema.months else schema.targets:
        values = numbers(frame[find_column(frame.columns, name, "target")], name)
        at = _first_outside(values, bounds)
        if at is not None:
            raise _row_outside(name, values[at], at, bounds)


def _row_outside(name: str, value: float, row: int, bounds: tuple[float, float]) -> RowError:
    return RowError(lambda place: _outside(f"Column '{name}'", value, f"in {place}", bounds), row)


def refuse_no_counts(panel: Panel, settings: ForecastSettings) -> None:
    """Raise DataError for a value that is no count, if the loss in the settings is about counts."""
    if settings.loss != NEGATIVE_BINOMIAL:
        return
    for n, (name, values) in enumerate(zip(panel.names, panel.values, strict=True)):
        known = np.isfinite(values)
        other = known & ((values < 0) | (values != np.round(np.where(known, values, 0.0))))
        if other.any():
            at = int(np.argmax(other))
            raise DataError(
                f"loss='negative_binomial' is for counts, whole numbers from 0 on, and series '{name}' has the value "
                f"{values[at]:g} at {_label(panel, n, at)}: correct it, or use loss='quantile'."
            )


def _first_outside(values: np.ndarray, bounds: tuple[float, float]) -> int | None:
    outside = (values < bounds[0]) | (values > bounds[1])
    return int(np.argmax(outside)) if outside.any() else None


def _outside(what: str, value: float, where: str, bounds: tuple[float, float]) -> str:
    side = f"below lower={bounds[0]:g}" if value < bounds[0] else f"above upper={bounds[1]:g}"
    return f"{what} has the value {value:g} {where}, {side}. Correct the value, or leave that bound out."


def refuse_far(panel: Panel, number: int, track: np.ndarray, scaling: Scaling) -> None:
    """Raise DataError for a value of a row series (T, C) that is so far from the training that nothing can be computed.

    ``number`` is that of the row series in ``panel`` and in ``scaling``; what is a fault is not looked at.
    """
    mean, std = scaling.mean[number], scaling.std[number]
    far = FARTHEST * std
    wide = (track > mean + far) | (track < mean - far)
    if not wide.any():
        return
    wide &= np.isfinite(without_faults(track, scaling.limits[number]))
    if not wide.any():
        return
    at, channel = (int(place[0]) for place in np.nonzero(wide))
    name, value = panel.names[number if track.shape[1] == 1 else channel], track[at, channel]
    away = np.abs(value - mean[channel]) / std[channel]
    raise DataError(
        f"Series '{name}' has the value {value:g} at {_label(panel, number, at)}, {away:.0e} times as far from the "
        "values of the training as these usually are, which is too far to compute with. Correct it, or leave it empty "
        "if it is not known."
    )


def _label(panel: Panel, number: int, at: int) -> Any:
    return panel.times(number, at, at + 1)[0]

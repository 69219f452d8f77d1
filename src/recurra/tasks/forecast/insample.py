"""Fitted values: what a forecaster says of each row of a table from the rows before it.

Shapes: W windows, L look-back, C channels.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from ...data.series import Panel, long_frame
from ...errors import DataError
from ...nn.surroundings import on_its_own
from ..base import Fitted
from .answers import answer_of, answer_to
from .exam import Guess
from .plan import Part, tracks_of
from .variables import cut
from .windows import Windows, rows_of

AT_ONCE = 4096  # windows that are answered at a time: of each only one step is kept


@dataclass(frozen=True)
class FittedValues:
    """What a forecaster says of the rows of a table, each from what lies so many steps before it."""

    table: pd.DataFrame  # unique_id, ds, y, yhat and the intervals

    def frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table


@on_its_own
def fitted_values(fitted: Fitted, panel: Panel, ahead: int, model: str | None = None) -> FittedValues:
    """Say of each row of ``panel`` what was forecast ``ahead`` steps before it: ``ŷ(t | t − h)``.

    Rows that have a whole look-back with a known value before that are answered; nothing after it is read. A ``model``
    of the table may answer alone. Raises DataError if there is no such row.
    """
    learned, layout = fitted.learned, fitted.learned.layout
    tracks = tracks_of(panel, learned.joint)
    origins = tuple(_origins(track, layout.lookback, ahead) for track in tracks)
    if not any(len(own) for own in origins):
        raise DataError(
            f"No row has the {layout.lookback} rows of a look-back before it and the {ahead} step(s) ahead: fitted "
            f"values need a series of at least {layout.lookback + ahead} rows."
        )
    # What lies beyond the end is not known, which only matters to windows that reach there.
    part = Part(origins)
    windows = rows_of(_longer(panel, layout.horizon), learned, part).windows(layout.lookback, layout.horizon, origins)

    def step(part: np.ndarray) -> np.ndarray:
        return part[:, ahead - 1 : ahead]

    guesses = [
        (answer_to(fitted, some) if model is None else answer_of(fitted, some, model)).each(step)
        for some in map(windows.at, torch.arange(len(windows)).split(AT_ONCE))
    ]
    return FittedValues(_table(panel, tracks, windows, ahead, Guess.joined(guesses, 0)))


def _origins(track: np.ndarray, lookback: int, ahead: int) -> np.ndarray:
    """Return the positions after which ``ahead`` steps follow, and before which something is known."""
    origins = np.arange(lookback, len(track) - ahead + 1)
    counts = np.concatenate([[0], np.isfinite(track).any(1).cumsum()])
    return origins[counts[origins] > counts[origins - lookback]]


def _longer(panel: Panel, steps: int) -> Panel:
    """Return ``panel`` with so many ``steps`` at its end of which nothing is known."""
    sizes = [len(values) + steps for values in panel.values]
    values = tuple(cut(own, 0, size) for own, size in zip(panel.values, sizes, strict=True))
    beside = tuple(
        one._replace(known=cut(one.known, 0, size), past=cut(one.past, 0, size))
        for one, size in zip(panel.beside, sizes, strict=bool(panel.beside))
    )
    return replace(panel, values=values, beside=beside)


def _table(panel: Panel, tracks: list[np.ndarray], windows: Windows, ahead: int, guess: Guess) -> pd.DataFrame:
    """Return the long frame, series after series; of columns that are read together one column after the other."""
    series = windows.series.numpy()
    places = windows.origins + ahead - 1
    columns = {"yhat": guess.point}
    for level, (low, high) in guess.bands.items():
        columns[f"yhat-lo-{level}"], columns[f"yhat-hi-{level}"] = low, high
    times, found = [], {name: [] for name in ("y", *columns)}  # type: ignore[var-annotated]
    for n in range(len(panel)):
        row, channel = (0, n) if len(tracks) < len(panel) else (n, 0)
        mine = series == row
        times.append(panel.times(n, 0, len(panel.values[n]))[places[mine]])
        found["y"].append(panel.values[n][places[mine]])
        for name, values in columns.items():
            found[name].append(values[mine, 0, channel])
    return long_frame(panel.names, times, {name: np.concatenate(parts) for name, parts in found.items()})

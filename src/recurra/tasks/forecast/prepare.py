"""Forecasting: from a panel of series and the settings to windows, sizes and a loss."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...data.series import Panel
from ...errors import ConfigError, DataError
from ...nn.heads import Head
from ...nn.loss import Loss
from ...nn.models import Output
from ...settings.config import ForecastSettings
from .network import Layout
from .windows import Rows, Scaling, Windows, seasonal_means

# With fewer training windows a cycle is begun from measured means, as there are too few to learn it from; with
# more, one that is learned from zero was better on validation data.
FEW_WINDOWS = 1000
VALIDATION_WINDOWS = 4096  # more of them would cost more than they tell


class ForecastTask:
    """What a forecaster is trained for: the head's loss over the known future values."""

    def __init__(self, head: Head):
        self.head = head

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model on the windows."""
        return model(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss over all future values that are known."""
        assert batch.targets is not None
        return Loss.over(self.head.loss(output.prediction, batch.targets), batch.target_mask)


@dataclass(frozen=True)
class Prepared:
    """A panel, cut for training: everything a fit needs to know of the data."""

    layout: Layout
    scaling: Scaling
    rows: Rows
    lengths: tuple[int, ...]  # of each row series
    train_ends: tuple[int, ...]  # where its training rows end
    train: Windows
    valid: Windows
    cycles: Tensor | None  # (S, season, C) to begin a learned cycle with, where there is little data
    notes: tuple[str, ...]

    def test(self, size: int, step: int = 1) -> Windows:
        """Return the windows whose targets lie in the last ``size`` values of each series."""
        horizon = self.layout.horizon
        first = self.layout.lookback - self.rows.pad
        origins = [np.arange(max(first, n - size), n - horizon + 1, step) for n in self.lengths]
        return self.rows.windows(self.layout.lookback, horizon, origins, known_targets=True)


def tracks_of(panel: Panel, channels: str) -> list[np.ndarray]:
    """Return the row series (T, C) of a panel: each series alone, or all columns of a table together."""
    if channels == "independent":
        return [values[:, None] for values in panel.values]
    if not panel.aligned:
        raise DataError(
            "channels='joint' needs series that begin and end together. Use channels='independent' for these."
        )
    return [np.stack(panel.values, 1)]


def prepare(panel: Panel, settings: ForecastSettings, held_out: int = 0) -> Prepared:
    """Cut ``panel`` into training and validation windows; the last ``held_out`` values are left for a test.

    Every series gives its last values: first come the training rows, then validation, then what is held out.
    Raises DataError if there are too few rows, ConfigError if sizes do not fit each other.
    """
    if settings.horizon is None:
        raise ConfigError("The horizon is missing: say how many steps ahead to forecast, such as horizon=24.")
    tracks = tracks_of(panel, settings.channels)
    lengths = tuple(len(track) for track in tracks)
    valid_size = _validation_size(settings, lengths, held_out)
    train_ends = tuple(max(0, n - held_out - valid_size) for n in lengths)
    layout, notes = _layout(panel, settings, train_ends, held_out + valid_size)
    scaling = Scaling.of(tracks, _measured(tracks, train_ends, held_out))
    least = _least_context(layout, train_ends)
    rows = Rows.of(tracks, scaling, layout.lookback - min(least))
    layout = replace(layout, missing=rows.observed is not None)
    horizon = layout.horizon
    train = [np.arange(a, end - horizon + 1) for a, end in zip(least, train_ends, strict=True)]
    valid = [
        np.arange(max(a, end), n - held_out - horizon + 1) for a, end, n in zip(least, train_ends, lengths, strict=True)
    ]
    cut = [rows.windows(layout.lookback, horizon, origins, known_targets=True) for origins in (train, valid)]
    if not len(cut[0]) or not len(cut[1]):
        part = "training" if not len(cut[0]) else "validation"
        raise DataError(f"No {part} window holds a known value: too much of the series is missing.")
    notes = (*notes, _describe(layout, train_ends, valid_size, held_out, cut[0]))
    cycles = None
    if layout.cycle and len(cut[0]) < FEW_WINDOWS:
        cycles = torch.from_numpy(seasonal_means(tracks, list(train_ends), scaling, layout.season))
    valid_windows = cut[1].some(VALIDATION_WINDOWS)
    return Prepared(layout, scaling, rows, lengths, train_ends, cut[0], valid_windows, cycles, notes)


def _validation_size(settings: ForecastSettings, lengths: tuple[int, ...], held_out: int) -> int:
    assert settings.horizon is not None
    if settings.validation_size is not None:
        if settings.validation_size < settings.horizon:
            raise ConfigError(
                f"validation_size is {settings.validation_size}, but it must hold at least one horizon "
                f"({settings.horizon} steps)."
            )
        return settings.validation_size
    return max(settings.horizon, int(np.median(lengths) - held_out) // 10)


def _measured(tracks: list[np.ndarray], train_ends: tuple[int, ...], held_out: int) -> list[int]:
    """Return up to where each series is measured: its training rows, or all before the test if it has none."""
    return [
        end if np.isfinite(track[:end]).any() else max(0, len(track) - held_out)
        for track, end in zip(tracks, train_ends, strict=True)
    ]


def _least_context(layout: Layout, train_ends: tuple[int, ...]) -> list[int]:
    """Return how much of the past a window of each series must have: less where the series is short."""
    full = layout.lookback + layout.horizon
    return [layout.lookback if end >= full else layout.segment for end in train_ends]


def _layout(
    panel: Panel, settings: ForecastSettings, train_ends: tuple[int, ...], kept: int
) -> tuple[Layout, tuple[str, ...]]:
    horizon = settings.horizon
    assert horizon is not None
    longest = max(train_ends)
    season = panel.schema.season
    lookback = settings.lookback or default_lookback(horizon, season, longest)
    if longest < lookback + horizon:
        needed = lookback + horizon + kept
        room = longest - horizon
        advice = f"Use a look-back of at most {room}" if room > 0 else "Use a shorter horizon"
        raise DataError(
            f"Too few rows: a look-back of {lookback} and a horizon of {horizon}, with {kept} rows kept for "
            f"validation and test, need at least {needed} rows, and the longest series has {longest + kept}. "
            f"{advice}, or bring more rows."
        )
    segment, lookback, notes = _segments(settings, lookback, season)
    cycle = settings.cycle if settings.cycle is not None else season > 1 and longest >= 3 * season
    if cycle and season < 2:
        raise ConfigError("cycle=True needs a season: give season=, such as 24 for hours of a day.")
    joint = settings.channels == "joint"
    series = 1 if joint else len(panel)
    channels = len(panel) if joint else 1
    layout = Layout(lookback, horizon, segment, season, bool(cycle), channels, series, False)
    return layout, notes


def _segments(settings: ForecastSettings, lookback: int, season: int) -> tuple[int, int, tuple[str, ...]]:
    """Return the segment length, a look-back that is a multiple of it, and notes."""
    assert settings.horizon is not None
    if settings.decoder == "vanilla":
        return 1, lookback, ()
    if settings.segment is None:
        segment = default_segment(lookback, settings.horizon, season, exact=settings.lookback is not None)
    else:
        segment = settings.segment
        if settings.lookback is not None and lookback % segment:
            down, up = lookback // segment * segment, -(-lookback // segment) * segment
            fits = f"{down} or {up}" if down else up
            raise ConfigError(f"lookback={lookback} is not a multiple of segment={segment}. Use a lookback of {fits}.")
    return segment, max(segment, lookback // segment * segment), ()


def default_lookback(horizon: int, season: int, rows: int) -> int:
    """Return three horizons or two seasons, whichever is more, as far as half of the training ``rows`` allow."""
    wanted = max(3 * horizon, 2 * season, 16)
    return max(1, min(wanted, max((rows - horizon) // 2, rows - horizon if rows < 3 * horizon else 1)))


def default_segment(lookback: int, horizon: int, season: int, exact: bool) -> int:
    """Return a segment near a 24th of the look-back, no longer than the horizon, that fits the season.

    With ``exact`` only divisors of the look-back come into question.
    """
    wanted = max(1, min(horizon, lookback / 24))
    sizes = [n for n in range(1, min(lookback, 2 * horizon) + 1) if not exact or lookback % n == 0]

    def misfit(n: int) -> float:
        fits = season > 1 and (n % season == 0 or season % n == 0)
        return abs(math.log(n / wanted)) - (0.3 if fits else 0.0)

    return min(sizes, key=misfit)


def _describe(layout: Layout, train_ends: tuple[int, ...], valid_size: int, held_out: int, train: Windows) -> str:
    parts = [f"look-back {layout.lookback}", f"horizon {layout.horizon}"]
    if layout.segment > 1:
        parts.append(f"segments of {layout.segment}")
    parts.append(f"season {layout.season}" if layout.season > 1 else "no season")
    parts.append("learned cycle" if layout.cycle else "no learned cycle")
    rows = f"{max(train_ends)} training rows"
    split = f"{rows}, then {valid_size} for validation" + (f", then {held_out} for the test" if held_out else "")
    return f"{', '.join(parts)}; {split}; {len(train)} training windows"

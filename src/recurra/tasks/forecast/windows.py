"""Windows over series: sliced from one tensor in memory, standardised, with what is missing marked.

Shapes: R rows (all series below each other), C channels, L look-back, H horizon, W windows.
A *row series* is one univariate series (C = 1), or all columns of a table read together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from ...data.series import Panel
from ...errors import DataError
from .context import Context
from .layout import Layout
from .learned import ForecastLearned
from .plan import Part, tracks_of
from .scaling import Scaling
from .variables import Around, Variables, cut, encoded


class Beside(NamedTuple):
    """Covariates as the network reads them, row by row like the values."""

    known: Tensor  # (R, ·)
    past: Tensor  # (R, ·)
    static: Tensor  # (S, ·)

    @staticmethod
    def of(variables: Variables, parts: Sequence[Around]) -> "Beside":
        """Encode the coded columns of each row series, (n, K), (n, P) and (V,)."""
        known = [encoded(variables.known, one.known) for one in parts]
        past = [encoded(variables.past, one.past) for one in parts]
        static = encoded(variables.static, np.stack([one.static for one in parts]))
        return Beside(*(torch.from_numpy(part) for part in (np.concatenate(known), np.concatenate(past), static)))

    def around(self, rows: Tensor, lookback: int, series: Tensor) -> dict[str, Tensor]:
        """Return the streams of windows over these ``rows`` (B, L + H), of which L are past."""
        return {"known": self.known[rows], "past": self.past[rows[:, :lookback]], "static": self.static[series]}


@dataclass(frozen=True)
class Rows:
    """All row series in one tensor, standardised; windows are cut from it by position."""

    values: Tensor  # (R, C) standardised, zero where missing
    observed: Tensor | None  # (R, C) bool, None if nothing is missing
    offsets: np.ndarray  # (S,) row at which position 0 of each series stands
    identities: np.ndarray  # (S,) the number under which the network knows each series
    phases: np.ndarray  # (S,) place of position 0 in the season
    pad: int  # missing rows before each series, so that a window may begin before its first value
    scaling: Scaling  # of each series
    ratios: Tensor | None = None  # (S, C) for logarithms; None if the network takes none
    units: Tensor | None = None  # (S, C, 2) mean and deviation, for counts; None if the network predicts none
    beside: Beside | None = None  # covariates; None if there are none

    @staticmethod
    def of(
        tracks: list[np.ndarray],
        scaling: Scaling,
        pad: int,
        identities: np.ndarray | None = None,
        phases: np.ndarray | None = None,
    ) -> "Rows":
        """Stack ``tracks`` (T, C) with ``pad`` missing rows before each; known by their order if not told."""
        identities = np.arange(len(tracks)) if identities is None else identities
        phases = np.zeros(len(tracks), dtype=np.int64) if phases is None else phases
        hole = np.full((pad, tracks[0].shape[1]), np.nan)
        scaled = [scaling.rows(np.array([n])).into(track[None])[0] for n, track in enumerate(tracks)]
        pieces = [piece for track in scaled for piece in (hole, track)] if pad else scaled
        stacked = np.concatenate(pieces).astype(np.float32)
        lengths = np.array([len(track) + pad for track in tracks])
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]) + pad
        known = np.isfinite(stacked)
        observed = None if known.all() else torch.from_numpy(known)
        values = torch.from_numpy(np.where(known, stacked, np.float32(0)))
        return Rows(values, observed, offsets, identities, phases, pad, scaling)

    def windows(self, lookback: int, horizon: int, origins: Sequence[np.ndarray]) -> "Windows":
        """Return windows that forecast from each of ``origins`` (per series, position of the first target)."""
        starts = np.concatenate([at + first - lookback for at, first in zip(self.offsets, origins, strict=True)])
        series = np.repeat(np.arange(len(origins)), [len(first) for first in origins])
        positions = np.concatenate(origins) - lookback
        phases = positions + self.phases[series]
        first, which, phase = (torch.from_numpy(part.astype(np.int64)) for part in (starts, series, phases))
        return Windows(self, first, which, phase, lookback, horizon)


@dataclass(frozen=True)
class Windows:
    """Windows of L + H steps, taken by number."""

    rows: Rows
    starts: Tensor  # (W,) row of the first input step
    series: Tensor  # (W,) which row series
    phases: Tensor  # (W,) place of the first input step in the season
    lookback: int
    horizon: int

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def origins(self) -> np.ndarray:
        """The position in its series of the first step that each window forecasts (W,)."""
        first = (self.starts + self.lookback).numpy()
        return np.asarray(first - self.rows.offsets[self.series.numpy()])

    def take(self, numbers: Tensor) -> Batch:
        """Return inputs (B, L, C) and targets (B, H, C) of the windows with these numbers."""
        rows, source = self.starts[numbers].unsqueeze(1) + torch.arange(self.lookback + self.horizon), self.rows
        values = source.values[rows]
        identities = torch.from_numpy(source.identities)[self.series[numbers]]
        others = {"series": identities, "phase": self.phases[numbers]}
        if source.ratios is not None:
            others["ratio"] = source.ratios[self.series[numbers]].unsqueeze(1)
        if source.units is not None:
            others["unit"] = source.units[self.series[numbers]].unsqueeze(1)
        if source.beside is not None:
            others |= source.beside.around(rows, self.lookback, self.series[numbers])
        known = None
        if source.observed is not None:
            observed = source.observed[rows]
            others["observed"] = observed[:, : self.lookback]
            known = observed[:, self.lookback :]
        inputs, targets = values[:, : self.lookback], values[:, self.lookback :]
        return Batch(inputs, targets, None, known, others)

    def some(self, most: int) -> "Windows":
        """Return at most ``most`` windows, evenly spread."""
        if len(self) <= most:
            return self
        return self.at(torch.linspace(0, len(self) - 1, most, dtype=torch.float32).round().long())

    def at(self, chosen: Tensor) -> "Windows":
        """Return the windows with these numbers."""
        return replace(self, starts=self.starts[chosen], series=self.series[chosen], phases=self.phases[chosen])


def rows_of(panel: Panel, learned: ForecastLearned, part: Part) -> Rows:
    """Return ``panel`` as rows to cut the windows of a ``part`` from, scaled and known as in training.

    A series that was not there in training is scaled by what lies before its first forecast.
    """
    if learned.joint and len(panel) != learned.layout.channels:
        raise DataError(f"The model reads {learned.layout.channels} columns together, but got {len(panel)}.")
    tracks = tracks_of(panel, learned.joint)
    pairs = zip(tracks, part.origins, strict=True)
    known = learned.identify(panel, tracks, [int(own.min()) if len(own) else len(track) for track, own in pairs])
    rows = Rows.of(tracks, known.scaling, part.pad, known.numbers, known.phases)
    return replace(
        rows,
        ratios=ratios_for(learned.layout, known.scaling),
        units=units_for(learned.layout, known.scaling),
        beside=_beside(panel, learned, tracks, part.pad),
    )


def _beside(panel: Panel, learned: ForecastLearned, tracks: list[np.ndarray], pad: int) -> Beside | None:
    """Return the covariates of each row series, with ``pad`` missing rows before it as its values have them."""
    if not panel.beside:
        return None
    columns = (learned.variables.coded(panel, sort) for sort in ("known", "past", "static"))
    parts = [
        Around(cut(known, -pad, len(track)), cut(past, -pad, len(track)), static[0])
        for track, known, past, static in zip(tracks, *columns, strict=False)  # of a table read together one is all
    ]
    return Beside.of(learned.variables, parts)


def ratios_for(layout: Layout, scaling: Scaling) -> Tensor | None:
    """Return what a network that takes logarithms needs to know of each series (S, C); None if it takes none."""
    return torch.from_numpy(scaling.ratios()) if layout.log else None


def units_for(layout: Layout, scaling: Scaling) -> Tensor | None:
    """Return what a network that predicts counts needs to know of each series (S, C, 2); None if it predicts none."""
    return torch.from_numpy(np.stack([scaling.mean, scaling.std], -1).astype(np.float32)) if layout.counts else None


def windows_after(context: Context, learned: ForecastLearned) -> Windows:
    """Return one window per row series, whose future follows the ``context`` and is not known."""
    layout = learned.layout
    horizon = layout.horizon
    count, memory, channels = context.values.shape
    scaled = context.scaling.into(context.values)
    values = np.zeros((count, memory + horizon, channels), dtype=np.float32)
    known = np.isfinite(scaled)
    values[:, :memory] = np.where(known, scaled, 0.0)
    observed = None
    if not known.all():
        every = np.ones(values.shape, bool)
        every[:, :memory] = known
        observed = torch.from_numpy(every.reshape(-1, channels))
    offsets = np.arange(count) * (memory + horizon)
    stacked = torch.from_numpy(values.reshape(-1, channels))
    scale = context.scaling
    own, units = ratios_for(layout, scale), units_for(layout, scale)
    beside = None
    if context.around is not None:
        sorts = zip(*context.around, strict=True)
        parts = [Around(ahead, cut(past, 0, memory + horizon), static) for ahead, past, static in sorts]
        beside = Beside.of(learned.variables, parts)
    rows = Rows(stacked, observed, offsets, context.identities, context.phases, 0, scale, own, units, beside)
    return rows.windows(layout.lookback, horizon, [np.array([memory])] * count)

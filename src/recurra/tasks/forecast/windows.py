"""Windows over series: sliced from one tensor in memory, standardised, with what is missing marked.

Shapes: R rows (all series below each other), C channels, L look-back, H horizon, W windows.
A *row series* is one univariate series (C = 1), or all columns of a table read together.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...data.batch import Batch


class Scaling(NamedTuple):
    """Mean and standard deviation of each row series and channel, found on the training rows."""

    mean: np.ndarray  # (S, C)
    std: np.ndarray  # (S, C)

    @staticmethod
    def of(tracks: list[np.ndarray], ends: list[int]) -> "Scaling":
        """Measure ``tracks`` (T, C) up to ``ends``; a constant or empty channel gets a deviation of 1."""
        measured = [_moments(track[:end]) for track, end in zip(tracks, ends, strict=True)]
        return Scaling(np.stack([m for m, _ in measured]), np.stack([s for _, s in measured]))


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(values)
    count = np.maximum(known.sum(0), 1)
    filled = np.where(known, values, 0.0)
    mean = filled.sum(0) / count
    std = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(0) / count)
    # Rounding leaves a constant a deviation of about 1e-16 times its size.
    return mean, np.where(std > 1e-9 * np.maximum(np.abs(mean), 1e-12), std, 1.0)


def seasonal_means(tracks: list[np.ndarray], ends: list[int], scaling: Scaling, season: int) -> np.ndarray:
    """Return the mean at every place in the season of each standardised track: (S, season, C), zero-sum.

    A running mean over one season is taken out first, so that a trend does not look like a cycle.
    """
    cycles = np.zeros((len(tracks), season, tracks[0].shape[1]))
    for n, (track, end) in enumerate(zip(tracks, ends, strict=True)):
        scaled = pd.DataFrame((track[:end] - scaling.mean[n]) / scaling.std[n])
        trend = scaled.rolling(season, center=True, min_periods=max(1, season // 2)).mean()
        means = (scaled - trend).groupby(np.arange(end) % season).mean().reindex(range(season)).fillna(0.0)
        cycles[n] = means.to_numpy() - means.to_numpy().mean(0)
    return cycles


@dataclass(frozen=True)
class Windows:
    """Windows of L + H steps, taken by number."""

    values: Tensor  # (R, C) standardised, zero where missing
    observed: Tensor | None  # (R, C) bool, None if nothing is missing
    starts: Tensor  # (W,) row of the first input step
    series: Tensor  # (W,) which row series
    identities: Tensor  # (S,) the number under which the network knows each row series
    phases: Tensor  # (W,) place of the first input step in the season
    lookback: int
    horizon: int

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, numbers: Tensor) -> Batch:
        """Return inputs (B, L, C) and targets (B, H, C) of the windows with these numbers."""
        rows = self.starts[numbers].unsqueeze(1) + torch.arange(self.lookback + self.horizon)
        values = self.values[rows]
        others = {"series": self.identities[self.series[numbers]], "phase": self.phases[numbers]}
        known = None
        if self.observed is not None:
            observed = self.observed[rows]
            others["observed"] = observed[:, : self.lookback]
            known = observed[:, self.lookback :]
        inputs, targets = values[:, : self.lookback], values[:, self.lookback :]
        return Batch(inputs, targets, None, known, others)

    def some(self, most: int) -> "Windows":
        """Return at most ``most`` windows, evenly spread."""
        if len(self) <= most:
            return self
        chosen = torch.linspace(0, len(self) - 1, most).round().long()
        return self._only(chosen)

    def _only(self, chosen: Tensor) -> "Windows":
        return Windows(
            self.values,
            self.observed,
            self.starts[chosen],
            self.series[chosen],
            self.identities,
            self.phases[chosen],
            self.lookback,
            self.horizon,
        )


@dataclass(frozen=True)
class Rows:
    """All row series in one tensor, standardised; windows are cut from it by position."""

    values: Tensor  # (R, C)
    observed: Tensor | None
    offsets: np.ndarray  # (S,) row at which position 0 of each series stands
    identities: np.ndarray  # (S,) the number under which the network knows each series
    phases: np.ndarray  # (S,) place of position 0 in the season
    pad: int  # missing rows before each series, so that a window may begin before its first value

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
        scaled = [(t - m) / s for t, m, s in zip(tracks, scaling.mean, scaling.std, strict=True)]
        pieces = [piece for track in scaled for piece in (hole, track)]
        stacked = np.concatenate(pieces).astype(np.float32)
        lengths = np.array([len(track) + pad for track in tracks])
        offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]) + pad
        known = np.isfinite(stacked)
        observed = None if known.all() else torch.from_numpy(known)
        values = torch.from_numpy(np.where(known, stacked, np.float32(0)))
        return Rows(values, observed, offsets, identities, phases, pad)

    def windows(self, lookback: int, horizon: int, origins: list[np.ndarray], known_targets: bool) -> Windows:
        """Return windows that forecast from each of ``origins`` (per series, position of the first target).

        With ``known_targets`` a window without a single known target is left out.
        """
        starts = np.concatenate([at + first - lookback for at, first in zip(self.offsets, origins, strict=True)])
        series = np.repeat(np.arange(len(origins)), [len(first) for first in origins])
        positions = np.concatenate(origins) - lookback
        windows = Windows(
            self.values,
            self.observed,
            torch.from_numpy(starts.astype(np.int64)),
            torch.from_numpy(series.astype(np.int64)),
            torch.from_numpy(self.identities),
            torch.from_numpy((positions + self.phases[series]).astype(np.int64)),
            lookback,
            horizon,
        )
        if self.observed is None or not known_targets:
            return windows
        any_channel = self.observed.any(1).long()
        counts = torch.cat([any_channel.new_zeros(1), any_channel.cumsum(0)])
        first = windows.starts + lookback
        read = counts[first] - counts[windows.starts]
        answered = counts[first + horizon] - counts[first]
        return windows._only(((read > 0) & (answered > 0)).nonzero()[:, 0])

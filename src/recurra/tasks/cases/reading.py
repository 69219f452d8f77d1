"""How a case becomes what the network reads: its channels, their scale, and the sizes.

Shapes: N cases, T_i steps of case i, C channels.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ...data.cases import Cases
from ...data.cases.cases import channel_names
from ...data.moments import moments
from ...errors import DataError
from .network import Layout
from .settings import CaseSettings

Plain = tuple[dict[str, Any], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Reading:
    """The channels of the training cases with the scale of each, and the sizes of the network."""

    channels: tuple[str, ...]
    layout: Layout
    normalise: str
    arrays: bool  # whether it was trained on X and y
    mean: np.ndarray  # (C,) of all training cases
    std: np.ndarray  # (C,)
    change: np.ndarray  # (C,) deviation of the changes from step to step, of scaled values

    @classmethod
    def of(cls, train: Cases, settings: CaseSettings) -> "Reading":
        """Learn from the training cases."""
        mean, std = moments(np.concatenate(train.values))
        layout = Layout.of(train, settings)
        first = cls(train.channels, layout, settings.normalise, train.arrays, mean, std, np.ones(len(train.channels)))
        changes = np.concatenate([np.diff(first.scaled(case), axis=0) for case in train.values])
        return dataclasses.replace(first, change=moments(changes)[1])

    def with_channels(self, cases: Cases) -> Cases:
        """Return ``cases`` with the channels of training, in their order; raises DataError if one is missing."""
        if cases.channels == self.channels:
            return cases
        nameless = channel_names(len(cases.channels)) == cases.channels or channel_names(len(self.channels)) == (
            self.channels
        )
        if nameless and len(cases.channels) == len(self.channels):
            return cases
        missing = [name for name in self.channels if name not in cases.channels]
        if nameless or missing:
            raise DataError(
                f"The model was trained on {_listed(self.channels)}, but these cases have {_listed(cases.channels)}. "
                "Bring cases with the channels of the training."
            )
        at = [cases.channels.index(name) for name in self.channels]
        return dataclasses.replace(cases, values=tuple(v[:, at] for v in cases.values), channels=self.channels)

    def inputs(self, values: np.ndarray) -> np.ndarray:
        """Return one case (T, C) as the network reads it: scaled values and, if asked for, their changes (T, 2C)."""
        return self._with_changes(self.scaled(values))

    def again(self, inputs: Tensor) -> Tensor:
        """Return ``inputs`` (B, T, I) with the changes computed again from the values in them."""
        values = inputs[..., : self.layout.channels].cpu().double().numpy()
        return torch.from_numpy(self._with_changes(values)).to(inputs)

    def _with_changes(self, scaled: np.ndarray) -> np.ndarray:
        """Return values (..., T, C) and, if asked for, their changes (..., T, 2C)."""
        if self.layout.inputs == self.layout.channels:
            return scaled
        changes = np.diff(scaled, axis=-2, prepend=scaled[..., :1, :]) / self.change
        return np.concatenate([scaled, changes], -1)

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Return one case (T, C) scaled, its gaps filled in a straight line."""
        if self.normalise == "none":
            return filled(values)
        mean, std = moments(values) if self.normalise == "case" else (self.mean, self.std)
        return filled((values - mean) / std)

    @property
    def spread(self) -> np.ndarray:
        """What makes channels comparable (C,): their deviation if there are several."""
        return self.std if len(self.channels) > 1 else np.ones(1)

    def to_plain(self) -> Plain:
        """Return it as JSON values and arrays."""
        plain = {
            "channels": list(self.channels),
            "layout": dataclasses.asdict(self.layout),
            "normalise": self.normalise,
            "arrays": self.arrays,
        }
        return plain, {"mean": self.mean, "std": self.std, "change": self.change}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "Reading":
        """Return what ``to_plain`` wrote; what else is in it is left alone."""
        layout = Layout.from_plain(plain["layout"])
        scales = arrays["mean"], arrays["std"], arrays["change"]
        return cls(tuple(plain["channels"]), layout, plain["normalise"], plain["arrays"], *scales)


class CaseLearned(Protocol):
    """What training cases taught: how cases are read, and what the network should say of them."""

    @property
    def reading(self) -> Reading: ...
    def targets(self, cases: Cases) -> Tensor | None:
        """Return what the network should say of each case (N, ...), or of each step of all cases; None if unknown."""
        ...

    def to_plain(self) -> Plain: ...


def filled(values: np.ndarray) -> np.ndarray:
    """Return ``values`` (T, C) with gaps filled in a straight line, and zero in a channel of which nothing is known."""
    if np.isfinite(values).all():
        return values
    values, steps = values.copy(), np.arange(len(values))
    for channel in values.T:
        known = np.isfinite(channel)
        channel[:] = np.interp(steps, steps[known], channel[known]) if known.any() else 0.0
    return values


def resampled(values: np.ndarray, length: int) -> np.ndarray:
    """Return one case (T, C) stretched to ``length`` steps in straight lines from step to step."""
    if len(values) == length:
        return values
    places = np.linspace(0, len(values) - 1, length)
    return np.stack([np.interp(places, np.arange(len(values)), channel) for channel in values.T], 1)


def points(cases: Cases, reading: Reading) -> np.ndarray:
    """Return each case as a point of one space (N, L·C), float32, L the median length, by which cases are near or far.

    Values are as they came, but each channel divided by its deviation if there are several; gaps are filled in a
    straight line, and cases of another length are stretched.
    """
    flat = [resampled(filled(case) / reading.spread, reading.layout.length).ravel() for case in cases.values]
    return np.stack(flat).astype(np.float32)


def _listed(channels: tuple[str, ...]) -> str:
    names = ", ".join(f"'{name}'" for name in channels[:6]) + (", .." if len(channels) > 6 else "")
    return f"{len(channels)} channel(s) ({names})"

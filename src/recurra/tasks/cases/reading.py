"""How a case becomes what the network reads: its channels, their scale, and the sizes.

Shapes: N cases, T_i steps of case i, C channels.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from ...data.cases import Cases
from ...data.cases.cases import Form, channel_names
from ...data.moments import moments
from ...data.sound import seconds_of
from ...errors import DataError
from ...nn.occlusion import straightened
from ...writing.numbers import in_steps
from .network import Layout
from .settings import CaseSettings

Plain = tuple[dict[str, Any], dict[str, np.ndarray]]
MOST = 1e18  # what the network reads is float32, and squares of larger numbers are beyond it
CALLED: dict[Form, str] = {"numbers": "numbers", "texts": "texts", "sentences": "sentences"}


class Encoded(NamedTuple):
    """Cases as the network reads them, below each other."""

    values: Tensor  # (R, I)
    known: Tensor | None  # (R, C) where a value was there; None if the network does not ask
    lengths: Tensor  # (N,)


def refuse_form(cases: Cases, form: Form) -> None:
    """Raise DataError if ``cases`` are not what a model was trained on, which is this ``form``."""
    if cases.form != form:
        raise DataError(
            f"The model was trained on {CALLED[form]}, but these cases are {CALLED[cases.form]}. Bring {CALLED[form]}."
        )


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
    rate: int | None = None  # samples per second, if the cases are sounds
    form: ClassVar[Form] = "numbers"
    seen: ClassVar[None] = None

    @classmethod
    def of(cls, train: Cases, settings: CaseSettings) -> "Reading":
        """Learn from the training cases; all pixels of pictures have one scale."""
        layout = Layout.of(train, settings)
        first = cls.plain(train, layout, settings.normalise)
        if layout.inputs == layout.channels:
            return first
        changes = np.empty((int((train.lengths - 1).sum()), layout.channels))
        start = 0
        for case in train.values:
            changes[start : start + len(case) - 1] = np.diff(first.scaled(case), axis=0)
            start += len(case) - 1
        return dataclasses.replace(first, change=moments(changes)[1])

    @classmethod
    def plain(cls, train: Cases, layout: Layout, normalise: str) -> "Reading":
        """Learn the scale of the values from the training cases, but not that of their changes."""
        mean, std = _scale(np.concatenate(train.values), layout, train.featured)
        ones = np.ones(len(train.channels))
        return cls(train.channels, layout, normalise, train.arrays, mean, std, ones, train.rate)

    def with_channels(self, cases: Cases) -> Cases:
        """Return ``cases`` with the channels of training, in their order; raises DataError if one is missing.

        Pictures need the size of those of the training.
        """
        if cases.shape != self.layout.shape:
            raise DataError(
                f"The model was trained on {_steps(self.layout.shape)}, but these cases are {_steps(cases.shape)}. "
                "Bring cases like those of the training."
            )
        refuse_form(cases, "numbers")
        if (cases.rate is None) != (self.rate is None):
            kinds = ("series", "sounds") if self.rate is None else ("sounds", "series")
            raise DataError(
                f"The model was trained on {kinds[0]}, but these cases are {kinds[1]}. Bring cases like those of the "
                "training."
            )
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

    def encoded(self, cases: Cases) -> Encoded:
        """Return ``cases`` as the network reads them; raises DataError for a value that is too large."""
        lengths = torch.from_numpy(cases.lengths)
        values = np.empty((int(lengths.sum()), self.layout.inputs), dtype=np.float32)  # filled case by case
        start = 0
        for name, raw in zip(cases.names, cases.values, strict=True):
            case = self.inputs(raw)
            if np.abs(case).max(initial=0.0) > MOST:
                at, channel = np.unravel_index(np.abs(case).argmax(), case.shape)
                raise DataError(
                    f"Case '{name}' has the value {raw[at, channel % raw.shape[1]]:g} in step {at + 1}, which is "
                    f"{case[at, channel]:g} as the network would read it, too large to learn from. Scale the values "
                    "with normalise='series' or 'case', or bring them in a larger unit."
                )
            values[start : start + len(case)] = case
            start += len(case)
        known = torch.from_numpy(np.concatenate([np.isfinite(v) for v in cases.values])) if self.layout.told else None
        return Encoded(torch.from_numpy(values), known, lengths)

    def inputs(self, values: np.ndarray) -> np.ndarray:
        """Return one case (T, C) as the network reads it: scaled values and, if asked for, their changes (T, 2C)."""
        return self._with_changes(self.scaled(values))

    def without(self, inputs: Tensor, first: int, last: int, lengths: Tensor) -> Tensor:
        """Return ``inputs`` (B, T, I) with the steps from ``first`` to ``last`` on a line, and what changes then."""
        inputs = straightened(inputs, first, last, lengths)
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
        mean, std = self.scale or _scale(values, self.layout)
        return filled((values - mean) / std)

    @property
    def scale(self) -> tuple[np.ndarray, np.ndarray] | None:
        """What is taken from the values of each channel (C,), and what they are divided by; None if cases differ."""
        if self.normalise == "case":
            return None
        return (self.mean, self.std) if self.normalise == "series" else (0 * self.mean, np.ones_like(self.std))

    @property
    def spread(self) -> np.ndarray:
        """What makes channels comparable (C,): their deviation if there are several."""
        return self.std if len(self.channels) > 1 else np.ones(1)

    @property
    def seconds(self) -> float | None:
        """How long it is from one step to the next, where that is known."""
        return None if self.rate is None else seconds_of(self.rate)

    def place(self, first: int, last: int) -> str:
        """Return a stretch of steps, counted from 0, in words."""
        if self.layout.shape is not None:
            return f"frame {first}" if first == last else f"frame {first} to {last}"
        if self.seconds is not None:
            return f"{first * self.seconds:.2f} s to {(last + 1) * self.seconds:.2f} s"
        return f"step {first} to {last}"

    def span(self, count: float) -> str:
        """Return how long so many segments are, from the beginning of one to that of the next, in words."""
        steps = round(count * self.layout.hop)
        return in_steps(steps) if self.seconds is None else f"{steps * self.seconds:.2f} s"

    def to_plain(self) -> Plain:
        """Return it as JSON values and arrays."""
        plain = {
            "channels": list(self.channels),
            "layout": dataclasses.asdict(self.layout),
            "normalise": self.normalise,
            "arrays": self.arrays,
            "rate": self.rate,
        }
        return plain, {"mean": self.mean, "std": self.std, "change": self.change}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "Reading":
        """Return what ``to_plain`` wrote; what else is in it is left alone."""
        layout = Layout.from_plain(plain["layout"])
        scales = arrays["mean"], arrays["std"], arrays["change"]
        rate = plain.get("rate")  # runs of earlier versions heard nothing
        return cls(tuple(plain["channels"]), layout, plain["normalise"], plain["arrays"], *scales, rate)


class CaseReading(Protocol):
    """How cases of one form are read."""

    form: ClassVar[Form]

    @property
    def layout(self) -> Layout: ...
    @property
    def arrays(self) -> bool: ...
    @property
    def rate(self) -> int | None: ...
    @property
    def seen(self) -> np.ndarray | None: ...  # digests of the training cases, where they are kept
    def with_channels(self, cases: Cases) -> Cases: ...
    def encoded(self, cases: Cases) -> Encoded: ...


class CaseLearned(Protocol):
    """What training cases taught: how cases are read, and what the network should say of them."""

    @property
    def reading(self) -> CaseReading: ...
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


def _scale(values: np.ndarray, layout: Layout, featured: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation (C,) of each channel of ``values`` (T, C).

    All pixels of pictures have one, and of those that are ``featured`` each feature has one in all places.
    """
    if layout.shape is None:
        return moments(values)
    alike = layout.channels // layout.shape[0] if featured else layout.channels
    apart = values.reshape(len(values), -1, alike).swapaxes(1, 2)
    mean, std = moments(apart.reshape(-1, apart.shape[2]))
    return mean.repeat(alike), std.repeat(alike)


def _steps(shape: tuple[int, int, int] | None) -> str:
    if shape is None:
        return "series"
    return f"moving pictures of {shape[1]} x {shape[2]} pixels and {shape[0]} colour(s)"


def _listed(channels: tuple[str, ...]) -> str:
    names = ", ".join(f"'{name}'" for name in channels[:6]) + (", .." if len(channels) > 6 else "")
    return f"{len(channels)} channel(s) ({names})"

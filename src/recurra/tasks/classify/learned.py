"""What a classifier keeps of the cases it was trained on, besides the weights.

Shapes: N cases, T_i steps of case i, C channels, K classes.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.cases import Cases
from ...data.cases.cases import channel_names
from ...errors import DataError
from ..moments import moments
from .network import Layout
from .plan import ClassifyPlan, codes_of, labels_of
from .settings import ClassifySettings

TYPES: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": lambda name: name == "True", "str": str}


@dataclass(frozen=True)
class ClassifyLearned:
    """The classes, the sizes, and the scale of every channel."""

    classes: tuple[str, ...]
    counts: tuple[int, ...]  # how many training cases each class has
    channels: tuple[str, ...]
    layout: Layout
    normalise: str
    arrays: bool  # whether it was trained on X and y
    dtype: str  # the type of y, one of TYPES
    mean: np.ndarray  # (C,) of all training cases
    std: np.ndarray  # (C,)
    change: np.ndarray  # (C,) deviation of the changes from step to step, of scaled values
    rate: int | None = None  # samples per second, where the cases are sounds
    shape: tuple[int, int, int] | None = None  # channels, height and width, where each step is a picture

    @classmethod
    def of(cls, cases: Cases, plan: ClassifyPlan, settings: ClassifySettings) -> "ClassifyLearned":
        """Learn from the training cases."""
        train = cases.some(plan.train)
        codes = codes_of(labels_of(train, "to train on"), plan.classes)
        counts = tuple(np.bincount(codes, minlength=len(plan.classes)).tolist())
        mean, std = moments(np.concatenate(train.values))
        learned = cls(
            plan.classes,
            counts,
            cases.channels,
            Layout.of(train, settings, len(plan.classes)),
            settings.normalise,
            hasattr(cases, "dtype"),
            getattr(cases, "dtype", "str"),
            mean,
            std,
            np.ones(len(cases.channels)),
            cases.rate,
            cases.shape,
        )
        changes = np.concatenate([np.diff(learned.scaled(case), axis=0) for case in train.values])
        return dataclasses.replace(learned, change=moments(changes)[1])

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
        scaled = self.scaled(values)
        if self.layout.inputs == self.layout.channels:
            return scaled
        return np.concatenate([scaled, np.diff(scaled, axis=0, prepend=scaled[:1]) / self.change], 1)

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

    def typed(self, codes: np.ndarray) -> np.ndarray:
        """Return the classes with these ``codes`` in the type of the labels that were trained on."""
        names = np.array([TYPES[self.dtype](name) for name in self.classes])
        return names[codes]

    def to_plain(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return it as JSON values and arrays."""
        plain = {
            "classes": list(self.classes),
            "counts": list(self.counts),
            "channels": list(self.channels),
            "layout": dataclasses.asdict(self.layout),
            "normalise": self.normalise,
            "arrays": self.arrays,
            "dtype": self.dtype,
            "rate": self.rate,
            "shape": self.shape,
        }
        return plain, {"mean": self.mean, "std": self.std, "change": self.change}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "ClassifyLearned":
        """Return what ``to_plain`` wrote."""
        return cls(
            tuple(plain["classes"]),
            tuple(plain["counts"]),
            tuple(plain["channels"]),
            Layout(**plain["layout"]),
            plain["normalise"],
            plain["arrays"],
            plain["dtype"],
            arrays["mean"],
            arrays["std"],
            arrays["change"],
            plain.get("rate"),  # runs of earlier versions knew no sounds and no pictures
            None if plain.get("shape") is None else tuple(plain["shape"]),
        )


def filled(values: np.ndarray) -> np.ndarray:
    """Return ``values`` (T, C) with gaps filled in a straight line, and zero in a channel of which nothing is known."""
    if np.isfinite(values).all():
        return values
    values, steps = values.copy(), np.arange(len(values))
    for channel in values.T:
        known = np.isfinite(channel)
        channel[:] = np.interp(steps, steps[known], channel[known]) if known.any() else 0.0
    return values


def _listed(channels: tuple[str, ...]) -> str:
    names = ", ".join(f"'{name}'" for name in channels[:6]) + (", .." if len(channels) > 6 else "")
    return f"{len(channels)} channel(s) ({names})"

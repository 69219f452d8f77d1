"""What a classifier keeps of the cases it was trained on, besides the weights.

Shapes: N cases, K classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ...data.cases import Cases
from ...nn.augment import Augmentation
from ...nn.disguise import Disguise
from ..base import THE_NETWORK
from ..cases.classes import classes_of, codes_of, labels_of, sets_of, typed
from ..cases.convolutions import CONVOLUTIONS
from ..cases.network import Layout
from ..cases.reading import Plain, Reading
from ..cases.split import Split
from ..cases.text import TextReading
from .settings import ClassifySettings

USUAL = 0.1  # augmentation of curves
SHORT = 8  # steps: shorter cases are not cut
SYMBOLS = 32  # a channel of no more different values holds symbols, between which there is nothing


@dataclass(frozen=True)
class ClassifyLearned:
    """The classes, and how cases are read."""

    classes: tuple[str, ...]
    counts: tuple[int, ...]  # how many training cases each class has
    dtype: str  # the type of y, as ``typed`` reads it
    reading: Reading | TextReading
    several: bool = False  # whether a case has any number of labels
    mix: dict[str, float] = field(default_factory=dict)  # what network and rows weigh in the answer; else the network
    threshold: float | None = None  # from which probability on the rarer of two classes is named; else the larger

    @classmethod
    def of(cls, cases: Cases, plan: Split, settings: ClassifySettings) -> "ClassifyLearned":
        """Learn from the training cases."""
        train, classes = cases.some(plan.train), classes_of(cases)
        labels = labels_of(train, "to train on")
        if cases.several:
            found = sets_of(labels, classes).sum(0)
        else:
            found = np.bincount(codes_of(labels, classes), minlength=len(classes))
        counts = tuple(found.tolist())
        dtype = getattr(cases, "dtype", "str")
        if cases.written:
            texts = TextReading.of(train, settings).remembering(cases.some(plan.used))
            return cls(classes, counts, dtype, texts, several=cases.several)
        reading = Reading.of(train, settings)
        reading = replace(reading, layout=_augmented(reading.layout, train, settings))
        return cls(classes, counts, dtype, reading, several=cases.several)

    @property
    def augmentation(self) -> Augmentation:
        """What training does to cases."""
        layout = self.reading.layout
        if isinstance(self.reading, TextReading):
            return Augmentation()
        scale = self.reading.scale
        if not layout.disguise or scale is None:
            return Augmentation(layout.warp, layout.rescale)
        mean, std, change = (torch.from_numpy(one) for one in (*scale, self.reading.change))
        reads_changes = layout.inputs > layout.channels
        disguise = Disguise(layout.disguise, mean, std, change if reads_changes else None)
        return Augmentation(layout.warp, layout.rescale, disguise)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of how cases are read."""
        return self.reading.notes if isinstance(self.reading, TextReading) else ()

    def targets(self, cases: Cases) -> torch.Tensor | None:
        """Return the number of each case's class (N,), or which labels it has (N, K); None if cases have no labels."""
        if self.several and cases.labels is not None:
            return torch.from_numpy(sets_of(cases.labels, self.classes).astype(np.float32))
        return None if cases.labels is None else torch.from_numpy(codes_of(cases.labels, self.classes))

    def typed(self, codes: np.ndarray) -> np.ndarray:
        """Return the classes with these ``codes`` in the type of the labels that were trained on."""
        return typed(codes, self.classes, self.dtype)

    def to_plain(self) -> Plain:
        """Return it as JSON values and arrays."""
        plain, arrays = self.reading.to_plain()
        own = {"classes": list(self.classes), "counts": list(self.counts), "dtype": self.dtype, "mix": self.mix}
        own |= {"several": self.several, "threshold": self.threshold}
        return own | plain, arrays

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "ClassifyLearned":
        """Return what ``to_plain`` wrote."""
        reading = TextReading.from_plain(plain, arrays) if "text" in plain else Reading.from_plain(plain, arrays)
        return cls(
            tuple(plain["classes"]),
            tuple(plain["counts"]),
            plain["dtype"],
            reading,
            plain.get("several", False),
            _mix_of(plain),
            plain.get("threshold"),
        )


def _mix_of(plain: Mapping[str, Any]) -> dict[str, float]:
    """Return what weighs how much in the answer of a run; older ones have the share of random convolutions, or none."""
    share = plain.get("share")
    if share:
        return {THE_NETWORK: 1 - share, CONVOLUTIONS: share}
    return dict(plain.get("mix", {}))


def _augmented(layout: Layout, train: Cases, settings: ClassifySettings) -> Layout:
    """Return a layout with the augmentation that the settings name, or the usual one if cases are curves."""
    usual = USUAL if _are_curves(train) else 0.0
    warp, rescale = (usual if given is None else given for given in (settings.warp, settings.rescale))
    disguise = settings.disguised(train, 0.0 if settings.normalise == "case" else 1.0)
    return replace(layout, warp=warp, rescale=rescale, disguise=disguise)


def _are_curves(cases: Cases) -> bool:
    """Tell whether cases are measured curves: of several steps, each channel with more than a few values."""
    if np.median(cases.lengths) < SHORT:
        return False
    some = np.concatenate(cases.some(np.arange(min(len(cases), 100))).values)
    return all(len(np.unique(channel[np.isfinite(channel)])) > SYMBOLS for channel in some.T)

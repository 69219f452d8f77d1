"""What a tagger keeps of the cases it was trained on, besides the weights.

Shapes: K labels, R steps of all cases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...data.cases import Cases
from ..cases.classes import typed
from ..cases.reading import Plain, Reading
from ..cases.split import Split
from .marks import classes_of, marks_of, numbers_of
from .settings import TagSettings


@dataclass(frozen=True)
class TagLearned:
    """The labels, and how cases are read."""

    classes: tuple[str, ...]
    counts: tuple[int, ...]  # how many training steps have each label
    dtype: str  # the type of y, as ``typed`` reads it
    piece: int  # steps that are read at once
    reading: Reading

    @classmethod
    def of(cls, cases: Cases, plan: Split, settings: TagSettings) -> "TagLearned":
        """Learn from the training cases."""
        train, classes = cases.some(plan.train), classes_of(cases)
        numbers = numbers_of(marks_of(train, "to train on"), classes)
        counts = tuple(np.bincount(numbers[numbers >= 0], minlength=len(classes)).tolist())
        reading = Reading.of(train, settings)
        return cls(classes, counts, getattr(cases, "dtype", "str"), settings.piece, reading)

    def targets(self, cases: Cases) -> torch.Tensor | None:
        """Return the number of the label of each step (R,), below 0 where not known; None if nothing is labelled."""
        return None if cases.marks is None else torch.from_numpy(numbers_of(cases.marks, self.classes))

    def typed(self, codes: np.ndarray) -> np.ndarray:
        """Return the labels with these ``codes`` in the type of those that were trained on."""
        return typed(codes, self.classes, self.dtype)

    def to_plain(self) -> Plain:
        """Return it as JSON values and arrays."""
        plain, arrays = self.reading.to_plain()
        own = {"classes": list(self.classes), "counts": list(self.counts), "dtype": self.dtype, "piece": self.piece}
        return own | plain, arrays

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "TagLearned":
        """Return what ``to_plain`` wrote."""
        reading = Reading.from_plain(plain, arrays)
        return cls(tuple(plain["classes"]), tuple(plain["counts"]), plain["dtype"], plain["piece"], reading)

"""What a tagger keeps of the cases it was trained on, besides the weights.

Shapes: K labels, R steps of all cases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...data.cases import Cases
from ..cases.classes import codes_of, typed
from ..cases.reading import Plain, Reading
from ..cases.sentences import SentenceReading
from ..cases.split import Split
from .marks import classes_of, marks_of, numbers_of
from .schemes import INSIDE, Scheme
from .settings import TagSettings


@dataclass(frozen=True)
class TagLearned:
    """The labels, and how cases are read."""

    classes: tuple[str, ...]
    counts: tuple[int, ...]  # how many training steps have each label
    dtype: str  # the type of y, as ``typed`` reads it
    piece: int  # steps that are read at once
    reading: Reading | SentenceReading
    scheme: Scheme | None = None  # of tags that say what is an entity
    intents: tuple[str, ...] = ()  # what a sentence may be as a whole

    @classmethod
    def of(cls, cases: Cases, plan: Split, settings: TagSettings) -> "TagLearned":
        """Learn from the training cases."""
        train, classes = cases.some(plan.train), classes_of(cases)
        numbers = numbers_of(marks_of(train, "to train on"), classes)
        counts = tuple(np.bincount(numbers[numbers >= 0], minlength=len(classes)).tolist())
        own = classes, counts, getattr(cases, "dtype", "str"), settings.piece
        if cases.form == "numbers":
            return cls(*own, Reading.of(train, settings))
        intents = tuple(sorted(set(train.labels or ()))) if settings.intents else ()
        reading = SentenceReading.learn(train, settings, settings.letters).remembering(cases.some(plan.used))
        return cls(*own, reading, Scheme.of(classes), intents)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of how cases are read."""
        return self.reading.notes if isinstance(self.reading, SentenceReading) else ()

    def targets(self, cases: Cases) -> torch.Tensor | None:
        """Return the number of the label of each step (R,), below 0 where not known; None if nothing is labelled."""
        return None if cases.marks is None else torch.from_numpy(numbers_of(cases.marks, self.classes))

    def wholes(self, cases: Cases) -> torch.Tensor | None:
        """Return the number of what each case is as a whole (N,), below 0 where not known; None if not asked for."""
        if not self.intents or cases.labels is None:
            return None
        return torch.from_numpy(codes_of(cases.labels, self.intents))

    def continuing(self) -> np.ndarray:
        """Return for each label (K, 1) the one that would go on with its entity behind it, -1 if none would."""
        if self.scheme is None or self.scheme.end is not None:
            return np.full((len(self.classes), 1), -1)
        role, kind = self.scheme.read(self.classes)
        goes_on = (role[None, :] == INSIDE) & (kind[None, :] == kind[:, None]) & (kind >= 0)[:, None]
        return np.where(goes_on.any(1), goes_on.argmax(1), -1)[:, None]

    def typed(self, codes: np.ndarray) -> np.ndarray:
        """Return the labels with these ``codes`` in the type of those that were trained on."""
        return typed(codes, self.classes, self.dtype)

    def to_plain(self) -> Plain:
        """Return it as JSON values and arrays."""
        plain, arrays = self.reading.to_plain()
        own = {"classes": list(self.classes), "counts": list(self.counts), "dtype": self.dtype, "piece": self.piece}
        own |= {"scheme": None if self.scheme is None else self.scheme.to_plain(), "intents": list(self.intents)}
        return own | plain, arrays

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "TagLearned":
        """Return what ``to_plain`` wrote."""
        reading = SentenceReading.from_plain(plain, arrays) if "text" in plain else Reading.from_plain(plain, arrays)
        scheme = Scheme(**plain["scheme"]) if plain.get("scheme") else None  # older runs know of none
        own = tuple(plain["classes"]), tuple(plain["counts"]), plain["dtype"], plain["piece"]
        return cls(*own, reading, scheme, tuple(plain.get("intents", ())))

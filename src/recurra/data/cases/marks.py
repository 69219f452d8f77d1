"""Labels of steps: what each step of a case is, where that is known.

Shapes: N cases, T_i steps of case i, R steps of all cases.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Marks:
    """A label for every step: ``codes[i]`` is int64 (T_i,), the place of each among the ``names``, -1 if not known."""

    codes: tuple[np.ndarray, ...]
    names: tuple[str, ...]

    @property
    def flat(self) -> np.ndarray:
        """The codes of all cases one after another, int64 (R,)."""
        return np.concatenate(self.codes)

    @property
    def used(self) -> tuple[str, ...]:
        """The names that some step has."""
        flat = self.flat
        return tuple(self.names[code] for code in np.unique(flat[flat >= 0]))

    def some(self, places: Iterable[int]) -> "Marks":
        """Return the labels of the cases at these ``places``."""
        return replace(self, codes=tuple(self.codes[place] for place in places))

    def renamed(self, names: Sequence[str]) -> "Marks":
        """Return the labels with other ``names`` in the place of these."""
        return replace(self, names=tuple(names))

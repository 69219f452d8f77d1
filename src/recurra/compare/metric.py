"""What a metric is: a name, which way is better, and how it follows from statistics of single cases."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..writing.numbers import digits

Statistics = Mapping[str, np.ndarray]  # per case: errors, counts, matches, ..; the first axis is the case


@dataclass(frozen=True)
class Metric:
    """A number that says how good answers are."""

    name: str  # as in settings and plain data: "mase"
    title: str  # as people write it: "MASE"
    better: str  # "low", "high", or "" where neither is
    of: Callable[[Statistics], float]
    help: str = ""  # what it is, one sentence without a full stop
    share: bool = False  # a share between 0 and 1, written in percent
    points: bool = False  # a number from 0 to 100, of which differences are points as they are
    shown: bool = True  # whether tables show it; what is computed has all

    def beats(self, first: float, second: float) -> bool:
        """Tell whether ``first`` is better than ``second``; never, where neither low nor high is better."""
        return (self.better == "low" and first < second) or (self.better == "high" and first > second)

    def write(self, value: float) -> str:
        """Return a value of this metric as people write it."""
        return f"{100 * value:.1f} %" if self.share else digits(value)

    def change(self, before: float, after: float) -> float:
        """Return how far it is from ``before`` to ``after``: points of a share or a score, else percent."""
        if self.points:
            return after - before
        return 100 * (after - before) if self.share else 100 * (after - before) / before

    def apart(self, before: float, after: float) -> str:
        """Return how far two values are from each other, without a sign: ``12 %`` or ``3.4 points``."""
        if not (before or self.unit == "points"):
            return "far"  # there is no percent of nothing
        return f"{abs(self.change(before, after)):.{1 if self.unit == 'points' else 0}f} {self.unit}"

    @property
    def sentence(self) -> str:
        """What it is, as a sentence; empty where nothing is said."""
        return f"{self.help[:1].upper()}{self.help[1:]}." if self.help else ""

    @property
    def unit(self) -> str:
        """What ``change`` is measured in."""
        return "points" if self.share or self.points else "%"


def ratio(above: str, below: str) -> Callable[[Statistics], float]:
    """Return the metric ``Σ above / Σ below`` of two statistics: a mean over all that is counted."""

    def of(statistics: Statistics) -> float:
        count = float(np.sum(statistics[below]))
        share = float(np.sum(statistics[above])) / count if count else float("nan")
        return share if np.isfinite(share) else float("nan")  # beyond all numbers, of next to nothing

    return of

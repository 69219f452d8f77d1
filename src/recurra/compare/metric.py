"""What a number says of a model, and which of two is better."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

# Per case: errors, counts, matches …; the first axis is the case.
Statistics = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Metric:
    """One number that is made of statistics of many cases."""

    name: str  # as in JSON, settings and tables of numbers: "mase"
    title: str  # as people write it: "MASE"
    better: str  # "low", "high", or "" where neither is
    of: Callable[[Statistics], float]
    help: str = ""  # what it is, one sentence without a full stop at the end
    share: bool = False  # a share between 0 and 1, written in percent

    def beats(self, first: float, second: float) -> bool:
        """Return whether ``first`` is better than ``second``; never, where neither low nor high is better."""
        return (self.better == "low" and first < second) or (self.better == "high" and first > second)

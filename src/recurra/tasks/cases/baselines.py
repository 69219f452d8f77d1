"""What rows of the table that cost little do alike, whatever is said of cases.

Shapes: K classes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...data.cases import Cases
from ..base import Baseline, Prepared


def not_held_out(prepared: Prepared) -> Cases:
    """Return all cases that are not held out: what decides when a network stops, others do not need."""
    plan: Any = prepared.plan
    cases: Cases = prepared.data.some(plan.used)
    return cases


class Shares(Baseline):
    """What is said is the same everywhere: the share of each class in what trains."""

    shares: np.ndarray  # (K,)

    def fit(self, prepared: Prepared) -> None:
        """Count the classes."""
        counts = np.array(prepared.learned.counts, float)
        self.shares = counts / counts.sum()

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the shares."""
        return {"shares": self.shares}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the shares."""
        self.shares = arrays["shares"]

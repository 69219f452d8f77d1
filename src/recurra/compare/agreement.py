"""Whether two ways to weigh the same things agree.

Shapes: N cases, n_i things of case i.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .significance import interval_of_mean

FEWEST = 3  # things of which an order says something
MUCH, PARTLY = 0.7, 0.4  # rank correlations from which on two orders are called so


@dataclass(frozen=True)
class Agreement:
    """How alike two ways order things, case by case."""

    mean: float  # of the rank correlations of all cases; NaN if there was none
    interval: float  # half the width of its 95 % interval; NaN for fewer than two cases
    cases: int  # that had an order in both

    @property
    def degree(self) -> str:
        """``much``, ``partly`` or ``little``, as far as it is beyond chance; ``unknown`` if the cases are too few."""
        if not self.mean >= PARTLY:
            return "little" if self.cases > 1 else "unknown"
        sure = self.mean - self.interval
        return "much" if sure >= MUCH else "partly" if sure >= PARTLY else "unknown"


def rank_agreement(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> Agreement:
    """Return how alike ``first`` and ``second`` order the things of each case, (n_i,) each.

    Spearman's rank correlation of every case, and its mean over cases with Student's interval. A case in which one of
    them is the same everywhere, or which has fewer than three things that are known, has no order and is left out.
    """
    found = [_rank_correlation(np.asarray(a, float), np.asarray(b, float)) for a, b in zip(first, second, strict=True)]
    known = np.array([value for value in found if np.isfinite(value)])
    if not len(known):
        return Agreement(float("nan"), float("nan"), 0)
    return Agreement(float(known.mean()), interval_of_mean(known), len(known))


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    from scipy.stats import rankdata

    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < FEWEST:
        return float("nan")
    ranks = [rankdata(values[known]) for values in (first, second)]
    if any(np.ptp(one) == 0 for one in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])

"""Which training is not worth its time: one that is worse than others were after as many epochs.

Whom it is held against is settled before it begins, so that what runs beside it has no say in it.
"""

from collections.abc import Sequence
from statistics import median

import numpy as np

Curve = Sequence[float]  # the best cost so far, after each epoch

FEWEST = 4  # others, without which nothing is said
EARLY = 0.1  # share of all epochs in which no training is ended
FACTOR = 3  # of successive halving: a third goes on, three times as long


def hopeless(rule: str, curve: Curve, rivals: Sequence[Curve], most: int) -> bool:
    """Tell whether a training should end now, by its ``curve`` and those of its ``rivals``; ``most`` epochs are ahead.

    ``median``: it is worse than the median of the others was after as many epochs (Golovin et al. 2017, Vizier).
    ``halving``: after 1, 3, 9, .. times the first epochs, only the best third of all goes on (Jamieson & Talwalkar
    2016, arXiv 1502.07943; one after the other, as in Li et al. 2018, arXiv 1810.05934). ``none``: never.
    """
    epoch, first = len(curve), max(1, round(EARLY * most))
    if rule == "none" or epoch < first:
        return False
    if rule == "halving" and epoch not in rungs(first, most):
        return False
    there = [rival[epoch - 1] for rival in rivals if len(rival) >= epoch]
    if len(there) < FEWEST:
        return False
    goal = median(there) if rule == "median" else float(np.quantile(there, 1 / FACTOR))
    return curve[-1] > goal


def rungs(first: int, most: int) -> list[int]:
    """Return after which epochs successive halving decides."""
    found = [first]
    while found[-1] * FACTOR < most:
        found.append(found[-1] * FACTOR)
    return found

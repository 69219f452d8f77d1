"""Central intervals between quantiles: which these are, and how far their ends move until they hold what they say.

Shapes: Q quantiles in rising order, M known values.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

KEPT = 0.25  # of the distance between two ends, however they are moved


def levels_of(quantiles: tuple[float, ...]) -> list[tuple[int, int, int]]:
    """Return each central interval as coverage in percent and the places of its two ends, the narrowest first."""
    count = len(quantiles)
    return [
        (round(100 * (quantiles[count - 1 - low] - quantiles[low])), low, count - 1 - low)
        for low in reversed(range(count // 2))
    ]


def margins(quantiles: tuple[float, ...], misses: Mapping[int, np.ndarray], closest: float, count: float) -> np.ndarray:
    """Return how far each quantile is moved (Q,) so that the intervals hold as much as their levels say.

    For each level the ends are moved out by the level's quantile of its ``misses`` (M,), ``max(lower − y, y − upper)``
    (conformalised quantile regression, Romano et al., arXiv 1905.03222), corrected for a finite sample of ``count``
    independent ones: ``level (1 + 1 / count)``. Ends of a wider interval are moved in by KEPT less than would let them
    meet those of a narrower one, from which they are at least ``closest`` away.
    """
    moves, least = np.zeros(len(quantiles)), -np.inf
    for level, low, high in levels_of(quantiles):
        margin = max(float(np.quantile(misses[level], min(1.0, level / 100 * (1 + 1 / count)))), least)
        least = margin - (1 - KEPT) * closest
        moves[low], moves[high] = -margin, margin
    return moves


def widened(quantiles: Tensor, moves: Tensor) -> Tensor:
    """Return quantiles (..., Q) moved by ``moves`` (..., Q); the median stays, wider intervals hold narrower ones."""
    middle = quantiles.shape[-1] // 2
    moved, median = quantiles + moves, quantiles[..., middle : middle + 1]
    # From the median outwards, so that a wider interval always holds a narrower one.
    high = moved[..., middle:].maximum(median).cummax(-1).values
    low = moved[..., : middle + 1].minimum(median).flip(-1).cummin(-1).values.flip(-1)
    return torch.cat([low[..., :-1], median, high[..., 1:]], -1)

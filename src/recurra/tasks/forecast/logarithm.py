"""Whether the network should see logarithms: of series that swing more where they are larger.

Shapes: T steps, C channels.
"""

from collections.abc import Sequence

import numpy as np

SLOPE, LIKENESS, BLOCKS, LEAST = 0.5, 0.5, 8, 12  # see swings_with_level


def swings_with_level(tracks: Sequence[np.ndarray], ends: Sequence[int], season: int) -> bool:
    """Tell whether the changes of most series (T, C), up to their ``ends``, grow with their level.

    The logarithm of the spread of the changes in a stretch, regressed on the logarithm of its mean, has a slope of
    about one where both grow alike (Tukey's spread against level); all values must be positive.
    """
    found = []
    for track, end in zip(tracks, ends, strict=True):
        for values in track[:end].T:
            known = values[np.isfinite(values)]
            if not len(known) or known.min() <= 0:
                return False
            found.append(_swings(values, max(season, LEAST)))
    return bool(found) and float(np.mean(found)) > 0.5


def _swings(values: np.ndarray, size: int) -> bool:
    count = len(values) // size
    if count < BLOCKS:
        return False
    blocks = values[len(values) - count * size :].reshape(count, size)
    changes = np.diff(blocks, axis=1)
    whole = np.isfinite(changes).sum(1) > size // 2
    level, spread = np.nanmean(blocks[whole], 1), np.nanstd(changes[whole], 1)
    use = spread > 0
    if use.sum() < BLOCKS or np.ptp(level[use]) == 0:
        return False
    x, y = np.log(level[use]), np.log(spread[use])
    likeness = float(np.corrcoef(x, y)[0, 1]) if np.ptp(y) > 0 else 0.0
    return likeness > LIKENESS and likeness * y.std() / x.std() > SLOPE

"""Which known cases lie nearest to others, by the Euclidean distance between points.

Shapes: N known cases, M cases asked, D values of a case.
"""

import numpy as np

AT_ONCE = 2**23  # distances in memory at a time


def nearest(asked: np.ndarray, known: np.ndarray, count: int = 1) -> np.ndarray:
    """Return the places of the ``count`` nearest of ``known`` (N, D) for each of ``asked`` (M, D): (M, count).

    Of equally near ones the first comes first; all of them if there are no more than ``count``.
    """
    count, exact = min(count, len(known)), known.astype(float)
    centre = exact.mean(0)
    exact -= centre
    sizes = (exact**2).sum(1)
    found = []
    for part in np.array_split(asked, max(1, -(-len(asked) * len(exact) // AT_ONCE))):
        # ‖a − b‖² without ‖a‖², which is the same for all b.
        distances = sizes - 2 * (part - centre) @ exact.T
        found.append(distances.argmin(1)[:, None] if count == 1 else distances.argsort(1, kind="stable")[:, :count])
    return np.concatenate(found)

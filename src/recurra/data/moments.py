"""The mean and the deviation by which a network is given numbers of a usual size.

Shapes: T steps, C channels.
"""

import numpy as np

ROUNDING = 4 * float(np.finfo(np.float64).eps)  # of the largest value: what varies by no more is constant


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of each channel of ``values`` (T, C) over what is known; 1 for a constant one."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(0), 1)
    filled = np.where(known, values, 0.0)
    # In units of a power of two, which rounds nothing: of a value like 1e-200 the square would be zero.
    unit = np.ldexp(1.0, np.frexp(np.abs(filled).max(0, initial=0.0))[1])
    scaled = filled / unit
    mean = scaled.sum(0) / count
    spread = unit * np.sqrt(np.where(known, (scaled - mean) ** 2, 0.0).sum(0) / count)
    highest, lowest = (part(0, where=known, initial=end) for part, end in ((scaled.max, -2.0), (scaled.min, 2.0)))
    return unit * mean, np.where((highest - lowest > ROUNDING) & (spread > 0), spread, 1.0)

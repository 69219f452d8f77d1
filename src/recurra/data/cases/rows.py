"""The rows of a long table by case, in the order of time.

Shapes: n rows, N cases, T_i steps of case i, C channels.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Rows:
    """Which rows are which case."""

    order: np.ndarray | None  # (n,) rows by case and time; None if they lie so already
    bounds: np.ndarray  # (N + 1,) where cases begin in that order, and n
    doubled: int  # rows with the same case and time as another one

    def take(self, column: np.ndarray) -> np.ndarray:
        """Return a column (n,) or block (n, C) in order."""
        return column if self.order is None else column[self.order]

    def split(self, block: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return a block (n, C) as one array (T_i, C) for each case."""
        block, bounds = self.take(block), self.bounds.tolist()
        return tuple(block[start:stop] for start, stop in pairwise(bounds))

    def one_each(self, codes: np.ndarray) -> tuple[np.ndarray, int | None]:
        """Return the one code (N,) that is not -1 in the rows of each case, and the first case that has two."""
        known = self.take(codes)
        highest = np.maximum.reduceat(known, self.bounds[:-1])
        other = (known >= 0) & (known != np.repeat(highest, np.diff(self.bounds)))
        if not other.any():
            return highest, None
        return highest, int(np.searchsorted(self.bounds, np.argmax(other), side="right")) - 1


def rows_of(codes: np.ndarray, times: np.ndarray | None) -> Rows:
    """Return the rows of each case, cases by code and rows by time; rows of one time stay as they lie."""
    if times is None:
        times = np.zeros(0)
        order = None if (np.diff(codes) >= 0).all() else np.argsort(codes, kind="stable")
    else:
        order = None if _in_order(codes, times) else _by_case_and_time(codes, times)
    codes, times = (codes, times) if order is None else (codes[order], times[order] if len(times) else times)
    same = np.diff(codes) == 0
    bounds = np.concatenate([[0], np.flatnonzero(~same) + 1, [len(codes)]])
    doubled = int((same & (np.diff(times) == 0)).sum()) if len(times) else 0
    return Rows(order, bounds, doubled)


def _in_order(codes: np.ndarray, times: np.ndarray) -> bool:
    steps = np.diff(codes)
    return bool((steps >= 0).all() and ((steps > 0) | (times[1:] >= times[:-1])).all())


def _by_case_and_time(codes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the order (n,); whole times that are close together need one sort, which takes half as long as two."""
    if times.dtype.kind == "i":
        low, high = int(times.min()), int(times.max())
        if (int(codes.max()) + 1) * (high - low + 1) < 2**62:
            return np.argsort(codes * (high - low + 1) + (times.astype(np.int64) - low), kind="stable")
    return np.lexsort((times, codes))

"""``TimeSplit``: folds that are cut by time, for searches over long frames."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import DataError


class TimeSplit:
    """A splitter for long frames that cuts by time, not by row: every fold tests what follows its training.

    The distinct stamps are cut into ``n_splits + 1`` equal stretches; fold k trains on the first k of them and
    tests on the next one. Use it as ``cv=`` of GridSearchCV.
    """

    def __init__(self, n_splits: int = 3, time: str = "ds"):
        self.n_splits, self.time = n_splits, time

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield row numbers of training and test, fold by fold."""
        if self.time not in X.columns:
            raise DataError(f"There is no column '{self.time}' to split by. Say TimeSplit(time=...).")
        stamps = np.asarray(X[self.time])
        order = np.unique(stamps)
        if len(order) < self.n_splits + 1:
            raise DataError(f"{len(order)} time stamps cannot be split into {self.n_splits + 1} stretches.")
        edges = [order[len(order) * k // (self.n_splits + 1)] for k in range(1, self.n_splits + 1)]
        for k, edge in enumerate(edges):
            test = stamps >= edge if k == self.n_splits - 1 else (stamps >= edge) & (stamps < edges[k + 1])
            yield np.flatnonzero(stamps < edge), np.flatnonzero(test)

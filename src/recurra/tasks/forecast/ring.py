"""The last rows of something that goes on: a new one takes the place of the oldest.

Shapes: N rows that are kept, K columns.
"""

import numpy as np


class Ring:
    """The last N rows (N, K), in order, without moving any: each is written twice, N places apart.

    So the rows from the oldest to the newest always lie beside each other somewhere, and ``rows`` is a view of them.
    """

    def __init__(self, rows: np.ndarray):
        self.size, self.first = len(rows), 0
        self.twice = np.concatenate([rows, rows])

    @property
    def rows(self) -> np.ndarray:
        """The rows (N, K), the oldest first; ``push`` and ``put`` write into them."""
        return self.twice[self.first : self.first + self.size]

    def push(self, row: np.ndarray) -> None:
        """Add a ``row`` (K,) in the place of the oldest."""
        self.first = (self.first + 1) % self.size
        self.put(self.size - 1, slice(None), row)

    def put(self, place: int, columns: int | slice, values: np.ndarray | float) -> None:
        """Write into the row at ``place``, 0 the oldest."""
        at = (self.first + place) % self.size
        self.twice[at, columns] = self.twice[at + self.size, columns] = values

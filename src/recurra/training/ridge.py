"""Ridge regression in closed form (Hoerl & Kennard 1970).

Shapes: N examples, F features, O outputs.
"""

from typing import NamedTuple

import numpy as np

from ..native.threads import one_blas_thread

Array = np.ndarray
LEAST = 1e-12  # of an answer that is not from the example itself: less is lost in rounding


class NormalEquations:
    """Sums over examples, from which the regression follows for any penalty: ``min_W,b Σ |y − W x − b|² + λ |W|²``.

    Examples are added a few at a time, so that they need not be in memory together; the intercept b has no penalty.
    """

    def __init__(self, features: int, outputs: int):
        self.gram, self.moment = np.zeros((features + 1, features + 1)), np.zeros((features + 1, outputs))
        self._parts: _Parts | None = None

    def add(self, x: Array, y: Array, counts: Array | None = None) -> None:
        """Add examples: features ``x`` (N, F), what they should give, ``y`` (N, O), and how much each ``counts``."""
        x = np.concatenate([x, np.ones((len(x), 1))], 1)
        if counts is not None:
            x, y = (part * np.sqrt(counts)[:, None] for part in (x, y))
        self.gram += x.T @ x
        self.moment += x.T @ y
        self._parts = None

    def join(self, other: "NormalEquations") -> None:
        """Add the examples of ``other``."""
        self.gram += other.gram
        self.moment += other.moment
        self._parts = None

    def solve(self, penalty: float) -> Array:
        """Return the weights (F + 1, O), the intercept last; ``penalty`` is λ as a share of a feature's mean square.

        All penalties take one decomposition of the centred equations together.
        """
        if self._parts is None:
            mean, target, products, moment = self._centred()
            with one_blas_thread():
                values, vectors = np.linalg.eigh(products)
            self._parts = _Parts(np.maximum(values, 0.0), vectors, vectors.T @ moment, mean, target)
        values, vectors, projected, mean, target = self._parts
        weights = vectors @ (projected / (values + self._size * penalty)[:, None])
        return np.concatenate([weights, (target - mean @ weights)[None]])

    def missed(self, x: Array, y: Array, penalty: float, counts: Array | None = None) -> Array:
        """Return by how much each example that was added is missed by the weights that follow without it (N, O).

        That is the residual over ``1 − h``, h the example's share in its own answer (Allen 1974): no second fit is
        needed, and the mean stays that of all.
        """
        weights = self.solve(penalty)
        assert self._parts is not None
        values, vectors, _, mean, _ = self._parts
        along = (x - mean) @ vectors
        own = 1 / max(float(self.gram[-1, -1]), 1.0) + np.square(along) @ (1 / (values + self._size * penalty))
        own = own if counts is None else counts * own
        return (y - predicted(x, weights)) / np.maximum(1 - own, LEAST)[:, None]

    def solve_once(self, penalty: float) -> Array:
        """Return what ``solve`` does, in a fifth of the time, where no other penalty is asked for."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve  # which takes its time to import

        mean, target, products, moment = self._centred()
        products[np.diag_indices_from(products)] += self._size * penalty
        try:
            with one_blas_thread():
                weights = cho_solve(cho_factor(products, overwrite_a=True), moment)
        except LinAlgError:  # so small a penalty that the equations have no one answer
            return self.solve(penalty)
        return np.concatenate([weights, (target - mean @ weights)[None]])

    @property
    def _size(self) -> float:
        return max(float(self.gram.diagonal()[:-1].mean()), 1e-8)

    def _centred(self) -> tuple[Array, Array, Array, Array]:
        """Return the means of features and targets, and the products of features, and with targets, around them."""
        count = max(float(self.gram[-1, -1]), 1.0)
        mean, target = self.gram[-1, :-1] / count, self.moment[-1] / count
        products = self.gram[:-1, :-1] - count * np.outer(mean, mean)
        return mean, target, products, self.moment[:-1] - count * np.outer(mean, target)


class _Parts(NamedTuple):
    """What all penalties share."""

    values: Array  # (F,) eigenvalues of the centred features' products
    vectors: Array  # (F, F)
    projected: Array  # (F, O) products with the targets, along the vectors
    mean: Array  # (F,) of the features
    target: Array  # (O,) of the targets


def predicted(x: Array, weights: Array) -> Array:
    """Return what ``weights`` (F + 1, O), the intercept last, make of features ``x`` (N, F): (N, O)."""
    return x @ weights[:-1] + weights[-1]

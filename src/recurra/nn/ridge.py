"""Ridge regression in closed form, its penalty chosen by what it says of each case when that case is left out.

Shapes: N cases, F features, K targets, R = min(N, F).
"""

from dataclasses import dataclass

import numpy as np

from ..native.threads import one_blas_thread

Array = np.ndarray

PENALTIES = tuple(np.logspace(-3, 3, 10).tolist())
NOTHING = 1e-10  # of the largest eigenvalue, below which one is taken for zero


@dataclass(frozen=True)
class Ridge:
    """Weights that minimise ``(1/N) Σ_i ‖y_i − W z_i − b‖² + p ‖W‖²``, z the features with mean 0 and deviation 1.

    ``weights`` and ``bias`` are for the features as they are: what does not vary has no weight.
    """

    weights: Array  # (F, K)
    bias: Array  # (K,)
    penalty: float
    left_out: Array  # (N, K) what is said of each case by the weights of all others

    @classmethod
    def of(cls, features: Array, targets: Array, penalties: tuple[float, ...] = PENALTIES) -> "Ridge":
        """Fit to ``features`` (N, F) and ``targets`` (N, K), with the penalty that errs least on what is left out.

        With H the matrix that gives the answers, the error on a case left out is ``(y − Hy)_i / (1 − H_ii)``: no
        second fit is needed (Golub, Heath & Wahba 1979). Sums are taken in the type of the features.
        """
        mean, deviation = features.mean(0), features.std(0)
        varies = deviation > 0
        scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=varies)
        z, centre = (features - mean) * scale, targets.mean(0)
        values, left = _decomposed(z)
        inner = left.T @ (targets - centre)
        shares = values / (values + len(z) * np.array(penalties)[:, None])
        spared = np.maximum(1 - 1 / len(z) - (left**2) @ shares.T, NOTHING)  # 1 − H_ii for every penalty
        answers = (centre + left @ (share[:, None] * inner) for share in shares)
        tried = [targets - (targets - said) / one[:, None] for said, one in zip(answers, spared.T, strict=True)]
        best = int(np.argmin([np.mean((one - targets) ** 2) for one in tried]))
        shrunk = inner / (values + penalties[best] * len(z))[:, None]
        weights = scale[:, None] * (z.T @ (left @ shrunk).astype(z.dtype))
        return cls(weights, centre - mean @ weights, penalties[best], tried[best])

    def __call__(self, features: Array) -> Array:
        """Return what is said of ``features`` (N, F): (N, K)."""
        said: Array = features @ self.weights + self.bias
        return said


def _decomposed(z: Array) -> tuple[Array, Array]:
    """Return the squared singular values (R,) of ``z`` (N, F) and its left vectors (N, R), by the smaller product."""
    from scipy.linalg import eigh

    wide = z.shape[0] <= z.shape[1]
    product = (z @ z.T if wide else z.T @ z).astype(float)
    if wide:
        # The features have mean 0 but for rounding, which errors on cases left out would magnify.
        product -= product.mean(0)
        product -= product.mean(1, keepdims=True)
    with one_blas_thread():
        values, vectors = eigh(product, overwrite_a=True, check_finite=False, driver="evd")
    kept = values > NOTHING * max(values[-1], 1.0)
    values, vectors = values[kept], vectors[:, kept]
    return values, vectors if wide else (z @ vectors.astype(z.dtype)) / np.sqrt(values)

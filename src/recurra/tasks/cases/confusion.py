"""How often each class was called what, and what follows from it for each class.

Shapes: K classes.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

Array = np.ndarray


def confusion(truth: Array, predicted: Array, classes: int) -> Array:
    """Return how often each class (row) was called each class (column): (K, K)."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def precision_recall_f1(table: Array) -> tuple[Array, Array, Array]:
    """Return three numbers per class (K,) from a confusion ``table``; NaN where there is nothing to divide by.

    ``precision = right / said``, ``recall = right / true``, ``F1 = 2 right / (said + true)``.
    """
    right, said, true = np.diag(table).astype(float), table.sum(0), table.sum(1)

    def share(above: Array, below: Array) -> Array:
        return np.divide(above, below, out=np.full(len(right), np.nan), where=below > 0)

    return share(right, said), share(right, true), share(2 * right, said + true)


def class_frame(table: Array, classes: Sequence[str], what: str) -> pd.DataFrame:
    """Return how good each class is, from a confusion ``table``; ``what`` is counted, such as "cases"."""
    precision, recall, f1 = precision_recall_f1(table)
    columns = {what: table.sum(1), "named": table.sum(0)}
    shares = {"% precision": 100 * precision, "% recall": 100 * recall, "% F1": 100 * f1}
    return pd.DataFrame(columns | shares, index=pd.Index(classes, name="class"))

"""How long before what they forecast the looks of an attention went.

Shapes: Q outputs, T places in the past.
"""

import numpy as np


def by_lag(weights: np.ndarray) -> np.ndarray:
    """Return the share of all looks of ``weights`` (Q, T) that went 1, 2, .. places back: (T + Q − 1,).

    Output q follows the past q + 1 places after its end, so that it finds place j T + q − j places back.
    """
    queries, places = weights.shape
    lags = places + np.arange(queries)[:, None] - np.arange(places)
    return np.bincount((lags - 1).ravel(), weights.ravel()) / queries


def even_looks(queries: int, places: int) -> np.ndarray:
    """Return ``by_lag`` of an attention that looks everywhere alike."""
    return by_lag(np.full((queries, places), 1 / places))

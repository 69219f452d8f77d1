"""What chance explains: the test of two forecasts, and the interval of a mean.

Shapes: W cases.
"""

import numpy as np

Array = np.ndarray


def diebold_mariano(first: Array, second: Array, overlap: int) -> float:
    """Return the two-sided p-value that two forecasts are equally good, from their losses per origin (W,).

    The mean loss difference over its long-run deviation, with ``overlap − 1`` autocovariances for forecasts
    that share targets (Diebold & Mariano 1995) and the small-sample correction of Harvey et al. (1997).
    Only ``W / overlap`` forecasts share no target: Student's t has so many degrees of freedom less one, as
    ``W − 1`` of them call far too much significant when the overlap is long.
    Returns NaN if there are too few origins, 1 if the losses are the same.
    """
    from scipy import stats

    difference = np.asarray(first, float) - np.asarray(second, float)
    difference = difference[np.isfinite(difference)]
    count = len(difference)
    if count < 8:
        return float("nan")
    if not difference.any():
        return 1.0
    lags = min(overlap, count // 2)
    centred = difference - difference.mean()
    covariances = np.array([centred[lag:] @ centred[: count - lag] / count for lag in range(lags)])
    weights = np.where(np.arange(lags) > 0, 2.0, 1.0)
    # The plain sum can be too small, even negative, by chance; with Bartlett's weights it cannot.
    variance = max(covariances @ weights, covariances @ (weights * (1 - np.arange(lags) / lags)))
    if not variance > 1e-20 * difference.mean() ** 2:  # the same difference everywhere: rounding is all that is left
        return 0.0
    correction = max(1e-6, (count + 1 - 2 * lags + lags * (lags - 1) / count) / count)
    statistic = difference.mean() / np.sqrt(variance / count) * np.sqrt(correction)
    return float(2 * stats.t.sf(abs(statistic), count / lags - 1))


def interval_of_mean(values: Array, share: float = 0.95) -> float:
    """Return half the width of the Student-t interval of the mean of ``values`` (N,); NaN for one value."""
    from scipy import stats

    values = np.asarray(values, float)
    if len(values) < 2:
        return float("nan")
    return float(stats.t.ppf((1 + share) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))

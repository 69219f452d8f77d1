"""What chance explains: tests of two models on the same cases, and the interval of a mean.

Shapes: W cases.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .metric import Metric, Statistics

Array = np.ndarray
ROUNDS = 2000  # permutations of a test: p-values down to 0.0005


def diebold_mariano(first: Array, second: Array, overlap: int) -> float:
    """Return the two-sided p-value that two forecasts are equally good, from their losses per origin (W,).

    The mean loss difference over its long-run deviation, with ``overlap − 1`` autocovariances for forecasts
    that share targets (Diebold & Mariano 1995) and the small-sample correction of Harvey et al. (1997).
    Only ``W / overlap`` forecasts share no target: Student's t has so many degrees of freedom less one, as
    ``W − 1`` of them call far too much significant when the overlap is long.
    Returns NaN if there are too few origins, 1 if the losses are the same.
    """
    from scipy import stats

    difference = _known_difference(first, second)
    if len(difference) < 8:
        return float("nan")
    if not difference.any():
        return 1.0
    mean, deviation, freedom = _long_run(difference, overlap)
    if not deviation:  # the same difference everywhere: rounding is all that is left
        return 0.0
    return float(2 * stats.t.sf(abs(mean / deviation), freedom))


def interval_of_difference(first: Array, second: Array, overlap: int, share: float = 0.95) -> tuple[float, float]:
    """Return the mean of ``first − second`` (W,) and half its interval, of which ``diebold_mariano`` is the test.

    The interval excludes zero where that p-value is below ``1 − share``. NaN if there are too few origins.
    """
    from scipy import stats

    difference = _known_difference(first, second)
    if len(difference) < 8:
        return float("nan"), float("nan")
    mean, deviation, freedom = _long_run(difference, overlap)
    return mean, float(stats.t.ppf((1 + share) / 2, freedom) * deviation)


def _known_difference(first: Array, second: Array) -> Array:
    difference = np.asarray(first, float) - np.asarray(second, float)
    return difference[np.isfinite(difference)]


def _long_run(difference: Array, overlap: int) -> tuple[float, float, float]:
    """Return the mean of ``difference`` (W,), the deviation of that mean, and the degrees of freedom of both."""
    count = len(difference)
    lags = min(overlap, count // 2)
    mean = float(difference.mean())
    centred = difference - mean
    covariances = np.array([centred[lag:] @ centred[: count - lag] / count for lag in range(lags)])
    weights = np.where(np.arange(lags) > 0, 2.0, 1.0)
    # The plain sum can be too small, even negative, by chance; with Bartlett's weights it cannot.
    variance = float(max(covariances @ weights, covariances @ (weights * (1 - np.arange(lags) / lags))))
    if not variance > 1e-20 * mean**2:
        variance = 0.0
    correction = max(1e-6, (count + 1 - 2 * lags + lags * (lags - 1) / count) / count)
    return mean, float(np.sqrt(variance / count / correction)), count / lags - 1


def interval_of_mean(values: Array, share: float = 0.95) -> float:
    """Return half the width of the Student-t interval of the mean of ``values`` (N,); NaN for one value."""
    from scipy import stats

    values = np.asarray(values, float)
    if len(values) < 2:
        return float("nan")
    return float(stats.t.ppf((1 + share) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def mcnemar(first: Array, second: Array) -> float:
    """Return the two-sided p-value that two models are right equally often, from which of W cases each got right.

    Only cases that one got right and the other did not tell them apart; of those either side has its half by
    chance (McNemar 1947, the exact test).
    """
    from scipy import stats

    first, second = np.asarray(first, bool), np.asarray(second, bool)
    alone, other = int((first & ~second).sum()), int((second & ~first).sum())
    return float(stats.binomtest(alone, alone + other).pvalue) if alone + other else 1.0


def paired_permutation(metric: Metric, first: Sequence[Statistics], second: Sequence[Statistics]) -> float:
    """Return the two-sided p-value that two models are equally good by ``metric``.

    If they are, each case could as well have been answered by the other: the statistics of cases chosen at random
    change sides, and p is the share of such draws whose difference is no smaller. Each model has one statistics per
    seed, over whose metrics the mean is taken. NaN with fewer than 8 cases, or if a metric is not known.
    """
    pairs = _in_step(first, second)
    count = len(next(iter(pairs[0][0].values())))
    if count < 8:
        return float("nan")
    random = np.random.default_rng(0)
    seen = abs(_difference(metric, pairs, np.zeros(count, bool)))
    if np.isnan(seen):
        return float("nan")
    least = seen * (1 - 1e-9)  # rounding makes no draw smaller, whatever the unit of the metric
    draws = (abs(_difference(metric, pairs, random.random(count) < 0.5)) for _ in range(ROUNDS))
    return (1 + sum(not draw < least for draw in draws)) / (1 + ROUNDS)


def _in_step(first: Sequence[Statistics], second: Sequence[Statistics]) -> list[tuple[Statistics, Statistics]]:
    """Pair the seeds of two models; the one with fewer begins again."""
    most = max(len(first), len(second))
    return [(first[n % len(first)], second[n % len(second)]) for n in range(most)]


def _difference(metric: Metric, pairs: Sequence[tuple[Statistics, Statistics]], swapped: Array) -> float:
    """Return the difference of the mean metric after the cases in ``swapped`` (W,) have changed sides."""
    return float(np.mean([metric.of(_Mixed(a, b, swapped)) - metric.of(_Mixed(b, a, swapped)) for a, b in pairs]))


class _Mixed(Mapping[str, Array]):
    """The statistics that both models have, with those of the cases in ``swapped`` taken from the ``other``.

    Each is put together when a metric asks for it, as most metrics read few of them.
    """

    def __init__(self, own: Statistics, other: Statistics, swapped: Array):
        self.own, self.other, self.swapped = own, other, swapped

    def __getitem__(self, name: str) -> Array:
        own, other = self.own[name], self.other[name]
        return np.where(self.swapped.reshape(-1, *[1] * (own.ndim - 1)), other, own)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.own if name in self.other)

    def __len__(self) -> int:
        return sum(1 for _ in self)

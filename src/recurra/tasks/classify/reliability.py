"""Whether a classifier is right as often as it says.

Shapes: N cases.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

Array = np.ndarray
BINS = 10
ROUNDS = 1000  # of chance, for what it alone would give
RARELY = 0.05  # what chance gives in one of twenty rounds counts as more than chance


class Reliability(NamedTuple):
    """How far what a model says of its own answers is from how often they are right."""

    table: pd.DataFrame  # a row for each bin with cases: cases, sure, right, low, high
    error: float  # the expected calibration error, a share
    chance: float  # the error that chance gives in one of twenty rounds if all that is said is true
    sure: float  # how sure it is on average
    right: float  # how often it is right


def reliability_of(sure: Array, right: Array) -> Reliability:
    """Return how sure a model is, (N,) between 0 and 1, beside which answers are ``right`` (N,).

        error = Σ_b n_b / N · |right_b − sure_b|,  over ten bins b of ``sure``

    ``right`` and ``sure`` of a bin are means, ``low`` and ``high`` the 95 % interval of the share that is right.
    Guo et al. 2017, https://arxiv.org/abs/1706.04599; chance by resampling, Bröcker and Smith 2007.
    """
    sure, right = np.asarray(sure, float), np.asarray(right, bool)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    # As often right as it says, at random: always the same numbers, whoever asks.
    drawn = np.random.default_rng(0).random((ROUNDS, len(sure))) < sure
    by_chance = np.quantile([_error(sure, one, bins) for one in drawn], 1 - RARELY)
    error = _error(sure, right, bins)
    return Reliability(_table(sure, right, bins), error, float(by_chance), float(sure.mean()), float(right.mean()))


def _error(sure: Array, right: Array, bins: Array) -> float:
    return float(np.abs(np.bincount(bins, right - sure, BINS)).sum() / len(sure))


def _table(sure: Array, right: Array, bins: Array) -> pd.DataFrame:
    from scipy.stats import binomtest

    rows = []
    for number in np.unique(bins):
        own = bins == number
        count, hits = int(own.sum()), int(right[own].sum())
        interval = binomtest(hits, count).proportion_ci(method="wilson")
        rows.append((count, sure[own].mean(), hits / count, interval.low, interval.high))
    return pd.DataFrame(rows, columns=["cases", "sure", "right", "low", "high"])

"""Simple forecasts of the mean of a demand that is mostly zero, as baselines.

Shapes: N pasts, L look-back, H horizon.
"""

from collections.abc import Mapping

import numpy as np

from ..base import Baseline, Prepared
from .exam import Guess, points_of
from .past import Past, answered, parts_of
from .ridge import root_mean_square
from .windows import Windows

ALPHAS = (0.05, 0.1, 0.2, 0.3)
NOTHING = 1e-5  # of the size of a series, below which a demand is none but rounding
WINDOWS = 512  # that α is found on


def croston(demand: np.ndarray, alpha: float) -> np.ndarray:
    """Return size by interval, ``z / p`` (N,), after ``demand`` (N, L).

    At a demand y_t, q steps after the one before: ``z ← z + α (y_t − z)``, ``p ← p + α (q − p)``; both begin with the
    first demand. Croston 1972, doi 10.1057/jors.1972.50.
    """
    z, p, q = np.zeros(len(demand)), np.ones(len(demand)), np.ones(len(demand))
    for y in demand.T:
        some, first = y > 0, (y > 0) & (z == 0)
        z = np.where(first, y, np.where(some, z + alpha * (y - z), z))
        p = np.where(first, q, np.where(some, p + alpha * (q - p), p))
        q = np.where(some, 1, q + 1)
    return np.asarray(z / p)


def sba(demand: np.ndarray, alpha: float) -> np.ndarray:
    """Return ``(1 − α / 2) z / p``, Croston's without most of its bias. Syntetos & Boylan 2005."""
    return (1 - alpha / 2) * croston(demand, alpha)


def tsb(demand: np.ndarray, alpha: float) -> np.ndarray:
    """Return size times probability, ``z π`` (N,), after ``demand`` (N, L): it falls while nothing is asked for.

    ``π ← π + α ([y_t > 0] − π)`` at every step, from the share of steps with demand on; z as Croston's. Teunter,
    Syntetos & Babai 2011, doi 10.1016/j.ejor.2011.05.018.
    """
    z, share = np.zeros(len(demand)), (demand > 0).mean(1)
    for y in demand.T:
        z = np.where(y > 0, np.where(z == 0, y, z + alpha * (y - z)), z)
        share = share + alpha * ((y > 0) - share)
    return z * share


RULES = {"croston": croston, "sba": sba, "tsb": tsb}


class Intermittent(Baseline):
    """A rule of ``RULES``, the same for every step ahead, with the α of the smallest squared error in training."""

    naive = False
    alpha: float

    def __init__(self, rule: str):
        self.rule = RULES[rule]

    def fit(self, prepared: Prepared) -> None:
        """Try every α on windows of the training."""
        windows = prepared.train
        assert isinstance(windows, Windows)
        parts = list(parts_of(windows.some(WINDOWS)))
        truth = np.concatenate([np.where(future.known, future.values, np.nan) for _, future in parts])

        def error(alpha: float) -> float:
            said = np.concatenate([self._say(past, windows.horizon, alpha) for past, _ in parts])
            return root_mean_square(said, truth)

        self.alpha = min(ALPHAS, key=error)

    def answer(self, examples: Windows) -> Guess:
        """Return the forecasts."""
        return points_of(answered(examples, lambda past: self._say(past, examples.horizon, self.alpha)), examples)

    def _say(self, past: Past, horizon: int, alpha: float) -> np.ndarray:
        demand = past.values * past.std + past.mean
        demand = np.where(demand > NOTHING * (past.std + np.abs(past.mean)), demand, 0.0)
        return np.repeat((self.rule(demand, alpha)[:, None] - past.mean) / past.std, horizon, 1)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return α."""
        return {"alpha": np.array([self.alpha])}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back α."""
        self.alpha = float(arrays["alpha"][0])

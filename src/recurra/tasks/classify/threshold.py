"""From which probability on the rarer of two classes is named.

Shapes: N cases.
"""

from dataclasses import replace

import numpy as np

from ...errors import plural
from ...writing.numbers import percent
from ..base import Fitted
from .answers import Guess

HALF = 0.5


def find_threshold(fitted: Fitted, logs: np.ndarray, codes: np.ndarray) -> None:
    """Let ``fitted`` name the rarer class from where F1 is best, by log probabilities (N, 2) and true classes (N,).

    They are those of validation cases, of which none has changed what is said of it.
    """
    learned = fitted.learned
    rare = rarer(learned.counts)
    probable, there = np.exp(logs[:, rare]), codes == rare
    threshold = threshold_of(probable, there)
    fitted.learned = replace(learned, threshold=threshold)
    best, usual = (f1_of(probable >= at, there) for at in (threshold, HALF))
    said = (
        f"'{learned.classes[rare]}' is named from {percent(threshold)} on: its F1 on {len(codes):,} validation "
        f"case{plural(len(codes))} is {best:.3f}, and {usual:.3f} from 50 % on."
    )
    fitted.record.answer = f"{fitted.record.answer} {said}".strip()


def rarer(counts: tuple[int, ...]) -> int:
    """Return which of two classes has fewer training cases; of equal ones, the second."""
    return int(counts[1] <= counts[0])


def threshold_of(probable: np.ndarray, there: np.ndarray) -> float:
    """Return from which probability (N,) on the class must be named for the best F1, ``there`` (N,) where it is.

    It lies in the middle between two cases; of equally good ones it is the nearest to one half, which is also the
    answer where the class is nowhere.
    """
    known = np.unique(np.concatenate([probable, [0.0, 1.0]]))
    tried = np.append((known[1:] + known[:-1]) / 2, HALF)
    scores = np.array([f1_of(probable >= at, there) for at in tried])
    best = tried[scores >= scores.max() - 1e-12]
    return float(best[np.abs(best - HALF).argmin()])


def f1_of(named: np.ndarray, there: np.ndarray) -> float:
    """Return ``2 TP / (2 TP + FP + FN)`` of what is named (N,), against where it is (N,); zero if it is nowhere."""
    return float(2 * (named & there).sum() / max(1, named.sum() + there.sum()))


def named_from(logs: np.ndarray, threshold: float | None, counts: tuple[int, ...]) -> Guess:
    """Return the most probable classes by log probabilities (N, K), or with a threshold the rarer one from there on."""
    if threshold is None:
        return Guess(logs.argmax(1), logs)
    rare = rarer(counts)
    return Guess(np.where(np.exp(logs[:, rare]) >= threshold, rare, 1 - rare), logs)

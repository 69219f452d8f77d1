"""N-grams with modified Kneser-Ney smoothing, by sorted arrays.

Shapes: L units, C contexts of one length, G pairs of a context and a unit that follows it.
"""

from typing import NamedTuple

import numpy as np

BASE = 2**32  # above all numbers of units and of contexts


class Level(NamedTuple):
    """What follows contexts of one length."""

    contexts: np.ndarray  # (C,) sorted: number of the context that is a unit shorter, and the unit before it, as one
    pairs: np.ndarray  # (G,) sorted: number of a context, and the unit that follows, as one
    less: np.ndarray  # (G,) (count − discount) / all counts of the context
    rest: np.ndarray  # (C,) what was taken from all of them: the weight of shorter contexts


class NGrams:
    """Interpolated modified Kneser-Ney (Chen & Goodman 1998, https://dash.harvard.edu/handle/1/25104739).

        P_k(w | c) = max(n(c w) − D, 0) / n(c ·) + γ(c) P_{k−1}(w | c without its first unit)

    n of the longest contexts are counts, of shorter ones how many different units stand before ``c w``; D is one of
    three discounts, for what was there once, twice, or more often. Below P_1 all V units are equally likely.
    """

    def __init__(self, units: np.ndarray, order: int, size: int):
        """Count the ``units`` (L,) int64, of which there are ``size`` different ones; contexts have up to order − 1."""
        self.size = size
        self.levels: list[Level] = []
        chains = _chains(units, order)
        for length in range(order):
            ids, contexts = chains[length]
            pairs, counts = _counted(ids * BASE + units, None if length == order - 1 else chains[length + 1][0])
            self.levels.append(_discounted(contexts, pairs, counts))

    def probabilities(self, units: np.ndarray) -> np.ndarray:
        """Return the probability of each of ``units`` (L,) after those before it."""
        p = np.full(len(units), 1.0 / self.size)
        ids = np.zeros(len(units), dtype=np.int64)
        for length, level in enumerate(self.levels):
            if length:
                before = np.full(len(units), -1, dtype=np.int64)
                before[length:] = units[:-length]
                ids = _found(level.contexts, np.where((ids < 0) | (before < 0), -1, ids * BASE + before))
            known = ids >= 0
            if not known.any():
                break
            at = _found(level.pairs, np.where(known, ids * BASE + units, -1))
            seen = np.where(at >= 0, level.less[at], 0.0)
            p = np.where(known, seen + level.rest[np.maximum(ids, 0)] * p, p)
        return p


def _chains(units: np.ndarray, order: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return of each length the number of the context (L,) before each unit, below 0 at the beginning, and all (C,)."""
    ids = np.zeros(len(units), dtype=np.int64)
    found = [(ids, np.zeros(1, dtype=np.int64))]
    for length in range(1, order):
        whole = np.full(len(units), -1, dtype=np.int64)
        whole[length:] = ids[length:] * BASE + units[:-length]
        contexts = np.unique(whole[length:])
        ids = np.where(whole >= 0, np.searchsorted(contexts, whole), -1)
        found.append((ids, contexts))
    return found


def _counted(pairs: np.ndarray, longer: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the different ``pairs`` (L,), sorted, and how often each is there, or in how many ``longer`` contexts."""
    if longer is None:
        return np.unique(pairs[pairs >= 0], return_counts=True)
    known = (pairs >= 0) & (longer >= 0)
    # A longer context has one shorter one: each pair counts once with each of them.
    units = pairs[known] % BASE
    _, first = np.unique(longer[known] * BASE + units, return_index=True)
    return np.unique(pairs[known][first], return_counts=True)


def _discounted(contexts: np.ndarray, pairs: np.ndarray, counts: np.ndarray) -> Level:
    often = np.bincount(np.minimum(counts, 5), minlength=6)[1:5]
    discounts = _discounts(often)
    owner, kind = pairs // BASE, np.minimum(counts, 3) - 1
    total = np.bincount(owner, counts, minlength=len(contexts))
    taken = np.bincount(owner, discounts[kind], minlength=len(contexts))
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = np.where(total > 0, taken / total, 1.0)
    return Level(contexts, pairs, (counts - discounts[kind]) / total[owner], rest)


def _discounts(often: np.ndarray) -> np.ndarray:
    """Return the discounts of what is there once, twice, more often, by how much is there once to four times (4,)."""
    n1, n2, n3, n4 = (float(n) for n in often)
    if not (n1 and n2 and n3):
        return np.array([0.5, 0.75, 0.9])  # too little text to reckon them
    y = n1 / (n1 + 2 * n2)
    found = np.array([1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return np.clip(found, 0.05, [0.95, 1.95, 2.95])


def _found(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the place of each of ``wanted`` in the sorted ``known``, −1 where it is not."""
    if not len(known):
        return np.full(len(wanted), -1, dtype=np.int64)
    at = np.searchsorted(known, wanted)
    at = np.minimum(at, len(known) - 1)
    return np.where((wanted >= 0) & (known[at] == wanted), at, -1)

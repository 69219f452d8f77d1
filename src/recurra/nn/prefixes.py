"""Texts that are heard step by step, each step a unit or none: the best ones, their probability, and where each was.

Shapes: T steps, V units and the blank, K prefixes that are followed, Q units of a text, N texts.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch.nn import functional as F

Units = tuple[int, ...]
NONE = -1  # the unit before the first one


class Heard(NamedTuple):
    """A text, and the logarithm of its probability, of which ways that were given up may be missing."""

    units: Units
    logs: float


class Listener(Protocol):
    """What takes steps one after the other."""

    def hear(self, logs: np.ndarray) -> None:
        """Take the logarithms of the probabilities (T, V) of so many more steps."""
        ...

    def best(self) -> list[Heard]:
        """Return the best texts so far, the best first."""
        ...


def listener(beam: int, blank: int) -> Listener:
    """Return what follows ``beam`` texts; with one it takes the likeliest unit of every step."""
    return Prefixes(beam, blank) if beam > 1 else BestPath(blank)


class BestPath:
    """The likeliest unit of every step, without blanks and what is said again (Graves et al. 2006)."""

    def __init__(self, blank: int):
        self.blank, self.last, self.units, self.logs = blank, blank, [], 0.0  # type: tuple[int, int, list[int], float]

    def hear(self, logs: np.ndarray) -> None:
        """Take the logarithms (T, V) of so many more steps."""
        for unit in logs.argmax(1).tolist():
            if unit not in (self.blank, self.last):
                self.units.append(unit)
            self.last = unit
        self.logs += float(logs.max(1).sum(dtype=np.float64))

    def best(self) -> list[Heard]:
        """Return the text so far, with the probability of this one path."""
        return [Heard(tuple(self.units), self.logs)]


class Prefixes:
    """The ``beam`` likeliest texts, each with all of its ways to be said that were followed.

        P_b(Y) ← (P_b(Y) + P_u(Y)) p(blank),  P_u(Y) ← P_u(Y) p(y_Q) + P(Y_{<Q}) p(y_Q)

    P_b is of the ways that end with a blank, P_u of those that end with the last unit, of Y and of its beginning
    Y_{<Q}; this one counts P_b alone if it ends with y_Q, too. One that holds all texts finds the best of all. Graves
    2012, "Supervised Sequence Labelling", 7.5; Hannun et al. 2014, arXiv 1408.2873.
    """

    def __init__(self, beam: int, blank: int):
        self.beam, self.blank = beam, blank
        self.parents, self.units = [NONE], [NONE]  # of every prefix that there was; the first one is empty
        self.known: dict[tuple[int, int], int] = {}  # the number of a prefix, by its beginning and its last unit
        self.followed = np.zeros(1, dtype=np.int64)  # (K,)
        self.ends = np.array([[0.0], [-np.inf]])  # (2, K): log P_b, log P_u

    def hear(self, logs: np.ndarray) -> None:
        """Take the logarithms (T, V) of so many more steps."""
        for step in logs.astype(np.float64):
            self._hear(step)

    def _hear(self, logs: np.ndarray) -> None:
        last = np.array([self.units[one] for one in self.followed.tolist()])
        some = last != NONE  # all but the empty one
        whole = np.logaddexp(*self.ends)
        longer = whole[:, None] + logs
        longer[some, last[some]] = self.ends[0, some] + logs[last[some]]
        longer[:, self.blank] = -np.inf
        blank, same = whole + logs[self.blank], np.where(some, self.ends[1] + logs[last], -np.inf)
        self._meet(longer, same)
        self._choose(longer, np.stack([blank, same]))

    def _meet(self, longer: np.ndarray, same: np.ndarray) -> None:
        """Add to prefixes what their beginnings become with one unit more, and take it from there."""
        place = {one: row for row, one in enumerate(self.followed.tolist())}
        for row, one in enumerate(self.followed.tolist()):
            before = place.get(self.parents[one])
            if before is not None:
                unit = self.units[one]
                same[row] = np.logaddexp(same[row], longer[before, unit])
                longer[before, unit] = -np.inf

    def _choose(self, longer: np.ndarray, ends: np.ndarray) -> None:
        """Go on with the best of those that stay as they are, with these ``ends`` (2, K), and the ``longer`` (K, V)."""
        staying, count, width = np.logaddexp(*ends), len(self.followed), longer.shape[1]
        every = np.concatenate([staying, longer.ravel()])
        most = min(self.beam, len(every))
        best = np.argpartition(-every, most - 1)[:most]
        best = np.sort(best[every[best] > -np.inf])
        stay, grow = best[best < count], best[best >= count] - count
        new = [self._number(int(self.followed[at // width]), at % width) for at in grow.tolist()]
        none = np.full(len(grow), -np.inf)
        self.ends = np.concatenate([ends[:, stay], np.stack([none, longer.ravel()[grow]])], 1)
        self.followed = np.concatenate([self.followed[stay], np.array(new, dtype=np.int64)])

    def _number(self, before: int, unit: int) -> int:
        """Return the number of the prefix ``before`` with one ``unit`` more."""
        found = self.known.setdefault((before, unit), len(self.units))
        if found == len(self.units):
            self.parents.append(before)
            self.units.append(unit)
        return found

    def best(self) -> list[Heard]:
        """Return the texts that are followed, the best first."""
        whole = np.logaddexp(*self.ends)
        order = np.argsort(-whole, kind="stable")
        return [Heard(self._text(int(self.followed[row])), float(whole[row])) for row in order]

    def _text(self, number: int) -> Units:
        found = []
        while number:
            found.append(self.units[number])
            number = self.parents[number]
        return tuple(found[::-1])


def weighed(texts: Sequence[Heard], logs: np.ndarray, blank: int) -> list[Heard]:
    """Return ``texts`` with all ways in which the steps ``logs`` (T, V) can say them, the best first."""
    if not texts:
        return []
    steps = torch.from_numpy(logs).double()
    every = steps.unsqueeze(1).expand(-1, len(texts), -1).contiguous()
    lengths = torch.tensor([len(one.units) for one in texts])
    units = torch.tensor([unit for one in texts for unit in one.units], dtype=torch.long)
    lost = F.ctc_loss(every, units, torch.full_like(lengths, len(logs)), lengths, blank, "none")
    found = [Heard(one.units, -float(loss)) for one, loss in zip(texts, lost.tolist(), strict=True)]
    return sorted(found, key=lambda one: -one.logs)


def least_steps(units: Sequence[object]) -> int:
    """Return how many steps it takes to say ``units``: one for each, and a blank between two that are the same."""
    return len(units) + sum(one == other for one, other in pairwise(units))


def said_where(units: Sequence[int], logs: np.ndarray, blank: int) -> np.ndarray:
    """Return which of the ``units`` each step says in the likeliest way to say them all (T,), -1 for none.

    Viterbi's algorithm over a blank, the first unit, a blank, the second one, … Raises ValueError if there are more
    units than the steps ``logs`` (T, V) can say.
    """
    if least_steps(units) > len(logs):
        raise ValueError(f"{len(logs)} steps cannot say {len(units)} units.")
    labels = np.full(2 * len(units) + 1, blank)
    labels[1::2] = units
    jumps = np.zeros(len(labels), dtype=bool)  # over the blank before, where that is between different units
    jumps[3::2] = labels[3::2] != labels[1:-2:2]
    score = np.full(len(labels), -np.inf)
    score[:2] = logs[0, labels[:2]]
    ways = np.zeros((len(logs), len(labels)), dtype=np.int64)
    for step in range(1, len(logs)):
        behind = [score, np.append(-np.inf, score[:-1]), np.append([-np.inf, -np.inf], score[:-2])[: len(labels)]]
        behind[2] = np.where(jumps, behind[2], -np.inf)
        ways[step] = np.argmax(behind, axis=0)
        score = np.max(behind, axis=0) + logs[step, labels]
    at = len(labels) - 1
    if at and score[at - 1] > score[at]:
        at -= 1
    path = np.empty(len(logs), dtype=np.int64)
    for step in range(len(logs) - 1, -1, -1):
        path[step] = at
        at -= ways[step, at]
    return np.where(path % 2, path // 2, -1)

"""Beam search: the likeliest sequence of units that something would say, among those that are followed.

Shapes: S texts, K answers that are followed of each, R rows that are still followed, V units, T steps of the memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor


class Speaker(Protocol):
    """What says, row by row, which unit comes next."""

    def say(self, units: Tensor) -> tuple[Tensor, Tensor | None]:
        """Read the last ``units`` (R,); return the scores (R, V) of the next ones, and where it looked (R, T) or None.

        Scores are logarithms of probabilities but for a constant of each row.
        """
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with these ``rows`` (R,) of those before, of which one may be there several times."""
        ...


@dataclass(frozen=True)
class Said:
    """One answer."""

    units: tuple[int, ...]  # without the end
    score: float  # log P / penalty
    logs: float  # log P, that of the end included
    looked: Tensor | None  # (Q, T), where each unit looked, and the end


@dataclass(frozen=True)
class Search:
    """How answers are searched for: ``beam`` of them are followed, those that ended stay as they are.

        score(Y) = log P(Y | X) / ((5 + |Y|) / 6)^α

    |Y| counts the end, α is ``penalty`` (Wu et al. 2016, arXiv 1609.08144). A beam of one takes the likeliest unit at
    every step; one that holds all sequences finds the best of all.
    """

    beam: int
    penalty: float
    end: int  # the number of the unit that ends an answer, and stands before it
    never: tuple[int, ...] = ()  # units that are not said

    def score(self, logs: float, length: int) -> float:
        """Return the score of an answer of ``length`` units, its end among them."""
        return float(logs / ((5 + length) / 6) ** self.penalty)

    @torch.no_grad()
    def __call__(self, speaker: Speaker, most: Sequence[int]) -> list[list[Said]]:
        """Return the answers to each of S texts, the best first; text s has at most ``most[s]`` units and its end.

        The speaker begins with one row for each text.
        """
        followed = _Followed(self, speaker, np.array([*most], dtype=np.int64))
        while len(followed.owners):
            followed.step()
        return [sorted(found, key=lambda one: -one.score) for found in followed.found]


class _Step(NamedTuple):
    """What was said at one step: of each row the unit before it, where it looked, and its row of the step before."""

    units: np.ndarray  # (R,)
    looked: Tensor | None  # (R, T)
    parents: np.ndarray  # (R,)


class _Followed:
    """The answers that have not ended: which text each belongs to, its last unit, its logarithm, how it came about.

    All but the scores are small, and arrays of NumPy, whose functions are called sooner than those of torch.
    """

    def __init__(self, search: Search, speaker: Speaker, most: np.ndarray):
        count = len(most)
        self.search, self.speaker, self.most, self.soonest = search, speaker, most, int(most.min()) if count else 0
        self.never = torch.tensor(search.never, dtype=torch.long)
        self.found: list[list[Said]] = [[] for _ in range(count)]
        self.left = np.full(count, search.beam)  # answers that may still end
        self.owners, self.slots = np.arange(count), np.zeros(count, dtype=np.int64)
        self.logs = np.zeros(count)
        self.units, self.parents = np.full(count, search.end), np.arange(count)
        self.past: list[_Step] = []

    def step(self) -> None:
        """Say one unit more."""
        scores, looked = self.speaker.say(torch.from_numpy(self.units))
        self.past.append(_Step(self.units, looked, self.parents))
        logs, units = self._candidates(scores)
        texts, values, places = self._best(logs)
        chosen, rows = units.reshape(-1)[places], places // units.shape[1]
        ended = chosen == self.search.end
        if ended.any():
            self._note(rows[ended], texts[ended], values[ended])
            goes_on = ~ended
            rows, texts, values, chosen = rows[goes_on], texts[goes_on], values[goes_on], chosen[goes_on]
        self._go_on(rows, texts, values, chosen)

    def _candidates(self, scores: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Return the logarithms of what may come next, with what was said before, and the units (R, C)."""
        scores = scores.log_softmax(-1)
        if len(self.never):
            scores.index_fill_(1, self.never.to(scores.device), -torch.inf)
        width = min(self.search.beam, scores.shape[1])
        best = scores.max(-1, keepdim=True) if width == 1 else scores.topk(width, -1)
        logs, units = best.values.double().cpu().numpy(), best.indices.cpu().numpy()
        if len(self.past) > self.soonest:
            last = len(self.past) > self.most[self.owners]  # nothing but the end may come
            logs[last], units[last] = -np.inf, self.search.end
            logs[last, 0] = scores[:, self.search.end].double().cpu().numpy()[last]
        return logs + self.logs[:, None], units

    def _best(self, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the texts of the best candidates, their logarithms, and where these stand in ``logs`` (R, C)."""
        if self.search.beam == 1:
            rows = np.flatnonzero(logs[:, 0] > -np.inf)
            return self.owners[rows], logs[rows, 0], rows
        count, beam, width = len(self.found), self.search.beam, logs.shape[1]
        table = np.full((count, beam, width), -np.inf)
        table[self.owners, self.slots] = logs
        row_of = np.zeros((count, beam), dtype=np.int64)
        row_of[self.owners, self.slots] = np.arange(len(logs))
        of_text = table.reshape(count, -1)
        at = np.argsort(-of_text, axis=1, kind="stable")[:, :beam]
        values = np.take_along_axis(of_text, at, 1)
        good = (np.arange(beam) < self.left[:, None]) & (values > -np.inf)
        texts = np.nonzero(good)[0]
        places = row_of[texts, at[good] // width] * width + at[good] % width
        return texts, values[good], places

    def _note(self, rows: np.ndarray, texts: np.ndarray, logs: np.ndarray) -> None:
        """Keep the answers that have ended: those of ``rows``, with an end behind them."""
        units, looked = self._way(rows)
        for n, (text, one) in enumerate(zip(texts.tolist(), logs.tolist(), strict=True)):
            score = self.search.score(one, len(self.past))
            self.found[text].append(Said(tuple(units[n]), score, one, None if looked is None else looked[n]))
        np.subtract.at(self.left, texts, 1)

    def _way(self, rows: np.ndarray) -> tuple[list[list[int]], Tensor | None]:
        """Return the units of ``rows`` (R, Q) but the end before them, and where all looked (R, Q, T)."""
        units, looked = [], []
        for step in reversed(self.past):
            units.append(step.units[rows])
            looked.append(None if step.looked is None else step.looked[torch.from_numpy(rows).to(step.looked.device)])
            rows = step.parents[rows]
        seen = [one for one in reversed(looked) if one is not None]
        return np.stack(units[-2::-1], 1).tolist() if units[1:] else [[]] * len(rows), torch.stack(
            seen, 1
        ) if seen else None

    def _go_on(self, rows: np.ndarray, texts: np.ndarray, logs: np.ndarray, chosen: np.ndarray) -> None:
        """Follow the answers of ``rows``, each with one unit more."""
        if len(rows) != len(self.owners) or (rows[1:] - rows[:-1] != 1).any():  # else all go on as they are
            self.speaker.keep(torch.from_numpy(rows))
        self.units, self.parents, self.owners, self.logs = chosen, rows, texts, logs
        first = np.searchsorted(texts, texts)  # texts come in order, so this is where the rows of each begin
        self.slots = np.arange(len(texts)) - first

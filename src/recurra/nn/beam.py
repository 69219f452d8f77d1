"""Beam search: the likeliest sequence of units that something would say, among those that are followed.

Shapes: S texts, K answers that are followed of each, R rows that are still followed, V units, T steps of the memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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
        followed = _Followed(self, speaker, torch.tensor([*most]))
        while len(followed.owners):
            followed.step()
        return [sorted(found, key=lambda one: -one.score) for found in followed.found]


class _Followed:
    """The answers that have not ended: which text each belongs to, its units, its logarithm, where it looked."""

    def __init__(self, search: Search, speaker: Speaker, most: Tensor):
        count = len(most)
        self.search, self.speaker, self.most, self.soonest = search, speaker, most, int(most.min()) if count else 0
        self.never = torch.tensor(search.never, dtype=torch.long)
        self.found: list[list[Said]] = [[] for _ in range(count)]
        self.left = torch.full((count,), search.beam)  # answers that may still end
        self.owners, self.slots = torch.arange(count), torch.zeros(count, dtype=torch.long)
        self.logs = torch.zeros(count, dtype=torch.float64)
        self.units = torch.full((count, 1), search.end)
        self.looked: Tensor | None = None

    def step(self) -> None:
        """Say one unit more."""
        scores, looked = self.speaker.say(self.units[:, -1])
        logs, units = self._candidates(scores)
        texts, values, places = self._best(logs)
        chosen = units.flatten()[places]
        if looked is not None:
            looked = looked.unsqueeze(1)
            self.looked = looked if self.looked is None else torch.cat([self.looked, looked], 1)
        rows = places // units.shape[1]
        ended = chosen == self.search.end
        if ended.any():
            self._note(rows[ended], texts[ended], values[ended])
            rows, texts, values, chosen = rows[~ended], texts[~ended], values[~ended], chosen[~ended]
        self._go_on(rows, texts, values, chosen)

    def _candidates(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logarithms of what may come next, with what was said before, and the units (R, C)."""
        total = scores.logsumexp(-1, keepdim=True)
        scores = scores.index_fill(1, self.never, -torch.inf) if len(self.never) else scores
        logs, units = scores.topk(min(self.search.beam, scores.shape[1]), -1)
        if self.units.shape[1] > self.soonest:
            last = self.units.shape[1] > self.most[self.owners]  # nothing but the end may come
            logs[last], units[last] = -torch.inf, self.search.end
            logs[last, 0] = scores[last, self.search.end]
        return (logs - total).double() + self.logs.unsqueeze(1), units

    def _best(self, logs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the texts of the best candidates, their logarithms, and where these stand in ``logs`` (R, C)."""
        if len(self.found) == 1:
            values, places = logs.flatten().topk(min(int(self.left), logs.numel()))
            good = values > -torch.inf
            return torch.zeros_like(places[good]), values[good], places[good]
        count, beam, width = len(self.found), self.search.beam, logs.shape[1]
        table = logs.new_full((count, beam, width), -torch.inf)
        table[self.owners, self.slots] = logs
        row_of = torch.zeros(count, beam, dtype=torch.long)
        row_of[self.owners, self.slots] = torch.arange(len(logs))
        values, at = table.flatten(1).topk(beam, -1)
        good = (torch.arange(values.shape[1]) < self.left.unsqueeze(1)) & (values > -torch.inf)
        texts = torch.arange(count).unsqueeze(1).expand_as(at)[good]
        places = row_of[texts, at[good] // width] * width + at[good] % width
        return texts, values[good], places

    def _note(self, rows: Tensor, texts: Tensor, logs: Tensor) -> None:
        """Keep the answers that have ended: those of ``rows``, with an end behind them."""
        length = self.units.shape[1]
        units = self.units[rows, 1:].tolist()
        for n, (text, one) in enumerate(zip(texts.tolist(), logs.tolist(), strict=True)):
            looked = None if self.looked is None else self.looked[rows[n]].clone()
            self.found[text].append(Said(tuple(units[n]), self.search.score(one, length), one, looked))
            self.left[text] -= 1

    def _go_on(self, rows: Tensor, texts: Tensor, logs: Tensor, chosen: Tensor) -> None:
        """Follow the answers of ``rows``, each with one unit more."""
        self.speaker.keep(rows)
        self.units = torch.cat([self.units[rows], chosen.unsqueeze(1)], 1)
        self.looked = None if self.looked is None else self.looked[rows]
        self.owners, self.logs = texts, logs
        first = torch.searchsorted(texts, texts)  # texts come in order, so this is where the rows of each begin
        self.slots = torch.arange(len(texts)) - first

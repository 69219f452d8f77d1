"""Pairs of texts as examples, in batches that hold about equal numbers of units.

Shapes: N pairs, B pairs of a batch, T units read, Q units written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch, Stream
from ...data.text import PADDING
from ...errors import DataError
from ...nn.prefixes import least_steps
from .copying import numbered
from .learned import END, END_SHOWN, Seq2seqLearned, Side
from .pairs import Pairs
from .spans import spans_of

BLUR = 0.2  # share by which lengths are off, so that batches are others in every pass


@dataclass(frozen=True)
class Ragged:
    """Rows of numbers of unequal lengths."""

    numbers: np.ndarray  # (S, ...) of all rows
    ends: np.ndarray  # (N + 1,), where each row begins, and behind the last one

    @classmethod
    def of(cls, rows: Sequence[np.ndarray]) -> "Ragged":
        """Put ``rows`` one behind the other."""
        lengths = [len(row) for row in rows]
        return cls(np.concatenate(rows) if rows else np.zeros(0, np.int64), np.cumsum([0, *lengths]))

    @property
    def lengths(self) -> np.ndarray:
        """How long each row is (N,)."""
        found: np.ndarray = np.diff(self.ends)
        return found

    def row(self, place: int) -> np.ndarray:
        """Return one row."""
        return self.numbers[self.ends[place] : self.ends[place + 1]]

    def padded(self, places: np.ndarray) -> np.ndarray:
        """Return the rows at ``places``, as long as the longest of them."""
        within = self.within(places)
        at = self.ends[places][:, None] + np.arange(within.shape[1])
        found = self.numbers[np.where(within, at, 0)]
        found[~within] = PADDING
        return found

    def within(self, places: np.ndarray) -> np.ndarray:
        """Return which of these numbers are of a row, and which are padding."""
        lengths = self.lengths[places]
        inside: np.ndarray = np.arange(lengths.max(initial=1)) < lengths[:, None]
        return inside


@dataclass(frozen=True)
class PairExamples:
    """What is to be read, and the texts that answer it where these are known."""

    sources: tuple[str, ...]
    read: Ragged  # the units of texts, and their ends; of sequences all steps
    said: Ragged | None  # the units of answers, and their ends
    # Of both where they share their units: those that are not known have numbers of their own in each pair.
    copied: Ragged | None = None
    wanted: Ragged | None = None
    passages: tuple[str, ...] | None = None  # their units are read behind those of the source, and its end
    spans: Ragged | None = None  # (m, 2) the begin and the end of each place of an answer that is pointed at

    @classmethod
    def of(cls, pairs: Pairs, learned: Seq2seqLearned) -> "PairExamples":
        """Cut all pairs into units; raises DataError if what is to be read is not like that of the training."""
        source = learned.source
        said = None if pairs.targets is None else [learned.target.cutter.cut(text) for text in pairs.targets]
        right = None if said is None else _rows(said, learned.target)
        if not isinstance(source, Side):
            if pairs.cases is None and source.cells is not None:
                if source.featured:
                    raise DataError("The model was trained on features, and these are texts: give it features.")
                raise DataError("The model was trained on pictures, and these are texts: give it pictures.")
            values, lengths = source.encode(pairs.sequences())
            return cls(pairs.sources, Ragged(values, np.cumsum([0, *lengths])), right)
        read = [source.cutter.cut(text) for text in pairs.texts()]
        spans = None
        if learned.passages:
            if pairs.passages is None:
                raise DataError(
                    "The model answers questions about passages: give each with the passage that it is about, as a "
                    "pair (question, passage), or a table with a column of passages."
                )
            passages = [source.cutter.cut(text) for text in pairs.about]
            spans = _spans(pairs, learned, read, passages) if learned.points and pairs.targets is not None else None
            read = [[*asked, END, *about] for asked, about in zip(read, passages, strict=True)]
        examples = cls(pairs.sources, _rows(read, source), right, passages=pairs.passages, spans=spans)
        if not learned.shared:
            return examples
        both = [numbered(*units, source) for units in zip(read, said or [[]] * len(read), strict=True)]
        copied, wanted = (Ragged.of(list(rows)) for rows in zip(*both, strict=True)) if both else (examples.read,) * 2
        return replace(examples, copied=copied, wanted=None if said is None else wanted)

    def __len__(self) -> int:
        return len(self.sources)

    def labels(self, place: int, learned: Seq2seqLearned) -> list[str]:
        """Return what each step is called that the encoder makes of the source at ``place``."""
        if not isinstance(learned.source, Side):
            return learned.source.labels(int(self.read.lengths[place]))
        texts = [self.sources[place], *([] if self.passages is None else [self.passages[place]])]
        return [unit for text in texts for unit in (*learned.source.cutter.cut(text), END_SHOWN)]

    def steps(self, learned: Seq2seqLearned) -> np.ndarray:
        """Return how many steps the encoder makes of each source (N,)."""
        return np.array([learned.source.steps(int(length)) for length in self.read.lengths], dtype=np.int64)

    def within(self, longest: int) -> np.ndarray:
        """Return the places of pairs of which no text has more units than ``longest``."""
        assert self.said is not None
        texts = self.said.lengths if self.read.numbers.ndim > 1 else np.maximum(self.read.lengths, self.said.lengths)
        return np.flatnonzero(texts <= longest + 1)

    def answerable(self, learned: Seq2seqLearned) -> np.ndarray:
        """Return the places of pairs whose target the decoder can give.

        What is pointed at must stand in its passage; what is said step by step must have no more units than steps.
        """
        assert self.said is not None
        if self.spans is not None:
            return np.flatnonzero(self.spans.lengths)
        if not learned.by_step:
            return np.arange(len(self))
        least = [least_steps(self.said.row(n)[:-1].tolist()) for n in range(len(self))]
        return np.flatnonzero(np.array(least) <= self.steps(learned))

    def some(self, places: np.ndarray) -> "PairExamples":
        """Return the pairs at ``places``."""
        rows = {name: one for name, one in vars(self).items() if isinstance(one, Ragged)}
        taken: dict[str, Any] = {name: _taken(one, places) for name, one in rows.items()}
        if self.passages is not None:
            taken["passages"] = tuple(self.passages[n] for n in places)
        return replace(self, sources=tuple(self.sources[n] for n in places), **taken)

    def order(self, size: int, first: int, count: int, generator: torch.Generator) -> Iterator[Tensor]:
        """Yield batches of about equal numbers of units, ``size`` pairs on average, in passes over all of them."""
        passes = -(-len(self) // size)
        given = 0
        while given < count:
            skipped = first % passes if not given else 0
            for numbers in self._pass(passes, generator)[skipped:][: count - given]:
                given += 1
                yield numbers

    def _pass(self, batches: int, generator: torch.Generator) -> list[Tensor]:
        """Return all pairs in so many ``batches``, each of texts of about one length."""
        lengths = self.read.lengths if self.said is None else self.read.lengths + self.said.lengths
        blurred = torch.from_numpy(lengths) * (1 + BLUR * torch.rand(len(self), generator=generator))
        order = torch.argsort(blurred, stable=True)
        units = torch.from_numpy(lengths)[order].cumsum(0)
        wanted = units[-1] * torch.arange(1, batches) / batches
        cuts = _apart(torch.searchsorted(units, wanted), len(self))
        parts = torch.tensor_split(order, cuts)
        return [parts[n] for n in torch.randperm(len(parts), generator=generator).tolist()]

    def take(self, numbers: Tensor) -> Batch:
        """Return the pairs with these ``numbers`` (B,): what is read (B, T) or (B, T, C), and answers (B, Q)."""
        places = numbers.numpy()
        read = torch.from_numpy(self.read.padded(places))
        others = {"copied": self.copied, "wanted": self.wanted}
        more: dict[str, Any] = {
            name: torch.from_numpy(rows.padded(places)) for name, rows in others.items() if rows is not None
        }
        if self.spans is not None:
            more["spans"] = Stream(*(torch.from_numpy(one(places)) for one in (self.spans.padded, self.spans.within)))
        mask = torch.from_numpy(self.read.within(places))
        if self.said is None:
            return Batch(read, mask=mask, others=more)
        said, real = (torch.from_numpy(one(places)) for one in (self.said.padded, self.said.within))
        return Batch(read, said, mask, real, more)


def _rows(texts: Sequence[Sequence[str]], side: Side) -> Ragged:
    return Ragged.of([side.encode(units) for units in texts])


def _spans(pairs: Pairs, learned: Seq2seqLearned, asked: list[list[str]], passages: list[list[str]]) -> Ragged:
    """Return the places of each answer in what is read, counted from the closed answers; of those their number."""
    numbers = {text: n for n, text in enumerate(learned.closed)}
    found = []
    for question, passage, text in zip(asked, passages, pairs.targets or (), strict=True):
        first = len(numbers) + len(question) + 1
        spans = [(first + b, first + e) for b, e in spans_of(passage, learned.target.cutter.cut(text))]
        if not spans and text.strip() in numbers:
            spans = [(numbers[text.strip()],) * 2]
        found.append(np.array(spans, dtype=np.int64).reshape(-1, 2))
    return Ragged.of(found)


def _taken(rows: Ragged, places: np.ndarray) -> Ragged:
    return Ragged.of([rows.row(n) for n in places])


def _apart(cuts: Tensor, count: int) -> Tensor:
    """Return the rising ``cuts`` between ``count`` pairs, moved so that none of the batches is empty.

    One may be so, if a pair is longer than many others together.
    """
    places = torch.arange(1, len(cuts) + 1)
    later = torch.cummax((cuts - places).clamp(min=0), 0).values if len(cuts) else cuts
    return later.clamp(max=count - len(cuts) - 1) + places

"""Sequences with what is known of each.

Shapes: N cases, T_i steps of case i, C channels, K numbers of a case.
"""

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ...errors import DataError, plural
from ..sound import seconds_of
from ..tables.columns import find_boundless
from ..text import Sentence, Token
from .marks import Marks

Form = Literal["numbers", "texts", "sentences"]


@dataclass(frozen=True, eq=False)
class Cases:
    """Sequences and what is known of each: a label, numbers, or a label for each step.

    ``values[i]`` is float64 (T_i, C), NaN where missing. Of texts it is uint32 (T_i, 1), the code of every character;
    of sentences, which are cut into tokens already, a number that each token has, the same wherever it stands.
    """

    values: tuple[np.ndarray, ...]
    labels: tuple[str, ...] | None  # None where what they are is not known
    names: tuple[str, ...]
    channels: tuple[str, ...]
    notes: tuple[str, ...] = ()
    rate: int | None = None  # samples per second of the sounds that they were
    shape: tuple[int, int, int] | None = None  # channels, height and width of the picture that each step is
    weights: np.ndarray | None = None  # (N,) how much each case counts; None if all count the same
    numbers: np.ndarray | None = None  # (N, K) float64, none missing; None where they are not known
    targets: tuple[str, ...] = ()  # the names of the K numbers
    arrays: bool = False  # whether they came as arrays, so that a table that comes later is one, too
    marks: Marks | None = None  # a label for each step; None where none is known
    rows: tuple[np.ndarray, ...] | None = None  # the row (T_i,) of its table that each step came from, if it had one
    written: bool = False  # whether they are texts
    sentences: tuple[Sentence, ...] | None = None  # if that is what they are
    featured: bool = False  # whether those channels are features that another network found, and no colours
    several: bool = False  # whether a label names any number of classes, as ``labels.joined`` writes them

    def __len__(self) -> int:
        return len(self.values)

    @property
    def lengths(self) -> np.ndarray:
        """How many steps each case has, int64 (N,)."""
        return np.array([len(values) for values in self.values], dtype=np.int64)

    @property
    def form(self) -> Form:
        """What the cases are."""
        if self.sentences is not None:
            return "sentences"
        return "texts" if self.written else "numbers"

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that the cases are."""
        if self.sentences is not None:
            return tuple(sentence.text for sentence in self.sentences)
        return tuple(map(text_of, self.values))

    @property
    def seconds(self) -> float | None:
        """How long it is from one step to the next, where that is known."""
        return None if self.rate is None else seconds_of(self.rate)

    def some(self, indices: Sequence[int] | np.ndarray) -> "Cases":
        """Return the cases at these places, in this order; places may be given as true and false for each case."""
        places = np.asarray(indices)
        places = np.flatnonzero(places) if places.dtype == bool else places.astype(np.int64)
        labels = None if self.labels is None else tuple(self.labels[i] for i in places)
        values, names = tuple(self.values[i] for i in places), tuple(self.names[i] for i in places)
        weights, numbers = (None if one is None else one[places] for one in (self.weights, self.numbers))
        marks = None if self.marks is None else self.marks.some(places)
        rows = None if self.rows is None else tuple(self.rows[i] for i in places)
        sentences = None if self.sentences is None else tuple(self.sentences[i] for i in places)
        found = replace(self, values=values, labels=labels, names=names, weights=weights, numbers=numbers)
        return replace(found, marks=marks, rows=rows, sentences=sentences)

    def weighted(self, weights: Any) -> "Cases":
        """Return the cases, each with how much it counts.

        Raises DataError unless there is a number for each case, none is below zero, and one is above.
        """
        found = np.asarray(weights.detach().cpu() if hasattr(weights, "detach") else weights)
        if found.shape != (len(self),) or found.dtype.kind not in "biuf":
            raise DataError(
                f"sample_weight must be {len(self):,} number{plural(len(self))}, one for each case, but it has the "
                f"shape {found.shape}."
            )
        found = found.astype(np.float64)
        if not (np.isfinite(found) & (found >= 0)).all() or not found.any():
            raise DataError("sample_weight must be numbers of at least 0, not all of them 0; correct it.")
        return replace(self, weights=found)


def fingerprint(cases: Cases) -> str:
    """Return 32 hexadecimal digits that change with any name, value, channel, weight or answer, and only then."""
    digest = hashlib.sha256(json.dumps([cases.names, cases.labels, cases.channels]).encode())
    for values in cases.values:
        digest.update(str(values.shape).encode())
        # One NaN and one zero: there are many of the former and two of the latter, all of one meaning.
        same = np.where(np.isnan(values), np.nan, values + 0.0)
        digest.update(same.astype("<f8").tobytes())
    if cases.weights is not None:
        digest.update(cases.weights.astype("<f8").tobytes())
    if cases.numbers is not None:
        digest.update(json.dumps(cases.targets).encode())
        digest.update((cases.numbers + 0.0).astype("<f8").tobytes())
    if cases.marks is not None:
        digest.update(json.dumps(cases.marks.names).encode())
        digest.update(cases.marks.flat.astype("<i8").tobytes())
    return digest.hexdigest()[:32]


def repeats(cases: Cases, known: Cases) -> int:
    """Return how many of ``cases`` have the very values of one of the ``known`` cases."""
    seen = {_digest(values) for values in known.values} if len(cases) else set()
    return sum(_digest(values) in seen for values in cases.values)


def digests(cases: Cases) -> np.ndarray:
    """Return a number of each case, int64 (N,), which only cases of the very same values have in common."""
    return np.frombuffer(b"".join(_digest(values)[:8] for values in cases.values), "<i8")


def _digest(values: np.ndarray) -> bytes:
    return hashlib.blake2b(values.tobytes(), digest_size=16, salt=str(values.shape).encode()[:16]).digest()


def checked(cases: Cases) -> Cases:
    """Return the cases if each has a finite value; raises DataError if there is none, or one is empty or infinite."""
    if not len(cases):
        raise DataError("There are no cases; give at least one sequence.")
    for name, values in zip(cases.names, cases.values, strict=True):
        if not len(values):
            lacks = "has no steps; give it values" if cases.form == "numbers" else "is an empty text; give it words"
            raise DataError(f"Case '{name}' {lacks}, or leave it out.")
        if not values.shape[1]:
            raise DataError(f"Case '{name}' has no channels; give it at least one.")
        found = find_boundless(values)
        if found is not None:
            step, what, end = found
            raise DataError(f"Case '{name}' has {what} in step {step + 1}{end}")
        if np.isnan(values).all():
            raise DataError(f"Case '{name}' has only missing values; leave it out.")
    return cases


def code_points(text: str) -> np.ndarray:
    """Return a text as a case: the code of every character, uint32 (T, 1)."""
    return np.frombuffer(text.encode("utf-32-le", "replace"), "<u4").reshape(-1, 1)


def token_numbers(tokens: Sequence[Token]) -> np.ndarray:
    """Return a sentence as a case: a number of each token, uint32 (T, 1)."""
    found = [zlib.crc32(token.text.encode("utf-8", "surrogatepass")) for token in tokens]
    return np.array(found, dtype=np.uint32).reshape(-1, 1)


def text_of(case: np.ndarray) -> str:
    """Return the text that a case (T, 1) is."""
    return case.astype("<u4").tobytes().decode("utf-32-le")


def channel_names(count: int) -> tuple[str, ...]:
    """Return the names of channels that came without any."""
    return ("value",) if count == 1 else tuple(f"channel_{i + 1}" for i in range(count))


def counted(count: int) -> tuple[str, ...]:
    """Return '1', '2', .. as the names of cases that came without any."""
    return tuple(str(i + 1) for i in range(count))


def cut(padded: np.ndarray) -> tuple[tuple[np.ndarray, ...], list[str]]:
    """Return cases (N, T, C) without the steps at their end that have no value, and notes on what is missing.

    A table must be as wide as its longest row, so a shorter case can only end in empty cells.
    """
    known, steps = ~np.isnan(padded).all(axis=2), padded.shape[1]
    if not steps:
        return tuple(padded), []
    lengths = np.where(known.any(axis=1), steps - np.argmax(known[:, ::-1], axis=1), steps)
    values = tuple(case[:length] for case, length in zip(padded, lengths.tolist(), strict=True))
    shorter = int((lengths < steps).sum())
    said = f"{shorter:,} case(s) end in empty cells, so they are shorter (from {lengths.min(initial=steps)} step(s) on)"
    return values, [*([said] if shorter else []), *missing_note(values)]


def missing_note(values: Sequence[np.ndarray]) -> list[str]:
    """Return a note on how many values are missing, or nothing."""
    counts = [int(np.isnan(case).sum()) for case in values]
    some = sum(count > 0 for count in counts)
    return [f"{sum(counts):,} value(s) of {some:,} case(s) are missing"] if some else []

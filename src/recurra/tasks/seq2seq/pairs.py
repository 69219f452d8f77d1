"""Pairs: what is read, mostly a text, and the text that is written for it.

Shapes: N pairs.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...data.cases import Cases
from ...data.cases import digests as case_digests
from ...data.cases import fingerprint as case_fingerprint
from ...errors import DataError

NAMES = ("source", "target")


@dataclass(frozen=True)
class Pairs:
    """What is to be read, and what is to be written for each; '' where it is not known, None if none is."""

    sources: tuple[str, ...]  # texts; of sequences their names
    targets: tuple[str, ...] | None
    notes: tuple[str, ...] = ()
    names: tuple[str, str] = NAMES  # of the columns that they come from, or the languages of two files
    cases: Cases | None = None  # the sequences that are read, if no texts are
    passages: tuple[str, ...] | None = None  # what each source is about
    threads: tuple[int, ...] | None = None  # of which thread each reply is

    def __len__(self) -> int:
        return len(self.sources)

    def part(self, numbers: Any) -> "Pairs":
        """Return the pairs of these ``numbers``, an array (n,) or a slice."""
        places = range(len(self))[numbers] if isinstance(numbers, slice) else [int(one) for one in numbers]
        sources = tuple(self.sources[place] for place in places)
        targets = None if self.targets is None else tuple(self.targets[place] for place in places)
        cases = None if self.cases is None else self.cases.some(np.array([*places], dtype=np.int64))
        passages = None if self.passages is None else tuple(self.passages[place] for place in places)
        threads = None if self.threads is None else tuple(self.threads[place] for place in places)
        return replace(self, sources=sources, targets=targets, cases=cases, passages=passages, threads=threads)

    @property
    def together(self) -> tuple[Any, ...]:
        """What pairs have in common that are never in two parts: the thread, the passage, or what is read."""
        if self.threads is not None:
            return self.threads
        return self.keys if self.passages is None else self.passages

    @property
    def keys(self) -> tuple[str, ...]:
        """A text for each source which only the very same source has, too, with the same passage."""
        if self.cases is not None:
            return tuple(map(str, case_digests(self.cases).tolist()))
        if self.passages is None:
            return self.sources
        return tuple(f"{len(about)} {about}{text}" for about, text in zip(self.passages, self.sources, strict=True))

    @property
    def about(self) -> tuple[str, ...]:
        """The passages; of pairs without any there are none."""
        return self.passages or ()

    def texts(self) -> tuple[str, ...]:
        """Return the texts that are read; raises DataError if they are none."""
        if self.cases is not None:
            raise DataError("The model was trained on texts, and these are sequences of numbers: give it texts.")
        return self.sources

    def sequences(self) -> Cases:
        """Return the sequences that are read; raises DataError if texts are."""
        if self.cases is None:
            raise DataError(
                "The model was trained on sequences of numbers, such as sounds, and these are texts: give it sequences."
            )
        return self.cases

    @property
    def known(self) -> np.ndarray:
        """The numbers (n,) of the pairs whose target is known."""
        return np.flatnonzero([bool(target.strip()) for target in self.targets or ()])


def fingerprint(pairs: Pairs) -> str:
    """Return 32 hexadecimal digits that are others if any character is."""
    digest = hashlib.sha256(b"" if pairs.cases is None else case_fingerprint(pairs.cases).encode())
    for texts in (pairs.sources, pairs.targets or (), *([] if pairs.passages is None else [pairs.passages])):
        for text in (str(len(texts)), *texts):
            content = text.encode("utf-8", "surrogatepass")
            digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:32]


def digests(texts: Iterable[str]) -> np.ndarray:
    """Return a number of each of N texts, int64 (N,), which only the very same text has, too."""
    digest = (hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digest), "<i8")

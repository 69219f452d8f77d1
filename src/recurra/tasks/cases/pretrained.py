"""Vectors of words that come from a file, and begin a network.

Shapes: n tokens of the training, K others, E numbers of a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...data.text import Vocabulary
from ...data.text.vectors import Vectors, read_vectors
from ...errors import ConfigError, DataError
from ...nn.words import Words

OTHERS = 50_000  # words that are kept with their vectors though the training texts do not know them, the first ones


@dataclass(frozen=True, eq=False)
class Pretrained:
    """With which vectors tokens begin, and those of other words, which are not learned."""

    numbers: np.ndarray  # (n,) int64 of the tokens in the vocabulary; none in what comes from a run, which has learned
    vectors: np.ndarray  # (n, E) float32
    others: np.ndarray  # (K, E) float16, as they are kept
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, path: str, vocabulary: Vocabulary, words: Sequence[str], lowercase: bool
    ) -> tuple["Pretrained", Vocabulary]:
        """Return the vectors in the file ``path``, and the vocabulary with the words that it adds.

        ``words`` are all of the training texts, also those that are too rare to be learned: they come first. Raises
        DataError if the file is none of vectors, or has none of these words.
        """
        found = read_vectors(path, [*vocabulary.tokens, *words], OTHERS, lowercase)
        if not found.wanted:
            raise DataError(
                f"None of the {len(set(words)):,} words of the training texts has a vector in '{Path(path).name}'; "
                "give vectors of their language, or leave vectors= out."
            )
        learned = [token for token in vocabulary.tokens if token in found.wanted]
        numbers = np.array([vocabulary.numbers[token] for token in learned], dtype=np.int64)
        vectors = np.array([found.wanted[token] for token in learned], np.float32).reshape(-1, found.width)
        rare = {word: vector for word, vector in found.wanted.items() if word not in vocabulary.numbers}
        others = dict(list((rare | found.others).items())[:OTHERS])
        made = cls(numbers, vectors, _kept(others, found), _said(Path(path).name, vocabulary, learned, others))
        return made, Vocabulary(vocabulary.tokens, tuple(others))

    @property
    def width(self) -> int:
        """How many numbers a token is."""
        return int(self.others.shape[1])

    def give(self, words: Words) -> None:
        """Let ``words`` begin with these vectors."""
        words.begin(*(torch.from_numpy(one) for one in (self.numbers, self.vectors, self.others)))

    @classmethod
    def kept(cls, others: np.ndarray) -> "Pretrained":
        """Return what a run has kept."""
        return cls(np.zeros(0, np.int64), np.zeros((0, others.shape[1]), np.float32), others)


def width_of(asked: int | None, usual: int, pretrained: Pretrained | None, path: str | None) -> int:
    """Return how many numbers a token is: as ``asked``, as vectors have, or as ``usual``.

    Raises ConfigError if vectors have another number than is asked for.
    """
    if pretrained is None:
        return usual if asked is None else asked
    if asked not in (None, pretrained.width):
        raise ConfigError(
            f"embedding_size={asked} is asked for, but the vectors in '{Path(str(path)).name}' have "
            f"{pretrained.width} numbers each; leave embedding_size out."
        )
    return pretrained.width


def _kept(others: dict[str, np.ndarray], found: Vectors) -> np.ndarray:
    values = np.array(list(others.values()), np.float32).reshape(-1, found.width)
    largest = np.finfo(np.float16).max
    return values.clip(-largest, largest).astype(np.float16)


def _said(name: str, vocabulary: Vocabulary, learned: list[str], others: dict[str, np.ndarray]) -> tuple[str, ...]:
    count = len(vocabulary.tokens)
    return (
        f"{len(learned):,} of {count:,} known words begin with their vector in '{name}'; {len(others):,} more words "
        "are known by it alone",
    )

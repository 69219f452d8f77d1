"""The tokens that a model knows, by number.

Shapes: V tokens.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...errors import DataError

PADDING, UNKNOWN = 0, 1  # numbers that no token has: behind the end of a text, and for all tokens that are not known
FIRST = 2


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of the training texts, the most frequent first; all others are one and the same.

    But for ``others`` whose vectors came from elsewhere: they are numbered behind those of the training texts.
    """

    tokens: tuple[str, ...]
    others: tuple[str, ...] = ()
    numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbers = {token: n for n, token in enumerate((*self.tokens, *self.others), FIRST)}
        object.__setattr__(self, "numbers", numbers)

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]], least: int, most: int) -> "Vocabulary":
        """Learn those tokens that are there ``least`` times, at most so many; raises DataError if none is."""
        counts = Counter(token for text in texts for token in text)
        kept = sorted((token for token, count in counts.items() if count >= least), key=lambda one: (-counts[one], one))
        if not kept:
            raise DataError(
                f"No token of the training texts is there {least} times, so there is nothing to learn from; give more "
                "texts, or min_count=1."
            )
        return cls(tuple(kept[:most]))

    def __len__(self) -> int:
        """Return how many numbers there are that are learned, those of no token too."""
        return FIRST + len(self.tokens)

    def encode(self, text: Sequence[str]) -> np.ndarray:
        """Return the number of each token, int64; one that is not known is looked for in small letters, if there are
        ``others``, of which most are written so.
        """
        found = self.numbers
        if not self.others:
            return np.array([found.get(token, UNKNOWN) for token in text], dtype=np.int64)
        return np.array([found.get(token) or found.get(token.lower(), UNKNOWN) for token in text], dtype=np.int64)

"""How a sentence, cut into tokens, becomes what the network reads: words, their pieces, and their letters.

Shapes: N sentences, n_i tokens of sentence i, R tokens of all, I numbers of each.
"""

import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch

from ...data.cases import Cases
from ...data.cases.cases import Form
from ...data.cases.sentences import cut_cases
from ...data.text import PADDING, Token, Vocabulary
from ...data.text.subwords import MOST, pieces
from ...nn.letters import LONGEST
from .network import Layout
from .pretrained import width_of
from .reading import Encoded, Plain, refuse_form
from .settings import TokenSettings
from .text import EMBEDDING, TextReading, learned_words

PAIRS = 2  # that a character is part of
ENDS = "\x02", "\x03"  # stand before and behind every word, so that its letters know where they are


@dataclass(frozen=True)
class SentenceReading(TextReading):
    """The vocabulary of the training sentences, that of the letters, and how raw texts are cut."""

    letters: Vocabulary | None = None  # None if words are not read letter by letter
    form: ClassVar[Form] = "sentences"

    @classmethod
    def learn(cls, train: Cases, settings: TokenSettings, letters: int) -> "SentenceReading":
        """Learn from the training sentences; ``letters`` is how much of a word its letters say, 0 for nothing."""
        sentences = train.sentences or ()
        kind = settings.tokens or ("characters" if _of_characters(train) else "words")
        lower = settings.lowercase if settings.lowercase is not None else kind == "words"
        words = [[token.text for token in sentence.tokens] for sentence in sentences]
        small = [[word.lower() for word in row] for row in words] if lower else words
        known, pretrained = learned_words(small, settings, kind, lower)
        length = int(np.median([len(row) for row in words]))
        buckets, parts = settings.subwords, MOST if kind == "words" else PAIRS
        letters = letters if kind == "words" else 0  # a character is its own letter
        spelt = Vocabulary.of([*(ENDS + tuple(word) for row in words for word in row)], 2, 5000) if letters else None
        width = 1 + (parts if buckets else 0) + (LONGEST if letters else 0)
        count = 0 if spelt is None else len(spelt)
        layout = Layout(1, width, 1, 1, 1, False, length, vocabulary=len(known), pieces=buckets, letters=count)
        wide = width_of(settings.embedding_size, EMBEDDING, pretrained, settings.vectors)
        layout = dataclasses.replace(layout, embedding=wide)
        return cls(layout, kind, lower, 0, known, train.arrays, pretrained, letters=spelt)

    def with_channels(self, cases: Cases) -> Cases:
        """Return ``cases``, texts among them cut into tokens; raises DataError if they are numbers."""
        if cases.form == "texts":
            return cut_cases(cases, self.kind)
        refuse_form(cases, self.form)
        return cases

    def encoded(self, cases: Cases) -> Encoded:
        """Return ``cases`` as the network reads them, int32."""
        rows: dict[str, np.ndarray] = {}
        found = []
        for own in self.tokens_of(cases):
            words = [token.text for token in own]
            for word in words:
                if word not in rows:
                    rows[word] = self._row(word)
            found.append(np.stack([rows[word] for word in words]))
            if self.kind == "characters" and self.layout.pieces:
                found[-1] = np.concatenate([found[-1], pairs(words, self.layout.pieces)], 1)
        return Encoded(torch.from_numpy(np.concatenate(found)), None, torch.from_numpy(cases.lengths))

    def tokens_of(self, cases: Cases) -> list[Sequence[Token]]:
        """Return the tokens of each case, with their places in its text."""
        return [sentence.tokens for sentence in cases.sentences or ()]

    def _row(self, word: str) -> np.ndarray:
        """Return the numbers (I,) of a token: its own, those of its pieces, and those of its letters."""
        known = word.lower() if self.lowercase else word
        parts = [self.vocabulary.encode([known])]
        if self.layout.pieces and self.kind == "words":
            parts.append(pieces(known, self.layout.pieces))
        if self.letters is not None:
            spelt = np.full(LONGEST, PADDING)
            found = self.letters.encode(shortened(word))
            spelt[: len(found)] = found
            parts.append(spelt)
        return np.concatenate(parts).astype(np.int32)

    def to_plain(self) -> Plain:
        """Return it as JSON values and arrays."""
        plain, arrays = super().to_plain()
        letters = None if self.letters is None else list(self.letters.tokens)
        return plain | {"sentences": {"letters": letters}}, arrays

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "SentenceReading":
        """Return what ``to_plain`` wrote."""
        text = TextReading.from_plain(plain, arrays)
        letters = plain["sentences"]["letters"]
        own = {one.name: getattr(text, one.name) for one in dataclasses.fields(TextReading) if one.init}
        return cls(**own, letters=None if letters is None else Vocabulary(tuple(letters)))


def pairs(characters: Sequence[str], buckets: int) -> np.ndarray:
    """Return the numbers, from 1 to ``buckets``, of each character with the one before it and the one behind it.

    These are int32 (n, 2); pairs whose hashes meet are one. Characters of Chinese say more in pairs (Zhang and Yang
    2018, https://arxiv.org/abs/1805.02023).
    """
    closed = (ENDS[0], *characters, ENDS[1])
    numbers = [1 + zlib.crc32(f"{a}{b}".encode("utf-8", "replace")) % buckets for a, b in pairwise(closed)]
    return np.stack([numbers[:-1], numbers[1:]], 1).astype(np.int32)


def shortened(word: str) -> tuple[str, ...]:
    """Return the letters of a word between its ends; of a long one the first and the last ones."""
    room = LONGEST - 2
    kept = word if len(word) <= room else word[: room // 2] + word[-(room - room // 2) :]
    return (ENDS[0], *kept, ENDS[1])


def _of_characters(cases: Cases) -> bool:
    """Tell whether most tokens are single characters."""
    lengths = [len(token.text) for sentence in cases.sentences or () for token in sentence.tokens]
    return sum(length == 1 for length in lengths) > 0.9 * len(lengths)

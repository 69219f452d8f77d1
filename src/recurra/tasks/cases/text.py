"""How a text becomes what the network reads: its tokens, by their number in the vocabulary of the training.

Shapes: N texts, T_i characters and n_i tokens of text i.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...data.cases import Cases
from ...data.cases.cases import Form, text_of
from ...data.text import UNKNOWN, Token, Vocabulary, tokeniser, usual_tokens
from ...data.text.subwords import MOST, pieces
from ...writing.numbers import in_steps
from .network import Layout
from .reading import Encoded, Plain, refuse_form
from .settings import TextSettings


@dataclass(frozen=True)
class TextReading:
    """The vocabulary of the training texts, and how tokens are told apart."""

    layout: Layout
    kind: str  # of tokens, one of TOKENISERS
    lowercase: bool
    most: int  # tokens of a text that are read
    vocabulary: Vocabulary
    arrays: bool  # whether it was trained on a list of texts
    channels: tuple[str, ...] = field(default=("text",), init=False)
    rate: None = field(default=None, init=False)
    form: ClassVar[Form] = "texts"

    @classmethod
    def of(cls, train: Cases, settings: TextSettings) -> "TextReading":
        """Learn from the training texts."""
        texts = train.texts
        kind = settings.tokens or usual_tokens(texts)
        lower = settings.lowercase if settings.lowercase is not None else kind == "words"
        split = tokeniser(kind)
        tokens = [
            [token.text.lower() if lower else token.text for token in split(text)[: settings.most_tokens]]
            for text in texts
        ]
        least = settings.min_count if kind == "words" else 1
        vocabulary = Vocabulary.of(tokens, least, settings.vocabulary)
        length = int(np.median([len(some) for some in tokens]))
        buckets = settings.subwords if kind == "words" else 0
        width = 1 + MOST if buckets else 1
        layout = Layout(1, width, 1, 1, 1, False, length, vocabulary=len(vocabulary), pieces=buckets)
        return cls(layout, kind, lower, settings.most_tokens, vocabulary, train.arrays)

    def with_channels(self, cases: Cases) -> Cases:
        """Return ``cases``; raises DataError if they are no texts."""
        refuse_form(cases, self.form)
        return cases

    def encoded(self, cases: Cases) -> Encoded:
        """Return ``cases`` as the network reads them."""
        values = [torch.from_numpy(self.inputs(text)) for text in cases.values]
        return Encoded(torch.cat(values), None, torch.tensor([len(text) for text in values]))

    def tokens_of(self, cases: Cases) -> list[Sequence[Token]]:
        """Return the tokens of each case that are read, with their places in its text."""
        return [self.tokens(text) for text in cases.texts]

    def tokens(self, text: str) -> list[Token]:
        """Return the tokens of a text that are read, with their places; of white space alone, one that is unknown."""
        return tokeniser(self.kind)(text)[: self.most] or [Token(text, 0, len(text))]

    def known(self, token: Token) -> str:
        """Return a token as the vocabulary has it."""
        return token.text.lower() if self.lowercase else token.text

    def inputs(self, values: np.ndarray) -> np.ndarray:
        """Return the numbers (n, 1), int64, of the tokens of a text, which came as its characters (T, 1)."""
        tokens = [self.known(token) for token in self.tokens(text_of(values))]
        known = self.vocabulary.encode(tokens)[:, None]
        if not self.layout.pieces:
            return known
        return np.concatenate([known, np.stack([pieces(token, self.layout.pieces) for token in tokens])], 1)

    def without(self, inputs: Tensor, first: int, last: int, lengths: Tensor) -> Tensor:
        """Return ``inputs`` (B, n, 1) with the tokens from ``first`` to ``last`` unknown."""
        changed = inputs.clone()
        changed[:, first : last + 1, 0] = UNKNOWN
        changed[:, first : last + 1, 1:] = 0  # nor has it pieces
        return changed

    @property
    def seconds(self) -> None:
        """Texts have no clock."""
        return

    def place(self, first: int, last: int) -> str:
        """Return a stretch of tokens, counted from 0, in words."""
        return f"token {first}" if first == last else f"token {first} to {last}"

    def span(self, count: float) -> str:
        """Return how long so many tokens are, in words."""
        return in_steps(round(count))

    def to_plain(self) -> Plain:
        """Return it as JSON values and arrays."""
        return {
            "channels": list(self.channels),
            "layout": dataclasses.asdict(self.layout),
            "arrays": self.arrays,
            "text": {
                "tokens": self.kind,
                "lowercase": self.lowercase,
                "most_tokens": self.most,
                "vocabulary": list(self.vocabulary.tokens),
            },
        }, {}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "TextReading":
        """Return what ``to_plain`` wrote."""
        text = plain["text"]
        vocabulary = Vocabulary(tuple(text["vocabulary"]))
        layout, how = Layout.from_plain(plain["layout"]), (text["tokens"], text["lowercase"], text["most_tokens"])
        return cls(layout, *how, vocabulary, plain["arrays"])


def long_note(cases: Cases, settings: TextSettings) -> list[str]:
    """Return a note on how many texts are not read to their end, if any are."""
    if not cases.written:
        return []
    texts, most = cases.texts, settings.most_tokens
    split = tokeniser(settings.tokens or usual_tokens(texts))
    long = sum(len(text) > most and len(split(text)) > most for text in texts)
    return [f"{long:,} text(s) have more than {most:,} tokens, of which the first ones are read"] if long else []

"""How a text becomes what the network reads: its tokens, by their number in the vocabulary of the training.

Shapes: N texts, T_i characters and n_i tokens of text i.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from ...data.cases import Cases, digests
from ...data.cases.cases import Form, text_of
from ...data.text import UNKNOWN, Token, Vocabulary, sentence_numbers, tokeniser, usual_tokens
from ...data.text.learned_pieces import LEARNED, learn_pieces, piece_tokeniser
from ...data.text.subwords import MOST, pieces
from ...errors import ConfigError
from ...nn.words import Words
from ...writing.numbers import in_steps
from .network import Layout
from .pretrained import Pretrained, width_of
from .reading import Encoded, Plain, refuse_form
from .settings import TextSettings, TokenSettings, WholeTextSettings

EMBEDDING = 100  # numbers of a token
LONGEST = 60  # tokens of a sentence, of which a longer one is cut


@dataclass(frozen=True)
class TextReading:
    """The vocabulary of the training texts, and how tokens are told apart."""

    layout: Layout
    kind: str  # of tokens, one of TOKENISERS
    lowercase: bool
    most: int  # tokens of a text that are read
    vocabulary: Vocabulary
    arrays: bool  # whether it was trained on a list of texts
    pretrained: Pretrained | None = field(default=None, compare=False)  # vectors that came from elsewhere
    model: bytes | None = None  # of pieces, if tokens are learned ones
    said: tuple[str, ...] = field(default=(), compare=False)  # notes
    seen: np.ndarray | None = field(default=None, compare=False)  # the digests of all texts of the training
    channels: tuple[str, ...] = field(default=("text",), init=False)
    rate: None = field(default=None, init=False)
    form: ClassVar[Form] = "texts"

    @classmethod
    def of(cls, train: Cases, settings: TextSettings) -> "TextReading":
        """Learn from the training texts."""
        texts = train.texts
        kind = settings.tokens or usual_tokens(texts)
        lower = settings.lowercase if settings.lowercase is not None else kind == "words"
        model = learn_pieces(texts, settings.vocabulary, lower) if kind == LEARNED else None
        split = _tokeniser(kind, model, lower)
        found = [split(text) for text in texts]
        said = long_said([len(some) for some in found], settings.most_tokens) if model is not None else []
        tokens = [
            [token.text.lower() if lower else token.text for token in some[: settings.most_tokens]] for some in found
        ]
        vocabulary, pretrained = learned_words(tokens, settings, kind, lower)
        width = width_of(settings.embedding_size, EMBEDDING, pretrained, settings.vectors)
        length = int(np.median([len(some) for some in tokens]))
        buckets = settings.subwords if kind == "words" else 0
        levels = _by_sentences(settings, kind)
        inputs = 1 + (MOST if buckets else 0) + levels
        layout = Layout(1, inputs, 1, 1, 1, False, length, vocabulary=len(vocabulary), pieces=buckets)
        layout = dataclasses.replace(layout, embedding=width, hierarchy=levels)
        return cls(layout, kind, lower, settings.most_tokens, vocabulary, train.arrays, pretrained, model, tuple(said))

    def remembering(self, cases: Cases) -> Self:
        """Return what also knows which ``cases`` were there in training."""
        return dataclasses.replace(self, seen=np.unique(digests(cases)))

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
        return _tokeniser(self.kind, self.model, self.lowercase)(text)[: self.most] or [Token(text, 0, len(text))]

    def known(self, token: Token) -> str:
        """Return a token as the vocabulary has it."""
        return token.text.lower() if self.lowercase else token.text

    def sentences(self, text: str, tokens: Sequence[Token]) -> np.ndarray | None:
        """Return in which sentence each of the ``tokens`` of a text is (n,), from 0; None if it is read as a whole."""
        return sentence_numbers(text, tokens, LONGEST) if self.layout.hierarchy else None

    def inputs(self, values: np.ndarray) -> np.ndarray:
        """Return the numbers (n, 1 + G), int64, of the tokens of a text, which came as its characters (T, 1).

        These are those of the token and of its pieces, and, if the network is a hierarchy, that of its sentence.
        """
        text = text_of(values)
        found = self.tokens(text)
        tokens = [self.known(token) for token in found]
        columns = [self.vocabulary.encode(tokens)[:, None]]
        if self.layout.pieces:
            columns.append(np.stack([pieces(token, self.layout.pieces) for token in tokens]))
        numbers = self.sentences(text, found)
        if numbers is not None:
            columns.append(numbers[:, None])
        return np.concatenate(columns, 1)

    def without(self, inputs: Tensor, first: int, last: int, lengths: Tensor) -> Tensor:
        """Return ``inputs`` (B, n, 1 + G) with the tokens from ``first`` to ``last`` unknown."""
        changed = inputs.clone()
        changed[:, first : last + 1, 0] = UNKNOWN
        if self.layout.pieces:
            changed[:, first : last + 1, 1 : 1 + MOST] = 0  # nor has it pieces
        return changed

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of how texts are read."""
        return self.said if self.pretrained is None else (*self.said, *self.pretrained.notes)

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

    def begin(self, network: nn.Module) -> None:
        """Let a fresh network begin with the vectors that came from elsewhere, if there are any."""
        if self.pretrained is not None:
            words = next(module for module in network.modules() if isinstance(module, Words))
            self.pretrained.give(words)

    def to_plain(self) -> Plain:
        """Return it as JSON values and arrays."""
        plain = {
            "channels": list(self.channels),
            "layout": dataclasses.asdict(self.layout),
            "arrays": self.arrays,
            "text": {
                "tokens": self.kind,
                "lowercase": self.lowercase,
                "most_tokens": self.most,
                "vocabulary": list(self.vocabulary.tokens),
                "others": list(self.vocabulary.others),
            },
        }
        arrays = {} if self.pretrained is None else {"vectors": self.pretrained.others}
        if self.model is not None:
            arrays["pieces"] = np.frombuffer(self.model, np.uint8).copy()
        if self.seen is not None:
            arrays["seen"] = self.seen
        return plain, arrays

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "TextReading":
        """Return what ``to_plain`` wrote."""
        text = plain["text"]
        vocabulary = Vocabulary(tuple(text["vocabulary"]), tuple(text.get("others", ())))
        layout, how = Layout.from_plain(plain["layout"]), (text["tokens"], text["lowercase"], text["most_tokens"])
        pretrained = Pretrained.kept(arrays["vectors"]) if "vectors" in arrays else None
        model = arrays["pieces"].tobytes() if "pieces" in arrays else None
        return cls(layout, *how, vocabulary, plain["arrays"], pretrained, model, seen=arrays.get("seen"))


def learned_words(
    tokens: Sequence[Sequence[str]], settings: TokenSettings, kind: str, lowercase: bool
) -> tuple[Vocabulary, Pretrained | None]:
    """Return which ``tokens`` of the training are known, and with which vectors they begin, if these are given."""
    vocabulary = Vocabulary.of(tokens, settings.min_count if kind == "words" else 1, settings.vocabulary)
    if settings.vectors is None:
        return vocabulary, None
    _refuse_vectors(settings.vectors, kind)
    words = [word for word, _ in Counter(token for some in tokens for token in some).most_common()]
    pretrained, vocabulary = Pretrained.of(settings.vectors, vocabulary, words, lowercase)
    return vocabulary, pretrained


@lru_cache(maxsize=8)
def _tokeniser(kind: str, model: bytes | None, lowercase: bool) -> Callable[[str], list[Token]]:
    """Return what cuts texts into tokens of a ``kind``; of learned ones, those of a ``model``."""
    return tokeniser(kind) if model is None else piece_tokeniser(model, lowercase)


def _refuse_vectors(path: str, kind: str) -> None:
    if kind != "words":
        raise ConfigError(
            f"vectors='{path}' are those of words, and these texts are read by {kind}. Leave it out, or give "
            "tokens='words'."
        )


def _by_sentences(settings: TextSettings, kind: str) -> bool:
    """Tell whether texts are read by their sentences; raises ConfigError if they are to be, but have no words."""
    wanted = isinstance(settings, WholeTextSettings) and settings.hierarchy
    if wanted and kind == "characters":
        raise ConfigError(
            "hierarchy=True reads the words of sentences, and these texts are read by characters. Leave it out, or "
            "give tokens='words'."
        )
    return wanted


def long_note(cases: Cases, settings: TextSettings) -> list[str]:
    """Return a note on how many texts are not read to their end, if any are."""
    if not cases.written:
        return []
    if settings.tokens == LEARNED:  # which are not learned yet
        return []
    texts, most = cases.texts, settings.most_tokens
    split = tokeniser(settings.tokens or usual_tokens(texts))
    return long_said([len(split(text)) if len(text) > most else 0 for text in texts], most)


def long_said(counts: Sequence[int], most: int) -> list[str]:
    """Return a note on how many texts of so many tokens have more than ``most``, if any have."""
    long = sum(count > most for count in counts)
    return [f"{long:,} text(s) have more than {most:,} tokens, of which the first ones are read"] if long else []

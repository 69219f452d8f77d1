"""Sentences as cases: lists of tokens, or texts that are cut into tokens; what is known of each token.

Shapes: T_i tokens of sentence i.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ...errors import DataError, plural
from ..text import Sentence, Token
from ..text.tokens import words as cut_words
from .cases import Cases, checked, counted, token_numbers
from .marks import Marks
from .texts import CHANNEL

LONGEST_TOKEN = 1_000  # characters: what is longer is no word


class Span(NamedTuple):
    """A part of a text that has a name."""

    start: int  # of its first character
    end: int  # behind its last one
    label: str


def is_sentences(X: Any) -> bool:
    """Tell whether ``X`` is a list of sentences, each a list of words."""
    if not isinstance(X, (list, tuple, np.ndarray)) or not len(X):
        return False
    if isinstance(X, np.ndarray) and (X.ndim != 1 or X.dtype != object):
        return X.ndim == 2 and X.dtype.kind in "US"
    if not all(isinstance(one, (list, tuple, np.ndarray)) for one in X):
        return False
    return any(isinstance(word, str) for one in X for word in one)  # what else is there is refused by name


def sentence_cases(sentences: Sequence[Sentence], names: tuple[str, ...] | None = None) -> Cases:
    """Return ``sentences`` as cases; raises DataError if one has no tokens, or a token is empty or no word."""
    names = names or counted(len(sentences))
    for name, sentence in zip(names, sentences, strict=True):
        for number, token in enumerate(sentence.tokens, 1):
            if not token.text.strip() and sentence.text.strip():
                raise DataError(f"Token {number} of the sentence '{name}' is empty; leave it out, with its tag.")
            if len(token.text) > LONGEST_TOKEN:
                raise DataError(
                    f"Token {number} of the sentence '{name}' has {len(token.text):,} characters, but a token has "
                    f"{LONGEST_TOKEN:,} at most; cut it, or give the sentence as a text, which is cut into words."
                )
    values = tuple(token_numbers(sentence.tokens) for sentence in sentences)
    return checked(Cases(values, None, names, (CHANNEL,), sentences=tuple(sentences)))


def words_cases(X: Sequence[Sequence[str]], names: tuple[str, ...] | None = None) -> Cases:
    """Return lists of words as cases; raises DataError for what is no word."""
    for number, words in enumerate(X, 1):
        strange = next((word for word in words if not isinstance(word, str)), None)
        if strange is not None or None in list(words):
            raise DataError(f"Sentence {number} has {strange!r} among its words; give every word as text.")
    return sentence_cases([Sentence.joined([str(word) for word in words]) for words in X], names)


def cut_cases(texts: Cases, kind: str) -> Cases:
    """Return cases that are ``texts`` as sentences, cut into tokens of this ``kind``."""
    sentences = tuple(Sentence.cut(text, kind) for text in texts.texts)
    return replace(
        texts,
        values=tuple(token_numbers(sentence.tokens) for sentence in sentences),
        sentences=sentences,
        written=False,
    )


def tagged(cases: Cases, tags: Sequence[Sequence[str | None]]) -> Cases:
    """Return sentences with the tag of every token, None where it is not known; as many as there are tokens."""
    names = tuple(dict.fromkeys(tag for row in tags for tag in row if tag is not None))
    places: dict[str | None, int] = {name: n for n, name in enumerate(names)} | {None: -1}
    codes = tuple(np.array([places[tag] for tag in row], dtype=np.int64) for row in tags)
    return replace(cases, marks=Marks(codes, names))


def spanned(texts: Sequence[str], spans: Sequence[Sequence[Span]], names: Sequence[str]) -> Cases:
    """Return ``texts`` as sentences whose tokens are tagged by the ``spans`` they lie in: B-, I- and O.

    Tokens are cut where a span begins or ends. Raises DataError that names the text if spans overlap, or lie outside.
    """
    sentences, tags, split, count = [], [], 0, 0
    for text, own, name in zip(texts, spans, names, strict=True):
        ordered = checked_spans(text, own, f"The text '{name}'")
        tokens, cuts = cut_at(cut_words(text), {edge for span in ordered for edge in (span.start, span.end)})
        sentences.append(Sentence(text, tuple(tokens)))
        tags.append(tags_of(tokens, ordered))
        split += cuts
        count += len(ordered)
    cases = tagged(sentence_cases(sentences, tuple(names)), tags)
    found = f"{count:,} span{plural(count)} in {len(texts):,} text{plural(len(texts))}"
    said = f"the tags B-, I- and O of the tokens are those of {found}"
    several = f"{split:,} spans begin or end" if split > 1 else "one span begins or ends"
    return replace(cases, notes=(said, *([f"{several} inside a word, which is cut there"] if split else [])))


def checked_spans(text: str, spans: Iterable[Span], where: str) -> list[Span]:
    """Return ``spans`` in their order, without white space at their ends; raises DataError for one that cannot be."""
    found = []
    for span in sorted(spans):
        if not 0 <= span.start < span.end <= len(text):
            raise DataError(
                f"{where} has {len(text):,} character{plural(len(text))}, but a span '{span.label}' from "
                f"{span.start} to {span.end}; a span is the place of its first character, counted from 0, and "
                "that behind its last one."
            )
        inner = text[span.start : span.end]
        start = span.start + len(inner) - len(inner.lstrip())
        if inner.strip():
            found.append(Span(start, start + len(inner.strip()), span.label))
    for one, other in pairwise(found):
        if other.start < one.end:
            raise DataError(
                f"{where} has a span '{one.label}' from {one.start} to {one.end} and a span '{other.label}' from "
                f"{other.start} to {other.end}, which overlap; leave one of them out, as a token has one tag."
            )
    return found


def cut_at(tokens: Sequence[Token], edges: set[int]) -> tuple[list[Token], int]:
    """Return ``tokens`` cut at those ``edges`` that lie inside of one, and how many these were."""
    found, count = [], 0
    for token in tokens:
        inside = sorted(edge for edge in edges if token.start < edge < token.end)
        count += len(inside)
        bounds = [token.start, *inside, token.end]
        for start, end in pairwise(bounds):
            found.append(Token(token.text[start - token.start : end - token.start], start, end))
    return found, count


def tags_of(tokens: Sequence[Token], spans: Sequence[Span]) -> list[str]:
    """Return the tag of each token: ``B-`` for the first one of a span, ``I-`` for the others, else ``O``."""
    tags = ["O"] * len(tokens)
    for span in spans:
        inside = [n for n, token in enumerate(tokens) if span.start <= token.start and token.end <= span.end]
        for n in inside:
            tags[n] = ("B-" if n == inside[0] else "I-") + span.label
    return tags

"""Pieces of words that are learned from texts, by the package sentencepiece."""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...errors import ConfigError
from .tokens import Token

LEARNED = "sentencepiece"  # as tokens are called
BEGINS = "▁"  # stands for the beginning of a word
WORD = re.compile(r"\S+")
LINE = 1000  # characters that are learned from at a time
PIECES = 1_000_000  # that the package begins with, so there are never more; with billions it does not end
MOST = 10_000_000  # characters to learn from; of more the texts are taken that lie evenly among all
REMEMBERED = 100_000  # words whose pieces are looked up


def learn_pieces(texts: Sequence[str], size: int, lowercase: bool = False) -> bytes:
    """Return the model of at most ``size`` pieces that make ``texts`` most likely, as the package writes it.

    The same texts give the same model. Raises ConfigError if the package is not there, or ``size`` is less than the
    characters that there are. Unigram language model, Kudo 2018, https://arxiv.org/abs/1804.10959.
    """
    package, made = _package(), io.BytesIO()
    every = -(-sum(map(len, texts)) // MOST) or 1
    try:
        package.SentencePieceTrainer.train(
            sentence_iterator=_lines(texts[::every], lowercase),
            model_writer=made,
            model_type="unigram",
            vocab_size=min(size, PIECES),
            hard_vocab_limit=False,
            normalization_rule_name="identity",  # so that every character stays where it is
            bos_id=-1,
            eos_id=-1,
            num_threads=1,  # sums of several threads have no order
            minloglevel=4,
        )
    except RuntimeError as fault:
        if "required_chars" not in str(fault):
            raise
        raise ConfigError(
            f"vocabulary={size:,} is less than the characters of these texts, of which each is a piece; give a larger "
            "one, or read words and not pieces."
        ) from None
    return made.getvalue()


def piece_cutter(model: bytes, lowercase: bool = False) -> Callable[[str], list[str]]:
    """Return what cuts a word into the pieces of a ``model``, of which the first begins with ``▁``.

    Raises ConfigError if the package is not there.
    """
    processor = _package().SentencePieceProcessor(model_proto=model)
    known: dict[str, list[str]] = {}

    def cut(word: str) -> list[str]:
        if word not in known:
            if len(known) == REMEMBERED:
                known.clear()
            pieces = processor.encode(_small(word) if lowercase else word, out_type=str)
            shown = sum(map(len, pieces)) - pieces[0].startswith(BEGINS) if pieces else 0
            known[word] = pieces if shown == len(word) else [BEGINS + word]  # what it does not keep, it does not know
        return known[word]

    return cut


def piece_tokeniser(model: bytes, lowercase: bool = False) -> Callable[[str], list[Token]]:
    """Return what cuts a text into the pieces of a ``model``, each with its place.

    The first piece of a word begins with ``▁``, as the package writes it. Raises ConfigError if that is not there.
    """
    cut = piece_cutter(model, lowercase)

    def tokens(text: str) -> list[Token]:
        found = []
        for match in WORD.finditer(text):
            start = match.start()
            for number, piece in enumerate(cut(match.group())):
                end = start + len(piece) - (number == 0 and piece.startswith(BEGINS))
                if end > start:
                    found.append(Token(piece, start, end))
                start = end
        return found

    return tokens


def _lines(texts: Sequence[str], lowercase: bool) -> Iterator[str]:
    """Yield the words of all texts in lines that are not too long for the package."""
    for text in texts:
        words = [_small(word) if lowercase else word for word in text.split()]
        line: list[str] = []
        length = 0
        for part in (word[at : at + LINE] for word in words for at in range(0, len(word), LINE)):
            if length + len(part) > LINE:
                yield " ".join(line)
                line, length = [], 0
            line.append(part)
            length += len(part) + 1
        yield " ".join(line)


def _small(word: str) -> str:
    """Return a word in small letters, but for those that would become several, so that all stay at their place."""
    small = word.lower()
    if len(small) == len(word):
        return small
    return "".join(one.lower() if len(one.lower()) == 1 else one for one in word)


def _package() -> Any:
    try:
        import sentencepiece
    except ImportError:
        raise ConfigError(
            "Reading pieces of words needs the package sentencepiece: pip install 'recurra[text]'."
        ) from None
    return sentencepiece

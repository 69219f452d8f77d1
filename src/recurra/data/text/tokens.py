"""Text in tokens: words, or characters, each with its place."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...errors import ConfigError

# Scripts without spaces between words: of them, every character is a token of its own.
CHARACTERS = "぀-ヿ㐀-䶿一-鿿豈-﫿０-～𠀀-𯿿"
WORD = re.compile(
    rf"[{CHARACTERS}]"  # a character that is a word
    rf"|\d+(?:[.,:]\d+)*"  # 3, 3.50, 12:30
    rf"|(?:(?![{CHARACTERS}])[^\W\d_])+(?:['’](?:(?![{CHARACTERS}])[^\W\d_])+)*"  # word, don't
    rf"|[^\s]"  # a mark
)
CHARACTER_WORD = re.compile(f"[{CHARACTERS}，。！？；：、（）《》“”]")
CHARACTER = re.compile(r"\S| (?=\S)")
JOINERS = "\u200d\u200c"  # of pictures and of letters
FEW = 2  # words of the median text, up to which its characters say more


class Token(NamedTuple):
    """A piece of a text."""

    text: str
    start: int  # of its first character
    end: int  # behind its last one


class Sentence(NamedTuple):
    """A text that is cut into tokens already."""

    text: str
    tokens: tuple[Token, ...]

    @classmethod
    def joined(cls, words: Sequence[str], spaces: Sequence[bool] | None = None) -> "Sentence":
        """Return ``words`` as a sentence; ``spaces`` says behind which there is one.

        If that is not known, there is one between all words but those of scripts that are written without.
        """
        tokens: list[Token] = []
        text = ""
        for n, word in enumerate(words):
            tokens.append(Token(word, len(text), len(text) + len(word)))
            text += word
            if n + 1 < len(words):
                text += " " if (_apart(word, words[n + 1]) if spaces is None else spaces[n]) else ""
        return cls(text, tuple(tokens))

    @classmethod
    def cut(cls, text: str, kind: str) -> "Sentence":
        """Return a ``text`` cut into tokens of this ``kind``; of white space alone it has one."""
        return cls(text, tuple(tokeniser(kind)(text)) or (Token(text, 0, len(text)),))


def _apart(word: str, other: str) -> bool:
    """Tell whether there is a space between two words."""
    return not (CHARACTER_WORD.fullmatch(word[-1:]) or CHARACTER_WORD.fullmatch(other[:1]))


def words(text: str) -> list[Token]:
    """Return words, numbers and marks; Chinese and Japanese characters one by one."""
    return _whole(_found(WORD, text), text, go_on=True)


def characters(text: str) -> list[Token]:
    """Return all characters; of white space between them, one space."""
    return _whole(_found(CHARACTER, text), text, go_on=False)


TOKENISERS: dict[str, Callable[[str], list[Token]]] = {"words": words, "characters": characters}


def tokeniser(name: str) -> Callable[[str], list[Token]]:
    """Return the tokeniser of this name."""
    if name not in TOKENISERS:
        raise ConfigError(f"Unknown tokens '{name}'. Choose one of: {', '.join(TOKENISERS)}.")
    return TOKENISERS[name]


def usual_tokens(texts: Sequence[str]) -> str:
    """Return which tokens suit ``texts``: characters where the median text is a word or two, else words."""
    counts = sorted(len(words(text)) for text in texts)
    return "characters" if counts and counts[len(counts) // 2] <= FEW else "words"


def _whole(tokens: list[Token], text: str, go_on: bool) -> list[Token]:
    """Return ``tokens`` with accents, vowel signs and joiners at what they belong to; words ``go_on`` behind them."""
    if text.isascii() or not any(map(_clings, text)):
        return tokens
    found: list[Token] = []
    for token in tokens:
        last = found[-1] if found else None
        if last is not None and last.end == token.start and _belongs(last.text[-1], token.text[0], go_on):
            found[-1] = Token(last.text + token.text, last.start, token.end)
        else:
            found.append(token)
    return found


def _clings(letter: str) -> bool:
    """Tell whether a character is a part of the one before it."""
    return unicodedata.category(letter)[0] == "M" or letter in JOINERS or "\U0001f3fb" <= letter <= "\U0001f3ff"


def _belongs(last: str, first: str, go_on: bool) -> bool:
    """Tell whether what begins with ``first`` belongs to what ends with ``last``, beside which it stands."""
    if _clings(first) or last == JOINERS[0]:
        return True
    return go_on and _clings(last) and first.isalpha() and not CHARACTER_WORD.match(first)


def _found(pattern: re.Pattern[str], text: str) -> list[Token]:
    return [Token(match.group(), *match.span()) for match in pattern.finditer(text)]

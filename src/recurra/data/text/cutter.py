"""Lines of text in units, from which they can be written again: for texts that answer texts."""

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .learned_pieces import BEGINS, learn_pieces
from .tokens import CHARACTER_WORD, Token, words
from .units import Level, cut_by

FEW = 2  # words of the median text, up to which it is cut into characters
LOOKED_AT = 2_000  # texts by which that is found


@dataclass(frozen=True)
class Cutter:
    """How texts of one language are cut: ``join(cut(text))`` is the text, with one blank between its words.

    The first unit of a word begins with ``▁``, so that marks are units of their own and are written where they stood.
    Characters are units as they are.
    """

    level: Level
    model: bytes | None = None  # of pieces

    @classmethod
    def learned(cls, texts: Sequence[str], level: Level, size: int) -> "Cutter":
        """Return what cuts into units of this ``level``; at most ``size`` pieces are learned from ``texts``.

        Raises ConfigError if the package is not there that learns pieces.
        """
        return cls(level, learn_pieces(texts, size) if level == "subword" else None)

    def cut(self, text: str) -> list[str]:
        """Return the units of ``text``."""
        if self.level == "character":
            return list(" ".join(text.split()))
        if self.level == "word":
            return [BEGINS + token.text if _begins(token, text) else token.text for token in words(text)]
        return cut_by(self.model)(text)

    def join(self, units: Iterable[str]) -> str:
        """Return the text that is made of ``units``."""
        text = "".join(units)
        return (text if self.level == "character" else text.replace(BEGINS, " ")).strip()


def _begins(token: Token, text: str) -> bool:
    """Tell whether there is a blank before a token, or would be if something stood there."""
    if token.start:
        return text[token.start - 1].isspace()
    return not CHARACTER_WORD.fullmatch(token.text[:1])


def usual_level(texts: Sequence[str]) -> Level:
    """Return the level that suits ``texts``: characters where there are hardly any blanks, else pieces of words.

    Words where the package sentencepiece is not there.
    """
    some = texts[:: max(1, len(texts) // LOOKED_AT)]
    counts = sorted(len(text.split()) for text in some)
    if counts and counts[len(counts) // 2] <= FEW:
        return "character"
    return "subword" if importlib.util.find_spec("sentencepiece") is not None else "word"

"""Where the sentences of a text begin and end.

Shapes: n tokens of a text.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from .tokens import Token

CLOSERS = "\"'”’»›)]}」』】）》"  # what may stand behind an end mark and still belongs to its sentence
CLOSING = re.escape(CLOSERS)
END = re.compile(
    rf"(?P<full>[。！？｡]++[{CLOSING}]*+)"  # ends a sentence wherever it stands
    rf"|(?P<mark>(?<![.!?…])[.!?…]++[{CLOSING}]*+(?=\s|<|$))"  # ends one before white space, as a rule
    r"|(?P<line>[\r\n]\s*+|(?:<br\s*+/?>\s*+)++)",  # lines, also as they are written in web pages
    re.IGNORECASE,
)
WORD = re.compile(r"[^\W_](?:[\w.'’-]*[^\W_])?$")  # before a mark
LETTERS = 40  # of a word that are looked at
NEXT = re.compile(r"\s*+(\S?)")
# Before a name, so that no sentence ends behind one.
TITLES = {
    "mr", "mrs", "ms", "mx", "dr", "prof", "st", "sr", "jr", "rev", "hon", "gov", "sen", "rep", "gen", "col", "sgt",
    "capt", "lt", "cpl", "adm", "messrs", "mme", "mlle", "fr", "hr", "vs", "cf", "ca", "approx", "e.g", "i.e",
    "viz", "z.b", "d.h", "u.a", "bzw", "vgl",
}  # fmt: skip
NUMBERED = {  # before a number
    "no", "nos", "nr", "fig", "figs", "eq", "sec", "ch", "vol", "pp", "p", "art",
}  # fmt: skip
# At the end of a sentence, too: one is ended if a large letter follows.
SHORT = {
    "etc", "al", "inc", "ltd", "co", "corp", "llc", "plc", "dept", "univ", "est", "a.m", "p.m", "u.s", "u.k", "u.n",
    "e.u", "d.c", "ph.d", "usw", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov",
    "dec",
}  # fmt: skip


def sentences(text: str) -> list[tuple[int, int]]:
    """Return where each sentence of ``text`` begins and behind which character it ends, in order, without white space.

    A sentence ends behind ``. ! ? …`` and closing quotes or brackets before white space, behind ``。 ！ ？``, and at
    the end of a line, unless the next line goes on with a small letter. It does not end behind a title (Dr.), an
    initial (J.), the number of an item (1.), nor, where a small letter follows, behind another abbreviation (etc.),
    an ellipsis or a quoted question. A text of white space alone has none.
    """
    found: list[tuple[int, int]] = []
    start = 0
    for match in END.finditer(text):
        if not _ends(text, start, match):
            continue
        if match["line"] and found and not text[start : match.start()].strip():  # what breaks lines belongs to no other
            start = found.pop()[0]
        _add(found, text, start, match.end())
        start = match.end()
    _add(found, text, start, len(text))
    return found


def sentence_numbers(text: str, tokens: Sequence[Token], longest: int) -> np.ndarray:
    """Return in which sentence of ``text`` each of its ``tokens`` stands (n,), int64, from 0 without a gap.

    A sentence of more than ``longest`` tokens counts as several, about equally long.
    """
    starts = [start for start, _ in sentences(text)]
    whole = np.array([bisect_right(starts, token.start) for token in tokens], dtype=np.int64)
    _, number, counts = np.unique(whole, return_inverse=True, return_counts=True)
    parts = -(-counts // longest)
    place = np.arange(len(tokens)) - (counts.cumsum() - counts)[number]
    return (parts.cumsum() - parts)[number] + place * parts[number] // counts[number]


def _add(found: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    part = text[start:end]
    if part.strip():
        found.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Tell whether a sentence that begins at ``start`` ends with this match."""
    following = NEXT.match(text, match.end())
    rest = following.group(1) if following else ""
    if match["full"]:
        return True
    if match["line"]:
        return not (rest.islower() and match["line"].count("\n") == 1)
    mark = match["mark"].rstrip(CLOSERS)
    if rest.islower() and (mark != match["mark"] or mark.startswith(("..", "…"))):
        return False
    if mark != ".":
        return True
    word = WORD.search(text, max(start, match.start() - LETTERS), match.start())
    return word is None or not _goes_on(word.group(), rest, not text[start : word.start()].strip())


def _goes_on(word: str, rest: str, first: bool) -> bool:
    """Tell whether a sentence, of which ``word`` is perhaps the ``first``, goes on behind a full stop after it."""
    if word.lower() in TITLES or (len(word) == 1 and word.isupper() and word != "I"):
        return bool(rest)
    if word.lower() in NUMBERED:
        return rest.isdigit()
    if first and len(word) <= 2 and word.isdigit():
        return True
    return word.lower() in SHORT and rest.isalpha() and not rest.isupper()

"""Vectors of words from a file: a word and its numbers in each line, as word2vec, GloVe and fastText write them.

Shapes: E numbers of a word.
"""

import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import DataError
from ..tables.files import check_there, first_text, open_file

HEADER = re.compile(r"\d+ \d+")  # how many words, and how many numbers each has


class Vectors(NamedTuple):
    """What a file says of words."""

    wanted: dict[str, np.ndarray]  # those that were asked for and are there: (E,) float32 each
    others: dict[str, np.ndarray]  # those that were not, in the order of the file
    width: int  # E


def read_vectors(path: str | Path, wanted: Iterable[str], others: int = 0, lowercase: bool = False) -> Vectors:
    """Return the vectors of the ``wanted`` words in a text file, packed or not, and of so many ``others``.

    A word that is not there as it is written has the vector of the same word in small letters, else in any others.
    With ``lowercase`` other words are known in small letters. Of a word that is there twice the first vector counts.
    Raises DataError if there is no such file, or a line of it is no word with as many numbers as the first one.
    """
    path = Path(path)
    by_fold: dict[str, list[str]] = {}
    for word in dict.fromkeys(wanted):
        by_fold.setdefault(word.lower(), []).append(word)
    found, more, width = _Best(), _Best(), 0
    for line in _lines(path):
        width, folded = line.width, line.word.lower()
        alike = by_fold.get(folded, [])
        for one in alike:
            found.offer(one, line)
        name = folded if lowercase else line.word
        if name not in alike and (len(more.vectors) < others or name in more.vectors):
            more.offer(name, line)
    return Vectors(found.vectors, more.vectors, width)


class _Line(NamedTuple):
    """A word and its numbers as they stand in a file."""

    file: str
    number: int
    word: str
    numbers: str
    width: int

    def vector(self) -> np.ndarray:
        try:
            found = np.array(self.numbers.split(" "), dtype=np.float32)
        except ValueError:
            found = np.array([np.nan])
        if not np.isfinite(found).all():
            raise DataError(
                f"Line {self.number:,} of '{self.file}' has something else than {self.width:,} finite numbers behind "
                "its word; correct it, or leave it out."
            )
        return found


class _Best:
    """The vector of each word, from the line that is written most like it."""

    def __init__(self) -> None:
        self.vectors: dict[str, np.ndarray] = {}
        self.ranks: dict[str, int] = {}

    def offer(self, name: str, line: _Line) -> None:
        rank = 0 if line.word == name else 1 if line.word.islower() else 2
        if rank < self.ranks.get(name, 3):
            self.vectors[name], self.ranks[name] = line.vector(), rank


def _lines(path: Path) -> Iterator[_Line]:
    """Yield each line of a file that has a word."""
    check_there(path)
    first_text(path)  # raises if it is no text
    try:
        with io.TextIOWrapper(open_file(path), "utf-8-sig", errors="replace", newline="\n") as lines:
            yield from _split(path.name, lines)
    except (EOFError, OSError, lzma.LZMAError, zlib.error, zipfile.BadZipFile) as fault:
        raise DataError(
            f"'{path.name}' is cut short or damaged ({str(fault).strip() or type(fault).__name__})."
        ) from None


def _split(name: str, lines: Iterable[str]) -> Iterator[_Line]:
    width = 0
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip().replace("\t", " ")
        if not line:
            continue
        if number == 1 and HEADER.fullmatch(line):
            width = int(line.split(" ")[1])
            continue
        width = width or line.count(" ")
        if line.count(" ") == width:
            word, _, numbers = line.partition(" ")
        else:
            word, numbers = _with_spaces(line, width)
        if not word or not numbers:
            raise DataError(_unlike(name, number, line, width))
        yield _Line(name, number, word, numbers, width)


def _with_spaces(line: str, width: int) -> tuple[str, str]:
    """Return word and numbers of a line with more spaces than numbers; two empty texts if these are too many."""
    parts = line.rsplit(" ", width)
    if len(parts) <= width or _is_number(parts[0].rsplit(" ", 1)[-1]):
        return "", ""
    return parts[0], " ".join(parts[1:])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _unlike(name: str, number: int, line: str, width: int) -> str:
    if not width:
        return f"Line {number:,} of '{name}' is no word with numbers behind it; give a file of vectors of words."
    count = line.count(" ")
    return (
        f"Line {number:,} of '{name}' has {count:,} number(s) behind its word, where {width:,} are expected; correct "
        "it, or leave it out."
    )

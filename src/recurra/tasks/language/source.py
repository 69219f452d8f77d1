"""The text that a language model learns, from wherever it comes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data.tables.files import check_there, read_text
from ...data.text.units import LINE
from ...errors import DataError

ENDINGS = (".txt", ".text", ".md", ".tokens", ".raw", ".gz", ".xz", ".bz2", ".zip")

TABLES = (".csv", ".tsv", ".parquet", ".pq", ".json", ".jsonl", ".ndjson", ".conll", ".conllu", ".ts", ".xlsx")


@dataclass(frozen=True)
class Book:
    """One long text."""

    text: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.text)


def book_of(source: Any, most: int | None = None) -> Book:
    """Return the text in ``source``: a file, a folder of files, a text itself, or a list of texts.

    A text is one that is no name of a file, or has more than one line. ``most`` bounds its lines. Raises DataError if
    there is nothing to read.
    """
    if isinstance(source, Book):
        return source
    if isinstance(source, (list, tuple)) and all(isinstance(one, str) for one in source):
        return _checked("".join(_ended(one) for one in source), most, ())
    if isinstance(source, Path) or (isinstance(source, str) and _is_place(source)):
        return _read(Path(source), most)
    if isinstance(source, str):
        return _checked(source, most, ())
    raise DataError(
        f"A language model learns from a text, and this is {type(source).__name__}: give the name of a file or of a "
        "folder, a text, or a list of texts."
    )


def fingerprint(book: Book) -> str:
    """Return 32 hexadecimal digits that are others if any character is."""
    return hashlib.sha256(book.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _is_place(text: str) -> bool:
    """Tell whether a text names a file, or looks so much like it that it would be one if it were there."""
    if LINE in text or len(text) > 1000:
        return False
    return Path(text).exists() or (" " not in text and Path(text).suffix.lower() in ENDINGS)


def _read(path: Path, most: int | None) -> Book:
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        check_there(path)
    if not path.is_dir():
        if _is_table(path):
            raise DataError(
                f"'{path.name}' is a table, and a language model learns from plain text: write its texts to a file "
                "whose name ends in .txt."
            )
        return _checked(_plain(read_text(path)), most, ())
    every = (one for one in path.rglob("*") if one.is_file() and one.suffix.lower() in ENDINGS)
    files = sorted(one for one in every if not _is_table(one))
    if not files:
        raise DataError(f"There is no text file in the folder '{path}': give one whose name ends in .txt.")
    text = "".join(_ended(_plain(read_text(one))) for one in files)
    return _checked(text, most, (f"{len(files):,} file(s) are read one after the other, in the order of their names",))


def _is_table(path: Path) -> bool:
    """Tell whether a file is named as a table, packed or not."""
    return bool({*map(str.lower, path.suffixes)} & {*TABLES})


def _plain(text: str) -> str:
    """Return a text with lines that end as they do here."""
    return text.removeprefix("\ufeff").replace("\r\n", LINE).replace("\r", LINE)


def _ended(text: str) -> str:
    return text if text.endswith(LINE) else text + LINE


def _checked(text: str, most: int | None, notes: tuple[str, ...]) -> Book:
    if most is not None:
        text = "".join(text.splitlines(keepends=True)[:most])
    if not text.strip():
        raise DataError("There is no text to read, only white space: give one with words.")
    return Book(text, notes)

"""Pairs of texts in files: tables of any kind, JSON, or two files whose lines belong together."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...data.cases.conll import are_columns
from ...data.tables.dialect import DATE, NUMBER
from ...data.tables.files import check_there, first_text, is_parquet, read_table, read_text
from ...data.tables.json_lines import ENDINGS as JSON_LINES
from ...data.tables.json_lines import read_json_lines
from ...errors import DataError, KindError
from .arrays import names_sequences
from .columns import Form, is_header, is_language

PACKED = (".gz", ".xz", ".bz2", ".zip")
BETWEEN = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}  # separators as they can be typed
TABLES = (".csv", ".tsv", ".tab")
PARTNERS = {"src": ("tgt", "trg"), "source": ("target",), "in": ("out",), "tgt": ("src",), "trg": ("src",)}
LOOKED_AT = 200  # lines by which is seen how a file is written
WORDS = 3  # in the name of a column, at most


class Read(NamedTuple):
    """A table from files, whose index is the number of each row, from 1; and what is to be said of it."""

    table: pd.DataFrame
    notes: tuple[str, ...]
    row: str  # what a row is called: "line" or "row"
    names: tuple[str, str] | None = None  # of both sides, where columns have none
    path: Path | None = None  # of the file


def read_pairs(path: Path, form: Form, answered: bool) -> Read:
    """Return the table in a file, or of two files, whose columns are numbers from 1 where they have no names.

    Raises DataError if a file is not there, is empty or damaged, or if the lines of two files do not belong together.
    """
    ending = ending_of(path)
    if ending in JSON_LINES or (not ending and not form.target_file and _begins_with_brace(path)):
        return Read(unnested(read_json_lines(path)), (), "line")
    if ending == ".json":
        return Read(_read_json(path), (), "row")
    if not answered and " " in path.name and not path.exists():
        raise DataError(
            f"There is no file '{path}'; texts are answered from a file with one in each line, or from standard input: "
            "give - for the file."
        )
    if not path.is_file() or not path.stat().st_size:
        check_there(path)
    if is_parquet(path):
        table, notes = read_table(path)
        return Read(unnested(_numbered(table)), tuple(notes), "row")
    other = partner(path, form, answered)
    return _read_text(path, form) if other is None else _read_both(path, other)


def ending_of(path: Path) -> str:
    """Return the ending of a file name in small letters, without that of a packer."""
    inner = Path(path.stem) if path.suffix.lower() in PACKED else path
    return inner.suffix.lower()


def unnested(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the names inside of a column of objects as its columns: ``{"translation": {"de": ..}}``.

    Such as hold a list of several answers are left as they are.
    """
    for name in table.columns:
        cells = table[name].tolist()
        if cells and all(isinstance(cell, dict) and not _are_listed(cell) for cell in cells):
            return pd.DataFrame(cells, index=table.index)
    return table


def _are_listed(cell: dict[str, Any]) -> bool:
    return any(isinstance(value, (list, tuple, np.ndarray)) for value in cell.values())


def _begins_with_brace(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0 and not is_parquet(path) and first_text(path)[:1] == "{"


def _read_json(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"There is no file '{path}'. Check the name and the folder.")
    content = read_text(path)
    try:
        found = json.loads(content)
    except json.JSONDecodeError as fault:
        if fault.msg == "Extra data":  # lines of objects, under another name
            return unnested(_numbered(read_json_lines(path)))
        raise DataError(
            f"Line {fault.lineno} of '{path.name}' is no JSON ({fault.msg} at character {fault.colno}); correct it."
        ) from None
    rows = _questions(found) or _rows_in(found)
    if not rows:
        raise DataError(f"'{path.name}' holds no list of pairs; give a list of objects with the same two names each.")
    table = pd.DataFrame(rows)
    return unnested(_numbered(table.set_axis([_name_of(one) for one in table.columns], axis=1)))


def _questions(found: Any) -> list[dict[str, Any]]:
    """Return the questions in a file written as SQuAD is (Rajpurkar et al. 2016), a row each; none of others."""
    articles = found.get("data") if isinstance(found, dict) else None
    if not isinstance(articles, list):
        return []
    passages = [one for article in articles if isinstance(article, dict) for one in article.get("paragraphs") or []]
    return [
        {"context": one["context"], "question": asked.get("question"), "answers": asked.get("answers")}
        for one in passages
        if isinstance(one, dict) and "context" in one
        for asked in one.get("qas") or []
    ]


def _rows_in(found: Any) -> list[Any]:
    """Return the objects or pairs in a value of JSON: a list of them, or the first such list in an object."""
    if isinstance(found, dict):
        lists = [value for value in found.values() if isinstance(value, list)]
        return next((rows for value in lists if (rows := _rows_in(value))), [])
    if not isinstance(found, list) or not found:
        return []
    same = all(isinstance(one, dict) for one in found) or all(isinstance(one, list) for one in found)
    return found if same else []


def _name_of(column: Any) -> str:
    return str(column + 1) if isinstance(column, int) else str(column)


def _numbered(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_axis(range(1, len(table) + 1), axis=0)


# ---------------------------------------------------------------------------------------------------- one file


def lines_of(path: Path) -> list[str]:
    """Return the lines of a text file, packed or not, without those that are blank at its end.

    Only ends of lines end one: a separator of paragraphs inside of a text is a part of it.
    """
    content = read_text(path).removeprefix("\ufeff").replace("\r\n", "\n")
    if "\n" not in content:
        content = content.replace("\r", "\n")
    lines = content.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DataError(f"The file '{path.name}' is empty.")
    return lines


def _read_text(path: Path, form: Form) -> Read:
    lines = lines_of(path)
    told = form.separator and BETWEEN.get(form.separator.lower(), form.separator)
    separator = told or _separator(lines, ending_of(path), form)
    if told and not any(told in line for line in lines):
        raise DataError(
            f"No line of '{path.name}' holds the separator '{form.separator}'; give what stands between a text and its "
            f"target: the first line is '{lines[0][:40]}'."
        )
    if not told and _are_tagged(lines[:LOOKED_AT], separator, ending_of(path)):
        raise KindError(f"'{path.name}' has a token and its tag in each line, and no text with another.")
    numbers, rows = zip(*_rows(lines, separator, path.name), strict=True)
    header = is_header(rows[0], form) or _looks_named(rows, separator)
    names = [cell.strip() for cell in rows[0]] if header else []
    width = max(len(row) for row in rows[:1] + _filled(rows[header:]))
    names += [str(number + 1) for number in range(len(names), width)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"The table has several columns named '{twice}'; give each column its own name.")
    rows, numbers = rows[header:], numbers[header:]
    if not rows:
        raise DataError(f"The file '{path.name}' has a header but no rows of data.")
    cells = [[*row, *[""] * (width - len(row))][:width] for row in rows]
    return Read(pd.DataFrame(cells, columns=names, index=list(numbers), dtype=object), (), "line")


def _are_tagged(lines: Sequence[str], separator: str | None, ending: str) -> bool:
    """Tell whether there is a token with its tag in each line: no cell is then more than a word."""
    if separator == "\t" and any(len(cell.split()) > 1 for line in lines for cell in line.split("\t")):
        return False
    return are_columns("\n".join(lines), ending)


def _looks_named(rows: Sequence[list[str]], separator: str | None) -> bool:
    """Tell whether the first line has names that say nothing: above numbers, dates or files, or short ones in CSV."""
    first, below = [cell.strip() for cell in rows[0]], _filled(rows[1:LOOKED_AT])
    if len(first) < 2 or not below or not all(first) or any(_is_value(cell) for cell in first):
        return False
    columns = [[row[at].strip() if at < len(row) else "" for row in below] for at in range(len(first))]
    if any(
        all(map(_is_value, column)) or _are_named_by(one, column) for one, column in zip(first, columns, strict=True)
    ):
        return True
    return separator in (",", ";", "|") and all(len(c.split()) <= WORDS and c[-1].isalnum() for c in first)


def _are_named_by(first: str, column: Sequence[str]) -> bool:
    """Tell whether a ``column`` is of names of sounds or arrays, and the ``first`` cell above it is none."""
    return names_sequences(column) and not names_sequences([first])


def _is_value(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or DATE.fullmatch(cell))


def _filled(rows: Sequence[list[str]]) -> tuple[list[str], ...]:
    return tuple(row for row in rows if any(cell.strip() for cell in row))


def _separator(lines: Sequence[str], ending: str, form: Form) -> str | None:
    """Return what parts the cells of a line, None if a line is one text."""
    some = [line for line in lines if line.strip()][:LOOKED_AT]
    for one in ("\t", "|||"):
        if 2 * sum(one in line for line in some) >= len(some):
            return one
    for one in ",;|":
        first = next(csv.reader(some[:1], delimiter=one))
        if len(first) > 1 and is_header(first, form):
            return one
    if ending != ".csv":
        return None
    shares = {one: sum(one in line for line in some) for one in ",;|"}
    best = max(shares, key=lambda one: shares[one])
    # A column of its own may be quoted as others are.
    return best if 2 * shares[best] >= len(some) else ","


def _rows(lines: Sequence[str], separator: str | None, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row with the number of its line; quotation marks hold cells together where they do so."""
    if separator is None:
        yield from ((number, [line]) for number, line in enumerate(lines, 1))
    elif separator == "|||":
        yield from ((number, [c.strip() for c in line.split("|||")]) for number, line in enumerate(lines, 1))
    elif separator in (",", ";", "|") or (separator == "\t" and _are_quoted(lines)):
        yield from _quoted(lines, separator, name)
    else:
        yield from ((number, line.split(separator)) for number, line in enumerate(lines, 1))


def _are_quoted(lines: Sequence[str]) -> bool:
    """Tell whether quotation marks were put around cells by a program: all that stand in cells are doubled."""
    cells = [cell for line in lines for cell in line.split("\t") if '"' in cell]
    whole = all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells)
    if not cells or not whole:
        return False
    inner = [cell[1:-1] for cell in cells]
    if any('"' in one.replace('""', "") for one in inner):
        return False
    every = sum(bool(cell.strip()) for line in lines for cell in line.split("\t"))
    return any('"' in one for one in inner) or len(cells) == every


def _quoted(lines: Sequence[str], separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    spaced = any(f'{separator} "' in line for line in lines[:LOOKED_AT])
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, skipinitialspace=spaced)
    before = 0
    try:
        for cells in reader:
            yield before + 1, cells or [""]
            before = reader.line_num
    except csv.Error:
        raise DataError(
            f"The text that begins in line {before + 1} of '{name}' does not end: close its quotation marks, or double "
            "those that belong to the text."
        ) from None


# ---------------------------------------------------------------------------------------------------- two files


def partner(path: Path, form: Form, answered: bool) -> Path | None:
    """Return the file with what is to be written for the lines of another; None if there is none.

    It is the one that was told; of data that are not those of the training, the one that is called as it was called
    there: ``test.en`` beside ``test.de`` where ``train.en`` was told. If its name says nothing of the kind, it must
    have as many lines. Else it is the only file beside it that is called the same and ends in another language.
    """
    side = ending_of(path).removeprefix(".")
    if form.target_file is not None:
        told = Path(form.target_file)
        if answered or _stem(told) == _stem(path):
            return told
        if not is_side(ending_of(told)):
            return told if told.is_file() and len(lines_of(told)) == len(lines_of(path)) else None
        return _beside(path, ending_of(told))
    if not is_side(side):
        return None
    found = [one for one in _siblings(path) if _fits(side, ending_of(one).removeprefix("."))]
    if len({ending_of(one) for one in found}) > 1 and answered:
        shown = ", ".join(f"'{one.name}'" for one in found[:8])
        raise DataError(f"{shown} could all be the targets of '{path.name}'; name one with target_file=.")
    return found[0] if len({ending_of(one) for one in found}) == 1 else None


def is_side(ending: str) -> bool:
    """Tell whether the ending of a file says which side of pairs it holds: a language, or src and tgt."""
    name = ending.removeprefix(".")
    return is_language(name) or name in PARTNERS


def _fits(side: str, other: str) -> bool:
    return other in PARTNERS[side] if side in PARTNERS else other != side and is_language(other)


def _stem(path: Path) -> str:
    """Return a path without the endings that say its side and how it is packed."""
    inner = path.with_suffix("") if path.suffix.lower() in PACKED else path
    return str((inner.with_suffix("") if is_side(inner.suffix) else inner).absolute())


def _siblings(path: Path) -> list[Path]:
    folder = path.absolute().parent
    return sorted(one for one in folder.iterdir() if one.name != path.name and _stem(one) == _stem(path))


def _beside(path: Path, ending: str) -> Path | None:
    """Return the file that is called as ``path`` but for its ending."""
    return next((one for one in _siblings(path) if ending_of(one) == ending), None)


def _read_both(path: Path, other: Path) -> Read:
    for one in (path, other):
        if not one.is_file() or not one.stat().st_size:
            check_there(one)
    sides = lines_of(path), lines_of(other)
    if len(sides[0]) != len(sides[1]):
        raise DataError(_unequal(path, other, sides))
    ends = ending_of(path)[1:], ending_of(other)[1:]
    names = ends if all(is_language(end) for end in ends) else None
    said = f"each line of '{path.name}' is read, and what is written for it is the same line of '{other.name}'"
    table = pd.DataFrame({"1": sides[0], "2": sides[1]}, index=range(1, len(sides[0]) + 1), dtype=object)
    return Read(table, (said,), "line", names)


def _unequal(path: Path, other: Path, sides: tuple[list[str], list[str]]) -> str:
    counts = [len(side) for side in sides]
    short = (path, other)[counts[1] < counts[0]]
    return (
        f"'{path.name}' has {counts[0]:,} lines and '{other.name}' has {counts[1]:,}, but the lines of both must "
        f"belong together; by their lengths they do so up to about line {_parted(*sides):,}, from where "
        f"'{short.name}' lacks some."
    )


def _parted(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the line from which one side is likeliest to lack lines: before it the lengths fit, behind it shifted."""
    longer, shorter = (
        np.log1p([len(line) for line in side]) for side in sorted((first, second), key=len, reverse=True)
    )
    # How far apart lengths are that stand in the same line, and in the same line counted from the end.
    ratio = float(np.median(longer) - np.median(shorter))
    ahead = np.abs(longer[: len(shorter)] - shorter - ratio)
    behind = np.abs(longer[len(longer) - len(shorter) :] - shorter - ratio)
    total = np.append(0, ahead.cumsum()) + np.append(behind[::-1].cumsum()[::-1], 0)
    return int(total.argmin()) + 1

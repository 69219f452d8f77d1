"""Files without a header: a case per line, its label first and then its values, as the UCR archive has them.

Shapes: N cases, T steps of the longest one.
"""

import io
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...errors import DataError, KindError
from ..tables.columns import MISSING
from ..tables.dialect import climbs
from .answers import Answer
from .cases import Cases, channel_names, checked, counted, cut
from .labels import NUMBER, POINTED, label_codes
from .roles import IDS, LABELS, key

INFINITE = re.compile(r"[-+]?inf(inity)?", re.IGNORECASE)
COMMA_NUMBER = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
MANY = 8  # cells that climb in the first line before they are taken for the numbers of columns


@dataclass(frozen=True)
class Plain:
    """How a file without a header is written."""

    separator: str
    decimal: str
    skip: int  # lines above the first case that hold something: comments, numbers of columns
    numbered: bool = False


def find_plain(text: str) -> Plain | None:
    """Return how a file without a header is written, from its beginning; None if its first line is a header."""
    whole = text.endswith("\n") or "\n" in text.strip()
    lines = [line for line in text.splitlines() if line.strip()]
    comments = next((i for i, line in enumerate(lines) if not line.lstrip().startswith("#")), len(lines))
    lines = lines[comments:]
    if not lines:
        return None
    separator = next((mark for mark in "\t;," if mark in lines[0]), r"\s+")
    first, *below = (split(line, separator) for line in lines[:2])
    decimal = "," if separator != "," and any(COMMA_NUMBER.fullmatch(cell) for cell in first) else "."
    if decimal == ",":
        first = [cell.replace(",", ".") for cell in first]
    if _is_header(first if whole or len(first) < 3 else first[:-1], below[0] if below else []):
        _refuse_data(first)
        return None
    numbered = len(first) >= MANY and bool(below) and climbs(first) and not climbs(below[0])
    return Plain(separator, decimal, comments + numbered, numbered)


def split(line: str, separator: str) -> list[str]:
    """Return the cells of a line."""
    cells = line.split() if separator == r"\s+" else line.split(separator)
    return [cell.strip().strip('"') for cell in cells]


def _is_header(first: list[str], second: list[str]) -> bool:
    """Tell whether a line has names: a cell behind its first is no number, or its first names a column.

    Behind an empty cell or any other text, numbers may be names too: of an axis, or 0, 1, 2, .. in the first line only.
    """
    label, values = first[0], first[1:]
    if not values or not all(_is_number(cell) for cell in values):
        return True
    if not label:
        return _rises(values)
    if _is_number(label):
        return False
    return key(label) in {*LABELS, *IDS} - {"y"} or (climbs(values) and values != second[1:])


def _refuse_data(first: list[str]) -> None:
    """Refuse a line that is no header, for half of its cells are numbers with fractions, in no order as an axis has."""
    numbers = [float(cell) for cell in first if POINTED.fullmatch(cell)]
    text = next((cell for cell in first[1:] if not _is_number(cell)), None)
    if text is None or len(numbers) < max(2, len(first) / 2) or sorted(numbers) in (numbers, numbers[::-1]):
        return
    raise DataError(
        f"The first line has numbers as a case has them, but also '{text}'; without a header only its first cell, the "
        "label, may be text; leave that cell out of every line, or add a header."
    )


def _is_number(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or INFINITE.fullmatch(cell)) or cell.casefold() in MISSING


def _rises(cells: list[str]) -> bool:
    """Tell whether cells are numbers that rise, as those do that name the columns of a table."""
    numbers = [float(cell) for cell in cells if NUMBER.fullmatch(cell)]
    return len(numbers) == len(cells) and sorted(set(numbers)) == numbers


def read_ucr(text: str, name: str, plain: Plain, answer: Answer) -> Cases:
    """Return the cases of a file without a header; raises DataError that names line and cell if one is no number.

    Whether a file that need not be labelled has labels is told from its first cells, see ``_has_labels``; a number of
    the case cannot be told from a value, so that it is always first, or its cell empty.
    """
    lines = [(i + 1, line) for i, line in enumerate(text.splitlines()) if line.strip()][plain.skip :]
    frame, numbers = _frame([line for _, line in lines], plain), [number for number, _ in lines]
    values = _values(frame.iloc[:, 1:], name, numbers)
    leads = _leads(frame[0], values, answer, plain, name, numbers)
    if not leads:
        values = np.concatenate([_values(frame[[0]], name, numbers), values], axis=1)
    sequences, more = cut(values[:, :, None])
    notes = (*_notes(name, plain, answer.word, leads), *more)
    cases = checked(Cases(sequences, None, counted(len(frame)), channel_names(1), notes))
    if not leads:
        return cases
    return answer.from_cells(cases, _cells(frame[0], plain, answer), lambda at: f"Line {numbers[at]} of '{name}'")


def _leads(first: pd.Series, values: np.ndarray, answer: Answer, plain: Plain, name: str, numbers: list[int]) -> bool:
    """Tell whether the first cells (N,) are answers; raises KindError if labels are numbers with fractions."""
    if answer.what != "label":
        return True
    codes, classes = label_codes(first, as_is=False)
    if not (answer.needed or _has_labels(codes, classes, values)):
        return False
    if plain.numbered and all(POINTED.fullmatch(label) for label in classes):
        raise DataError(
            f"'{name}' has no label: its first line numbers the columns, and all of them hold numbers with fractions. "
            "Add a column 'label' that names the class of each row."
        )
    _refuse_fractions(codes, classes, name, numbers)
    return True


def _cells(first: pd.Series, plain: Plain, answer: Answer) -> list[str | None]:
    """Return the first cells as text, None where empty; numbers with a point, however they are written."""
    cells = [None if pd.isna(one) else str(one) for one in first]
    if answer.what == "label" or plain.decimal == ".":
        return cells
    return [one and one.replace(plain.decimal, ".") for one in cells]


def _notes(name: str, plain: Plain, word: str, leads: bool) -> list[str]:
    role = f"its {word}" if leads else f"no {word} but its first value"
    head = "the first line only numbers the columns and was left out" if plain.numbered else "it has no header"
    return [f"'{name}': {head}, so each line is a case; its first cell is {role}"]


def _frame(lines: list[str], plain: Plain) -> pd.DataFrame:
    """Return the cells (N, 1 + T), the first column as text; short lines end in missing values."""
    if plain.separator == r"\s+":
        width = max(len(line.split()) for line in lines)
    else:
        width = max(line.count(plain.separator) for line in lines) + 1
    return pd.read_csv(
        io.StringIO("\n".join(lines)),
        header=None,
        names=list(range(width)),
        sep=plain.separator,
        decimal=plain.decimal,
        index_col=False,
        dtype={0: "str"},
        na_values=sorted(MISSING),
        skipinitialspace=True,
        low_memory=False,
    )


def _values(frame: pd.DataFrame, name: str, numbers: list[int]) -> np.ndarray:
    """Return float64 (N, columns) of the cells."""
    for at in frame.columns:
        if frame[at].dtype.kind not in "iuf":
            _refuse_text(frame[at].astype(object), int(at), name, numbers)
    return np.array(frame.to_numpy(np.float64, na_value=np.nan))


def _refuse_text(column: pd.Series, at: int, name: str, numbers: list[int]) -> None:
    text = column.map(str, na_action="ignore")
    bad = (pd.to_numeric(text, errors="coerce").isna() & text.notna()).to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"Line {numbers[row]} of '{name}' has '{text.iloc[row]}' in cell {at + 1}, where a number is needed; "
            "correct it, or leave the cell empty if it is not known."
        )


def _has_labels(codes: np.ndarray, classes: tuple[str, ...], values: np.ndarray) -> bool:
    """Tell whether the first cells, as codes (N,), are labels: text, or whole numbers before values with fractions.

    Where values (N, T) are whole too, labels repeat: there are at most half as many of them as cases.
    """
    if not all(NUMBER.fullmatch(name) for name in classes):
        return True
    if any(POINTED.fullmatch(name) for name in classes):  # whole numbers have lost their point
        return False
    found = values[np.isfinite(values)]
    return bool((found != np.round(found)).any()) or len(classes) <= len(codes) / 2


def _refuse_fractions(codes: np.ndarray, classes: tuple[str, ...], name: str, numbers: list[int]) -> None:
    """Refuse numbers with fractions where labels should be, unless other labels are text."""
    broken = [code for code, label in enumerate(classes) if POINTED.fullmatch(label)]
    if broken and all(NUMBER.fullmatch(label) for label in classes):
        line = numbers[int(np.argmax(codes == broken[0]))]
        raise KindError(
            f"Line {line} of '{name}' begins with {classes[broken[0]]}, but without a header its first cell is the "
            "label of the case, a name or a whole number; put the label first, or add a header."
        )

"""Texts as cases: a list, a column of a table, or lines that begin with a label."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ...errors import DataError
from ..calendar.stamps import holds_dates
from ..tables.columns import MISSING, is_text, text_of_numbers
from .answers import Answer
from .cases import Cases, checked, code_points, counted
from .paths import is_paths
from .roles import by_rank, is_id, is_label, key

CHANNEL = "text"
NAMES = (
    "text", "sentence", "review", "message", "msg", "comment", "content", "question", "query", "tweet", "document",
    "utterance", "phrase", "headline", "title", "body", "sms", "文本", "内容", "句子", "评论",
)  # fmt: skip
MARK = "__label__"  # what some tools write before a label
LINES = 20  # at the beginning of a file, by which is seen how it is written


def listed(X: Any) -> Any:
    """Return a column of texts, or of lists of words, as a list; anything else as it is."""
    column = hasattr(X, "to_list") and not hasattr(type(X), "columns")
    given = X.to_list() if column else X
    return given if column and any(isinstance(one, (str, list, tuple, np.ndarray)) for one in given) else X


def is_texts(X: Any) -> bool:
    """Tell whether ``X`` is a list of texts, and not of paths."""
    if not isinstance(X, (list, tuple, np.ndarray, pd.Series)) or not len(X):
        return False
    if isinstance(X, np.ndarray) and X.ndim != 1:
        return False
    return all(isinstance(one, str) for one in X) and not is_paths(X)


def text_cases(texts: Sequence[str], names: tuple[str, ...] | None = None) -> Cases:
    """Return ``texts`` as cases; raises DataError if one is empty."""
    values = tuple(code_points(text.strip()) for text in texts)
    return checked(Cases(values, None, names or counted(len(values)), (CHANNEL,), written=True))


def text_column(table: pd.DataFrame, taken: Sequence[str | None]) -> str | None:
    """Return the column of texts: by its name, else the one of the longest texts of several words; None if none is."""
    free = [
        name
        for name in table.columns
        if name not in taken and is_text(table[name]) and not text_of_numbers(table[name])
    ]
    named = by_rank(free, NAMES)
    if named:
        return named[0]
    words = {name: _words(table[name]) for name in free if not is_label(name) and not holds_dates(table[name])}
    longest = max(words, key=lambda name: words[name], default=None)
    return longest if longest is not None and words[longest] >= 2 else None


def _words(column: pd.Series) -> float:
    """Return how many words the median text of a column has."""
    return float(column.dropna().head(1000).astype("str").str.count(r"\S+").median())


def column_cases(table: pd.DataFrame, text: str, answer: Answer) -> Cases:
    """Return a case for each row of a table whose column ``text`` has the text; raises DataError if one is empty."""
    column = table[text]
    empty = column.isna().to_numpy() | (column.astype("str").str.strip() == "").to_numpy()
    table = table[~empty]
    if not len(table):
        raise DataError(f"Column '{text}' has no texts; name the one that has them with text=.")
    case = next((name for name in table.columns if is_id(name) and name != text and table[name].is_unique), None)
    found = answer.find(table.drop(columns=text), (case,), None, len(table))
    names = counted(len(table)) if case is None else tuple(map(str, table[case]))
    said = [f"each row is a text in '{text}', with {answer.said(found)}"]
    left = [f"'{name}'" for name in table.columns if name not in (text, case, *found)]
    said += [f"left out {', '.join(left[:8])} (neither text nor label)"] if left else []
    said += [f"{int(empty.sum()):,} row(s) without a text were left out"] if empty.any() else []
    cases = replace(text_cases(table[text].astype("str").tolist(), names), notes=tuple(said))
    return answer.from_columns(cases, table[list(found)], None) if found else cases


def are_labelled_lines(start: str) -> bool:
    """Tell whether each line of a file, from its beginning, is a label and a text."""
    lines = [line for line in start.splitlines() if line.strip()][:-1][: 10 * LINES]
    if len(lines) < LINES or any(_split(line) is None for line in lines):
        return False
    labels = [line.split(None, 1)[0] for line in lines]
    if all(label.startswith(MARK) for label in labels):
        return True
    # A header, or cells between commas, would be a table.
    texts = [line.split(None, 1)[1] for line in lines]
    several = np.median([len(text.split()) for text in texts]) >= 3 and _are_written(texts)
    return several and "\t" not in lines[0].rstrip() and len(set(labels)) <= len(lines) // 4


def are_lines_of_text(start: str, ending: str) -> bool:
    """Tell whether a file holds a text in each line and nothing else: by its only column, or as lines of words.

    The latter must be called .txt, or have no ending, and be no table.
    """
    lines = [line.strip() for line in start.splitlines() if line.strip()]
    if not lines:
        return False
    if key(lines[0].strip('"')) in NAMES:
        return True
    if ending not in (".txt", "") or any("\t" in line for line in lines):
        return False
    return _are_written(lines) and not _are_cells(lines)


def _are_written(lines: Sequence[str]) -> bool:
    """Tell whether lines are words and no numbers: they have at least as many letters as digits."""
    some = "".join(lines[: 10 * LINES])
    return sum(map(str.isalpha, some)) >= sum(map(str.isdigit, some))


def _are_cells(lines: Sequence[str]) -> bool:
    """Tell whether lines are a table: all have as many cells as the first, in which no blank stands before a cell."""
    if len(lines) < 2:
        return False
    for separator in ",;|":
        first, *rows = csv.reader(lines[: 10 * LINES], delimiter=separator)
        rows = rows[:-1] or rows  # the last one may be cut off
        if len(first) > 1 and not any(cell[:1].isspace() for cell in first) and {*map(len, rows)} == {len(first)}:
            return True
    return False


def read_lines_of_text(content: str, name: str) -> Cases:
    """Return a case for each line of a file that is not empty; a line that is the name of a column is no text."""
    lines = [line for line in content.splitlines() if line.strip()]
    if key(lines[0].strip('"')) in NAMES:
        lines = [",".join(cells) for cells in csv.reader(lines[1:], skipinitialspace=True)]
    if not lines:
        raise DataError(f"'{name}' has no texts below the name of its column; give it at least one.")
    return replace(text_cases(lines), notes=(f"'{name}' was read as a text in each line",))


def _split(line: str) -> tuple[str, str] | None:
    label, _, text = line.strip().partition(" ")
    return (label, text.strip()) if text.strip() and "," not in label and '"' not in label else None


def read_labelled_lines(content: str, name: str, answer: Answer) -> Cases:
    """Return the cases of a file with a label and a text in each line; raises DataError for a line without a text."""
    labels, texts = [], []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        found = _split(line)
        if found is None:
            raise DataError(f"Line {number} of '{name}' has a label and no text; complete it, or leave it out.")
        labels.append(found[0].removeprefix(MARK))
        texts.append(found[1])
    said = f"'{name}' has no header; each line was read as a label and a text"
    cases = replace(text_cases(texts), notes=(said,))
    missing = [None if label in MISSING else label for label in labels]
    return answer.from_cells(cases, missing, lambda at: f"Line {at + 1} of '{name}'")

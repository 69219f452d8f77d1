"""Cases from a table that names a file for each: a column of paths, and one of labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ...errors import RowError
from ..tables.columns import is_text
from .answers import Answer
from .cases import Cases
from .files import One, read_files
from .paths import kind_of
from .roles import key

FILES = (
    "file", "path", "filename", "file_name", "filepath", "file_path", "wav", "audio", "audio_file", "audio_path",
    "audio_filepath", "recording", "文件", "路径",
)  # fmt: skip


def file_column(table: pd.DataFrame) -> str | None:
    """Return the column that names a file of a case in each row, None if the table has none."""
    named = [name for name in table.columns if key(name) in FILES and is_text(table[name])]
    return next((name for name in named if table[name].map(_is_file, na_action="ignore").mean() > 0.5), None)


def _is_file(cell: object) -> bool:
    return kind_of(Path(str(cell).strip())) is not None


def listed_cases(table: pd.DataFrame, file: str, folder: Path, answer: Answer, rate: int | None) -> Cases:
    """Return the files that a column of the table names, relative to ``folder``, each a case with its answer.

    Raises RowError for a row whose file is not there, and DataError if there is no answer and one is needed.
    """
    answer.require(table.columns)
    found = answer.find(table, (file,), None, len(table))
    names = _filled(table[file])
    paths = [folder / name for name in names]
    _refuse_absent(paths, names, file)
    cases = read_files(One(paths, names), rate=rate)
    said = f"each row names the file of a case in '{file}', with {answer.said(found)}"
    cases = replace(cases, notes=(said, *cases.notes))
    return answer.from_columns(cases, table[list(found)], None) if found else cases


def _filled(column: pd.Series) -> tuple[str, ...]:
    names = column.astype(object).where(column.notna(), "").astype("str").str.strip()
    if (names == "").any():
        row = int((names == "").to_numpy().argmax())
        raise RowError(lambda place: f"Column '{column.name}' names no file in {place}; leave that row out.", row)
    return tuple(str(name) for name in names)


def _refuse_absent(paths: Sequence[Path], names: Sequence[str], column: str) -> None:
    for row, (path, name) in enumerate(zip(paths, names, strict=True)):
        if not path.is_file():
            raise RowError(
                lambda place, name=name, path=path: (  # type: ignore[misc]
                    f"Column '{column}' names '{name}' in {place}, but there is no file '{path}'; paths count from the "
                    "folder of the table."
                ),
                row,
            )

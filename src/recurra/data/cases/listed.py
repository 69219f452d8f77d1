"""Cases from a table that names a file for each: a column of paths, and one of labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ...errors import RowError
from ..tables.columns import find_column, is_text
from .cases import Cases
from .files import One, kind_of, read_files
from .frames import with_labels
from .roles import find_label, key

FILES = ("file", "path", "filename", "file_name", "filepath", "file_path", "wav", "audio", "recording", "文件", "路径")


def file_column(table: pd.DataFrame) -> str | None:
    """Return the column that names a file of a case in each row, None if the table has none."""
    named = [name for name in table.columns if key(name) in FILES and is_text(table[name])]
    return next((name for name in named if table[name].map(_is_file, na_action="ignore").mean() > 0.5), None)


def _is_file(cell: object) -> bool:
    return kind_of(Path(str(cell).strip())) is not None


def listed_cases(
    table: pd.DataFrame, file: str, folder: Path, *, target: str | None, labelled: bool, rate: int | None
) -> Cases:
    """Return the files that a column of the table names, relative to ``folder``, each a case.

    Raises RowError for a row whose file is not there, and DataError if there is no label and cases must be
    ``labelled``.
    """
    if target is not None and labelled:
        find_column(table.columns, target, "label")
    label = target if target in table.columns else None
    if target is None:
        label = find_label(table, (file,), None, len(table), labelled)
    names = _filled(table[file])
    paths = [folder / name for name in names]
    _refuse_absent(paths, names, file)
    cases = read_files(One(paths, names), rate=rate)
    has = "no label" if label is None else f"its label in '{label}'"
    said = f"each row names the file of a case in '{file}', with {has}"
    cases = replace(cases, notes=(said, *cases.notes))
    return cases if label is None else with_labels(cases, table[label], None, labelled)


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

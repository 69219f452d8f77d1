"""Cases from files that hold one case each: sounds, arrays, tables.

Shapes: N cases, T_i steps of case i, C channels.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...errors import DataError
from ..sound import band_names, read_recordings
from ..tables.files import check_there, read_table
from .answers import LabelAnswer
from .arrays import cases_of
from .cases import Cases, checked, counted
from .frames import long_cases
from .npy import read_npy
from .paths import ENDINGS, kind_of

FILE = "file"  # the column of a table of tables that says where a row is from


class One(NamedTuple):
    """Files of which each is a case."""

    paths: Sequence[Path]
    names: tuple[str, ...]  # of the cases, and of the files in messages


def file_cases(paths: Sequence[str | Path], rate: int | None = None) -> Cases:
    """Return a case from each file, see ``read_files``; raises DataError for a path where there is no file."""
    names = tuple(str(path) for path in paths)
    places = [Path(name) for name in names]
    absent = next((place for place in places if not place.is_file()), None)
    if absent is not None:
        check_there(absent)
    return replace(read_files(One(places, names), rate=rate), arrays=True)


def read_files(files: One, *, time: str | None = None, rate: int | None = None) -> Cases:
    """Return a case without label from each file: ``.wav`` as log-mel features, ``.npy``, or a table of its steps.

    An array is (time,) or (channels, time), or (frames, height, width) of a moving picture; a table has a row for each
    step. Sounds are heard at ``rate``, or at that which most have. Raises DataError for files of several kinds, and
    names the first that cannot be read.
    """
    kinds = {kind_of(path): name for path, name in zip(files.paths, files.names, strict=True)}
    if None in kinds:
        raise DataError(f"'{kinds[None]}' is no file of a case that can be read; give {_endings()} files.")
    if len(kinds) > 1:
        one, other = list(kinds.values())[:2]
        raise DataError(f"'{one}' and '{other}' are of different kinds; give files of one kind.")
    (kind,) = kinds
    if kind == "wav":
        return _from_sounds(files, rate)
    return _from_tables(files, time) if kind == "csv" else _from_arrays(files)


def _endings() -> str:
    return ", ".join(ENDINGS)


def _from_sounds(files: One, rate: int | None) -> Cases:
    heard = read_recordings(files.paths, files.names, rate)
    return checked(Cases(heard.values, None, files.names, band_names(heard.rate), heard.notes, heard.rate))


def _from_arrays(files: One) -> Cases:
    arrays = [read_npy(path, name) for path, name in zip(files.paths, files.names, strict=True)]
    arrays, notes = _turned(arrays)
    cases = cases_of(arrays, names=files.names)
    said = f"{len(arrays):,} .npy file(s), each of which is a case"
    return replace(cases, notes=(said, *notes, *cases.notes), arrays=False)


def _turned(arrays: list[np.ndarray]) -> tuple[list[np.ndarray], list[str]]:
    """Return arrays (C, T_i), turned if they are (T_i, C): only the axis of time differs from file to file.

    Where few rows differ, that is no axis of time: some cases have other channels.
    """
    if any(array.ndim != 2 for array in arrays):
        return arrays, []
    rows, columns = ({array.shape[axis] for array in arrays} for axis in (0, 1))
    if len(rows) == 1 or len(columns) > 1 or (len(rows) == 2 and min(rows) <= max(columns)):
        return arrays, []
    return [array.T for array in arrays], [
        f"the arrays were read as (time, channels): all have {columns.pop()} columns"
    ]


def _from_tables(files: One, time: str | None) -> Cases:
    tables: list[pd.DataFrame] = []
    notes: dict[str, None] = {}
    for path, name in zip(files.paths, files.names, strict=True):
        table, found = read_table(path)
        notes |= dict.fromkeys(f"'{name}': {one}" for one in found)
        if tables and list(table.columns) != list(tables[0].columns):
            raise DataError(
                f"'{files.names[0]}' has the columns {_listed(tables[0])} and '{name}' has {_listed(table)}; give "
                "every case the same channels."
            )
        tables.append(table)
    free = _unused(FILE, tables[0].columns)
    ids = files.names if len(set(files.names)) == len(tables) else counted(len(tables))
    rows = np.repeat(np.array(ids, dtype=object), [len(table) for table in tables])
    whole = pd.concat(tables, ignore_index=True).assign(**{free: rows})
    cases = long_cases(whole, LabelAnswer(needed=False), free, time)
    return replace(cases, labels=None, names=files.names, notes=(*list(notes)[:3], *cases.notes))


def _unused(name: str, taken: Collection[str]) -> str:
    return name if name not in taken else _unused(f"{name}_", taken)


def _listed(table: pd.DataFrame) -> str:
    return ", ".join(f"'{name}'" for name in table.columns[:8]) + (", .." if table.shape[1] > 8 else "")

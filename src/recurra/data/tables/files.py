"""A table from a file: CSV in the dialects people have, or Parquet, with notes on what was not ordinary."""

import bz2
import csv
import gzip
import io
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from ...errors import DataError, RowError, nearest
from ..calendar.stamps import holds_dates
from .columns import MISSING, NAMES_TOO, is_text, text_of_numbers
from .dialect import SAMPLE, Dialect, find_dialect, find_encoding
from .tidy import tidy

OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
OTHER = {  # endings of files that hold tables, but are not read, and the pandas expression that reads them
    ".json": ("JSON", "read_json({0}, dtype=False)"), ".feather": ("Feather", "read_feather({0})"),
    ".jsonl": ("JSON lines", "read_json({0}, lines=True, dtype=False)"),
    ".ndjson": ("JSON lines", "read_json({0}, lines=True, dtype=False)"),
    **dict.fromkeys((".xlsx", ".xls", ".xlsm"), ("Excel", "read_excel({0}, dtype=str, keep_default_na=False)")),
    ".ods": ("OpenDocument", "read_excel({0}, dtype=str, keep_default_na=False)"),
    ".pkl": ("pickle", "read_pickle({0})"), ".h5": ("HDF5", "read_hdf({0})"),
}  # fmt: skip
INDEXED = (".pkl", ".h5")  # what keeps the index of a frame
LINES, LONGEST = 20, 8_000_000  # lines that the first bytes of a file should hold, and how many bytes they may be
NOT_TEXT = {b"PK\x03\x04": "an Excel or zip file", b"\xd0\xcf\x11\xe0": "an old Excel file", b"%PDF": "a PDF"}


def read_table(
    path: str | Path, names: Collection[str] = (), like: Callable[[str], bool] = frozenset[str]().__contains__
) -> tuple[pd.DataFrame, list[str]]:
    """Read a CSV, TSV, TXT (also .gz .xz .bz2 .zip) or Parquet file; return the frame and what was not ordinary.

    Columns in ``names`` name something: their cells are text as it is written, '01' and 'NA' and '1E5'. So are those
    whose name is ``like`` one, unless they hold numbers with fractions. A first column without name is the index.
    """
    path = Path(path)
    if is_parquet(path):
        return _read_parquet(path), []
    sample = _sample(path)
    dialect = find_dialect(sample, path.name)
    kept = tuple(name for name in dialect.names if name in names or like(name))
    frame, dialect, more = _read_text(path, dialect, kept)
    perhaps = tuple(name for name in kept if name not in names)
    frame, kept = _with_fractions(frame, path, dialect, perhaps, kept)
    frame, last = tidy(frame, dialect.decimal, kept)
    frame, holes = _as_written(frame, path, dialect, kept)
    if frame.columns[0] not in dialect.names and frame.shape[1] > 1:  # it has no name there, as an index has none
        frame = frame.set_index(frame.columns[0])
    return frame, [*dialect.notes, *more, *last, *holes]


def is_parquet(path: str | Path) -> bool:
    """Tell whether a file is Parquet, by name or content; raises DataError if it is not there, empty or no table."""
    path = Path(path)
    check_there(path)
    return path.suffix.lower() in (".parquet", ".pq") or _head(path, 4) == b"PAR1"


def first_text(path: str | Path) -> str:
    """Return the beginning of a text file, packed or not, some lines if it has them; raises DataError for others."""
    sample = _sample(Path(path))
    return sample.decode(find_encoding(sample), errors="replace")


def read_text(path: str | Path) -> str:
    """Return the whole of a text file, packed or not; raises DataError if it is no text, or damaged."""
    path = Path(path)
    encoding = find_encoding(_sample(path))
    try:
        with open_file(path) as file:
            content = file.read()
    except (EOFError, lzma.LZMAError, zlib.error, OSError, zipfile.BadZipFile) as fault:
        raise DataError(f"'{path.name}' is cut short or damaged ({_brief(fault)}).") from None
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode("latin-1")


def check_there(path: Path) -> None:
    """Raise a DataError if a file is not there, or empty, or named as what is no table."""
    if path.is_dir():
        raise DataError(f"'{path}' is a folder; give the name of a file in it.")
    if not path.exists():
        folder = path.parent
        others = [entry.name for entry in folder.iterdir() if entry.is_file()] if folder.is_dir() else []
        raise DataError(f"There is no file '{path}'.{nearest(path.name, others)} Check the name and the folder.")
    if path.stat().st_size == 0:
        raise DataError(f"The file '{path.name}' is empty.")
    if path.suffix.lower() in OTHER:
        kind, reader = OTHER[path.suffix.lower()]
        index = "" if path.suffix.lower() in INDEXED else ", index=False"
        raise DataError(
            f"'{path.name}' is named as {kind}, but CSV or Parquet is wanted; save it as CSV, or convert it in Python "
            f"with pandas.{reader.format(repr(path.name))}.to_csv('{path.stem}.csv'{index})."
        )


def _head(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except Exception:  # pyarrow's faults share no class below Exception
        raise DataError(f"'{path.name}' cannot be read as Parquet; it is cut short or damaged.") from None
    if not len(frame):
        raise DataError(f"The file '{path.name}' has columns but no rows.")
    return frame


def _brief(fault: Exception) -> str:
    return str(fault).strip().split("\n")[0][:120].rstrip(".")


def open_file(path: Path) -> IO[bytes]:
    """Open a file for reading bytes, unpacked if its ending says that it is packed."""
    suffix = path.suffix.lower()
    if suffix == ".zip":
        return _open_zip(path)
    if suffix in OPENERS:
        return OPENERS[suffix](path)
    return path.open("rb")


def _open_zip(path: Path) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    files = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX")]
    if len(files) != 1:
        shown = ", ".join(files[:5]) + (", ..." if len(files) > 5 else "")
        raise DataError(f"'{path.name}' holds {len(files)} files ({shown}); unpack it and give one of them.")
    return archive.open(files[0])


def _sample(path: Path) -> bytes:
    try:
        with open_file(path) as file:
            sample = _first_bytes(file)
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile) as fault:
        raise DataError(f"'{path.name}' cannot be unpacked or opened ({_brief(fault)}).") from None
    if not sample.strip():
        raise DataError(f"The file '{path.name}' is empty.")
    _refuse_binary(sample, path.name)
    return sample


def _first_bytes(file: IO[bytes]) -> bytes:
    """Return the first bytes, more of them where lines are so long that few fit."""
    parts = [file.read(SAMPLE)]
    lines = parts[0].count(b"\n")
    while len(parts[-1]) == SAMPLE and lines < LINES and len(parts) * SAMPLE < LONGEST:
        parts.append(file.read(SAMPLE))
        lines += parts[-1].count(b"\n")
    return b"".join(parts)


def _refuse_binary(sample: bytes, name: str) -> None:
    kind = next((kind for magic, kind in NOT_TEXT.items() if sample.startswith(magic)), None)
    if kind is None and not sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        control = sum(sample.count(byte) for byte in range(32) if byte not in (9, 10, 12, 13))
        kind = "a binary file" if b"\0" in sample or control > len(sample) / 50 else None
    if kind is not None:
        raise DataError(f"'{name}' is {kind}, not a text table; save the table as CSV or Parquet.")


def _read_text(path: Path, dialect: Dialect, kept: tuple[str, ...]) -> tuple[pd.DataFrame, Dialect, list[str]]:
    """Read the whole file, the columns ``kept`` as text; a byte that breaks UTF-8 far down makes it Latin-1."""
    missing = {"na_values": sorted(MISSING - {""}), "dtype": dict.fromkeys(kept, "str")}
    try:
        return _parse(path, dialect, missing), dialect, []
    except UnicodeDecodeError:
        notes = [f"some letters are not {dialect.encoding.upper()}, so the text was read as Latin-1"]
        dialect = replace(dialect, encoding="latin-1")
        return _parse(path, dialect, missing), dialect, notes


def _parse(path: Path, dialect: Dialect, more: dict[str, Any]) -> pd.DataFrame:
    options: dict[str, Any] = {"sep": dialect.separator or "\x1f", "encoding": dialect.encoding}
    options |= {"names": dialect.names, "header": None, "skiprows": dialect.skip, "decimal": dialect.decimal}
    options |= {"index_col": False, "skipinitialspace": dialect.spaced, "low_memory": False, **more}
    try:
        # Where it skips lines, pandas takes two carriage returns for one.
        opened = io.TextIOWrapper(open_file(path), dialect.encoding) if dialect.returns else open_file(path)
        with opened as file, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(file, **options)
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as fault:
        raise DataError(_ragged(path.name, len(dialect.names), fault)) from None
    except (EOFError, lzma.LZMAError, OSError) as fault:
        raise DataError(f"'{path.name}' is cut short or damaged ({_brief(fault)}).") from None


def _ragged(name: str, width: int, fault: Exception) -> str:
    found = re.search(r"in line (\d+), saw (\d+)", str(fault))
    if found:
        return (
            f"Line {found[1]} of '{name}' has {found[2]} cells, where {width} are expected; "
            "correct that line (text that holds the separator must be in quotes)."
        )
    return f"'{name}' has rows with more cells than the {width} columns of its header; correct the header."


def _with_fractions(
    frame: pd.DataFrame, path: Path, dialect: Dialect, perhaps: tuple[str, ...], kept: tuple[str, ...]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Read those columns that are ``perhaps`` names, but hold numbers with fractions, as numbers after all."""
    numbers = [name for name in perhaps if _holds_fractions(frame[name], dialect.decimal)]
    if not numbers:
        return frame, kept
    again = _parse(path, dialect, {"usecols": numbers, "na_values": sorted(MISSING - {""})})
    return frame.assign(**{n: again[n] for n in numbers}), tuple(n for n in kept if n not in numbers)


def _holds_fractions(column: pd.Series, decimal: str) -> bool:
    """Tell whether text is numbers, of which some have a decimal mark and not only zeros behind it."""
    if not column.str.contains(decimal, regex=False).any():
        return False
    text = column.dropna().head(100).str.strip().str.replace(decimal, ".", regex=False)
    if pd.to_numeric(text, errors="coerce").isna().any():
        return False
    values = pd.to_numeric(column.str.strip().str.replace(decimal, ".", regex=False), errors="coerce")
    known = values.dropna()
    return bool(len(known) == column.notna().sum() and np.isfinite(known).all() and (known % 1 != 0).any())


def _as_written(
    frame: pd.DataFrame, path: Path, dialect: Dialect, kept: tuple[str, ...]
) -> tuple[pd.DataFrame, list[str]]:
    """Give columns of names their cells as they are written: those taken as missing, and blanks around them.

    NA is a country, and none is an answer. In the columns ``kept`` whatever is not blank is a name.
    """
    text = [n for n in frame.columns if n in dialect.names and is_text(frame[n])]
    free = [n for n in text if n not in kept and (dialect.spaced or frame[n].hasnans)]
    free = [n for n in free if not text_of_numbers(frame[n]) and not holds_dates(frame[n])]
    asked = [n for n in text if n in free or (n in kept and (dialect.spaced or frame[n].hasnans))]
    if not asked:
        return frame, []
    blanks = {} if dialect.quoted else {"skipinitialspace": False}
    raw = _parse(path, dialect, {"usecols": asked, "dtype": "str", "keep_default_na": False, **blanks})
    raw = raw.loc[frame.index]
    notes: list[str] = []
    named = {name: _restored(frame[name], _unpadded(raw[name], dialect), name in kept, notes) for name in asked}
    return frame.assign(**named), notes


def _unpadded(raw: pd.Series, dialect: Dialect) -> pd.Series:
    """Return text with blank cells missing, and without the blank that follows every separator of a file."""
    raw = raw.mask(raw.str.strip() == "")
    padded = raw.name in dialect.padded and raw.dropna().str.match(r"\s").all()
    return raw.str.lstrip() if padded else raw


def _restored(column: pd.Series, raw: pd.Series, kept: bool, notes: list[str]) -> pd.Series:
    """Return a column as written; only where it is ``kept`` are all words for 'missing' names."""
    lost = column.isna() & raw.notna()
    meant = lost if kept else lost & raw.str.strip().str.casefold().isin(NAMES_TOO)
    if meant.any():
        notes.append(
            f"'{raw[meant].iloc[0]}' in column '{column.name}' was taken as a name, as the others in it "
            f"({meant.sum():,} cells); leave cells empty whose value is not known"
        )
    return raw.mask(lost & ~meant)


def line_of(path: str | Path, row: int) -> int:
    """Return the line, from 1, of a text file where a row of its table begins; ``row`` is counted from 0."""
    dialect = find_dialect(_sample(Path(path)), Path(path).name)
    with io.TextIOWrapper(open_file(Path(path)), dialect.encoding, errors="replace", newline="") as lines:
        for number, record in enumerate(_records(lines, dialect)):
            if number == row:
                return record
    return 0


def _records(lines: io.TextIOWrapper, dialect: Dialect) -> Iterator[int]:
    """Yield the line where each row of the table begins; blank lines are none, and quotes may hold ends of lines."""
    for _ in range(dialect.skip):
        next(lines)
    if dialect.separator in ("", r"\s+"):
        yield from (dialect.skip + i for i, line in enumerate(lines, 1) if line.strip())
        return
    reader, before = csv.reader(lines, delimiter=dialect.separator), 0
    for record in reader:
        if len(record) > 1 or any(cell.strip() for cell in record):
            yield dialect.skip + before + 1
        before = reader.line_num


@contextmanager
def placed(source: Any) -> Iterator[None]:
    """Say the line of the file ``source`` in what is raised of a row of its table; other tables have rows alone."""
    try:
        yield
    except RowError as fault:
        if not isinstance(source, (str, Path)):
            raise
        path = Path(source)
        place = f"row {fault.row + 1} of '{path.name}'"
        if not is_parquet(path):
            with suppress(csv.Error, StopIteration):
                place = f"line {line_of(path, fault.row)} of '{path.name}'"
        raise DataError(fault.said(place)) from None

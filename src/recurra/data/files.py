"""A table from a file: CSV in the dialects people have, or Parquet, with notes on what was not ordinary."""

import bz2
import csv
import gzip
import lzma
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from ..errors import DataError, nearest
from .columns import MISSING, is_counter, is_text

SAMPLE = 65_536  # bytes that are looked at before the whole file is read
NAMES = {"\t": "tab", ";": "';'", "|": "'|'", ",": "','", r"\s+": "spaces"}  # in the order they are tried
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?")
COMMA_NUMBER = re.compile(r"[-+]?\d{1,3}(\.\d{3})+(,\d+)?|[-+]?\d*,\d+([eE][-+]?\d+)?")
CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?(\.\d+)?")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?")
GROUPED = {  # thousands separator -> a whole cell written with it, the decimal mark put in for {0}
    ",": r"[-+]?\d{{1,3}}(?:,\d{{3}})+(?:\{0}\d+)?",
    ".": r"[-+]?\d{{1,3}}(?:\.\d{{3}})+(?:\{0}\d+)?",
    " ": r"[-+]?\d{{1,3}}(?:[ \u00a0\u202f'’]\d{{3}})+(?:\{0}\d+)?",
}
OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
NOT_TEXT = {b"PK\x03\x04": "an Excel or zip file", b"\xd0\xcf\x11\xe0": "an old Excel file", b"%PDF": "a PDF"}


@dataclass(frozen=True)
class Dialect:
    """How a text table is written: encoding, separator, decimal mark, first lines, names of the columns."""

    encoding: str
    separator: str
    decimal: str
    skip: int  # physical lines before the first row of data
    names: tuple[str, ...]
    notes: tuple[str, ...]


def read_table(path: str | Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a CSV, TSV, TXT (also .gz .xz .bz2 .zip) or Parquet file; return the frame and what was not ordinary."""
    path = Path(path)
    _check_there(path)
    if path.suffix.lower() in (".parquet", ".pq") or _head(path, 4) == b"PAR1":
        return _read_parquet(path), []
    sample = _sample(path)
    dialect = _dialect(sample, path.name)
    frame, more = _read_text(path, dialect)
    frame, last = _tidy(frame, dialect)
    return frame, [*dialect.notes, *more, *last]


def _check_there(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"'{path}' is a folder; give the name of a file in it.")
    if not path.exists():
        folder = path.parent
        others = [entry.name for entry in folder.iterdir() if entry.is_file()] if folder.is_dir() else []
        raise DataError(f"There is no file '{path}'.{nearest(path.name, others)} Check the name and the folder.")
    if path.stat().st_size == 0:
        raise DataError(f"The file '{path.name}' is empty.")


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


def _open(path: Path) -> IO[bytes]:
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
        with _open(path) as file:
            sample = file.read(SAMPLE)
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile) as fault:
        raise DataError(f"'{path.name}' cannot be unpacked or opened ({_brief(fault)}).") from None
    if not sample.strip():
        raise DataError(f"The file '{path.name}' is empty.")
    _refuse_binary(sample, path.name)
    return sample


def _refuse_binary(sample: bytes, name: str) -> None:
    kind = next((kind for magic, kind in NOT_TEXT.items() if sample.startswith(magic)), None)
    if kind is None and not sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        control = sum(sample.count(byte) for byte in range(32) if byte not in (9, 10, 12, 13))
        kind = "a binary file" if b"\0" in sample or control > len(sample) / 50 else None
    if kind is not None:
        raise DataError(f"'{name}' is {kind}, not a text table; save the table as CSV or Parquet.")


def _encoding(sample: bytes) -> str:
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if sample.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    try:
        sample[: sample.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError:
        return _old_encoding(sample)
    return "utf-8"


def _old_encoding(sample: bytes) -> str:
    """Tell Chinese GB18030 (long runs of paired high bytes) from Western text (single high bytes)."""
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", sample)]
    if all(run % 2 == 0 for run in runs) and max(runs) >= 4:
        return "gb18030"
    return "cp1252" if not re.search(rb"[\x81\x8d\x8f\x90\x9d]", sample) else "latin-1"


def _dialect(sample: bytes, name: str) -> Dialect:
    encoding = _encoding(sample)
    text = sample.decode(encoding, errors="replace")
    lines = text.splitlines()
    if len(sample) == SAMPLE:
        lines = lines[:-1] or lines
    comments = _leading_comments(lines)
    body = [line for line in lines[comments:] if line.strip()]
    if not body:
        raise DataError(f"The file '{name}' has comment lines but no table.")
    separator = _separator(body[:200], name)
    rows = _split(body[:200], separator)
    names, has_header, notes = _header(rows, lines[:comments], separator)
    if has_header and len(rows) == 1:
        raise DataError(f"The file '{name}' has a header but no rows of data.")
    decimal = _decimal(rows[has_header:], separator)
    skip = lines.index(body[0]) + has_header
    notes = _dialect_notes(encoding, separator, decimal, comments) + notes
    return Dialect(encoding, separator, decimal, skip, tuple(names), tuple(notes))


def _leading_comments(lines: list[str]) -> int:
    return next((i for i, line in enumerate(lines) if not line.lstrip().startswith("#")), len(lines))


def _split(lines: list[str], separator: str) -> list[list[str]]:
    if separator == r"\s+":
        return [line.split() for line in lines]
    rows = csv.reader(lines, delimiter=separator or ",")
    return [[cell.strip() for cell in row] for row in rows] if separator else [[line.strip()] for line in lines]


def _separator(lines: list[str], name: str) -> str:
    """Return the first separator that cuts the lines into equally many cells, or '' for a single column."""
    cells = [line.strip().strip('"') for line in lines]
    plain = [_is_value(cell) or cell.lower() in MISSING for cell in cells[1:]]
    if all(plain) and not re.search(r"[,;|\t]", lines[0]):
        return ""
    shares = {sep: _agreement(lines, sep) for sep in NAMES}
    best = max(shares, key=lambda sep: shares[sep])
    if shares[best] >= 0.6:
        return best
    if sum(plain) >= 0.5 * len(plain):
        return ""
    raise DataError(
        f"'{name}' does not split into columns: every line is one cell, such as '{lines[-1][:40]}'; "
        "separate the columns by comma, semicolon, tab or '|'."
    )


def _agreement(lines: list[str], separator: str) -> float:
    """Return the share of lines with the most common number of cells, 0 if that number is one."""
    rows = _split(lines, separator)
    cells, often = Counter(len(row) for row in rows).most_common(1)[0]
    if cells < 2:
        return 0.0
    # Spaces stand inside dates, and decimal commas split numbers where the header stays whole.
    doubt = 0.2 if separator == r"\s+" else 0.0
    doubt += 0.3 if len(rows[0]) == 1 else 0.1 * (len(rows[0]) < cells)
    return often / len(lines) - doubt


def _is_value(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or COMMA_NUMBER.fullmatch(cell) or DATE.fullmatch(cell))


def _header(rows: list[list[str]], comments: list[str], separator: str) -> tuple[list[str], bool, list[str]]:
    """Return the column names, whether the first row holds them, and notes."""
    width = Counter(len(row) for row in rows[1:] or rows).most_common(1)[0][0]
    if not _starts_with_data(rows):
        return _unique(_padded(rows[0], width, rows[1:])), True, []
    commented = _commented_names(comments, separator)
    if len(commented) == width:
        return _unique(commented), False, ["column names taken from the line that starts with '#'"]
    names = [f"column_{i + 1}" for i in range(width)]
    span = names[0] if width == 1 else f"{names[0]} to {names[-1]}"
    return names, False, [f"no header line, so the columns are called {span}"]


def _starts_with_data(rows: list[list[str]]) -> bool:
    first = [cell for cell in rows[0] if cell.lower() not in MISSING]
    if not first:
        return False
    if len(rows) > 1 and not rows[0][0] and not _is_value(rows[1][0]):
        return False
    if all(_is_value(cell) for cell in first):
        return True
    below = rows[1] if len(rows) > 1 else []
    return any(_full_date(a) and _full_date(b) for a, b in zip(rows[0], below, strict=False))


def _full_date(cell: str) -> bool:
    return bool(DATE.fullmatch(cell)) and len(cell) >= 8 and not NUMBER.fullmatch(cell)


def _commented_names(comments: list[str], separator: str) -> list[str]:
    """Return the names in the last comment line, without numbers as in ``3:Temperature``."""
    if not comments:
        return []
    cells = _split([comments[-1].lstrip("# \t")], separator)[0]
    return [re.sub(r"^\d+:(?=\D)", "", cell) for cell in cells]


def _padded(names: list[str], width: int, rows: list[list[str]]) -> list[str]:
    """Name the cells that rows have beyond the header: an empty last one, or row names at the front."""
    spare = width - len(names)
    full = [row for row in rows if len(row) == width]
    if spare == 1 and "time" not in names and all(_full_date(row[0]) and CLOCK.fullmatch(row[1]) for row in full):
        return [names[0], "time", *names[1:]]
    if spare == 1 and any(row[-1] for row in full):
        return ["", *names]
    return names + [""] * max(spare, 0)


def _unique(names: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for i, name in enumerate(names):
        fresh = name or f"Unnamed: {i}"
        unique.append(f"{fresh}.{seen[fresh]}" if seen[fresh] else fresh)
        seen[fresh] += 1
    return unique


def _decimal(rows: list[list[str]], separator: str) -> str:
    """Return ',' only if numbers with a decimal comma are there and none with a decimal point."""
    cells = [cell for row in rows for cell in row if "," in cell or "." in cell]
    commas = [cell for cell in cells if "," in cell and COMMA_NUMBER.fullmatch(cell)]
    points = [c for c in cells if re.fullmatch(r"[-+]?\d*\.\d+", c) and not re.fullmatch(r"[-+]?\d+\.\d{3}", c)]
    if points or not commas:
        return "."
    grouped = re.compile(GROUPED[","].format("."))
    thousands = separator in (",", "") and all(grouped.fullmatch(cell) for cell in commas)
    return "." if thousands else ","


def _dialect_notes(encoding: str, separator: str, decimal: str, comments: int) -> list[str]:
    parts = []
    if separator not in (",", ""):
        parts.append(f"{NAMES[separator]} as separator")
    if decimal == ",":
        parts.append("decimal comma")
    if not encoding.startswith("utf-8"):
        parts.append({"cp1252": "Latin-1", "latin-1": "Latin-1"}.get(encoding, encoding.upper()))
    notes = ["read with " + ", ".join(parts)] if parts else []
    return notes + ([f"left out {comments} comment line(s) at the top"] if comments else [])


def _read_text(path: Path, dialect: Dialect) -> tuple[pd.DataFrame, list[str]]:
    """Read the whole file; a byte that breaks UTF-8 far down makes it Latin-1."""
    try:
        return _parse(path, dialect, dialect.encoding), []
    except UnicodeDecodeError:
        notes = [f"some letters are not {dialect.encoding.upper()}, so the text was read as Latin-1"]
        return _parse(path, dialect, "latin-1"), notes


def _parse(path: Path, dialect: Dialect, encoding: str) -> pd.DataFrame:
    options: dict[str, Any] = {"sep": dialect.separator or "\x1f", "encoding": encoding, "names": dialect.names}
    options |= {"header": None, "skiprows": dialect.skip, "decimal": dialect.decimal, "index_col": False}
    options |= {"na_values": sorted(MISSING - {""}), "skipinitialspace": True, "low_memory": False}
    try:
        with _open(path) as file, warnings.catch_warnings():
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


def _tidy(frame: pd.DataFrame, dialect: Dialect) -> tuple[pd.DataFrame, list[str]]:
    notes: list[str] = []
    frame = _without_empty(frame, notes)
    if not len(frame):
        raise DataError("The file has a header but no rows of data.")
    frame = _without_counter(frame, notes)
    texts = [name for name in frame.columns if is_text(frame[name])]
    return frame.assign(**{n: _ungrouped(frame[n], dialect.decimal, notes) for n in texts}), notes


def _without_empty(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out columns without name and value, and rows without any value at the end."""
    hollow = [n for n in frame.columns if n.startswith("Unnamed: ") and frame[n].isna().all()]
    if hollow:
        frame = frame.drop(columns=hollow)
        notes.append(f"left out {len(hollow)} empty column(s) without a name")
    if len(frame) and frame.iloc[-1].isna().all():
        filled = np.flatnonzero(frame.notna().any(axis=1).to_numpy())
        keep = int(filled[-1]) + 1 if len(filled) else 0
        notes.append(f"left out {len(frame) - keep} empty row(s) at the end")
        frame = frame.iloc[:keep]
    return frame


def _without_counter(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out a first column without name that only counts the rows; name it 'index' if it holds more."""
    name = frame.columns[0]
    if not name.startswith("Unnamed: "):
        return frame
    if frame.shape[1] > 1 and is_counter(frame[name]):
        notes.append("left out the first column, which has no name and only counts the rows")
        return frame.drop(columns=name)
    fresh = "index" if "index" not in frame.columns else "column_1"
    notes.append(f"the first column has no name and is called '{fresh}'")
    return frame.rename(columns={name: fresh})


def _ungrouped(column: pd.Series, decimal: str, notes: list[str]) -> pd.Series:
    """Turn a text column of numbers such as 1,234.5 or 1.234,5 or 1 234 into numbers, if every cell fits."""
    for mark, shape in GROUPED.items():
        grouped = shape.format(decimal)
        fits = rf"(?:{grouped}|[-+]?\d{{1,3}}(?:\{decimal}\d+)?)"
        if mark == decimal or not _all_match(column.head(100), fits) or not _all_match(column, fits):
            continue
        text = column.astype("str").str.strip()
        like = text.str.fullmatch(grouped).fillna(False).to_numpy(bool)
        if like.any():
            bare = text.str.replace(r"[ \u00a0\u202f'’]" if mark == " " else re.escape(mark), "", regex=True)
            values = pd.to_numeric(bare.str.replace(decimal, ".", regex=False).where(column.notna()))
            at = int(np.argmax(like))
            notes.append(f"'{text.iloc[at]}' in column '{column.name}' was read as {values.iloc[at]:.12g}")
            return values
    return column


def _all_match(column: pd.Series, shape: str) -> bool:
    filled = column.dropna().astype("str").str.strip()
    return len(filled) > 0 and bool(filled.str.fullmatch(shape).all())

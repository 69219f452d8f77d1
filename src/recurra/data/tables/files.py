"""A table from a file: CSV in the dialects people have, or Parquet, with notes on what was not ordinary."""

import bz2
import gzip
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from ...errors import DataError, nearest
from ..calendar.stamps import holds_dates
from .columns import MISSING, is_counter, is_text, strip_text, text_of_numbers
from .dialect import CURRENCY, GROUPED, SAMPLE, Dialect, find_dialect, find_encoding, plain_number

OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
OTHER = {  # endings of files that hold tables, but are not read, and the pandas function that reads them
    ".json": ("JSON", "read_json"), ".jsonl": ("JSON", "read_json"), ".xlsx": ("Excel", "read_excel"),
    ".xls": ("Excel", "read_excel"), ".xlsm": ("Excel", "read_excel"), ".ods": ("OpenDocument", "read_excel"),
    ".feather": ("Feather", "read_feather"), ".pkl": ("pickle", "read_pickle"), ".h5": ("HDF5", "read_hdf"),
}  # fmt: skip
LINES, LONGEST = 20, 8_000_000  # lines that the first bytes of a file should hold, and how many bytes they may be
TOTALS = ("total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "insgesamt", "合计", "总计")
NAMES_TOO = ("na", "none", "null")  # of the spellings of 'missing', those that are names among names
NOT_TEXT = {b"PK\x03\x04": "an Excel or zip file", b"\xd0\xcf\x11\xe0": "an old Excel file", b"%PDF": "a PDF"}


def read_table(path: str | Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a CSV, TSV, TXT (also .gz .xz .bz2 .zip) or Parquet file; return the frame and what was not ordinary."""
    path = Path(path)
    if is_parquet(path):
        return _read_parquet(path), []
    sample = _sample(path)
    dialect = find_dialect(sample, path.name)
    frame, dialect, more = _read_text(path, dialect)
    frame, last = _tidy(frame, dialect)
    frame, names = _with_names(frame, path, dialect)
    return frame, [*dialect.notes, *more, *last, *names]


def is_parquet(path: str | Path) -> bool:
    """Tell whether a file is Parquet, by name or content; raises DataError if it is not there, empty or no table."""
    path = Path(path)
    _check_there(path)
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
        with _open(path) as file:
            content = file.read()
    except (EOFError, lzma.LZMAError, zlib.error, OSError, zipfile.BadZipFile) as fault:
        raise DataError(f"'{path.name}' is cut short or damaged ({_brief(fault)}).") from None
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _check_there(path: Path) -> None:
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
        raise DataError(
            f"'{path.name}' is named as {kind}, but CSV or Parquet is wanted; save it as CSV, or convert it in Python "
            f"with pandas.{reader}('{path.name}').to_csv('{path.stem}.csv', index=False)."
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


def _read_text(path: Path, dialect: Dialect) -> tuple[pd.DataFrame, Dialect, list[str]]:
    """Read the whole file; a byte that breaks UTF-8 far down makes it Latin-1."""
    missing = {"na_values": sorted(MISSING - {""})}
    try:
        return _parse(path, dialect, missing), dialect, []
    except UnicodeDecodeError:
        notes = [f"some letters are not {dialect.encoding.upper()}, so the text was read as Latin-1"]
        dialect = replace(dialect, encoding="latin-1")
        return _parse(path, dialect, missing), dialect, notes


def _parse(path: Path, dialect: Dialect, more: dict[str, Any]) -> pd.DataFrame:
    options: dict[str, Any] = {"sep": dialect.separator or "\x1f", "encoding": dialect.encoding}
    options |= {"names": dialect.names, "header": None, "skiprows": dialect.skip, "decimal": dialect.decimal}
    options |= {"index_col": False, "skipinitialspace": True, "low_memory": False, **more}
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
    frame = _without_total(_without_empty(frame, notes), notes)
    if not len(frame):
        raise DataError("The file has a header but no rows of data.")
    frame = _without_counter(frame, notes)
    texts = [name for name in frame.columns if is_text(frame[name])]
    return frame.assign(**{n: _as_numbers(frame[n], dialect.decimal, notes) for n in texts}), notes


def _with_names(frame: pd.DataFrame, path: Path, dialect: Dialect) -> tuple[pd.DataFrame, list[str]]:
    """Give columns of names those cells back that were taken as missing: NA is a country, and none is an answer."""
    holed = [n for n in frame.columns if n in dialect.names and is_text(frame[n]) and frame[n].hasnans]
    holed = [n for n in holed if not text_of_numbers(frame[n]) and not holds_dates(frame[n])]
    if not holed:
        return frame, []
    raw = _parse(path, dialect, {"usecols": holed, "dtype": "str", "keep_default_na": False}).loc[frame.index]
    notes, named = [], {}
    for name in holed:
        words = raw[name].str.strip()
        meant = frame[name].isna() & words.str.casefold().isin(NAMES_TOO)
        if meant.any():
            named[name] = frame[name].mask(meant, words)
            notes.append(
                f"'{words[meant].iloc[0]}' in column '{name}' was taken as a name, as the others in it "
                f"({meant.sum():,} cells); leave cells empty whose value is not known"
            )
    return frame.assign(**named), notes


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


def _without_total(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out a last row that is called a total where the rows above have a date or a number."""
    for name in frame.columns if len(frame) > 2 else []:
        last = frame[name].iloc[-1]
        if not isinstance(last, str) or last.strip().rstrip(":").casefold() not in TOTALS:
            continue
        above = frame[name].iloc[:-1]
        counted = pd.to_numeric(above, errors="coerce")
        if counted.notna().sum() >= 0.9 * above.notna().sum() > 0 or holds_dates(above):
            notes.append(f"left out the last row, which is a total ('{last.strip()}' in column '{name}')")
            rest = _without_empty(frame.iloc[:-1], notes)
            counted = counted[: len(rest)]
            whole = counted.notna().all() and (counted == counted.round()).all()
            return rest.assign(**{name: counted.astype("int64")}) if whole else rest
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


def _as_numbers(column: pd.Series, decimal: str, notes: list[str]) -> pd.Series:
    """Turn a text column into numbers if every cell is one, bare or with thousands marks, $, %, (12) or a star."""
    bare = _undecorated(column)
    if bare is None:
        return _ungrouped(column, decimal, notes)
    said: list[str] = []
    values = _ungrouped(bare, decimal, said)
    if is_text(values):
        values = pd.to_numeric(bare.str.replace(decimal, ".", regex=False), errors="coerce")
    if (values.isna() & bare.notna()).any():
        return _ungrouped(column, decimal, notes)
    changed = (bare != column) & bare.notna()
    at = int(np.argmax(changed.to_numpy(bool)))
    notes.append(
        f"{changed.sum():,} cell(s) of column '{column.name}' have marks around their number, which were left out: "
        f"'{str(column.iloc[at]).strip()}' was read as {values.iloc[at]:.12g}"
    )
    return values


def _undecorated(column: pd.Series) -> pd.Series | None:
    """Return the cells without marks around their numbers; None if there are none, or they do not agree."""
    text = strip_text(column)
    start = text.dropna().head(100)
    if not len(start) or not all(re.search(r"\d[\d.,'’\s)%*†‡$€£¥₹]*$", cell) for cell in start):
        return None
    bare = text.map(plain_number, na_action="ignore")
    known = text.dropna()
    signs = {found[0].strip() for cell in known if (found := CURRENCY.search(cell))}
    percent = known.str.contains("%", regex=False)
    agreed = len(signs) <= 1 and (percent.all() or not percent.any())
    return bare if agreed and bool((bare != text)[text.notna()].any()) else None


def _ungrouped(column: pd.Series, decimal: str, notes: list[str]) -> pd.Series:
    """Turn a text column of numbers such as 1,234.5 or 1.234,5 or 1 234 into numbers, if every cell fits."""
    for mark, shape in GROUPED.items():
        grouped = shape.format(decimal)
        fits = rf"(?:{grouped}|[-+]?\d{{1,3}}(?:\{decimal}\d+)?)"
        if mark == decimal or not _all_match(column.head(100), fits) or not _all_match(column, fits):
            continue
        if mark == "," and _all_match(column, r"[-+]?\d{1,3},\d{3}"):
            continue  # 1,234 alone may have a comma for thousands or for decimals
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

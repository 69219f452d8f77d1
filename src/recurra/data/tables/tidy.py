"""A text table in order: without empty edges, totals and row numbers, and with numbers as numbers."""

import re

import numpy as np
import pandas as pd

from ...errors import DataError
from ..calendar.stamps import holds_dates
from .columns import is_counter, is_text, strip_text
from .dialect import BETWEEN, CURRENCY, GROUPED, NUMERIC, UNIT, plain_number
from .index import spells_time

TOTALS = (
    "total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtsumme", "insgesamt", "average", "mean", "avg",
    "mittelwert", "durchschnitt", "合计", "总计", "平均",
)  # fmt: skip


def tidy(frame: pd.DataFrame, decimal: str, kept: tuple[str, ...]) -> tuple[pd.DataFrame, list[str]]:
    """Return a table in order, and notes on what was mended; the columns ``kept`` stay text."""
    notes: list[str] = []
    frame = _without_totals(_without_empty(frame, notes), kept, notes)
    if not len(frame):
        raise DataError("The file has a header but no rows of data.")
    frame = _without_counter(frame, notes)
    texts = [name for name in frame.columns if is_text(frame[name]) and name not in kept]
    return frame.assign(**{n: _as_numbers(frame[n], decimal, notes) for n in texts}), notes


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


def _without_totals(frame: pd.DataFrame, kept: tuple[str, ...], notes: list[str]) -> pd.DataFrame:
    """Leave out last rows that are called a total where the rows above have a date or a number."""
    while len(frame) > 2:
        name = next((n for n in frame.columns if _is_total(frame, n)), None)
        if name is None:
            break
        word = str(frame[name].iloc[-1]).strip()
        notes.append(f"left out the last row, which is a total ('{word}' in column '{name}')")
        frame = _without_empty(frame.iloc[:-1], notes)
        counted = pd.to_numeric(frame[name], errors="coerce")
        if name not in kept and counted.notna().all() and (counted == counted.round()).all():
            frame = frame.assign(**{name: counted.astype("int64")})
    return frame


def _is_total(frame: pd.DataFrame, name: str) -> bool:
    """Tell whether a column of numbers or dates calls the last row a total, or one of text a row without a date."""
    last, above = frame[name].iloc[-1], frame[name].iloc[:-1]
    if not isinstance(last, str) or last.strip().rstrip(":").casefold() not in TOTALS:
        return False
    if (above == last).any():  # a series of that name
        return False
    counted = pd.to_numeric(above, errors="coerce")
    if counted.notna().sum() >= 0.9 * above.notna().sum() > 0 or holds_dates(above):
        return True
    empty = [other for other in frame.columns if pd.isna(frame[other].iloc[-1]) and is_text(frame[other])]
    return any(holds_dates(frame[other]) for other in empty)


def _without_counter(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Leave out a first column without name that only numbers the rows; it is the index if it holds more."""
    name = frame.columns[0]
    if not name.startswith("Unnamed: "):
        return frame
    if frame.shape[1] > 1 and (is_counter(frame[name]) or _numbers_rows(frame[name])):
        notes.append("left out the first column, which has no name and only counts the rows")
        return frame.drop(columns=name)
    fresh = "index" if "index" not in frame.columns else "column_1"
    notes.append(f"the first column has no name and is called '{fresh}'")
    return frame.rename(columns={name: fresh})


def _numbers_rows(column: pd.Series) -> bool:
    """Tell whether a column holds what a sort or a filter leaves of row numbers."""
    return column.dtype.kind == "i" and not spells_time(column)


def _as_numbers(column: pd.Series, decimal: str, notes: list[str]) -> pd.Series:
    """Turn a text column into numbers if every cell is one, bare or with thousands marks, $, %, (12), kg or a star."""
    if holds_dates(column):
        return column
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
    start = strip_text(column.dropna().head(100)).dropna()
    units = {(found[1] or found[2]) if (found := UNIT.search(cell)) else "" for cell in start}
    if len(units) == 1 and "" not in units:
        return _without_unit(strip_text(column), units.pop())
    if not len(start) or not all(NUMERIC.fullmatch(plain_number(cell)) for cell in start):
        return None
    text = strip_text(column)
    bare = text.map(plain_number, na_action="ignore")
    known = text.dropna()
    signs = {found[0].strip() for cell in known if (found := CURRENCY.search(cell))}
    percent = known.str.contains("%", regex=False)
    agreed = len(signs) <= 1 and (percent.all() or not percent.any())
    return bare if agreed and bool((bare != text)[text.notna()].any()) else None


def _without_unit(text: pd.Series, unit: str) -> pd.Series | None:
    """Return the cells without the unit behind their numbers; None if one has another."""
    known = text.dropna()
    bare = known.str.removesuffix(unit).str.rstrip()
    fits = known.str.endswith(unit) & bare.str.fullmatch(NUMERIC.pattern)
    return bare.reindex(text.index) if fits.all() else None


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
            bare = text.str.replace(f"[{BETWEEN}]" if mark == " " else re.escape(mark), "", regex=True)
            values = pd.to_numeric(bare.str.replace(decimal, ".", regex=False).where(column.notna()))
            at = int(np.argmax(like))
            notes.append(f"'{text.iloc[at]}' in column '{column.name}' was read as {values.iloc[at]:.12g}")
            return values
    return column


def _all_match(column: pd.Series, shape: str) -> bool:
    filled = column.dropna().astype("str").str.strip()
    return len(filled) > 0 and bool(filled.str.fullmatch(shape).all())

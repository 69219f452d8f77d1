"""Words that are dates: quarters, half years, weeks, fiscal years and seasons, and time that has passed.

Stamps are int64 microseconds since 1970 (n,), or years.
"""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..tables.columns import is_number
from .digits import full_year, read_digits, regularity
from .grid import UNITS, month_start
from .names import MONTH_WORDS, QUARTERLY, WEEKLY, plain

NUMERALS = {"一": "1", "二": "2", "三": "3", "四": "4", "上": "1", "下": "2"}
YEAR, SHORT = r"(?P<y>\d{4})", r"(?P<y>\d{4}|\d{2})"
FY = r"(?:(?P<fy>FY)[ '\-]?)"
QUARTERS = (
    rf"{FY}?{YEAR}[ \-/._]?[QT]0?(?P<q>[1-4])",
    rf"{YEAR}[ \-/]?(?:Quarter|Qtr|Quartal|Trimestre) ?(?P<q>[1-4])",
    rf"[QT](?P<q>[1-4])[ \-/._']{{0,2}}{FY}?{SHORT}",
    rf"(?P<q>[1-4])(?:[QT]|st quarter|nd quarter|rd quarter|th quarter)[ \-/']?{FY}?{SHORT}",
    rf"{FY}'?{SHORT}[ \-/]?[QT](?P<q>[1-4])",
    rf"{YEAR}年第?(?P<q>[1-4一二三四])季度?",
    rf"{YEAR}年[Q](?P<q>[1-4])",
)
HALVES = (
    rf"{YEAR}[ \-/]?[HS](?P<h>[12])",
    rf"[HS](?P<h>[12])[ \-/']?{FY}?{SHORT}",
    rf"(?P<h>[12])[HS][ \-/']?{FY}?{SHORT}",
    rf"{YEAR}年(?P<h>[上下])半年",
)
WEEK = r"(?:W|Wk|Week|KW|S|Sem|Semaine|Semana|Woche)"
WEEKS = (
    rf"{YEAR}[ \-/]?{WEEK}[ .\-]?(?P<w>\d{{1,2}})(?:-?(?P<d>[1-7]))?",
    rf"{WEEK}[ .\-]?(?P<w>\d{{1,2}})[ ,/\-]{{1,2}}{YEAR}",
    rf"{YEAR}年?第?(?P<w>\d{{1,2}})周",
)
MONTHS = (rf"{YEAR}[ \-]?M(?P<m>\d{{1,2}})", rf"M(?P<m>\d{{1,2}})[ \-/]?{YEAR}", rf"{YEAR}年(?P<m>\d{{1,2}})月份?")
PAIRS = (rf"{YEAR}[ \-/._](?P<n>\d{{1,2}})", rf"(?P<n>\d{{1,2}})[ \-/._]{YEAR}")
ENDS = rf"(?P<a>[^\W\d]{{3,9}})\.? ?[\-–/] ?(?P<b>[^\W\d]{{3,9}})\.?,? {YEAR}"
YEARS = (rf"{FY}{SHORT}", rf"{YEAR}年(?:度)?")
SEASONS = (r"(?P<y>\d{4})[/\-–](?P<z>\d{4}|\d{2})",)
DOTTED = r"^([01]?\d|2[0-4])\.([0-5]\d)\.([0-5]\d)$"  # 18.00.00
CLOCK = rf"\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?|{DOTTED}"
PASSED = (
    r"(?:\d+ days?,? ?)?\d+:\d{2}(?::\d{2}(?:\.\d+)?)?|\d+ days?|"
    r"P(?:\d+[DW])?(?:T(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?"
)


class Words(NamedTuple):
    """Text as stamps, or as years, and how it was read."""

    values: np.ndarray
    years: bool = False
    form: str = ""
    note: str = ""


def read_words(text: pd.Series, name: str, form: str = "") -> Words | None:
    """Return stripped text (n,) that names quarters, weeks or years as stamps or years; None if it does not."""
    seasons = _parts(text, SEASONS)
    if seasons is not None:
        begin, end = (seasons[part].to_numpy(np.int64) for part in "yz")
        if ((begin + 1) % 100 == end % 100).all() and (len(text) > 1 or len(str(end[0])) > 2):
            return Words(begin, True, note=f"'{name}' names each year by two; it is labelled by the first")
    for shapes, reader in (
        (QUARTERS, _quarters),
        (HALVES, _halves),
        (WEEKS, _weeks),
        (MONTHS, _months),
        (YEARS, _years),
    ):
        found = _parts(text, shapes)
        if found is not None:
            return reader(found, name, form)
    return _spans(text, name) or _pairs(text, name, form)


def _parts(text: pd.Series, shapes: tuple[str, ...]) -> pd.DataFrame | None:
    """Return the named parts of text by the first shape that all of it has; None if there is none."""
    for shape in shapes:
        if re.fullmatch(shape, str(text.iloc[0]), re.IGNORECASE):
            found = text.str.extract(f"^{shape}$", flags=re.IGNORECASE)
            if found["y"].notna().all():
                return found.replace(NUMERALS)
    return None


def _year_of(parts: pd.DataFrame) -> np.ndarray:
    return full_year(parts["y"].to_numpy(np.int64))


def _fiscal(parts: pd.DataFrame, name: str, what: str) -> str:
    there = "fy" in parts and parts["fy"].notna().any()
    return f"'{name}' counts fiscal {what}, which are labelled as if they were those of the calendar" if there else ""


def _from_months(parts: pd.DataFrame, number: np.ndarray, name: str, what: str) -> Words:
    stamps = month_start((_year_of(parts) - 1970) * 12 + number)
    return Words(stamps, note=_fiscal(parts, name, what))


def _quarters(parts: pd.DataFrame, name: str, form: str) -> Words:
    return _from_months(parts, (parts["q"].to_numpy(np.int64) - 1) * 3, name, "quarters")


def _halves(parts: pd.DataFrame, name: str, form: str) -> Words:
    return _from_months(parts, (parts["h"].to_numpy(np.int64) - 1) * 6, name, "half years")


def _months(parts: pd.DataFrame, name: str, form: str) -> Words | None:
    month = parts["m"].to_numpy(np.int64)
    return _from_months(parts, month - 1, name, "months") if ((month >= 1) & (month <= 12)).all() else None


def _years(parts: pd.DataFrame, name: str, form: str) -> Words:
    return Words(_year_of(parts), True, note=_fiscal(parts, name, "years"))


def _weeks(parts: pd.DataFrame, name: str, form: str) -> Words | None:
    week = _year_of(parts) * 100 + parts["w"].to_numpy(np.int64)
    read = read_digits(week, (6,), f"{name} week", form)
    if read is None:
        return None
    day = parts["d"].fillna("1").to_numpy(np.int64) if "d" in parts else 1
    return Words(read.stamps + (day - 1) * UNITS["D"], form=read.form)


def _spans(text: pd.Series, name: str) -> Words | None:
    """Read 'Jan-Mar 2020' as the quarter that begins in January."""
    found = _parts(text, (ENDS,))
    if found is None:
        return None
    first, last = (found[part].str.casefold().map(MONTH_WORDS).to_numpy(np.float64) for part in "ab")
    if np.isnan(first).any() or np.isnan(last).any():
        return None
    return _from_months(found, first.astype(np.int64) - 1, name, "quarters")


def _pairs(text: pd.Series, name: str, form: str) -> Words | None:
    """Read 2020-5 or 5/2020 as the name of the column says, or as a week where no month has such a number."""
    found = _parts(text, PAIRS)
    if found is None:
        return None
    year, number = (found[part].to_numpy(np.int64) for part in "yn")
    word = plain(name)
    if (number <= 4).all() and (number >= 1).all() and not WEEKLY.search(word):
        quarters = _quarters(found.rename(columns={"n": "q"}), name, form)
        months = month_start((year - 1970) * 12 + number - 1)
        if form == "yyyy-q" or QUARTERLY.search(word) or regularity(quarters.values) > regularity(months):
            return quarters._replace(form="yyyy-q")
    if form.startswith("yyyyww") or WEEKLY.search(word) or (number > 12).any():
        read = read_digits(year * 100 + number, (6,), f"{name} week", form)
        return None if read is None else Words(read.stamps, form=read.form)
    return _months(found.rename(columns={"n": "m"}), name, form)


READERS = ((QUARTERS, _quarters), (HALVES, _halves), (WEEKS, _weeks), (MONTHS, _months), (YEARS, _years))


def is_clock(column: pd.Series) -> bool:
    """Tell whether a column holds times of day, such as 09:30 or 1:05 pm, without a date."""
    if is_number(column) or column.dtype.kind in "bM":
        return False
    some = column.dropna().head(100)
    if len(some) and type(some.iloc[0]).__name__ == "time":
        return True
    text = some.astype(str).str.strip()
    return len(text) > 0 and bool(text.str.fullmatch(CLOCK).all())


def written_as_passed(text: pd.Series) -> pd.Series | None:
    """Return stripped text such as 1:30:00, 2 days 01:00:00 or P1DT2H as timedeltas; None if it is none."""
    if not re.fullmatch(PASSED, str(text.iloc[0])) or not text.str.fullmatch(PASSED).all():
        return None
    whole = text.str.replace(r"^(\d+:\d{2})$", r"\1:00", regex=True).str.replace(",", "")
    found = pd.to_timedelta(whole, errors="coerce")
    return None if found.isna().any() else found


def read_passed(column: pd.Series) -> Words:
    """Return timedeltas (n,) as whole seconds, or as parts of them where there are some."""
    passed = column.to_numpy().astype("m8[us]").astype(np.int64)
    unit = next(unit for unit in ("s", "ms", "us") if not (passed % UNITS[unit]).any())
    word = {"s": "seconds", "ms": "milliseconds", "us": "microseconds"}[unit]
    return Words(passed // UNITS[unit], True, f"passed ({unit})", word)

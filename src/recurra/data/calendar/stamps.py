"""A time column as int64 stamps: dates in the ways people write them, or numbers."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ...errors import DataError, RowError
from ..tables.columns import is_number, is_text, strip_text
from .digits import Reading, read_days, read_digits, read_epoch, read_years, regularity
from .spelled import as_iso, without_weekday
from .words import Words, is_clock, read_passed, read_words, written_as_passed

FORMATS = ("%Y/%m/%d", "%Y.%m.%d", "%Y %m %d", "%m/%Y", "%m-%Y", "%m.%Y")
CLOCK = re.compile(r"[ T,]+(\d{1,2}):\d{2}(:\d{2})?(\.\d+)?( ?[AaPp][Mm])?( ?(?:Z|[+-]\d{2}:?\d{2}))?$")
NUMERIC_DATE = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})(?=\D|$)")
AMBIGUOUS = re.compile(r"[\d.]*|\d{4}[ \-/_]\d{1,2}|\d{1,2}[ \-/_]\d{4}")  # digits, and 2020-1 of quarters or weeks
ORDERS = ("day first", "month first")
STEPS = "steps"  # how numbers were read that are no dates


@dataclass(frozen=True)
class Stamps:
    """Time stamps (n,): microseconds on the written clock, in UTC if there is a zone, or plain integers."""

    values: np.ndarray
    integer: bool = False
    zone: str | None = None
    order: str = ""  # how what has several readings was read, such as 01/02/2024 or 202401
    notes: list[str] = field(default_factory=list)


def distinct(values: np.ndarray) -> int:
    """Return how many different values there are; quick if they are in order."""
    gaps = np.diff(values)
    if not (gaps > 0).all():
        gaps = np.diff(np.sort(values))
    return int((gaps > 0).sum()) + 1


def read_stamps(column: pd.Series, name: str, order: str = "") -> Stamps:
    """Return a column as stamps; raises DataError with row and value where one is not a date."""
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        _refuse_missing(column, name)
        return _from_dates(column)
    if is_number(column) and column.dtype.kind != "c":
        _refuse_missing(column, name)
        return _from_numbers(column, name, order)
    if column.dtype.kind == "m":
        _refuse_missing(column, name)
        return _as_passed(read_passed(column), name, order)
    if is_text(column) or str(column.dtype).startswith("date32"):
        return _from_text(column, name, order)
    raise DataError(f"Column '{name}' has the type {column.dtype}, which holds no dates; choose another with time=.")


def _refuse_missing(column: pd.Series, name: str) -> None:
    if column.hasnans:
        row = int(np.argmax(column.isna().to_numpy()))
        raise RowError(
            lambda place: f"The time column '{name}' is empty in {place}; give it a date, or leave the row out.", row
        )


def _from_dates(column: pd.Series) -> Stamps:
    zone = getattr(column.dtype, "tz", None)
    if zone is None and not isinstance(column.dtype, np.dtype):
        column = column.astype("datetime64[us]")
    plain = column if zone is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
    values = plain.to_numpy().astype("M8[us]").view(np.int64)
    return Stamps(values, zone=None if zone is None else str(zone))


def _from_numbers(column: pd.Series, name: str, order: str) -> Stamps:
    """Read numbers: digits that spell dates, seconds since 1970, days of spreadsheets, years, or plain steps."""
    numbers = column.to_numpy(np.float64)
    if not (np.abs(numbers) < 9e18).all():
        raise DataError(f"The time column '{name}' holds a number that is too large for a time; choose another one.")
    if (numbers == np.round(numbers)).all():
        values = column.to_numpy().astype(np.int64)
        digits = (len(str(values.min())), len(str(values.max())))
        return _from_digits(values, range(digits[0], digits[1] + 1), name, order)
    found = read_epoch(numbers, order) or read_days(numbers, name, order) or read_years(numbers, name, order)
    if found is not None:
        return read_as(found, name, order)
    raise DataError(
        f"The time column '{name}' holds numbers that are neither dates nor whole steps; leave it out, and rows are "
        "steps in their order, or write dates such as 2024-01-31 13:00."
    )


def _from_digits(values: np.ndarray, digits: Iterable[int], name: str, order: str) -> Stamps:
    found = None
    if order != STEPS:
        found = read_digits(values, digits, name, order) or read_epoch(values, order) or read_days(values, name, order)
    return Stamps(values, integer=True, order=STEPS) if found is None else read_as(found, name, order)


def read_as(reading: Reading, name: str, order: str) -> Stamps:
    """Return what digits say as stamps, with a note on how they were read if that was not known before."""
    notes = [] if order or reading.form == "yyyymmdd" else [f"'{name}' was read as {reading.words}"]
    return Stamps(reading.stamps, order=reading.form, notes=notes)


def _from_text(column: pd.Series, name: str, order: str) -> Stamps:
    if not order and not AMBIGUOUS.fullmatch(str(column.iloc[0]).strip()):
        found = _try_iso(column)
        if found is not None and not found.isna().any():
            return _with_note(_from_dates(found), column, name)
    text = strip_text(column)
    _refuse_missing(text, name)
    text = without_weekday(text)
    for reader in (_try_digits, _try_plain, _try_numeric, _try_formats, _try_passed):
        stamps = reader(text, name, order)
        if stamps is not None:
            return stamps
    raise _not_a_date(text, name)


def _try_digits(text: pd.Series, name: str, order: str) -> Stamps | None:
    """Read numbers that are written as text, whose zeros in front count."""
    if not re.fullmatch(r"[\d.]{4,}", str(text.iloc[0])):
        return None
    if text.str.fullmatch(r"\d{5,18}|[1-8]\d{18}").all():
        return _from_digits(text.astype(np.int64).to_numpy(), text.str.len().unique().tolist(), name, order)
    if text.str.fullmatch(r"\d{4,12}\.\d+").all() and not text.str.fullmatch(r"\d{4}\.\d{1,2}").all():
        return _from_numbers(text.astype(np.float64), name, order)
    return None


def _try_passed(text: pd.Series, name: str, order: str) -> Stamps | None:
    """Read time that has passed, unless it is the time of day, which has no date."""
    if not order and is_clock(text):
        seconds = pd.to_timedelta(text.where(text.str.count(":") > 1, text + ":00"), errors="coerce").to_numpy()
        passed = np.array_equal(seconds, np.sort(seconds)) and seconds[0] == np.timedelta64(0, "s")
        if not passed and "elapsed" not in name.casefold():
            raise DataError(
                f"The column '{name}' holds times of day without a date; join it with the column of the date, such as "
                f"time='date+{name}', or leave it out, and rows are steps in their order."
            )
    found = written_as_passed(text) if not order or order.startswith("passed") else None
    return None if found is None else _as_passed(read_passed(found), name, order)


def _as_passed(found: Words, name: str, order: str) -> Stamps:
    if order not in ("", found.form):
        raise DataError(f"The time column '{name}' holds other parts of seconds than that of the training data.")
    note = f"'{name}' is the time that has passed; it is read and labelled in {found.note}"
    return Stamps(found.values, integer=True, order=found.form, notes=[] if order else [note])


def _try_iso(text: pd.Series) -> pd.Series | None:
    try:
        return pd.to_datetime(text, format="ISO8601")
    except (ValueError, TypeError, OverflowError) as fault:
        if "timezone" not in str(fault) and "tz" not in str(fault):
            return None
    return pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")


def _with_note(stamps: Stamps, text: pd.Series, name: str) -> Stamps:
    first = str(text.iloc[0])
    if stamps.zone == "UTC" and not re.search(r"(Z|[+-]00:?00)$", first):
        stamps.notes.append(f"the offsets in '{name}' differ, so its times were read as UTC and are labelled in UTC")
    return stamps


def _try_plain(text: pd.Series, name: str, order: str) -> Stamps | None:
    """Read words (2024Q1, 2024-W05, FY2024), and ISO dates after cleaning, also 2024年1月5日."""
    words = read_words(text, name, order)
    if words is not None:
        notes = [words.note] if words.note and not order else []
        return Stamps(words.values, integer=words.years, order=words.form, notes=notes)
    if "年" in str(text.iloc[0]):
        text = text.str.replace(r"[年月]", "-", regex=True).str.replace(r"[日号] *", " ", regex=True)
        text = text.str.replace(r"(\d{1,2})[时点]", r"\1:", regex=True).str.replace("分", ":", regex=False)
        text = text.str.replace("秒", "", regex=False).str.strip("-: ").str.replace(r" (\d+)$", r" \1:00", regex=True)
        text = text.str.replace(r"(?<=[ -])(\d)(?=[-: ]|$)", r"0\1", regex=True)
    found = _try_iso(text)
    return None if found is None or found.isna().any() else _with_note(_from_dates(found), text, name)


def _try_format(text: pd.Series, form: str) -> Stamps | None:
    if text.hasnans:
        return None
    try:
        return _from_dates(pd.to_datetime(text, format=form, utc="%z" in form))
    except (ValueError, TypeError, OverflowError):
        return None


def _clock(value: str) -> tuple[str, str]:
    """Return the date part of a value and the format of the clock time behind it."""
    found = CLOCK.search(value)
    if not found:
        return value, ""
    _, seconds, fraction, half, zone = found.groups()
    start = value[found.start() : found.start(1)]
    form = start + ("%I" if half else "%H") + ":%M" + (":%S" if seconds else "") + (".%f" if fraction else "")
    form += (half[:-2] + "%p" if half else "") + ((" " if zone.startswith(" ") else "") + "%z" if zone else "")
    return value[: found.start()], form


def _try_numeric(text: pd.Series, name: str, order: str) -> Stamps | None:
    """Read 31/01/2024 or 01/31/2024: by a number above 12, by the more regular reading, or say it is a guess."""
    first, clock = _clock(str(text.iloc[0]))
    found = NUMERIC_DATE.fullmatch(first)
    if not found:
        return None
    mark, year = found[2], "%Y" if len(found[4]) == 4 else "%y"
    forms = {"day first": f"%d{mark}%m{mark}{year}{clock}", "month first": f"%m{mark}%d{mark}{year}{clock}"}
    read = {o: _try_format(text, form) for o, form in forms.items() if order in ("", o)}
    fits = {o: stamps for o, stamps in read.items() if stamps is not None}
    if not fits:
        return None
    chosen, why = _choose(fits, mark) if len(fits) == 2 else (next(iter(fits)), "")
    notes = [] if order else [f"dates in '{name}' were read with the {chosen}{why}"]
    return Stamps(fits[chosen].values, zone=fits[chosen].zone, order=chosen, notes=notes)


def _choose(fits: dict[str, Stamps], mark: str) -> tuple[str, str]:
    scores = {order: regularity(stamps.values) for order, stamps in fits.items()}
    day, month = (scores[order] for order in ORDERS)
    if day != month:
        return ORDERS[int(month > day)], " (the other way they would not be regular)"
    guess = ORDERS[int(mark == "/")]
    return guess, ", though both ways are possible; write them as 2024-01-31 to be sure"


def _try_formats(text: pd.Series, name: str, order: str) -> Stamps | None:
    found = (_try_format(some, form) for some, form in _readings(text))
    return next((stamps for stamps in found if stamps is not None), None)


def _readings(text: pd.Series) -> Iterator[tuple[pd.Series, str]]:
    """Yield the ways to read dates that are no numbers with day or month first: text and its format."""
    clock = _clock(str(text.iloc[0]))[1]
    yield from ((text, form + clock) for form in FORMATS)
    yield from ((some, "%Y-%m-%d" + _clock(str(some.iloc[0]))[1]) for some in as_iso(text))


def _not_a_date(text: pd.Series, name: str) -> DataError:
    """Point at the first value that no reading fits, under the reading that fits most."""
    first, clock = _clock(str(text.iloc[0]))
    found = NUMERIC_DATE.fullmatch(first)
    ways = [(text, "ISO8601"), *_readings(text)]
    if found:
        mark, year = found[2], "%Y" if len(found[4]) == 4 else "%y"
        ways += [(text, f"%d{mark}%m{mark}{year}{clock}"), (text, f"%m{mark}%d{mark}{year}{clock}")]
    read = (pd.to_datetime(some, format=form, errors="coerce", utc=True) for some, form in ways)
    bad = min((stamps.isna() for stamps in read), key=lambda b: b.sum())
    row = int(np.argmax(bad.to_numpy()))
    return RowError(
        lambda place: (
            f"The time column '{name}' has '{text.iloc[row]}' in {place}, which is not a date like the others; "
            "write dates such as 2024-01-31 or 2024-01-31 13:00."
        ),
        row,
    )


def holds_dates(column: pd.Series) -> bool:
    """Tell whether a column holds dates, going by its type or by most of its first hundred values."""
    if column.dtype.kind == "M" or isinstance(column.dtype, pd.PeriodDtype):
        return True
    if not is_text(column) and not str(column.dtype).startswith("date"):
        return False
    text = strip_text(column.dropna().head(100)).dropna()
    if not len(text) or (text.str.fullmatch(r"[-+]?[\d.,]*(\d\d)?:?\d*").mean() > 0.5 and not _numeric_dates(text)):
        return False
    try:
        return not read_stamps(text.head(1), "ds").integer
    except DataError:
        return False


def _numeric_dates(text: pd.Series) -> bool:
    return bool(text.map(lambda value: bool(NUMERIC_DATE.match(value))).mean() > 0.5)

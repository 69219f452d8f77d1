"""A time column as int64 stamps: dates in the ways people write them, numbers, or several columns joined."""

import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ...errors import DataError, RowError
from ..tables.columns import find_column, is_number, is_text, strip_text
from .frequency import DAY, UNITS, grid_of, infer_frequency

NAMES = (
    "ds", "date", "datetime", "date_time", "timestamp", "time", "utc_timestamp", "datum", "fecha", "data", "日期",
    "时间", "日期时间", "dteday", "day", "week", "month", "quarter", "period", "year", "jahr", "年", "年份", "月份",
    "step", "t", "index", "zeit", "zeitstempel", "uhrzeit", "ts", "epoch", "unix",
)  # fmt: skip
PARTS = {
    "year": ("year", "yr", "yyyy", "jahr", "年"), "quarter": ("quarter", "qtr"),
    "month": ("month", "mo", "mon", "mnth", "mth", "monat", "月"),
    "day": ("day", "mday", "tag", "日"), "hour": ("hour", "hr", "stunde", "时"), "minute": ("minute", "min", "分"),
}  # fmt: skip
FORMATS = (
    "%Y/%m/%d", "%Y.%m.%d", "%Y %m %d", "%d %b %Y", "%d-%b-%Y", "%d/%b/%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y",
    "%B %d, %Y", "%b %d %Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%Y %b", "%Y-%b", "%m/%Y", "%m-%Y", "%m.%Y",
)  # fmt: skip
CLOCK = re.compile(r"[ T,]+(\d{1,2}):\d{2}(:\d{2})?(\.\d+)?( ?[AaPp][Mm])?( ?(?:Z|[+-]\d{2}:?\d{2}))?$")
NUMERIC_DATE = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})\2(\d{4}|\d{2})(?=\D|$)")
ORDERS = ("day first", "month first")


@dataclass(frozen=True)
class Stamps:
    """Time stamps (n,): microseconds on the written clock, in UTC if there is a zone, or plain integers."""

    values: np.ndarray
    integer: bool = False
    zone: str | None = None
    order: str = ""  # how dates such as 01/02/2024 were read
    notes: list[str] = field(default_factory=list)


def distinct(values: np.ndarray) -> int:
    """Return how many different values there are; quick if they are in order."""
    gaps = np.diff(values)
    if not (gaps > 0).all():
        gaps = np.diff(np.sort(values))
    return int((gaps > 0).sum()) + 1


def read_time(frame: pd.DataFrame, time: str, order: str = "") -> Stamps:
    """Return the stamps of a column, or of columns joined by '+'."""
    if time in frame.columns:
        return read_stamps(frame[time], time, order)
    parts = time.split("+")
    if len(parts) > 1 and all(part in frame.columns for part in parts):
        return _join(frame, parts, order)
    return read_stamps(frame[find_column(frame.columns, time, "time")], time, order)


def read_stamps(column: pd.Series, name: str, order: str = "") -> Stamps:
    """Return a column as stamps; raises DataError with row and value where one is not a date."""
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        _refuse_missing(column, name)
        return _from_dates(column)
    if is_number(column):
        _refuse_missing(column, name)
        return _from_numbers(column, name)
    if is_text(column) or str(column.dtype).startswith("date32"):
        return _from_text(column, name, order)
    raise DataError(f"Column '{name}' has the type {column.dtype}, which holds no dates; choose another with --time.")


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


def _from_numbers(column: pd.Series, name: str) -> Stamps:
    """Read numbers: epoch seconds to nanoseconds, 20240131, 202401, years with decimals, or plain steps."""
    numbers = column.to_numpy(np.float64)
    if not np.isfinite(numbers).all() or (numbers != np.round(numbers)).any():
        if numbers.min() >= 1e8 and numbers.max() < 1e11:
            return Stamps(np.round(numbers * 1e6).astype(np.int64), notes=[f"'{name}' was read as seconds since 1970"])
        return _from_decimal_years(numbers, name)
    values = column.to_numpy().astype(np.int64)
    low, high = int(values.min()), int(values.max())
    for unit, size in (("s", 1e9), ("ms", 1e12), ("us", 1e15), ("ns", 1e18)):
        if size / 10 <= low and high < size * 100:
            stamps = values.astype(f"M8[{unit}]").astype("M8[us]").view(np.int64)
            return Stamps(
                stamps, notes=[f"'{name}' was read as seconds since 1970" + ("" if unit == "s" else f" ({unit})")]
            )
    if low >= 17000101 and high <= 22001231:
        return _from_text(pd.Series(values).astype(str), name, "")
    if low >= 170001 and high <= 220012 and (values % 100 >= 1).all() and (values % 100 <= 12).all():
        months = (values // 100 - 1970) * 12 + values % 100 - 1
        return Stamps(_month_stamps(months), notes=[f"'{name}' was read as year and month"])
    return Stamps(values, integer=True)


def _month_stamps(months: np.ndarray) -> np.ndarray:
    """Return the starts of months counted from January 1970."""
    return months.astype(np.int64).view("M8[M]").astype("M8[us]").view(np.int64)


def _from_decimal_years(numbers: np.ndarray, name: str) -> Stamps:
    if np.isfinite(numbers).all() and numbers.min() > 1500 and numbers.max() < 2300:
        months = np.floor((numbers - 1970) * 12 + 0.02).astype(np.int64)
        gaps = np.diff(np.sort(months))
        if len(gaps) and (gaps > 0).all():
            return Stamps(_month_stamps(months), notes=[f"'{name}' was read as years with decimals, month by month"])
    raise DataError(f"The time column '{name}' holds numbers that are neither dates nor whole steps.")


def _from_text(column: pd.Series, name: str, order: str) -> Stamps:
    if not order:
        found = _try_iso(column)
        if found is not None and not found.isna().any():
            return _with_note(_from_dates(found), column, name)
    text = strip_text(column)
    _refuse_missing(text, name)
    for reader in (_try_plain, _try_numeric, _try_formats):
        stamps = reader(text, name, order)
        if stamps is not None:
            return stamps
    raise _not_a_date(text, name)


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
    """Read ISO dates after cleaning, quarters (2024Q1), months (2024M01), weeks (2024-W05) and 2024年1月5日."""
    first = str(text.iloc[0])
    if re.fullmatch(r"\d{4}[ \-]?[Qq]\d|[Qq]\d[ \-/]?\d{4}", first):
        parts = text.str.extract(r"(?P<a>\d{4})[ \-]?[Qq](?P<b>\d)|[Qq](?P<c>\d)[ \-/]?(?P<d>\d{4})")
        year, quarter = parts["a"].fillna(parts["d"]), parts["b"].fillna(parts["c"])
        return _from_parts(year, (pd.to_numeric(quarter) - 1) * 3 + 1)
    if re.fullmatch(r"\d{4}[ \-]?[Mm]\d{1,2}", first):
        parts = text.str.extract(r"(\d{4})[ \-]?[Mm](\d{1,2})")
        return _from_parts(parts[0], parts[1])
    if re.fullmatch(r"\d{4}-?W\d{1,2}", first):
        weeks = text.str.replace(r"-?W", "-W", regex=True) + "-1"
        return _try_format(weeks, "%G-W%V-%u")
    if "年" in first:
        text = text.str.replace(r"[年月]", "-", regex=True).str.replace("日", "", regex=False).str.strip("-")
    found = _try_iso(text)
    return None if found is None or found.isna().any() else _with_note(_from_dates(found), text, name)


def _from_parts(year: pd.Series, month: pd.Series) -> Stamps | None:
    if year.isna().any() or month.isna().any():
        return None
    months = (pd.to_numeric(year) - 1970) * 12 + pd.to_numeric(month) - 1
    return Stamps(_month_stamps(months.to_numpy()))


def _try_format(text: pd.Series, form: str) -> Stamps | None:
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
    scores = {order: _regularity(stamps.values) for order, stamps in fits.items()}
    day, month = (scores[order] for order in ORDERS)
    if day != month:
        return ORDERS[int(month > day)], " (the other way they would not be regular)"
    guess = ORDERS[int(mark == "/")]
    return guess, ", though both ways are possible; write them as 2024-01-31 to be sure"


def _regularity(values: np.ndarray) -> tuple[float, float]:
    """Return how much of the column is in order, and how much of its calendar is filled."""
    gaps = np.diff(values)
    ordered = max((gaps >= 0).mean(), (gaps <= 0).mean()) if len(gaps) else 1.0
    stamps = np.unique(values)
    try:
        grid = grid_of(infer_frequency(stamps))
    except DataError:
        return round(float(ordered), 3), 0.0
    return round(float(ordered), 3), round(len(stamps) / (int(grid.place(stamps[0], stamps[-1:])[0]) + 1), 3)


def _try_formats(text: pd.Series, name: str, order: str) -> Stamps | None:
    clock = _clock(str(text.iloc[0]))[1]
    found = (_try_format(text, form + clock) for form in FORMATS)
    return next((stamps for stamps in found if stamps is not None), None)


def _not_a_date(text: pd.Series, name: str) -> DataError:
    """Point at the first value that no reading fits, under the reading that fits most."""
    first, clock = _clock(str(text.iloc[0]))
    found = NUMERIC_DATE.fullmatch(first)
    forms = ["ISO8601", *(form + clock for form in FORMATS)]
    if found:
        mark, year = found[2], "%Y" if len(found[4]) == 4 else "%y"
        forms += [f"%d{mark}%m{mark}{year}{clock}", f"%m{mark}%d{mark}{year}{clock}"]
    bad = min((pd.to_datetime(text, format=f, errors="coerce", utc=True).isna() for f in forms), key=lambda b: b.sum())
    row = int(np.argmax(bad.to_numpy()))
    return RowError(
        lambda place: (
            f"The time column '{name}' has '{text.iloc[row]}' in {place}, which is not a date like the others; "
            "write dates such as 2024-01-31 or 2024-01-31 13:00."
        ),
        row,
    )


def _join(frame: pd.DataFrame, parts: list[str], order: str) -> Stamps:
    """Join year, month, day, hour columns, or a date and a clock time, or a date and an hour."""
    roles = {role: name for name in parts for role in [part_of(name)] if role}
    if "year" in roles:
        return _join_numbers(frame, roles)
    date, clock = parts
    if is_text(frame[clock]):
        joined = frame[date].astype(str).str.strip() + " " + frame[clock].astype(str).str.strip()
        return read_stamps(joined, "+".join(parts), order)
    stamps = read_stamps(frame[date], date, order)
    hours = _part(frame, clock)
    return Stamps(stamps.values + hours * UNITS["h"], order=stamps.order, notes=stamps.notes)


def _join_numbers(frame: pd.DataFrame, roles: dict[str, str]) -> Stamps:
    get = {role: _part(frame, name) for role, name in roles.items()}
    month = get.get("month", (get["quarter"] - 1) * 3 + 1 if "quarter" in get else np.int64(1))
    values = _month_stamps((get["year"] - 1970) * 12 + month - 1)
    values = values + (get.get("day", np.int64(1)) - 1) * DAY
    values = values + get.get("hour", np.int64(0)) * UNITS["h"] + get.get("minute", np.int64(0)) * UNITS["min"]
    return Stamps(values)


def _part(frame: pd.DataFrame, name: str) -> np.ndarray:
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
    bad = ~(values == np.round(values))
    if bad.any():
        row = int(np.argmax(bad))
        value = frame[name].iloc[row]
        raise RowError(
            lambda place: (
                f"Column '{name}' is part of the time, but has '{value}' in {place} instead of a whole number."
            ),
            row,
        )
    return values.astype(np.int64)


def sounds_like_time(name: str) -> bool:
    """Tell whether a column is called like a time, as 'date', or has a word in it such as 'epoch_ms' has."""
    words = re.split(r"[\W_]+", name.casefold())
    return name.casefold() in NAMES or any(word in ("ts", "epoch", "unix", "unixtime", "timestamp") for word in words)


def part_of(name: str) -> str | None:
    """Return which part of a date a column name stands for: year, quarter, month, day, hour or minute."""
    return next((role for role, names in PARTS.items() if name.casefold() in names), None)


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
        return not read_time(text.head(1).to_frame("ds"), "ds").integer
    except DataError:
        return False


def _numeric_dates(text: pd.Series) -> bool:
    return bool(text.map(lambda value: bool(NUMERIC_DATE.match(value))).mean() > 0.5)

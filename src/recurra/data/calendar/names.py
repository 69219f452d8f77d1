"""Names of time: what columns are called that hold a time, or a part of one, and what months are called."""

import re
from collections.abc import Iterable

NAMES = (
    "ds", "date", "datetime", "date_time", "timestamp", "time", "utc_timestamp", "datum", "fecha", "data", "日期",
    "时间", "日期时间", "dteday", "day", "week", "month", "quarter", "period", "year", "jahr", "年", "年份", "月份",
    "step", "t", "index", "zeit", "zeitstempel", "uhrzeit", "ts", "epoch", "unix",
)  # fmt: skip
MORE = (
    "yearweek", "year_week", "yearmonth", "year_month", "yearquarter", "year_quarter", "isoweek", "epiweek", "woche",
    "kalenderwoche", "monat", "quartal", "semaine", "mois", "trimestre", "annee", "année", "jour", "heure",
    "horodatage", "semana", "mes", "ano", "año", "anno", "mese", "settimana", "giorno", "hora", "dato", "周", "周次",
    "月", "年月", "季度", "年度", "时刻", "elapsed",
)  # fmt: skip
UNSURE = ("t", "index", "data", "step", "period", "day", "elapsed")  # of them, what values are called too
EPOCHS = ("ts", "epoch", "unix", "unixtime", "timestamp")  # words of a name that make it one of a time
PARTS = {
    "year": ("year", "yr", "yyyy", "yy", "jahr", "annee", "année", "ano", "año", "anno", "isoyear", "mmwryear",
             "epiyear", "calendaryear", "年", "年份"),
    "quarter": ("quarter", "qtr", "quartal", "trimestre", "季度", "quarterofyear"),
    "month": ("month", "mo", "mon", "mnth", "mth", "monat", "mois", "mes", "mese", "monthofyear", "monthnumber",
              "月", "月份"),
    "week": ("week", "wk", "weekno", "weeknum", "weeknumber", "weekofyear", "isoweek", "epiweek", "mmwrweek", "kw",
             "kalenderwoche", "woche", "semaine", "semana", "settimana", "周", "周次"),
    "yearday": ("doy", "yday", "dayofyear", "yearday", "julianday", "jday"),
    "day": ("day", "dy", "dd", "mday", "dom", "dayofmonth", "tag", "jour", "dia", "día", "giorno", "日"),
    "hour": ("hour", "hr", "hh", "stunde", "heure", "hora", "ora", "hourofday", "hourending", "时", "小时"),
    "minute": ("minute", "min", "mi", "分", "分钟"),
    "second": ("second", "sec", "秒"),
    "weekday": ("weekday", "dow", "wday", "dayofweek", "wochentag", "星期"),
}  # fmt: skip
RANGES = {
    "year": (1500, 2200), "quarter": (1, 4), "month": (1, 12), "week": (0, 53), "yearday": (1, 366), "day": (1, 31),
    "hour": (0, 24), "minute": (0, 59), "second": (0, 59), "weekday": (0, 7),
}  # fmt: skip
# Letters that stand for digits of a date, in several languages: yyyymmddhh, aaaammjjhh, jjjjmmtt, yyyyww.
SPELLED = re.compile(
    r"(?:y{4}|a{4}|j{4}|y{2}|a{2}|j{2})(?:q|ww|kw|ss|ddd|mm(?:(?:dd|jj|tt)(?:hh(?:mm|mi|nn)?(?:ss)?)?)?)"
)
WEEKLY = re.compile(r"week|^kw$|woche|semaine|semana|settimana|周|(?:y{4}|a{4}|j{4})(?:ww|ss)")
SUNDAYS = re.compile(r"epi|mmwr|cdc")
QUARTERLY = re.compile(r"quart|qtr|trimest|季|y{4}q")
MONTH_WORDS = {
    word: number + 1
    for number, words in enumerate((
        "jan january januar jänner janvier janv enero ene janeiro gennaio gen",
        "feb february februar février fevrier févr fevr febrero fevereiro fev febbraio",
        "mar march mär märz mrz mars marzo março marco",
        "apr april avril avr abril abr aprile",
        "may mai mayo maio maggio mag",
        "jun june juni juin junio junho giugno giu",
        "jul july juli juillet juil julio julho luglio lug",
        "aug august août aout agosto ago",
        "sep sept september septembre septiembre setembro set settembre",
        "oct october okt oktober octobre octubre outubro out ottobre ott",
        "nov november novembre noviembre novembro",
        "dec december dez dezember décembre decembre déc diciembre dic dezembro dicembre",
    ))
    for word in words.split()
}  # fmt: skip


def plain(name: str) -> str:
    """Return a column name as it is compared: 'Day of Year' and 'day_of_year' are 'dayofyear'."""
    return re.sub(r"[\W_]+", "", name.casefold())


PLAIN = {plain(name): rank for rank, name in reversed(list(enumerate(NAMES + MORE)))}


def rank_of(name: str) -> int:
    """Return how usual a column name is for a time, 0 for the most usual one."""
    return PLAIN.get(plain(name), len(PLAIN) + (0 if sounds_like_time(name) else 1))


def _words(name: str) -> list[str]:
    """Return the words of a name, those of 'orderDate' too."""
    return re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).casefold())


def is_usual(name: str) -> bool:
    """Tell whether a column is called as times mostly are, as 'date', or has a word in it such as 'epoch_ms' has."""
    return name.casefold() in NAMES or any(word in EPOCHS for word in re.split(r"[\W_]+", name.casefold()))


def sounds_like_time(name: str) -> bool:
    """Tell whether a column is called like a time, in one of several languages, or by the digits of a date."""
    words = (plain(name), *re.split(r"[\W_]+", name.casefold()))
    return is_usual(name) or plain(name) in PLAIN or any(SPELLED.fullmatch(word) for word in words)


def has_time_word(name: str) -> bool:
    """Tell whether one of the words of a name is that of a time, as in 'order date' or 'week_id'."""
    return sounds_like_time(name) or any(word in PLAIN and word not in UNSURE for word in _words(name))


def surely_time(name: str) -> bool:
    """Tell whether what a column of this name holds cannot be the values of a series."""
    if plain(name) in UNSURE:
        return False
    return sounds_like_time(name) or any(word in ("date", "datetime", "datum", "fecha") for word in _words(name))


def part_of(name: str) -> str | None:
    """Return which part of a date a column name stands for, such as year or hour; None if it is none."""
    if name in ("MM", "mm"):  # as in 'YY MM DD hh mm'
        return "month" if name == "MM" else "minute"
    key = plain(name)
    return next((role for role, names in PARTS.items() if key in names), None)


def roles_in(names: Iterable[str]) -> dict[str, str]:
    """Return the columns that stand for parts of a date by the part; 'mm' is the month where nothing else is."""
    roles = {role: name for name in names for role in [part_of(name)] if role}
    if roles.get("minute") == "mm" and not {"month", "hour"} & set(roles):
        roles["month"] = roles.pop("minute")
    return roles

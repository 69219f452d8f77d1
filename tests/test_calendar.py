"""Calendars: what is labelled is read again, closed times stay closed, digits and words are dates."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recurra.data.calendar.frequency import grid_of, known_frequency, steps_in_words
from recurra.data.calendar.grid import DAY
from recurra.data.calendar.pace import infer_frequency
from recurra.data.calendar.stamps import holds_dates, read_stamps
from recurra.data.series import Schema, infer_schema, to_panel
from recurra.data.series.season import candidates
from recurra.errors import DataError, RowError
from recurra.tasks.forecast.settings import ForecastSettings
from recurra.tasks.forecast.source import read_panel

PANDAS = [
    "s", "90s", "min", "15min", "h", "90min", "8h", "D", "2D", "10D", "B", "W-SUN", "W-WED", "2W-MON",
    "MS", "ME", "BMS", "BME", "2MS", "3ME", "QS-JAN", "QS-FEB", "QE-DEC", "QE-NOV", "BQE-DEC", "YS-JAN", "YE-DEC",
    "YS-JUL", "YE-JUN", "2YS-JAN", "SMS-15", "SME-15", "SMS-16", "WOM-3FRI", "WOM-1MON", "LWOM-FRI",
]  # fmt: skip
OWN = [
    "M@29", "M@30", "2M@30", "3M@30", "M@1,11,21", "M@10,20,31", "M@5,20", "M@1,8,15,22", "D@SUN-THU", "D@MON-SAT",
    "D@MON,WED,FRI", "D@TUE,FRI", "D@MON-THU", "h@08:00-20:00", "8h@01:00,09:00", "3h@07:00,13:00,22:00",
    "5min@MON-FRI@09:30-16:00", "min@MON-FRI@09:30-11:29,13:00-14:59", "h@MON-FRI", "30min@00:00-02:30,21:00-23:30",
    "h@MON-SAT@08:00-20:00+SUN@10:00-16:00", "h@08:30-17:30", "D@noleap", "6h@noleap",
]  # fmt: skip


def first_of(frequency: str, start: Any) -> np.int64:
    """The first label of a calendar after ``start``, whole hours for those that take their clock time from it."""
    grid = grid_of(frequency)
    moment = np.int64(pd.Timestamp(start).floor("D").to_datetime64().astype("M8[us]").astype(np.int64))
    if grid.kind == "fixed" and grid.size < 7 * DAY:
        return moment + np.int64(pd.Timestamp(start).hour) * 3_600_000_000
    return np.int64(grid.label(grid.snap(np.array([moment]))[0], np.array([1]))[0])


STARTS = st.datetimes(pd.Timestamp("1905-01-01"), pd.Timestamp("2060-01-01"))


@settings(max_examples=300, deadline=None)
@given(frequency=st.sampled_from(PANDAS + OWN), start=STARTS, far=st.integers(-3000, 3000))
def test_places_undo_labels(frequency: str, start: Any, far: int) -> None:
    grid, first = grid_of(frequency), first_of(frequency, start)
    steps = np.arange(far - 60, far + 60)
    labels = grid.label(first, steps)
    np.testing.assert_array_equal(grid.place(first, labels), steps)
    assert (np.diff(labels) > 0).all()
    if grid.kind not in ("month", "business"):  # which hold all days of a month, or the weekend after a Friday
        np.testing.assert_array_equal(grid.place(first, labels[1:] - 1), steps[:-1])
    assert known_frequency(frequency) == frequency


@settings(max_examples=500, deadline=None, derandomize=True)
@given(frequency=st.sampled_from(PANDAS + OWN), start=STARTS, n=st.integers(3, 70), more=st.integers(1, 40))
def test_what_is_labelled_is_read_as_the_same_calendar(frequency: str, start: Any, n: int, more: int) -> None:
    assume(n >= 15 or "@" not in frequency)  # days of the week are told from business days by three weeks of them
    stamps = grid_of(frequency).label(first_of(frequency, start), np.arange(n))
    try:
        found = grid_of(infer_frequency(stamps))
    except DataError:
        assert n < 30, "so many rows are enough"
        return
    places = found.place(stamps[0], stamps)
    np.testing.assert_array_equal(found.label(stamps[0], places), stamps)
    both = np.append(stamps, found.label(stamps[0], places[-1] + 1 + np.arange(more)))
    again = grid_of(infer_frequency(both))
    np.testing.assert_array_equal(again.label(both[-1], np.arange(5)), found.label(both[-1], np.arange(5)))


@settings(max_examples=150, deadline=None)
@given(frequency=st.sampled_from(PANDAS + OWN), start=STARTS, weeks=st.integers(5, 9))
def test_a_long_stretch_says_which_calendar_it_is(frequency: str, start: Any, weeks: int) -> None:
    grid, first = grid_of(frequency), first_of(frequency, start)
    n = max(70, int(grid.place(first, first + np.array([weeks * 7 * DAY]))[0]) if "@" in frequency else 0)
    n = 1500 * DAY // grid.size if "noleap" in frequency else n
    stamps = grid.label(first, np.arange(n + 40))
    found = grid_of(infer_frequency(stamps[:n]))
    np.testing.assert_array_equal(found.label(stamps[n - 1], np.arange(1, 41)), stamps[n:])


# columns of time: what they hold, and that later rows are read alike


def table(**columns: Any) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    return pd.DataFrame({**columns, "y": 50 + np.random.default_rng(n).normal(size=n).cumsum()})


def read_back(frame: pd.DataFrame, stamps: pd.DatetimeIndex, frequency: str, **told: Any) -> str:
    """Check that a table has these stamps, whole and from its end, and return what was said of it."""
    schema, notes = infer_schema(frame, **told)
    assert schema.targets == ("y",)
    assert schema.frequency == frequency
    panel = to_panel(frame, schema)
    assert (panel.times(0, 0, len(stamps)) == stamps).all() and len(panel.values[0]) == len(stamps)
    np.testing.assert_array_equal(panel.values[0], frame["y"])
    following = grid_of(frequency).label(stamps.to_numpy().astype("M8[us]").astype(np.int64)[-1], np.arange(1, 4))
    assert (panel.times(0, len(stamps), len(stamps) + 3) == pd.DatetimeIndex(following.view("M8[us]"))).all()
    kept = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert to_panel(frame.tail(3), kept).times(0, 0, 3).equals(panel.times(0, len(stamps) - 3, len(stamps)))
    return "; ".join(notes)


HOURS = pd.date_range("2023-01-30", periods=100, freq="h")
DATES = pd.date_range("2023-12-01", periods=100)
MONTHS = pd.date_range("2018-11-01", periods=50, freq="MS")
QUARTERS = pd.date_range("2010-10-01", periods=40, freq="QS")
MONDAYS = pd.date_range("2015-01-05", periods=320, freq="7D")  # over the week 53 of 2015 and 2020
SUNDAYS = pd.date_range("2014-01-05", periods=400, freq="7D")  # over the week 53 of 2014 and 2020, as the CDC counts
DIGITS = {
    "%Y%m%d%H%M%S": (HOURS, "h"), "%Y%m%d%H%M": (HOURS, "h"), "%Y%m%d%H": (HOURS, "h"), "%Y%m%d": (DATES, "D"),
    "%d%m%Y": (DATES, "D"), "%m%d%Y": (DATES, "D"), "%Y%j": (DATES, "D"), "%y%m%d": (DATES, "D"),
    "%Y%m": (MONTHS, "MS"), "%G%V": (MONDAYS, "W-MON"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["int64", "float64", "str", "string[pyarrow]", "Int64", "object"])
@pytest.mark.parametrize("form", DIGITS)
def test_digits_that_spell_dates(form: str, kind: str) -> None:
    stamps, frequency = DIGITS[form]
    digits = stamps.strftime(form)
    column = digits.astype("int64").astype(kind) if "64" in kind else pd.Series(digits).astype(kind)
    names = {"%G%V": "yearweek", "%Y%m": "month", "%Y%m%d%H": "AAAAMMJJHH"}
    for name in ("time", "日期", "x", names.get(form, "order date")):
        read_back(table(**{name: column}), stamps, frequency)
    read_back(table(time=column), stamps, frequency, time="time", target="y")


@pytest.mark.parametrize("name", ["week", "YearWeek", "kw", "semaine", "周", "week_id", "yyyyww", "period"])
def test_years_and_weeks(name: str) -> None:
    weeks = [week.year * 100 + week.week for week in MONDAYS.isocalendar().itertuples(index=False)]
    read_back(table(**{name: weeks}), MONDAYS, "W-MON")
    early = infer_schema(table(**{name: weeks}))[0]
    later = to_panel(pd.DataFrame({name: [202101, 202102, 202103], "y": [1.0, 2, 3]}), early)  # months, on their own
    assert list(later.times(0, 0, 3)) == list(pd.date_range("2021-01-04", periods=3, freq="7D"))


def week_of_sunday(day: pd.Timestamp) -> tuple[int, int]:
    """The year and week of the CDC: weeks begin on Sunday, and the first one holds 4 January."""
    begins = {year: pd.Timestamp(year, 1, 4) for year in range(day.year - 1, day.year + 2)}
    begins = {year: fourth - pd.Timedelta(days=fourth.isoweekday() % 7) for year, fourth in begins.items()}
    year = max(year for year, begin in begins.items() if begin <= day)
    return year, (day - begins[year]).days // 7 + 1


def test_weeks_from_sunday() -> None:
    pairs = [week_of_sunday(day) for day in SUNDAYS]
    assert (2014, 53) in pairs and (2020, 53) in pairs and (2015, 53) not in pairs
    for name in ("week", "epiweek", "MMWR week"):
        read_back(table(**{name: [year * 100 + week for year, week in pairs]}), SUNDAYS, "W-SUN")
    frame = table(**{"MMWR Year": [year for year, _ in pairs], "MMWR Week": [week for _, week in pairs]})
    read_back(frame, SUNDAYS, "W-SUN")


PHRASES = {
    "quarter": (QUARTERS, "QS-JAN", [
        "{y}Q{q}", "{y}-Q{q}", "{y} Q{q}", "Q{q} {y}", "Q{q}/{y}", "Q{q}-{yy}", "Q{q}'{yy}", "{q}Q{yy}", "{q}Q {y}",
        "Q{q} FY{yy}", "FY{yy} Q{q}", "FY{y}-Q{q}", "FY{y}Q{q}", "{y}T{q}", "T{q} {y}", "{y} Quarter {q}", "{y}-{q}",
        "{y}年第{q}季度", "{y}年{q}季度", "{y}年Q{q}", "{y}{q}", "{y}0{q}", "{b}-{e} {y}", "{b} - {e} {y}",
    ]),
    "时间": (QUARTERS, "QS-JAN", ["{y}年第{n}季度", "{y}Q{q}", "{y}-{q}"]),
    "half": (pd.date_range("2001-07-01", periods=30, freq="6MS"), "6MS", [
        "H{h} {y}", "{y}-H{h}", "{y}H{h}", "{y}S{h}", "{h}H{yy}", "H{h} FY{yy}", "{y}年{hn}半年",
    ]),
    "week": (MONDAYS, "W-MON", [
        "{g}W{v:02d}", "{g}-W{v:02d}", "{g}-W{v:02d}-1", "{g} W{v}", "W{v} {g}", "W{v}/{g}", "Week {v}, {g}",
        "week {v} {g}", "{g} week {v:02d}", "KW {v}/{g}", "KW{v} {g}", "{g}KW{v:02d}", "S{v:02d} {g}", "{g}S{v:02d}",
        "{g}-{v:02d}", "{v}/{g}", "{g}年第{v}周",
    ]),
    "x": (MONDAYS, "W-MON", ["{g}-{v:02d}", "{g}W{v:02d}", "{g}{v:02d}"]),
    "month": (MONTHS, "MS", [
        "{y}M{m:02d}", "{y}-M{m}", "M{m} {y}", "{m}/{y}", "{y}-{m}", "{y}/{m:02d}", "{y}.{m:02d}", "{b} {y}", "{B} {y}",
        "{b}-{yy}", "{y}年{m}月", "{y}年{m:02d}月份", "{de} {y}", "{fr} {y}",
    ]),
}  # fmt: skip
GERMAN = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
FRENCH = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."]


def spell(phrase: str, day: pd.Timestamp) -> str:
    iso = day.isocalendar()
    half = (day.month + 5) // 6
    return phrase.format(
        y=day.year, yy=f"{day.year % 100:02d}", q=day.quarter, n="一二三四"[day.quarter - 1], h=half,
        hn="上下"[half - 1], g=iso.year, v=iso.week,
        m=day.month, b=f"{day:%b}", B=f"{day:%B}", de=GERMAN[day.month - 1],
        fr=FRENCH[day.month - 1], e=f"{day + pd.DateOffset(months=2):%b}",
    )  # fmt: skip


@pytest.mark.parametrize(("name", "phrase"), [(name, each) for name, (_, _, some) in PHRASES.items() for each in some])
def test_words_that_name_a_time(name: str, phrase: str) -> None:
    stamps, frequency, _ = PHRASES[name]
    column = pd.Series([spell(phrase, day) for day in stamps])
    said = read_back(table(**{name: column}), stamps, frequency)
    assert ("fiscal" in said) == ("FY" in phrase)
    read_back(table(**{name: column.astype("string[pyarrow]")}), stamps, frequency, time=name, target="y")


SPELLED = [
    *(f"%d{mark}%b{mark}%Y" for mark in ("-", "/", ".", " ", "", "_")),
    *(f"%b{mark}%d{mark}%Y" for mark in ("-", "/", ".", " ", "_")),
    *(f"%Y{mark}%b{mark}%d" for mark in ("-", "/", ".", " ", "")),
    *("%B %d, %Y", "%d. %B %Y", "%d of %B %Y", "%b. %d, %Y", "%d-%b-%y", "%d %b %y", "%b %d, %y", "%dth %B %Y"),
]


@pytest.mark.parametrize("clock", ["", " %H:%M", ":%H:%M:%S", ", %I:%M %p"])
@pytest.mark.parametrize("weekday", ["", "%a ", "%A, "])
@pytest.mark.parametrize("form", SPELLED)
def test_dates_whose_months_are_words(form: str, weekday: str, clock: str) -> None:
    stamps = pd.date_range("2023-12-25 00:00", periods=400, freq="13h" if clock else "D")
    for text in (
        pd.Series(stamps.strftime(weekday + form + clock)),
        pd.Series(stamps.strftime(form + clock)).str.upper(),
    ):
        assert (read_stamps(text, "when").values == stamps.as_unit("us").asi8).all()
        assert (read_stamps(text.astype("string[pyarrow]"), "when").values == stamps.as_unit("us").asi8).all()
        text[7] = "soon"
        with pytest.raises(RowError, match="has 'soon' in row 8"):
            read_stamps(text, "when")


@pytest.mark.parametrize("form", ["%a %b %d %H:%M:%S %Y", "%a %Y-%m-%d", "%A %m/%d/%Y", "%a, %d %b %Y %H:%M:%S +0000"])
def test_a_day_of_the_week_before_a_date_is_passed_over(form: str) -> None:
    stamps = pd.date_range("2023-12-25", periods=400)
    assert (read_stamps(pd.Series(stamps.strftime(form)), "when").values == stamps.as_unit("us").asi8).all()


@pytest.mark.parametrize("word", ["Jan 15", "May", "1 May", "Sunday", "drizzle", "sun 5", "mar", "model 12 of 20"])
def test_words_without_a_year_are_no_dates(word: str) -> None:
    assert not holds_dates(pd.Series([word] * 3))


@pytest.mark.parametrize("phrase", ["FY{y}", "FY{yy}", "FY {y}", "{y}年", "{y}年度", "{y}/{z}", "{y}-{z}", "{y}/20{z}"])
def test_years_that_are_more_than_numbers(phrase: str) -> None:
    years = list(range(2005, 2032))
    column = [phrase.format(y=year, yy=f"{year % 100:02d}", z=f"{(year + 1) % 100:02d}") for year in years]
    schema, notes = infer_schema(table(year=column))
    panel = to_panel(table(year=column), schema)
    assert schema.targets == ("y",) and list(panel.times(0, 0, 28)) == [*years, 2032]
    assert ("labelled" in " ".join(notes)) == ("FY" in phrase or "{z}" in phrase)


TOGETHER = {
    "year month day hour": (
        HOURS, "h", {"year": HOURS.year, "month": HOURS.month, "day": HOURS.day, "hour": HOURS.hour}
    ),
    "hours to 24": (
        HOURS, "h",
        {"YEAR": (HOURS - pd.Timedelta("1h")).year, "MO": (HOURS - pd.Timedelta("1h")).month,
             "DY": (HOURS - pd.Timedelta("1h")).day, "HR": (HOURS - pd.Timedelta("1h")).hour + 1},
    ),
    "buoys": (
        HOURS, "h", {"YY": HOURS.year, "MM": HOURS.month, "DD": HOURS.day, "hh": HOURS.hour, "mm": HOURS.minute}
    ),
    "two digits of a year": (MONTHS, "MS", {"yr": MONTHS.year % 100, "mon": MONTHS.month}),
    "year and quarter": (QUARTERS, "QS-JAN", {"Year": QUARTERS.year, "Quarter": QUARTERS.quarter}),
    "year and Q": (QUARTERS, "QS-JAN", {"year": QUARTERS.year, "qtr": [f"Q{q}" for q in QUARTERS.quarter]}),
    "year and month name": (MONTHS, "MS", {"Year": MONTHS.year, "Month": MONTHS.strftime("%B")}),
    "Jahr, Monat": (MONTHS, "MS", {"Jahr": MONTHS.year, "Monat": [GERMAN[month - 1] for month in MONTHS.month]}),
    "年月": (MONTHS, "MS", {"年份": MONTHS.year, "月份": [f"{month}月" for month in MONTHS.month]}),
    "year and week": (MONDAYS, "W-MON", {"year": MONDAYS.isocalendar().year, "week": MONDAYS.isocalendar().week}),
    "year and W": (
        MONDAYS, "W-MON",
        {"Jahr": list(MONDAYS.isocalendar().year), "KW": [f"KW{w}" for w in MONDAYS.isocalendar().week]},
    ),
    "day of the year": (DATES, "D", {"year": DATES.year, "doy": DATES.day_of_year}),
    "date and hour": (HOURS, "h", {"date": HOURS.strftime("%Y-%m-%d"), "hour": HOURS.hour}),
    "number and hour": (HOURS, "h", {"date": HOURS.strftime("%Y%m%d").astype(int), "hr": HOURS.hour}),
    "date and 2300": (HOURS, "h", {"DATE": HOURS.strftime("%Y%m%d").astype(int), "TIME": HOURS.hour * 100}),
    "date and 230000": (HOURS, "h", {"date": HOURS.strftime("%Y-%m-%d"), "time": HOURS.hour * 10_000}),
    "date and clock": (HOURS, "h", {"date": HOURS.strftime("%d/%m/%Y"), "clock": HOURS.strftime("%H:%M")}),
    "date and pm": (HOURS, "h", {"date": HOURS.normalize(), "time": HOURS.strftime("%I:%M %p")}),
    "date and time of Python": (HOURS, "h", {"date": HOURS.date, "time": HOURS.time}),
}  # fmt: skip


@pytest.mark.parametrize("case", TOGETHER)
def test_columns_that_are_a_time_together(case: str) -> None:
    stamps, frequency, columns = TOGETHER[case]
    frame = table(**{name: list(column) for name, column in columns.items()})
    read_back(frame, stamps, frequency)
    read_back(frame, stamps, frequency, time="+".join(columns), target="y")


def days_since(origin: str, stamps: pd.DatetimeIndex) -> np.ndarray:
    return np.asarray((stamps - pd.Timestamp(origin)) / pd.Timedelta(days=1))


SINCE = DATES.to_numpy().astype("M8[s]").astype(np.int64)
COUNTED = {
    "excel": (DATES, "D", "date", days_since("1899-12-30", DATES).astype(int)),
    "excel hours": (HOURS, "h", "Date", days_since("1899-12-30", HOURS)),
    "excel, five digits": (HOURS, "h", "日期", days_since("1899-12-30", HOURS).round(5)),
    "excel months": (MONTHS, "MS", "excel_date", days_since("1899-12-30", MONTHS)),
    "excel 1904": (DATES, "D", "date1904", days_since("1904-01-01", DATES)),
    "matlab": (HOURS, "h", "datenum", days_since("1970-01-01", HOURS) + 719529),
    "julian": (HOURS, "h", "julian_date", days_since("1970-01-01", HOURS) + 2440587.5),
    "mjd": (DATES, "D", "MJD", days_since("1970-01-01", DATES) + 40587),
    "seconds": (DATES, "D", "timestamp", SINCE), "milliseconds": (DATES, "D", "ts", SINCE * 1000),
    "microseconds": (DATES, "D", "time", SINCE * 10**6), "nanoseconds": (DATES, "D", "epoch", SINCE * 10**9),
    "decimal years": (MONTHS, "MS", "year", MONTHS.year + (MONTHS.month - 1) / 12),
    "year.month": (MONTHS, "MS", "date", (MONTHS.year + MONTHS.month / 100).astype(float)),
    "year.quarter": (QUARTERS, "QS-JAN", "quarter", QUARTERS.year + QUARTERS.quarter / 10),
}  # fmt: skip


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("case", COUNTED)
def test_times_that_are_counted(case: str, text: bool) -> None:
    stamps, frequency, name, values = COUNTED[case]
    column = [f"{v}" for v in values] if text else values
    if text and case in ("year.month", "year.quarter"):
        column = [f"{v:.{2 if 'month' in case else 1}f}" for v in values]
    read_back(table(**{name: column}), stamps, frequency)


@pytest.mark.parametrize("kind", ["timedelta", "text", "days", "iso"])
def test_time_that_has_passed(kind: str) -> None:
    passed = pd.timedelta_range("0s", periods=150, freq="15min")
    spelled = {
        "timedelta": passed, "days": passed.astype(str), "iso": [each.isoformat() for each in passed],
        "text": [f"{int(s // 3600)}:{int(s % 3600 // 60):02d}:00" for s in passed.total_seconds()],
    }  # fmt: skip
    frame = table(time=spelled[kind])
    schema, notes = infer_schema(frame)
    panel = to_panel(frame, schema)
    assert schema.targets == ("y",) and "labelled in seconds" in " ".join(notes)
    assert list(panel.times(0, 149, 152)) == [149 * 900, 150 * 900, 151 * 900]


SESSION = pd.date_range("2024-01-01 22:30", periods=300, freq="min")


@pytest.mark.parametrize(
    ("name", "column", "reason"),
    [
        ("time", SESSION.strftime("%H:%M"), "times of day without a date"),
        ("Uhrzeit", SESSION.strftime("%I:%M %p"), "times of day without a date"),
        ("clock", SESSION.time, "times of day without a date"),
        ("time", np.arange(300) * 0.5, "neither dates nor whole steps"),
        ("t", 0.1 * np.arange(300), "neither dates nor whole steps"),
        ("month", np.resize(np.arange(1, 13), 300), "the month of each row"),
        ("month", np.resize(["Jan", "Feb", "Mar"], 300), "the month of each row"),
        ("月份", np.resize(["1月", "2月", "12月"], 300), "the month of each row"),
        ("hour", np.resize(np.arange(24), 300), "the hour of each row"),
        ("weekday", np.resize(np.arange(7.0), 300), "the day of the week of each row"),
        ("x", 45000 + np.arange(300), "it counts days or rows"),
    ],
)
def test_what_only_sounds_like_a_time_is_left_out_with_its_reason(name: str, column: Any, reason: str) -> None:
    frame = table(**{name: column})
    schema, notes = infer_schema(frame)
    assert schema.time is None and schema.targets == ("y",)
    assert any(note.startswith("not used: ") and f"'{name}' (" in note and reason in note for note in notes)
    dated = infer_schema(frame.assign(ds=pd.date_range("2024", periods=300)))[0]
    assert (dated.time, dated.targets) == ("ds", ("y",)) or dated.time == f"ds+{name}"
    with pytest.raises(DataError, match=rf"no column of numbers to forecast.*'{name}' \(|joins no date"):
        infer_schema(frame[[name]].assign(ds=pd.date_range("2024", periods=300), z="x"))


@pytest.mark.parametrize(
    "values",
    [
        lambda draw: 20210101 + draw.integers(-90, 900_000, 60),  # sales of 20 million
        lambda draw: 20210100 + draw.integers(1, 29, 60),  # each a date, but in no order
        lambda draw: 202001 + draw.integers(0, 12, 60),
        lambda draw: 202000 + np.cumsum(draw.integers(-3, 4, 60)),
        lambda draw: 20201 + draw.integers(0, 4, 60),
        lambda draw: 35_000 + np.cumsum(draw.integers(0, 9, 60)),  # a total that grows
        lambda draw: draw.integers(0, 50, 60),
        lambda draw: 1_700_000_000 + draw.integers(0, 10**6, 60),
        lambda draw: 5.0 + 2 * np.arange(60),
        lambda draw: draw.normal(size=60),
    ],
)
@pytest.mark.parametrize(
    "name", ["sales", "t", "T", "index", "data", "period", "response_time", "last_week_sales", "min"]
)
def test_values_that_look_like_dates_stay_values(name: str, values: Any) -> None:
    column = values(np.random.default_rng(0))
    frame = pd.DataFrame({"ds": pd.date_range("2020", periods=60), name: column})
    if name in ("t", "T", "index", "data", "period") and np.ptp(np.diff(column)) == 0:
        with pytest.raises(DataError, match="neither dates nor whole steps"):  # evenly spaced, as a time is
            infer_schema(frame)
        return
    schema, _ = infer_schema(frame)
    assert (schema.time, schema.targets) == ("ds", (name,))


def test_a_target_that_is_named_is_taken_whatever_it_is_called() -> None:
    frame = pd.DataFrame(
        {"ds": pd.date_range("2020", periods=60), "hour": np.random.default_rng(0).integers(0, 24, 60)}
    )
    assert infer_schema(frame, target="hour")[0].targets == ("hour",)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ([*range(202001, 202050), 202054], "has 202054 in row 50, which is no date in the form yyyyww"),
        ([*range(20240101, 20240132), 20240132], "has 20240132 in row 32, which is no date in the form yyyymmdd"),
        (["2024-01-01"] * 30 + ["2024-13-01"], "'2024-13-01' in row 31"),
        (["09:30", "09:31", "09:32"] * 9, "times of day without a date; join it"),
        (np.arange(30) / 7, "neither dates nor whole steps; leave it out"),
    ],
)
def test_times_that_cannot_be_read_are_refused_with_what_to_do(column: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        infer_schema(table(week=column), time="week")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"year": [2020, 2020], "month": [1, 13]}, "'month' is part of the time, but has 13 in row 2"),
        ({"year": [2020, 2020], "month": [1, 2], "day": [31, 31]}, "20200231 in row 2"),
        ({"year": [2020, 2019], "week": [53, 53]}, "holds a week that its year does not have"),
        ({"date": ["2020-01-01"] * 2, "time": ["10:00", "noon"]}, "has 'noon' in row 2|not a date like the others"),
        ({"date": ["2020-01-01"] * 2, "hour": [10, 77]}, "neither hours nor times such as 930"),
        ({"a": ["2020-01-01"] * 2, "b": [1, 2], "c": [1, 2]}, "joins no date"),
    ],
)
def test_parts_that_make_no_time_are_refused(columns: dict[str, list[Any]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        infer_schema(table(**columns), time="+".join(columns), target="y")


# closed times, in tables


def session(
    days: pd.DatetimeIndex, frequency: str, *hours: tuple[str, str], zone: str | None = None
) -> pd.DatetimeIndex:
    """Every step of these hours on these days."""
    parts = [
        pd.date_range(f"{d.date()} {a}", f"{d.date()} {b}", freq=frequency, tz=zone) for d in days for a, b in hours
    ]
    return parts[0].append(parts[1:]).sort_values()


WORKDAYS = pd.bdate_range("2024-02-26", periods=30)  # over the change of clocks in New York
SATURDAYS = pd.DatetimeIndex([day for day in pd.date_range("2024-02-26", periods=42) if day.day_of_week < 6])


@pytest.mark.parametrize(
    ("stamps", "frequency", "following"),
    [
        (session(WORKDAYS, "5min", ("09:30", "15:55")), "5min@MON-FRI@09:30-15:55", "2024-04-08 09:30"),
        (
            session(WORKDAYS, "min", ("09:30", "11:29"), ("13:00", "14:59")),
            "min@MON-FRI@09:30-11:29,13:00-14:59", "2024-04-08 09:30",
        ),
        (
            session(WORKDAYS, "5min", ("09:30", "15:55"), zone="America/New_York"),
            "5min@MON-FRI@09:30-15:55", "2024-04-08 09:30-04:00",
        ),
        (session(SATURDAYS, "h", ("08:00", "19:00")), "h@MON-SAT@08:00-19:00", "2024-04-08 08:00"),
        (WORKDAYS + pd.Timedelta(hours=16), "B", "2024-04-08 16:00"),
        (SATURDAYS, "D@MON-SAT", "2024-04-08"),
        (SATURDAYS.tz_localize("Asia/Riyadh"), "D@MON-SAT", "2024-04-08 00:00+03:00"),
    ],
)  # fmt: skip
def test_closed_times_are_not_forecast(stamps: pd.DatetimeIndex, frequency: str, following: str) -> None:
    rows = np.random.default_rng(0).random(len(stamps)) > 0.2 * (len(stamps) > 100)  # holidays and quiet minutes
    rows[[0, -1]] = True
    frame = table(ds=stamps[rows])
    schema, notes = infer_schema(frame)
    panel = to_panel(frame, schema)
    assert schema.frequency == frequency and "are taken as closed" in " ".join(notes)
    assert (panel.times(0, 0, len(stamps)) == stamps).all() and len(panel.values[0]) == len(stamps)
    assert panel.times(0, len(stamps), len(stamps) + 1)[0] == pd.Timestamp(following)
    assert rows.all() or "had no row and are missing values; such steps are forecast too" in panel.notes[-1]
    plain = frequency.split("@", maxsplit=1)[0].replace("B", "D")
    assert f"frequency='{plain}' forecasts them too" in " ".join(notes)
    assert len(to_panel(frame, infer_schema(frame, frequency=plain)[0]).values[0]) > len(stamps)


def test_the_hours_of_several_shops_are_those_of_all() -> None:
    shops = {"a": session(WORKDAYS, "h", ("08:00", "18:00")), "b": session(WORKDAYS[3:], "h", ("10:00", "20:00"))}
    frame = pd.concat([table(unique_id=[name] * len(stamps), ds=stamps) for name, stamps in shops.items()])
    schema, _ = infer_schema(frame)
    panel = to_panel(frame, schema)
    assert schema.frequency == "h@MON-FRI@08:00-20:00"
    assert [panel.times(n, len(panel.values[n]), len(panel.values[n]) + 1)[0].hour for n in (0, 1)] == [19, 8]


@pytest.mark.parametrize(
    ("frequency", "seasons", "steps", "words"),
    [
        ("5min@MON-FRI@09:30-15:55", {78: "open steps in a day", 390: "open steps in a week"}, 390, "1 week"),
        ("h@MON-SAT@08:00-20:00+SUN@10:00-16:00", {85: "open steps in a week"}, 170, "2 weeks"),
        ("D@SUN-THU", {5: "open days in a week"}, 3, "3 open days"),
        ("D@noleap", {7: "days in a week", 365: "days in a year"}, 14, "2 weeks"),
        ("M@30", {12: "steps in a year"}, 3, "3 months"),
        ("M@1,11,21", {36: "steps in a year"}, 36, "1 year"),
        ("SMS-15", {24: "steps in a year"}, 5, "5 steps"),
    ],
)
def test_seasons_and_words_of_such_calendars(frequency: str, seasons: dict[int, str], steps: int, words: str) -> None:
    assert candidates(frequency) == seasons
    assert steps_in_words(frequency, steps) == words


@pytest.mark.parametrize(
    ("stamps", "remedy"),
    [
        (
            pd.Timestamp("2019-02-03") + pd.to_timedelta(np.cumsum([28, 28, 35] * 12), unit="D"),
            "number the rows of each",
        ),
        (
            pd.Timestamp("2000-01-29") + pd.to_timedelta(np.cumsum([364] * 4 + [371] * 4), unit="D"),
            "number the rows of each",
        ),
    ],
)
def test_calendars_without_a_rule_are_refused_with_what_to_do(stamps: Any, remedy: str) -> None:
    frame = table(ds=pd.DatetimeIndex(stamps))
    with pytest.raises(DataError, match="do not keep one step") as fault:
        infer_schema(frame)
    assert remedy in str(fault.value)


def test_last_days_of_trade_are_put_on_those_of_business() -> None:
    """With Good Friday and Memorial Day."""
    days = ["2023-12-29", "2024-01-31", "2024-02-29", "2024-03-28", "2024-04-30", "2024-05-30", "2024-06-28"]
    frame = table(ds=pd.DatetimeIndex(days))
    for asked in ({}, {"frequency": "BME"}):
        schema, notes = infer_schema(frame, **asked)
        panel = to_panel(frame, schema)
        assert panel.times(0, 6, 8).tolist() == [pd.Timestamp("2024-06-28"), pd.Timestamp("2024-07-31")]
        assert asked or any("put on steps of 'BME'; choose others" in note for note in notes)


def test_steps_in_the_columns_may_be_digits_too() -> None:
    labels = MONTHS[:30].strftime("%Y%m")
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(3, 30)), columns=labels)
    frame.insert(0, "name", ["a", "b", "c"])
    panel = to_panel(frame, infer_schema(frame)[0])
    assert panel.names == ("a", "b", "c") and (panel.times(0, 0, 31) == MONTHS[:31]).all()


ODD = [
    "Q1 2020", "2020-W60", "H3 2020", "FY20", "2019/20", "2019/25", "foo-bar 2020", "P1D", "PT", "P", "1 days", "25:61",
    "09:30", "24:00", "12:30 PM", "2020年第9季度", "2020年13月", "M13 2020", "20201332", "00000000", "999999", "0",
    "-5", "1e5", "true",
    "2020-13", "13/2020", "2020-00", "2020.13", "2020Q0", "9999-12", "0000-01", "2020-366", "20209999",
]  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(["time", "week", "year", "quarter", "x", "hour", "date"]),
    cells=st.lists(st.sampled_from(ODD), min_size=1, max_size=2),
    number=st.sampled_from([np.inf, 1e300, -1e300, 2.0**63, 0.5, -7, 1 + 2j]),
    told=st.booleans(),
)
def test_odd_columns_are_read_or_refused_in_a_sentence(name: str, cells: list[str], number: Any, told: bool) -> None:
    for column in (np.resize(cells, 30), np.full(30, number)):
        frame = table(**{name: list(column)})
        try:
            schema, _ = infer_schema(frame, **({"time": name} if told else {}))
            to_panel(frame, schema)
        except DataError as fault:
            assert "\n" not in str(fault) and str(fault).endswith((".", "?"))


def test_what_the_user_says_of_steps_is_kept_for_later_rows() -> None:
    told = ForecastSettings(frequency="D", aggregate="sum")
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=24 * 20, freq="h"), "y": np.arange(480.0)})
    panel = read_panel(frame, told, None, None, lambda notes: None)
    later = read_panel(frame.tail(72), ForecastSettings(), panel.schema, None, lambda notes: None)
    np.testing.assert_array_equal(panel.values[0], np.arange(480.0).reshape(20, 24).sum(1))
    np.testing.assert_array_equal(later.values[0], panel.values[0][-3:])


def days_of_a_spreadsheet(dates: pd.DatetimeIndex) -> Any:
    return (dates - pd.Timestamp("1899-12-30")).days


@pytest.mark.parametrize("name", ["date", "Date", "time", "datum"])
@pytest.mark.parametrize("first", ["2022-01-01", "2023-03-15", "2023-03-16", "2017-09-22", "2021-06-01"])
@pytest.mark.parametrize("mask", ["Sun Mon Tue Wed Thu Fri Sat", "Mon Tue Wed Thu Fri", "Sun Mon Tue Wed Thu"])
def test_days_of_a_spreadsheet_are_no_days_of_a_year(name: str, first: str, mask: str) -> None:
    days = pd.bdate_range(first, periods=120, freq="C", weekmask=mask)
    schema, notes = infer_schema(pd.DataFrame({name: days_of_a_spreadsheet(days), "y": np.arange(120) % 7.0}))
    assert schema.time == name
    assert any("days of a spreadsheet" in note for note in notes)
    panel = to_panel(pd.DataFrame({name: days_of_a_spreadsheet(days), "y": np.arange(120) % 7.0}), schema)
    assert panel.times(0, 0, 1)[0] == days[0]


@pytest.mark.parametrize("form", ["%H.%M.%S", "%H:%M:%S", "%H:%M"])
def test_a_clock_beside_a_date_may_have_points(form: str) -> None:
    hours = pd.date_range("2004-03-10 18:00", periods=120, freq="h")
    table = pd.DataFrame({"Date": hours.strftime("%d/%m/%Y"), "Time": hours.strftime(form), "CO": np.arange(120) % 5.0})
    schema, _ = infer_schema(table)
    assert (schema.time, schema.frequency, schema.targets) == ("Date+Time", "h", ("CO",))
    assert to_panel(table, schema).times(0, 0, 120)[-1] == hours[-1]


@pytest.mark.parametrize("names", [("yyyy", "mm", "dd"), ("dd", "mm", "yyyy"), ("year", "mm", "day")])
def test_mm_is_the_month_where_nothing_else_is(names: tuple[str, ...]) -> None:
    days = pd.date_range("2023-11-20", periods=60)
    part = {"y": days.year, "m": days.month, "d": days.day}
    table = pd.DataFrame({name: part[name[0]] for name in names} | {"sold": np.arange(60) % 7.0})
    schema, _ = infer_schema(table)
    assert (schema.frequency, schema.targets) == ("D", ("sold",))
    assert to_panel(table, schema).times(0, 0, 60)[-1] == days[-1]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("x", 1_700_000_000 + 3600 * np.arange(60)),
        ("a", (1_700_000_000 + 60 * np.arange(60)) * 1000),
        ("seconds", 10 * np.arange(60)),
        ("ms", 0.5 * np.arange(60)),
        ("minutes", 15.0 + 15 * np.arange(60)),
    ],
)
def test_time_that_is_not_called_so_is_no_target(name: str, values: np.ndarray) -> None:
    schema, notes = infer_schema(pd.DataFrame({name: values, "y": np.arange(60) % 7.0}))
    assert schema.targets == ("y",)
    assert schema.time == name or any(f"not used: '{name}'" in note for note in notes)


def test_what_rises_evenly_is_forecast_if_there_is_nothing_else() -> None:
    assert infer_schema(pd.DataFrame({"revenue": 1.5e9 + 1e6 * np.arange(60)}))[0].targets == ("revenue",)


@pytest.mark.parametrize("cell", [[1], {1}, {1: 2}])
def test_a_column_of_lists_is_not_asked_for_names(cell: Any) -> None:
    days = np.tile(pd.date_range("2024-01-01", periods=30), 2)
    table = pd.DataFrame({"z": [cell] * 60, "ds": days, "y": np.arange(60) % 7.0})
    with pytest.raises(DataError, match="id="):
        to_panel(table, infer_schema(table)[0])

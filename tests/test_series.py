"""Tables as regular series: the schema that is found, the panel that is laid out, and every refusal."""

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.calendar.frequency import grid_of
from recurra.data.calendar.pace import infer_frequency
from recurra.data.series import Panel, Schema, infer_schema, long_frame, steps_between, to_panel
from recurra.data.series.season import choose_season, longer_season
from recurra.errors import DataError

FREQUENCIES = [
    "h", "15min", "30min", "10min", "min", "90min", "s", "D", "2D", "B", "W-SUN", "W-WED", "MS", "ME", "BMS", "BME",
    "2MS", "QS-JAN", "QS-FEB", "QE-DEC", "QE-NOV", "YS", "YE", "YS-JUL", "YE-JUN",
]  # fmt: skip


def wave(n: int, season: int = 24, noise: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(n)
    return np.asarray(10 + np.sin(2 * np.pi * np.arange(n) / season) + noise * rng.normal(size=n))


def hours(n: int = 240, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=n, freq="h"), "y": wave(n), **columns})


def panel_of(frame: Any, **given: Any) -> Panel:
    return to_panel(frame, infer_schema(frame, **given)[0])


def notes_of(frame: Any, **given: Any) -> str:
    schema, notes = infer_schema(frame, **given)
    return "; ".join([*notes, *to_panel(frame, schema).notes])


def refusal(frame: Any, **given: Any) -> str:
    with pytest.raises(DataError) as fault:
        panel_of(frame, **given)
    text = str(fault.value)
    assert "\n" not in text and text.endswith((".", "?"))
    return text


# calendars


@settings(max_examples=150, deadline=None)
@given(
    frequency=st.sampled_from(FREQUENCIES),
    start=st.datetimes(pd.Timestamp("1905-01-01"), pd.Timestamp("2060-01-01")),
    n=st.integers(30, 90),
    seed=st.integers(0, 10**6),
    share=st.floats(0, 0.3),
)
def test_a_shuffled_table_with_holes_gives_the_regular_series(
    frequency: str, start: Any, n: int, seed: int, share: float
) -> None:
    rng = np.random.default_rng(seed)
    stamps = pd.date_range(pd.Timestamp(start).floor("h"), periods=n, freq=frequency)
    values = rng.normal(size=n)
    dropped = rng.random(n) < share
    dropped[[0, 1, 2, -2, -1]] = False
    order = rng.permutation(np.flatnonzero(~dropped))
    frame = pd.DataFrame({"ds": stamps[order], "y": values[order]})
    panel = panel_of(frame)
    np.testing.assert_array_equal(panel.values[0], np.where(dropped, np.nan, values))
    assert (panel.times(0, 0, n) == stamps).all()
    following = pd.date_range(stamps[-1], periods=6, freq=frequency)[1:]
    assert (panel.times(0, n, n + 5) == following).all()
    if dropped.any():
        assert f"{dropped.sum()} of {n} time steps had no row" in panel.notes[-1]


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_the_frequency_is_named_as_pandas_names_it(frequency: str) -> None:
    stamps = pd.date_range("2019-06-01", periods=60, freq=frequency)
    schema, _ = infer_schema(pd.DataFrame({"ds": stamps, "y": wave(60)}))
    assert schema.frequency == frequency
    assert (pd.date_range(stamps[0], periods=60, freq=schema.frequency) == stamps).all()


def test_a_day_in_the_middle_of_the_month_is_kept() -> None:
    stamps = pd.date_range("2020-01-01", periods=30, freq="MS") + pd.Timedelta(days=14)
    panel = panel_of(pd.DataFrame({"ds": stamps, "y": wave(30)}))
    assert panel.schema.frequency == "MS"
    assert panel.times(0, 30, 31)[0] == pd.Timestamp("2022-07-15")


def test_five_weekdays_are_not_yet_business_days() -> None:
    assert panel_of(pd.DataFrame({"ds": pd.bdate_range("2024-01-01", periods=5), "y": wave(5)})).schema.frequency == "D"


def test_integer_steps_and_years() -> None:
    years = panel_of(pd.DataFrame({"year": [2001, 2000, 2003, 2004], "y": [2.0, 1.0, 4.0, 5.0]}))
    np.testing.assert_array_equal(years.values[0], [1, 2, np.nan, 4, 5])
    assert years.schema.frequency is None and years.starts == (2000,)
    assert list(years.times(0, 5, 7)) == [2005, 2006]
    fifth = panel_of(pd.DataFrame({"year": range(1950, 2000, 5), "y": wave(10)}))
    assert list(fifth.times(0, 9, 11)) == [1995, 2000]
    bare = panel_of(pd.DataFrame({"y": wave(10)}))
    assert bare.schema.time is None and list(bare.times(0, 9, 11)) == [10, 11]


@pytest.mark.parametrize("frequency", ["D", "h", "MS"])
def test_steps_between_inverts_times(frequency: str) -> None:
    stamps = pd.date_range("2024-01-31" if frequency != "MS" else "2024-01-01", periods=40, freq=frequency)
    panel = panel_of(pd.DataFrame({"ds": stamps, "y": wave(40)}))
    assert [steps_between(panel.starts[0], t, panel.schema) for t in panel.times(0, -3, 50)] == list(range(-3, 50))


@pytest.mark.parametrize(
    ("word", "alias"), [("hourly", "h"), ("H", "h"), ("daily", "D"), ("15min", "15min"), ("M", "MS"), ("W", "W-SUN")]
)
def test_a_frequency_in_words(word: str, alias: str) -> None:
    frame = (
        hours(24 * 70)
        if word != "15min"
        else pd.DataFrame({"ds": pd.date_range("2024", periods=9, freq=word), "y": wave(9)})
    )
    coarse = alias in ("D", "W-SUN", "MS")
    schema, _ = infer_schema(frame, frequency=word, aggregate="mean" if coarse else None)
    assert schema.frequency == alias and schema.snap == coarse


@pytest.mark.parametrize("how", ["sum", "mean", "last", "first", "min", "max"])
@pytest.mark.parametrize("frequency", ["D", "W-SUN", "ME", "MS", "QE-DEC", "YS"])
def test_coarser_steps_are_put_together_as_asked(frequency: str, how: str) -> None:
    stamps = pd.date_range("2023-12-27", "2027-02-03", freq="6h")
    frame = pd.DataFrame({"ds": stamps, "y": wave(len(stamps))})
    frame.loc[40:70, "y"] = np.nan
    text = refusal(frame, frequency=frequency)
    assert f"'{frequency}' is coarser than the data" in text and "aggregate=: 'sum'" in text
    panel = panel_of(frame.sample(frac=1, random_state=0), frequency=frequency, aggregate=how)
    groups = frame.set_index("ds")["y"].resample(frequency)
    expected = groups.agg(how).where(groups.count() > 0)[0 if frequency == "D" else 1 : -1]
    assert (panel.times(0, 0, len(panel.values[0])) == expected.index).all()
    np.testing.assert_allclose(panel.values[0], expected, rtol=1e-12)
    notes = " ".join(panel.notes)
    assert "the table ends at 2027-02-03 00:00:00, within the step" in notes
    assert ("the table begins at" in notes) == (frequency != "D")
    assert f"steps of '{frequency}' ({how} of each)" in notes
    later = to_panel(frame[-3600:], Schema.from_dict(json.loads(json.dumps(panel.schema.to_dict()))))
    np.testing.assert_array_equal(later.values[0], panel.values[0][-len(later.values[0]) :])


def test_what_is_already_together_or_has_no_order_within_a_step() -> None:
    sales = pd.DataFrame({"ds": pd.date_range("2024", periods=90).repeat(3), "y": np.arange(270.0)})
    panel = panel_of(sales, frequency="D", aggregate="sum")
    np.testing.assert_array_equal(panel.values[0], np.arange(270.0).reshape(90, 3).sum(1))
    daily = pd.DataFrame({"ds": pd.date_range("2024", periods=90), "y": 1.0}).assign(y=lambda f: f.index * 1.0)
    months = panel_of(daily, frequency="MS", aggregate="sum")
    assert list(months.values[0]) == [465.0, 1305.0]
    assert "the table ends at 2024-03-30" in " ".join(months.notes)
    again = to_panel(
        pd.DataFrame({"ds": pd.date_range("2024-04", periods=3, freq="MS"), "y": [1.0, 2, 3]}), months.schema
    )
    assert list(again.values[0]) == [1, 2, 3]
    holes = panel_of(daily.drop(index=[3, 4, 40]), frequency="MS", aggregate="sum")
    assert "2 of 2 steps of 'MS' lack rows" in " ".join(holes.notes)
    assert "no whole step of frequency 'YS'" in refusal(daily, frequency="YS", aggregate="sum")
    assert "say which with frequency=" in refusal(daily, aggregate="sum")


@pytest.mark.parametrize(("own", "given"), [("D", "h"), ("MS", "D"), ("W-SUN", "D"), ("2D", "D"), ("h", "15min")])
def test_shorter_steps_than_those_of_the_data_are_refused(own: str, given: str) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=60, freq=own), "y": wave(60)})
    assert f"the data, which have the frequency '{own}'" in refusal(frame, frequency=given)


def test_all_days_instead_of_business_days_and_all_hours_instead_of_those_of_a_shop() -> None:
    days = pd.DataFrame({"ds": pd.bdate_range("2024-01-01", periods=60), "y": wave(60)})
    assert len(panel_of(days, frequency="D").values[0]) == 82
    hour = pd.date_range("2024-01-01", periods=240, freq="h")
    shop = pd.DataFrame({"ds": hour, "y": wave(240)})[(hour.hour >= 8) & (hour.hour <= 17)]
    assert panel_of(shop).schema.frequency == "h@08:00-17:00"
    assert "frequency='h' forecasts them too" in notes_of(shop)
    assert np.isnan(panel_of(shop, frequency="h").values[0]).sum() == 9 * 14


def test_unknown_frequency() -> None:
    assert "Unknown frequency 'hurly'" in refusal(hours(), frequency="hurly")
    assert "choose a longer step" in refusal(hours(), frequency="s")
    assert "plain steps" in refusal(pd.DataFrame({"year": range(2000, 2020), "y": wave(20)}), frequency="D")


# dates as people write them


@pytest.mark.parametrize(
    ("form", "frequency", "words"),
    [
        ("%d/%m/%Y", "D", "day first"),
        ("%m/%d/%Y", "D", "month first"),
        ("%d.%m.%Y %H:%M", "h", "day first"),
        ("%m/%d/%Y %I:%M %p", "h", "month first"),
        ("%d/%m/%Y", "MS", "day first"),
        ("%m/%d/%y", "D", "month first"),
        ("%Y/%m/%d", "D", ""),
        ("%Y%m%d", "D", ""),
        ("%Y-%m-%dT%H:%M:%S", "h", ""),
        ("%d %b %Y", "D", ""),
        ("%b-%y", "MS", ""),
        ("%B %Y", "MS", ""),
        ("%Y年%m月%d日", "D", ""),
        ("%G-W%V", "W-MON", ""),
        ("%s", "h", "1970"),
    ],
)
def test_date_formats(form: str, frequency: str, words: str) -> None:
    stamps = pd.date_range("2024-01-01", periods=60, freq=frequency)
    frame = pd.DataFrame({"date": stamps.strftime(form), "y": wave(60)})
    if form in ("%s", "%Y%m%d"):
        frame["date"] = frame["date"].astype(int)
    panel = panel_of(frame)
    assert panel.schema.frequency == frequency
    assert (panel.times(0, 0, 60) == stamps).all()
    assert words in notes_of(frame)


def test_the_order_of_day_and_month_is_remembered() -> None:
    train = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=60).strftime("%d/%m/%Y"), "y": wave(60)})
    schema, _ = infer_schema(train)
    later = pd.DataFrame({"date": ["01/03/2024", "02/03/2024", "03/03/2024"], "y": [1.0, 2.0, 3.0]})
    assert list(to_panel(later, schema).times(0, 0, 3)) == list(pd.date_range("2024-03-01", periods=3))


def test_an_undecidable_order_is_said() -> None:
    frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=12).strftime("%m/%d/%Y"), "y": wave(12)})
    assert "both ways are possible" in notes_of(frame)


def test_quarters_and_months_as_words() -> None:
    frame = pd.DataFrame({"quarter": ["2020Q1", "2020Q2", "2020Q3", "2020Q4", "2021Q1"], "y": [1.0, 2, 3, 4, 5]})
    assert panel_of(frame).starts == (pd.Timestamp("2020-01-01"),)
    assert panel_of(frame).schema.frequency == "QS-JAN"


def test_columns_that_make_the_time_together() -> None:
    stamps = pd.date_range("2024-02-27", periods=100, freq="h")
    parts = pd.DataFrame({"year": stamps.year, "month": stamps.month, "day": stamps.day, "hour": stamps.hour})
    panel = panel_of(parts.assign(y=wave(100)))
    assert panel.schema.time == "year+month+day+hour" and panel.names == ("y",)
    assert (panel.times(0, 0, 100) == stamps).all()
    split = pd.DataFrame({"Day": stamps.strftime("%d/%m/%Y"), "Clock": stamps.strftime("%H:%M"), "y": wave(100)})
    assert (panel_of(split).times(0, 0, 100) == stamps).all()
    both = pd.DataFrame({"day": stamps.strftime("%Y-%m-%d"), "hr": stamps.hour, "y": wave(100)})
    assert (panel_of(both).times(0, 0, 100) == stamps).all()


@pytest.mark.parametrize("name", ["ts", "epoch", "unix", "timestamp", "ts_ms", "Unix Timestamp"])
@pytest.mark.parametrize("per_second", [1, 1000, 1.0])
def test_epochs_by_their_names(name: str, per_second: float) -> None:
    stamps = pd.date_range("2024-01-01", periods=60, freq="h")
    seconds = stamps.to_numpy().astype("M8[s]").astype(np.int64) * per_second
    panel = panel_of(pd.DataFrame({"y": wave(60), name: seconds}))
    assert panel.names == ("y",) and panel.schema.time == name and panel.schema.frequency == "h"
    assert (panel.times(0, 0, 60) == stamps).all()


def test_epochs_with_fractions() -> None:
    seconds = 1.7e9 + 0.5 * np.arange(60)
    panel = panel_of(pd.DataFrame({"ts": seconds, "y": wave(60)}))
    assert panel.names == ("y",) and panel.schema.frequency == "500ms"


@pytest.mark.parametrize(("year", "month"), [("year", "mo"), ("yr", "mon"), ("YEAR", "mth"), ("Jahr", "Monat")])
def test_short_names_of_year_and_month(year: str, month: str) -> None:
    stamps = pd.date_range("2015-03-01", periods=70, freq="MS")
    panel = panel_of(pd.DataFrame({year: stamps.year, month: stamps.month, "y": wave(70)}))
    assert panel.schema.time == f"{year}+{month}" and panel.names == ("y",)
    assert (panel.times(0, 0, 70) == stamps).all()


def test_an_index_of_times() -> None:
    frame = hours().set_index("ds")
    assert (panel_of(frame).times(0, 0, 240) == frame.index).all()
    monthly = pd.Series(wave(30), index=pd.period_range("2020-01", periods=30, freq="M"), name="sales")
    assert panel_of(monthly).names == ("sales",)
    assert panel_of(monthly).schema.frequency == "MS"


# layouts


def test_wide_takes_every_column_of_numbers_that_varies() -> None:
    frame = hours(load=wave(240), note="x", flat=1.0, empty=np.nan, row=np.arange(1, 241))
    panel = panel_of(frame)
    assert panel.names == ("y", "load") and panel.aligned and len(panel) == 2
    first, second, *_ = infer_schema(frame.assign(ok=[True, False] * 120))[1]
    assert first == "forecasts 2 columns: 'y', 'load'; name one with target="
    assert second == (
        "not used: 'note' (text such as 'x'), 'flat' (never changes), 'empty' (no values), 'row' (only counts the "
        "rows), 'ok' (true or false)"
    )
    told = infer_schema(frame, target="load")[1]
    assert told[:2] == [
        "forecasts 'load'",
        "not used: 'y', 'note', 'flat', 'empty', 'row' (read beside it if named by known=, past= or static=)",
    ]


def test_long_tables() -> None:
    frame = pd.concat([hours(48).assign(unique_id="b"), hours(60).assign(unique_id="a")])
    panel = panel_of(frame)
    assert panel.names == ("b", "a") and not panel.aligned
    assert [len(values) for values in panel.values] == [48, 60]
    renamed = frame.rename(columns={"unique_id": "shop", "ds": "when", "y": "sales"})
    schema, notes = infer_schema(renamed.assign(when=renamed["when"].astype(str)))
    assert (schema.id, schema.time, schema.targets) == ("shop", "when", ("sales",))
    assert "'shop' tells the series apart" in "; ".join(notes)
    assert infer_schema(renamed, id="shop", target="sales")[0].id == "shop"


def test_rows_of_a_long_table_may_come_in_any_order() -> None:
    frame = pd.concat([hours(48).assign(unique_id=name, y=wave(48, season)) for name, season in (("a", 24), ("b", 12))])
    panel, mixed = panel_of(frame), panel_of(frame.sample(frac=1, random_state=1))
    for name, values in zip(mixed.names, mixed.values, strict=True):
        np.testing.assert_array_equal(values, panel.values[panel.names.index(name)])


def test_a_series_in_each_row() -> None:
    values = np.stack([wave(30), wave(30, 12)])
    values[1, 20:] = np.nan
    frame = pd.DataFrame(values, columns=[f"V{i + 2}" for i in range(30)])
    frame.insert(0, "V1", ["H1", "H2"])
    panel = panel_of(frame)
    assert panel.names == ("H1", "H2") and panel.schema.rows
    np.testing.assert_array_equal(panel.values[0], values[0])
    np.testing.assert_array_equal(panel.values[1], values[1, :20])
    years = frame.set_axis(["Country", *map(str, range(1960, 1990))], axis=1)
    assert list(panel_of(years).times(0, 29, 31)) == [1989, 1990]


@pytest.mark.parametrize(
    "months", [pd.date_range("2024", periods=12, freq="MS").strftime("%b").str.upper(), map(str, range(1, 13))]
)
def test_a_year_in_each_row(months: Any) -> None:
    values = wave(60, 12)
    values[[20, 58, 59]] = np.nan
    frame = pd.DataFrame(values.reshape(5, 12), columns=list(months))
    frame.insert(0, "YEAR", np.arange(1950.0, 1955.0))
    panel = panel_of(frame)
    assert panel.names == ("y",) and panel.schema.frequency == "MS" and panel.schema.season == 12
    np.testing.assert_array_equal(panel.values[0], values[:58])
    assert list(panel.times(0, 57, 59)) == [pd.Timestamp("1954-10-01"), pd.Timestamp("1954-11-01")]
    assert "each row is a year ('YEAR')" in notes_of(frame)
    named = panel_of(frame, target=str(frame.columns[3]))
    assert named.names == (frame.columns[3],) and len(named.values[0]) == 5
    with pytest.raises(DataError, match="twelve columns"):
        to_panel(frame.iloc[:, :9], panel.schema)
    assert Schema.from_dict(panel.schema.to_dict()) == panel.schema


@pytest.mark.parametrize("kind", ["polars", "arrow", "text", "nullable", "object"])
def test_other_frames_give_the_same_panel(kind: str) -> None:
    frame = hours(k=[1, 2, 4] * 80)
    frame.loc[5, "y"] = np.nan
    others = {
        "polars": lambda: pl.from_pandas(frame),
        "arrow": lambda: frame.convert_dtypes(dtype_backend="pyarrow"),
        "text": lambda: frame.astype(str),
        "nullable": frame.convert_dtypes,
        "object": lambda: frame.astype(object),
    }
    expected, panel = panel_of(frame), panel_of(others[kind]())
    assert panel.names == expected.names and panel.starts == expected.starts
    np.testing.assert_array_equal(np.stack(panel.values), np.stack(expected.values))


def test_what_is_not_a_table() -> None:
    assert "numpy.ndarray came" in refusal(np.zeros(3))
    assert "Call .collect()" in refusal(pl.DataFrame({"y": [1.0]}).lazy())
    assert "no rows" in refusal(pd.DataFrame({"y": []}))
    assert "one row" in refusal(pd.DataFrame({"y": [1.0]}))
    assert "several columns named 'a'" in refusal(pd.DataFrame([[1, 2]], columns=["a", "a"]))


# what is wrong with a table


def test_missing_or_misspelt_columns() -> None:
    frame = hours().rename(columns={"y": "sales"})
    assert "no column 'sale' for the target. Did you mean 'sales'?" in refusal(frame, target="sale")
    assert "no column 'DS' for the time. Did you mean 'ds'?" in refusal(frame, time="DS")
    assert "no column 'shop' for the id" in refusal(frame, id="shop")
    schema, _ = infer_schema(frame)
    with pytest.raises(DataError, match=r"no column 'sales'.*Did you mean 'sale'"):
        to_panel(frame.rename(columns={"sales": "sale"}), schema)
    assert "cannot be the target and the time" in refusal(frame, time="ds", target="ds")


def test_text_in_a_number_column_names_row_and_value() -> None:
    frame = hours().astype({"y": object})
    frame.loc[40, "y"] = "abc"
    for asked in ({}, {"target": "y"}):
        assert "Column 'y' has the text 'abc' in row 41" in refusal(frame, **asked)
    frame.loc[40, "y"] = "7,5"
    assert "for decimals or for thousands?" in refusal(frame)
    assert "holds dates" in refusal(hours(), target="ds")


def test_infinities_name_the_row() -> None:
    for bad in (np.inf, -np.inf):
        frame = hours()
        frame.loc[6, "y"] = bad
        assert "Column 'y' has an infinite value in row 7" in refusal(frame)


def test_unsorted_rows_are_sorted_and_said() -> None:
    frame = hours()
    np.testing.assert_array_equal(panel_of(frame[::-1]).values[0], frame["y"])
    assert "from new to old" in notes_of(frame[::-1])
    assert "not in order of time" in notes_of(frame.sample(frac=1, random_state=0))
    assert notes_of(frame).count("order") == 0


def test_doubled_stamps_are_averaged_up_to_a_share() -> None:
    frame = pd.concat([hours(), hours()[:3].assign(y=[1.0, np.nan, 3.0])])
    y = hours()["y"]
    np.testing.assert_allclose(panel_of(frame).values[0][:3], [(y[0] + 1) / 2, y[1], (y[2] + 3) / 2])
    assert "3 doubled time stamps averaged" in notes_of(frame)
    assert "several series in one table? Name the column" in refusal(pd.concat([hours(), hours()[:40]]))


def test_missing_values_are_counted() -> None:
    frame = hours()
    frame.loc[[3, 9], "y"] = np.nan
    assert "'y' has 2 missing values" in notes_of(frame)
    assert np.isnan(panel_of(frame).values[0]).sum() == 2


def test_a_tail_without_values_is_left_out() -> None:
    frame = hours(z=wave(240))
    frame.loc[230:, ["y", "z"]] = np.nan
    frame.loc[225:, "z"] = np.nan
    schema, _ = infer_schema(frame)
    panel = to_panel(frame, schema)
    assert [len(values) for values in panel.values] == [230, 230] and panel.aligned
    assert "the last 10 time step(s) have no value and were left out" in panel.notes[-2]
    assert "the last 5 value(s) of 'z' are missing" in panel.notes[-1]
    assert to_panel(frame[:230], schema).times(0, 230, 231)[0] == panel.times(0, 230, 231)[0]


def test_each_series_of_a_long_table_ends_with_its_own_last_value() -> None:
    long = pd.concat([hours(30).assign(unique_id="a"), hours(30).assign(unique_id="b")], ignore_index=True)
    long.loc[[28, 29, 57, 58, 59], "y"] = np.nan
    panel = panel_of(long)
    assert [len(values) for values in panel.values] == [28, 27]
    assert "the last 2 to 3 time step(s) of 2 of the 2 series" in panel.notes[-1]


def test_two_columns_that_tell_series_apart_only_together() -> None:
    parts = [hours(30).assign(shop=a, item=b) for a in ("n", "s") for b in ("x", "z")]
    frame = pd.concat(parts, ignore_index=True)
    for asked in ({}, {"id": "shop"}):
        text = refusal(frame, **asked)
        assert "'shop' and 'item' together" in text and "id='shop+item'" in text
    assert panel_of(frame, id="shop+item").names == ("n/x", "n/z", "s/x", "s/z")
    more = pd.concat([frame.assign(land=land) for land in ("p", "q")])
    assert "id='shop+item+land'" in refusal(more) and len(panel_of(more, id="land+shop+item")) == 8
    clash = pd.concat([hours(30).assign(shop=a, item=b) for a, b in (("a/b", "c"), ("a", "b/c"))])
    assert "Two series would be called 'a/b/c'" in refusal(clash, id="shop+item")
    assert "no column 'kind' for the id" in refusal(frame, id="shop+kind")


def test_mixed_frequencies() -> None:
    stamps = pd.date_range("2024-01-01", periods=200, freq="h").append(pd.date_range("2024-02-01", periods=30))
    for order in (stamps, stamps[::-1]):
        text = refusal(pd.DataFrame({"ds": order, "y": wave(230)}))
        assert "mix several frequencies: most are 1 hour apart" in text and "frequency=" in text


def test_jittered_stamps() -> None:
    jitter = pd.to_timedelta(np.random.default_rng(0).integers(0, 600, 240), unit="s")
    frame = hours()
    frame["ds"] += jitter
    for asked in ({}, {"frequency": "h"}):
        np.testing.assert_array_equal(panel_of(frame, **asked).values[0], frame["y"])
    sensor = hours()
    seconds = 300 * np.arange(240) + np.random.default_rng(1).integers(0, 9, 240)
    sensor["ds"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s")
    np.testing.assert_array_equal(panel_of(sensor).values[0], sensor["y"])
    one = hours()
    one.loc[100, "ds"] += pd.Timedelta(minutes=7)
    assert "2024-01-05 04:07:00 comes 67 minutes after 2024-01-05 03:00:00" in refusal(one)


def test_later_data_must_lie_on_the_known_steps() -> None:
    schema, _ = infer_schema(pd.DataFrame({"ds": pd.date_range("2024", periods=30), "y": wave(30)}))
    with pytest.raises(DataError, match="does not lie on the steps of frequency 'D'"):
        to_panel(hours(), schema)


def test_bad_dates_name_the_row() -> None:
    frame = hours().astype({"ds": str})
    frame.loc[20, "ds"] = "2024-02-33"
    assert "'2024-02-33' in row 21" in refusal(frame)
    frame.loc[20, "ds"] = None
    assert "is empty in row 21" in refusal(frame)
    assert "is empty in row 2" in refusal(hours(4).assign(unique_id=["a", None, "a", "a"]))


def test_constant_series_are_series() -> None:
    for told in ({}, {"target": "y"}):
        schema, notes = infer_schema(hours().assign(y=1.0), **told)
        assert schema.targets == ("y",) and "'y' never changes, and neither will its forecast" in notes
    long = pd.concat([hours(30).assign(unique_id="a"), hours(30).assign(unique_id="b", y=2.0)])
    assert len(panel_of(long)) == 2
    assert "'a', 'b' never changes" in " ".join(infer_schema(long.assign(y=1.0))[1])
    two = hours().assign(y=1.0, x=np.arange(len(hours())) ** 2.0)
    assert infer_schema(two)[0].targets == ("x",), "what varies comes first"


def test_a_series_without_values() -> None:
    assert "Every value of the series 'z' is missing" in refusal(hours(z=np.nan), target=("y", "z"))
    long = pd.concat([hours(30).assign(unique_id="a"), hours(30).assign(unique_id="b", y=np.nan)])
    assert "Every value of the series 'b' is missing" in refusal(long)


# time zones and clock changes


@pytest.mark.parametrize("start", ["2024-03-25", "2024-10-20"])
def test_hours_with_a_zone_run_through_the_clock_change(start: str) -> None:
    stamps = pd.date_range(start, periods=300, freq="h", tz="Europe/Berlin")
    panel = panel_of(pd.DataFrame({"ds": stamps, "y": wave(300)}))
    assert panel.schema.timezone == "Europe/Berlin" and panel.notes == ()
    assert (panel.times(0, 0, 300) == stamps).all()
    assert str(panel.times(0, 300, 301).tz) == "Europe/Berlin"
    saved = pd.Timestamp(panel.starts[0].isoformat())  # as a run folder keeps it: an offset, no zone
    again = Panel(panel.schema, panel.names, (), (saved,))
    assert (again.times(0, 0, 300) == stamps).all()


def test_days_with_a_zone_keep_local_midnight() -> None:
    stamps = pd.date_range("2024-03-20", periods=30, freq="D", tz="America/New_York")
    panel = panel_of(pd.DataFrame({"ds": stamps[:20], "y": wave(20)}))
    assert panel.schema.frequency == "D"
    assert (panel.times(0, 0, 30) == stamps).all()
    berlin = pd.date_range("2024-03-20", periods=30, freq="D", tz="Europe/Berlin").tz_convert("UTC")
    assert "local dates instead of UTC" in refusal(pd.DataFrame({"ds": berlin, "y": wave(30)}))


def test_local_hours_without_zone() -> None:
    autumn = pd.date_range("2024-10-20", periods=300, freq="h", tz="Europe/Berlin").tz_localize(None)
    frame = pd.DataFrame({"ds": autumn, "y": np.arange(300.0)})
    double = int(np.flatnonzero(frame["ds"].duplicated())[0])
    values = panel_of(frame).values[0]
    assert len(values) == 299 and values[double - 1] == double - 0.5
    assert "1 doubled time stamp averaged (the hour that comes twice" in notes_of(frame)
    spring = pd.date_range("2024-03-25", periods=300, freq="h", tz="Europe/Berlin").tz_localize(None)
    values = panel_of(pd.DataFrame({"ds": spring, "y": wave(300)})).values[0]
    assert len(values) == 301 and np.isnan(values).sum() == 1


def test_offsets_in_text() -> None:
    stamps = pd.date_range("2024-03-25", periods=300, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"ds": [t.isoformat() for t in stamps], "y": wave(300)})
    panel = panel_of(frame)
    assert panel.schema.timezone == "UTC" and (panel.times(0, 0, 300) == stamps).all()
    assert "labelled in UTC" in notes_of(frame)
    assert panel_of(frame[:20]).schema.timezone == "UTC+01:00"
    with pytest.raises(DataError, match="have a time zone"):
        to_panel(frame, infer_schema(hours())[0])


# season


@pytest.mark.parametrize(
    ("frequency", "true", "n"),
    [("h", 24, 400), ("h", 168, 900), ("15min", 96, 500), ("D", 7, 200), ("D", 365, 1500), ("W-SUN", 52, 200),
     ("MS", 12, 80), ("QS-JAN", 4, 60), ("B", 5, 100)],
)  # fmt: skip
def test_the_season_that_the_values_repeat(frequency: str, true: int, n: int) -> None:
    rng = np.random.default_rng(0)
    shape = rng.normal(size=true) if true < 300 else 3 * np.sin(2 * np.pi * np.arange(true) / true)
    season, note = choose_season(frequency, [np.resize(shape, n) + 0.1 * rng.normal(size=n)])
    assert season == true
    assert note.startswith(f"season {true} (")


def weekly(weeks: int, strength: float) -> np.ndarray:
    """Hours with a daily cycle whose days of the week differ."""
    draw = np.random.default_rng(4)
    day = np.sin(np.arange(24 * 7 * weeks) * 2 * np.pi / 24)
    return (
        day + strength * np.repeat(np.resize([0, 0, 0, 0, 0, 1, 2], 7 * weeks), 24) + 0.5 * draw.normal(size=day.size)
    )


def test_a_longer_season_is_found_where_it_adds_something() -> None:
    assert longer_season("h", [weekly(12, 1.0)], 24) == 168
    assert longer_season("h", [weekly(12, 0.0)], 24) == 0
    assert longer_season("h", [weekly(5, 1.0)], 24) == 0  # too short to tell
    assert longer_season("h", [weekly(12, 1.0)], 168) == 0  # there is none beyond the week
    assert longer_season("h", [weekly(12, 1.0)], 1) == 0
    assert longer_season("D", [weekly(12, 1.0)[::24]], 7) == 0
    assert longer_season(None, [weekly(12, 1.0)], 24) == 0
    gaps = weekly(12, 1.0)
    gaps[::5] = np.nan
    assert longer_season("h", [gaps], 24) == 168
    assert longer_season("h", [np.full(3000, 7.0)], 24) == 0
    schema, notes = infer_schema(hours(24 * 7 * 12, load=weekly(12, 0.4)).drop(columns="y"))
    assert (schema.season, schema.longer) == (24, 168) and "a longer season of 168 beside it" in notes


def test_no_season_in_a_random_walk_and_no_year_in_years() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=2000))
    assert choose_season("D", [walk])[0] == 1
    assert choose_season("YS", [wave(60, 11)])[0] == 1
    assert choose_season(None, [wave(300, 11)], years=True)[0] == 1


def test_integer_steps_take_the_season_of_the_values() -> None:
    assert choose_season(None, [wave(300, 11), wave(200, 11)])[0] == 11
    assert choose_season(None, [np.random.default_rng(1).normal(size=400)])[0] == 1


def test_held_out_rows_have_no_say_in_the_season() -> None:
    frame = hours(500)
    noise = frame.assign(y=np.append(frame["y"][:400], np.random.default_rng(3).normal(size=100) * 1e4))
    assert infer_schema(frame)[0].season == infer_schema(noise)[0].season == 24


def test_a_given_season_is_kept() -> None:
    assert infer_schema(hours(), season=5)[0].season == 5
    assert choose_season("h", [wave(30)]) == (24, "season 24 (hours in a day; too few values to check it)")


# panel, schema, frames


def test_a_schema_survives_json() -> None:
    schema, _ = infer_schema(hours(load=wave(240)))
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema
    with pytest.raises(DataError, match="unknown entry 'colour'"):
        Schema.from_dict({**schema.to_dict(), "colour": 1})


def test_some_series_keep_their_labels() -> None:
    frame = hours(load=wave(240), price=wave(240))
    panel = panel_of(frame)
    names = [panel.names[n] for n in (2, 0)]
    part = panel.some([2, 0])
    assert part.names == tuple(names) and len(part) == 2 < len(panel)
    np.testing.assert_array_equal(part.values[0], panel.values[2])
    np.testing.assert_array_equal(part.values[1], panel.values[0])
    assert part.schema == panel.schema and part.notes == panel.notes
    assert part.times(0, 0, 40).equals(panel.times(2, 0, 40))
    assert len(panel.some([])) == 0


def test_a_panel_that_is_cut_keeps_its_labels() -> None:
    panel = panel_of(hours(load=wave(240)))
    starts = (panel.times(0, 10, 11)[0], panel.times(1, 20, 21)[0])
    values = (panel.values[0][10:50], panel.values[1][20:60])
    part = dataclasses.replace(panel, values=values, starts=starts)
    np.testing.assert_array_equal(part.values[1], panel.values[1][20:60])
    assert part.times(1, 0, 40).equals(panel.times(1, 20, 60))
    assert panel.aligned and not part.aligned
    assert part.some([1]).times(0, 0, 40).equals(panel.times(1, 20, 60)), "each keeps its own start"
    assert part.some([1]).aligned


def test_the_panel_does_not_change_the_table() -> None:
    frame = hours()
    kept = frame.copy()
    panel = panel_of(frame)
    panel.values[0][:] = 0
    pd.testing.assert_frame_equal(frame, kept)


def test_long_frame() -> None:
    times = [pd.date_range("2024", periods=2), pd.date_range("2025", periods=3)]
    frame = long_frame(("a", "b"), times, {"yhat": np.arange(5.0)})
    assert list(frame.columns) == ["unique_id", "ds", "yhat"]
    assert frame["unique_id"].tolist() == ["a", "a", "b", "b", "b"]
    assert frame["ds"].tolist() == [*times[0], *times[1]]
    assert long_frame(("a",), [pd.Index([3, 4])], {"yhat": np.zeros(2)})["ds"].tolist() == [3, 4]


def test_a_thousand_series_in_any_order() -> None:
    stamps = pd.date_range("2020", periods=300, freq="h")
    frame = pd.DataFrame(
        {"unique_id": np.repeat([f"s{i}" for i in range(1000)], 300), "ds": np.tile(stamps, 1000), "y": wave(300_000)}
    )
    mixed = frame.sample(frac=0.95, random_state=0)
    panel = panel_of(mixed)
    assert len(panel) == 1000
    assert np.isnan(np.concatenate(panel.values)).sum() + len(mixed) == sum(map(len, panel.values))


def test_grids_refuse_what_they_cannot_count() -> None:
    for name in ("bh", "C", "nonsense", "M@0,5", "M@29,31", "2h@25:00", "D@XYZ", "5h@08:00-20:00", "h@", "2SMS-15"):
        with pytest.raises(DataError, match="Unknown frequency"):
            grid_of(name)
    with pytest.raises(DataError, match="only one time stamp"):
        infer_frequency(np.zeros(3, np.int64))


@pytest.mark.parametrize("form", ["%Y", "%Y-%m-%d", "%b-%Y"])
@pytest.mark.parametrize("beside", [["code"], ["code", "indicator", "unit"]])
@pytest.mark.parametrize("named", [True, False])
def test_rows_that_are_series_may_have_more_text_beside_their_name(form: str, beside: list[str], named: bool) -> None:
    frequency = {"%Y": "YS", "%Y-%m-%d": "D", "%b-%Y": "MS"}[form]
    steps = pd.date_range("1990-01-01", periods=30, freq=frequency).strftime(form)
    values = pd.DataFrame(np.random.default_rng(0).normal(size=(4, 30)), columns=steps)
    values.iloc[1, :5] = np.nan
    values.iloc[:, 29] = np.nan  # a year that nobody has filled in yet
    text = pd.DataFrame({name: ["same"] * 4 for name in beside})
    text.insert(0 if named else len(beside), "country", ["Aruba", "Andorra", "Angola", "Albania"])
    table = pd.concat([text, values], axis=1)
    schema, notes = infer_schema(table)
    panel = to_panel(table, schema)
    assert schema.rows and schema.id == "country" and "not used: 'code'" in " ".join(notes)
    assert list(panel.names) == list(text["country"]) and [len(one) for one in panel.values] == [29, 24, 29, 29]
    with pytest.raises(DataError, match="spam"):
        to_panel(table.rename(columns={steps[3]: "spam"}), schema)


def test_columns_of_text_and_many_of_numbers_are_no_rows_of_series() -> None:
    table = pd.DataFrame({f"x{n}": wave(40) + n for n in range(25)})
    table.insert(0, "note", [f"row {n}" for n in range(40)])
    table.insert(1, "kind", ["a", "b"] * 20)
    assert not infer_schema(table)[0].rows

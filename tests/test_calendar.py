"""Calendars: what is labelled is read again, closed times stay closed, digits and words are dates."""

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.calendar.frequency import grid_of, known_frequency
from recurra.data.calendar.grid import DAY
from recurra.data.calendar.pace import infer_frequency
from recurra.errors import DataError

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


@settings(max_examples=500, deadline=None)
@given(frequency=st.sampled_from(PANDAS + OWN), start=STARTS, n=st.integers(3, 70), more=st.integers(1, 40))
def test_what_is_labelled_is_read_as_the_same_calendar(frequency: str, start: Any, n: int, more: int) -> None:
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

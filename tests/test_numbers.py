"""Numbers are written in one way wherever a person reads them."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recurra.writing.numbers import column, decimals_of, digits, finite, percent, percents, short

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([0.5123, 12.0], ["0.512", "12.000"]),
        ([1234.5, 99.0], ["1,234.5", "99.0"]),
        ([0.5, 0.25], ["0.5000", "0.2500"]),
        ([0.00123, 0.00125], ["0.001230", "0.001250"]),
        ([1234567, -5], ["1,234,567", "-5"]),
        ([2.0, 1.0, NAN], ["2", "1", "–"]),
        ([0.0, None], ["0", "–"]),
        ([12.3456, INF, -INF], ["12.35", "∞", "-∞"]),
        ([0.34641, -1e-7, 0.0], ["0.3464", "-1.0e-07", "0.0000"]),
        ([1.2344e-9, 2e-9, 0.5e-9, 0.0], ["1.234e-09", "2.000e-09", "5.000e-10", "0"]),
        ([3.21e9, 2.5, 10**10], ["3.210e+09", "2", "10,000,000,000"]),
        ([], []),
    ],
)
def test_a_column_has_the_same_decimals(values: list[float | None], texts: list[str]) -> None:
    assert column(values) == texts


def test_one_large_or_small_number_does_not_rob_the_others_of_their_digits() -> None:
    assert column([0.5123, 0.6234, 1e6]) == ["0.5123", "0.6234", "1,000,000.0000"]
    assert column([0.5123, 0.6234, 1e-12]) == ["0.5123", "0.6234", "1.0e-12"]


def test_the_decimals_of_a_column_can_be_asked_for() -> None:
    columns = ([0.5], [12.5, NAN], [1e5 + 0.5], [3.0], [], [1e-9])
    assert [decimals_of(values) for values in columns] == [4, 2, 0, 0, 0, 6]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234.56, "1,235"),
        (123.4, "123"),
        (12.34, "12.3"),
        (-1.2345, "-1.23"),
        (0.1234, "0.123"),
        (0.04, "0.040"),
        (1e-9, "<0.001"),
        (-1e-9, ">-0.001"),
        (0.0, "0.00"),
        (0, "0"),
        (999_999, "999,999"),
        (1_234_567, "1.23M"),
        (123_456_789.0, "123M"),
        (2.5e12, "2.50e+12"),
        (None, "–"),
        (NAN, "–"),
        (INF, "∞"),
    ],
)
def test_a_number_alone_is_short(value: float | None, text: str) -> None:
    assert short(value) == text


def test_shares_are_written_as_people_say_them() -> None:
    shares = [1.0, 0.1234, 0.0345, 0.0005, 0.00001, 0.0, None]
    assert [percent(share) for share in shares] == ["100 %", "12 %", "3.5 %", "0.05 %", "under 0.01 %", "0 %", "–"]


def test_files_hold_only_numbers_that_json_has() -> None:
    given = {"a": [1.0, NAN], "b": (INF, {"c": -INF}), "d": "nan"}
    assert finite(given) == {"a": [1.0, None], "b": [None, {"c": None}], "d": "nan"}


@example(35)
@given(st.integers(0, 10_000))
def test_two_shares_add_up_as_they_are_written(hundredths: int) -> None:
    share = hundredths / 10_000
    texts = percents([share, 1 - share])
    assert sum(float(text.removesuffix(" %")) for text in texts) == pytest.approx(100, abs=1e-9)
    assert [float(text.removesuffix(" %")) == 0 for text in texts] == [share == 0, share == 1]


def test_two_shares_have_the_decimals_that_show_both() -> None:
    assert percents([0.0617, 0.9383]) == ["6 %", "94 %"]
    assert percents([0.0025, 0.9975]) == ["0.2 %", "99.8 %"]
    assert percents([1e-6, 1 - 1e-6]) == ["under 0.01 %", "100.00 %"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12346, "0.1235"),
        (12.0, "12"),
        (-9999.6, "-10,000"),
        (1e-7, "1e-07"),
        (120957.7, "120,958"),
        (-2e6, "-2,000,000"),
        (3e9, "3e+09"),
    ],
)
def test_large_numbers_are_whole(value: float, text: str) -> None:
    assert digits(value) == text

"""What tells series and cases apart: text as it was written, one name for one thing, in files and in frames."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recurra.data.cases import frame_cases, read_cases
from recurra.data.series import Panel, infer_schema, long_frame, to_panel
from recurra.data.series.ids import sounds_like_id
from recurra.data.tables.files import read_table
from recurra.data.tables.names import look_alikes, name_codes
from recurra.errors import DataError, RowError

DAYS = pd.date_range("2024-01-01", periods=12).strftime("%Y-%m-%d")
WRITTEN = [
    "01001", "012", "12", "1E5", "10E4", "1e5", "NA", "N/A", "nan", "null", "None", "-", "?", ".", "0x10", "TRUE",
    "True", "1.0", "1", "1.10", "1.1", "9007199254740993", "9007199254740992", "-1", "2024-01-01", "Infinity", "a",
    "a ", " a", "é", "e\u0301", "1,5", 'say "a"', "A", "½", "#1", "1_000", "5%", "$5", "12 kg", "(3)", "Total", "行",
]  # fmt: skip
NAMES = st.lists(
    st.sampled_from(WRITTEN) | st.text("aA01.eE -_/+é", min_size=1, max_size=6).filter(str.strip),
    min_size=2,
    max_size=6,
    unique=True,
)


def table(names: list[Any], column: str = "unique_id") -> pd.DataFrame:
    ids = np.repeat(np.array(names, dtype=object), len(DAYS))
    values = np.round(np.random.default_rng(0).normal(50, 9, len(ids)), 2)
    return pd.DataFrame({column: ids, "ds": np.tile(DAYS, len(names)), "y": values})


def panel_of(frame: Any, **given: Any) -> Panel:
    return to_panel(frame, infer_schema(frame, **given)[0])


def read(path: Path, *names: str) -> Panel:
    return panel_of(read_table(path, ("unique_id", *names), sounds_like_id)[0], id=names[0] if names else None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=NAMES,
    sep=st.sampled_from([",", ";", "\t"]),
    column=st.sampled_from(["unique_id", "shop"]),
    mixed=st.booleans(),
)
@example(names=WRITTEN, sep=",", column="unique_id", mixed=True)
@example(names=WRITTEN, sep="\t", column="shop", mixed=False)
def test_names_in_a_file_are_what_is_written(
    tmp_path: Path, names: list[str], sep: str, column: str, mixed: bool
) -> None:
    frame = table(names, column)
    frame = frame.sort_values("ds", kind="stable") if mixed else frame
    frame.to_csv(tmp_path / "a.csv", index=False, sep=sep)
    panel = read(tmp_path / "a.csv", *([column] if column != "unique_id" else []))
    assert panel.names == tuple(names)
    for name, values in zip(panel.names, panel.values, strict=True):
        np.testing.assert_array_equal(values, frame["y"][frame[column] == name])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES)
@example(names=WRITTEN)
@example(names=[" a"])
def test_answers_name_series_as_they_were_and_read_back_so(tmp_path: Path, names: list[str]) -> None:
    answer = long_frame(
        tuple(names), [pd.date_range("2024", periods=3)] * len(names), {"yhat": np.arange(3.0 * len(names))}
    )
    answer.to_csv(tmp_path / "a.csv", index=False)
    answer.to_parquet(tmp_path / "a.parquet")
    for ending in ("csv", "parquet"):
        assert read(tmp_path / f"a.{ending}").names == tuple(names)
    rows = json.loads(answer.to_json(orient="records", date_format="iso"))
    assert list(dict.fromkeys(row["unique_id"] for row in rows)) == names


@pytest.mark.parametrize("column", ["store", "store_id", "storeId", "SKU", "fips", "Sensor"])
def test_a_column_that_is_called_an_id_is_read_as_written(tmp_path: Path, column: str) -> None:
    table(["012", "12", "007"], column).to_csv(tmp_path / "a.csv", index=False)
    assert read(tmp_path / "a.csv").names == ("012", "12", "007")
    frame = table(["012", "12"], column).assign(**{column: np.arange(24) / 4})
    frame[:12].to_csv(tmp_path / "b.csv", index=False, sep=";", decimal=",")
    kept, _ = read_table(tmp_path / "b.csv", (), sounds_like_id)
    assert kept[column].tolist() == (np.arange(12) / 4).tolist(), "numbers with fractions name nothing"


def test_what_is_called_an_id_and_names_no_series_is_not_forecast(tmp_path: Path) -> None:
    frame = table(["a"]).drop(columns="unique_id").assign(customer_id=np.arange(12) % 5)
    notes = infer_schema(frame)[1]
    assert notes[0] == "forecasts 'y'" and notes[1] == "not used: 'customer_id' (an id by its name)"
    assert panel_of(frame.drop(columns="y")).names == ("customer_id",), "unless there is nothing else"


def test_a_blank_behind_every_separator_is_no_part_of_a_name(tmp_path: Path) -> None:
    text = table(["a", "b"]).to_csv(index=False)
    (tmp_path / "a.csv").write_text(text.replace(",", ", "))
    assert read(tmp_path / "a.csv").names == ("a", "b")
    rows = text.splitlines()
    (tmp_path / "b.csv").write_text("\n".join([rows[0], *(row.replace("b,", " a,") for row in rows[1:])]))
    assert read(tmp_path / "b.csv").names == ("a", " a")


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([1, 1.0, np.int8(1), np.float32(1), Decimal(1), Decimal("1.0")], "1"),
        ([-3, -3.0], "-3"),
        ([2**60, np.uint64(2**60), Decimal(2**60)], str(2**60)),
        ([True, np.bool_(True)], "True"),
        ([0.5, np.float64(0.5)], "0.5"),
        ([pd.Timestamp("2024-01-01")], "2024-01-01 00:00:00"),
    ],
)
def test_one_value_has_one_name_whatever_holds_it(values: list[Any], name: str) -> None:
    for value in values:
        codes, names = name_codes(pd.Series([value, "other", None], dtype=object))
        assert names == (name, "other") and codes.tolist() == [0, 1, -1]
    assert name_codes(pd.Series(values, dtype=object))[1] == (name,)
    days = pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"]))
    assert name_codes(days)[1] == ("2024-01-01", "2024-01-02")


@pytest.mark.parametrize(
    ("one", "other"), [(1, "1"), (1.0, "1"), (True, "True"), (Decimal(1), "1"), (np.int64(7), "7"), ("0.5", 0.5)]
)
def test_a_number_and_a_text_of_one_name_are_refused(one: Any, other: Any) -> None:
    for frame in (table([one, other]), table([one, other]).astype({"unique_id": "category"})):
        with pytest.raises(DataError, match="which would be one name"):
            panel_of(frame)
    with pytest.raises(DataError, match="which would be one name"):
        frame_cases(pd.DataFrame({"id": [one, other], "label": ["u", "v"], "s1": [1.0, 2], "s2": [3.0, 4]}))
    assert panel_of(table([1, True])).names == ("1", "True")


def test_long_numbers_that_became_floats_are_refused() -> None:
    with pytest.raises(DataError, match="cannot tell names of so many digits apart"):
        panel_of(table([2.0**53, 2.0**54]).astype({"unique_id": float}))
    assert panel_of(table([2**53 + 1, 2**53 + 2]).astype({"unique_id": "int64"})).names == (
        "9007199254740993",
        "9007199254740994",
    )


@pytest.mark.parametrize("empty", [None, np.nan, "", "  "])
def test_an_empty_name_is_refused_with_its_row(empty: Any) -> None:
    frame = table(["a", "b"])
    frame.loc[7, "unique_id"] = empty
    with pytest.raises(RowError, match="'unique_id' is empty in row 8"):
        panel_of(frame)


def test_names_that_look_alike_are_said() -> None:
    assert look_alikes(["a", "b", "a ", "A", "1", "01", "1.0", "ﬁ", "fi"]) == [
        ("a", "a "), ("a", "A"), ("1", "01"), ("1", "1.0"), ("ﬁ", "fi"),
    ]  # fmt: skip
    assert look_alikes(["1.0", "c"], ["1", "2"]) == [("1", "1.0")]
    assert look_alikes(["9007199254740993", "9007199254740992", "1e400", "", "_1"]) == []
    assert "careful: 'a' and 'a ' look alike, but are two series" in panel_of(table(["a", "a "])).notes


@pytest.mark.parametrize("layout", ["wide", "long"])
def test_ids_and_labels_of_cases_are_what_is_written(tmp_path: Path, layout: str) -> None:
    names = ["01", "1", "001", "NA", "1E5", "a "]
    labels = ["01", "1", "NA", "TRUE", "none", "1"]
    frame = pd.DataFrame({"id": names, "label": labels, "s1": [1.5] * 6, "s2": 2.5, "s3": 3.5})
    if layout == "long":
        frame = frame.melt(["id", "label"], var_name="step", value_name="v").assign(step=lambda f: f.step.str[1:])
    frame.to_csv(tmp_path / "a.csv", index=False)
    cases = read_cases(tmp_path / "a.csv")
    assert cases.names == tuple(names) and cases.labels == tuple(labels)
    some = frame[frame["label"] == "NA"]
    some.to_csv(tmp_path / "b.csv", index=False)
    assert read_cases(tmp_path / "b.csv").labels == ("NA",)
    frame.assign(label="?").to_csv(tmp_path / "c.csv", index=False)
    assert read_cases(tmp_path / "c.csv", labelled=False).labels is None


def test_labels_written_in_two_ways_are_said() -> None:
    frame = pd.DataFrame({"label": ["1.0", "1", " b", "b", "c"], "s1": range(5), "s2": 1.0})
    notes = frame_cases(frame).notes
    assert "the labels '1.0' and '1' were taken as one class" in notes
    assert "the labels ' b' and 'b' were taken as one class" in notes

"""One table in every type that holds it: the same series, or a refusal that names column and type."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.cases import fingerprint, frame_cases
from recurra.data.series import Panel, infer_schema, to_panel
from recurra.data.tables.columns import as_pandas
from recurra.errors import DataError

DAYS = pd.date_range("2024-01-30", periods=30)
VALUES = np.round(np.random.default_rng(0).normal(100, 10, 60), 2)
TABLE = pd.DataFrame({"store": np.repeat(["a", "b"], 30), "date": np.tile(DAYS, 2), "sales": VALUES})
WHOLE = TABLE.assign(store=np.repeat([7, 12], 30), sales=np.round(VALUES).astype(np.int64))


def panel_of(frame: Any) -> Panel:
    return to_panel(frame, infer_schema(frame)[0])


def same(one: Panel, other: Panel) -> None:
    assert (one.names, one.starts, one.schema) == (other.names, other.starts, other.schema)
    for values, others in zip(one.values, other.values, strict=True):
        np.testing.assert_array_equal(values, others)


def arrow(kind: Any) -> Callable[[pd.Series], pd.Series]:
    return lambda column: pd.Series(pd.array(column.tolist(), dtype=pd.ArrowDtype(kind)), index=column.index)


def encoded(column: pd.Series) -> pd.Series:
    coded = pa.chunked_array([pa.array(column.tolist()).dictionary_encode()])
    return pd.Series(pd.arrays.ArrowExtensionArray(coded), index=column.index)


def objects(make: Callable[[Any], Any]) -> Callable[[pd.Series], pd.Series]:
    return lambda column: pd.Series([make(value) for value in column.tolist()], index=column.index, dtype=object)


def cast(dtype: Any) -> Callable[[pd.Series], pd.Series]:
    return lambda column: column.astype(dtype)


NAMES = {
    "object": cast(object), "category": cast("category"), "string[python]": cast("string[python]"),
    "string[pyarrow]": cast("string[pyarrow]"), "bytes": objects(str.encode), "arrow": arrow(pa.string()),
    "arrow, large": arrow(pa.large_string()), "arrow, binary": arrow(pa.binary()), "arrow, dictionary": encoded,
}  # fmt: skip
IDS = {
    "int8": cast("int8"), "uint64": cast("uint64"), "float64": cast("float64"), "float32": cast("float32"),
    "Int64": cast("Int64"), "Float64": cast("Float64"), "text": cast(str), "category": cast("category"),
    "category of text": lambda column: column.astype(str).astype("category"), "int": objects(int),
    "float": objects(float), "Decimal": objects(Decimal), "mixed": objects(lambda v: float(v) if v == 7 else v),
    "arrow, int": arrow(pa.int32()), "arrow, float": arrow(pa.float64()), "arrow, decimal": arrow(pa.decimal128(30, 0)),
    "arrow, dictionary": encoded, "sparse": cast(pd.SparseDtype("int64", 0)),
}  # fmt: skip
NUMBERS = {
    "Float64": cast("Float64"), "text": cast(str), "text, nullable": cast("string"), "object": cast(object),
    "Decimal": objects(lambda value: Decimal(str(value))), "sparse": cast(pd.SparseDtype("float64", np.nan)),
    "category": cast("category"), "category of text": lambda column: column.astype(str).astype("category"),
    "arrow": arrow(pa.float64()), "arrow, dictionary": encoded, "bytes": objects(lambda value: str(value).encode()),
    "arrow, text": lambda column: arrow(pa.string())(column.astype(str)),
    "arrow, decimal": lambda column: arrow(pa.decimal128(10, 2))(objects(lambda v: Decimal(str(v)))(column)),
}  # fmt: skip
STAMPS = {
    "s": cast("datetime64[s]"), "ns": cast("datetime64[ns]"), "text": cast(str), "object": cast(object),
    "datetime": objects(pd.Timestamp.to_pydatetime), "date": objects(pd.Timestamp.date), "category": cast("category"),
    "category of text": lambda column: column.astype(str).astype("category"),
    "period": lambda column: column.dt.to_period("D"), "numpy": objects(pd.Timestamp.to_datetime64),
    "category of date": lambda column: objects(pd.Timestamp.date)(column).astype("category"),
    "period, object": lambda column: column.dt.to_period("D").astype(object),
    "arrow, s": arrow(pa.timestamp("s")), "arrow, ns": arrow(pa.timestamp("ns")), "arrow, date32": arrow(pa.date32()),
    "arrow, date64": arrow(pa.date64()), "arrow, text": lambda column: arrow(pa.string())(column.astype(str)),
}  # fmt: skip
FORMS = [("store", kind, form) for kind, form in NAMES.items()]
FORMS += [("sales", kind, form) for kind, form in NUMBERS.items()]
FORMS += [("date", kind, form) for kind, form in STAMPS.items()]


@pytest.mark.parametrize(("column", "kind", "form"), FORMS, ids=[f"{column} {kind}" for column, kind, _ in FORMS])
def test_every_type_of_a_column_is_the_same_column(column: str, kind: str, form: Callable[..., pd.Series]) -> None:
    frame = TABLE.assign(**{column: form(TABLE[column])})
    same(panel_of(frame), panel_of(TABLE))
    if kind != "period, object":  # which no file holds
        same(panel_of(frame.set_index(["store", "date"])), panel_of(TABLE.set_index(["store", "date"])))


@pytest.mark.parametrize("kind", IDS)
def test_whole_numbers_of_every_type_are_the_same_names(kind: str) -> None:
    frame = WHOLE.assign(store=IDS[kind](WHOLE["store"]))
    assert panel_of(frame).names == ("7", "12")
    same(panel_of(frame), panel_of(WHOLE))


@pytest.mark.parametrize("column", ["sales", "date", "store"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_frames_of_other_libraries_and_files(tmp_path: Path, column: str, zone: str) -> None:
    frame = TABLE.assign(date=TABLE["date"].dt.tz_localize(zone))
    expected = panel_of(frame)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.set_index(["store", "date"]).to_parquet(tmp_path / "b.parquet")
    forms: list[Any] = [
        pl.from_pandas(frame),
        pa.Table.from_pandas(frame),
        frame.convert_dtypes(dtype_backend="pyarrow"),
    ]
    forms += [pd.read_parquet(tmp_path / "a.parquet", dtype_backend=kind) for kind in ("pyarrow", "numpy_nullable")]
    forms += [pl.read_parquet(tmp_path / "a.parquet").with_columns(pl.col("store").cast(pl.Categorical))]
    forms += [pl.read_parquet(tmp_path / "a.parquet").with_columns(pl.col("sales").cast(pl.Decimal(10, 2)))]
    forms += [pl.read_parquet(tmp_path / "a.parquet").with_columns(pl.col("store").cast(pl.Enum(["b", "a"])))]
    for form in forms:
        same(panel_of(form), expected)
    assert panel_of(pd.read_parquet(tmp_path / "b.parquet")).names == expected.names


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt16, pl.UInt64, pl.Float32, pl.String])
def test_numbers_of_polars_are_names_and_values(kind: Any) -> None:
    frame = pl.from_pandas(WHOLE).with_columns(pl.col("store").cast(kind), pl.col("sales").cast(kind))
    expected = panel_of(WHOLE)
    panel = panel_of(frame)
    assert panel.names == expected.names
    np.testing.assert_array_equal(np.concatenate(panel.values), np.concatenate(expected.values))


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1e12, 1e12) | st.none(), min_size=8, max_size=20).filter(
        lambda v: (
            len({x for x in v if x is not None}) > 2 and max(abs(x) for x in v if x is not None) > 1e-90
        )  # smaller ones are refused, in every type and v[-1] is not None and v[0] is not None
    ),
    kind=st.sampled_from(["Float64", "object", "text", "arrow", "polars", "Decimal", "sparse", "category"]),
)
def test_missing_and_extreme_numbers_are_the_same_in_every_type(values: list[float | None], kind: str) -> None:
    plain = pd.DataFrame({"y": np.array(values, dtype=np.float64), "date": DAYS[: len(values)]})
    y: Any = plain["y"]
    forms = {
        "Float64": lambda: y.astype("Float64"),
        "object": lambda: pd.Series(values, dtype=object),
        "text": lambda: pd.Series([None if v is None else repr(v) for v in values], dtype="str"),
        "arrow": lambda: pd.Series(values, dtype=pd.ArrowDtype(pa.float64())),
        "polars": lambda: y,
        "Decimal": lambda: pd.Series([None if v is None else Decimal(v) for v in values], dtype=object),
        "sparse": lambda: y.astype(pd.SparseDtype("float64")),
        "category": lambda: y.astype("category"),
    }
    frame: Any = plain.assign(y=forms[kind]())
    same(panel_of(pl.from_pandas(frame) if kind == "polars" else frame), panel_of(plain))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pd.Series([1j] * 30), "'y' (of type complex128)"),
        (pd.Series(pd.to_timedelta(np.arange(30), unit="h")), "'y' (time that has passed)"),
        (pd.Series([dt.time(1)] * 30), "'y' (times of day without a date)"),
        (pd.Series(pd.interval_range(0, 30)), "'y' (of type interval[int64, right])"),
        (pd.Series([[1, 2]] * 30), "'y' (text such as '[1, 2]')"),
        (pd.Series([True, False] * 15), "'y' (true or false)"),
        (pd.Series([None] * 30), "Every column of numbers ('y') has no values"),
        (pd.Series([None] * 30, dtype=pd.ArrowDtype(pa.null())), "Every column of numbers ('y') has no values"),
    ],
)
def test_what_is_no_number_is_refused_by_name_and_type(column: pd.Series, said: str) -> None:
    with pytest.raises(DataError) as fault:
        infer_schema(pd.DataFrame({"date": DAYS, "y": column}))
    assert said in str(fault.value)


@pytest.mark.parametrize("kind", NAMES)
def test_labels_and_ids_of_cases_in_every_type(kind: str) -> None:
    frame = TABLE.assign(label=np.repeat(["u", "v"], 30))
    mark = fingerprint(frame_cases(frame, id="store"))
    frame = frame.assign(store=NAMES[kind](frame["store"]), label=NAMES[kind](frame["label"]))
    assert fingerprint(frame_cases(frame, id="store")) == mark


def test_a_table_of_numpy_is_not_touched() -> None:
    frame = TABLE.assign(k=1, flag=True)
    assert as_pandas(frame) is frame

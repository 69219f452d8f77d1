"""Polars in, polars out; Arrow in, Arrow out; a lazy table is collected, a path is read, and stamps keep their type."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from recurra import Classifier, Forecaster
from recurra.errors import ConfigError, DataError

QUICK: dict[str, Any] = {"hidden_size": 4, "epoch_steps": 2, "batch_size": 8, "max_epochs": 1, "last_epochs": 0}


def sales(zone: str | None = None) -> pd.DataFrame:
    stamps = pd.date_range("2024-01-01", periods=90, tz=zone)
    return pd.DataFrame({"day": stamps, "a": np.arange(90) % 7 + 0.5, "b": np.arange(90) % 5 + 2.5})


def long() -> pd.DataFrame:
    return sales().melt("day", var_name="unique_id", value_name="y")


def waves() -> pd.DataFrame:
    y = np.arange(24) % 2
    X = np.sin(np.arange(12) * np.where(y, 0.9, 0.3)[:, None])
    return pd.DataFrame(X, columns=[f"t{n}" for n in range(12)]).assign(label=np.where(y, "fast", "slow"))


def forecaster(**settings: Any) -> Forecaster:
    return Forecaster(horizon=3, **QUICK, attention="dot", **settings)


def polars_with(kind: Any) -> Callable[[pd.DataFrame], Any]:
    return lambda df: pl.from_pandas(df).with_columns(pl.col("day").cast(kind))


def arrow_with(kind: Any) -> Callable[[pd.DataFrame], Any]:
    def make(df: pd.DataFrame) -> Any:
        table = pa.Table.from_pandas(df, preserve_index=False)
        return table.set_column(table.column_names.index("day"), "day", table["day"].cast(kind))

    return make


FORMS: dict[str, tuple[Callable[[pd.DataFrame], Any], type]] = {
    "pandas": (lambda df: df, pd.DataFrame),
    "polars dates": (polars_with(pl.Date), pl.DataFrame),
    "polars microseconds": (polars_with(pl.Datetime("us")), pl.DataFrame),
    "polars milliseconds": (polars_with(pl.Datetime("ms")), pl.DataFrame),
    "polars nanoseconds": (polars_with(pl.Datetime("ns")), pl.DataFrame),
    "polars text": (polars_with(pl.String), pl.DataFrame),
    "polars lazy": (lambda df: polars_with(pl.Date)(df).lazy(), pl.DataFrame),
    "arrow dates": (arrow_with(pa.date32()), pa.Table),
    "arrow seconds": (arrow_with(pa.timestamp("s")), pa.Table),
    "arrow nanoseconds": (arrow_with(pa.timestamp("ns")), pa.Table),
}
each_form = pytest.mark.parametrize("form", FORMS)


def kind_of(table: Any, name: str) -> Any:
    table = table.collect() if isinstance(table, pl.LazyFrame) else table
    return table.schema.field(name).type if isinstance(table, pa.Table) else table.schema[name]


def as_pandas(table: Any) -> pd.DataFrame:
    frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    stamps = [name for name in ("ds", "cutoff", "past_from", "past_to") if name in frame]
    return frame.assign(**{name: pd.to_datetime(frame[name]).astype("datetime64[ns]") for name in stamps})


def same(left: Any, right: Any) -> bool:
    pd.testing.assert_frame_equal(as_pandas(left), as_pandas(right), check_dtype=False)
    return True


@pytest.fixture(scope="module")
def usual() -> Forecaster:
    return forecaster().fit(sales())


@each_form
@pytest.mark.parametrize("shape", [sales, long])
def test_what_comes_in_goes_out(form: str, shape: Callable[[], pd.DataFrame]) -> None:
    make, kind = FORMS[form]
    table, expected = make(shape()), forecaster().fit(shape())
    fitted = forecaster().fit(table)
    answers = {
        "predict": (fitted.predict(), expected.predict()),
        "about": (fitted.predict(df=table), expected.predict()),
        "first": (fitted.predict(table), expected.predict()),
        "folds": (forecaster().cross_validation(table, 2), forecaster().cross_validation(shape(), 2)),
        "looked": (fitted.attention_table(), expected.attention_table()),
        "looked at": (fitted.attention_table(table), expected.attention_table()),
    }
    for name, (answer, usual) in answers.items():
        assert type(answer) is kind and same(answer, usual), name
        if form not in ("pandas", "polars text"):
            stamps = {"ds", "cutoff", "past_from", "past_to"} & set(as_pandas(usual).columns)
            assert {kind_of(answer, one) for one in stamps} == {kind_of(table, "day")}, "else nothing can be joined"


@each_form
def test_the_table_that_is_asked_about_decides(form: str, usual: Forecaster) -> None:
    make, kind = FORMS[form]
    assert type(usual.predict(df=make(sales()))) is kind and type(usual.predict()) is pd.DataFrame
    fitted = forecaster().fit(make(sales()))
    assert type(fitted.predict(df=sales())) is pd.DataFrame and type(fitted.predict()) is kind
    for again in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert type(again.predict()) is kind
    assert fitted.score(make(later())) == pytest.approx(usual.score(later()))


def later() -> pd.DataFrame:
    return sales().assign(day=lambda df: df["day"] + pd.Timedelta(days=90))[:9]


def test_time_zones_stay() -> None:
    zoned = polars_with(pl.Datetime("us", "UTC"))(sales("UTC"))
    answer = forecaster().fit(zoned).predict()
    assert answer.schema["ds"].time_unit == "us"
    assert same(answer.select("yhat"), forecaster().fit(sales("UTC")).predict()[["yhat"]])


def test_hours_do_not_become_days() -> None:
    hourly = sales().assign(day=pd.date_range("2024-01-01", periods=90, freq="h"))
    assert isinstance(forecaster().fit(polars_with(pl.Datetime("ms"))(hourly)).predict().schema["ds"], pl.Datetime)
    steps = sales().assign(day=np.arange(90))
    assert forecaster().fit(pl.from_pandas(steps)).predict()["ds"].to_list() == [90, 91, 92] * 2


def test_a_run_answers_in_pandas_again(tmp_path: Path) -> None:
    fitted = forecaster().fit(pl.from_pandas(sales()))
    again = Forecaster.load(fitted.save(tmp_path / "run"))
    assert type(again.predict()) is pd.DataFrame and same(again.predict(), fitted.predict())
    assert type(again.predict(df=pl.from_pandas(sales()))) is pl.DataFrame


@pytest.mark.parametrize("form", [str, Path])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_path_is_read_as_the_commands_read_it(
    tmp_path: Path, form: Callable[[Path], Any], ending: str, usual: Forecaster
) -> None:
    path, new = tmp_path / f"sales.{ending}", tmp_path / f"later.{ending}"
    for frame, place in ((sales(), path), (later(), new)):
        frame.to_csv(place, index=False) if ending == "csv" else frame.to_parquet(place)
    fitted = forecaster().fit(form(path))
    assert type(fitted.predict()) is pd.DataFrame and same(fitted.predict(), usual.predict())
    assert same(fitted.predict(form(new)), usual.predict(df=later()))
    assert same(fitted.predict(2, form(new)), usual.predict(2, later()))
    assert fitted.score(form(new)) == usual.score(later())
    assert same(forecaster().cross_validation(form(path), 2), forecaster().cross_validation(sales(), 2))
    with pytest.raises(DataError, match="There is no file"):
        fitted.predict("no.csv")
    with pytest.raises(DataError, match="There is no file"):
        forecaster().fit("no.csv")
    with pytest.raises(ConfigError, match="h must be a whole number"):
        fitted.predict("2.5")


@pytest.mark.parametrize("form", [form for form in FORMS if "lazy" in form or form in ("pandas", "arrow dates")])
def test_a_classifier_takes_them_too(form: str, tmp_path: Path) -> None:
    makers: dict[str, Callable[[pd.DataFrame], Any]] = {
        "polars lazy": lambda df: pl.from_pandas(df).lazy(),
        "arrow dates": pa.Table.from_pandas,
        "pandas": lambda df: df,
    }
    make = makers[form]
    expected, table, bare = Classifier(**QUICK).fit(waves()), make(waves()), make(waves().drop(columns="label"))
    fitted = Classifier(**QUICK).fit(table)
    np.testing.assert_array_equal(fitted.predict(bare), expected.predict(waves()))
    np.testing.assert_array_equal(fitted.predict_proba(bare), expected.predict_proba(waves()))
    assert fitted.score(table) == expected.score(waves())
    looked = fitted.attention_table(bare)
    assert type(looked) is FORMS[form][1] and same(looked, expected.attention_table(waves()))
    X, y = waves().drop(columns="label"), waves()["label"]
    np.testing.assert_array_equal(Classifier(**QUICK).fit(make(X), y).predict(make(X)), expected.predict(waves()))
    waves().to_csv(tmp_path / "waves.csv", index=False)
    from_file = Classifier(**QUICK).fit(str(tmp_path / "waves.csv"))
    assert from_file.score(tmp_path / "waves.csv") == expected.score(waves())
    assert type(from_file.attention_table(str(tmp_path / "waves.csv"))) is pd.DataFrame

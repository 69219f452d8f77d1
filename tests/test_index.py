"""The index of a frame is data: time, id, or said not to be used."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.series import Panel, infer_schema, to_panel
from recurra.data.tables.files import read_table
from recurra.data.tables.index import with_index
from recurra.errors import DataError

DAYS = pd.date_range("2024-01-01", periods=20)
VALUES = np.round(np.random.default_rng(0).normal(50, 9, 160), 2)
PANEL = pd.DataFrame(
    {
        "land": np.repeat(["p", "q"], 80),
        "shop": np.tile(np.repeat(["n", "s"], 40), 2),
        "item": np.tile(np.repeat([1, 2], 20), 4),
        "date": np.tile(DAYS, 8),
        "sales": VALUES,
    }
)
ONE = PANEL[:20][["date", "sales"]]
TIMES = {
    "dates": DAYS, "text": DAYS.strftime("%Y-%m-%d"), "words": DAYS.strftime("%d %b %Y"),
    "zone": DAYS.tz_localize("UTC"), "period": DAYS.to_period("D"), "digits": DAYS.strftime("%Y%m%d").astype(int),
    "years": pd.RangeIndex(1990, 2010), "years as integers": pd.Index(np.arange(1990, 2010)),
    "category": pd.CategoricalIndex(DAYS),
}  # fmt: skip


def panel_of(frame: Any, **given: Any) -> Panel:
    return to_panel(frame, infer_schema(frame, **given)[0])


@pytest.mark.parametrize("name", [None, "date", "when"])
@pytest.mark.parametrize("kind", TIMES)
def test_an_index_of_times_is_the_time(tmp_path: Path, kind: str, name: str | None) -> None:
    frame = pd.DataFrame({"sales": VALUES[:20], "price": VALUES[20:40]}, index=TIMES[kind].rename(name))
    frame.to_parquet(tmp_path / "a.parquet")
    for form in (frame, frame["sales"], frame.sample(frac=1, random_state=0), read_table(tmp_path / "a.parquet")[0]):
        panel = panel_of(form)
        assert panel.names == ("sales", "price")[: len(panel)]
        assert str(panel.starts[0])[:4] == ("1990" if kind.startswith("years") else "2024")
        np.testing.assert_array_equal(panel.values[0], VALUES[:20])


@settings(max_examples=60, deadline=None)
@given(
    levels=st.permutations(["land", "shop", "item", "date"]),
    named=st.booleans(),
    text=st.booleans(),
    count=st.integers(1, 3),
    series=st.booleans(),
)
def test_levels_in_any_order_tell_series_apart(
    levels: list[str], named: bool, text: bool, count: int, series: bool
) -> None:
    ids = [level for level in levels if level != "date"][:count]
    kept = [level for level in levels if level == "date" or level in ids]
    frame = PANEL.drop_duplicates(["date", *ids])[[*kept, "sales"]]
    frame = frame.assign(date=frame["date"].astype(str)) if text else frame
    indexed = frame.set_index(kept)
    indexed = indexed if named else indexed.rename_axis([None] * len(kept))
    panel = panel_of(indexed["sales"] if series else indexed)
    assert len(panel) == 2**count and {str(start)[:10] for start in panel.starts} == {"2024-01-01"}
    found = dict(zip(panel.names, panel.values, strict=True))
    for values, own in frame.groupby(ids, sort=False):
        np.testing.assert_array_equal(found["/".join(map(str, values))], own["sales"])


@pytest.mark.parametrize("steps", [np.arange(20), np.arange(5, 25), np.arange(0, 40, 2)])
@pytest.mark.parametrize("levels", [["engine", "cycle"], ["cycle", "engine"]])
@pytest.mark.parametrize("named", [True, False])
def test_whole_numbers_may_be_both_id_and_step(steps: np.ndarray, levels: list[str], named: bool) -> None:
    frame = pd.DataFrame({"engine": np.repeat([3, 5], 20), "cycle": np.tile(steps, 2), "y": VALUES[:40]})
    indexed = frame.set_index(levels)
    if not named and levels[0] == "engine":
        indexed = indexed.rename_axis([None, None])
    panel = panel_of(indexed)
    assert panel.names == ("3", "5") and panel.starts == (steps[0], steps[0])


def test_one_series_keeps_its_name() -> None:
    one = PANEL[:20][["shop", "date", "sales"]]
    assert panel_of(one.set_index(["shop", "date"])).names == ("n",)
    assert panel_of(PANEL[PANEL["land"] == "p"].drop(columns="land").set_index(["shop", "item", "date"])).names == (
        "n/1", "n/2", "s/1", "s/2",
    )  # fmt: skip


def test_an_index_of_names_is_the_id() -> None:
    two = PANEL[PANEL["land"] == "p"].query("item == 1")[["shop", "date", "sales"]]
    assert panel_of(two.set_index("shop")).names == ("n", "s")
    numbered = two.assign(shop=np.repeat([7, 9], 20)).set_index("shop")
    assert panel_of(numbered).names == ("7", "9")
    wide = two.pivot(index="shop", columns="date", values="sales")
    assert panel_of(wide).names == ("n", "s") and panel_of(wide).starts[0] == DAYS[0]


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(20), pd.RangeIndex(7, 27), pd.RangeIndex(19, -1, -1), pd.Index(np.arange(0, 60, 3)),
        pd.Index(np.random.default_rng(0).permutation(20)), pd.Index(np.tile(np.arange(10), 2)),
    ],
)  # fmt: skip
def test_what_a_filter_or_sort_leaves_is_nothing(index: pd.Index) -> None:
    for frame in (ONE, ONE[["sales"]]):
        given = frame.set_axis(index, axis=0)
        assert with_index(given)[1] == ()
        assert infer_schema(given) == infer_schema(frame)


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([f"r{i}" for i in range(20)], name="row"), pd.Index([f"r{i}" for i in range(20)]),
        pd.timedelta_range(0, periods=20, freq="h"), pd.Index(np.arange(20) / 4), pd.interval_range(0, 20),
        pd.Index(np.arange(20)[::-1] + 500, name="customer_id"),
    ],
)  # fmt: skip
def test_an_index_of_something_else_is_said_not_to_be_used(index: pd.Index) -> None:
    schema, notes = infer_schema(ONE.set_axis(index, axis=0))
    assert schema.targets == ("sales",) and schema.time == "date"
    assert any(f"the index '{index.name or 'index'}' is neither time nor id" in note for note in notes)


def test_an_index_and_a_column_of_one_name() -> None:
    assert panel_of(ONE.set_index("date", drop=False)).names == ("sales",)
    with pytest.raises(DataError, match=r"index of the table has 'date' with other values.*reset_index\(drop=True\)"):
        panel_of(ONE.set_index(ONE["date"] + pd.Timedelta(days=1)))
    with pytest.raises(DataError, match="2 rows of column names; join them"):
        panel_of(pd.concat({"Close": ONE}, axis=1))


def test_later_tables_may_have_the_time_under_another_name() -> None:
    for first, later in ((None, "date"), ("date", None)):
        schema, _ = infer_schema(ONE.set_index("date").rename_axis(first))
        panel = to_panel(ONE.set_index("date").rename_axis(later), schema)
        np.testing.assert_array_equal(panel.values[0], ONE["sales"])

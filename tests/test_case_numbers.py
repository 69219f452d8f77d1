"""Sequences with numbers to learn: every form of file, table and array gives the same ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from recurra.data.cases import Cases, cases_of, fingerprint, frame_cases, read_cases
from recurra.errors import DataError, KindError

NAN = np.nan
X = np.arange(9.0).reshape(3, 3) / 4
Y = np.array([0.5, -2.0, 1e3])
WIDE = pd.DataFrame(X, columns=["t0", "t1", "t2"]).assign(price=Y)
LONG = pd.DataFrame(
    {"id": np.repeat(["a", "b", "c"], 3), "step": np.tile([0, 1, 2], 3), "x": X.ravel(), "price": np.repeat(Y, 3)}
)
TS = "@univariate true\n@targetlabel true\n@data\n0,0.25,0.5:0.5\n0.75,1,1.25:-2\n1.5,1.75,2:1e3\n"


def same(cases: Cases, target: str = "price") -> bool:
    np.testing.assert_array_equal(np.stack([case[:, 0] for case in cases.values]), X)
    return cases.labels is None and cases.targets == (target,) and cases.numbers.tolist() == Y[:, None].tolist()


@pytest.mark.parametrize(
    "y", [Y, Y.tolist(), Y[:, None], Y.astype(object), torch.tensor(Y), pd.Series(Y), pl.Series(Y), (v for v in Y)]
)
def test_arrays_bring_their_numbers(y: Any) -> None:
    assert same(cases_of(X, y, what="number"), "target")


def test_several_numbers_have_names() -> None:
    both = np.stack([Y, -Y], 1)
    assert cases_of(X, both, what="number").targets == ("target_1", "target_2")
    frame = pd.DataFrame(both, columns=["price", "loss"])
    for y in (frame, pl.from_pandas(frame)):
        cases = cases_of(X, y, what="number")
        assert cases.targets == ("price", "loss") and np.array_equal(cases.numbers, both)
    assert same(cases_of(X, pd.Series(Y, name="price"), what="number"))
    table = frame_cases(WIDE.assign(loss=-Y), target=("price", "loss"), what="number")
    assert np.array_equal(table.numbers, both) and table.lengths.tolist() == [3, 3, 3]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
@pytest.mark.parametrize("frame", [WIDE, LONG], ids=["wide", "long"])
def test_tables_bring_their_numbers(tmp_path: Path, frame: pd.DataFrame, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    assert same(read_cases(path, target="price", what="number"))
    assert same(frame_cases(pl.from_pandas(frame), target="price", what="number"))
    bare = frame_cases(frame.drop(columns="price"), target="price", what="number", labelled=False)
    assert bare.numbers is None and bare.lengths.tolist() == [3, 3, 3]


@pytest.mark.parametrize("frame", [WIDE, LONG], ids=["wide", "long"])
@pytest.mark.parametrize(("name", "found"), [("target", True), ("Y", True), ("label", True), ("cost", False)])
def test_a_target_is_found_by_its_name(frame: pd.DataFrame, name: str, found: bool) -> None:
    frame = frame.rename(columns={"x": "value", "price": name})
    if found:
        assert same(frame_cases(frame, what="number"), name)
        return
    with pytest.raises(KindError, match=r"No column is the target of a case; name it with target=\. .* are: .*cost"):
        frame_cases(frame, what="number")


def test_what_may_be_something_else_is_no_target() -> None:
    with pytest.raises(KindError, match="No column is the target"):  # whole numbers may be classes
        frame_cases(WIDE.assign(label=[1, 2, 1]), what="number")
    with pytest.raises(KindError, match="No column is the target"):  # a coordinate
        frame_cases(LONG.assign(y=X.ravel()), what="number")
    assert frame_cases(WIDE.assign(label=[1, 2, 1]), target="label", what="number").numbers.ravel().tolist() == [
        1,
        2,
        1,
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "0.5\t0\t0.25\t0.5\n-2\t0.75\t1\t1.25\n1e3\t1.5\t1.75\t2\n"),
        ("a.csv", "0,5;0;0,25;0,5\n-2;0,75;1;1,25\n1e3;1,5;1,75;2\n"),
        ("a.ts", TS),
        ("b.ts", TS.replace("@targetlabel true", "@classLabel false\n@targetLabel true")),
    ],
)
def test_files_bring_their_numbers(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert same(read_cases(tmp_path / name, what="number"), "target")
    assert same(read_cases(tmp_path / name, what="number", labelled=False), "target")


def test_what_is_not_known_may_be_left_empty(tmp_path: Path) -> None:
    for name, content in (("a.csv", ",2,1\n3,5,4\n"), ("a.ts", "@targetLabel true\n@data\n2,1:?\n5,4:3\n")):
        (tmp_path / name).write_text(content)
        cases = read_cases(tmp_path / name, what="number", labelled=False)
        assert cases.numbers is None and [case[:, 0].tolist() for case in cases.values] == [[2, 1], [5, 4]]
        with pytest.raises(DataError, match="Case '1' has no number as its target 'target'; give it one, or leave"):
            read_cases(tmp_path / name, what="number")


def test_answers_of_another_kind_are_said(tmp_path: Path) -> None:
    (tmp_path / "number.ts").write_text(TS)
    (tmp_path / "label.ts").write_text("@classLabel true a b\n@data\n1,2:a\n3,4:b\n")
    (tmp_path / "number.csv").write_text("0.5,1,2\n0.7,3,4\n")
    (tmp_path / "label.csv").write_text("a,1,2\nb,3,4\n")
    for suffix in ("ts", "csv"):
        with pytest.raises(KindError):
            read_cases(tmp_path / f"number.{suffix}")
        with pytest.raises(KindError):
            read_cases(tmp_path / f"label.{suffix}", what="number")
    bare = read_cases(tmp_path / "label.ts", what="number", labelled=False)
    assert bare.numbers is None and bare.lengths.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (["a", "b", "c"], "y holds text such as 'a', not numbers; give an array of numbers"),
        (Y[:2], r"X has 3 case\(s\), but y has 2 row\(s\)"),
        ([1.0, NAN, 2.0], "Case '2' has no number as its target 'target'"),
        ([1.0, np.inf, 2.0], "Case '2' has inf as its target 'target', which is too large to compute with"),
        ([1.0, 2.0, -1e300], "Case '3' has -1e[+]300 as its target 'target', which is too large"),
        (np.zeros((3, 1, 1)), r"y has the shape \(3, 1, 1\)"),
        (np.zeros((3, 0)), r"y has the shape \(3, 0\)"),
        ([[1.0], [2.0, 3.0], [4.0]], "y is nested unevenly"),
        ([object(), 1.0, 2.0], "y holds objects that are not numbers"),
        (Y.astype(complex), "y holds objects that are not numbers"),
        (3.0, "y is of type float"),
        ("abc", "y is of type str"),
    ],
)
def test_what_is_no_number_is_refused(y: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        cases_of(X, y, what="number")


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (LONG.assign(price=np.arange(9.0)), "Case 'a' has two numbers in 'price', 0 and 1; give all its rows"),
        (LONG.assign(price=[1, 1, 1, None, None, None, 2, 2, 2]), "Case 'b' has no number as its target 'price'"),
        (WIDE.assign(price=["u", "v", "w"]), "Column 'price' holds text such as 'u', not numbers"),
        (WIDE.assign(price=[1, None, 2]), "Case '2' has no number as its target 'price'"),
        (WIDE.assign(price=[1, 1e200, 2]), r"Column 'price' has the value 1e\+200 in row 2"),
        (WIDE.drop(columns="price"), "There is no column 'price' for the target"),
    ],
)
def test_faults_of_targets_in_tables_are_named(frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(DataError, match=says):
        frame_cases(frame, target="price", what="number")


def test_a_number_stands_in_some_rows_of_a_case() -> None:
    assert same(
        frame_cases(LONG.assign(price=[0.5, NAN, NAN, NAN, -2, NAN, NAN, NAN, 1e3]), target="price", what="number")
    )


def test_numbers_are_taken_along_and_told_apart() -> None:
    cases = cases_of(X, Y, what="number")
    assert cases.some([2, 0]).numbers.tolist() == [[1e3], [0.5]]
    marks = [cases, cases_of(X, Y + 1, what="number"), cases_of(X), cases_of(X, pd.Series(Y, name="a"), what="number")]
    assert len({fingerprint(one) for one in marks}) == 4
    assert fingerprint(cases_of(X, [0.0] * 3, what="number")) == fingerprint(cases_of(X, [-0.0] * 3, what="number"))

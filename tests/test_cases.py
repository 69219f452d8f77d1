"""Labelled sequences: every form of file, table and array gives the same cases, and every fault one plain sentence."""

import ast
import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import recurra.data.cases
from recurra.data.cases import Cases, cases_of, fingerprint, frame_cases, read_cases
from recurra.data.cases.ucr import find_plain
from recurra.errors import DataError

NAN = np.nan
UCR = "walk\t0.5\t-1\t2.25\nrun\t1e-1\tNaN\t3\nwalk\t4\t5\tNaN\n"
TS = """# a comment
@problemName Hands
@timeStamps false
@univariate false
@dimensions 2
@equalLength false
@classLabel true left right
@data
1,2,3:4,5,6:left
7,?:NaN,8:right
"""
LONG = pd.DataFrame(
    {
        "unique_id": ["a", "b", "a", "b", "a"],
        "ds": ["2024-01-02", "2024-01-02", "2024-01-01", "2024-01-01", "2024-01-03"],
        "x": [2.0, 20, 1, 10, NAN],
        "y": [0.5, 0.25, 0, 0, 7],
        "label": ["up", "down", "up", "down", "up"],
    }
)
WIDE = pd.DataFrame(
    {"id": [7, 9, 8], "label": ["u", "v", "u"], "s1": [1.0, 2, 3], "s2": [4, NAN, 6], "s3": [7, 8, NAN]}
)


def put(folder: Path, content: str | bytes, name: str = "data.tsv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lists(cases: Cases) -> list[Any]:
    """Values as nested lists, None where missing."""
    return [[[None if np.isnan(v) else v for v in step] for step in case.tolist()] for case in cases.values]


def fault(call: Callable[[], Any]) -> str:
    with pytest.raises(DataError) as raised:
        call()
    text = str(raised.value)
    assert "\n" not in text and text.endswith(".") and text[0] != " " and "  " not in text
    return text


# What cases are.


def test_cases_can_be_counted_and_taken() -> None:
    cases = cases_of([[1, 2, 3], [4], [5, 6]], ["a", "b", "a"], channels="flow")
    assert len(cases) == 3
    assert cases.lengths.tolist() == [3, 1, 2] and cases.lengths.dtype == np.int64
    some = cases.some([2, 0])
    assert lists(some) == [[[5], [6]], [[1], [2], [3]]]
    assert (some.labels, some.names, some.channels) == (("a", "a"), ("3", "1"), ("flow",))
    assert cases.some(np.array([False, True, False])).names == ("2",)
    assert cases_of([[1], [2]]).some([1]).labels is None
    assert len(cases.some([])) == 0
    assert all(values.dtype == np.float64 for values in cases.values)


def test_the_fingerprint_knows_every_part_and_nothing_else() -> None:
    base = cases_of([[1, NAN, 0], [4, 5]], ["a", "b"], channels=["x"])
    mark = fingerprint(base)
    assert len(mark) == 32 and int(mark, 16) >= 0
    same = Cases(base.values, base.labels, base.names, base.channels, ("a note",))
    assert fingerprint(same) == mark
    assert fingerprint(cases_of([[1, -NAN, -0.0], [4, 5]], ["a", "b"], channels=["x"])) == mark
    others = [
        cases_of([[1, NAN, 0], [4, 6]], ["a", "b"], channels=["x"]),
        cases_of([[1, NAN, 0, 4], [5]], ["a", "b"], channels=["x"]),
        cases_of([[1, NAN, 0], [4, 5]], ["a", "c"], channels=["x"]),
        cases_of([[1, NAN, 0], [4, 5]], None, channels=["x"]),
        cases_of([[1, NAN, 0], [4, 5]], ["a", "b"], channels=["y"]),
        Cases(base.values, base.labels, ("1", "3"), base.channels),
        base.some([1, 0]),
    ]
    assert len({mark, *map(fingerprint, others)}) == len(others) + 1


def test_the_fingerprint_stays_the_same_between_machines() -> None:
    assert fingerprint(cases_of([[1, 2], [3, NAN]], ["a", "b"])) == "885aebe12273bf220b32dda3579232f8"


def test_a_fingerprint_tells_shapes_of_the_same_bytes_apart() -> None:
    flat, tall = np.arange(6.0).reshape(1, 2, 3), np.arange(6.0).reshape(1, 3, 2)
    names = ("a", "b")
    one = Cases((flat[0],), None, ("1",), names)
    assert fingerprint(one) != fingerprint(Cases((tall[0],), None, ("1",), names))


def test_nothing_here_needs_torch_or_knows_series_and_tasks() -> None:
    for path in Path(recurra.data.cases.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [name]
            assert not any(n.split(".")[0] in ("torch", "series", "tasks") for n in names), path.name


# Arrays.

BLOCK = np.arange(12.0).reshape(2, 2, 3)  # cases, channels, time


@pytest.mark.parametrize(
    "X",
    [
        BLOCK,
        BLOCK.astype(np.int32),
        BLOCK.tolist(),
        list(BLOCK),
        tuple(BLOCK),
        torch.tensor(BLOCK, requires_grad=True),
        torch.tensor(BLOCK).bfloat16(),
        [torch.tensor(case) for case in BLOCK],
        BLOCK.astype(object),
        np.ma.masked_array(BLOCK),
        (case for case in BLOCK),
    ],
)
def test_every_form_of_block_gives_the_same_cases(X: Any) -> None:
    cases = cases_of(X, [0, 1])
    assert lists(cases) == [[[0, 3], [1, 4], [2, 5]], [[6, 9], [7, 10], [8, 11]]]
    assert (cases.labels, cases.names, cases.channels) == (("0", "1"), ("1", "2"), ("channel_1", "channel_2"))
    assert cases.notes == ()


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1, NAN, 3], [4, 5, NAN]]),
        np.array([[[1, NAN, 3]], [[4, 5, NAN]]]),
        np.ma.masked_array([[1, 9, 3], [4, 5, 9]], [[0, 1, 0], [0, 0, 1]]),
        pd.DataFrame([[1, None, 3], [4, 5, None]], columns=["t0", "t1", "t2"]),
        pd.DataFrame({"t0": [1, 4], "t1": [None, 5], "t2": [3, None]}, dtype="Float64"),
        pl.DataFrame({"t0": [1, 4], "t1": [None, 5], "t2": [3, None]}),
    ],
)
def test_empty_cells_at_the_end_are_padding_and_others_are_missing(X: Any) -> None:
    cases = cases_of(X)
    assert lists(cases) == [[[1], [None], [3]], [[4], [5]]]
    assert cases.labels is None and cases.channels == ("value",)
    assert cases.notes == (
        "1 case(s) end in empty cells, so they are shorter (from 2 step(s) on)",
        "1 value(s) of 1 case(s) are missing",
    )


def test_a_step_with_one_channel_known_is_no_padding() -> None:
    assert cases_of([[[1, 2], [3, NAN]]]).lengths.tolist() == [2]
    assert cases_of(np.array([[[1, 2, NAN], [3, NAN, NAN]]])).lengths.tolist() == [2]


def test_sequences_of_unequal_length_keep_what_is_missing_at_their_end() -> None:
    series = [pd.Series([1, None], dtype="Int64"), pl.Series([3.0, None, 5]), np.array([6.0]), [7, None, NAN]]
    assert lists(cases_of(series)) == [[[1], [None]], [[3], [None], [5]], [[6]], [[7], [None], [None]]]
    ragged = np.empty(2, dtype=object)
    ragged[:] = [np.arange(3), np.arange(2)]
    assert lists(cases_of(ragged)) == [[[0], [1], [2]], [[0], [1]]]
    assert lists(cases_of([[[1, 2], [3, 4]], [[5], [6]]])) == [[[1, 3], [2, 4]], [[5, 6]]]
    assert lists(cases_of([[1, 2], [[3, 4]]])) == [[[1], [2]], [[3], [4]]]


def test_what_came_may_change_later() -> None:
    arrays = [BLOCK.copy(), BLOCK[:, 0].copy(), torch.tensor(BLOCK)]
    listed = [[case.copy() for case in BLOCK], [case[0].copy() for case in BLOCK], [pd.Series(BLOCK[0, 0].copy())]]
    for X in arrays + listed:
        cases = cases_of(X)
        before = lists(cases)
        X[0][:2] = 99
        assert lists(cases) == before


def test_rows_of_a_frame_bring_their_names() -> None:
    frame = pd.DataFrame([[1, 2], [3, 4]], index=["p", 5])
    assert cases_of(frame).names == ("p", "5")
    assert cases_of(frame.reset_index(drop=True)).names == ("1", "2")
    assert cases_of(frame.set_axis(["p", "p"])).names == ("1", "2")


def test_an_array_with_more_channels_than_steps_is_pointed_out() -> None:
    (note,) = cases_of(np.zeros((2, 50, 3))).notes
    assert "50 channels of 3 steps" in note


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        (["b", " a "], ("b", " a ")),
        (["1.0", "01"], ("1.0", "01")),
        ([1, 0], ("1", "0")),
        ([-1.0, 1.0], ("-1", "1")),
        ([True, False], ("True", "False")),
        (["a", 1], ("a", "1")),
        (np.array(["x", "y"]), ("x", "y")),
        (np.array([2, 1], dtype=np.int8), ("2", "1")),
        (pd.Series(["p", "q"], index=[9, 4]), ("p", "q")),
        (pd.Categorical(["p", "q"], categories=["q", "p", "r"]), ("p", "q")),
        (pd.Series(["p", "q"], dtype="category"), ("p", "q")),
        (pd.array([3, 4], dtype="Int64"), ("3", "4")),
        (pl.Series(["p", "q"]), ("p", "q")),
        (torch.tensor([1, 0]), ("1", "0")),
        (range(2), ("0", "1")),
    ],
)
def test_labels_of_every_kind_become_text(y: Any, labels: tuple[str, ...]) -> None:
    assert cases_of(np.zeros((2, 3)), y).labels == labels


@pytest.mark.parametrize(
    ("X", "says"),
    [
        ([], "There are no cases"),
        (np.zeros((0, 5)), "There are no cases"),
        (np.zeros((2, 0)), "Case '1' has no steps"),
        (np.zeros((2, 3, 0)), "Case '1' has no steps"),
        (np.zeros((2, 0, 3)), "Case '1' has no channels"),
        ([[1, 2], []], "Case '2' has no steps"),
        ([1, 2, 3], "Case '1' is a single number"),
        (np.arange(3.0), "X has the shape (3,)"),
        (np.zeros((1, 2, 3, 3)), "X has the shape (1, 2, 3, 3)"),
        (np.float64(1), "X is a single number"),
        ([np.zeros((1, 2, 3, 4, 5))], "Case '1' has the shape (1, 2, 3, 4, 5)"),
        ("walk", "X is a single text or path; give a list of texts, or without y the path of a file"),
        (None, "X is of type NoneType"),
        ({"a": [1]}, "X is of type dict"),
        (7, "X is of type int"),
        (np.array([["1", "2"]]), "X holds text, not numbers"),
        ([["1", "nan"]], "Case '1' holds text, not numbers"),
        (
            np.array([["so", "bad"]]),
            "X holds words such as 'so', not numbers; to classify texts, join the words of each",
        ),
        ([["7", "days"]], "Case '1' holds words such as 'days'"),
        (np.zeros((2, 3), dtype=complex), "X holds complex numbers"),
        ([[1, 2], [1j, 2]], "Case '2' holds complex numbers"),
        (torch.zeros(2, 3, dtype=torch.complex64), "X holds complex numbers"),
        (np.zeros((2, 3), dtype="M8[D]"), "X holds dates"),
        (np.zeros((2, 3), dtype="m8[D]"), "X holds durations"),
        ([[1, 2], [3, [4, 5]]], "Case '2' is nested unevenly"),
        ([[[1, 2], [3]]], "Case '1' is nested unevenly"),
        ([[1, object()]], "Case '1' holds objects"),
        ([[10**400]], "Case '1' holds objects"),
        (np.array([[1, {}]], dtype=object), "X holds objects"),
        ([np.zeros((2, 3)), np.zeros((3, 3))], "Case '1' has 2 channel(s) and case '2' has 3"),
        ([[1, 2], [1, np.inf]], "Case '2' has an infinite value in step 2"),
        ([[1, 2], [NAN, NAN]], "Case '2' has only missing values"),
        (np.array([[1, 2], [NAN, NAN]]), "Case '2' has only missing values"),
        (pd.DataFrame({"a": [1], "kind": ["x"]}), "Column 'kind' of X"),
        (pd.DataFrame({"a": [pd.Series([1, 2])]}), "Column 'a' of X"),
        (pl.DataFrame({"a": [1]}).lazy(), "Call .collect() on it first"),
    ],
)
def test_arrays_that_are_no_cases_are_refused(X: Any, says: str) -> None:
    assert says in fault(lambda: cases_of(X))


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (["a"], "X has 2 case(s), but y has 1 label(s)"),
        ([], "X has 2 case(s), but y has 0 label(s)"),
        (["a", None], "Case '2' has no label"),
        ([NAN, 1.0], "Case '1' has no label"),
        (["a", "  "], "Case '2' has no label"),
        (pd.array([1, None], dtype="Int64"), "Case '2' has no label"),
        ([1.5, 2.0], "A label is 1.5"),
        ([np.inf, 2.0], "A label is inf"),
        ([1j, 2], "of type complex"),
        (pd.to_datetime(["2024", "2025"]), "of type Timestamp"),
        ([["a"], ["b", "c"]], "itself a list"),
        (np.zeros((2, 1)), "y has the shape (2, 1)"),
        (pd.DataFrame({"y": [1, 2]}), "y has the shape (2, 1)"),
        ("ab", "y is of type str"),
        (3, "y is of type int"),
        ({0: "a", 1: "b"}, "y is of type dict"),
    ],
)
def test_labels_that_name_no_class_are_refused(y: Any, says: str) -> None:
    assert says in fault(lambda: cases_of(np.zeros((2, 3)), y))


@pytest.mark.parametrize(("channels", "says"), [(["a"], "1 channel(s) are named"), (["a", "a"], "are called 'a'")])
def test_names_of_channels_must_fit(channels: Sequence[str], says: str) -> None:
    assert cases_of(BLOCK, channels=["u", "v"]).channels == ("u", "v")
    assert says in fault(lambda: cases_of(BLOCK, channels=channels))


# Files without a header.


@pytest.mark.parametrize("mark", ["\t", ",", ";", " ", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("top", ["", "\ufeff", "\n\n", "# from the archive\n"])
def test_ucr_files_in_every_dialect(tmp_path: Path, mark: str, end: str, top: str) -> None:
    cases = read_cases(put(tmp_path, (top + UCR).replace("\t", mark).replace("\n", end)))
    assert lists(cases) == [[[0.5], [-1], [2.25]], [[0.1], [None], [3]], [[4], [5]]]
    assert (cases.labels, cases.names, cases.channels) == (("walk", "run", "walk"), ("1", "2", "3"), ("value",))
    assert "has no header" in cases.notes[0] and "shorter (from 2 step(s) on)" in cases.notes[1]


PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


def pack(content: str, name: str, suffix: str) -> bytes:
    if suffix != ".zip":
        return PACKERS[suffix](content.encode()) if suffix else content.encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".bz2", ".zip"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", UCR),
        ("a.txt", UCR),
        ("a.csv", UCR.replace("\t", ",")),
        ("a.ts", TS),
        ("wide.csv", WIDE.to_csv(index=False)),
        ("long.csv", LONG.to_csv(index=False)),
    ],
)
def test_packed_files_are_read_as_plain_ones(tmp_path: Path, suffix: str, name: str, content: str) -> None:
    packed = read_cases(put(tmp_path, pack(content, name, suffix), name + suffix))
    assert fingerprint(packed) == fingerprint(read_cases(put(tmp_path, content, name)))
    assert packed.labels is not None


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        (("1", "2"), ("1", "2")),
        (("1.0", "-1.0"), ("1", "-1")),
        (("1.0000000e+00", "2.0000000e+00"), ("1", "2")),
        (("1e1", "2"), ("10", "2")),
        (("01", "A"), ("01", "A")),
        (("1.5T", "3T"), ("1.5T", "3T")),
        (("1.5", "big"), ("1.5", "big")),
        (("跑", "走 路"), ("跑", "走 路")),
        (('"a"', '"b"'), ("a", "b")),
        (("y", "n"), ("y", "n")),
        (("True", "False"), ("True", "False")),
    ],
)
def test_labels_in_a_file_are_kept_as_written(
    tmp_path: Path, written: tuple[str, str], labels: tuple[str, str]
) -> None:
    cases = read_cases(put(tmp_path, f"{written[0]},0.5,0.25,0.75\n{written[1]},1,2,3\n"))
    assert cases.labels == labels and lists(cases)[0] == [[0.5], [0.25], [0.75]]
    ts = f"@classLabel true\n@data\n0.5,1:{written[0]}\n1:{written[1]}\n"
    assert read_cases(put(tmp_path, ts.replace('"', ""), "a.ts")).labels == labels


def test_numbers_are_read_to_the_last_digit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((5, 40)) * 10.0 ** np.arange(-20, 20)
    content = "".join("1," + ",".join(map(repr, case)) + "\n" for case in values.tolist())
    assert [case[:, 0].tolist() for case in read_cases(put(tmp_path, content)).values] == values.tolist()


def test_a_number_that_the_first_look_cuts_is_no_text() -> None:
    assert find_plain("a,0.5,2.5e") is not None and find_plain("a,0.5,2.5e\n") is None


def test_decimal_commas_are_read_where_commas_do_not_separate(tmp_path: Path) -> None:
    assert lists(read_cases(put(tmp_path, "1;0,5;2\n2;3;1,25\n"))) == [[[0.5], [2]], [[3], [1.25]]]


def test_lines_may_be_shorter_instead_of_padded(tmp_path: Path) -> None:
    assert lists(read_cases(put(tmp_path, "1,2,3\n2,4\n1,5,?,6\n"))) == [[[2], [3]], [[4]], [[5], [None], [6]]]


def test_lines_longer_than_the_first_look_are_read(tmp_path: Path) -> None:
    row = ",".join(["0.123456"] * 7_500)
    cases = read_cases(put(tmp_path, f"a,{row}\nb,{row}\n"))
    assert cases.lengths.tolist() == [7_500, 7_500]
    head = ",".join(f"t{i}" for i in range(7_500))
    cases = read_cases(put(tmp_path, f"label,{head}\na,{row}\nb,{row}\n"))
    assert cases.lengths.tolist() == [7_500, 7_500] and cases.labels == ("a", "b")


def test_a_line_that_numbers_the_columns_is_left_out(tmp_path: Path) -> None:
    content = "0,1,2,3,4,5,6,7,8\n1,5,2,3,4,5,6,7,8.5\n"
    cases = read_cases(put(tmp_path, content))
    assert (cases.labels, cases.lengths.tolist()) == (("1",), [8])
    assert "the first line only numbers the columns and was left out" in cases.notes[0]


@pytest.mark.parametrize("start", [0.0, 1.0, 2024.0])
@pytest.mark.parametrize("step", [1.0, 10.0, 0.1])
@pytest.mark.parametrize("index", [True, False])
def test_numbers_that_climb_evenly_name_columns(tmp_path: Path, start: float, step: float, index: bool) -> None:
    axis = [f"{start + i * step:g}" for i in range(12)]
    rows = np.random.default_rng(0).normal(size=(5, 12)).round(3)
    table = pd.DataFrame(rows, columns=axis)
    path = put(tmp_path, table.to_csv(index=index))
    cases = read_cases(path, labelled=False)
    assert cases.labels is None and len(cases) == 5
    np.testing.assert_allclose(np.stack(cases.values)[..., 0], rows)


def test_dates_name_columns(tmp_path: Path) -> None:
    table = pd.DataFrame(np.eye(4, 6), columns=pd.date_range("2024-01-01", periods=6).strftime("%Y-%m-%d"))
    cases = read_cases(put(tmp_path, table.to_csv(index=False)), labelled=False)
    np.testing.assert_allclose(np.stack(cases.values)[..., 0], np.eye(4, 6))


def test_values_beyond_computing_are_refused() -> None:
    assert "Case '1' has the value -1e+300 in step 2, which is too large" in fault(lambda: cases_of([[1.0, -1e300]]))
    table = WIDE.assign(s2=[1, 2, 1e200])
    assert "Column 's2' has the value 1e+200 in row 3, which is too large" in fault(lambda: frame_cases(table))


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("label,0,1,2\na,1,2,3\nb,4,5,6\n", True),
        ("kind,0,1,2\na,1,2,3\nb,4,5,6\n", True),
        ("Class,0.5,0.1,0.2\na,1,2,3\nb,4,5,6\n", True),
        (",0.1,0.2,0.3\na,1,2,3\nb,4,5,6\n", True),
        ("kind,u,v\na,1,2\nb,3,4\n", True),
        ("a,1,2,3\nb,1,2,3\n", False),
        ("a,0.1,0.3,0.2\nb,1,2,3\n", False),
        ("a,NaN,1\nb,1,2\n", False),
        ("1,1\n2,3\n", False),
    ],
)
def test_a_header_is_told_from_a_case(tmp_path: Path, content: str, header: bool) -> None:
    try:
        cases = read_cases(put(tmp_path, content, "a.csv"))
    except DataError as raised:  # a first column without name is no label
        assert header and "No column is the label" in str(raised)
        return
    assert ("has no header" in cases.notes[0]) is not header
    assert len(cases) == 2


@pytest.mark.parametrize(
    ("content", "labels", "first"),
    [
        ("1,0.5,0.25\n2,1,2\n", ("1", "2"), 0.5),
        ("1,0.5,0.25\n", ("1",), 0.5),
        ("run,5,2\nwalk,1,2\n", ("run", "walk"), 5),
        ("1,5,2\n1,1,2\n2,4,4\n2,3,3\n", ("1", "1", "2", "2"), 5),
        ("0.5,0.25\n1,2\n", None, 0.5),
        ("573,3,4\n572,1,4\n", None, 573),
        ("?,0.5\n?,2\n", None, 0.5),
        (",0.5,0.25\n,2,1\n", None, 0.5),
    ],
)
def test_a_file_that_need_not_have_labels(
    tmp_path: Path, content: str, labels: tuple[str, ...] | None, first: float
) -> None:
    cases = read_cases(put(tmp_path, content), labelled=False, target="as in another file")
    assert cases.labels == labels
    assert cases.values[0][0, 0] == first


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("1,0.5\n\n2,oops\n", "Line 3 of 'data.tsv' has 'oops' in cell 2"),
        ("# top\n1,0.5\n2,True\n", "Line 3 of 'data.tsv' has 'True' in cell 2"),
        ("0.5,0.75\n1,2\n", "Line 1 of 'data.tsv' begins with 0.5"),
        ("0,1,2,3,4,5,6,7\n" + "0.5,0.1,0.3,0.2,0.9,0.4,0.8,0.7\n" * 2, "'data.tsv' has no label: its first line"),
        ("1,2\n\n0.5,0.75\n", "Line 3 of 'data.tsv' begins with 0.5"),
        ("1,0.5\n,2\n", "Case '2' has no label"),
        ("1,0.5\nNaN,2\n", "Case '2' has no label"),
        ("1,0.5,inf\n2,3,4\n", "Case '1' has an infinite value in step 2"),
        ("1,0.5,-inf\n2,3,4\n", "Case '1' has an infinite value in step 2"),
        ("1,0.5,2\n2,NaN,NaN\n", "Case '2' has only missing values"),
        ("c1,walk,0.5,0.1,0.9\nc2,run,0.5,0.1,0.2\n", "but also 'walk'"),
        ("1\n2\n3\n", "No column is the label"),
        ("", "is empty"),
        ("\n \n", "is empty"),
        (b"\0\1\2\3" * 30, "is a binary file"),
        ("@relation x\n@attribute a numeric\n@data\n1,b\n", "is an ARFF file"),
    ],
)
def test_faults_in_files_are_named(tmp_path: Path, content: str | bytes, says: str) -> None:
    path = put(tmp_path, content)
    assert says in fault(lambda: read_cases(path))


def test_files_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    put(tmp_path, UCR)
    assert "Did you mean 'data.tsv'?" in fault(lambda: read_cases(tmp_path / "dat.tsv"))
    assert "name one of the files" in fault(lambda: read_cases(tmp_path))
    broken = put(tmp_path, lzma.compress(UCR.encode() * 20_000)[:-400], "a.tsv.xz")
    assert "'a.tsv.xz'" in fault(lambda: read_cases(broken))
    assert "unpacked" in fault(lambda: read_cases(put(tmp_path, UCR, "b.tsv.gz")))
    assert "Parquet" in fault(lambda: read_cases(put(tmp_path, b"PAR1 and no more", "a.parquet")))


@pytest.mark.parametrize("flag", ["target", "id", "time"])
@pytest.mark.parametrize(("name", "content"), [("a.tsv", UCR), ("a.ts", TS)])
def test_columns_cannot_be_named_where_there_are_none(tmp_path: Path, flag: str, name: str, content: str) -> None:
    text = fault(lambda: read_cases(put(tmp_path, content, name), **{flag: "kind"}))
    assert f"there is no 'kind'; leave {flag}= out" in text


# .ts


@pytest.mark.parametrize("name", ["a.ts", "a.txt", "HANDS_TRAIN.TS"])
def test_ts_files(tmp_path: Path, name: str) -> None:
    cases = read_cases(put(tmp_path, TS, name))
    assert lists(cases) == [[[1, 4], [2, 5], [3, 6]], [[7, None], [None, 8]]]
    assert cases.labels == ("left", "right") and cases.channels == ("channel_1", "channel_2")
    assert cases.notes == (f"'{name}' is a .ts file with 2 channel(s)", "2 value(s) of 1 case(s) are missing")


def test_ts_files_of_one_channel_and_labels_as_numbers(tmp_path: Path) -> None:
    content = "@univariate true\n@classLabel true 1 2.0\n@data\n1, 2,3 : 1.0\n# between\n\n4:2\n"
    cases = read_cases(put(tmp_path, content, "a.ts"))
    assert lists(cases) == [[[1], [2], [3]], [[4]]]
    assert cases.labels == ("1", "2") and cases.channels == ("value",)


def test_ts_files_without_labels(tmp_path: Path) -> None:
    path = put(tmp_path, "@classLabel false\n@data\n1,2:3,4\n5:6\n", "a.ts")
    cases = read_cases(path, labelled=False)
    assert cases.labels is None and lists(cases) == [[[1, 3], [2, 4]], [[5, 6]]]
    assert "has no labels" in fault(lambda: read_cases(path))
    hidden = put(tmp_path, "@classLabel true a b\n@data\n1,2:?\n5:?\n", "b.ts")
    assert read_cases(hidden, labelled=False).labels is None
    assert "Case '1' has no label" in fault(lambda: read_cases(hidden))


HEAD = "@classLabel true a b\n@data\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("@timestamps true\n" + HEAD + "(0,1):a\n", "@timestamps true"),
        ("@timeStamps True\n" + HEAD + "(0,1):a\n", "@timestamps true"),
        (HEAD + "(0,1),(1,2):a\n", "Line 3 of 'a.ts' has time stamps in brackets"),
        ("@targetLabel true\n@data\n1:2\n", "a number for each case and no label (@targetLabel true)"),
        ("@data\n1:a\n", "add a line '@classLabel true a b'"),
        ("hello\n", "has no line '@data'"),
        (HEAD, "no cases below @data"),
        (HEAD + "1,2:a\n1,2:c\n", "Line 4 of 'a.ts' has the label 'c'"),
        (HEAD + "1,2:1,2:a\n1,2:b\n", "Line 4 of 'a.ts' has 1 channel(s), but the first case has 2"),
        ("@dimensions 2\n" + HEAD + "1,2:a\n", "Line 4 of 'a.ts' has 1 channel(s), but its header says 2"),
        ("@univariate true\n" + HEAD + "1:2:a\n", "has 2 channel(s), but its header says 1"),
        ("@dimensions two\n" + HEAD + "1:a\n", "'two' behind @dimensions"),
        (HEAD + "1,x:a\n", "Line 3 of 'a.ts' has 'x' where a number is needed"),
        (HEAD + "1,,2:a\n", "Line 3 of 'a.ts' has '' where a number is needed"),
        (HEAD + "1,2\n", "Line 3 of 'a.ts' has no ':'"),
        (HEAD + "1,2:1:a\n", "Line 3 of 'a.ts' has channels of 1 and of 2 steps"),
        (HEAD + "1,2:\n", "Case '1' has no label"),
        (HEAD + "1,2:a\n:b\n", "Case '2' has no steps"),
        (HEAD + "1,inf:a\n", "Case '1' has an infinite value in step 2"),
        (HEAD + "?,?:a\n", "Case '1' has only missing values"),
    ],
)
def test_faults_in_ts_files_are_named(tmp_path: Path, content: str, says: str) -> None:
    path = put(tmp_path, content, "a.ts")
    assert says in fault(lambda: read_cases(path))


# Long tables.


def test_a_long_table() -> None:
    cases = frame_cases(LONG)
    assert lists(cases) == [[[1, 0], [2, 0.5], [None, 7]], [[10, 0], [20, 0.25]]]
    assert (cases.labels, cases.names, cases.channels) == (("up", "down"), ("a", "b"), ("x", "y"))
    assert cases.notes == (
        "each row is a step of the case in 'unique_id', in the order of 'ds', with its label in 'label'; "
        "2 channel(s): 'x', 'y'",
        "1 value(s) of 1 case(s) are missing",
    )


def test_long_tables_in_every_form(tmp_path: Path) -> None:
    mark = fingerprint(frame_cases(LONG))
    dated = LONG.assign(ds=pd.to_datetime(LONG["ds"]))
    LONG.to_csv(tmp_path / "a.csv", index=False)
    LONG.to_csv(tmp_path / "b.csv", sep=";", decimal=",", index=False)
    dated.to_parquet(tmp_path / "c.parquet")
    forms = [read_cases(tmp_path / name) for name in ("a.csv", "b.csv", "c.parquet")]
    forms += [frame_cases(form) for form in (dated, pl.from_pandas(dated), dated.set_index(["unique_id", "ds"]))]
    forms += [frame_cases(dated.set_index("ds")), frame_cases(LONG.set_index("unique_id"))]
    forms += [frame_cases(LONG.astype({"unique_id": "category", "label": "category"}))]
    assert [fingerprint(form) for form in forms] == [mark] * len(forms)
    bare = dated.set_index(["unique_id", "ds"]).rename_axis([None, None])
    assert fingerprint(frame_cases(bare)) == mark
    assert any("decimal comma" in note for note in forms[1].notes)


def test_columns_of_a_long_table_can_be_named() -> None:
    frame = LONG.rename(columns={"unique_id": "subject", "ds": "when", "label": "kind"}).assign(device="d")
    assert "'kind' and 'device' could both be the label" in fault(lambda: frame_cases(frame))
    cases = frame_cases(frame, target="kind", id="subject", time="when")
    assert cases.labels == ("up", "down") and lists(cases) == lists(frame_cases(LONG))
    assert "left out 'device'" in cases.notes[1]


def test_the_text_that_tells_rows_of_one_time_apart_is_the_id() -> None:
    steps = np.tile(np.arange(3), 8)
    frame = pd.DataFrame({"who": np.repeat(list("abcdefgh"), 3), "time": steps, "v": np.arange(24.0)})
    frame["kind"] = np.repeat(["u", "v"] * 4, 3)
    cases = frame_cases(frame.sample(frac=1, random_state=3).sort_values("who", kind="stable"))
    assert cases.names == tuple("abcdefgh") and cases.labels == ("u", "v") * 4
    assert lists(cases)[1] == [[3], [4], [5]]


@pytest.mark.parametrize(
    "times",
    [
        [3, 1, 2, 2, 1],
        [0.5, 0.1, 0.2, 0.4, 0.3],
        ["1 Mar 2024", "1 Jan 2024", "1 Feb 2024", "2 Feb 2024", "1 Feb 2024"],
    ],
)
def test_steps_are_sorted_by_any_kind_of_time(times: list[Any]) -> None:
    frame = pd.DataFrame({"id": [1, 1, 1, 2, 2], "time": times, "v": [3, 1, 2, 5, 4], "class": [0, 0, 0, 1, 1]})
    assert lists(frame_cases(frame, time="time")) == [[[1], [2], [3]], [[4], [5]]]


@pytest.mark.parametrize("unit", ["ms", "s", "h", "D"])
def test_time_that_has_passed_is_found_and_sorts_the_steps(unit: str) -> None:
    passed = pd.to_timedelta([3, 1, 2, 2, 1], unit=unit)
    frame = pd.DataFrame({"id": [1, 1, 1, 2, 2], "time": passed, "v": [3, 1, 2, 5, 4], "class": [0, 0, 0, 1, 1]})
    assert lists(frame_cases(frame)) == [[[1], [2], [3]], [[4], [5]]]


def test_without_a_time_rows_keep_their_order() -> None:
    frame = pd.DataFrame({"id": [2, 1, 2, 1], "v": [1.0, 2, 3, 4], "class": [0, 1, 0, 1]})
    cases = frame_cases(frame)
    assert lists(cases) == [[[1], [3]], [[2], [4]]] and cases.names == ("2", "1") and cases.labels == ("0", "1")
    assert "in the order of the rows" in cases.notes[0]


def test_a_time_with_gaps_is_not_chosen_before_one_without() -> None:
    frame = pd.DataFrame({"id": [1, 1], "ds": [NAN, 1], "step": [2, 1], "v": [1, 2], "class": 3})
    assert lists(frame_cases(frame)) == [[[1, 2], [None, 1]]]


def test_a_time_in_two_columns() -> None:
    frame = pd.DataFrame(
        {"id": [1, 1], "day": ["2024-01-01"] * 2, "clock": ["10:00", "09:00"], "v": [1, 2], "class": 3}
    )
    cases = frame_cases(frame, time="day+clock")
    assert lists(cases) == [[[2], [1]]] and cases.channels == ("v",)


def test_coordinates_are_channels_and_no_label() -> None:
    frame = pd.DataFrame({"id": [1, 2, 1, 2], "x": [1, 2, 3, 4], "y": 0, "z": [5, 6, 7, 8], "move": list("uvuv")})
    assert frame_cases(frame).channels == ("x", "y", "z") and frame_cases(frame).labels == ("u", "v")
    values = pd.DataFrame({"id": [1, 2, 1, 2], "y": [1, 2, 3, 4], "move": list("uvuv")})
    assert frame_cases(values).channels == ("y",) and frame_cases(values).labels == ("u", "v")
    fractions = pd.DataFrame({"id": [1, 2], "y": [0.5, 1], "z": [1, 1], "move": list("uv")})
    assert frame_cases(fractions).labels == ("u", "v") and frame_cases(fractions).lengths.tolist() == [2, 2]


def test_what_would_give_the_class_away_is_no_channel() -> None:
    frame = LONG.assign(**{"class": [1, 2, 1, 2, 1], "Case ID": [5, 6, 5, 6, 5], "index": range(5)})
    cases = frame_cases(frame)
    assert cases.channels == ("x", "y")
    assert "left out 'class', 'Case ID', 'index'" in cases.notes[1]


def test_a_label_may_stand_in_some_rows_of_a_case() -> None:
    assert frame_cases(LONG.assign(label=["up", "down", None, None, NAN])).labels == ("up", "down")


@pytest.mark.parametrize(
    ("frame", "given", "says"),
    [
        (LONG.assign(label=["up", "down", "up", "left", "up"]), {}, "Case 'b' has two labels in 'label', 'left' and"),
        (LONG.assign(label=["up", None, "up", None, "up"]), {}, "Case 'b' has no label"),
        (LONG.assign(label=[0.5, 1, 0.5, 1, 0.5]), {}, "A label is 0.5"),
        (LONG.assign(unique_id=["a", None, "a", "b", "b"]), {}, "The id column 'unique_id' is empty in row 2"),
        (LONG.assign(ds=[1, NAN, 2, 3, 4]), {}, "The time column 'ds' is empty in row 2"),
        (LONG.assign(ds=pd.to_datetime(["2024", None, "2025", "2026", "2027"])), {}, "'ds' is empty in row 2"),
        (LONG.assign(ds="2024-01-01"), {}, "have the same 'unique_id' and the same 'ds'"),
        (LONG.assign(x=[1, 2, np.inf, 3, 4]), {}, "Column 'x' has an infinite value in row 3"),
        (LONG.assign(x=["1", "2", "oops", "3", "4"]), {}, "Column 'x' has the text 'oops' in row 3"),
        (LONG.assign(x=[1, NAN, 2, NAN, 3], y=[1, NAN, 2, NAN, 3]), {}, "Case 'b' has only missing values"),
        (LONG.drop(columns=["x", "y"]), {}, "no column of numbers"),
        (LONG.drop(columns=["label"]), {}, "No column is the label"),
        (LONG.drop(columns=["unique_id"]).assign(ds=range(5)), {}, "no column tells which case a row belongs to"),
        (LONG, {"target": "Label"}, "Did you mean 'label'?"),
        (LONG, {"id": "unique"}, "Did you mean 'unique_id'?"),
        (LONG, {"time": "when"}, "There is no column 'when' for the time"),
        (LONG, {"target": "ds", "time": "ds"}, "cannot be the label and the time"),
        (LONG, {"id": "ds", "time": "ds"}, "cannot be the id and the time"),
        (LONG, {"target": ("ds", "ds")}, "'ds' is named twice as the label; name it once."),
        (LONG, {"target": "ds", "id": "ds"}, "cannot be the label and the id"),
        (LONG, {"id": "label", "target": "unique_id"}, None),
        (LONG.head(0), {}, "The table has no rows"),
        (LONG.assign(x=[[1, 2]] * 5), {}, "Column 'x' has a whole sequence in each cell"),
        (LONG.assign(x=[pd.Series([1])] * 5), {}, "Column 'x' has a whole sequence in each cell"),
        ({"a": 1}, {}, "A table is needed"),
    ],
)
def test_faults_in_long_tables_are_named(frame: Any, given: dict[str, str], says: str | None) -> None:
    if says is None:
        assert frame_cases(frame, **given).labels == ("a", "b")
    else:
        assert says in fault(lambda: frame_cases(frame, **given))


def test_long_tables_without_labels() -> None:
    bare = LONG.drop(columns="label")
    assert frame_cases(bare, labelled=False).labels is None
    assert frame_cases(LONG, labelled=False).labels == ("up", "down")
    assert frame_cases(bare.head(1).assign(t1=2), labelled=False, time="ds").lengths.tolist() == [1]
    # The column that was the label in training is not there, and no other takes its place.
    other = bare.assign(device=["p", "q", "p", "q", "p"])
    assert frame_cases(other, labelled=False, target="label").labels is None
    assert frame_cases(LONG, labelled=False, target="label").labels == ("up", "down")
    assert frame_cases(LONG.assign(label=None), labelled=False, target="label").labels is None


# Wide tables.


def test_a_wide_table() -> None:
    cases = frame_cases(WIDE)
    assert lists(cases) == [[[1], [4], [7]], [[2], [None], [8]], [[3], [6]]]
    assert (cases.labels, cases.names, cases.channels) == (("u", "v", "u"), ("7", "9", "8"), ("value",))
    assert cases.notes[0] == (
        "each row is a case, named by 'id', with its label in 'label'; "
        "its 3 step(s) are the columns of numbers from 's1' to 's3'"
    )
    assert len(cases.notes) == 3


def test_wide_tables_in_every_form(tmp_path: Path) -> None:
    mark = fingerprint(frame_cases(WIDE))
    WIDE.to_csv(tmp_path / "a.csv", index=False)
    WIDE.to_csv(tmp_path / "b.tsv", sep="\t")  # with a first column that counts the rows
    WIDE.to_parquet(tmp_path / "c.parquet")
    forms = [read_cases(tmp_path / name) for name in ("a.csv", "b.tsv", "c.parquet")]
    forms += [frame_cases(form) for form in (pl.from_pandas(WIDE), WIDE.set_index("id"), WIDE.set_axis([5, 5, 6]))]
    forms += [frame_cases(WIDE[["s1", "label", "s2", "id", "s3"]]), frame_cases(WIDE.astype({"label": "category"}))]
    forms += [frame_cases(WIDE.assign(s1=["1", "2", "3"])), frame_cases(WIDE.set_index("id", drop=False))]
    assert [fingerprint(form) for form in forms] == [mark] * len(forms)


@pytest.mark.parametrize("name", ["label", "Class", "TARGET", "y", "category", "标签", "类别", "Class Label", "kind"])
def test_the_label_is_found_by_name_or_as_the_only_text(name: str) -> None:
    cases = frame_cases(WIDE.rename(columns={"label": name}))
    assert cases.labels == ("u", "v", "u") and cases.lengths.tolist() == [3, 3, 2]


def test_whole_numbers_and_truth_can_be_labels() -> None:
    assert frame_cases(WIDE.assign(label=[2, 1, 2])).labels == ("2", "1", "2")
    assert frame_cases(WIDE.assign(label=[2.0, 1.0, 2.0])).labels == ("2", "1", "2")
    assert frame_cases(WIDE.assign(label=[True, False, True])).labels == ("True", "False", "True")
    assert frame_cases(WIDE.assign(label=["1.0", " b ", "1"])).labels == ("1", "b", "1")
    assert frame_cases(WIDE.assign(kind=[4, 5, 4]), target="kind").labels == ("4", "5", "4")


@pytest.mark.parametrize("name", ["id", "Name", "Case ID", "case_id", "specimen", "index", "编号"])
def test_the_names_of_cases_are_found(name: str) -> None:
    assert frame_cases(WIDE.astype({"id": str}).replace({"id": {"7": "p"}}).rename(columns={"id": name})).names == (
        "p",
        "9",
        "8",
    )


def test_cases_without_a_name_are_counted() -> None:
    two = pd.DataFrame({"kind": ["p", "q"], "s1": [1, 2], "s2": [3, 4]})
    assert frame_cases(two).names == ("1", "2") and frame_cases(two).labels == ("p", "q")
    cases = frame_cases(WIDE.drop(columns="id"))
    assert cases.names == ("1", "2", "3") and "named by its number" in cases.notes[0]


def test_a_wide_table_of_subjects_with_several_cases() -> None:
    steps = pd.DataFrame(np.random.default_rng(0).random((6, 25))).add_prefix("t")
    frame = steps.assign(id=[1, 1, 2, 2, 3, 3], label=[0, 1] * 3)
    cases = frame_cases(frame)
    assert len(cases) == 6 and cases.lengths.tolist() == [25] * 6 and cases.labels == ("0", "1") * 3
    # The same table with few columns, or with its id given, has steps of cases, whose labels then differ.
    assert "two labels" in fault(lambda: frame_cases(frame.drop(columns=[f"t{i}" for i in range(10, 25)])))
    assert "two labels" in fault(lambda: frame_cases(frame, id="id"))


def test_wide_and_long_are_told_apart_by_whether_ids_repeat() -> None:
    frame = pd.DataFrame({"id": ["a", "a"], "u": [1.0, 2], "v": [3.0, 4], "label": "k"})
    assert frame_cases(frame).channels == ("u", "v") and len(frame_cases(frame)) == 1
    assert frame_cases(frame.assign(id=["a", "b"])).channels == ("value",)
    assert frame_cases(frame.assign(id=["a", "b"], time=[1, 2]), time="time").channels == ("u", "v")


@pytest.mark.parametrize(
    ("frame", "given", "says"),
    [
        (WIDE.assign(label=["u", None, "v"]), {}, "Case '9' has no label"),
        (
            WIDE.drop(columns="label"),
            {},
            "No column is the label of a case; name it with target=. The columns are: s1",
        ),
        (WIDE.drop(columns="label").assign(s1=[True, False, True]), {}, "No column is the label"),
        (WIDE.drop(columns="label").assign(note=list("abc")), {}, "No column is the label"),
        (
            WIDE.assign(id=pd.date_range("2024", periods=3)).set_axis(["day", "kind", "u", "v", "w"], axis=1),
            {},
            "leave 'd",
        ),
        (WIDE.drop(columns="label").assign(p=list("aba"), q=list("bba")), {}, "Columns 'p' and 'q' could both be"),
        (WIDE.assign(id=[1, NAN, 2]), {}, "The id column 'id' is empty in row 2"),
        (WIDE.assign(s2=[1, 2, -np.inf]), {}, "Column 's2' has an infinite value in row 3"),
        (WIDE.assign(s1=NAN, s2=[1, NAN, 1], s3=NAN), {}, "Case '9' has only missing values"),
        (WIDE[["id", "label"]], {}, "no column of numbers"),
        (WIDE[["label"]].assign(a=[1j, 2, 3]), {}, "no column of numbers"),
        (WIDE.assign(id=pd.date_range("2024", periods=3)).rename(columns={"id": "day"}), {}, "leave 'day' out"),
        (WIDE, {"target": "s9"}, "There is no column 's9' for the label"),
        (WIDE, {"target": "s1"}, None),
    ],
)
def test_faults_in_wide_tables_are_named(frame: pd.DataFrame, given: dict[str, str], says: str | None) -> None:
    if says is None:
        assert frame_cases(frame, **given).labels == ("1", "2", "3")
    else:
        assert says in fault(lambda: frame_cases(frame, **given))


def test_wide_tables_without_labels() -> None:
    bare = WIDE.drop(columns="label")
    assert frame_cases(bare, labelled=False).labels is None
    assert frame_cases(bare, labelled=False).lengths.tolist() == [3, 3, 2]
    assert frame_cases(bare.head(1), labelled=False, target="label").names == ("7",)
    assert frame_cases(WIDE, labelled=False).labels == ("u", "v", "u")
    assert frame_cases(WIDE.assign(label=None), labelled=False, target="label").labels is None
    assert frame_cases(WIDE.assign(label=["u", None, "v"]), labelled=False).labels is None


# Round trips.

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))


@st.composite
def some_cases(draw: st.DrawFn, most: int = 3) -> Cases:
    """Cases with values missing in the middle but not at the end."""
    count, width = draw(st.integers(1, 5)), draw(st.integers(1, most))
    values = []
    for _ in range(count):
        steps = draw(st.lists(st.lists(NUMBERS | st.just(NAN), min_size=width, max_size=width), max_size=5))
        last = draw(st.lists(NUMBERS, min_size=width, max_size=width))
        values.append(np.array([*steps, last]).T)
    labels = draw(st.lists(st.sampled_from(["a", "b c", "7", "跑"]), min_size=count, max_size=count))
    return cases_of(values, labels)


def long_frame(cases: Cases) -> pd.DataFrame:
    assert cases.labels is not None
    parts = [
        pd.DataFrame(values, columns=list(cases.channels)).assign(id=f"n{name}", step=range(len(values)), label=label)
        for name, label, values in zip(cases.names, cases.labels, cases.values, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def same(one: Cases, other: Cases) -> bool:
    return one.labels == other.labels and lists(one) == lists(other)


@settings(max_examples=60, deadline=None)
@given(some_cases(), st.randoms(use_true_random=False))
def test_a_long_table_gives_the_cases_back_in_any_order_of_rows(cases: Cases, chance: Any) -> None:
    frame = long_frame(cases)
    assert same(frame_cases(frame, time="step", target="label"), cases)
    rows = list(range(len(frame)))
    chance.shuffle(rows)
    back = frame_cases(frame.iloc[rows], time="step", target="label")
    places = [int(name[1:]) - 1 for name in back.names]
    assert same(back, cases.some(places))


@settings(max_examples=60, deadline=None)
@given(some_cases(most=1))
def test_wide_and_long_tables_and_arrays_give_the_same_cases(cases: Cases) -> None:
    assert cases.labels is not None
    table = pd.DataFrame([pd.Series(values[:, 0]) for values in cases.values]).add_prefix("t")
    wide = frame_cases(table.assign(id=[f"n{name}" for name in cases.names], label=list(cases.labels)), target="label")
    assert same(wide, cases)
    assert same(cases_of(table, cases.labels), cases)
    long = frame_cases(long_frame(cases), time="step", target="label")
    assert same(long, wide) and long.names == wide.names


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some_cases(), st.sampled_from(["", ".gz", ".xz"]))
def test_ts_files_give_the_cases_back(tmp_path: Path, cases: Cases, suffix: str) -> None:
    assert cases.labels is not None
    lines = ["@classLabel true", "@data"]
    for values, label in zip(cases.values, cases.labels, strict=True):
        channels = [",".join("?" if np.isnan(v) else repr(v) for v in channel) for channel in values.T.tolist()]
        lines.append(":".join([*channels, label]))
    path = put(tmp_path, pack("\n".join(lines), "a.ts", suffix), "a.ts" + suffix)
    if all(np.isfinite(values).any() for values in cases.values):
        assert same(read_cases(path), cases)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some_cases(most=1), st.sampled_from("\t,;"))
def test_ucr_files_give_the_cases_back(tmp_path: Path, cases: Cases, mark: str) -> None:
    assert cases.labels is not None
    width = max(cases.lengths)
    rows = [[*map(repr, values[:, 0].tolist()), *["NaN"] * (width - len(values))] for values in cases.values]
    lines = [mark.join([label, *row]) for label, row in zip(cases.labels, rows, strict=True)]
    assert same(read_cases(put(tmp_path, "\n".join(lines) + "\n")), cases)


def test_many_rows_take_little_time() -> None:
    """No work in Python for each row: 400,000 rows, as they come and shuffled."""
    count, steps = 2_000, 200
    frame = pd.DataFrame({"unique_id": np.repeat(np.arange(count), steps), "ds": np.tile(np.arange(steps), count)})
    frame["v"] = np.random.default_rng(0).standard_normal(len(frame))
    frame["label"] = np.repeat(np.arange(count) % 3, steps)
    cases = frame_cases(frame)
    assert len(cases) == count and set(cases.lengths) == {steps}
    mixed = frame_cases(frame.sample(frac=1, random_state=1))
    order = np.argsort([int(name) for name in mixed.names])
    assert fingerprint(mixed.some(order)) == fingerprint(cases)

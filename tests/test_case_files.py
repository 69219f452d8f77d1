"""Cases of which each is a file: folders by class, tables that name files, arrays of NumPy, moving pictures."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.io import wavfile

from recurra.data.cases import Cases, cases_of, file_cases, fingerprint, is_paths, read_cases, table_cases
from recurra.errors import DataError


def fault(call: Any) -> str:
    with pytest.raises(DataError) as raised:
        call()
    text = str(raised.value)
    assert "\n" not in text and text.endswith(".") and "  " not in text
    return text


def shelf(folder: Path, kind: str, classes: str = "ab", count: int = 3) -> Path:
    """A folder for each class with files of one kind, each longer than the one before."""
    for code, label in enumerate(classes):
        (folder / label).mkdir(parents=True)
        for n in range(count):
            save(folder / label / f"{n}.{kind}", 1000.0 * code + np.arange(2 * (5 + n)).reshape(2, -1))
    return folder


def save(path: Path, values: np.ndarray) -> None:
    """Write values (C, T) as the kind of file that the name says."""
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".wav":
        wavfile.write(path, 8000, np.tile(values[0], 100).astype("<i2"))
    else:
        pd.DataFrame(values.T, columns=["x", "y"]).to_csv(path, index=False)


# Folders.


@pytest.mark.parametrize("kind", ["npy", "csv", "wav"])
def test_each_folder_is_a_class_and_each_file_a_case(tmp_path: Path, kind: str) -> None:
    cases = read_cases(shelf(tmp_path, kind))
    assert cases.labels == ("a", "a", "a", "b", "b", "b")
    assert cases.names == tuple(f"{label}/{n}.{kind}" for label in "ab" for n in range(3))
    assert f"each folder in '{tmp_path.name}' is a class, each file in it a case" in cases.notes
    if kind != "wav":
        assert cases.lengths.tolist() == [5, 6, 7, 5, 6, 7]
        assert cases.values[4].T.tolist() == (1000 + np.arange(12).reshape(2, 6)).tolist()
    else:
        assert cases.rate == 8000 and [v.shape for v in cases.values[:3]] == [(4, 20), (6, 20), (7, 20)]
    assert cases.channels == {"npy": ("channel_1", "channel_2"), "csv": ("x", "y")}.get(kind, cases.channels)


@pytest.mark.parametrize("kind", ["npy", "csv", "wav"])
def test_more_files_than_may_be_open_at_once(tmp_path: Path, kind: str) -> None:
    resource = pytest.importorskip("resource")
    folder = shelf(tmp_path, kind, count=60)
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path(os.devnull).open() as newest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (newest.fileno() + 20, allowed[1]))
    try:
        assert len(read_cases(folder)) == 120
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)


def test_what_is_hidden_or_of_another_kind_is_left_out_and_counted(tmp_path: Path) -> None:
    folder = shelf(tmp_path, "npy")
    plain = fingerprint(read_cases(folder))
    for name in ("a/.hidden.npy", "a/notes.txt", "b/0.csv", "README.md"):
        (folder / name).write_text("?")
    (folder / ".git").mkdir()
    (folder / "empty").mkdir()
    (folder / "a" / "more").mkdir()
    cases = read_cases(folder)
    assert fingerprint(cases) == plain
    assert "left out 2 file(s) that are no npy files, such as 'a/notes.txt'" in cases.notes
    assert "careful: no file was found for 1 class(es): 'empty'" in cases.notes
    (folder / "a" / "1.npy").rename(folder / "a" / "more" / "deep.npy")
    deep = read_cases(folder)
    assert dict(zip(deep.names, deep.labels or (), strict=True))["a/more/deep.npy"] == "a"


def test_arrays_have_no_columns(tmp_path: Path) -> None:
    folder = shelf(tmp_path / "curves", "npy")
    np.savez(tmp_path / "a.npz", X=np.eye(4), y=np.arange(4) % 2)
    for path, name in ((folder, "id"), (folder, "target"), (tmp_path / "a.npz", "time"), (folder / "a/0.npy", "id")):
        said = fault(lambda path=path, name=name: read_cases(path, **{name: "who"}))
        assert f"'{path.name}' has no columns, so there is no 'who'; leave {name}= out" in said
    assert len(read_cases(folder, target="label", labelled=False)) == 6


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    folder = shelf(tmp_path, "npy") / "a"
    cases = read_cases(folder, labelled=False)
    assert cases.labels is None and cases.names == ("0.npy", "1.npy", "2.npy")
    said = fault(lambda: read_cases(folder))
    assert "has 3 file(s) such as '0.npy', but no folder for each class" in said and "column 'file'" in said


def test_folders_that_are_no_classes_are_refused(tmp_path: Path) -> None:
    shelf(tmp_path / "train", "npy")
    shelf(tmp_path / "test", "npy")
    assert "'test' and 'train', as parts of the data are" in fault(lambda: read_cases(tmp_path))
    assert len(read_cases(tmp_path / "train")) == 6
    assert "no file that can be read" in fault(lambda: read_cases((tmp_path / "none").mkdir() or tmp_path / "none"))


def test_the_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    sounds = shelf(tmp_path / "sounds", "wav")
    (sounds / "b" / "1.wav").write_bytes(b"RIFF and no more")
    assert "'b/1.wav' is no wav file" in fault(lambda: read_cases(sounds))
    arrays = shelf(tmp_path / "arrays", "npy")
    (arrays / "b" / "1.npy").write_bytes((arrays / "b" / "0.npy").read_bytes()[:100])
    assert "'b/1.npy' cannot be read as an array" in fault(lambda: read_cases(arrays))
    np.save(arrays / "b" / "1.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    said = fault(lambda: read_cases(arrays))
    assert "'b/1.npy' holds Python objects" in said and "unequal length filled up with NaN" in said
    np.save(arrays / "b" / "1.npy", np.zeros((3, 5)))
    said = fault(lambda: read_cases(arrays))
    assert "Case 'a/0.npy' has 2 channel(s) and case 'b/1.npy' has 3" in said
    tables = shelf(tmp_path / "tables", "csv")
    (tables / "b" / "1.csv").write_text("x,z\n1,2\n")
    assert "'a/0.csv' has the columns 'x', 'y' and 'b/1.csv' has 'x', 'z'" in fault(lambda: read_cases(tables))


def test_arrays_that_differ_in_rows_alone_are_turned(tmp_path: Path) -> None:
    folder = shelf(tmp_path, "npy")
    straight = read_cases(folder)
    for path in folder.glob("*/*.npy"):
        np.save(path, np.load(path).T.astype(np.float16))
    turned = read_cases(folder)
    assert [v.tolist() for v in turned.values] == [v.tolist() for v in straight.values]
    assert "the arrays were read as (time, channels): all have 2 columns" in turned.notes


def test_tables_of_steps_are_sorted_by_their_time(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.csv").write_text("time,x\n3,30\n1,10\n2,20\n")
    (tmp_path / "a" / "1.csv").write_text("time,x\n1,5\n")
    cases = read_cases(tmp_path)
    assert [v.tolist() for v in cases.values] == [[[10], [20], [30]], [[5]]] and cases.channels == ("x",)


# Lists of files.


def test_a_table_names_files_from_its_own_folder(tmp_path: Path) -> None:
    folder = shelf(tmp_path, "wav")
    by_folder = read_cases(folder)
    table = pd.DataFrame({"file": [*reversed(by_folder.names)], "said": [*reversed(by_folder.labels or ())]})
    table.to_csv(folder / "list.csv", index=False)
    listed = read_cases(folder / "list.csv")
    assert listed.labels == tuple(table["said"]) and listed.names == tuple(table["file"]) and listed.rate == 8000
    assert all((v == w).all() for v, w in zip(listed.values, reversed(by_folder.values), strict=True))
    assert "each row names the file of a case in 'file', with its label in 'said'" in listed.notes
    assert read_cases(folder / "list.csv", target="said").labels == listed.labels
    table["file"] = [str(folder / name) for name in table["file"]]
    assert table_cases(table).labels == listed.labels
    assert table_cases(table[["file"]], labelled=False).labels is None
    table.loc[2, "file"] = "gone.wav"
    table.to_csv(folder / "list.csv", index=False)
    said = fault(lambda: read_cases(folder / "list.csv"))
    assert "Column 'file' names 'gone.wav' in line 4 of 'list.csv', but there is no file" in said
    assert "No column is the label" in fault(lambda: table_cases(table[["file"]]))


def test_a_list_of_paths_is_cases(tmp_path: Path) -> None:
    folder = shelf(tmp_path, "npy")
    paths = sorted(folder.glob("*/*.npy"))
    cases = cases_of(file_cases(paths), [5, 5, 5, 7, 7, 7])
    assert is_paths(paths) and not is_paths([]) and not is_paths(["a", 3])
    assert is_paths(["gone.wav"]) and is_paths([__file__]) and not is_paths(["google.com", "v1.2"])
    assert cases.labels == ("5", "5", "5", "7", "7", "7") and cases.names == tuple(map(str, paths))
    assert [v.tolist() for v in cases.values] == [v.tolist() for v in read_cases(folder).values]
    assert "There is no file" in fault(lambda: file_cases([folder / "a" / "9.npy"]))
    wav = shelf(tmp_path / "more", "wav") / "a" / "0.wav"
    assert "are of different kinds" in fault(lambda: file_cases([paths[0], wav]))
    assert "is no file of a case" in fault(lambda: file_cases([Path(__file__)]))


# Arrays.


@pytest.mark.parametrize(("x", "y"), [("X", "y"), ("data", "labels"), ("x", "target")])
def test_values_and_labels_in_one_file(tmp_path: Path, x: str, y: str) -> None:
    values = np.arange(24, dtype=np.int16).reshape(4, 2, 3)
    np.savez(tmp_path / "a.npz", **{x: values, y: np.array(["u", "v", "u", "v"])})
    cases = read_cases(tmp_path / "a.npz")
    assert cases.labels == ("u", "v", "u", "v") and cases.channels == ("channel_1", "channel_2")
    assert np.array_equal(np.stack(cases.values), values.transpose(0, 2, 1))
    assert "'a.npz' holds 4 case(s) as an array of shape (4, 2, 3)" in cases.notes


def test_values_without_labels_can_be_asked_about(tmp_path: Path) -> None:
    values = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "a.npz", whatever=values)
    for name in ("a.npy", "a.npz"):
        assert np.stack(read_cases(tmp_path / name, labelled=False).values)[:, :, 0].tolist() == values.tolist()
        assert "holds values but not what they are" in fault(lambda name=name: read_cases(tmp_path / name))


def test_files_of_numpy_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, X_train=np.zeros((2, 3)), X_test=np.zeros((2, 3)), y_train=[0, 1])
    said = fault(lambda: read_cases(path))
    assert "holds the arrays 'X_train', 'X_test', 'y_train', of which none is X" in said
    np.savez(path, X=np.array([[1, {}]], dtype=object), y=[1])
    assert "holds Python objects (pickle)" in fault(lambda: read_cases(path))
    path.write_bytes(b"PK\x03\x04 and no more")
    assert "cut short or damaged" in fault(lambda: read_cases(path))
    np.savez(path)
    assert "holds no array" in fault(lambda: read_cases(path))
    assert "There is no file" in fault(lambda: read_cases(tmp_path / "b.npz"))


# Moving pictures.


@pytest.mark.parametrize("axes", [(0, 1, 3, 4), (0, 1, 2, 3, 4), (0, 1, 3, 4, 2)])
@pytest.mark.parametrize("colours", [1, 3])
def test_frames_are_rows_of_pixels(axes: tuple[int, ...], colours: int) -> None:
    pictures = np.random.default_rng(1).integers(0, 255, (2, 5, colours, 4, 6)).astype(np.uint8)
    if len(axes) == 4:
        pictures = pictures[:, :, :1]
    given = pictures[:, :, 0] if len(axes) == 4 else pictures.transpose(axes)
    cases = cases_of(given, ["a", "b"])
    assert cases.shape == (pictures.shape[2], 4, 6)
    assert np.array_equal(np.stack(cases.values), pictures.reshape(2, 5, -1))
    assert cases.notes[0].endswith(f"5 frame(s), 4 x 6 pixels, {pictures.shape[2]} colour(s)")
    assert cases.some([1]).shape == cases.shape
    listed = cases_of([given[0], given[1][:3]])
    assert listed.shape == cases.shape and listed.lengths.tolist() == [5, 3]
    assert np.array_equal(listed.values[1], cases.values[1][:3]) and "of 3 to 5 frame(s)" in listed.notes[0]


def test_pictures_that_are_no_sequences_are_refused() -> None:
    assert "as single pictures with 3 colour(s) have" in fault(lambda: cases_of(np.zeros((9, 28, 28, 3))))
    assert "have 1 or 3 colours" in fault(lambda: cases_of(np.zeros((9, 5, 4, 8, 8))))
    said = fault(lambda: cases_of([np.zeros((5, 8, 8)), np.zeros((5, 8, 9))]))
    assert said.startswith("Case '1' has the shape (5, 8, 8) and case '2' has (5, 8, 9)")


def test_pictures_in_files_of_a_folder(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        for n in range(2):
            np.save(tmp_path / label / f"{n}.npy", np.full((2 + n, 4, 4), n, dtype=np.uint8))
    cases: Cases = read_cases(tmp_path)
    assert cases.shape == (1, 4, 4) and cases.lengths.tolist() == [2, 3, 2, 3]


def test_arrays_of_other_channels_turn_nobody(tmp_path: Path) -> None:
    """One file of two channels among those of one is a mistake, and no sign that the others lie on their side."""
    for name, channels in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name[0]).mkdir()
        np.save(tmp_path / name[0] / "x.npy", np.zeros((channels, 30)) + np.arange(30))
    with pytest.raises(DataError, match=r"has 1 channel\(s\) and case .* has 2"):
        read_cases(tmp_path)

"""Tables from files: every dialect gives the same table, and every unreadable file gets one plain sentence."""

import bz2
import gzip
import lzma
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.data.tables.columns import numbers
from recurra.data.tables.files import placed, read_table
from recurra.errors import DataError

DAYS = pd.date_range("2024-01-25", periods=40)
VALUES = np.round(np.linspace(-20.5, 2001.25, 40), 2)


def table(sep: str = ",", decimal: str = ".", head: str = "date,y", date: str = "%Y-%m-%d") -> str:
    lines = [head.replace(",", sep)] if head else []
    lines += [f"{d.strftime(date)}{sep}{str(v).replace('.', decimal)}" for d, v in zip(DAYS, VALUES, strict=True)]
    return "\n".join(lines) + "\n"


def write(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def message(path: Path) -> str:
    with pytest.raises(DataError) as fault:
        read_table(path)
    text = str(fault.value)
    assert "\n" not in text and text.endswith(".")
    return text


def test_an_ordinary_csv_needs_no_note(tmp_path: Path) -> None:
    frame, notes = read_table(write(tmp_path, table()))
    assert notes == []
    assert list(frame.columns) == ["date", "y"]
    assert frame["date"].tolist() == DAYS.strftime("%Y-%m-%d").tolist()
    np.testing.assert_array_equal(frame["y"], VALUES)


@pytest.mark.parametrize("sep", [",", ";", "\t", "|", "   "])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_separators_decimals_and_line_ends(tmp_path: Path, sep: str, decimal: str, end: str) -> None:
    if sep == "," and decimal == ",":
        text = "date,y\n" + "".join(
            f'{d:%Y-%m-%d},"{str(v).replace(".", ",")}"\n' for d, v in zip(DAYS, VALUES, strict=True)
        )
    else:
        text = table(sep, decimal)
    frame, notes = read_table(write(tmp_path, text.replace("\n", end)))
    assert list(frame.columns) == ["date", "y"]
    np.testing.assert_array_equal(frame["y"], VALUES)
    assert ("decimal comma" in " ".join(notes)) == (decimal == ",")


@pytest.mark.parametrize(
    ("encoding", "head", "said"),
    [
        ("utf-8", "Tag,Größe", None),
        ("utf-8-sig", "Tag,Größe", None),
        ("utf-16", "Tag,Größe", "UTF-16"),
        ("latin-1", "Tag,Größe", "Latin-1"),
        ("cp1252", "Tag,Größe in €", "Latin-1"),
        ("gb18030", "日期,销售数量", "GB18030"),
    ],
)
def test_encodings(tmp_path: Path, encoding: str, head: str, said: str | None) -> None:
    frame, notes = read_table(write(tmp_path, table(head=head).encode(encoding)))
    assert list(frame.columns) == head.split(",")
    np.testing.assert_array_equal(frame["y" if "y" in frame else head.split(",")[1]], VALUES)
    assert [said in note for note in notes] == [True] if said else notes == []


def test_a_latin_letter_far_down_is_found(tmp_path: Path) -> None:
    text = "day,place,y\n" + "".join(f"{i},somewhere,{i % 7}\n" for i in range(8000)) + "8000,Köln,3\n"
    frame, notes = read_table(write(tmp_path, text.encode("latin-1")))
    assert frame["place"].iloc[-1] == "Köln"
    assert "Latin-1" in notes[0]


@pytest.mark.parametrize("ending", ["gz", "xz", "bz2", "zip", "parquet"])
def test_packed_files_and_parquet(tmp_path: Path, ending: str) -> None:
    path = tmp_path / ("table.parquet" if ending == "parquet" else f"table.csv.{ending}")
    content = table().encode()
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("table.csv", content)
    elif ending == "parquet":
        pd.read_csv(write(tmp_path, content)).to_parquet(path)
    else:
        path.write_bytes({"gz": gzip, "xz": lzma, "bz2": bz2}[ending].compress(content))  # type: ignore[attr-defined]
    frame, notes = read_table(path)
    assert notes == []
    np.testing.assert_array_equal(frame["y"], VALUES)


def test_no_header(tmp_path: Path) -> None:
    frame, notes = read_table(write(tmp_path, table(head="")))
    assert list(frame.columns) == ["column_1", "column_2"]
    assert len(frame) == 40
    assert "no header" in notes[0]


def test_years_as_column_names_are_a_header(tmp_path: Path) -> None:
    frame, _ = read_table(write(tmp_path, "Country,2000,2001\nDE,1.5,2.5\nFR,3.5,4.5\n"))
    assert list(frame.columns) == ["Country", "2000", "2001"]


def test_comment_lines_and_names_in_a_comment(tmp_path: Path) -> None:
    frame, notes = read_table(write(tmp_path, "# by a logger\n# kWh\n" + table()))
    assert len(frame) == 40 and "2 comment line" in notes[0]
    frame, notes = read_table(write(tmp_path, "#  1:Day 2:Power\n" + table(" ", head="")))
    assert list(frame.columns) == ["Day", "Power"]
    assert "'#'" in notes[-1]


def test_a_column_that_counts_rows_goes_and_a_nameless_one_gets_a_name(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": DAYS, "y": VALUES})
    counted, notes = read_table(write(tmp_path, frame.to_csv()))
    assert list(counted.columns) == ["date", "y"] and "counts the rows" in notes[0]
    named, notes = read_table(write(tmp_path, frame.set_index("date").to_csv(index_label="")))
    assert list(named.columns) == ["y"] and named.index.name == "index" and "has no name" in notes[0]
    for some in (frame.sample(frac=1, random_state=0), frame[frame["y"] > 100]):
        left, notes = read_table(write(tmp_path, some.to_csv()))
        assert list(left.columns) == ["date", "y"] and "counts the rows" in notes[0]
    years = pd.DataFrame({"y": VALUES}, index=range(1960, 2000))
    assert read_table(write(tmp_path, years.to_csv()))[0].index.tolist() == list(range(1960, 2000))


def test_empty_cells_at_the_edges_go(tmp_path: Path) -> None:
    frame, notes = read_table(write(tmp_path, table(";").replace("\n", ";\n") + ";;\n;;\n"))
    assert frame.shape == (40, 2)
    assert "1 empty column" in notes[1] and "2 empty row" in notes[2]


@pytest.mark.parametrize("packed", [False, True])
def test_missing_among_names_is_a_name(tmp_path: Path, packed: bool) -> None:
    rows = ["DE,none,1,1.1.2024,x", "NA,mild,NA,NA,", "NA,None,none,3.1.2024,?", "FR,none,4,4.1.2024,N/A"]
    text = "\n".join(["country,pain,y,day,note", *rows]) + "\n"
    path = write(tmp_path, gzip.compress(text.encode()) if packed else text, "t.csv.gz" if packed else "t.csv")
    frame, notes = read_table(path)
    assert frame["country"].tolist() == ["DE", "NA", "NA", "FR"]
    assert frame["pain"].tolist() == ["none", "mild", "None", "none"]
    assert frame["y"].isna().tolist() == [False, True, True, False] and frame["y"].dtype == np.float64
    assert frame["day"].isna().tolist() == [False, True, False, False]
    assert frame["note"].isna().tolist() == [False, True, True, True]
    said = [note for note in notes if "as a name" in note]
    assert (
        len(said) == 2 and said[0].startswith("'NA' in column 'country' was taken as a name") and "(2 cells)" in said[0]
    )


def test_names_stay_with_their_rows_when_rows_go(tmp_path: Path) -> None:
    frame, _ = read_table(write(tmp_path, "id,y\nNA,1\nB,2\nnull,3\n,\n,\n"))
    assert frame["id"].tolist() == ["NA", "B", "null"] and frame["y"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (['"1,234.5"', '"987.0"', '"1,234,567.25"'], [1234.5, 987.0, 1234567.25]),
        (["1 234.5", "987.0", "12 345.0"], [1234.5, 987.0, 12345.0]),
        (["1'234.5", "987.0", "12'345.0"], [1234.5, 987.0, 12345.0]),
    ],
)
def test_thousands(tmp_path: Path, cells: list[str], values: list[float]) -> None:
    text = "date,y\n" + "".join(f"2024-01-0{i + 1},{cell}\n" for i, cell in enumerate(cells))
    frame, notes = read_table(write(tmp_path, text))
    assert frame["y"].tolist() == values
    assert "was read as 1234.5" in notes[-1]


def test_a_comma_that_may_be_either_is_left_to_the_user(tmp_path: Path) -> None:
    both = [f'2024-01-0{i + 1},"{i + 1},125"\n' for i in range(5)]
    assert read_table(write(tmp_path, "date,y\n" + "".join(both)))[0]["y"].tolist()[0] == "1,125"
    small = [*both, '2024-01-06,"0,125"\n']
    assert read_table(write(tmp_path, "date,y\n" + "".join(small)))[0]["y"].tolist()[0] == 1.125


def test_thousands_with_decimal_comma_leave_dates_alone(tmp_path: Path) -> None:
    frame, _ = read_table(write(tmp_path, "Tag;y\n01.02.2024;1.234,5\n02.02.2024;7,25\n"))
    assert frame["Tag"].tolist() == ["01.02.2024", "02.02.2024"]
    assert frame["y"].tolist() == [1234.5, 7.25]


def test_spellings_of_missing(tmp_path: Path) -> None:
    marks = ["NA", "NaN", "null", "-", "", "?", "n/a", "None"]
    text = "date,y\n2024-01-01,1.5\n" + "".join(f"2024-02-{i + 1:02d},{mark}\n" for i, mark in enumerate(marks))
    frame, _ = read_table(write(tmp_path, text))
    assert frame["y"].dtype == np.float64
    assert frame["y"].isna().sum() == len(marks)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (['"$1,234.50"', "$987.00", '"-$1,234,567.25"'], [1234.5, 987.0, -1234567.25]),
        (["12.50 €", "7.00 €", "3.25 €"], [12.5, 7.0, 3.25]),
        (["12.5%", "7 %", "-3.25%"], [12.5, 7.0, -3.25]),
        (["(12.3)", "4.5", '"($1,000.00)"'], [-12.3, 4.5, -1000.0]),
        (["\u22123.5", "4", "\u22125"], [-3.5, 4.0, -5.0]),
        (["12.3*", "4.5", "6"], [12.3, 4.5, 6.0]),
        (["12.3 kg", "4 kg", "-6.5  kg"], [12.3, 4.0, -6.5]),
        (["12.5°C", "4 °C", "-6°C"], [12.5, 4.0, -6.0]),
        (["10 m³/h", "4.5 m³/h", "6 m³/h"], [10.0, 4.5, 6.0]),
    ],
)
def test_marks_around_numbers(tmp_path: Path, cells: list[str], values: list[float]) -> None:
    text = "date,y\n" + "".join(f"2024-01-0{i + 1},{cell}\n" for i, cell in enumerate([*cells, ""]))
    frame, notes = read_table(write(tmp_path, text))
    assert frame["y"].tolist()[:3] == values and np.isnan(frame["y"].iloc[3])
    assert "marks around their number" in notes[-1] and f"was read as {values[0]:.12g}" in notes[-1]


def test_marks_with_a_decimal_comma_and_marks_that_differ(tmp_path: Path) -> None:
    frame, _ = read_table(write(tmp_path, "Tag;y;z\n01.02.2024;1.234,50 €;7,5%\n02.02.2024;7,25 €;8%\n"))
    assert frame["y"].tolist() == [1234.5, 7.25] and frame["z"].tolist() == [7.5, 8.0]
    frame, notes = read_table(write(tmp_path, "date,y,z\n2024-01-01,$5,7%\n2024-01-02,€6,0.07\n"))
    assert notes == [] and frame["y"].tolist() == ["$5", "€6"] and frame["z"].tolist() == ["7%", "0.07"]


@pytest.mark.parametrize("cells", [["12 kg", "500 g"], ["1 am", "2 am"], ["1a", "2a"], ["12 kg", "5"]])
def test_units_that_differ_or_are_none_stay_text(tmp_path: Path, cells: list[str]) -> None:
    text = "date,y\n" + "".join(f"2024-01-0{i + 1},{cell}\n" for i, cell in enumerate(cells * 2))
    assert read_table(write(tmp_path, text))[0]["y"].tolist() == cells * 2


def test_several_columns_of_one_name_are_said(tmp_path: Path) -> None:
    frame, notes = read_table(write(tmp_path, table(head="date,y ").replace("\n", ",1\n").replace("y ,1", "y,y ")))
    assert list(frame.columns) == ["date", "y", "y.1"] and "several columns are called 'y'" in notes[0]


def faulty(line: int, form: str) -> tuple[str, int]:
    """A table whose y is wrong in one row, and the line where that row stands."""
    rows = table().splitlines(keepends=True)
    rows[line] = rows[line].split(",")[0] + ",oops\n"
    head, body = rows[0], rows[1:]
    forms = {
        "plain": [head, *body],
        "comments": ["# one\n", "# two\n", head, *body],
        "title": ["Sales,\n", "\n", head, *body],
        "excel": ["sep=,\n", head, *body],
        "blank": [head, "\n", *body[:3], "  \n", "\n", *body[3:]],
        "no header": body,
        "counter": ["," + head, *(f"{i},{row}" for i, row in enumerate(body))],
        "quotes": ["date,note,y\n", *(row.replace(",", ',"two\nlines",') for row in body)],
        "total": [head, *body, "Total,3\n"],
    }
    lines = "".join(forms[form]).splitlines()
    at = next(i for i, text in enumerate(lines) if "oops" in text)
    return "".join(forms[form]), at + (0 if form == "quotes" else 1)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "form", ["plain", "comments", "title", "excel", "blank", "no header", "counter", "quotes", "total"]
)
def test_a_fault_in_a_row_names_its_line(tmp_path: Path, form: str, encoding: str, packed: bool, end: str) -> None:
    for line in (1, 17, 40):
        text, wanted = faulty(line, form)
        content = text.replace("\n", end).encode(encoding)
        path = write(tmp_path, gzip.compress(content) if packed else content, "t.csv.gz" if packed else "t.csv")
        with pytest.raises(DataError) as fault, placed(path):
            frame, _ = read_table(path)
            numbers(frame[frame.columns[-1]], "y")
        assert f"'oops' in line {wanted} of '{path.name}', where" in str(fault.value)


def test_a_fault_in_a_row_of_other_tables_names_the_row(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": ["1", "2", "oops", "4", "5"]}, index=[9, 8, 7, 6, 5])
    frame.to_parquet(tmp_path / "a.parquet")
    for source, words in ((tmp_path / "a.parquet", "row 3 of 'a.parquet'"), (frame, "in row 3, where")):
        with pytest.raises(DataError) as fault, placed(source):
            numbers(frame["y"], "y")
        assert words in str(fault.value)
    again = pickle.loads(pickle.dumps(fault.value))
    assert isinstance(again, DataError) and str(again) == str(fault.value)


def test_the_first_line_of_excel_names_the_separator(tmp_path: Path) -> None:
    frame, _ = read_table(write(tmp_path, "sep=;\n" + table(";", ",")))
    assert list(frame.columns) == ["date", "y"]
    np.testing.assert_array_equal(frame["y"], VALUES)


@pytest.mark.parametrize("title", ["Monthly sales", "Monthly sales,,", "Data,of the office\n\nLast updated 2024"])
def test_title_lines_above_the_header(tmp_path: Path, title: str) -> None:
    rows = "".join(f"{d:%Y-%m-%d},{v},{v + 1},{v + 2}\n" for d, v in zip(DAYS[:5], VALUES, strict=False))
    frame, notes = read_table(write(tmp_path, f"{title}\n\ndate,a,b,c\n{rows}"))
    assert list(frame.columns) == ["date", "a", "b", "c"] and len(frame) == 5
    assert "title line" in notes[0]


def test_a_short_header_is_no_title(tmp_path: Path) -> None:
    frame, notes = read_table(write(tmp_path, table(head="y")))
    assert list(frame.columns) == ["y"] and frame.index.name == "index" and len(frame) == 40
    assert "title" not in " ".join(notes)


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("date,y\n2024-01-01,5\n2024-01-02,6\n2024-01-03,8\nTotal,19\n", "2024-01-03"),
        ("Jahr;y\n2021;5\n2022;6\n2023;8\n;\nSumme:;19\n", 2023),
    ],
)
def test_a_total_at_the_end_goes(tmp_path: Path, text: str, last: object) -> None:
    frame, notes = read_table(write(tmp_path, text))
    assert frame["y"].tolist() == [5, 6, 8] and frame.iloc[-1, 0] == last
    assert any("which is a total" in note for note in notes)


def test_totals_below_many_series_and_several_of_them_go(tmp_path: Path) -> None:
    rows = [f"{d:%Y-%m-%d},{name},{i}\n" for name in ("a", "b") for i, d in enumerate(DAYS[:4])]
    frame, notes = read_table(write(tmp_path, "".join(["date,store,y\n", *rows, ",Total,12\n,Average,1.5\n"])))
    assert len(frame) == 8 and [note.split("'")[1] for note in notes] == ["Average", "Total"]
    numbered = "".join(["date,store,y\n", *rows, "2024-01-25,Total,3\n2024-01-26,Total,4\n"]).replace(",a,", ",1,")
    frame, notes = read_table(write(tmp_path, numbered.replace(",b,", ",2,")))
    assert len(frame) == 10 and notes == [], "a series of that name"


def test_a_series_called_total_stays(tmp_path: Path) -> None:
    frame, _ = read_table(write(tmp_path, "Country,2000,2001\nDE,1.5,2.5\nFR,3.5,4.5\nTotal,5,7\n"))
    assert frame["Country"].tolist() == ["DE", "FR", "Total"]


@pytest.mark.parametrize(
    ("name", "kind", "call"),
    [
        ("a.json", "JSON", "read_json('a.json', dtype=False).to_csv('a.csv', index=False)"),
        ("a.jsonl", "JSON lines", "read_json('a.jsonl', lines=True, dtype=False)"),
        ("a.xlsx", "Excel", "read_excel('a.xlsx', dtype=str, keep_default_na=False)"),
        ("a.ods", "OpenDocument", "read_excel('a.ods', dtype=str"),
        ("a.pkl", "pickle", "read_pickle('a.pkl').to_csv('a.csv')"),
        ("a.feather", "Feather", "read_feather('a.feather').to_csv('a.csv', index=False)"),
    ],
)
def test_other_tables_say_how_to_convert(tmp_path: Path, name: str, kind: str, call: str) -> None:
    text = message(write(tmp_path, b"PK\x03\x04" + bytes(50), name))
    assert f"named as {kind}, but CSV or Parquet is wanted" in text and f"pandas.{call}" in text


BAD = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n", "is empty"),
    "header only": (b"date,y\n", "no rows"),
    "comments only": (b"# one\n# two\n", "no table"),
    "binary": (bytes(range(256)) * 20, "binary file"),
    "excel": (b"PK\x03\x04" + bytes(50), "an Excel or zip file"),
    "wrong separator": (table("~").encode(), "does not split into columns"),
    "ragged": (b"date,y\n2024-01-01,1\n2024-01-02,2,3\n2024-01-03,4\n", "Line 3 of"),
}


@pytest.mark.parametrize("kind", BAD)
def test_unreadable_files_get_one_sentence(tmp_path: Path, kind: str) -> None:
    content, words = BAD[kind]
    assert words in message(write(tmp_path, content))


def test_missing_file_offers_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, table(), "sales.csv")
    assert "Did you mean 'sales.csv'?" in message(tmp_path / "sale.csv")
    assert "is a folder" in message(tmp_path)
    assert "no file" in message(tmp_path / "nowhere" / "sales.csv")


def test_damaged_packed_files(tmp_path: Path) -> None:
    assert "Parquet" in message(write(tmp_path, b"PAR1 and then nothing", "a.parquet"))
    assert "'a.csv.gz' cannot be unpacked" in message(write(tmp_path, b"not packed", "a.csv.gz"))
    whole = gzip.compress(np.random.default_rng(0).bytes(400_000).hex().encode())
    assert "a.csv.gz" in message(write(tmp_path, whole[: len(whole) // 2], "a.csv.gz"))
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", table())
        archive.writestr("b.csv", table())
    assert "holds 2 files (a.csv, b.csv)" in message(tmp_path / "two.zip")


def test_many_rows(tmp_path: Path) -> None:
    n = 200_000
    stamps = pd.date_range("2000", periods=n, freq="min").strftime("%Y-%m-%d %H:%M:%S")
    pd.DataFrame({"date": stamps, "a": np.arange(n) / 3}).to_csv(tmp_path / "big.csv", index=False)
    frame, notes = read_table(tmp_path / "big.csv")
    assert len(frame) == n and notes == [] and frame["a"].iloc[-1] == (n - 1) / 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sep=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    end=st.sampled_from(["\n", "\r\n"]),
    values=st.lists(
        st.integers(-(10**7), 10**7).map(lambda n: round(n / 10 + 0.05, 2)), min_size=3, max_size=30, unique=True
    ),
)
def test_round_trip(tmp_path: Path, sep: str, decimal: str, encoding: str, end: str, values: list[float]) -> None:
    days = pd.date_range("2023-12-20", periods=len(values)).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"date": days, "Größe": values})
    path = tmp_path / "table.csv"
    frame.to_csv(path, sep=sep, decimal=decimal, encoding=encoding, index=False, lineterminator=end)
    back, _ = read_table(path)
    assert list(back.columns) == ["date", "Größe"]
    assert back["date"].tolist() == list(days)
    np.testing.assert_allclose(back["Größe"], values, rtol=1e-14)

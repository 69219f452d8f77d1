"""Pairs of texts from every form that people have, and what is said of those that cannot be read."""

import bz2
import gzip
import itertools
import json
import lzma
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recurra.errors import DataError, KindError
from recurra.tasks.seq2seq.baselines import Nearest, make_baselines
from recurra.tasks.seq2seq.columns import Form, is_language
from recurra.tasks.seq2seq.pairs import Pairs, fingerprint
from recurra.tasks.seq2seq.source import paired, pairs_of

GERMAN = ("Ein Hund rennt.", 'Er sagt "ja", oder?', "Zwei Männer; drei Frauen", "Tür zu!")
ENGLISH = ("A dog runs.", 'He says "yes", right?', "Two men; three women", "Close the door!")


def same(pairs: Pairs, sources: Any = GERMAN, targets: Any = ENGLISH) -> bool:
    return pairs.sources == tuple(sources) and pairs.targets == (None if targets is None else tuple(targets))


def tabbed(rows: list[tuple[str, ...]]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8", newline="")
    return path


ROWS: list[tuple[str, ...]] = list(zip(GERMAN, ENGLISH, strict=True))
FRAME = pd.DataFrame({"de": GERMAN, "en": ENGLISH})


# ------------------------------------------------------------------------------------------------ files of pairs


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "standard input"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_without_names_is_read_as_it_is_written(tmp_path: Path, name: str, end: str) -> None:
    pairs = pairs_of(written(tmp_path, name, tabbed(ROWS).replace("\n", end)))
    assert same(pairs) and pairs.names == ("source", "target")
    assert pairs.notes == ("no names of columns: column 1 is read, column 2 is written",)


def test_more_columns_are_left_out_and_lines_of_one_cell_too(tmp_path: Path) -> None:
    rows = [
        ("Hi.", "嗨。", "CC-BY 2.0 (France)"),
        ("Run.", "你用跑的。", "CC-BY"),
        ("alone",),
        ("Wait!", "等等！", "x"),
    ]
    pairs = pairs_of(written(tmp_path, "cmn.txt", tabbed(rows)))
    assert same(pairs, ("Hi.", "Run.", "Wait!"), ("嗨。", "你用跑的。", "等等！"))
    assert pairs.notes[1:] == (
        "left out 1 more column(s)",
        "left out 1 line(s) of which one side is empty: 3",
    )


@pytest.mark.parametrize("names", [("de", "en"), ("source", "target"), ("src", "tgt"), ("Question", "Answer")])
@pytest.mark.parametrize("turned", [False, True])
def test_columns_are_found_by_their_names(tmp_path: Path, names: tuple[str, str], turned: bool) -> None:
    order = names[::-1] if turned else names
    frame = pd.DataFrame({names[0]: GERMAN, names[1]: ENGLISH, "licence": "x"})[[*order, "licence"]]
    sides = (ENGLISH, GERMAN) if turned and names[0] == "de" else (GERMAN, ENGLISH)  # of languages the first is read
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "b.csv", index=False, sep=";")
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "a.json", orient="records")
    (tmp_path / "b.json").write_text(json.dumps({"data": frame.to_dict("records")}))
    (tmp_path / "bare").write_bytes((tmp_path / "a.jsonl").read_bytes())
    for source in (*sorted(tmp_path.iterdir()), frame, pl.from_pandas(frame), frame.to_dict("records")):
        pairs = pairs_of(source)
        assert same(pairs, *sides), source
        assert pairs.names == (order if names[0] == "de" else names)
        assert "left out 'licence' (neither read nor written)" in pairs.notes


def test_blank_lines_between_pairs_are_no_tags(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tsv", "\n\n".join(f"{one}\t{other}" for one, other in ROWS))
    assert same(pairs_of(path))


def test_columns_can_be_named_or_counted(tmp_path: Path) -> None:
    frame = pd.DataFrame({"phrase": GERMAN, "remark": "none", "Rendering": ENGLISH})
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False)
    for form in (Form("phrase", "Rendering"), Form("1", "3"), Form("phrase", "3")):
        assert same(pairs_of(path, form)) and same(pairs_of(frame, form))
    plain = written(tmp_path, "a.tsv", tabbed([(english, "x", german) for german, english in ROWS]))
    assert same(pairs_of(plain, Form("3", "1")))
    assert same(pairs_of(FRAME, Form("en", "de")), ENGLISH, GERMAN)


def test_three_languages_and_an_id(tmp_path: Path) -> None:
    frame = FRAME.assign(id=range(4), fr="oui")[["id", "de", "en", "fr"]]
    assert same(pairs_of(frame, Form(target_column="en"))) and same(pairs_of(frame.drop(columns="fr")))
    with pytest.raises(DataError, match=r"'en', 'fr' could all be the target of 'de'; name it with target_column="):
        pairs_of(frame)
    assert same(pairs_of(frame, answered=False), targets=None)


@pytest.mark.parametrize("content", [{"translation": dict(zip(("de", "en"), ROWS[0], strict=True))}, list(ROWS[0])])
def test_json_may_hold_objects_in_objects_or_lists(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([content]))
    assert same(pairs_of(path), GERMAN[:1], ENGLISH[:1])
    if isinstance(content, dict):
        path.write_text(json.dumps(content) + "\n" + json.dumps(content))
        assert len(pairs_of(path)) == 2, "lines of objects are known whatever the file is called"


@pytest.mark.parametrize("separator", ["_", "|||", "->", "comma", "\\t", "tab"])
def test_what_stands_between_can_be_told(tmp_path: Path, separator: str) -> None:
    rows = [("9/10/70 ", "1970-09-10"), ("august 19, 2003", "2003-08-19")]
    mark = {"comma": ",", "\\t": "\t", "tab": "\t"}.get(separator, separator)
    cells = [(f'"{a}"' if mark == "," else a, b) for a, b in rows]
    path = written(tmp_path, "dates.txt", "".join(f"{a}{mark}{b}\n" for a, b in cells))
    pairs = pairs_of(path, Form(separator=separator))
    assert [text.strip() for text in pairs.sources] == ["9/10/70", "august 19, 2003"]
    assert pairs.targets == ("1970-09-10", "2003-08-19")
    assert (pairs.sources[0] == "9/10/70 ") == (mark != "|||"), "texts stay as they are"


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ('"Hi," he said.\t"Salut"\nA "b" c\t"d"\n', ('"Hi," he said.', '"Salut"')),
        ('"a ""b"" c"\td\n"e"\tf\n', ('a "b" c', "d")),
        ('"a"\t"b"\n"c"\t"d"\n', ("a", "b")),
        ('"a"\tb\n"c"\td\n', ('"a"', "b")),
        ('"\ta\n', ("", "")),
    ],
)
def test_quotation_marks_stay_unless_a_program_put_them(tmp_path: Path, content: str, first: tuple[str, str]) -> None:
    path = written(tmp_path, "a.tsv", content)
    pairs = pairs_of(path)
    assert (pairs.sources[0], (pairs.targets or ())[0]) == (first if first[0] else ('"', "a"))


def test_a_text_may_have_ends_of_lines_and_odd_ones_are_no_end(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'source,target\n"two\nlines",x\n,lost\n"a, b",y\n')
    pairs = pairs_of(path)
    assert same(pairs, ("two\nlines", "a, b"), ("x", "y")) and pairs.notes[-1].endswith("is empty: 4")
    odd = written(tmp_path, "a.tsv", "a\u2028b\tc\x0cd\ne\x85f\tg\n")
    assert same(pairs_of(odd), ("a\u2028b", "e\x85f"), ("c\x0cd", "g"))


def test_text_that_looks_like_nothing_or_a_number_stays(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "source,target\nNA,null\n007,1.50\n1E5,-\n")
    assert same(pairs_of(path), ("NA", "007", "1E5"), ("null", "1.50", "-"))
    assert same(pairs_of(pd.DataFrame({"source": ["1 + 1", "2 + 3"], "target": [2, 5]})), ("1 + 1", "2 + 3"), "25")


def test_a_header_that_says_nothing_is_one_all_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "Phrase,Rendering\nein Hund läuft.,a dog runs.\nja!,yes!\n")
    assert pairs_of(path).sources == ("ein Hund läuft.", "ja!")
    path = written(tmp_path, "b.csv", "Ein Hund läuft.,A dog runs.\nja!,yes!\n")
    assert len(pairs_of(path)) == 2


# --------------------------------------------------------------------------------------------------- two files


def test_two_files_belong_together_line_by_line(tmp_path: Path) -> None:
    german = written(tmp_path, "train.de", "\n".join(GERMAN) + "\n")
    english = written(tmp_path, "train.en", "\n".join(ENGLISH))
    for source, form in (
        (german, Form(target_file=str(english))),
        (str(german), None),
        ((german, english), None),
        ([str(german), str(english)], None),
    ):
        pairs = pairs_of(source, form)
        assert same(pairs) and pairs.names == ("de", "en")
        assert pairs.notes == (
            "each line of 'train.de' is read, and what is written for it is the same line of 'train.en'",
        )
    assert same(pairs_of(english), ENGLISH, GERMAN), "the file that is named is read"


def test_packed_files_are_read(tmp_path: Path) -> None:
    content = tabbed(ROWS).encode()
    for ending, pack in {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}.items():
        (tmp_path / f"a.tsv{ending}").write_bytes(pack(content))
        assert same(pairs_of(tmp_path / f"a.tsv{ending}"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.tsv", content)
    assert same(pairs_of(tmp_path / "a.zip"))
    (tmp_path / "a.de.gz").write_bytes(gzip.compress("\n".join(GERMAN).encode()))
    (tmp_path / "a.en.xz").write_bytes(lzma.compress("\n".join(ENGLISH).encode()))
    assert same(pairs_of(tmp_path / "a.de.gz"))


def test_other_data_find_the_file_that_is_called_as_in_training(tmp_path: Path) -> None:
    train = written(tmp_path, "train.en", "x\ny\n")
    german = written(tmp_path, "test.de", "\n".join(GERMAN))
    form = Form(target_file=str(train))
    assert same(pairs_of(german, form, answered=False), targets=None), "there is none"
    written(tmp_path, "test.en", "\n".join(ENGLISH))
    written(tmp_path, "test.fr", "\n" * 9)
    assert same(pairs_of(german, form, answered=False))
    with pytest.raises(DataError, match=r"'test.de' has 4 lines and 'train.en' has 2"):
        pairs_of(german, form)  # to train on, only the file that was told
    with pytest.raises(DataError, match=r"'test.en', 'test.fr' could all be the targets of 'test.de'"):
        pairs_of(german)
    assert same(pairs_of(german, answered=False), targets=None)


def test_a_file_whose_name_says_nothing_is_used_with_what_it_was_given_with(tmp_path: Path) -> None:
    one, other = (written(tmp_path, name, "\n".join(t)) for name, t in (("q.txt", GERMAN), ("a.txt", ENGLISH)))
    form = Form(target_file=str(other))
    assert same(pairs_of(one, form)) and same(pairs_of(one, form, answered=False))
    more = written(tmp_path, "new.txt", "Ein Hund\nDie Katze, die lief\n")
    assert same(pairs_of(more, form, answered=False), ("Ein Hund", "Die Katze, die lief"), None)
    assert pairs_of(one, Form(target_file=str(other))).names == ("source", "target")


def test_unequal_files_say_where_they_part(tmp_path: Path) -> None:
    lengths = np.random.default_rng(0).integers(5, 60, 400)
    sources, targets = (["x" * (n + shift) for n in lengths] for shift in (0, 2))
    del targets[150]
    german, english = (written(tmp_path, f"a.{end}", "\n".join(t)) for end, t in (("de", sources), ("en", targets)))
    with pytest.raises(DataError) as fault:
        pairs_of(german)
    said = str(fault.value)
    assert said.startswith("'a.de' has 400 lines and 'a.en' has 399, but") and said.endswith("'a.en' lacks some.")
    assert abs(int(re.findall(r"line (\d+),", said)[0]) - 151) <= 2
    with pytest.raises(DataError, match=r"from where 'a\.en' lacks"):
        pairs_of(english)


# ------------------------------------------------------------------------------------------------------ python


def test_lists_of_pairs_and_two_lists() -> None:
    columns = list(GERMAN), list(ENGLISH)
    for source in (
        ROWS,
        [list(row) for row in ROWS],
        np.array(ROWS),
        columns,
        list(columns),
        tuple(map(np.array, columns)),
        (FRAME["de"], FRAME["en"]),
        dict(zip(("source", "target"), columns, strict=True)),
    ):
        assert same(pairs_of(source))
    assert same(paired(*columns)) and same(paired(("a", "b"), ("c", "d")), "ab", "cd")
    assert same(pairs_of([("a", "b"), ("c", "d")]), "ac", "bd") and same(pairs_of((["a", "b"], ["c", "d"])), "ab", "cd")


def test_texts_alone_can_be_asked_about(tmp_path: Path) -> None:
    for source in (list(GERMAN), GERMAN, np.array(GERMAN), FRAME["de"], FRAME[["de"]], pl.Series(GERMAN)):
        assert same(pairs_of(source, answered=False), targets=None)
    assert same(pairs_of("Ein Hund rennt.", answered=False), ["Ein Hund rennt."], None)
    assert same(pairs_of("9/10/70", answered=False), ["9/10/70"], None)
    assert same(pairs_of("two\nlines", answered=False), ["two\nlines"], None)
    lines = written(tmp_path, "new.txt", "\n".join(GERMAN))
    table = written(tmp_path, "new.csv", FRAME[["de"]].rename(columns={"de": "source"}).to_csv(index=False))
    for path in (lines, str(lines), table):
        assert same(pairs_of(path, answered=False), targets=None)
    both = written(tmp_path, "both.tsv", tabbed(ROWS))
    assert same(pairs_of(both, answered=False)), "what is known is kept, to judge by"


def test_targets_that_are_not_known_yet_stay_empty() -> None:
    frame = FRAME.assign(en=["A dog runs.", None, "", "Close the door!"])
    pairs = pairs_of(frame, answered=False)
    assert same(pairs, targets=("A dog runs.", "", "", "Close the door!")) and pairs.known.tolist() == [0, 3]
    assert same(pairs_of(frame.assign(en=None), Form("de", "en"), answered=False), targets=None)
    kept = pairs_of(frame)
    assert len(kept) == 2 and kept.notes[-1] == "left out 2 row(s) of which one side is empty: 2, 3"
    blank = pairs_of(FRAME.assign(de=["", "a", " ", "b"]), answered=False)
    assert blank.notes[-1] == "left out 2 row(s) without a text: 1, 3"


def test_parts_and_fingerprints() -> None:
    pairs = pairs_of(ROWS)
    assert same(pairs.part(np.array([2, 0])), (GERMAN[2], GERMAN[0]), (ENGLISH[2], ENGLISH[0]))
    assert same(pairs.part(slice(1, 3)), GERMAN[1:3], ENGLISH[1:3]) and len(pairs_of(FRAME, most=2)) == 2
    assert pairs_of(pairs) is pairs and len(pairs_of(pairs, most=3)) == 3
    others = [pairs.part(slice(0, 3)), paired(ENGLISH, GERMAN), pairs_of(list(GERMAN), answered=False)]
    others += [paired(["a", "bc"], ["d", "e"]), paired(["ab", "c"], ["d", "e"])]
    prints = {fingerprint(one) for one in (pairs, *others)}
    assert len(prints) == 6 and fingerprint(pairs) == fingerprint(pairs_of(FRAME))


def test_languages_are_known_by_code_and_name() -> None:
    assert all(map(is_language, ("de", "EN", "zh-CN", "pt_BR", "zh_Hans", "cmn", "German", "英文")))
    assert not any(map(is_language, ("text", "column_1", "gz", "seq", "licence")))


# ------------------------------------------------------------------------------------------------------ errors

LONG = [(f"text {number}", ("ham", "spam", "eggs")[number % 3]) for number in range(300)]


@pytest.mark.parametrize(
    ("name", "content", "form", "said"),
    [
        ("a.txt", "one text\nanother\n", Form(), "There is one column of texts and none of what is to be written"),
        ("a.csv", "source\nx\ny\n", Form(), "There is one column of texts"),
        ("a.txt", "x y\n", Form(separator="_"), "No line of 'a.txt' holds the separator '_'; give what stands"),
        ("a.tsv", "source\ttarget\n", Form(), "has a header but no rows of data"),
        ("a.tsv", "a\t\n\t\n  \tb\n", Form(), "There is no pair of texts: no line has a "),
        ("a.tsv", "source\ttarget\n" + tabbed([(text, "") for text, _ in LONG]), Form(), "no line has a target"),
        ("a.tsv", " \n\t\n", Form(), "The file 'a.tsv' is empty"),
        ("a.csv", "de,en\na,b\n", Form("dee"), r"There is no column 'dee' for the source. Did you mean 'de'\?"),
        ("a.csv", "de,en\na,b\n", Form("de", "9"), "There is no column '9' for the target"),
        ("a.csv", "de,en\na,b\n", Form("de", "de"), "cannot be the source and the target"),
        ("a.csv", "source,a,b\nx,y,z\n", Form(), "No column is the target of 'source'; name it with target_column="),
        ("a.csv", "de,de\na,b\n", Form("de"), "several columns named 'de'"),
        ("a.csv", 'source,target\n"a,b\n' + "x" * 140_000, Form(), "that begins in line 2 of 'a.csv' does not end"),
        ("a.json", "[1, 2]", Form(), "holds no list of pairs"),
        ("a.json", "[{", Form(), "Line 1 of 'a.json' is no JSON"),
        ("a.jsonl", "[1]\n", Form(), "Line 1 of 'a.jsonl' is no object"),
        ("a.de", "x\n", Form(target_file="none.en"), "There is no file 'none.en'"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str, form: Form, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=said):
        pairs_of(written(tmp_path, name, content), form)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.conll", "EU B-ORG\nsays O\n", "has a token and its tag in each line"),
        ("a.txt", "EU\tB-ORG\nsays\tO\n\nyes\tO\nno\tO\n", "has a token and its tag in each line"),
        ("a.csv", "date,sales,price\n2024-01-01,1,2.5\n2024-01-02,3,4.5\n", "which does not say what is read"),
        ("a.csv", "date,sales\n2024-01-01,1\n2024-01-02,3\n", "which does not say what is read"),
        ("a.csv", "x,y\n1,2\n3,4\n", "No column of the table holds texts"),
        ("a.tsv", tabbed([row[::-1] for row in LONG]), "Column '1' has only 3 different text"),
        ("a.tsv", tabbed([(text, "same") for text, _ in LONG]), "Column '2' has only 1 different text"),
    ],
)
def test_data_for_another_task_are_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(KindError, match=said):
        pairs_of(written(tmp_path, name, content))


def test_targets_that_look_like_labels_are_doubted(tmp_path: Path) -> None:
    pairs = pairs_of(written(tmp_path, "a.tsv", tabbed(LONG)))
    assert len(pairs) == 300 and pairs.notes[-1].startswith("careful: there are only 3 different targets for 300 texts")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (["a", "b"], "These are texts without what is to be written for them"),
        ([], "There are no texts"),
        ((["a", "b"], ["c"]), "There are 2 sources and 1 targets"),
        ([("a", "b"), ("c",), ("d", "e")], r"Entry 2 is no pair of texts but \('c',\)"),
        ([("a", "b"), "c", ("d", "e")], "Entry 2 is no pair of texts but 'c'"),
        ([("a", 1)], "The target of pair 1 is 1, which is no text"),
        ((["a"], "b"), "Entry 1 is no pair of texts but \\['a'\\]"),
        ([("", "b"), ("c", "")], "There is no pair of texts"),
        (7, "Pairs of texts are needed, and this is int"),
        (pd.DataFrame({"source": [["a", "b"]], "target": ["c"]}), "has a whole list in a cell"),
        (FRAME[:0], "The table has no rows"),
    ],
)
def test_what_is_no_list_of_pairs_is_said(source: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        pairs_of(source)


def test_questions_that_are_empty_are_said() -> None:
    with pytest.raises(DataError, match="Text 2 is empty"):
        pairs_of(["a", " "], answered=False)
    with pytest.raises(DataError, match=r"There is no file 'absent\.txt'"):
        pairs_of("absent.txt", answered=False)


# --------------------------------------------------------------------------------------------------- baselines


def prepared(pairs: Pairs, train: Any) -> Any:
    return SimpleNamespace(data=pairs, plan=SimpleNamespace(train=np.array(train), valid=np.array([], dtype=int)))


def asked(*texts: str) -> Any:
    return SimpleNamespace(sources=texts)


def test_the_most_similar_pair_answers() -> None:
    baselines = make_baselines()
    nearest, copy = baselines["nearest pair"], baselines["copy source"]
    assert nearest.learns and nearest.naive and not copy.learns and copy.naive
    nearest.fit(prepared(pairs_of(ROWS), [0, 1, 3]))
    questions = asked("Zwei Hunde rennen.", "Tür auf!", 'Was sagt "er"?', "?")
    assert nearest.answer(questions)[:3] == [ENGLISH[0], ENGLISH[3], ENGLISH[1]]
    assert copy.answer(questions) == list(questions.sources) and copy.to_arrays() == {}
    nearest.fit(prepared(paired(["今天天气很好", "我喜欢狗", "你好"], ["weather", "dogs", "hello"]), [0, 1, 2]))
    assert nearest.answer(asked("他的狗", "天气怎么样", "你")) == ["dogs", "weather", "hello"]


def test_what_the_nearest_pair_knows_is_kept() -> None:
    texts = [f"{one}{other} {number}" for number, (one, other) in enumerate(itertools.product("aä狗\ud800", repeat=2))]
    nearest = Nearest()
    nearest.fit(prepared(paired(texts, texts[::-1]), range(16)))
    arrays = nearest.to_arrays()
    again = Nearest()
    again.from_arrays(arrays)
    assert (again.sources, again.targets) == (nearest.sources, nearest.targets)
    questions = asked(*texts, "nothing like it")
    assert again.answer(questions) == nearest.answer(questions) and again.answer(questions)[:16] == texts[::-1]


def test_no_more_pairs_are_kept_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recurra.tasks.seq2seq.baselines.MOST", 4)
    nearest = Nearest()
    nearest.fit(prepared(paired([f"text {n}" for n in range(10)], ["x"] * 10), range(10)))
    assert nearest.sources == ("text 0", "text 3", "text 6", "text 9")

"""Sentences whose words are tagged: how they are read, entities, the network that decides on all tags, the report."""

import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from torch.nn import functional as F

from commands import run_command
from recurra import Tagger
from recurra.cells import GRUCell
from recurra.data.cases import Cases, cases_of, conll, read_cases
from recurra.data.cases.answers import answer_of
from recurra.data.text import Sentence, tokeniser
from recurra.errors import Caution, ConfigError, DataError
from recurra.nn.layers import Recurrent
from recurra.nn.letters import LONGEST, Letters
from recurra.settings import make_part
from recurra.tasks.cases.sentences import shortened
from recurra.tasks.tag.answers import Said, Truth, statistics_of
from recurra.tasks.tag.metrics import metrics_of
from recurra.tasks.tag.schemes import Scheme, begins_of, entities, repaired
from recurra.tasks.tag.settings import PARTS
from recurra.tasks.tag.spans import spans_in, sureness
from recurra.tasks.tag.words import Memory, features, shape

TINY: dict[str, Any] = {
    "hidden_size": 12,
    "embedding_size": 16,
    "letters": 6,
    "dropout": 0.1,
    "embedding_dropout": 0.1,
    "epoch_steps": 15,
    "max_epochs": 6,
    "last_epochs": 1,
}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
PEOPLE, PLACES = ["Ann", "Bob", "Cleo", "Dan"], ["Rome", "Oslo", "Lima"]


def travels(count: int, seed: int = 0) -> tuple[list[list[str]], list[list[str]]]:
    """Sentences of who went where; names have one word or two."""
    draw = np.random.default_rng(seed)
    sentences, tags = [], []
    for _ in range(count):
        who = [str(draw.choice(PEOPLE))] + (["Smith"] if draw.random() < 0.5 else [])
        where = str(draw.choice(PLACES))
        sentences.append([*who, "went", "to", where, "today"][: int(draw.integers(5, 7))])
        tags.append((["B-PER"] + ["I-PER"] * (len(who) - 1) + ["O", "O", "B-LOC", "O"])[: len(sentences[-1])])
    return sentences, tags


@pytest.fixture(scope="module")
def traveller() -> Tagger:
    return Tagger(**TINY).fit(*travels(120))


# ------------------------------------------------------------------------------------------------- files


CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

# NN B-NP O
1 CD I-NP O
"""
UNIVERSAL = """# sent_id = 1
# text = I can't
1\tI\tI\tPRON\tPRP\t_\t0\troot\t_\t_
2-3\tcan't\t_\t_\t_\t_\t_\t_\t_\t_
2\tca\tcan\tAUX\tMD\t_\t1\tx\t_\tSpaceAfter=No
3\tn't\tnot\t_\tRB\t_\t1\tx\t_\t_

"""


def read(tmp_path: Path, name: str, text: str, **asked: Any) -> Cases:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_cases(path, what="mark", **asked)


def tags(cases: Cases) -> list[list[str | None]]:
    assert cases.marks is not None
    names = cases.marks.names
    return [[None if code < 0 else names[code] for code in row] for row in cases.marks.codes]


def words(cases: Cases) -> list[list[str]]:
    return [[token.text for token in sentence.tokens] for sentence in cases.sentences or ()]


def test_columns_of_tokens_are_read_with_the_last_as_their_tags(tmp_path: Path) -> None:
    cases = read(tmp_path, "a.txt", CONLL)
    assert words(cases) == [["EU", "rejects"], ["#", "1"]] and tags(cases) == [["B-ORG", "O"], ["O", "O"]]
    assert tags(read(tmp_path, "b.txt", CONLL, target="2"))[0] == ["NNP", "VBZ"]
    assert words(read(tmp_path, "d.txt", "@ann O\nleft O\n\nso O\n")) == [["@ann", "left"], ["so"]]
    windows = read(tmp_path, "c.conll", CONLL.replace("\n", "\r\n").replace("\r\n\r\n", "\r\n\t\r\n"))
    assert words(windows) == words(cases), "a line of white space is empty"


def test_every_line_is_cut_into_its_columns_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cut, plain = list[str](), conll._cells
    monkeypatch.setattr(conll, "_cells", lambda line: (cut.append(line), plain(line))[1])
    conll.read_columns("a X\nb Y\n\nc X\n", "a.conll", answer_of("mark", None, True))
    assert [line for line in cut if line] == ["a X", "b Y", "c X"]


def test_universal_dependencies_are_read_by_the_names_of_their_columns(tmp_path: Path) -> None:
    cases = read(tmp_path, "a.conllu", UNIVERSAL)
    assert words(cases) == [["I", "ca", "n't"]] and cases.texts == ("I can't",)
    assert tags(cases) == [["PRON", "AUX", None]], "an underscore is a tag that is not known"
    assert tags(read(tmp_path, "b.conllu", UNIVERSAL, target="XPOS")) == [["PRP", "MD", "RB"]]
    with pytest.raises(DataError, match=r"no 'upso'\. Did you mean 'upos'"):
        read(tmp_path, "c.conllu", UNIVERSAL, target="upso")


def test_comments_say_what_a_sentence_is(tmp_path: Path) -> None:
    cases = read(tmp_path, "a.conll", "# intent = Play Music\nplay O\n\n# intent: Stop\nstop O\nit O\n")
    assert cases.labels == ("Play Music", "Stop") and words(cases) == [["play"], ["stop", "it"]]


def test_json_lines_have_tokens_and_tags_or_texts_and_spans(tmp_path: Path) -> None:
    rows = [{"tokens": ["Ann", "left"], "ner_tags": ["B-PER", "O"], "intent": "x"}]
    cases = read(tmp_path, "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert words(cases) == [["Ann", "left"]] and tags(cases) == [["B-PER", "O"]] and cases.labels == ("x",)
    spans = [
        {"text": " Ann Smith left.", "spans": [{"start": 1, "end": 10, "label": "PER"}]},
        {"text": "pre-war Rome", "spans": [[0, 3, "TIME"], [8, 12, "LOC"]]},
    ]
    cases = read(tmp_path, "b.jsonl", "".join(json.dumps(row) + "\n" for row in spans))
    assert words(cases)[0] == ["Ann", "Smith", "left", "."] and tags(cases)[0] == ["B-PER", "I-PER", "O", "O"]
    assert tags(cases)[1] == ["B-TIME", "O", "O", "B-LOC"]
    doccano = [{"text": "Ann left", "label": [[0, 3, "PER"]]}]
    assert tags(read(tmp_path, "c.jsonl", json.dumps(doccano[0]))) == [["B-PER", "O"]]


def test_a_span_that_begins_inside_a_word_cuts_it() -> None:
    cases = cases_of(["preWAR time"], [[(3, 6, "X")]], what="mark")
    assert words(cases) == [["pre", "WAR", "time"]] and tags(cases) == [["O", "B-X", "O"]]
    assert cases.notes == (
        "the tags B-, I- and O of the tokens are those of 1 span in 1 text",
        "one span begins or ends inside a word, which is cut there",
    )


def test_a_table_has_a_word_in_each_row(tmp_path: Path) -> None:
    text = 'Sentence #,Word,POS,Tag\nSentence: 1,NA,NN,O\n,"1,000",CD,B-Q\nSentence: 2,null,NN,O\n'
    cases = read(tmp_path, "a.csv", text)
    assert words(cases) == [["NA", "1,000"], ["null"]] and tags(cases) == [["O", "B-Q"], ["O"]]
    assert cases.names == ("Sentence: 1", "Sentence: 2")
    assert tags(read(tmp_path, "b.csv", text, target="POS")) == [["NN", "CD"], ["NN"]]
    with pytest.raises(DataError, match="no column says which sentence it is of"):
        read(tmp_path, "c.csv", "word,tag\nEU,B\nsaid,O\n")


def test_a_folder_has_utterances_beside_their_slots(tmp_path: Path) -> None:
    for name, text in (("seq.in", "play  jazz \nstop\n"), ("seq.out", "O B-genre\nO\n"), ("label", "Play\nStop\n")):
        (tmp_path / name).write_text(text)
    cases = read_cases(tmp_path, what="mark")
    assert words(cases) == [["play", "jazz"], ["stop"]] and cases.labels == ("Play", "Stop")
    (tmp_path / "seq.out").write_text("O\nO\n")
    with pytest.raises(DataError, match=r"Line 1 of 'seq\.in' has 2 tokens, but that of 'seq\.out' 1 tag;"):
        read_cases(tmp_path, what="mark")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.conll", "EU B\nsaid O\nso\n\nx O\n", "Line 3 of 'a.conll' has 1 column(s), most others have 2"),
        ("a.conll", "\n\n", "is empty"),
        ("a.conll", "# text = a\n\n# text = b\n", "has no tokens"),
        ("a.conll", "EU\nsaid\n\n", "'a.conll' has tokens alone, and no column with a tag for each; write its tag"),
        ("a.tsv", "EU\nsaid\n\nso\n.\n", "'a.tsv' has tokens alone"),
        ("a.tsv", "1\tEU\n2\tsaid\n\n1\tso\n", "'a.tsv' has tokens alone"),
        (
            "a.tsv",
            "sentence\tword\n1\tEU\n1\tsaid\n2\tso\n",
            "no column has a tag for each word; add one, such as 'tag'",
        ),
        ("a.csv", "sentence,word,n\n1,EU,1\n1,said,2\n2,so,3\n", "or name it with target="),
        ("a.conll", f"{'x' * 2000} O\n\ny O\n", "Token 1 of the sentence '1' has 2,000 characters"),
        ("a.jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}', "Line 1 of 'a.jsonl' has 2 tokens, but 1 tag; give"),
        ("a.jsonl", '{"text": "ab", "spans": [[0, 9, "X"]]}', "has 2 characters, but a span 'X' from 0 to 9"),
        ("a.jsonl", '{"text": "ab cd", "spans": [[0, 4, "X"], [3, 5, "Y"]]}', "which overlap"),
        ("a.jsonl", '{"text": "ab", "spans": [{"von": 1}]}', "which is not [start, end, label]"),
        ("a.jsonl", '{"tokens": ["a"]}', "but none of their tags"),
        ("a.jsonl", '{"tokens": ["a"], "tags": ["O", "O"]}', "has 1 token, but 2 tags; give a tag for each token"),
        ("a.jsonl", '{"text": "a", "spans": [[0, 9, "X"]]}', "has 1 character, but a span 'X' from 0 to 9"),
    ],
)
def test_files_that_are_not_so_are_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(DataError) as raised:
        read(tmp_path, name, text)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (
            {"id": "case"},
            "'a.conll' is a CoNLL file, whose columns have no names, so there is no 'case'; leave id= out",
        ),
        ({"time": "day"}, "so there is no 'day'; leave time= out, as an empty line ends a sentence"),
        ({"target": "tags"}, "'a.conll' has 4 columns without names, so there is no 'tags'. Name the one"),
        ({"target": "fort"}, "so there is no 'fort'. Name the one"),
    ],
)
def test_columns_of_tokens_have_no_names(tmp_path: Path, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=re.escape(says)):
        read(tmp_path, "a.conll", CONLL, **asked)
    if "target" not in asked:  # where nothing is to be learned these were the columns of another file
        assert len(read(tmp_path, "a.conll", CONLL, labelled=False, **asked)) == 2


def test_tokens_without_tags_are_no_series(tmp_path: Path) -> None:
    """Another task could read such a table, but it is not what was meant."""
    (tmp_path / "a.tsv").write_text("sentence\tword\n1\tEU\n1\tsaid\n2\tso\n")
    with pytest.raises(DataError) as raised:
        Tagger().fit(tmp_path / "a.tsv")
    assert "no column has a tag for each word" in str(raised.value) and "The task" not in str(raised.value)
    for name, text in (("a.csv", "v\n1\n2\n\n3\n4\n"), ("b.csv", "id,v\na,1\na,2\n\nb,3\n")):
        with pytest.raises(DataError) as raised:
            read(tmp_path, name, text)
        assert "token" not in str(raised.value)


def test_numbered_tokens_without_tags_are_answered(tmp_path: Path) -> None:
    cases = read(tmp_path, "a.tsv", "1\tEU\n2\tsaid\n\n1\tso\n", labelled=False)
    assert words(cases) == [["EU", "said"], ["so"]] and cases.marks is None


def test_words_are_joined_as_they_are_written() -> None:
    assert Sentence.joined(["Ann", "left", "."]).text == "Ann left ."
    assert Sentence.joined(["我", "爱", "你", "3", "天"]).text == "我爱你3天"
    sentence = Sentence.joined(["ca", "n't", "go"], [False, True, True])
    assert sentence.text == "can't go" and [sentence.text[t.start : t.end] for t in sentence.tokens] == [
        "ca",
        "n't",
        "go",
    ]


# ------------------------------------------------------------------------------------------------- entities


def tag_rows(letters: str) -> st.SearchStrategy[list[list[str]]]:
    tag = st.sampled_from(["O", "O", *(f"{letter}-{kind}" for letter in letters for kind in ("X", "Y"))])
    return st.lists(st.lists(tag, min_size=1, max_size=8), min_size=1, max_size=4)


def f1_of(true: list[list[str]], named: list[list[str]]) -> dict[str, float]:
    names = tuple(dict.fromkeys(tag for row in (*true, *named) for tag in row))
    scheme = Scheme.of(names)
    codes = [np.array([names.index(tag) for row in rows for tag in row]) for rows in (true, named)]
    truth = Truth(codes[0], np.array([len(row) for row in true]), names, scheme)
    statistics = statistics_of(truth, Said(codes[1], None))
    return {one.name: one.of(statistics) for one in metrics_of(entities=True, intents=False) if one.name != "log_loss"}


@settings(max_examples=300, deadline=None)
@given(tag_rows("BIES"), st.randoms())
def test_entities_are_counted_as_conlleval_does(true: list[list[str]], lots: Any) -> None:
    """seqeval's default is checked against conlleval; tags that break their scheme are among those that are drawn."""
    true[0] += ["B-X", "I-X", "B-Y"]
    named = [
        [tag if lots.random() < 0.6 else lots.choice(["O", "B-X", "I-X", "I-Y", "E-Y", "S-X"]) for tag in row]
        for row in true
    ]
    found = f1_of(true, named)
    for name, oracle in (("entity_f1", f1_score), ("precision", precision_score), ("recall", recall_score)):
        wanted = oracle(true, named, zero_division=0)
        assert found[name] == pytest.approx(wanted) or (np.isnan(found[name]) and wanted == 0)


def test_the_published_example_of_conlleval() -> None:
    """Two sentences from the CoNLL-2000 page: a chunk counts only if its first and last word and its type are right."""
    true = ["B-NP", "I-NP", "I-NP", "B-VP", "B-NP", "I-NP", "O"]
    named = ["B-NP", "I-NP", "B-NP", "B-VP", "B-NP", "I-NP", "O"]
    found = f1_of([true], [named])
    assert found["precision"] == 2 / 4 and found["recall"] == 2 / 3
    assert found["entity_f1"] == pytest.approx(2 * 0.5 * (2 / 3) / (0.5 + 2 / 3)) and found["accuracy"] == 6 / 7


@pytest.mark.parametrize(
    ("given_tags", "scheme"),
    [
        (["O", "B-X", "I-X"], Scheme()),
        (["O", "B-X", "M-X", "E-X", "S-X"], Scheme("M", "E", "S")),
        (["O", "B_X", "I_X", "L_X", "U_X"], Scheme("I", "L", "U", "_")),
        (["B", "M", "E", "S"], Scheme("M", "E", "S")),
        (["I-X", "O"], Scheme()),
        (["NOUN", "VERB"], None),
        (["A", "B", "C"], None),
        (["B-X", "I", "O"], None),
        (["O"], None),
    ],
)
def test_the_scheme_of_tags_is_found(given_tags: list[str], scheme: Scheme | None) -> None:
    assert Scheme.of(given_tags) == scheme


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["", "X", "Y"])), min_size=1, max_size=6))
def test_entities_are_read_back_from_their_tags(parts: list[tuple[int, str]]) -> None:
    for scheme in (Scheme(), Scheme("M", "E", "S")):
        row, wanted = [], []
        for length, kind in parts:
            if kind:
                wanted.append((len(row), len(row) + length, kind))
            row += scheme.written(kind, length) if kind else ["O"] * length
        letters = [one for one in ("B", scheme.inside, scheme.end, scheme.single) if one]
        names = ("O", *(f"{letter}-{kind}" for kind in "XY" for letter in letters))
        codes = np.array([names.index(tag) for tag in row])
        found = entities(codes, begins_of(np.array([len(row)])), names, scheme)
        types = scheme.types(names)
        assert [(f, b, types[k]) for f, b, k in zip(*(part.tolist() for part in found), strict=True)] == wanted
        allowed = scheme.allowed(names)
        steps = np.asarray(allowed.follows)[codes[:-1], codes[1:]]
        assert steps.all() and np.asarray(allowed.first)[codes[0]] and np.asarray(allowed.last)[codes[-1]]


def test_what_breaks_a_scheme_is_not_allowed() -> None:
    names = ("O", "B-X", "I-X", "B-Y", "I-Y")
    follows = np.asarray(Scheme().allowed(names).follows)
    assert {(names[i], names[j]) for i, j in np.argwhere(~follows)} == {
        *(("O", f"I-{k}") for k in "XY"),
        *((f"{a}-X", "I-Y") for a in "BI"),
        *((f"{a}-Y", "I-X") for a in "BI"),
    }
    ends = Scheme("M", "E", "S").allowed(("O", "B-X", "M-X", "E-X", "S-X"))
    assert np.asarray(ends.last).tolist() == [True, False, False, True, True]
    assert np.asarray(ends.first).tolist() == [True, True, False, False, True]


def test_tags_that_break_their_scheme_are_mended_and_that_is_said() -> None:
    X = [["a", "b", "c"], ["d", "e"]]
    cases, notes = repaired(cases_of(X, [["O", "I-X", "I-X"], ["B-X", "I-Y"]], what="mark"))
    assert tags(cases) == [["O", "B-X", "I-X"], ["B-X", "B-Y"]] and "2 of 5 tags break their scheme" in notes[0]
    with pytest.warns(Caution, match="break their scheme"):
        Tagger(**TINY | {"max_epochs": 1}).fit(X * 4, [["O", "I-X", "I-X"], ["B-X", "I-X"]] * 4)


# ------------------------------------------------------------------------------------------------- the network


def test_names_are_found_with_their_places(traveller: Tagger) -> None:
    texts = ["Cleo Smith went to Lima today", "Dan went to Oslo"]
    spans = traveller.spans(texts)
    assert list(spans.columns) == ["case", "start", "end", "text", "label", "p"]
    assert spans[["case", "text", "label"]].to_numpy().tolist() == [
        ["1", "Cleo Smith", "PER"],
        ["1", "Lima", "LOC"],
        ["2", "Dan", "PER"],
        ["2", "Oslo", "LOC"],
    ]
    assert [texts[int(row.case) - 1][row.start : row.end] for row in spans.itertuples()] == spans["text"].tolist()
    assert (spans["p"] > 0.5).all() and (spans["p"] <= 1).all()
    assert traveller.score(*travels(40, 1)) > 0.97
    assert [row.tolist() for row in traveller.predict([["Bob", "went"]])] == [["B-PER", "O"]]


def test_the_probability_of_an_entity_is_a_sum_over_all_rows_of_tags(traveller: Tagger) -> None:
    sentence = ["Ann", "Smith", "to", "Rome"]
    rows = traveller.n_best([sentence], 5**4)[0]
    assert sum(p for _, p in rows) == pytest.approx(1, abs=1e-5)
    assert [p for _, p in rows] == sorted((p for _, p in rows), reverse=True)
    scheme, classes = Scheme(), traveller.fitted_.learned.classes
    spans = traveller.spans([sentence])
    starts = {token.start: n for n, token in enumerate(Sentence.joined(sentence).tokens)}
    for span in spans.itertuples():
        first = starts[span.start]
        key = first, first + len(span.text.split()), span.label
        share = 0.0
        for row, p in rows:
            found = entities(np.array([classes.index(tag) for tag in row]), begins_of(np.array([4])), classes, scheme)
            kinds = scheme.types(classes)
            share += p * (key in [(f, b, kinds[k]) for f, b, k in zip(*(x.tolist() for x in found), strict=True)])
        assert span.p == pytest.approx(share, abs=1e-4)


def test_the_network_reads_once_for_labels_and_spans(traveller: Tagger) -> None:
    read: list[int] = []
    hook = traveller.network_.register_forward_hook(lambda *of: read.append(len(of[2].prediction)))
    fitted, X = traveller.fitted_, travels(8, 2)[0]
    try:
        found = traveller.spans(X)
        asked = make_part(PARTS.predict, {"spans": True})
        again = fitted.kind.frame(fitted.kind.answer(fitted, cases_of(X, what="mark"), asked))
    finally:
        hook.remove()
    assert read == [8, 8] and again.equals(found)
    cases, said = traveller._ask(X)
    np.testing.assert_array_equal(found["p"], sureness(fitted, cases, spans_in(cases, fitted.learned, said), said))


def test_only_a_chain_knows_which_tags_go_together() -> None:
    """Of a word alone A is likeliest first and B second, but A B never is: a row of tags must be chosen as a whole."""
    pairs = [["A", "A"]] * 4 + [["B", "B"]] * 3 + [["C", "B"]] * 3
    X, y = [["x", "y"]] * 200, pairs * 20
    plain = TINY | {"letters": 0, "subwords": 0, "max_epochs": 12, "watch": "loss"}
    apart, together = (Tagger(crf=crf, **plain).fit(X, y).predict([["x", "y"]])[0].tolist() for crf in (False, True))
    assert apart == ["A", "B"] and together == ["A", "A"]


def test_a_chain_never_breaks_the_scheme(traveller: Tagger) -> None:
    draw = np.random.default_rng(5)
    X = [draw.choice(["Smith", "went", "Rome", "q", "Ann"], 12).tolist() for _ in range(40)]
    cases = cases_of(X, [row.tolist() for row in traveller.predict(X)], what="mark")
    assert repaired(cases)[1] == []


def test_words_are_read_letter_by_letter_from_both_sides() -> None:
    torch.manual_seed(0)
    layer = Letters(30, Recurrent([[GRUCell(5, 4), GRUCell(5, 4)]])).eval()
    oracle = torch.nn.GRU(5, 4, bidirectional=True, batch_first=True)
    words_ = torch.zeros(2, 3, LONGEST, dtype=torch.long)
    spelt = {(0, 0): [3, 4, 5], (0, 1): [7], (1, 0): [9, 8, 7, 6, 5], (1, 2): [2, 2]}
    for place, letters in spelt.items():
        words_[place][: len(letters)] = torch.tensor(letters)
    mask = torch.tensor([[True, True, False], [True, False, True]])
    found = layer(words_, mask)
    for cell, end in zip(layer.recurrent.cells(), ("", "_reverse"), strict=True):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(oracle, f"{name}_l0{end}").data.copy_(getattr(cell, name).data)
    for place, letters in spelt.items():
        _, last = oracle(F.embedding(torch.tensor([letters]), layer.weight))
        assert torch.allclose(found[place], torch.cat([last[0, 0], last[1, 0]]), atol=1e-5)
    assert not found[0, 2].any() and not found[1, 1].any()


def test_a_long_word_keeps_both_of_its_ends() -> None:
    word = shortened("a" * 30 + "b" * 30)
    assert len(word) == LONGEST and word[1] == "a" and word[-2] == "b" and len(shortened("ab")) == 4


def test_letters_tell_words_apart_that_were_never_seen() -> None:
    draw = np.random.default_rng(0)

    def made(count: int) -> tuple[list[list[str]], list[list[str]]]:
        stems = ["".join(draw.choice(list("bcdfgklmn"), 5)) for _ in range(count * 3)]
        ends = draw.choice(["ing", "ed"], count * 3)
        tokens = [stem + end for stem, end in zip(stems, ends, strict=True)]
        names = ["V" if end == "ing" else "P" for end in ends]
        return [tokens[n : n + 3] for n in range(0, len(tokens), 3)], [
            names[n : n + 3] for n in range(0, len(names), 3)
        ]

    tagger = Tagger(**TINY | {"letters": 12, "subwords": 0, "max_epochs": 20, "learning_rate": 0.02}, min_count=1)
    assert tagger.fit(*made(150)).score(*made(60)) > 0.97


def test_intents_and_slots_are_learned_together(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    lines = []
    for _ in range(120):
        name, play = str(draw.choice(PEOPLE)), draw.random() < 0.5
        intent, kind = ("Play", "artist") if play else ("Call", "contact")
        lines.append(f"# intent = {intent}\n{intent.lower()} O\n{name} B-{kind}\n")
    path = tmp_path / "a.conll"
    path.write_text("\n".join(lines))
    tagger = Tagger(**TINY).fit(path)
    assert tagger.predict_intent([["play", "Ann"], ["call", "Ann"]]).tolist() == ["Play", "Call"]
    assert tagger.spans([["play", "Ann"], ["call", "Bob"]])["label"].tolist() == ["artist", "contact"]
    plain = Tagger(**TINY | {"max_epochs": 1}, intents=False).fit(path)
    with pytest.raises(ConfigError, match="learned nothing of sentences as a whole"):
        plain.predict_intent([["play"]])


def test_a_run_says_the_same_again(traveller: Tagger, tmp_path: Path) -> None:
    traveller.save(tmp_path / "run")
    again = Tagger.load(tmp_path / "run")
    X = travels(5, 3)[0]
    for one, other in zip(traveller.predict_proba(X), again.predict_proba(X), strict=True):
        assert np.array_equal(one, other)
    assert again.spans(X).equals(traveller.spans(X))


def test_long_sentences_are_read_in_pieces() -> None:
    X, y = travels(60)
    long, marks = [list(chain(*X))], [list(chain(*y))]
    tagger = Tagger(**TINY, piece=32).fit(X, y)
    assert tagger.score(long, marks) > 0.9
    with pytest.raises(ConfigError, match="longer than piece=32"):
        tagger.n_best(long, 2)


def test_what_is_asked_of_the_wrong_model_is_refused(traveller: Tagger) -> None:
    parts = Tagger(**TINY | {"max_epochs": 1}).fit([["a", "b"]] * 8, [["NOUN", "VERB"]] * 8)
    with pytest.raises(ConfigError, match="say nothing of entities"):
        parts.spans([["a"]])
    with pytest.raises(ConfigError, match="Train it with crf=True"):
        parts.n_best([["a"]], 2)
    with pytest.raises(DataError, match="trained on sentences, but these cases are numbers"):
        traveller.predict(np.zeros((2, 5)))
    with pytest.raises(ConfigError, match="decided together"):
        Tagger(**TINY, balance=True).fit(*travels(20))
    with pytest.raises(ConfigError, match="token by token"):
        Tagger(**TINY, normalise="case").fit(*travels(20))
    with pytest.raises(DataError, match="y is a list of spans"):
        Tagger(**TINY).fit(["a b", "c d"], ["X", "Y"])
    with pytest.raises(DataError, match="has 2 steps, but y has 1 label for"):
        Tagger(**TINY).fit([["a", "b"], ["c"]], [["X"], ["Y"]])


# ------------------------------------------------------------------------------------------------- rows beside it


def test_the_usual_label_of_a_word_is_counted() -> None:
    from recurra.settings import make_config
    from recurra.tasks.tag.kind import KIND

    X, y = [["a", "b"], ["a", "c"], ["a", "d"]] * 5 + [["z"]], [["N", "V"], ["N", "V"], ["M", "N"]] * 5 + [["Q"]]
    data = cases_of(X, y, what="mark")
    prepared = KIND.prepare(data, make_config(KIND.parts, {}))
    row = Memory()
    row.fit(prepared)
    classes = prepared.learned.classes
    exam = KIND.encode(cases_of([["a", "b", "d", "new"]], what="mark"), prepared.learned)
    assert [classes[code] for code in row.answer(exam).codes] == ["N", "V", "N", "Q"], "a new word is as one seen once"
    again = Memory()
    again.from_arrays(row.to_arrays())
    assert np.array_equal(again.answer(exam).codes, row.answer(exam).codes)


def test_shapes_and_features() -> None:
    assert [shape(word) for word in ("Paris", "3-year", "USA", "McDonald's")] == ["Xx", "d-x", "X", "XxXx'x"]
    one, two = features(["a", "cat"]), features(["a", "cat"])
    assert one == two and one != features(["b", "cat"])


# ------------------------------------------------------------------------------------------------- command line


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sentences")
    X, y = travels(150)
    rows = ["\n".join(f"{word} {tag}" for word, tag in zip(*one, strict=True)) for one in zip(X, y, strict=True)]
    rows[0] = rows[0].replace("went O", "went B-PER")  # which it will get wrong, so that the report has a mistake
    (place / "data.conll").write_text("\n\n".join(rows) + "\n")
    return place


def test_from_a_file_to_spans(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained / "run"
    answer = run_command(
        capsys, "train", trained / "data.conll", "--task", "tag", *FLAGS, "--test-size=30", f"--out={run}"
    )
    assert answer.code == 0, answer.err
    assert "entity F1" in answer.out and "usual label of a word" in answer.out
    page = (run / "report.html").read_text()
    for heading in ("A sentence from the middle", "Which entities were confused", "Type by type"):
        assert heading in page
    (trained / "new.txt").write_text("Cleo Smith went to Lima.\nBob is here now\n")
    answer = run_command(capsys, "predict", run, trained / "new.txt", "--spans")
    assert answer.code == 0 and "Cleo Smith" in answer.out and "LOC" in answer.out
    answer = run_command(capsys, "predict", run, trained / "new.txt")
    assert answer.code == 0 and "token" in answer.out
    answer = run_command(capsys, "evaluate", run, trained / "data.conll")
    assert answer.code == 0 and "entity F1" in answer.out
    (trained / "other.conll").write_text("Ann B-PER\nslept O\n\n" + (trained / "data.conll").read_text())
    answer = run_command(capsys, "evaluate", run, trained / "other.conll")
    assert re.search(r"careful: \d+ of 151 test cases are also among the training", " ".join(answer.err.split()))


def test_a_classifier_says_that_such_a_file_is_for_tagging(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run_command(capsys, "train", trained / "data.conll", "--task", "classify")
    assert answer.code == 2 and "'tag'" in answer.err


def test_words_may_begin_with_vectors_from_a_file(tmp_path: Path) -> None:
    """Words that the training did not have are known by their vectors: Eve is as near to Ann as can be."""
    X, y = travels(100)
    near = {"Ann": 1.0, "Bob": 1.0, "Cleo": 1.0, "Dan": 1.0, "Eve": 1.0, "Rome": -1.0, "Oslo": -1.0, "Lima": -1.0}
    lines = [f"{word} {sign} {sign / 2} 0.1 0.3" for word, sign in near.items()]
    (tmp_path / "vectors.txt").write_text("\n".join(lines) + "\n")
    own = TINY | {"embedding_size": None, "letters": 0, "subwords": 0, "lowercase": False, "max_epochs": 12}
    tagger = Tagger(**own, vectors=str(tmp_path / "vectors.txt")).fit(X, y)
    assert tagger.predict([["Eve", "went", "to", "Rome"]])[0].tolist() == ["B-PER", "O", "O", "B-LOC"]
    assert any("begin with their vector" in note for note in tagger.notes_)
    tagger.save(tmp_path / "run")
    again = Tagger.load(tmp_path / "run").predict([["Eve", "went", "to", "Rome"]])[0]
    assert again.tolist() == ["B-PER", "O", "O", "B-LOC"], "the file is not needed any more"


# ------------------------------------------------------------------------------------------------- what people bring


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("e\u0301cole Ann", ["e\u0301cole", "Ann"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("مُحَمَّد went", ["مُحَمَّد", "went"]),
        ("👩\u200d👩\u200d👧 Ann", ["👩\u200d👩\u200d👧", "Ann"]),
        ("👍🏽!", ["👍🏽", "!"]),
        ("Zürich, 3.50", ["Zürich", ",", "3.50"]),
        ("我爱é", ["我", "爱", "é"]),
    ],
)
def test_what_belongs_to_a_letter_is_not_cut_from_it(text: str, wanted: list[str]) -> None:
    tokens = tokeniser("words")(text)
    assert [token.text for token in tokens] == wanted
    assert [text[token.start : token.end] for token in tokens] == wanted


def test_lines_of_chinese_and_of_single_words_are_texts(traveller: Tagger, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("王小明在北京。\n李华在上海。\n", encoding="utf-8")
    assert len(traveller.predict(tmp_path / "a.txt")) == 2
    (tmp_path / "b.txt").write_text("Ann\nRome\n")
    assert [row.tolist() for row in traveller.predict(tmp_path / "b.txt")] == [["B-PER"], ["B-LOC"]]


def test_a_list_holds_texts_and_no_names_of_files(traveller: Tagger) -> None:
    assert len(traveller.predict(["google.com"])[0]) == 3
    assert [row.tolist() for row in traveller.predict(pl.Series(["Ann went", "Rome"]))] == [["B-PER", "O"], ["B-LOC"]]
    X, y = travels(20)
    for column in (pd.Series, pl.Series):
        fitted = Tagger(**TINY | {"max_epochs": 1}).fit(column(X), column(y))
        assert len(fitted.predict(column(X))) == 20


def test_an_unknown_tag_before_an_inner_one_is_no_reason_to_fail() -> None:
    X, y = travels(40)
    tagger = Tagger(**TINY | {"max_epochs": 1}).fit(X, [[None, *row[1:]] for row in y])
    assert set(tagger.classes_) <= {"O", "B-PER", "I-PER", "B-LOC"} and "B-LOC" in tagger.classes_


@pytest.mark.parametrize(
    ("X", "y", "says"),
    [
        ([["a", None]], [["O", "O"]], "Sentence 1 has None among its words"),
        ([["a", 1.5]], [["O", "O"]], "Sentence 1 has 1.5 among its words"),
        (["a b"], [[(0, 1, None)]], "which is not"),
        (["a b"], [[(0.5, 1, "X")]], "which is not"),
        (["a b"], [[(False, 1, "X")]], "which is not"),
    ],
)
def test_what_is_no_word_and_no_span_is_named(X: Any, y: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        cases_of(X, y, what="mark")


def test_texts_without_tags_are_for_another_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"stars": ["good", "bad"] * 10, "review": ["a fine day", "a bad day"] * 10}).to_csv(
        tmp_path / "a.csv", index=False
    )
    answer = run_command(capsys, "train", tmp_path / "a.csv", "--task", "tag")
    assert answer.code == 2 and "texts without tags" in answer.err and "'classify'" in answer.err
    (tmp_path / "a.conll").write_text("Ann B-X\nwent O\n\nBob B-X\n")
    answer = run_command(capsys, "train", tmp_path / "a.conll", "--task", "tag", "--target", "1")
    assert answer.code == 2 and "Column 1 of 'a.conll' holds the tokens" in answer.err

"""Pieces of words that are learned from texts (sentencepiece): their places, what is learned, what a run keeps."""

import builtins
import io
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sentencepiece

from commands import run_command
from recurra import Classifier
from recurra.data.text.learned_pieces import learn_pieces, piece_tokeniser
from recurra.errors import ConfigError

TINY: dict[str, Any] = {"hidden_size": 8, "embedding_size": 12, "epoch_steps": 10, "max_epochs": 4, "last_epochs": 1}
TINY |= {"tokens": "sentencepiece", "vocabulary": 60}
DRAW = np.random.default_rng(0)
LETTERS = list("abdfhklmoprtuvxz")
LABELS = [("past", "now")[n % 2] for n in range(160)]


def text_of(label: str) -> str:
    """Words of any letters, of which only the endings come again."""
    return " ".join("".join(DRAW.choice(LETTERS, 5)) + {"past": "ess", "now": "ing"}[label] for _ in range(4))


TEXTS = [text_of(label) for label in LABELS]


@pytest.fixture(scope="module")
def model() -> bytes:
    return learn_pieces(TEXTS, 60)


@pytest.mark.parametrize(
    "text",
    [
        "talked the walking",
        " two  spaces\tand\nlines ",
        "ﬁne 😀😀 naïve İstanbul 很好吃。",
        "x\u0301 ① ½ ﹏ \u200b \u00a0 ",
        "a▁b ▁▁ <unk> <s> \x00 \ud800".encode("utf-8", "replace").decode(),
    ],
)
@pytest.mark.parametrize("lowercase", [False, True])
def test_tokens_lie_where_they_are_and_leave_nothing_out(model: bytes, text: str, lowercase: bool) -> None:
    tokens = piece_tokeniser(model, lowercase)(text)
    assert all(0 <= one.start < one.end <= len(text) for one in tokens)
    assert all(a.end <= b.start for a, b in itertools.pairwise(tokens))
    assert "".join(text[one.start : one.end] for one in tokens) == "".join(text.split())
    for one in tokens:
        shown = text[one.start : one.end]
        assert one.text.removeprefix("▁") in (shown, shown.lower()) or "▁" in shown


def test_pieces_are_those_of_the_package(model: bytes) -> None:
    """Of words with one space between them nothing differs from what the package itself makes of the whole text."""
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model)
    cut = piece_tokeniser(model)
    for text in [*TEXTS, "counted unheardof words"]:
        assert [one.text for one in cut(text)] == [one for one in theirs.encode(text, out_type=str) if one != "▁"]
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=made, vocab_size=60, hard_vocab_limit=False, num_threads=1,
        normalization_rule_name="identity", bos_id=-1, eos_id=-1, minloglevel=4,
    )  # fmt: skip
    alone = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    assert [alone.id_to_piece(n) for n in range(len(alone))] == [theirs.id_to_piece(n) for n in range(len(theirs))]


def test_what_is_learned(model: bytes) -> None:
    cut = piece_tokeniser(model)
    assert [one.text for one in cut("pantuning")][-1] == "ing"
    assert [one.text for one in cut("pamutess")][-1].endswith("ess")
    assert learn_pieces(TEXTS, 60) == model, "the same texts give the same pieces"
    assert learn_pieces(TEXTS[::2], 60) != model
    small = piece_tokeniser(learn_pieces([text.upper() for text in TEXTS], 60, lowercase=True), lowercase=True)
    assert [one.text for one in small("PANTUNING")][-1] == "ing"


def test_long_words_and_many_texts_are_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learn_pieces(["很好吃" * 5000, *TEXTS], 60)
    monkeypatch.setattr("recurra.data.text.learned_pieces.MOST", 2000)
    assert learn_pieces(TEXTS, 60) == learn_pieces(TEXTS[:: -(-sum(map(len, TEXTS)) // 2000)], 60)


@pytest.fixture(scope="module")
def reader() -> Classifier:
    return Classifier(**TINY | {"max_epochs": 12}).fit(TEXTS, LABELS)


def test_words_are_understood_by_their_pieces(reader: Classifier, model: bytes) -> None:
    assert reader.score(TEXTS, LABELS) > 0.95
    unseen = ["lampess rudess", "lamping ruding"]
    assert reader.predict(unseen).tolist() == ["past", "now"]
    table = reader.attention_table(unseen[:1])
    assert "ess" in table["token"].tolist()
    assert [
        unseen[0][start:][: len(one.removeprefix("▁"))]
        for one, start in zip(table["token"], table["start"], strict=True)
    ] == [one.removeprefix("▁") for one in table["token"]]
    fallen = reader.occlusion_table(unseen)
    assert fallen["token"][fallen.groupby("case")["fall"].idxmax()].tolist() == ["ess", "ing"]


def test_a_run_holds_the_model(reader: Classifier, tmp_path: Path) -> None:
    again = Classifier.load(reader.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.predict_proba([*TEXTS, "new"]), reader.predict_proba([*TEXTS, "new"]))
    reading = again.fitted_.learned.reading
    assert reading == reader.fitted_.learned.reading and reading.model
    twin = Classifier(**TINY | {"max_epochs": 12}).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(twin.predict_proba(TEXTS), reader.predict_proba(TEXTS))


def test_with_sentences_and_long_texts() -> None:
    texts = [f"{text}. {text}." for text in TEXTS]
    model = Classifier(**TINY | {"max_epochs": 1}, hierarchy=True, most_tokens=6).fit(texts, LABELS)
    table = model.attention_table(texts[:3])
    assert set(table["sentence"]) <= {0, 1} and (table.groupby("case").size() <= 6).all()
    assert any(re.match(r"\d+ text\(s\) have more than 6 tokens", note) for note in model.notes_)


def test_more_pieces_than_there_can_be_are_asked_for() -> None:
    """The package would not end with billions, of which it does not learn more than there are."""
    assert learn_pieces(TEXTS, 4_000_000_000) == learn_pieces(TEXTS, 100_000)


def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="vocabulary=9 is less than the characters of these texts"):
        Classifier(**TINY | {"vocabulary": 9}).fit(TEXTS, LABELS)
    with pytest.raises(ConfigError, match="are those of words, and these texts are read by sentencepiece"):
        Classifier(**TINY, vectors="a.vec").fit(TEXTS, LABELS)
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "sentencepiece":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"needs the package sentencepiece: pip install 'recurra\[text\]'"):
        Classifier(**TINY).fit(TEXTS, LABELS)


def test_by_its_flag(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pd.DataFrame({"label": LABELS, "text": TEXTS}).to_csv(tmp_path / "train.csv", index=False)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
    where = f"--out={tmp_path / 'run'}"
    done = run_command(capsys, "train", tmp_path / "train.csv", "--task=classify", "--test-size=20", *flags, where)
    assert done.code == 0 and "linear SVM" in done.out, done.err
    assert "<mark style=" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    answers = tmp_path / "answers.csv"
    done = run_command(capsys, "predict", tmp_path / "run", tmp_path / "train.csv", f"--out={answers}")
    assert done.code == 0, done.err

"""Texts that answer texts on the command line: every verb, and what is said of what cannot be."""

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from commands import Answer, Run

SMALL: list[Any] = ["--task", "seq2seq", "--level", "word", "--hidden-size", 24, "--batch-size", 16]
SMALL += ["--max-epochs", 3, "--epoch-steps", 12, "--learning-rate", 0.02]
NOUNS = {"cat": "chat", "dog": "chien", "horse": "cheval", "wolf": "loup"}
ACTIONS = {"sees": "voit", "hears": "entend", "follows": "suit"}
COLOURS = {"black": "noir", "white": "blanc", "grey": "gris"}
PHRASES = [
    (f"The {colour} {one} {does} the {other}.", f"Le {NOUNS[one]} {COLOURS[colour]} {ACTIONS[does]} le {NOUNS[other]}.")
    for colour in COLOURS
    for one in NOUNS
    for does in ACTIONS
    for other in NOUNS
]
ENGLISH, FRENCH = ([pair[side] for pair in PHRASES] for side in (0, 1))


def tabbed(pairs: Sequence[tuple[str, str]], *names: str) -> str:
    return "".join("\t".join(row) + "\n" for row in ([names] if names else []) + [*pairs])


def lines(texts: Sequence[str]) -> str:
    return "".join(f"{text}\n" for text in texts)


def files(folder: Path) -> None:
    """Write what the tests read."""
    contents = {
        "pairs.tsv": tabbed(PHRASES, "english", "french"),
        "swapped.tsv": tabbed([(other, one) for one, other in PHRASES], "french", "english"),
        "more.tsv": tabbed(PHRASES[::7], "english", "french"),
        "half.tsv": tabbed([*PHRASES, ("The cat.", ""), ("", "Le chat.")], "english", "french"),
        "one.tsv": tabbed(PHRASES[:1], "english", "french"),
        "long.tsv": tabbed([*PHRASES, ("the " * 10_000, "le")], "english", "french"),
        "train.en": lines(ENGLISH),
        "train.fr": lines(FRENCH),
        "short.fr": lines(FRENCH[:50] + FRENCH[52:]),
        "empty.fr": "",
        "texts.txt": lines(["The grey zebra sees the cat.", "The " * 10_000, "The dog."]),
        "book.txt": "the cat sings\n" * 200,
    }
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files, and two runs on the same pairs."""
    folder = tmp_path_factory.mktemp("pairs")
    files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        from recurra.cli import app

        for name, seed in (("run", 0), ("second", 1)):
            app.main(list(map(str, ["train", "pairs.tsv", *SMALL, "--seed", seed, "--out", name])))
        app.main(list(map(str, ["train", "pairs.tsv", *SMALL, "--level", "character", "--out", "letters"])))
    return folder


def table(answer: Answer) -> pd.DataFrame:
    assert answer.code == 0, answer.err
    return pd.read_csv(io.StringIO(answer.out))


# What it does


def test_from_pairs_to_a_report(run: Run, tmp_path: Path) -> None:
    answer = run("train", "pairs.tsv", *SMALL, "--out", tmp_path / "run")
    assert answer.code == 0, answer.err
    assert "'english' is read, 'french' is written" in answer.err
    assert "124 pairs to train on, 6 to decide when to stop, 14 held out to judge" in answer.err
    for row in ("this model", "nearest pair", "copy source"):
        assert row in answer.out
    assert "Answer: recurra predict" in answer.out
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "From english to french" in page and "The worst answers" in page
    again = run("report", tmp_path / "run")
    assert again.code == 0 and (tmp_path / "run" / "report.html").exists()


def test_answers_in_a_table(run: Run, tmp_path: Path) -> None:
    found = table(run("predict", "run", "pairs.tsv"))
    assert list(found.columns) == ["source", "answer", "logp"]
    assert list(found["source"]) == ENGLISH and (found["logp"] < 0).all()
    assert table(run("predict", "run")).equals(found), "what it was trained on, if nothing is given"
    lined = table(run("predict", "run", "train.en"))
    assert lined.equals(found)
    answer = run("predict", "run", "train.en", "--out", tmp_path / "answers.parquet")
    assert answer.code == 0 and "answers.parquet" in answer.err
    assert list(pd.read_parquet(tmp_path / "answers.parquet")["answer"].fillna("")) == list(found["answer"].fillna(""))
    values = json.loads(run("predict", "run", "more.tsv", "--json").out)
    assert [one["source"] for one in values] == ENGLISH[::7]


def test_standard_input_is_answered_line_by_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(lines(ENGLISH[:3]).encode()))
    monkeypatch.setattr("sys.stdin", given)
    found = table(run("predict", "run", "-"))
    assert list(found["source"]) == ENGLISH[:3]


def test_the_best_answers_have_a_rank(run: Run) -> None:
    found = table(run("predict", "run", "more.tsv", "--best", 3, "--length-penalty", 0))
    assert list(found.columns) == ["source", "answer", "rank", "logp"]
    assert list(found["rank"]) == [1, 2, 3] * len(ENGLISH[::7])
    for _, some in found.groupby("source"):
        assert some["logp"].is_monotonic_decreasing and some["answer"].fillna("").nunique() == 3


def test_runs_decide_together(run: Run) -> None:
    alone, other, both = (
        table(run("predict", *asked))
        for asked in (["run", "pairs.tsv"], ["second", "pairs.tsv"], ["run", "pairs.tsv", "--ensemble", "second"])
    )
    assert not both.equals(alone) and not both.equals(other)
    assert table(run("predict", "run", "pairs.tsv", "--ensemble", "run,run"))["answer"].equals(alone["answer"])


def test_rows_of_the_table_answer(run: Run) -> None:
    found = table(run("predict", "run", "pairs.tsv", "--model", "nearest_pair"))
    assert (found["answer"] == FRENCH).mean() > 0.8, "its own answer to what was in the training"
    assert found["logp"].isna().all()
    assert list(table(run("predict", "run", "pairs.tsv", "--model", "copy_source"))["answer"]) == ENGLISH


def test_it_is_judged_on_what_was_held_out_or_on_other_pairs(run: Run) -> None:
    answer = run("evaluate", "run")
    assert answer.code == 0 and "judged by 14 pairs" in answer.err and "nearest pair" in answer.out
    other = run("evaluate", "run", "more.tsv").err
    assert "judged by 21 pairs" in other and "test texts are also among the training texts" in other
    values = json.loads(run("evaluate", "run", "--json").out)
    assert set(values) == {"this model", "nearest pair", "copy source"} and values["this model"]["bleu"] > 0


def test_another_file_may_judge(run: Run, tmp_path: Path) -> None:
    answer = run("train", "pairs.tsv", "--test-data", "more.tsv", *SMALL, "--out", tmp_path / "run")
    assert answer.code == 0 and "judged by 21 pairs" in answer.out
    assert "careful: 21 of 21 test texts are also among the training texts" in answer.err


def test_two_files_belong_together(run: Run, tmp_path: Path) -> None:
    answer = run("train", "train.en", "--target-file", "train.fr", *SMALL, "--out", tmp_path / "run")
    assert answer.code == 0 and "the same line of 'train.fr'" in answer.err
    assert list(table(run("predict", tmp_path / "run", "train.en"))["source"]) == ENGLISH
    assert list(table(run("predict", tmp_path / "run", "more.tsv"))["source"]) == ENGLISH[::7]


def test_cells_and_attentions_are_compared(run: Run, tmp_path: Path) -> None:
    models = ["--cells", "gru", "--attentions", "none,additive", "--seeds", 2]
    answer = run("compare", "pairs.tsv", *SMALL, *models, "--out", tmp_path / "both")
    assert answer.code == 0, answer.err
    assert re.search(r"^gru \+ additive .*", answer.out, re.MULTILINE) and "Kept:" in answer.out
    assert table(run("predict", tmp_path / "both", "more.tsv"))["source"].tolist() == ENGLISH[::7]
    assert run("report", tmp_path / "both").code == 0


def test_what_ranks_is_told_of_every_training(run: Run, tmp_path: Path) -> None:
    words = tabbed([(f"{stem}e {n}", f"{stem}ed") for n in range(12) for stem in ("bak", "danc", "lik", "lov", "mov")])
    (tmp_path / "words.tsv").write_text(words, encoding="utf-8")
    models = ["--cells", "gru", "--attentions", "none,additive", "--seeds", 1]
    answer = run("compare", tmp_path / "words.tsv", *SMALL, *models, "--out", tmp_path / "both")
    assert answer.code == 0 and answer.err.count("seed 0  exact ") == 2, answer.err


# What is said, and goes on


def test_empty_lines_and_long_texts_are_left_out(run: Run, tmp_path: Path) -> None:
    answer = run("train", "half.tsv", *SMALL, "--out", tmp_path / "half")
    assert answer.code == 0 and "left out 2 line(s) of which one side is empty: 146, 147" in answer.err
    answer = run("train", "long.tsv", *SMALL, "--test-size", 0, "--out", tmp_path / "long")
    assert answer.code == 0 and "careful: 1 pair with more than 200 units do" in answer.err


def test_long_texts_and_words_that_are_not_known_are_answered(run: Run) -> None:
    answer = run("predict", "run", "texts.txt")
    assert len(table(answer)) == 3
    assert re.search(r"careful: .* % of the units of these texts are not known", answer.err)


def test_more_may_be_known_than_there_is(run: Run, tmp_path: Path) -> None:
    for number, level in enumerate(("word", "subword")):
        size = ["--level", level, "--vocabulary", 3_000_000_000]
        assert run("train", "pairs.tsv", *SMALL, *size, "--out", tmp_path / str(number)).code == 0


# What cannot be


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.tsv"], "There is no file 'missing.tsv'."),
        (["train.en", "--target-file", "short.fr"], "'train.en' has 144 lines and 'short.fr' has 142"),
        (["train.en", "--target-file", "empty.fr"], "The file 'empty.fr' is empty."),
        (["train.en", "--target-file", "missing.fr"], "There is no file 'missing.fr'."),
        (["texts.txt"], "There is one column of texts and none of what is to be written"),
        (["one.tsv"], "There is 1 pair, and at least one more is needed"),
        (["pairs.tsv", "--target-column", "frensh"], "Did you mean 'french'?"),
        (["pairs.tsv", "--separator", ";"], "No line of 'pairs.tsv' holds the separator ';'"),
        (["pairs.tsv", "--test-size", 144], "none would be left to train on"),
        (["pairs.tsv", "--test-data", "swapped.tsv"], "These texts are like the answers that this model writes"),
        (["pairs.tsv", "--test-data", "missing.tsv"], "There is no file 'missing.tsv'."),
        (["pairs.tsv", "--longest", 1], "give a larger --longest"),
        (["pairs.tsv", "--beam", 0], "--beam must be at least 1"),
        (["pairs.tsv", "--beam", 5000], "--beam must be at most 1000"),
        (["pairs.tsv", "--sampling", 1.5], "--sampling must be at most 1"),
        (["pairs.tsv", "--level", "syllable"], "Choose one of: character, word, subword"),
        (["pairs.tsv", "--vocabulary", 2], "--vocabulary must be at least 3"),
        (["pairs.tsv", "--min-count", 9999], "No token of the training texts is there 9999 times"),
        (["pairs.tsv", "--attention", "dot"], "needs query and key of equal width"),
        (["pairs.tsv", "--attention", "none", "--no-feeding"], "sees nothing that it could be fed with"),
        (["pairs.tsv", "--shared", "--target-level", "word"], "both sides have the same units"),
        (["pairs.tsv", "--horizon", 7], "--horizon is for the task 'forecast'"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_cannot_train_is_said_in_a_sentence(run: Run, tmp_path: Path, arguments: list[Any], said: str) -> None:
    settings = [one for one in SMALL if "--level" not in arguments or one not in ("--level", "word")]
    answer = run("train", *arguments, *settings, "--out", tmp_path / "run")
    assert answer.code == 2 and said in answer.err, answer.err
    assert answer.err.count("Error: ") == 1 and "Traceback" not in answer.err
    assert not (tmp_path / "run").exists(), "nothing is left behind"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.txt"], "There is no file 'missing.txt'."),
        (["The cat sees the dog."], "There is no file 'The cat sees the dog.'; texts are answered from a file"),
        (["swapped.tsv"], "These texts are like the answers that this model writes"),
        (["train.fr"], "These texts are like the answers that this model writes"),
        (["pairs.tsv", "--best", 0], "--best must be at least 1"),
        (["pairs.tsv", "--best", 5000], "--best must be at most 1000"),
        (["pairs.tsv", "--length-penalty", 9], "--length-penalty must be at most 5"),
        (["pairs.tsv", "--model", "nearest"], "Did you mean 'nearest_pair'?"),
        (["pairs.tsv", "--ensemble", "missing"], "There is no run folder missing"),
        (["pairs.tsv", "--ensemble", "letters"], "The run 'letters' has other units than this one"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_what_cannot_be_answered_is_said_in_a_sentence(run: Run, arguments: list[Any], said: str) -> None:
    answer = run("predict", "run", *arguments)
    assert answer.code == 2 and said in answer.err and not answer.out, answer.err
    assert answer.err.count("Error: ") == 1 and "Traceback" not in answer.err


def test_a_run_of_another_kind_does_not_decide(run: Run, tmp_path: Path) -> None:
    settings = ["--task", "language", "--max-epochs", 1, "--epoch-steps", 2, "--hidden-size", 8]
    assert run("train", "book.txt", *settings, "--out", tmp_path / "book").code == 0
    answer = run("predict", "run", "pairs.tsv", "--ensemble", tmp_path / "book")
    assert answer.code == 2 and "This run is of the task 'language', not of 'seq2seq'." in answer.err


def test_nothing_of_the_users_is_lost(run: Run, home: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("mine", encoding="utf-8")
    answer = run("predict", "run", "more.tsv", "--out", kept)
    assert answer.code == 2 and "is there already" in answer.err and kept.read_text(encoding="utf-8") == "mine"
    assert run("predict", "run", "more.tsv", "--out", kept, "--overwrite").code == 0
    assert len(pd.read_csv(kept)) == 21
    again = run("predict", "run", kept, "--out", kept, "--overwrite")
    assert again.code == 2 and len(pd.read_csv(kept)) == 21, "the data themselves"
    before = {path.name: path.read_bytes() for path in (home / "run").iterdir()}
    answer = run("train", "pairs.tsv", *SMALL, "--out", "run")
    assert answer.code == 2 and {path.name: path.read_bytes() for path in (home / "run").iterdir()} == before

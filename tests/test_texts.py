"""Texts that are classified: how they are read, what a network sees of them, the rows beside it, the report."""

import html
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import hstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC
from torch.nn import functional as F

from commands import Run, run_command
from recurra import Classifier, Regressor
from recurra.data.cases import Cases, cases_of, read_cases
from recurra.data.text import UNKNOWN, Vocabulary, tokeniser, usual_tokens
from recurra.data.text.subwords import MOST, pieces
from recurra.errors import ConfigError, DataError
from recurra.nn.words import Words
from recurra.tasks.cases.examples import CaseExamples
from recurra.tasks.cases.text import TextReading
from recurra.tasks.classify import linear
from recurra.tasks.classify.answers import ask_network
from recurra.tasks.classify.kind import KIND
from recurra.tasks.classify.linear import GramVectors, NaiveBayes, SupportVectors
from recurra.tasks.classify.threshold import threshold_of
from recurra.training.loop import overlap
from recurra.writing.numbers import percent

TINY: dict[str, Any] = {"hidden_size": 8, "embedding_size": 12, "epoch_steps": 10, "max_epochs": 4, "last_epochs": 1}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
THINGS = ["house", "tree", "river", "stone", "cloud", "door", "window", "lamp", "table", "chair"]


def reviews(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts of other words, among which one says what they are."""
    draw = np.random.default_rng(seed)
    texts, labels = [], []
    for n in range(count):
        words = draw.choice(THINGS, int(draw.integers(3, 9))).tolist()
        words[int(draw.integers(len(words)))] = ("Lovely", "dreadful")[n % 2]
        texts.append(" ".join(words) + ".")
        labels.append(("good", "bad")[n % 2])
    return texts, labels


@pytest.fixture(scope="module")
def critic() -> Classifier:
    return Classifier(**TINY | {"max_epochs": 25}, min_count=1).fit(*reviews(120))


# Tokens


@pytest.mark.parametrize(
    ("kind", "text", "tokens"),
    [
        ("words", "I don't, do you?", ["I", "don't", ",", "do", "you", "?"]),
        ("words", "3.50 at 12:30 -- x_1", ["3.50", "at", "12:30", "-", "-", "x", "_", "1"]),
        ("words", "很快，very 好吃。", ["很", "快", "，", "very", "好", "吃", "。"]),
        ("words", "naïve Ünïcode", ["naïve", "Ünïcode"]),
        ("characters", "ab  c\n", ["a", "b", " ", "c"]),
    ],
)
def test_tokens_and_their_places(kind: str, text: str, tokens: list[str]) -> None:
    found = tokeniser(kind)(text)
    assert [token.text for token in found] == tokens
    assert all(text[token.start : token.end] == token.text for token in found)


def test_which_tokens_suit() -> None:
    assert usual_tokens(["Anna Smith", "Bob", "Li"]) == "characters"
    assert usual_tokens(["this is a text", "and this"]) == "words"
    with pytest.raises(ConfigError, match=r"Unknown tokens 'syllables'\. Choose one of: words, characters"):
        tokeniser("syllables")


def test_the_most_frequent_tokens_are_known() -> None:
    vocabulary = Vocabulary.of([["b", "a", "a"], ["c", "b", "a", "c"]], least=2, most=2)
    assert vocabulary.tokens == ("a", "b") and len(vocabulary) == 4
    assert vocabulary.encode(["b", "c", "a"]).tolist() == [3, UNKNOWN, 2]
    with pytest.raises(DataError, match="No token of the training texts is there 3 times"):
        Vocabulary.of([["a"], ["b", "a"]], least=3, most=9)


def test_pieces_of_words() -> None:
    cat, cats, dog = (pieces(word, 10_000) for word in ("cat", "cats", "dog"))
    assert cat.shape == (MOST,) and (cat[:6] > 0).sum() == 6 and not cat[6:].any()  # 3 + 2 + 1 of <cat>
    assert len(set(cat[:6]) & set(cats[cats > 0])) == 3  # <ca, cat, <cat
    assert not set(cat[:6]) & set(dog[dog > 0])
    assert pieces("x" * 99, 7).max() <= 7 and (pieces("x" * 99, 7) > 0).all()


# What is read


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_texts_of_files_tables_and_lists(tmp_path: Path) -> None:
    texts, labels = reviews(40)
    frame = pd.DataFrame({"id": range(40), "review": texts, "label": labels, "stars": range(40)})
    frame.to_csv(tmp_path / "table.csv", index=False)
    frame[["label", "review"]].to_csv(tmp_path / "table.tsv", index=False, sep="\t")
    frame[["label", "review"]].to_json(tmp_path / "lines.jsonl", orient="records", lines=True)
    lines = [f"{label} {text}\n" for text, label in zip(texts, labels, strict=True)]
    written(tmp_path / "plain.txt", "".join(lines))
    written(tmp_path / "fast.txt", "".join("__label__" + line for line in lines))
    found = [read_cases(path) for path in sorted(tmp_path.iterdir())]
    found += [cases_of(texts, labels), cases_of(np.array(texts), labels), cases_of(pd.Series(texts), labels)]
    for cases in found:
        assert cases.written and cases.texts == tuple(texts) and cases.labels == tuple(labels)
    said = read_cases(tmp_path / "table.csv").notes
    assert "each row is a text in 'review', with its label in 'label'" in said
    assert "left out 'stars' (neither text nor label)" in said
    said = read_cases(tmp_path / "plain.txt").notes
    assert "'plain.txt' has no header; each line was read as a label and a text" in said


def test_the_column_of_texts_is_found_or_named() -> None:
    texts, labels = reviews(30)
    frame = pd.DataFrame({"label": labels, "a": texts, "title": [text.split()[0] for text in texts]})
    assert KIND.read(frame, Classifier()._config()).texts == tuple(text.split()[0] for text in texts)  # it is called so
    assert KIND.read(frame, Classifier(text="a")._config()).texts == tuple(texts)
    with pytest.raises(DataError, match="There is no column 'b' for the text"):
        KIND.read(frame, Classifier(text="b")._config())


def test_rows_without_a_text_are_left_out_and_said() -> None:
    frame = pd.DataFrame({"text": ["a fine day", None, "  ", "a bad day"], "label": [1, 2, 3, 4]})
    cases = KIND.read(frame, Classifier()._config())
    assert cases.labels == ("1", "4") and "2 row(s) without a text were left out" in cases.notes


def test_numbers_are_still_numbers() -> None:
    curves = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 9)), columns=[f"t{n}" for n in range(9)])
    cases = KIND.read(curves.assign(label=["up", "down"] * 10), Classifier()._config())
    assert not cases.written and len(cases.values[0]) == 9
    assert not cases_of([[1.0, 2.0], [3.0]]).written


@pytest.mark.parametrize("name", ["a.txt", "a"])
@pytest.mark.parametrize("labels", ["12", "ab"])
def test_lines_of_numbers_are_no_texts(tmp_path: Path, name: str, labels: str) -> None:
    """As older files of the UCR archive are: a label and numbers with blanks between them."""
    content = "".join(f"  {labels[n % 2]} {n / 7:.7e} 0.25 -1.5\n" for n in range(30))
    for labelled in (True, False):
        cases = read_cases(written(tmp_path / name, content), labelled=labelled)
        assert not cases.written and cases.labels is not None and {*map(len, cases.values)} == {3}


def test_a_line_of_json_may_hold_what_else_would_end_a_line(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"one\u2028two\x85 {n}", "label": n % 2}, ensure_ascii=False) for n in range(8)]
    cases = read_cases(written(tmp_path / "a.jsonl", "\r\n".join(lines)))
    assert cases.texts == tuple(f"one\u2028two\x85 {n}" for n in range(8))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", '{"text": "a b", "label": 1}\nnope\n', "Line 2 of 'a.jsonl' is no JSON"),
        ("a.jsonl", "[1, 2]\n", "Line 1 of 'a.jsonl' is no object with names"),
        ("a.jsonl", "\n \n", "a.jsonl"),
        ("a.txt", "x one two three\ny one two three\n" * 2000 + "y\n", "Line 4001 of 'a.txt' has a label and no text"),
    ],
)
def test_faults_of_files(tmp_path: Path, name: str, content: str, says: str) -> None:
    with pytest.raises(DataError, match=re.escape(says)):
        read_cases(written(tmp_path / name, content))


# The network


def test_vectors_are_those_of_word_and_pieces() -> None:
    words = Words(5, 6, 4).eval()
    tokens = torch.tensor([[[2, 1, 3, 0], [4, 0, 0, 0], [0, 0, 0, 0]]])
    assert words.pieces is not None
    by_hand = [words.weight[2] + (words.pieces[1] + words.pieces[3]) / 2, words.weight[4], torch.zeros(4)]
    torch.testing.assert_close(words(tokens)[0], torch.stack(by_hand))
    alone = Words(5, 0, 4).eval()
    torch.testing.assert_close(alone(tokens[..., :1])[0], F.embedding(tokens[0, :, 0], alone.weight))


def test_forgotten_words_are_unknown_and_padding_never_is() -> None:
    words = Words(9, 0, 4, forget=0.5).train()
    tokens = torch.full((1, 1000, 1), 5)
    tokens[:, 900:] = 0
    found = words(tokens)[0]
    unknown = (found == words.weight[UNKNOWN]).all(-1)
    assert 0.4 < unknown[:900].float().mean() < 0.6 and not found[900:].any()
    assert not (words.eval()(tokens)[0] == words.weight[UNKNOWN]).all(-1).any()


@pytest.mark.parametrize("readout", ["attention", "last", "max", "mean"])
def test_a_padded_batch_answers_like_each_text_alone(readout: str) -> None:
    settings = {"readout": readout, "attention": "additive" if readout == "attention" else "none", "max_epochs": 1}
    texts, labels = reviews(20)
    model = Classifier(**TINY | settings, min_count=1).fit(texts, labels)
    together = model.predict_proba(texts)
    alone = np.concatenate([model.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_one_word_decides_and_is_seen_to(critic: Classifier) -> None:
    texts, labels = reviews(60, seed=1)
    assert critic.score(texts, labels) > 0.95
    assert critic.predict("a lovely house").tolist() == ["good"]
    fallen = critic.occlusion_table(texts)
    at = fallen.groupby("case")["fall"].idxmax()
    assert fallen["token"][at].str.lower().isin(["lovely", "dreadful"]).mean() > 0.9
    assert list(fallen.columns) == ["case", "token", "start", "fall"]
    looked = critic.attention_table(texts[:2])
    np.testing.assert_allclose(looked.groupby("case")["weight"].sum(), 1, atol=1e-5)
    first = looked[looked["case"] == "1"]
    places = zip(first["token"], first["start"], strict=True)
    assert [texts[0][start:][: len(token)] for token, start in places] == first["token"].tolist()


def test_a_word_that_is_taken_away_is_unknown(critic: Classifier) -> None:
    text = "lovely house of stone"
    table = critic.occlusion_table([text])
    examples = KIND.encode(cases_of([text]), critic.fitted_.learned)
    batch = examples.take(torch.tensor([0]))
    inputs = batch.inputs.clone()
    inputs[:, 0, 0], inputs[:, 0, 1:] = UNKNOWN, 0
    with torch.inference_mode():
        both = batch, batch.with_values("source", inputs)
        whole, left = (critic.network_(one).prediction.softmax(-1)[0] for one in both)
    assert table["fall"][0] == pytest.approx(float(whole.max() - left[whole.argmax()]), abs=1e-5)


def test_characters_tell_short_texts_apart() -> None:
    draw = np.random.default_rng(0)
    names = ["".join(draw.choice(list("bdgklm"), 3)) + ("ova" if n % 2 else "ek") for n in range(80)]
    labels = ["she" if n % 2 else "he" for n in range(80)]
    model = Classifier(**TINY | {"max_epochs": 20}).fit(names, labels)
    assert model.fitted_.learned.reading.kind == "characters" and model.score(names, labels) > 0.95


def test_texts_are_saved_with_their_vocabulary(critic: Classifier, tmp_path: Path) -> None:
    texts = reviews(9, seed=3)[0] + ["never seen before", "很 好"]
    again = Classifier.load(critic.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.predict_proba(texts), critic.predict_proba(texts))
    reading = again.fitted_.learned.reading
    assert isinstance(reading, TextReading) and reading == critic.fitted_.learned.reading


# The rows beside it


def prepared_rows(texts: list[str], labels: list[str]) -> tuple[Any, CaseExamples]:
    config = Classifier(min_count=1)._config()
    prepared = KIND.prepare(cases_of(texts, labels), config, 0)
    return prepared, KIND.encode(cases_of(texts), prepared.learned)


@pytest.mark.parametrize("classes", [2, 3])
def test_rows_are_those_of_scikit_learn(classes: int) -> None:
    texts, labels = reviews(90)
    labels = [f"{label} {n % 5 == 0}" if classes == 3 and label == "bad" else label for n, label in enumerate(labels)]
    prepared, examples = prepared_rows(texts, labels)
    bayes, machine = NaiveBayes(prepared.learned), SupportVectors(prepared.learned)
    pattern = {"token_pattern": r"[A-Za-z]+|\S", "ngram_range": (1, 2)}
    counts = CountVectorizer(binary=True, **pattern)
    known = MultinomialNB().fit(counts.fit_transform(texts), labels)
    bayes.fit(prepared)
    said, expected = bayes.answer(examples).log_probabilities, known.predict_log_proba(counts.transform(texts))
    assert said is not None
    own, odds = said - said[:, :1], expected - expected[:, :1]
    np.testing.assert_allclose(
        own, odds * own.std() / odds.std(), atol=1e-4, err_msg="as sharp as texts left out allow"
    )
    weighed = TfidfVectorizer(sublinear_tf=True, **pattern)
    margin = LinearSVC().fit(weighed.fit_transform(texts), labels)
    machine.fit(prepared)
    named = [prepared.learned.classes[code] for code in machine.answer(examples).codes]
    assert named == margin.predict(weighed.transform(texts)).tolist()
    for row in (bayes, machine):
        again = type(row)(prepared.learned)
        again.from_arrays(row.to_arrays())
        before, after = row.answer(examples).log_probabilities, again.answer(examples).log_probabilities
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("kind", ["words", "characters"])
def test_n_grams_are_those_of_scikit_learn(kind: str) -> None:
    texts, labels = reviews(90)
    config = Classifier(min_count=1, tokens=kind)._config()  # type: ignore[arg-type]
    prepared = KIND.prepare(cases_of(texts, labels), config, 0)
    examples = KIND.encode(cases_of(texts), prepared.learned)
    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"[A-Za-z]+|\S", ngram_range=(1, 3))
    letters = TfidfVectorizer(sublinear_tf=True, analyzer="char", ngram_range=(1, 5), lowercase=kind == "words")
    marked = [f"\x02{text}\x03" for text in texts]
    x = (
        letters.fit_transform(marked)
        if kind == "characters"
        else hstack([words.fit_transform(texts), letters.fit_transform(marked)])
    )
    margins = LinearSVC().fit(x, labels).decision_function(x)
    row = GramVectors(prepared.learned)
    row.fit(prepared)
    logs = row.answer(examples).log_probabilities
    assert logs is not None and row.weights.shape[0] == x.shape[1]
    own = logs[:, 1] - logs[:, 0]
    own -= own.mean() - margins.mean() * own.std() / margins.std()  # they are shifted
    np.testing.assert_allclose(own / own.std(), margins / margins.std(), atol=2e-3)
    again = GramVectors(prepared.learned)
    again.from_arrays(row.to_arrays())
    np.testing.assert_array_equal(again.answer(examples).log_probabilities, logs)


def test_long_texts_are_read_by_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, examples = prepared_rows(*reviews(40))
    monkeypatch.setattr(linear, "MOST_LETTERS", 100)
    row = GramVectors(prepared.learned)
    row.fit(prepared)
    assert row.notes == ("to save time, the row 'n-gram SVM' reads words alone, and no characters",)
    assert all(gram.startswith(linear.BETWEEN) for gram in row.grams)
    again = GramVectors(prepared.learned)
    again.from_arrays(row.to_arrays())
    assert not again.letters
    np.testing.assert_array_equal(again.answer(examples).log_probabilities, row.answer(examples).log_probabilities)


@pytest.mark.parametrize("row", [NaiveBayes, SupportVectors, GramVectors])
def test_validation_texts_are_answered_without_them(row: type[linear.Linear]) -> None:
    texts, labels = reviews(60)
    prepared, _ = prepared_rows(texts, labels)
    valid = prepared.plan.valid
    turned = [{"good": "bad", "bad": "good"}[label] if n in valid[:1] else label for n, label in enumerate(labels)]
    said = []
    for known in (labels, turned):
        made = row(prepared.learned)
        made.fit(replace(prepared, data=cases_of(texts, known)))
        assert made.validated is not None
        said.append(made.validated[1])
        np.testing.assert_array_equal(made.validated[0], np.arange(len(valid)))
    assert (said[0].argmax(1) == prepared.valid.targets.numpy()).mean() > 0.9
    assert said[0][0].argmax() == said[1][0].argmax(), "its own label does not count"


def test_naive_bayes_is_as_sure_as_it_is_right() -> None:
    random = np.random.default_rng(0)
    words = random.integers(0, 2, 200)[:, None] ^ (random.random((200, 1)) < 0.2)  # every word of a text says the same
    labels = ["good" if word[0] ^ (random.random() < 0.2) else "bad" for word in words]
    texts = [" ".join(f"{'nice' if word[0] else 'dull'}{n}" for n in range(30)) for word in words]
    prepared, examples = prepared_rows(texts, labels)
    row = NaiveBayes(prepared.learned)
    row.fit(prepared)
    logs = row.answer(examples).log_probabilities
    assert logs is not None
    right = np.mean(logs.argmax(1) == [prepared.learned.classes.index(label) for label in labels])
    assert np.exp(logs).max(1).mean() == pytest.approx(right, abs=0.03)


def test_a_class_of_one_text_does_not_say_how_sure_to_be() -> None:
    texts, labels = reviews(60)
    sharp = []
    for more in ([], ["odd"]):
        prepared, examples = prepared_rows(texts + ["quite another thing"] * len(more), labels + more)
        row = NaiveBayes(prepared.learned)
        row.fit(prepared)
        logs = row.answer(examples).log_probabilities
        assert logs is not None
        sharp.append(np.abs(logs[:60, 0] - logs[:60, 1]).mean())
    assert sharp[1] == pytest.approx(sharp[0], rel=0.3)


def test_a_rare_class_is_named_as_often_as_it_is_there() -> None:
    random = np.random.default_rng(2)

    def word(spam: bool) -> str:  # those of spam are new nearly every time
        known = spam and random.random() < 0.25
        return random.choice(["win", "free", "cash", "now"]) if known else f"w{random.integers(400 if spam else 30)}"

    rare = [n % 8 == 0 for n in range(240)]
    texts = [" ".join(word(spam) for _ in range(5)) for spam in rare]
    prepared, _ = prepared_rows(texts, ["spam" if spam else "ham" for spam in rare])
    row = GramVectors(prepared.learned)
    row.fit(prepared)
    assert row.validated is not None
    assert np.exp(row.validated[1])[:, 1].mean() == pytest.approx(prepared.valid.targets.numpy().mean(), rel=0.12)


# All together


def test_network_and_rows_answer_together(critic: Classifier, tmp_path: Path) -> None:
    texts = reviews(30, seed=4)[0]
    fitted = critic.fitted_
    examples = KIND.encode(cases_of(texts), fitted.learned)
    mix = fitted.learned.mix
    assert list(mix) == ["network", "naive Bayes", "n-gram SVM"]
    said = [ask_network(fitted, examples).log_probabilities]
    said += [fitted.baselines[name].answer(examples).log_probabilities for name in list(mix)[1:]]
    product = np.prod([np.exp(logs) ** weight for logs, weight in zip(said, mix.values(), strict=True)], axis=0)
    expected = product / product.sum(1, keepdims=True)
    np.testing.assert_allclose(critic.predict_proba(texts), expected, atol=1e-9)
    assert re.search(r"\d %? ?network, .* naive Bayes and .* n-gram SVM, by what they said of 24", fitted.record.answer)
    alone = Classifier(**TINY, min_count=1, combine=False).fit(*reviews(120))
    assert not alone.fitted_.learned.mix and not alone.fitted_.baselines
    own = KIND.encode(cases_of(texts), alone.fitted_.learned)
    np.testing.assert_allclose(alone.predict_log_proba(texts), ask_network(alone.fitted_, own).log_probabilities)


# From where the rarer class is named


def test_the_threshold_gives_the_best_f1() -> None:
    draw = np.random.default_rng(0)
    there = draw.random(400) < 0.1
    probable = np.clip(0.15 + 0.25 * there + draw.normal(0, 0.1, 400), 0.001, 0.999)
    found = threshold_of(probable, there)
    scores = [f1_score(there, probable >= at) for at in np.linspace(0, 1, 2001)]
    assert f1_score(there, probable >= found) == pytest.approx(max(scores)) and 0.2 < found < 0.45
    assert f1_score(there, probable >= 0.5) < max(scores) - 0.1
    assert threshold_of(probable, np.zeros(400, bool)) == threshold_of(probable[:0], there[:0]) == 0.5
    assert threshold_of(np.array([0.9, 0.8, 0.1]), np.array([True, True, False])) == 0.5, "many are as good"


@pytest.mark.parametrize("combine", [True, False])
def test_the_rarer_class_is_named_from_the_threshold_on(tmp_path: Path, combine: bool) -> None:
    texts, labels = reviews(120)
    kept = [n for n, label in enumerate(labels) if label == "bad" or n % 8 == 0]
    texts, labels = [texts[n] for n in kept], [labels[n] for n in kept]
    model = Classifier(**TINY, min_count=1, threshold=True, combine=combine).fit(texts, labels)
    learned = model.fitted_.learned
    assert learned.classes == ("bad", "good") and 0 < learned.threshold < 1
    assert f"'good' is named from {percent(learned.threshold)} on: its F1" in model.fitted_.record.answer
    lower = replace(learned, threshold=float(np.quantile(model.predict_proba(texts)[:, 1], 0.5)))
    model.fitted_.learned = lower
    expected = np.where(model.predict_proba(texts)[:, 1] >= lower.threshold, "good", "bad")
    assert (expected == "good").mean() == pytest.approx(0.5, abs=0.05) and model.predict(
        texts
    ).tolist() == expected.tolist()
    again = Classifier.load(model.save(tmp_path / "run"))
    assert again.fitted_.learned.threshold == lower.threshold
    plain = Classifier(**TINY, min_count=1, combine=combine).fit(texts, labels)
    np.testing.assert_allclose(plain.predict_proba(texts), model.predict_proba(texts), atol=1e-9)


def test_an_epoch_of_many_texts_is_longer() -> None:
    texts, labels = reviews(800)
    config = Classifier(batch_size=4)._config()
    prepared = KIND.prepare(cases_of(texts, labels), config, 0)
    assert len(prepared.train) == 640 and prepared.config.training.epoch_steps == 640 / (4 * 4)
    assert KIND.prepare(cases_of(texts[:99], labels[:99]), config, 0).config.training.epoch_steps == 20
    own = Classifier(batch_size=4, epoch_steps=7)._config()
    assert KIND.prepare(cases_of(texts, labels), own, 0).config.training.epoch_steps == 7
    curves = cases_of(np.random.default_rng(0).normal(size=(800, 3)), labels)
    assert KIND.prepare(curves, config, 0).config.training.epoch_steps == 20


# What is wrong is said


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"warp": 0.2}, "warp has no effect: a text is read token by token"),
        ({"cell": "reservoir"}, "tokens need vectors that are learned"),
        ({"text": "review"}, "text has no effect: X and y have no columns"),
        ({"tokens": "letters"}, "tokens must be one of|tokens"),
    ],
)
def test_settings_that_do_not_suit_texts(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Classifier(max_epochs=1, **settings).fit(*reviews(20))


def test_a_list_holds_texts_though_they_have_dots(tmp_path: Path) -> None:
    places = ["shop.com", "park.org", "mail.com", "zoo.org"] * 6
    model = Classifier(**TINY | {"max_epochs": 1}).fit(places, ["com", "org"] * 12)
    assert model.fitted_.learned.reading.form == "texts" and len(model.predict(places)) == 24
    with pytest.raises(DataError, match=r"There is no file 'gone\.csv'"):
        Classifier().fit(["gone.csv", "gone.csv"], ["a", "b"])
    for X in ("a lovely house", tmp_path / "a.csv"):
        with pytest.raises(DataError, match="X is a single text or path; give a list of texts, or without y the path"):
            Classifier().fit(X, ["good"])


def test_words_of_texts_are_to_be_joined(critic: Classifier) -> None:
    words = [["a", "lovely", "house"], ["so", "dreadful"]]
    for ask in (lambda: critic.predict(words), lambda: Classifier().fit(words * 9, ["good", "bad"] * 9)):
        with pytest.raises(DataError, match="to classify texts, join the words of each, as with"):
            ask()


def test_a_threshold_is_for_two_classes() -> None:
    texts, labels = reviews(30)
    with pytest.raises(
        ConfigError, match="threshold is for two classes, of which one is rarer, and these cases have 3"
    ):
        Classifier(threshold=True).fit(texts, ["third", *labels[1:]])


def test_what_comes_must_be_what_was_learned(critic: Classifier) -> None:
    curves, y = np.random.default_rng(0).normal(size=(20, 12)), [0, 1] * 10
    with pytest.raises(DataError, match="trained on texts, but these cases are numbers"):
        critic.predict(curves)
    with pytest.raises(DataError, match="trained on numbers, but these cases are texts"):
        Classifier(max_epochs=1, hidden_size=8).fit(curves, y).predict(["a text", "another one"])
    with pytest.raises(ConfigError, match="tokens has no effect: these cases are no texts"):
        Classifier(tokens="words").fit(curves, y)
    with pytest.raises(DataError, match="texts, which are read for the tasks 'classify' and 'tag'"):
        Regressor().fit(reviews(20)[0], np.arange(20.0))
    with pytest.raises(DataError, match="Case '2' is an empty text"):
        critic.predict(["fine", " "])


# The verbs


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *arguments: run_command(capsys, *arguments)


def test_train_predict_evaluate_report(run: Run, tmp_path: Path) -> None:
    for name, seed in (("train", 0), ("test", 1)):
        texts, labels = reviews(60, seed)
        texts = [text + " <b>&" for text in texts]
        labels[:2] = labels[1::-1]  # which no model can know
        pd.DataFrame({"label": labels, "text": texts}).to_csv(tmp_path / f"{name}.csv", index=False)
    folder = tmp_path / "run"
    judged = f"--test-data={tmp_path / 'test.csv'}"
    done = run("train", tmp_path / "train.csv", "--task=classify", judged, *FLAGS, f"--out={folder}")
    assert done.code == 0 and all(
        row in done.out for row in ("naive Bayes", "linear SVM", "n-gram SVM", "network", "this model")
    )
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<mark style=" in page and "occlusion" in page
    assert re.search(r"The pictures are of the network, \d+\s% of the answer\.", page)
    assert "<b>&" not in page and html.escape("<b>&") in page and "><</mark>" not in page, "a text is no markup"
    assert run("evaluate", folder, tmp_path / "test.csv", "--json").code == 0
    answers = tmp_path / "answers.csv"
    assert run("predict", folder, tmp_path / "test.csv", f"--out={answers}").code == 0
    assert len(pd.read_csv(answers)) == 60
    again = run("predict", folder, tmp_path / "test.csv", "--model=naive_Bayes", "--json")
    assert again.code == 0 and json.loads(again.out)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("a lovely house\nso dreadful, so bad\n", ["a lovely house", "so dreadful, so bad"]),
        ("label,text\ngood,a lovely house\nbad,stone\n", ["a lovely house", "stone"]),
        ('{"text": "a lovely house"}\n', ["a lovely house"]),
    ],
)
def test_standard_input_is_read_as_a_file(
    critic: Classifier, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, texts: list[str]
) -> None:
    folder = critic.save(tmp_path / "run")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    done = run("predict", folder, "-")
    assert done.code == 0, done.err
    found = pd.read_csv(io.StringIO(done.out))
    np.testing.assert_allclose(found[["p_bad", "p_good"]], critic.predict_proba(texts), atol=1e-6)


def test_nothing_may_come_on_standard_input(
    critic: Classifier, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = critic.save(tmp_path / "run")
    for stream in (io.TextIOWrapper(io.BytesIO(b"")), None):
        monkeypatch.setattr("sys.stdin", stream)
        done = run("evaluate", folder, "-")
        assert done.code == 2 and "The file 'standard input' is empty." in done.err


def test_texts_of_the_training_are_known_again(run: Run, critic: Classifier, tmp_path: Path) -> None:
    """A run keeps eight bytes of each, so that it is said where other data hold some of them."""
    folder = critic.save(tmp_path / "run")
    assert critic.fitted_.learned.reading.seen.nbytes <= 8 * 120
    texts, labels = reviews(30, seed=8)
    fresh = [f"{text} {n}" for n, text in enumerate(texts)]
    for name, own in (("new", fresh), ("some", reviews(12)[0] + fresh[12:])):
        pd.DataFrame({"label": labels, "text": own}).to_csv(tmp_path / f"{name}.csv", index=False)
    said = "careful: 12 of 30 test cases are also among the training cases"
    assert said in " ".join(run("evaluate", folder, tmp_path / "some.csv").err.split())
    assert "careful" not in run("evaluate", folder, tmp_path / "new.csv").err
    done = run("evaluate", folder, tmp_path / "some.csv", "--test-size=29").err
    assert re.search(r"1[12] of 29 test cases are also", " ".join(done.split()))


def test_one_case_is_no_several(critic: Classifier, run: Run, tmp_path: Path) -> None:
    folder = critic.save(tmp_path / "run")
    written(tmp_path / "one.csv", f"label,text\ngood,{reviews(1)[0][0]}\n")
    said = " ".join(run("evaluate", folder, tmp_path / "one.csv").err.split())
    assert "judged by 1 case" in said and "1 cases" not in said and "1 of 1 test cases is also among" in said
    chinese = run("evaluate", folder, tmp_path / "one.csv", "--lang=zh").err
    assert "以 1 个样本评判" in chinese and "case" not in chinese
    notes = " ".join(Classifier(**TINY | {"max_epochs": 1}, validation_size=1).fit(*reviews(12)).notes_)
    assert "11 cases to train on, 1 to decide when to stop" in notes


def test_a_recipe_is_a_file_of_settings(run: Run, tmp_path: Path) -> None:
    texts, labels = reviews(60)
    pd.DataFrame({"label": labels, "text": texts}).to_csv(tmp_path / "train.csv", index=False)
    recipe = Path(__file__).parents[1] / "examples" / "adhikari.toml"
    out = tmp_path / "run"
    assert run("train", tmp_path / "train.csv", f"--config={recipe}", *FLAGS, f"--out={out}").code == 0
    config = Classifier.load(out).fitted_.config
    assert config.model.weight_drop == 0.1 and config.training.average == 0.99 and config.task.readout == "max"
    assert not Classifier.load(out).fitted_.learned.mix


def test_compare(run: Run, tmp_path: Path) -> None:
    texts, labels = reviews(60)
    pd.DataFrame({"label": labels, "text": texts}).to_csv(tmp_path / "train.csv", index=False)
    out = tmp_path / "compared"
    done = run(
        "compare", tmp_path / "train.csv", "--task=classify", "--cells=gru,lstm_gru", "--attentions=none,additive",
        "--seeds=1", "--test-size=20", *FLAGS, f"--out={out}",
    )  # fmt: skip
    assert done.code == 0 and "linear SVM" in done.out


def test_cases_of_texts_are_compared_as_any() -> None:
    cases = cases_of(["one", "two", "one"])
    assert isinstance(cases, Cases) and cases.lengths.tolist() == [3, 3, 3]
    assert cases.some([2, 1]).texts == ("one", "two")


def test_a_text_of_any_length_is_read_to_a_bound() -> None:
    texts, labels = reviews(40)
    texts[0] = "stone " * 20_000 + "lovely"
    model = Classifier(**TINY, most_tokens=50).fit(texts, labels)
    assert "1 text(s) have more than 50 tokens, of which the first ones are read" in model.notes_
    assert len(model.occlusion_table(texts[:1])) == 50
    np.testing.assert_array_equal(model.predict_proba(texts[:1]), model.predict_proba(["stone " * 50]))


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.csv", 'text\na fine day\n"no, not at all"\nplain, too\n', ("a fine day", "no, not at all", "plain,too")),
        ("a.txt", "a fine day\n\nno, not at all\n", ("a fine day", "no, not at all")),
        ("a.txt", "id,text\n1,a fine day\n2,no\n", ("a fine day", "no")),
        ("a.txt", "很好,很差\n", ("很好,很差",)),
        ("plain", "a fine day\nno, not at all\n", ("a fine day", "no, not at all")),
        ("table", "id,remark\n1,a fine day\n2,no it is not\n", ("a fine day", "no it is not")),
        ("json", '{"text": "a fine day"}\n', ("a fine day",)),
    ],
)
def test_a_file_of_texts_alone_is_answered(
    critic: Classifier, tmp_path: Path, name: str, content: str, texts: tuple[str, ...]
) -> None:
    path = written(tmp_path / name, content)
    assert read_cases(path, labelled=False).texts == texts
    np.testing.assert_array_equal(critic.predict(path), critic.predict(list(texts)))
    with pytest.raises(DataError, match="no texts below the name"):
        critic.predict(written(tmp_path / "b.csv", "text\n\n"))


# Several looks at a text


def by_torch(cells: list[Any]) -> torch.nn.GRU:
    """The layer of a classifier, from both sides, by PyTorch."""
    own = torch.nn.GRU(cells[0].input_size, cells[0].hidden_size, batch_first=True, bidirectional=True).double()
    for cell, ending in zip(cells, ("l0", "l0_reverse"), strict=True):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(own, f"{name}_{ending}").data.copy_(getattr(cell, name))
    return own


@torch.no_grad()
def test_several_looks_are_the_structured_self_attention() -> None:
    """``A = softmax(W2 tanh(W1 Hᵀ))``, ``M = A H``, ``P = ‖A Aᵀ − I‖²`` of Lin et al. 2017, of unequal texts."""
    texts, labels = reviews(40)
    looks = {"attention": "tanh_dot", "rows": 4, "overlap_penalty": 0.5}
    model = Classifier(**TINY | looks, min_count=1).fit(texts, labels)
    network, examples = model.network_, KIND.encode(cases_of(texts), model.fitted_.learned)
    batch = examples.take(torch.arange(40))
    output = network(batch)
    recurrent = by_torch(network.recurrent.cells())
    first, second = (one.detach().double().numpy() for one in (network.pool.attention.key.weight, network.pool.query))
    out, bias = (one.detach().double().numpy() for one in (network.out.weight, network.out.bias))
    apart = []
    for n, count in enumerate(examples.lengths.tolist()):
        vectors = network.embed.words(batch.inputs[n : n + 1, :count]).double()
        states = recurrent(vectors)[0][0].numpy()
        scores = second @ np.tanh(first @ states.T)
        weights = np.exp(scores - scores.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        np.testing.assert_allclose(output.weights[n, :, :count], weights, atol=1e-5)
        assert not output.weights[n, :, count:].any()
        np.testing.assert_allclose(output.prediction[n], out @ (weights @ states).ravel() + bias, atol=1e-4)
        apart.append(np.linalg.norm(weights @ weights.T - np.eye(4), "fro") ** 2)
    assert float(overlap(output.weights)) == pytest.approx(np.mean(apart), rel=1e-4)
    table = model.attention_table(texts[:1])
    count = int(examples.lengths[0])
    np.testing.assert_allclose(table["weight"], output.weights[0, :, :count].mean(0), atol=1e-6)


def test_looks_at_a_text_move_apart_if_they_are_told_to() -> None:
    texts, labels = reviews(120)
    found = {}
    for share in (0.0, 1.0):
        looks = {"attention": "tanh_dot", "rows": 3, "overlap_penalty": share, "max_epochs": 20}
        model = Classifier(**TINY | looks, min_count=1).fit(texts, labels)
        examples = KIND.encode(cases_of(texts), model.fitted_.learned)
        with torch.no_grad():
            found[share] = float(overlap(model.network_(examples.take(torch.arange(120))).weights))
    assert found[1.0] < 0.8 * found[0.0], found

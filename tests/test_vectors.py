"""Vectors of words from a file: how it is read, how a network begins with them, what a run keeps."""

import gzip
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from commands import run_command
from recurra import Classifier
from recurra.data.cases import cases_of
from recurra.data.text.vectors import read_vectors
from recurra.errors import ConfigError, DataError
from recurra.nn.words import Words
from recurra.tasks.classify.kind import KIND

TINY: dict[str, Any] = {
    "combine": False,
    "hidden_size": 8,
    "epoch_steps": 10,
    "max_epochs": 3,
    "last_epochs": 1,
    "min_count": 1,
}
SEEN = {"good": ["lovely", "great", "superb"], "bad": ["dreadful", "dirty", "dull"]}
UNSEEN = {"good": ["wonderful", "charming"], "bad": ["horrid", "shabby"]}
THINGS = ["house", "tree", "river", "stone", "cloud", "door", "window", "lamp"]


def reviews(count: int, verdicts: dict[str, list[str]], seed: int = 0) -> tuple[list[str], list[str]]:
    draw = np.random.default_rng(seed)
    labels = [("good", "bad")[n % 2] for n in range(count)]
    texts = [
        f"the {draw.choice(THINGS)} and the {draw.choice(THINGS)} is {draw.choice(verdicts[label])}" for label in labels
    ]
    return texts, labels


def written(path: Path, vectors: dict[str, Any], header: bool = True) -> Path:
    width = len(next(iter(vectors.values())))
    lines = [f"{len(vectors)} {width}"] if header else []
    lines += [f"{word} {' '.join(f'{number:.6f}' for number in vector)}" for word, vector in vectors.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def meanings(width: int = 6) -> dict[str, np.ndarray]:
    """Vectors of which the first number says good or bad."""
    draw = np.random.default_rng(7)
    sides = {word: side for table in (SEEN, UNSEEN) for side, words in table.items() for word in words}
    words = ["the", "and", "is", *THINGS, *sides]
    found = {word: draw.normal(0, 0.3, width) for word in words}
    for word, side in sides.items():
        found[word][0] = 2.0 if side == "good" else -2.0
    return found


# The file


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("ending", [".vec", ".txt.gz", ".zip"])
def test_a_file_as_it_is_written(tmp_path: Path, header: bool, ending: str) -> None:
    table = {"the": [1.0, 2.0, 3.0], "Naïve": [0.5, -0.5, 1e-3], "at home": [7.0, 8.0, 9.0], ",": [0.0, 1.0, 0.0]}
    path = written(tmp_path / "plain.vec", table, header)
    if ending == ".txt.gz":
        (tmp_path / "a.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
    elif ending == ".zip":
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(path, "a.txt")
    found = read_vectors(path if ending == ".vec" else tmp_path / f"a{ending}", ["the", "Naïve", "none"], others=9)
    assert found.width == 3 and set(found.wanted) == {"the", "Naïve"} and list(found.others) == ["at home", ","]
    for word, vector in (found.wanted | found.others).items():
        np.testing.assert_allclose(vector, table[word], atol=1e-6)


def test_small_and_large_letters(tmp_path: Path) -> None:
    table = {
        "PARIS": [1.0, 0],
        "Paris": [2.0, 0],
        "paris": [3.0, 0],
        "ROME": [4.0, 0],
        "Rome": [5.0, 0],
        "oslo": [6.0, 0],
    }
    path = written(tmp_path / "a.vec", table)

    def firsts(wanted: list[str], lowercase: bool) -> tuple[dict[str, float], dict[str, float]]:
        found = read_vectors(path, wanted, 9, lowercase)
        return tuple({word: float(v[0]) for word, v in table.items()} for table in (found.wanted, found.others))  # type: ignore[return-value]

    assert firsts(["paris", "rome"], True) == ({"paris": 3, "rome": 4}, {"oslo": 6})
    assert firsts(["Paris", "Oslo"], False)[0] == {"Paris": 2, "Oslo": 6}
    assert firsts(["oslo"], True)[1] == {"paris": 3, "rome": 4}
    assert firsts(["PaRiS"], False)[0] == {"PaRiS": 3}
    assert len(read_vectors(path, [], others=2).others) == 2 and not read_vectors(path, []).others


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("3 2\na 1 2\nb 1 2 3\n", "Line 3 of 'a.vec' has 3 number(s) behind its word, where 2 are expected"),
        ("a 1 2\n\nb 1\n", "Line 3 of 'a.vec' has 1 number(s) behind its word, where 2 are expected"),
        ("a 1 2\nb 1 x\n", "Line 2 of 'a.vec' has something else than 2 finite numbers behind its word"),
        ("a 1 2\nb nan 2\n", "Line 2 of 'a.vec' has something else than 2 finite numbers"),
        ("hello\nworld\n", "Line 1 of 'a.vec' is no word with numbers behind it"),
        ("", "The file 'a.vec' is empty"),
    ],
)
def test_faults_of_a_file(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "a.vec"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(says)):
        read_vectors(path, ["a", "b"], others=5)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        read_vectors(tmp_path / "none.vec", ["a"])
    (tmp_path / "a.bin").write_bytes(b"2 3\na " + np.ones(3, np.float32).tobytes() + bytes(200))
    with pytest.raises(DataError, match=r"a\.bin"):
        read_vectors(tmp_path / "a.bin", ["a"])
    (tmp_path / "a.vec.gz").write_bytes(gzip.compress(b"a 1 2\n" * 9000)[:-20])
    with pytest.raises(DataError, match=r"cut short or damaged|cannot be unpacked"):
        read_vectors(tmp_path / "a.vec.gz", ["a"])


# The network


def test_words_begin_with_their_vectors_and_others_have_theirs() -> None:
    torch.manual_seed(0)
    words = Words(5, 6, 4)
    given, others = torch.randn(2, 4) * 3, torch.randn(3, 4).half()
    words.begin(torch.tensor([2, 4]), given, others)
    tokens = torch.tensor([[[2, 1, 0], [4, 0, 0], [5, 2, 0], [7, 0, 0], [0, 0, 0]]])
    found = words.eval()(tokens)[0]
    expected = torch.stack([given[0], given[1], others[0].float(), others[2].float(), torch.zeros(4)])
    torch.testing.assert_close(found, expected)
    assert 0.3 < float(words.weight[3].detach().std() / given.std()) < 3, "a word without a vector begins about as wide"
    assert "others" not in words.state_dict() and not words.weight[0].any()
    assert words.pieces is not None
    with torch.no_grad():
        words.pieces[1] = 1.0
    torch.testing.assert_close(words(tokens)[0][0], given[0] + 1.0)


def test_a_fresh_network_has_the_vectors_of_the_file(tmp_path: Path) -> None:
    texts, labels = reviews(40, SEEN)
    table = meanings()
    del table["dirty"]
    settings = TINY | {"vectors": str(written(tmp_path / "a.vec", table)), "min_count": 15}
    config = Classifier(**settings)._config()
    prepared = KIND.prepare(cases_of(texts, labels), config)
    network = KIND.make(config, prepared.learned)[0].eval()
    reading = prepared.learned.reading
    assert reading.layout.embedding == 6
    said = f"{{}} of {len(reading.vocabulary.tokens)} known words begin with their vector in 'a.vec'; {{}} more words"
    rest = set(table) - set(reading.vocabulary.tokens)
    assert any(
        note.startswith(said.format(len(set(reading.vocabulary.tokens) & set(table)), len(rest)))
        for note in prepared.plan.notes
    ), prepared.plan.notes
    for word, vector in table.items():
        tokens = torch.from_numpy(reading.inputs(cases_of([word]).values[0]))
        with torch.no_grad():
            found = network.embed.words(tokens.unsqueeze(0))[0, 0]
        np.testing.assert_allclose(found, vector, atol=2e-3 if word in rest else 1e-6)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    path = written(tmp_path_factory.mktemp("vectors") / "a.vec", meanings())
    model = Classifier(**TINY | {"max_epochs": 15, "vectors": path, "forget": 0.0}).fit(*reviews(120, SEEN))
    path.unlink()  # a run needs it no more
    return model


def test_words_that_training_never_saw_are_understood(reader: Classifier) -> None:
    texts, labels = reviews(60, UNSEEN, seed=1)
    assert reader.score(*reviews(60, SEEN, seed=2)) == 1
    assert reader.score(texts, labels) > 0.95
    loud = [text.upper() for text in texts]
    assert reader.score(loud, labels) > 0.95
    without = Classifier(**TINY | {"max_epochs": 15, "embedding_size": 6, "subwords": 0}).fit(*reviews(120, SEEN))
    assert without.score(texts, labels) < 0.8


def test_a_run_holds_what_it_needs(reader: Classifier, tmp_path: Path) -> None:
    texts = [*reviews(20, UNSEEN)[0], "nothing of this", "the"]
    again = Classifier.load(reader.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.predict_proba(texts), reader.predict_proba(texts))
    assert again.notes_ == reader.notes_ and any("begin with their vector" in note for note in again.notes_)


def test_with_letters_as_they_are_and_with_sentences(tmp_path: Path) -> None:
    path = written(tmp_path / "a.vec", meanings(), header=False)
    texts, labels = reviews(40, SEEN)
    model = Classifier(**TINY, vectors=str(path), lowercase=False, hierarchy=True, subwords=0).fit(texts, labels)
    np.testing.assert_array_equal(model.predict_proba(["so WONDERFUL"]), model.predict_proba(["so wonderful"]))
    assert not np.array_equal(model.predict_proba(["so WONDERFUL"]), model.predict_proba(["so unheardof"]))


# What is wrong is said


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    texts, labels = reviews(20, SEEN)
    path = str(written(tmp_path / "a.vec", meanings()))
    with pytest.raises(
        ConfigError, match=r"embedding_size=50 is asked for, but the vectors in 'a\.vec' have 6 numbers"
    ):
        Classifier(**TINY, vectors=path, embedding_size=50).fit(texts, labels)
    Classifier(**TINY | {"max_epochs": 1}, vectors=path, embedding_size=6).fit(texts, labels)
    with pytest.raises(ConfigError, match=r"are those of words, and these texts are read by characters"):
        Classifier(**TINY, vectors=path, tokens="characters").fit(texts, labels)
    other = str(written(tmp_path / "b.vec", {"haus": [1.0, 2.0], "baum": [2.0, 1.0]}))
    with pytest.raises(DataError, match=r"None of the 17 words of the training texts has a vector in 'b\.vec'"):
        Classifier(**TINY, vectors=other).fit(texts, labels)
    with pytest.raises(ConfigError, match="vectors has no effect: these cases are no texts"):
        Classifier(vectors=path).fit(np.random.default_rng(0).normal(size=(20, 12)), [0, 1] * 10)


def test_by_its_flag(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    texts, labels = reviews(60, SEEN)
    pd.DataFrame({"label": labels, "text": texts}).to_csv(tmp_path / "train.csv", index=False)
    path = written(tmp_path / "a.vec", meanings())
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items() if name != "combine"]
    where = f"--out={tmp_path / 'run'}"
    done = run_command(
        capsys, "train", tmp_path / "train.csv", "--task=classify", f"--vectors={path}", "--test-size=20", *flags, where
    )
    assert done.code == 0, done.err
    assert "known words begin with their vector in 'a.vec'" in done.out + done.err
    path.unlink()
    done = run_command(capsys, "predict", tmp_path / "run", tmp_path / "train.csv", f"--out={tmp_path / 'answers.csv'}")
    assert done.code == 0, done.err

"""Texts that are read by their sentences: where these end, the network, what it looks at, who may ask."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from commands import Run, run_command
from recurra import Classifier
from recurra.cells import CELLS
from recurra.data.cases import cases_of
from recurra.data.text import sentence_numbers, sentences, tokeniser
from recurra.errors import ConfigError
from recurra.nn.sentences import Sentences
from recurra.tasks.cases.hierarchy import HierarchyNet
from recurra.tasks.cases.text import LONGEST
from recurra.tasks.classify.kind import KIND

TINY: dict[str, Any] = {"hidden_size": 8, "embedding_size": 12, "epoch_steps": 5, "max_epochs": 2, "last_epochs": 1}
TINY |= {"hierarchy": True, "min_count": 1, "attention": "additive"}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items() if name != "hierarchy"]
THINGS = ["house", "tree", "river", "stone", "cloud", "door", "window", "lamp", "table", "chair"]
COLOURS = ["red", "green", "blue", "white"]


def letters(count: int, seed: int = 0, most: int = 11) -> tuple[list[str], list[str], np.ndarray]:
    """Texts in which every sentence has a colour, and that of the one with the word 'verdict' is the label."""
    draw = np.random.default_rng(seed)
    texts, labels, keys = [], [], []
    for n in range(count):
        size = int(draw.integers(5, most + 1))
        key, said = int(draw.integers(size)), []
        for at in range(size):
            words = draw.choice(THINGS, int(draw.integers(3, 7))).tolist()
            words.insert(int(draw.integers(len(words))), COLOURS[n % 4] if at == key else str(draw.choice(COLOURS)))
            if at == key:
                words.insert(int(draw.integers(len(words))), "verdict")
            said.append(" ".join(words).capitalize() + ".")
        texts.append(" ".join(said))
        labels.append(COLOURS[n % 4])
        keys.append(key)
    return texts, labels, np.array(keys)


@pytest.fixture(scope="module")
def judge() -> Classifier:
    settings = TINY | {"hidden_size": 16, "embedding_size": 16, "max_epochs": 20, "epoch_steps": 20}
    texts, labels, _ = letters(600)
    return Classifier(**settings).fit(texts, labels)


# Where sentences end


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It is late. Come home! Why? Now…", ["It is late.", "Come home!", "Why?", "Now…"]),
        ("Dr. Smith paid 3.50 at example.com. Fine.", ["Dr. Smith paid 3.50 at example.com.", "Fine."]),
        ("J. R. Tolkien wrote, e.g. letters, etc. to us.", ["J. R. Tolkien wrote, e.g. letters, etc. to us."]),
        ("Pens, ink, etc. He left at 5 p.m. We stayed.", ["Pens, ink, etc.", "He left at 5 p.m.", "We stayed."]),
        ("He came home at 5 p.m. and slept.", ["He came home at 5 p.m. and slept."]),
        ("See no. 7. No. Never.", ["See no. 7.", "No.", "Never."]),
        ("1. Eggs. 2. Milk.", ["1. Eggs.", "2. Milk."]),
        ('"Why?" she said. "Go!" (He went.) Bye', ['"Why?" she said.', '"Go!"', "(He went.)", "Bye"]),
        ("wait... what?! no way", ["wait... what?!", "no way"]),
        ("all small . as some files are .", ["all small .", "as some files are ."]),
        ("很好！他说：“好。”再见。3.5 分", ["很好！", "他说：“好。”", "再见。", "3.5 分"]),
        ("a heading\nIt goes on\nover a line.\n\nso\n\nend", ["a heading", "It goes on\nover a line.", "so", "end"]),
        ("One.<br /><br />Two<br>Three", ["One.<br /><br />", "Two<br>", "Three"]),
        ("one\r\nTwo\rThree", ["one", "Two", "Three"]),
        ("I am. You are.", ["I am.", "You are."]),
        ("It was I. You saw.", ["It was I.", "You saw."]),
        (" \n ", []),
    ],
)
def test_where_sentences_end(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == parts


@pytest.mark.parametrize(
    "text", ["." * 50_000 + "x", "Mr. " * 20_000, "1. " * 20_000, "a" * 50_000 + ". b", "\n" * 50_000]
)
def test_no_text_takes_long(text: str) -> None:
    assert len(sentences(text)) <= 20_000  # in time that grows with the length alone, or this would not come to an end


def test_every_token_is_in_a_sentence_and_long_ones_are_cut() -> None:
    text = "One two. " + "word " * 10 + "end. Last."
    numbers = sentence_numbers(text, tokeniser("words")(text), longest=5)
    assert numbers.tolist() == [0] * 3 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 2
    assert sentence_numbers("a b", tokeniser("words")("a b"), 9).tolist() == [0, 0]


def test_tokens_to_sentences_and_back_by_hand() -> None:
    numbers = torch.tensor([[0, 0, 1, 2, 2], [0, 1, 1, 9, 9]])
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    found = Sentences.of(numbers, mask)
    vectors = torch.arange(10.0).view(2, 5, 1) + 1
    words, inside = found.words(vectors)
    assert words[..., 0].tolist() == [[1, 2], [3, 0], [4, 5], [6, 0], [7, 8]]
    assert inside is not None and inside.sum(1).tolist() == [2, 1, 2, 1, 2] and bool(inside[:, 0].all())
    texts, outside = found.texts(torch.arange(5.0).view(5, 1) + 1)
    assert texts[..., 0].tolist() == [[1, 2, 3], [4, 5, 0]]
    assert outside is not None and outside.tolist() == [[True, True, True], [True, True, False]]
    of_words = torch.tensor([[0.1, 0.9], [1, 0], [0.5, 0.5], [1, 0], [0.25, 0.75]]).unsqueeze(1)
    of_sentences = torch.tensor([[[0.5, 0.2, 0.3]], [[0.6, 0.4, 0.0]]])
    expected = torch.tensor([[[0.05, 0.45, 0.2, 0.15, 0.15]], [[0.6, 0.1, 0.3, 0.0, 0.0]]])
    torch.testing.assert_close(found.over_tokens(of_sentences, of_words), expected)


# The network


def like_torch(cells: list[Any]) -> nn.GRU:
    """The same layer by PyTorch."""
    own = nn.GRU(cells[0].input_size, cells[0].hidden_size, batch_first=True, bidirectional=True).double()
    for cell, ending in zip(cells, ("l0", "l0_reverse"), strict=True):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(own, f"{name}_{ending}").data.copy_(getattr(cell, name))
    return own


def attended(states: Tensor, matrix: Tensor, bias: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
    """``u_j = tanh(W h_j + b)``, ``a = softmax(u_j · u_w)``, ``Σ a_j h_j`` of states (T, H)."""
    weights = torch.softmax(torch.tanh(states @ matrix.T + bias) @ context, 0)
    return weights @ states, weights


def read_by(level: Any, vectors: Tensor) -> tuple[Tensor, Tensor]:
    attention = level["pool"].attention
    states = like_torch(level["recurrent"].cells())(vectors.unsqueeze(0))[0][0]
    weights = [one.double() for one in (attention.key.weight, level["pool"].query, attention.energy.weight[0])]
    return attended(states, weights[0], attention.query.weight.double() @ weights[1], weights[2])


@torch.no_grad()
def test_the_network_is_that_of_the_paper() -> None:
    texts, labels, _ = letters(40, most=7)
    model = Classifier(**TINY).fit(texts, labels)
    network, reading = model.network_, model.fitted_.learned.reading
    assert isinstance(network, HierarchyNet)
    batch = KIND.encode(cases_of(texts), model.fitted_.learned).take(torch.arange(40))
    output = network(batch)
    upper = {"recurrent": network.recurrent, "pool": network.pool}
    for n, text in enumerate(texts[:10]):
        tokens = reading.tokens(text)
        vectors = network.embed.words(batch.inputs[n : n + 1, : len(tokens), :-1])[0].double()
        ends = [m + 1 for m, token in enumerate(tokens) if token.text == "."]  # in these texts, by hand
        summaries, inside = zip(*(read_by(network.words, part) for part in split(vectors, ends)), strict=True)
        document, over = read_by(upper, torch.stack(summaries))
        answer = document @ network.out.weight.double().T + network.out.bias.double()
        torch.testing.assert_close(output.prediction[n].double(), answer, atol=1e-5, rtol=1e-4)
        weights = torch.cat([share * one for share, one in zip(over, inside, strict=True)])
        torch.testing.assert_close(output.weights[n, 0, : len(tokens)].double(), weights, atol=1e-5, rtol=1e-4)


def split(vectors: Tensor, ends: list[int]) -> list[Tensor]:
    return [vectors[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]


@pytest.mark.parametrize("cell", [name for name in CELLS if name != "reservoir"])
def test_a_padded_batch_answers_like_each_text_alone_with_every_cell(cell: str) -> None:
    alike(Classifier(**TINY | {"cell": cell, "max_epochs": 1}))


@pytest.mark.parametrize(
    "settings",
    [
        {"readout": "last", "attention": "none"},
        {"readout": "mean", "attention": "none"},
        {"readout": "max", "attention": "none", "num_layers": 2},
        {"attention": "multi_head", "self_attention": "scaled_dot"},
        {"attention": "tanh_dot", "rows": 3, "overlap_penalty": 0.1},
        {"attention": "additive", "subwords": 0, "bidirectional": False},
    ],
)
def test_a_padded_batch_answers_like_each_text_alone(settings: dict[str, Any]) -> None:
    alike(Classifier(**TINY | settings))


def alike(model: Classifier) -> None:
    texts, labels, _ = letters(24, most=6)
    texts[3] = "Short."
    model.fit(texts, labels)
    together = model.predict_proba(texts)
    alone = np.concatenate([model.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=2e-6)


def test_words_see_nothing_of_other_sentences_but_the_order_of_sentences_counts(judge: Classifier) -> None:
    one, two = "Red verdict house.", "Green stone tree."
    learned = judge.fitted_.learned
    network = judge.network_
    batches = [KIND.encode(cases_of([text]), learned).take(torch.tensor([0])) for text in (one, f"{one} {two}")]
    with torch.no_grad():
        found = [Sentences.of(b.inputs[..., -1], b.mask) for b in batches]
        read = [
            network.words["recurrent"](s.words(network.embed.words(b.inputs[..., :-1]))[0]).outputs[0]
            for s, b in zip(found, batches, strict=True)
        ]
    torch.testing.assert_close(read[0], read[1])
    ways = judge.predict_proba([f"{one} {two} {two}", f"{two} {two} {one}"])
    assert not np.allclose(ways[0], ways[1], atol=1e-7)


# What is found


def test_the_sentence_that_decides_is_found_and_seen_to(judge: Classifier) -> None:
    texts, labels, keys = letters(200, seed=1)
    assert judge.score(texts, labels) > 0.97
    table = judge.attention_table(texts)
    assert list(table.columns) == ["case", "sentence", "token", "start", "weight"]
    np.testing.assert_allclose(table.groupby("case")["weight"].sum(), 1, atol=1e-5)
    looked = table.groupby(["case", "sentence"], sort=False)["weight"].sum().unstack(fill_value=0.0)
    most = looked.loc[[str(n + 1) for n in range(len(texts))]].to_numpy().argmax(1)
    assert (most == keys).mean() >= 0.9
    fallen = judge.occlusion_table(texts[:40])
    at = fallen.groupby("case", sort=False)["fall"].idxmax()
    assert (fallen["sentence"][at].to_numpy() == keys[:40]).mean() >= 0.9
    assert fallen["token"][at].str.lower().isin([*COLOURS, "verdict"]).mean() > 0.9


def test_it_is_saved_and_answers_alike(judge: Classifier, tmp_path: Path) -> None:
    texts = [*letters(9, seed=3)[0], "no end mark", "A\nB\nC"]
    again = Classifier.load(judge.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.predict_proba(texts), judge.predict_proba(texts))
    pd.testing.assert_frame_equal(again.attention_table(texts), judge.attention_table(texts))


def test_very_long_sentences_and_texts(judge: Classifier) -> None:
    text = "stone " * 500
    table = judge.attention_table([text, "Short."])
    assert table[table["case"] == "1"]["sentence"].max() + 1 == -(-500 // LONGEST)
    assert table.groupby("case").size().tolist() == [500, 2]


def test_texts_without_it_have_no_sentences() -> None:
    texts, labels, _ = letters(20)
    model = Classifier(**TINY | {"hierarchy": False}).fit(texts, labels)
    assert list(model.attention_table(texts[:1]).columns) == ["case", "token", "start", "weight"]


# What is wrong is said


def test_who_may_not_ask_for_it() -> None:
    texts, labels, _ = letters(20)
    with pytest.raises(
        ConfigError, match="hierarchy=True reads the words of sentences, and these texts are read by ch"
    ):
        Classifier(**TINY, tokens="characters").fit(texts, labels)
    curves = np.random.default_rng(0).normal(size=(20, 12))
    with pytest.raises(ConfigError, match="hierarchy has no effect: these cases are no texts"):
        Classifier(hierarchy=True).fit(curves, [0, 1] * 10)


# The verbs


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *arguments: run_command(capsys, *arguments)


def test_train_report_and_compare(run: Run, tmp_path: Path) -> None:
    texts, labels, _ = letters(60, most=6)
    texts = [text.replace(". ", ".\n") for text in texts]  # a cell may hold several lines
    pd.DataFrame({"label": labels, "text": texts}).to_csv(tmp_path / "train.csv", index=False)
    folder, data = tmp_path / "run", tmp_path / "train.csv"
    done = run("train", data, "--task=classify", "--hierarchy", "--test-size=20", *FLAGS, f"--out={folder}")
    assert done.code == 0, done.err
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert '<span class="mark-name">sentences</span>' in page and "sentence by sentence" in page
    assert run("predict", folder, data, f"--out={tmp_path / 'answers.csv'}").code == 0
    assert run("evaluate", folder, data, "--json").code == 0
    done = run(
        "compare", data, "--task=classify", "--hierarchy", "--cells=gru,lstm", "--attentions=none,additive",
        "--seeds=1", "--test-size=20", *(flag for flag in FLAGS if "attention" not in flag),
        f"--out={tmp_path / 'compared'}",
    )  # fmt: skip
    assert done.code == 0, done.err

"""Texts that answer texts: toy languages that must be learned, the network against torch, and what people get wrong."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sacrebleu
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from recurra import Translator
from recurra.data.text import PADDING, UNKNOWN
from recurra.data.text.cutter import Cutter, usual_level
from recurra.errors import ConfigError, DataError
from recurra.settings import make_config
from recurra.tasks import kind_of
from recurra.tasks.base import Judged
from recurra.tasks.seq2seq.answers import Decoder, Together, ask_network
from recurra.tasks.seq2seq.examples import PairExamples
from recurra.tasks.seq2seq.learned import Seq2seqLearned
from recurra.tasks.seq2seq.network import Seq2seqNet
from recurra.tasks.seq2seq.pairs import Pairs
from recurra.tasks.seq2seq.report import answer_sections, proof_sections
from recurra.tasks.seq2seq.settings import PARTS, AnswerAsked, Seq2seqSettings
from recurra.tasks.seq2seq.task import Seq2seqTask

KIND = kind_of("seq2seq")
TOY: dict[str, Any] = {
    **{"level": "character", "hidden_size": 48, "dropout": 0.0, "input_dropout": 0.0, "smoothing": 0.0},
    **{"learning_rate": 0.01, "batch_size": 32, "epoch_steps": 60, "max_epochs": 30, "beam": 1, "feeding": False},
}
SMALL: dict[str, Any] = {"hidden_size": 12, "batch_size": 16, "epoch_steps": 4, "max_epochs": 2}
PHRASES = [(f"{who} {does} {what}.", f"{what} {does[::-1]} {who}!") for who in ("she", "he", "it", "Ann")
           for does in ("sees", "likes", "hears") for what in ("cats", "a dog", "them", "the sea, too")]  # fmt: skip


# Toy languages


def reverse(random: np.random.Generator) -> tuple[str, str]:
    word = "".join(random.choice(list("abcdefgh"), random.integers(1, 21)))
    return word, word[::-1]


def copy(random: np.random.Generator) -> tuple[str, str]:
    word = reverse(random)[0]
    return word, word


def in_order(random: np.random.Generator) -> tuple[str, str]:
    word = "".join(random.choice(list("abcdefgh"), random.integers(1, 11)))
    return word, "".join(sorted(word))


def addition(random: np.random.Generator) -> tuple[str, str]:
    one, other = random.integers(0, 100, 2)
    return f"{one}+{other}=", str(one + other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "count", "settings"),
    [
        (reverse, 2000, {}),
        (copy, 2000, {}),
        (in_order, 2000, {"cell": "lstm", "feeding": True, "max_epochs": 15}),
        (addition, 4000, {"cell": "lstm_gru"}),
    ],
)
def test_toy_languages_are_learned(language: Any, count: int, settings: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    train, test = ([language(random) for _ in range(n)] for n in (count, 200))
    seen = {source for source, _ in train}
    test = [pair for pair in test if pair[0] not in seen]
    translator = Translator(**TOY | settings).fit(train)
    said = translator.predict([source for source, _ in test])
    right = np.mean([one == target for one, (_, target) in zip(said, test, strict=True)])
    assert right > 0.95 and len(test) > 50


# The network


def made(pairs: list[tuple[str, str]], **settings: Any) -> tuple[Seq2seqNet, Seq2seqLearned, PairExamples]:
    config = make_config(PARTS, {"level": "word", "hidden_size": 6} | settings)
    data = Pairs(*(tuple(side) for side in zip(*pairs, strict=True)))
    learned = Seq2seqLearned.of(data, config.task)
    torch.manual_seed(0)
    network = Seq2seqNet.of(config, learned).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network, learned, PairExamples.of(data, learned)


class Plain(nn.Module):
    """The same network as people write it with torch: an LSTM in both directions, packed, and a loop of cells."""

    def __init__(self, own: Seq2seqNet, feeding: bool):
        super().__init__()
        weights = own.state_dict()
        width, hidden = own.embed.weight.shape[1], own.decoder.hidden_size
        self.weights, self.feeding = weights, feeding
        self.encoder = nn.LSTM(width, hidden, bidirectional=True, batch_first=True)
        for n, suffix in enumerate(("", "_reverse")):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                cell = own.recurrent.stack()[0][n].cell
                getattr(self.encoder, f"{name}_l0{suffix}").data.copy_(getattr(cell, name))
        self.cell = nn.LSTMCell(width + hidden * feeding, hidden)
        cell = own.decoder.cell
        wide = torch.cat([cell.weight_ih, own.decoder.feed.weight], 1) if feeding else cell.weight_ih
        for name, value in (("weight_ih", wide), ("weight_hh", cell.weight_hh), ("bias_ih", cell.bias_ih)):
            getattr(self.cell, name).data.copy_(value)
        self.cell.bias_hh.data.copy_(cell.bias_hh)

    def forward(self, read: Tensor, lengths: Tensor, previous: Tensor) -> Tensor:
        weights = self.weights
        packed = nn.utils.rnn.pack_padded_sequence(
            F.embedding(read, weights["embed.weight"]), lengths, batch_first=True, enforce_sorted=False
        )
        outputs, (h, c) = self.encoder(packed)
        states, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        last = torch.cat([h[0], c[0], h[1], c[1]], -1)
        h, c = torch.tanh(F.linear(last, weights["bridge.linear.weight"], weights["bridge.linear.bias"])).chunk(2, -1)
        allowed = torch.arange(states.shape[1]) < lengths[:, None]
        said = torch.zeros_like(h)
        found = []
        for step in range(previous.shape[1]):
            x = F.embedding(previous[:, step], weights["target_embed.weight"])
            h, c = self.cell(torch.cat([x, said], -1) if self.feeding else x, (h, c))
            mapped = F.linear(h, weights["decoder.attention.query.weight"])
            scores = torch.einsum("bk,btk->bt", mapped, states).masked_fill(~allowed, -torch.inf)
            context = torch.einsum("bt,btk->bk", scores.softmax(-1), states)
            said = torch.tanh(F.linear(torch.cat([context, h], -1), weights["decoder.combine.weight"]))
            found.append(F.linear(said, weights["target_embed.weight"], weights["head.bias"]))
        return torch.stack(found, 1)


@pytest.mark.parametrize("feeding", [True, False])
def test_the_network_is_the_one_that_people_write_with_torch(feeding: bool) -> None:
    network, _, examples = made(PHRASES, cell="lstm", attention="general", feeding=feeding)
    batch = examples.take(torch.tensor([0, 5, 11, 20]))
    assert batch.mask is not None and batch.targets is not None and not batch.mask.all()
    previous = network.previous(batch.targets)
    assert previous[:, 0].eq(network.start).all() and torch.equal(previous[:, 1:], batch.targets[:, :-1])
    with torch.no_grad():
        expected = Plain(network, feeding)(batch.inputs, batch.mask.sum(1), previous)
        torch.testing.assert_close(network(batch).prediction, expected, rtol=1e-4, atol=1e-5)


EVERY = ("none", "additive", "dot", "general", "scaled_dot", "multi_head", "local_m", "local_p", "location_aware",
         "coverage", "monotonic", "gaussian")  # fmt: skip


@pytest.mark.parametrize("feeding", [True, False])
@pytest.mark.parametrize("attention", EVERY)
def test_what_is_found_is_as_likely_as_when_it_is_given(attention: str, feeding: bool) -> None:
    """Step by step, in rows that come and go, against all steps at once: the logarithms and the looks are the same."""
    settings = {"attention": attention, "heads": 3, "window": 2}
    settings |= {"bidirectional": False} if attention in ("dot", "scaled_dot", "local_m") else {}
    settings |= {} if attention == "none" else {"feeding": feeding}
    network, learned, examples = made(PHRASES, **settings)
    config = make_config(PARTS, {"level": "word", "hidden_size": 6, "beam": 4, "length_penalty": 0.5} | settings)
    fitted: Any = type("Fitted", (), {"network": network, "learned": learned, "config": config})()
    some = examples.some(np.array([0, 7, 12, 30]))
    for n, answers in enumerate(ask_network(fitted, replace(some, said=None), AnswerAsked(best=3, copy_unknown=False))):
        assert len(answers) == 3
        for answer in answers:
            row = learned.target.encode(answer.units)
            batch = some.take(torch.tensor([n])).with_values("target", torch.from_numpy(row)[None])
            batch.streams["target"] = batch.streams["target"]._replace(mask=None)
            with torch.no_grad():
                output = network(batch)
            logs = output.prediction[0].double().log_softmax(-1)
            assert answer.logs == pytest.approx(float(logs[torch.arange(len(row)), row].sum()), abs=1e-3)
            if attention == "none":
                assert answer.looked is None and output.weights is None
            else:
                assert output.weights is not None and answer.looked is not None
                weights = output.weights[0].double().numpy()
                expected = weights.mean(0) if weights.ndim == 3 else weights
                np.testing.assert_allclose(answer.looked, expected[:, : answer.looked.shape[1]], atol=1e-5)


def test_neighbours_in_a_batch_change_nothing() -> None:
    network, _, examples = made(PHRASES)
    batch = examples.take(torch.arange(len(examples)))
    with torch.no_grad():
        whole = network(batch).prediction
        for place in (0, 13, 40):
            alone = network(examples.take(torch.tensor([place]))).prediction[0]
            torch.testing.assert_close(whole[place, : len(alone)], alone)


def test_sides_share_what_they_are_told_to_share() -> None:
    network, learned, _ = made(PHRASES, shared=True)
    assert learned.shared and network.embed is network.target_embed and network.head.weight is network.embed.weight
    network, learned, _ = made(PHRASES, tied=False)
    assert not learned.shared and network.head.weight is not network.target_embed.weight
    plain, arrays = made(PHRASES, shared=True)[1].to_plain()
    assert Seq2seqLearned.from_plain(plain, arrays).shared


# Training


def test_label_smoothing_is_its_formula() -> None:
    network, _, examples = made(PHRASES)
    batch = examples.take(torch.arange(6))
    assert batch.targets is not None and batch.target_mask is not None
    output = Seq2seqTask(smoothing=0.2).ask(network, batch)
    loss = Seq2seqTask(smoothing=0.2).loss(output, batch)
    logs = network(batch).prediction.log_softmax(-1)[batch.target_mask]
    right = logs[torch.arange(len(logs)), batch.targets[batch.target_mask]]
    expected = -(0.8 * right + 0.2 * logs.mean(-1)).sum()
    torch.testing.assert_close(loss.sum, expected)
    assert loss.count == int(batch.target_mask.sum()) == len(logs)
    with torch.no_grad():
        judged = Seq2seqTask(smoothing=0.2).loss(Seq2seqTask(smoothing=0.2).ask(network, batch), batch)
    torch.testing.assert_close(judged.sum, expected, msg="validation is smoothed, too")


def test_scheduled_sampling_reads_its_own_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    network, _, examples = made(PHRASES, dropout=0.0, input_dropout=0.0)
    network.train()
    batch = examples.take(torch.arange(8))
    read: list[Tensor] = []
    teach = Seq2seqNet.teach
    monkeypatch.setattr(Seq2seqNet, "teach", lambda *given: read.append(given[2]) or teach(*given))
    for share in (0.0, 0.5, 1.0):
        Seq2seqTask(sampling=share).ask(network, batch)
    assert batch.targets is not None
    right = network.previous(batch.targets)
    with torch.no_grad():
        guesses = F.pad(network(batch).prediction.argmax(-1)[:, :-1], (1, 0), value=network.start)
    assert torch.equal(read[0], right) and torch.equal(read[2], guesses)
    assert torch.where(read[1] == right, right, guesses).equal(read[1])
    assert not read[1].equal(right) and not read[1].equal(guesses)
    network.eval()
    Seq2seqTask(sampling=1.0).ask(network, batch)
    assert torch.equal(read[3], right), "validation reads what is right"


@given(
    lengths=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=60),
    size=st.integers(1, 20),
    seed=st.integers(0, 5),
)
def test_a_pass_holds_every_pair_once(lengths: list[tuple[int, int]], size: int, seed: int) -> None:
    pairs = Pairs(tuple("a" * one for one, _ in lengths), tuple("b" * other for _, other in lengths))
    learned = made([("a", "b")], level="character")[1]
    examples = PairExamples.of(pairs, learned)
    passes = math.ceil(len(examples) / size)
    batches = list(examples.order(size, 0, 2 * passes, torch.Generator().manual_seed(seed)))
    again = list(examples.order(size, 0, 2 * passes, torch.Generator().manual_seed(seed)))
    assert all(map(torch.equal, batches, again)) and len(batches) == 2 * passes
    for some in (batches[:passes], batches[passes:]):
        assert torch.cat(some).sort().values.tolist() == list(range(len(examples)))
        assert all(len(batch) for batch in some)


def test_batches_hold_about_equal_numbers_of_units() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(1, 60, 2000)
    pairs = Pairs(tuple("a" * n for n in lengths), tuple("b" * n for n in lengths))
    examples = PairExamples.of(pairs, made([("a", "b")], level="character")[1])
    batches = list(examples.order(50, 0, 40, torch.Generator().manual_seed(0)))
    units = [int(2 * lengths[batch].sum() + 2 * len(batch)) for batch in batches]
    assert max(units) < 1.3 * min(units) and max(map(len, batches)) > 5 * min(map(len, batches))
    padded = sum(2 * len(batch) * int(lengths[batch].max() + 1) for batch in batches)
    assert padded < 1.35 * sum(units)


def test_pairs_with_the_same_text_are_in_one_part() -> None:
    pairs = [(f"text {n % 40}", f"answer {n}") for n in range(200)]
    config = make_config(PARTS, {"level": "word"})
    data = KIND.read(pairs, config)
    plan = KIND.plan(data, config, 30)
    parts = [{data.sources[n] for n in part} for part in (plan.train, plan.valid, plan.test)]
    assert all(parts) and not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert sorted([*plan.train, *plan.valid, *plan.test]) == list(range(200)) and 30 <= plan.test_size < 40


@pytest.mark.parametrize(
    ("targets", "metric"),
    [
        (["we went home", "they stayed here"], "bleu"),
        (["2024-05-01", "May Day"], "exact"),
        (["天高云淡望", "地远山清听"], "bleu"),
        (["天高", "地远"], "exact"),
        (["とき", "かわ"], "exact"),
    ],
)
def test_short_answers_are_ranked_by_whether_they_are_right(targets: list[str], metric: str) -> None:
    pairs = [(f"text {n}", targets[n % 2]) for n in range(30)]
    config = make_config(PARTS, {"level": "character"})
    data = KIND.read(pairs, config)
    filled = KIND.fill(config, KIND.plan(data, config, 5))
    assert KIND.metrics(filled)[0].name == metric


# Units


TEXTS = [
    "He said: “don't!” – and left.",
    "我喜欢猫，不喜欢 dogs。",
    "a_b (c) 3.50 $5  x",
    "¿Qué? Él no.",
    "ひらがな and カタカナ!",
]


@pytest.mark.parametrize("level", ["character", "word", "subword"])
@pytest.mark.parametrize("text", TEXTS)
def test_texts_can_be_written_again(level: Any, text: str) -> None:
    cutter = Cutter.learned(TEXTS * 3, level, 200)
    assert cutter.join(cutter.cut(text)) == " ".join(text.split())


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Mn", "Me", "Mc", "Cf"], exclude_characters="▁")))
def test_any_text_can_be_written_again(text: str) -> None:
    for level in ("character", "word"):
        cutter = Cutter(level)  # type: ignore[arg-type]
        assert cutter.join(cutter.cut(text)) == " ".join(text.split())


def test_the_level_follows_from_the_texts() -> None:
    assert usual_level(["2/3/99", "4 May", "05.04.2001"]) == "character"
    assert usual_level(["我喜欢猫。", "他们去北京了。"]) == "character"
    assert usual_level(["They went to Peking.", "I like cats a lot."]) == "subword"


def test_dates_are_read_letter_by_letter_however_many_words_they_have() -> None:
    dates = [(f"{n % 27 + 1} May {1900 + n}", f"{1900 + n}-05-{n % 27 + 1:02}") for n in range(90)]
    phrases = [(f"Tell me what day it was, {source}, please.", target) for source, target in dates]
    chinese = [(source, f"第{'天地玄黄宇宙洪荒'[n % 8]}日") for n, (source, _) in enumerate(dates)]
    for pairs, level in ((dates, "character"), (phrases, "subword"), (chinese, "subword")):
        data = KIND.read(pairs, make_config(PARTS, {}))
        learned = Seq2seqLearned.of(data, Seq2seqSettings(vocabulary=100))
        assert (learned.source.cutter.level, learned.target.cutter.level) == (level, "character")


# For people


@pytest.fixture(scope="module")
def fitted() -> Translator:
    return Translator(**SMALL | {"level": "word"}).fit(PHRASES)


def test_lists_of_texts(fitted: Translator) -> None:
    sources, targets = (list(side) for side in zip(*PHRASES, strict=True))
    same = Translator(**SMALL | {"level": "word"}).fit(sources, targets)
    assert same.predict(sources) == fitted.predict(sources)
    assert fitted.predict(sources[3]) == fitted.predict([sources[3]])[0]
    best = fitted.n_best(sources[:2], 3)
    assert [len(some) for some in best] == [3, 3] and all(some[0][1] < 0 for some in best)
    with pytest.raises(DataError, match="48 sources and 47 targets"):
        Translator(**SMALL).fit(sources, targets[:-1])


def test_its_score_is_that_of_sacrebleu(fitted: Translator) -> None:
    sources, targets = (list(side) for side in zip(*PHRASES, strict=True))
    expected = sacrebleu.corpus_bleu(fitted.predict(sources), [targets]).score
    assert fitted.score(sources, targets) == pytest.approx(expected) == pytest.approx(fitted.score(PHRASES))


def test_where_it_looked(fitted: Translator) -> None:
    source, target = PHRASES[0]
    for table in (fitted.align(source), fitted.align(source, target)):
        assert [*table.columns] == ["▁she", "▁sees", "▁cats", ".", "⏎"]
        np.testing.assert_allclose(table.to_numpy().sum(1), 1.0, atol=1e-5)
    assert [*table.index] == ["▁cats", "▁sees"[:1] + "sees"[::-1], "▁she", "!", "⏎"]
    blind = Translator(**SMALL | {"level": "word", "attention": "none"}).fit(PHRASES)
    with pytest.raises(ConfigError, match="no attention, so it looks nowhere"):
        blind.align(source)


def test_its_report_shows_answers_once_and_names_every_unit(fitted: Translator) -> None:
    sources, targets = (list(side) for side in zip(*PHRASES, strict=True))
    texts = [*sources[:20], *sources[:20], "she sees " * 300]
    pairs = Pairs((*texts,), (*targets[:20], *targets[:20], "x"))
    exam = KIND.exam(pairs, fitted.fitted_.learned, None)
    answers = KIND.ask(fitted.fitted_, exam.examples)
    judged = Judged("model", exam, {"model": answers}, {"model": KIND.statistics(exam.truth, answers)}, {})
    best, looked, worst = answer_sections(fitted.fitted_, pairs, judged)
    assert best.table is not None and best.table.index.is_unique and len(best.table) == 8
    assert worst.table is not None and max(map(len, worst.table.index)) < 250 and set(worst.own) >= {"rows", "cells"}
    figures: Any = looked.figure
    assert len(figures) == 3 and len({figure.layout.title.text for figure in figures}) == 3
    for figure in figures:
        rows, columns = figure.data[0].z.shape
        assert len(figure.layout.yaxis.ticktext) == rows and len(figure.layout.xaxis.ticktext) == columns < 20
        assert figure.layout.meta["least"] > 18 * columns and not figure.data[0].showscale


def test_its_report_says_how_good_answers_to_long_texts_are(fitted: Translator) -> None:
    pairs = Pairs(tuple("she " * (1 + n % 7) for n in range(70)), tuple("she" if n % 7 else "he" for n in range(70)))
    exam = KIND.exam(pairs, fitted.fitted_.learned, None)
    answers = ["she"] * 70
    config = replace(fitted.fitted_.config, task=replace(fitted.fitted_.config.task, rank="exact"))
    judged = Judged("model", exam, {"model": answers}, {"model": KIND.statistics(exam.truth, answers)}, {})
    (section,) = proof_sections(replace(fitted.fitted_, config=config), judged)
    assert section.table is not None and list(section.table.index) == ["1", "2", "3–4", "5", "6–7"]
    assert list(section.table["texts"]) == [10, 10, 20, 10, 20] and "(% exact)" in section.text
    assert list(section.table["model"]) == [0, 100, 100, 100, 100]


def test_several_decide_together(fitted: Translator) -> None:
    other = Translator(**SMALL | {"level": "word", "seed": 1}).fit(PHRASES)
    networks = [one.network_ for one in (fitted, other)]
    examples = KIND.encode(KIND.read(PHRASES, make_config(PARTS, {})), fitted.fitted_.learned)
    batch = examples.take(torch.arange(3))
    start = torch.full((3,), fitted.fitted_.learned.target.end)
    with torch.no_grad():
        alone = [Decoder(one, batch).say(start)[0].softmax(-1) for one in networks]  # type: ignore[arg-type]
        both = Together([Decoder(one, batch) for one in networks]).say(start)[0].softmax(-1)  # type: ignore[arg-type]
    torch.testing.assert_close(both, (alone[0] + alone[1]) / 2)
    texts = [source for source, _ in PHRASES]
    assert fitted.predict(texts, together=[fitted]) == fitted.predict(texts)
    stranger = Translator(**SMALL | {"level": "character"}).fit(PHRASES)
    with pytest.raises(ConfigError, match="trained on the same data with the same units"):
        fitted.predict(texts, together=[stranger])


def test_a_unit_that_is_not_known_is_copied() -> None:
    letters = "abcdefghijklm"
    names = [f"{one.upper()}{two}{three}o" for one in letters for two in "aeiou" for three in letters[:3]]
    pairs = [(f"{name} {verb}", f"{verb} {name}") for name in names for verb in ("sings", "reads")]
    settings = TOY | {"level": "word", "min_count": 3, "max_epochs": 12}
    translator = Translator(**settings).fit(pairs)
    learned = translator.fitted_.learned
    assert learned.target.encode(["▁Aaao"])[0] == UNKNOWN
    assert translator.predict(["Zoe sings", "Kim reads"]) == ["sings Zoe", "reads Kim"]
    assert translator.predict(["Zoe sings"], copy_unknown=False) == ["sings<unk>"]


def test_a_saved_one_answers_the_same(fitted: Translator, tmp_path: Path) -> None:
    texts = [source for source, _ in PHRASES]
    again = Translator.load(fitted.save(tmp_path / "run"))
    assert again.predict(texts) == fitted.predict(texts)


# What people get wrong


def test_answers_are_not_read_as_texts() -> None:
    random = np.random.default_rng(0)
    pairs = [(f"the {a} of {b}", f"{b}之{a}。") for a, b in random.integers(0, 99, (100, 2))]
    translator = Translator(**SMALL).fit(pairs)
    with pytest.raises(DataError, match="like the answers that this model writes"):
        translator.predict([answer for _, answer in pairs])
    assert translator.predict([source for source, _ in pairs[:20]])


def test_pairs_that_are_too_long_do_not_train() -> None:
    long = ("word " * 300, "short")
    with pytest.warns(UserWarning, match=r"1 pair with more than 200 units do"):
        translator = Translator(**SMALL | {"level": "word"}).fit([*PHRASES, *[long]])
    assert translator.predict(["she " * 10_000]), "but they are answered"
    with pytest.raises(ConfigError, match="give a larger longest="):
        Translator(**SMALL | {"level": "word", "longest": 1}).fit(PHRASES)


def test_an_answer_to_an_endless_text_ends(fitted: Translator) -> None:
    """A network that never says the end would go on for twice the units of a text, at each of which it looks."""
    learned = fitted.fitted_.learned
    assert learned.most(4) == math.ceil(8 * learned.ratio) + 20 and learned.most(10_000) == 1_000
    assert replace(learned, longest=700).most(10_000) == 3_500


def test_a_wide_beam_answers_fewer_texts_at_a_time(fitted: Translator, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    say = Decoder.say
    monkeypatch.setattr(Decoder, "say", lambda self, units: rows.append(len(units)) or say(self, units))
    assert len(fitted.n_best([source for source, _ in PHRASES], 40)[47]) == 40
    assert 40 <= max(rows) <= 1_000 < 40 * len(PHRASES)


def test_units_that_are_not_known_are_told(fitted: Translator) -> None:
    with pytest.warns(UserWarning, match="units of these texts are not known"):
        fitted.predict(["xyzzy plugh she"])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("one", "two")], "There is 1 pair"),
        ([("one", "two")] * 30, "All pairs have the same text"),
        (["one", "two"], "without what is to be written"),
        (([], []), "There (is|are) no"),
        ([("", ""), ("", "x")], "There is no pair"),
    ],
)
def test_data_that_teach_nothing(pairs: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Translator(**SMALL).fit(pairs)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "reservoir"}, "writes no text"),
        ({"attention": "none", "feeding": False}, "sees nothing that it could be fed with"),
        ({"shared": True, "target_level": "word"}, "both sides have the same units"),
        ({"validation_size": 100}, "none would be left"),
        ({"attention": "dot"}, "needs query and key of equal width"),
        ({"beam": 0}, "beam must be at least 1"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Translator(**{} if settings.get("cell") == "reservoir" else SMALL, **settings).fit(PHRASES)


def test_padding_is_never_said(fitted: Translator) -> None:
    with torch.no_grad():
        fitted.network_.head.bias[PADDING] = 50.0
    try:
        assert all("<unk>" not in text for text in fitted.predict([source for source, _ in PHRASES]))
    finally:
        with torch.no_grad():
            fitted.network_.head.bias[PADDING] = 0.0


def test_its_defaults_say_what_they_are() -> None:
    assert Seq2seqSettings().level is None and Translator().attention == "additive"

"""Language models: units by hand, n-grams beside a dictionary, the network beside torch, and what it writes."""

import itertools
import json
from collections import Counter, defaultdict
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import prune

from commands import Run, run_command
from recurra import LanguageModel
from recurra.data.batch import Batch
from recurra.data.text.learned_pieces import learn_pieces
from recurra.data.text.units import LINE, units_of, written
from recurra.errors import ConfigError, DataError
from recurra.nn.models import Output
from recurra.settings import make_config, make_part
from recurra.tasks.base import Fitted
from recurra.tasks.language.adapting import ask_adapting
from recurra.tasks.language.adaptive import Adaptive
from recurra.tasks.language.answers import Truth, ask_network, in_order, statistics_of
from recurra.tasks.language.examples import Chunks
from recurra.tasks.language.kind import KIND
from recurra.tasks.language.learned import LanguageLearned
from recurra.tasks.language.looking import Boom
from recurra.tasks.language.metrics import BITS, NATS, PERPLEXITY
from recurra.tasks.language.network import LanguageNet
from recurra.tasks.language.ngrams import NGrams
from recurra.tasks.language.plan import make_plan
from recurra.tasks.language.report import how_far, looked_sections
from recurra.tasks.language.settings import PARTS, AdaptAsked, LanguageSettings, WritingAsked
from recurra.tasks.language.source import Book, book_of
from recurra.tasks.language.task import LanguageTask
from recurra.tasks.language.writing import Reading, Sampling, write
from recurra.tasks.pages import held
from recurra.tasks.session import Session
from recurra.verbs.evaluate import evaluate

TINY: dict[str, Any] = {"hidden_size": 12, "max_epochs": 1, "epoch_steps": 4, "batch_size": 4, "steps": 8}
RHYME = "the cat sat on the mat\nthe dog sat on the log\n" * 30


def fitted_on(text: str, **settings: Any) -> Fitted:
    return LanguageModel(**(TINY | settings)).fit(text).fitted_


# ------------------------------------------------------------------------------------------------ units and parts


def text_of_units(units: list[str], level: str) -> str:
    return "".join(written(units, level))


def test_units_of_every_level() -> None:
    text = "Ab  c,\n\n d\n"
    assert units_of(text, "character") == list(text)
    assert units_of(text, "word") == ["Ab", "c,", LINE, LINE, "d", LINE]
    assert text_of_units(units_of(text, "character"), "character") == text
    assert text_of_units(units_of(text, "word"), "word") == "Ab c,\n\nd\n", "white space is one blank"
    model = learn_pieces(["the cat sat on the mat"] * 3, 30)
    pieces = units_of("the cat\nsat", "subword", model)
    assert LINE in pieces and len(pieces) > 3 and text_of_units(pieces, "subword") == "the cat\nsat"


def test_a_text_is_found_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes("\ufeffzwei\r\ndrei".encode())
    (tmp_path / "a.txt").write_text("eins\n")
    (tmp_path / "table.csv.gz").write_bytes(b"text,label")
    assert book_of(tmp_path / "b.txt").text == "zwei\ndrei"
    whole = book_of(str(tmp_path))
    assert whole.text == "eins\nzwei\ndrei\n" and "2 file(s)" in whole.notes[0]
    assert book_of(["eins", "zwei\n"]).text == "eins\nzwei\n"
    assert book_of("eins zwei drei").text == "eins zwei drei"
    assert book_of("eins\nzwei\ndrei\n", most=2).text == "eins\nzwei\n"
    for wrong, message in (
        ("there_is_none.txt", "There is no file"),
        (3, "this is int"),
        (" \n ", "only white space"),
        (tmp_path / "none", "There is no file"),
        (tmp_path / "table.csv.gz", "is a table"),
    ):
        with pytest.raises(DataError, match=message):
            book_of(wrong)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no text file in the folder"):
        book_of(tmp_path / "empty")


def test_a_text_is_cut_in_its_order() -> None:
    book = Book("x" * 10_000)
    plan = make_plan(book, LanguageSettings(), None)
    assert (plan.train, plan.valid, plan.test) == ((0, 8500), (8500, 9000), (9000, 10_000))
    plan = make_plan(book, LanguageSettings(validation_size=100), 50)
    assert (plan.train[1], plan.valid[1], plan.test_size) == (9850, 9950, 50)
    words = Book("some words in a line\n" * 500)
    plan = make_plan(words, LanguageSettings(level="word"), None)
    for first, _ in (plan.valid, plan.test):
        assert words.text[first - 1] == LINE, "a word stays whole"
    with pytest.raises(ConfigError, match="would be left to learn from"):
        make_plan(book, LanguageSettings(), 9_900)
    with pytest.raises(DataError, match="has only 150 characters"):
        make_plan(Book("x" * 150), LanguageSettings(), None)


@pytest.mark.parametrize(("length", "steps", "size"), [(100, 7, 4), (5, 8, 3), (64, 8, 8), (1, 1, 1), (37, 5, 2)])
def test_readers_read_every_unit_once_and_go_on(length: int, steps: int, size: int) -> None:
    chunks = Chunks(tuple("x" * length), torch.arange(length + 1), steps)
    count = -(-len(chunks) // size)
    order = list(chunks.order(size, 0, count, torch.Generator()))
    seen = torch.cat([chunks.take(numbers)["target"][chunks.take(numbers).mask] for numbers in order])
    assert sorted(seen.tolist()) == list(range(1, length + 1))
    for before, after in itertools.pairwise(order):
        assert torch.equal(after, before + 1), "each goes on where it was"
    batch = chunks.take(order[0])
    assert torch.equal((batch.inputs + 1)[batch.mask], batch["target"][batch.mask])
    again = next(chunks.order(size, count, 1, torch.Generator()))
    assert torch.equal(again, order[0].roll(-1)), "and then into what the next one had"


# -------------------------------------------------------------------------------------------------------- n-grams


def kneser_ney(units: list[int], order: int, size: int) -> Any:
    """Interpolated modified Kneser-Ney as the paper has it, by dictionaries."""
    counts: list[Counter[tuple[int, ...]]] = []
    for n in range(1, order + 1):
        grams = [tuple(units[at : at + n]) for at in range(len(units) - n + 1)]
        if n == order:
            counts.append(Counter(grams))
        else:
            longer = {tuple(units[at : at + n + 1]) for at in range(len(units) - n)}
            counts.append(Counter(gram[1:] for gram in longer))
    discounts = []
    for table in counts:
        n1, n2, n3, n4 = (sum(value == k for value in table.values()) for k in (1, 2, 3, 4))
        if not (n1 and n2 and n3):
            discounts.append((0.5, 0.75, 0.9))
            continue
        y = n1 / (n1 + 2 * n2)
        found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        discounts.append(tuple(min(max(d, 0.05), k - 0.05) for k, d in enumerate(found, 1)))
    follows: list[dict[tuple[int, ...], dict[int, int]]] = []
    for table in counts:
        by_context: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for gram, count in table.items():
            by_context[gram[:-1]][gram[-1]] = count
        follows.append(by_context)

    def p(context: tuple[int, ...], unit: int) -> float:
        n = len(context)
        shorter = 1 / size if n == 0 else p(context[1:], unit)
        after = follows[n].get(context)
        if not after:
            return shorter
        total = sum(after.values())
        taken = sum(discounts[n][min(count, 3) - 1] for count in after.values())
        own = after.get(unit, 0)
        less = own - discounts[n][min(own, 3) - 1] if own else 0.0
        return less / total + taken / total * shorter

    return p


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [12, 3000])
def test_n_grams_beside_a_dictionary(order: int, length: int) -> None:
    random = np.random.default_rng(order)
    units = (random.geometric(0.3, length) % 9).astype(np.int64)
    unseen = (random.geometric(0.3, 200) % 10).astype(np.int64)  # with a unit that was never there
    p = kneser_ney(units.tolist(), order, 10)
    expected = [p(tuple(unseen[max(0, at - order + 1) : at].tolist()), int(unseen[at])) for at in range(200)]
    grams = NGrams(units, order, 10)
    np.testing.assert_allclose(grams.probabilities(unseen), expected, rtol=1e-9)
    for context in ([], [1], [9, 1], [0, 1, 2, 0]):  # after whatever stands before, all units together have 1
        every = [grams.probabilities(np.array([*context, unit]))[-1] for unit in range(10)]
        assert sum(every) == pytest.approx(1.0)


# ---------------------------------------------------------------------------------------------------- the network


class Plain(nn.Module):
    """A language model as one writes it with torch: one LSTM, its vectors tied."""

    def __init__(self, size: int, hidden: int):
        super().__init__()
        self.embed = nn.Embedding(size, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.lstm(self.embed(x))[0], self.embed.weight, self.bias)


def network_of(**settings: Any) -> LanguageNet:
    return LanguageNet.of(make_config(PARTS, {"hidden_size": 6, "dropout": 0.0} | settings), 9)


def test_the_network_beside_torch() -> None:
    torch.manual_seed(0)
    ours, theirs, x = network_of(), Plain(9, 6), torch.randint(9, (3, 11))
    cell = ours.recurrent.cells()[0]
    with torch.no_grad():
        theirs.embed.weight.copy_(ours.embed)
        theirs.bias.copy_(ours.bias.normal_())
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(theirs.lstm, f"{name}_l0").copy_(getattr(cell, name))
    expected = theirs(x)
    torch.testing.assert_close(ours(Batch(x)).prediction, expected)
    first = ours(Batch(x[:, :4]))
    second = ours(Batch(x[:, 4:], carried=first.carried))
    torch.testing.assert_close(torch.cat([first.prediction, second.prediction], 1), expected)
    (own,) = torch.autograd.grad(ours(Batch(x)).prediction.square().sum(), ours.embed)
    (like,) = torch.autograd.grad(theirs(x).square().sum(), theirs.embed.weight)
    torch.testing.assert_close(own, like, rtol=1e-4, atol=1e-5)


def test_tied_or_not_and_of_other_widths() -> None:
    assert network_of().weight is None and network_of().narrow is None
    narrow = network_of(embedding_size=4)
    assert narrow.narrow is not None and narrow.narrow.weight.shape == (4, 6)
    untied = network_of(embedding_size=4, tied=False)
    assert untied.weight is not None and untied.weight.shape == (9, 6) and untied.narrow is None
    for network in (narrow, untied, network_of(cell=("lstm", "gru"))):
        assert network(Batch(torch.zeros(2, 5, dtype=torch.int64))).prediction.shape == (2, 5, 9)


def test_vectors_are_dropped_in_training_alone() -> None:
    torch.manual_seed(0)
    network = network_of(embedding_dropout=0.5, hidden_size=60).train()
    x = torch.arange(9).repeat(2, 1)
    read = network.read(x)
    gone = (read == 0).all(-1)
    assert torch.equal(gone[0], gone[1]) and 0 < int(gone[0].sum()) < 9, "a unit is dropped wherever it stands"
    kept = ~gone[0]
    torch.testing.assert_close(read[0, kept], 2 * network.embed[kept])
    assert torch.equal(network.eval().read(x)[0], network.embed)
    network = network_of(input_dropout=0.5, hidden_size=60).train()
    gone = network.read(x) == 0
    assert torch.equal(gone[:, 0], gone[:, 5]) and 0.2 < float(gone.float().mean()) < 0.8, "the same at every step"


def test_the_loss_and_its_penalties() -> None:
    torch.manual_seed(0)
    network = network_of()
    x, mask = torch.randint(9, (2, 5)), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    batch = Batch(x, torch.randint(9, (2, 5)), mask, mask)
    output: Output = network(batch, judge=True)
    logs = network(batch).prediction.log_softmax(-1).gather(-1, batch["target"].unsqueeze(-1))[..., 0]
    plain = LanguageTask().loss(output, batch)
    assert float(plain.count) == 8
    torch.testing.assert_close(plain.mean, -logs[mask].mean())
    assert output.recurrence is not None
    h = output.recurrence.outputs
    more = 2.0 * h.square().mean() + 3.0 * (h[:, 1:] - h[:, :-1]).square().mean()
    task = LanguageTask(2.0, 3.0)
    torch.testing.assert_close(task.loss(output, batch).mean, plain.mean + more)
    with torch.no_grad():
        torch.testing.assert_close(task.loss(network(batch, judge=True), batch).mean, plain.mean.detach())


def test_a_text_is_judged_as_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = fitted_on(RHYME)
    examples = KIND.encode(Book(RHYME[:200]), fitted.learned)
    with torch.no_grad():
        scores = fitted.network(Batch(examples.numbers[None, :-1])).prediction[0]
    expected = -scores.double().log_softmax(-1).gather(-1, examples.numbers[1:, None])[:, 0]
    np.testing.assert_allclose(ask_network(fitted, examples), expected, rtol=1e-4)
    assert len(next(in_order(examples))) == 1, "a short text has one reader"
    monkeypatch.setattr("recurra.tasks.language.answers.EACH", 10)
    several = ask_network(fitted, examples)
    assert len(next(in_order(examples))) == 16 and np.isfinite(several).all() and len(several) == 200


def test_metrics_by_hand() -> None:
    units = ("ab", "c", LINE, "d")
    truth = Truth(units, np.ones(4, dtype=bool), "word")
    statistics = statistics_of(truth, np.array([1.0, 2.0, 3.0, 4.0]))
    assert statistics["characters"].tolist() == [2 + 2 + 1 + 1], "with the blank between words"
    assert NATS.of(statistics) == 2.5 and PERPLEXITY.of(statistics) == pytest.approx(exp(2.5))
    assert BITS.of(statistics) == pytest.approx(10 / 6 / log(2))


def brackets(count: int, seed: int) -> str:
    """Nested brackets of two kinds: one opens with probability 0.45, else the last one closes; lines end at depth 0."""
    random, said = np.random.default_rng(seed), ""
    while len(said) < count:
        depth = "x"
        while depth:
            depth = depth.removeprefix("x")
            if not depth or random.random() < 0.45:
                depth += "(["[int(random.random() < 0.5)]
                said += depth[-1]
            else:
                said += {"(": ")", "[": "]"}[depth[-1]]
                depth = depth[:-1]
        said += "\n"
    return said


def entropy_of(text: str) -> float:
    """The nats of each character by the rule that made it."""
    nats, depth = 0.0, 0
    for sign in text:
        if sign in "([":
            nats -= log(0.5) if depth == 0 else log(0.45 * 0.5)
            depth += 1
        elif sign != "\n":
            nats -= log(0.55)
            depth -= 1
    return nats / len(text)


@pytest.mark.slow
def test_nested_brackets_are_learned_to_their_entropy() -> None:
    """Which bracket closes is what stands far back: n-grams cannot know it where it is deep."""
    text, unseen = brackets(150_000, 0), brackets(8_000, 1)
    how = {"hidden_size": 48, "steps": 40, "batch_size": 16, "dropout": 0.0, "learning_rate": 5e-3}
    model = LanguageModel(**how, max_epochs=24, epoch_steps=100, patience=24).fit(text)
    entropy, found = entropy_of(unseen), -model.score(unseen)
    assert entropy < found < 1.06 * entropy
    units = KIND.encode(Book(text), model.fitted_.learned).numbers.numpy()
    grams = NGrams(units, 6, model.fitted_.learned.size)
    by_grams = -np.log(grams.probabilities(KIND.encode(Book(unseen), model.fitted_.learned).numbers.numpy())[1:])
    assert found < 0.95 * by_grams.mean()
    said = model.generate(length=400, temperature=0.5)
    opened = [line for line in said.split("\n")[:-1] if line]
    assert sum(map(balanced, opened)) > 0.8 * len(opened) > 2


def balanced(line: str) -> bool:
    depth = []
    for sign in line:
        if sign in "([":
            depth.append(sign)
        elif not depth or depth.pop() != {")": "(", "]": "["}[sign]:
            return False
    return not depth


# -------------------------------------------------------------------------------------------------- looking back

LOOKING = ["dot", "additive", "key_value", "cosine", "multi_head"]


def looking(name: str, lookback: int = 5, **settings: Any) -> LanguageNet:
    torch.manual_seed(0)
    network = network_of(attention=name, lookback=lookback, **settings).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, dtype=torch.float64))
    return network


def test_looking_back_by_loops() -> None:
    network, x = looking("scaled_dot", lookback=3).requires_grad_(False), torch.randint(9, (2, 7))
    look = network.look
    assert look is not None
    output = network(Batch(x))
    h = network.recurrent(network.read(x)).outputs
    assert output.weights is not None and output.weights.shape == (2, 7, 7)
    for b, t in itertools.product(range(2), range(7)):
        before = range(max(0, t - 3), t)
        query, keys = look.query_norm(h[b, t]), [look.norm(h[b, j]) for j in before]
        shares = torch.tensor([float(query @ key) / 6**0.5 for key in keys], dtype=torch.float64).softmax(0)
        seen = sum((share * key for share, key in zip(shares, keys, strict=True)), torch.zeros(6, dtype=torch.float64))
        expected = network.scores(h[b, t] + look.out.weight @ seen)
        torch.testing.assert_close(output.prediction[b, t], expected)
        weights = torch.zeros(7, dtype=torch.float64)
        weights[list(before)] = shares
        torch.testing.assert_close(output.weights[b, t], weights)


@pytest.mark.parametrize("name", ["scaled_dot", "scaled_general", "linear", "normed_additive", *LOOKING])
def test_a_text_in_chunks_is_as_all_at_once(name: str) -> None:
    settings = {"heads": 2} if name == "multi_head" else {}
    network, x = looking(name, **settings), torch.randint(9, (2, 23))
    whole = network(Batch(x)).prediction
    for cuts in ((4, 9, 17), (1, 2, 3, 4, 20)):
        carried: tuple[Tensor, ...] = ()
        found = []
        for part in x.tensor_split(cuts, 1):
            output = network(Batch(part, carried=carried))
            found.append(output.prediction)
            carried = output.carried
            assert carried[-2].shape[1] <= 5
        torch.testing.assert_close(torch.cat(found, 1), whole)


@pytest.mark.parametrize("name", LOOKING)
def test_nothing_comes_from_the_future(name: str) -> None:
    settings = {"heads": 2} if name == "multi_head" else {}
    network, x = looking(name, boom=20, **settings), torch.randint(9, (1, 16))
    first = network(Batch(x)).prediction
    for at in (3, 9, 15):
        other = x.clone()
        other[0, at] = (x[0, at] + 1) % 9
        changed = network(Batch(other)).prediction
        assert torch.equal(changed[:, :at], first[:, :at]) and not torch.equal(changed[:, at:], first[:, at:])


def test_what_is_not_real_is_not_looked_at() -> None:
    network, x, later = looking("general", lookback=20), torch.randint(9, (2, 6)), torch.randint(9, (2, 5))
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    padded = network(Batch(later, carried=network(Batch(x, mask=mask)).carried))
    alone = network(Batch(later[1:], carried=network(Batch(x[1:, :4])).carried))
    assert padded.weights is not None and alone.weights is not None
    torch.testing.assert_close(padded.prediction[1], alone.prediction[0])
    assert (padded.weights[1, :, 4:6] == 0).all() and (padded.weights[1, 0, :4] > 0).all()


def test_the_wide_layer_by_hand() -> None:
    torch.manual_seed(0)
    boom, h = Boom(4, 10), torch.randn(3, 4)
    wide = F.gelu(boom.wide(F.layer_norm(h, (4,))))
    folded = torch.stack([wide[:, n] + wide[:, n + 4] + (wide[:, n + 8] if n < 2 else 0) for n in range(4)], -1)
    torch.testing.assert_close(boom(h), h + folded)


def test_how_far_it_looks_back_if_not_told() -> None:
    assert fitted_on(RHYME).config.task.lookback is None
    fitted = fitted_on(RHYME, attention="additive")
    assert fitted.config.task.lookback == 16 and fitted.network.look is not None
    assert fitted.network.look.reach == 16


def test_a_training_that_looks_back_goes_on_as_if_never_stopped() -> None:
    settings = TINY | {"attention": "scaled_dot", "boom": 24, "max_epochs": 4}
    once = LanguageModel(**settings).fit(RHYME).fitted_
    config = LanguageModel(**settings)._config()
    prepared = KIND.prepare(book_of(RHYME), config)
    first = Session(prepared)
    for epoch in first.epochs():
        if epoch.number == 2:
            break
    weights = {name: value.clone() for name, value in first.fitted.network.state_dict().items()}
    second = Session(prepared, first.progress, weights)
    assert [epoch.number for epoch in second.epochs()] == [3, 4]
    for name, value in once.network.state_dict().items():
        torch.testing.assert_close(second.fitted.network.state_dict()[name], value, msg=name)


def pairs_of(count: int, seed: int) -> str:
    """Lines with three marks and a digit behind each, then the same ones in another order."""
    random, said = np.random.default_rng(seed), ""
    for _ in range(count):
        held = dict(zip("ABC", random.choice(list("0123456789"), 3), strict=True))
        again = {mark: held[mark] for mark in random.permutation(list("ABC"))}
        said += "".join(mark + digit for one in (held, again) for mark, digit in one.items()) + "\n"
    return said


@pytest.mark.slow
def test_looking_back_finds_what_stood_behind_a_mark() -> None:
    text, unseen = pairs_of(4000, 0), pairs_of(300, 1)
    how = {"hidden_size": 32, "steps": 26, "batch_size": 16, "dropout": 0.0, "learning_rate": 1e-2, "max_epochs": 15}
    without, looking = (
        LanguageModel(**how, epoch_steps=100, patience=15, attention=name).fit(text) for name in ("none", "scaled_dot")
    )
    blind, floor = (6 * log(10) + log(6)) / 13, (3 * log(10) + log(6)) / 13
    assert floor < -looking.score(unseen) < 0.92 * -without.score(unseen) < blind


def test_how_far_looks_went() -> None:
    weights = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0.0]])
    assert how_far(weights) == (pytest.approx((1 + 0.5 * 2 + 0.5 + 1) / 3), 1)
    (section,) = looked_sections(list("abcd"), "character", weights)
    assert section.text.startswith("Every unit looks at units before it") and "1.2 units back" in section.text
    assert section.marked[-1].lines[0].pieces == [("a", 0.0), ("b", 0.0), ("c", 1.0)]


def test_a_report_says_where_it_looked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(RHYME)
    for looks in (["--attention=multi_head", "--heads=2"], ["--attention=dot"]):
        out = tmp_path / looks[0]
        flags = [*FLAGS, *looks, "--boom=24", "--steps=80", "--lookback=40", f"--out={out}"]
        assert run("train", tmp_path / "book.txt", "--task=language", *flags).code == 0
        page = (out / "report.html").read_text(encoding="utf-8")
        assert "Where it looked back" in page and "looked at" in page
        assert run("generate", out, "--length=5").code == 0


# ------------------------------------------------------------------------------------- adapting to what is read


def states_of(fitted: Fitted, text: str) -> tuple[Tensor, Tensor, np.ndarray]:
    """Return the states, what follows them, and −log of its probability, of a text read in one go."""
    numbers = KIND.encode(Book(text), fitted.learned).numbers
    network: Any = fitted.network
    with torch.no_grad():
        states = network.hear(Batch(numbers[None, :-1])).states
        return states[0].double(), numbers[1:], network.nats(states, numbers[None, 1:])[0].double().numpy()


@pytest.mark.parametrize("settings", [{}, {"attention": "dot"}, {"adaptive": True}, {"level": "word"}])
def test_a_cache_by_loops(settings: dict[str, Any]) -> None:
    fitted, text = fitted_on(RHYME, **settings), RHYME[:160]
    states, following, plain = states_of(fitted, text)
    asked = make_part(AdaptAsked, {"cache": 11, "cache_sharpness": 0.7, "cache_share": 0.3})
    expected = []
    for t in range(len(following)):
        before = range(max(0, t - 11), t)
        scores = [exp(0.7 * float(states[t] @ states[i])) for i in before]
        hit = sum(score for score, i in zip(scores, before, strict=True) if following[i] == following[t])
        p = exp(-plain[t])
        expected.append(-log(0.7 * p + 0.3 * hit / sum(scores)) if scores else plain[t])
    examples = KIND.encode(Book(text), fitted.learned)
    np.testing.assert_allclose(ask_adapting(fitted, examples, asked), expected, rtol=1e-4)
    nothing = make_part(AdaptAsked, {"cache": 11, "cache_share": 0})
    np.testing.assert_allclose(ask_adapting(fitted, examples, nothing), plain, rtol=1e-4)


def test_weights_that_run_away_are_of_no_use_and_no_error() -> None:
    model = LanguageModel(**TINY, clip_norm=0.0).fit(RHYME)
    assert model.perplexity(RHYME[:80], dynamic=1000) > 100
    with pytest.raises(ConfigError, match="dynamic must be at most"):
        model.perplexity(RHYME, dynamic=1e9)


def test_dynamic_evaluation_by_hand() -> None:
    fitted, text = fitted_on(RHYME, clip_norm=0.0), RHYME[:20]  # three chunks, the last one short
    before = {name: value.clone() for name, value in fitted.network.state_dict().items()}
    asked = make_part(AdaptAsked, {"dynamic": 0.5, "dynamic_decay": 0.1})
    found = ask_adapting(fitted, KIND.encode(Book(text), fitted.learned), asked)
    for name, value in fitted.network.state_dict().items():
        assert torch.equal(value, before[name]), "the weights of the run stay"
    network: Any = LanguageNet.of(fitted.config, fitted.learned.size).eval()
    network.load_state_dict(before)
    numbers = KIND.encode(Book(text), fitted.learned).numbers
    carried: tuple[Tensor, ...] = ()
    expected = []
    for x, y in zip(numbers[:-1].split(8), numbers[1:].split(8), strict=True):
        output = network(Batch(x[None], y[None], carried=carried), judge=True)
        expected.append(output.prediction[0].detach())
        network.zero_grad()
        output.prediction.mean().backward()
        with torch.no_grad():
            for name, weight in network.named_parameters():
                weight.add_(0.1 * (before[name] - weight) - 0.5 * weight.grad)
        carried = tuple(part.detach() for part in output.carried)
    np.testing.assert_allclose(found, torch.cat(expected), rtol=1e-4)
    with torch.no_grad():
        plain = ask_network(fitted, KIND.encode(Book(text), fitted.learned))
    np.testing.assert_allclose(found[:8], plain[:8], rtol=1e-4)
    assert not np.allclose(found[8:], plain[8:], rtol=1e-3)


def test_nothing_adapts_to_what_comes_later() -> None:
    fitted = fitted_on(RHYME, attention="scaled_dot")
    asked = make_part(AdaptAsked, {"cache": 50, "dynamic": 0.2})
    one, two = (
        ask_adapting(fitted, KIND.encode(Book(text), fitted.learned), asked)
        for text in (RHYME[:120], RHYME[:90] + RHYME[:30])
    )
    np.testing.assert_array_equal(one[:90], two[:90])


def test_what_is_like_the_text_before_is_less_of_a_surprise() -> None:
    model = LanguageModel(**(TINY | {"max_epochs": 8}), level="word").fit(RHYME)
    new = "the dog sat on the cat\nthe log sat on the cat\n" * 20
    plain = model.perplexity(new)
    assert model.perplexity(new, cache=100, cache_share=0.5) < 0.9 * plain
    assert model.perplexity(new, dynamic=1.0) < 0.9 * plain
    assert model.perplexity(new) == plain
    assert model.predict(new, cache=100)["bits"].iloc[0] == pytest.approx(model.predict(new)["bits"].iloc[0], rel=1e-4)


def test_adapting_is_said_wherever_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    book, out = tmp_path / "book.txt", tmp_path / "run"
    book.write_text(RHYME)
    assert run("train", book, "--task=language", *FLAGS, f"--out={out}").code == 0
    metrics = json.loads(run("evaluate", out, "--cache=20", "--dynamic=0.1", "--json").out)
    assert list(metrics)[:2] == ["this model", "this model, cache 20 (θ=0.3, λ=0.1), dynamic 0.1"]
    assert list(json.loads(run("evaluate", out, "--json").out)) == ["this model", "6-grams", "unigram"]
    metrics = json.loads(run("evaluate", out, "--dynamic=0.1", "--dynamic-decay=0.01", "--json").out)
    assert "this model, dynamic 0.1 (decay 0.01)" in metrics
    assert run("report", out, "--cache=20").code == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "this model, cache 20 (θ=0.3, λ=0.1)" in page
    answer = run("predict", out, book, "--cache=20")
    assert answer.code == 0 and "adapts to the text as it reads it: cache 20" in answer.err
    answer = run("predict", out, book, "--cache=20", "--model=6_grams")
    assert answer.code == 2 and "Only the network adapts" in answer.err.replace("\n", " ")
    assert run("evaluate", out, "--cache=20", "--cache-share=2").code == 2


def test_what_adapts_is_no_row_to_use_by_itself() -> None:
    fitted = fitted_on(RHYME)
    judged = evaluate(fitted, Book(RHYME), 500, make_part(AdaptAsked, {"cache": 50}))
    assert len(judged.metrics) == len(held(fitted, judged).scores) + 1
    assert not any("cache" in label for label in held(fitted, judged).scores)


# -------------------------------------------------------------------------------------------- an adaptive softmax


@pytest.mark.parametrize("settings", [{}, {"tied": False}, {"embedding_size": 4}])
def test_an_adaptive_softmax_beside_its_formula(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    config = make_config(PARTS, {"hidden_size": 6, "dropout": 0.0, "adaptive": True} | settings)
    network, targets = LanguageNet.of(config, 60).double().eval(), torch.tensor([[0, 5, 40], [59, 2, 12]])
    states, adaptive = torch.randn(2, 3, 6, dtype=torch.float64), network.adaptive
    assert adaptive is not None and adaptive.borders == [2, 12, 60]
    with torch.no_grad():
        network.bias.normal_(), adaptive.bias.normal_()
        found, scores = network.nats(states, targets), network.scores(states)
        torch.testing.assert_close(scores.exp().sum(-1), torch.ones(2, 3, dtype=torch.float64))
        torch.testing.assert_close(found, -scores.gather(-1, targets.unsqueeze(-1))[..., 0])
        weight = network.embed if network.weight is None else network.weight
        state = states if network.narrow is None else network.narrow(states)
        first = torch.cat([state @ weight[:2].T + network.bias[:2], state @ adaptive.groups.T + adaptive.bias], -1)
        group = (state @ weight[2:12].T + network.bias[2:12]).log_softmax(-1)
        torch.testing.assert_close(found[0, 0], -first.log_softmax(-1)[0, 0, 0])
        torch.testing.assert_close(found[0, 1], -first.log_softmax(-1)[0, 1, 2] - group[0, 1, 3])


@pytest.mark.parametrize("size", [4, 5, 9, 26, 33_278])
def test_an_adaptive_softmax_of_any_size(size: int) -> None:
    adaptive = Adaptive(2, size)
    assert adaptive.scores(torch.zeros(2), torch.zeros(size, 2), torch.zeros(size)).shape == (size,)


def test_where_very_many_are_known_the_softmax_is_adaptive() -> None:
    for count, wanted, adaptive in (
        (19_999, None, False),
        (20_000, None, True),
        (20_000, False, False),
        (9, True, True),
    ):
        network = LanguageNet.of(make_config(PARTS, {"hidden_size": 2, "adaptive": wanted}), count)
        assert (network.adaptive is not None) == adaptive


def test_an_adaptive_model_learns_and_writes(tmp_path: Path) -> None:
    model = LanguageModel(**(TINY | {"max_epochs": 30}), level="word", adaptive=True, learning_rate=1e-2).fit(RHYME)
    assert model.perplexity("the cat sat on the mat\n") < 6 < model.perplexity("mat the on sat cat the\n")
    assert all(word in RHYME.split() for word in model.generate("the cat", length=30).split())
    assert LanguageModel.load(model.save(tmp_path / "run")).perplexity("the cat") == model.perplexity("the cat")


# ------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"cell": "lstm/gru"},
        {"residual": True, "num_layers": 2},
        {"level": "word"},
        {"embedding_size": 5, "boom": 30},
        {"adaptive": True},
        *({"attention": name, "lookback": 20} for name in LOOKING),
    ],
)
def test_unit_by_unit_is_as_all_at_once(settings: dict[str, Any]) -> None:
    fitted = fitted_on(RHYME, **settings)
    network, numbers = fitted.network, KIND.encode(Book(RHYME[:60]), fitted.learned).numbers
    with torch.no_grad():
        reading = Reading(network)
        found = torch.stack([reading.next(int(number)) for number in numbers])
        torch.testing.assert_close(found, network(Batch(numbers[None])).prediction[0], rtol=1e-4, atol=1e-5)


def test_what_is_likeliest_is_written() -> None:
    model = LanguageModel(**TINY).fit(RHYME)
    said = model.generate("the c", length=12, temperature=0)
    text = "the c"
    for _ in range(12):
        numbers = KIND.encode(Book(text), model.fitted_.learned).numbers
        with torch.no_grad():
            scores = model.network_(Batch(numbers[None])).prediction[0, -1]
        text += model.fitted_.learned.shown(int(scores[2:].argmax()) + 2)
    assert said == text
    for how in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-6}):
        assert model.generate("the c", length=12, **how) == said


def test_one_seed_writes_one_text() -> None:
    model = LanguageModel(**TINY).fit(RHYME)
    first = model.generate(length=40, seed=3)
    torch.manual_seed(99)
    assert model.generate(length=40, seed=3) == first != model.generate(length=40, seed=4)
    pieces = list(model.stream(length=40, seed=3))
    assert "".join(pieces) == first and len(pieces) == 40, "one after the other"
    assert len(first) == 40 and model.generate("the", length=2).startswith("the")


def test_it_ends_where_it_is_told_to() -> None:
    model = LanguageModel(**TINY).fit(RHYME)
    whole = model.generate("the", length=60, seed=1)
    stop = whole[20:23]
    cut = model.generate("the", length=60, seed=1, stop=stop)
    assert cut == whole[: whole.index(stop, 3)]
    assert model.generate("the", length=5, seed=1, stop="the").startswith("the"), "the prompt does not stop it"


def test_sampling_draws_as_it_says() -> None:
    scores, lots = torch.tensor([0.0, 1.0, 2.0, -torch.inf, 0.5]), np.linspace(0, 1, 4000, endpoint=False)

    def shares(how: Sampling) -> np.ndarray:
        drawn = [how.choose(scores.numpy(), lot) for lot in lots]
        return np.bincount(drawn, minlength=5) / 4000

    np.testing.assert_allclose(shares(Sampling()), scores.softmax(-1), atol=1e-3)
    np.testing.assert_allclose(shares(Sampling(temperature=0.5)), (2 * scores).softmax(-1), atol=1e-3)
    two = torch.tensor([-torch.inf, 1.0, 2.0, -torch.inf, -torch.inf]).softmax(-1)
    np.testing.assert_allclose(shares(Sampling(top_k=2)), two, atol=1e-3)
    np.testing.assert_allclose(shares(Sampling(top_p=0.7)), two, atol=1e-3)
    np.testing.assert_allclose(shares(Sampling(top_p=0.1)), [0, 0, 1, 0, 0])
    assert Sampling().choose(scores.numpy(), 1.0) == 2 and Sampling().choose(scores.numpy(), 0.0) == 0


def test_a_reader_of_a_stream_keeps_its_gradients() -> None:
    pieces = LanguageModel(**TINY, attention="dot").fit(RHYME).stream("the", length=3)
    for _ in range(4):
        next(pieces)
        assert torch.is_grad_enabled()


def test_a_pruned_network_writes_as_it_reads() -> None:
    network = network_of(hidden_size=12).eval()
    for name in ("weight_ih", "weight_hh"):
        prune.l1_unstructured(network.recurrent.cells()[0], name, amount=0.5)
    reading, x = Reading(network), torch.randint(9, (1, 8))
    found = torch.stack([reading.next(int(number)) for number in x[0]])
    torch.testing.assert_close(found, network(Batch(x)).prediction[0].detach())


def test_words_have_blanks_between_them() -> None:
    said = LanguageModel(**TINY, level="word").fit(RHYME).generate("the cat", length=30)
    assert said.startswith("the cat ") or said.startswith("the cat\n")
    assert all(word in RHYME.split() for word in said.split()) and "  " not in said


def test_pieces_are_written_as_words() -> None:
    said = LanguageModel(**TINY, level="subword", vocabulary=30).fit(RHYME).generate("the cat", length=30)
    assert said.startswith("the cat") and "▁" not in said


def test_a_prompt_of_which_nothing_is_known() -> None:
    fitted = fitted_on(RHYME)
    with pytest.raises(ConfigError, match="Nothing of the prompt '漢字' is known"):
        write(fitted, WritingAsked(prompt="漢字"))
    assert "".join(write(fitted, WritingAsked(prompt="the 漢", length=3))).startswith("the 漢")
    for wrong in ({"top_p": 1.5}, {"length": 0}, {"temperature": -1}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            LanguageModel(**TINY).fit(RHYME).generate(**wrong)


# --------------------------------------------------------------------------------------------------- its two faces


def test_the_estimator(tmp_path: Path) -> None:
    model = LanguageModel(**(TINY | {"max_epochs": 12, "epoch_steps": 20}), learning_rate=1e-2).fit(RHYME)
    assert model.perplexity("the cat sat on the mat\n") < 5 < model.perplexity("tgma hct eo tsd\n")
    table = model.predict("the cat")
    assert table["unit"].tolist() == list("the cat") and np.allclose(2 ** -table["bits"], table["p"])
    assert exp(-model.score("the cat")) == pytest.approx(model.perplexity("the cat"))
    again = LanguageModel.load(model.save(tmp_path / "run"))
    assert again.perplexity("the cat") == model.perplexity("the cat")
    assert again.generate(length=20) == model.generate(length=20)
    with pytest.warns(UserWarning, match="not known"):
        model.perplexity("the 漢")


def test_words_that_are_rare_are_one_and_the_same() -> None:
    model = LanguageModel(**TINY, level="word", min_count=2).fit(RHYME + "once upon a time\n")
    assert "upon" not in model.fitted_.learned.vocabulary.numbers
    learned = LanguageLearned.of(RHYME, LanguageSettings(level="word", vocabulary=3, steps=8))
    assert len(learned.vocabulary.tokens) == 3 and learned.shown(1) == "<unk>"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attention": "local_m"}, "no use for.*Choose one of: dot, scaled_dot"),
        ({"attention": "monotonic"}, "no use for"),
        ({"lookback": 20}, "lookback has no effect"),
        ({"attention": "dot", "heads": 2}, "heads has no effect"),
        ({"vocabulary": 10**20}, "vocabulary must be at most"),
        ({"attention": "dot", "lookback": 10**20}, "lookback must be at most"),
        ({"bidirectional": True}, "bidirectional has no effect"),
        ({"cell": "reservoir"}, "read out in closed form"),
        ({"level": "letters"}, "character, word, subword"),
    ],
)
def test_what_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LanguageModel(**settings).fit(RHYME)


FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *arguments: run_command(capsys, *arguments)


def test_the_verbs(run: Run, tmp_path: Path) -> None:
    book, out = tmp_path / "book.txt", tmp_path / "run"
    book.write_text(RHYME)
    done = run("train", book, "--task=language", *FLAGS, f"--out={out}")
    assert done.code == 0 and "6-grams" in done.out and "bits/character" in done.out, done.err
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "What it writes" in page and "What surprised it" in page and "Where it looked back" not in page
    written = run("generate", out, "--prompt=the", "--length=20", "--seed=5")
    assert written.code == 0 and written.out.startswith("the") and len(written.out) == 3 + 20 + 1
    value = json.loads(run("generate", out, "--prompt=the", "--length=20", "--seed=5", "--json").out)
    assert value["text"] + "\n" == written.out
    answer = json.loads(run("predict", out, book, "--json").out)
    assert len(answer) == len(RHYME)
    assert run("predict", out, book, "--model=6_grams", "--json").code == 0
    assert "judged by" in run("evaluate", out).err + run("evaluate", out).out
    compared = run(
        "compare", book, "--task=language", *FLAGS, "--cells=lstm,gru", "--seeds=1", f"--out={tmp_path / 'c'}"
    )
    assert compared.code == 0 and "unigram" in compared.out, compared.err


@pytest.mark.parametrize("name", ["awd_lstm", "sha_rnn"])
def test_a_recipe_is_a_file_of_settings(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "book.txt").write_text(RHYME)
    recipe, out = Path(__file__).parents[1] / "examples" / f"{name}.toml", tmp_path / "run"
    small = [*FLAGS, "--embedding-size=12", f"--out={out}"]
    done = run("train", tmp_path / "book.txt", f"--config={recipe}", *small)
    assert done.code == 0, done.err
    config = LanguageModel.load(out).fitted_.config
    if name == "awd_lstm":
        assert config.model.weight_drop == 0.5 and config.training.average == 0.999 and config.task.activation == 2
        assert config.task.level == "word" and config.model.num_layers == 3
    else:
        assert config.task.boom == 4096 and config.task.lookback == 5000 and config.model.heads == 1
        assert config.model.residual and config.model.layer_norm
    assert run("generate", out, "--length=5").code == 0


def test_bad_input_is_said(run: Run, tmp_path: Path) -> None:
    book, out = tmp_path / "book.txt", tmp_path / "run"
    book.write_text(RHYME)
    for arguments, message in (
        (("train", tmp_path / "none.txt", "--task=language"), "There is no file"),
        (("train", book, "--task=language", "--test-size=99999"), "left to learn from"),
        (("train", book, "--task=language", "--attention=local_p"), "no use for"),
        (("generate", tmp_path / "none"), "none"),
    ):
        answer = run(*arguments)
        assert answer.code == 2 and message in answer.err.replace("\n", " "), answer.err
        assert answer.err.strip().splitlines()[-1].startswith("Error: ")
    assert run("train", book, "--task=language", *FLAGS, f"--out={out}").code == 0
    answer = run("generate", out, "--prompt=漢字")
    assert answer.code == 2 and "Nothing of the prompt" in answer.err
    for wrong in ("--top-p=3", "--top-k=-1", "--temperature=-1", "--length=0"):
        assert run("generate", out, wrong).code == 2
    book.write_text("word " * 500)
    answer = run("train", book, "--task=language", "--level=word", *FLAGS, f"--out={tmp_path / 'one'}")
    assert answer.code == 2 and "one and the same unit only" in answer.err.replace("\n", " ")
    book.write_text(RHYME)
    flags = [*FLAGS, f"--out={tmp_path / 'large'}"]
    for wrong in ("--embedding-size=100000000000", "--boom=100000000000"):
        answer = run("train", book, "--task=language", *flags, wrong)
        assert answer.code == 2 and "does not fit into memory" in answer.err.replace("\n", " ")

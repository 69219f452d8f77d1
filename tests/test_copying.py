"""Answers that take units from their text: shares by hand, what is forgotten in training, and words never seen."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recurra import Translator
from recurra.data.text import PADDING, UNKNOWN
from recurra.errors import ConfigError
from recurra.nn.beam import Search
from recurra.settings import make_config
from recurra.tasks.seq2seq.answers import Together, searched
from recurra.tasks.seq2seq.copying import Copying, forgetting
from recurra.tasks.seq2seq.examples import PairExamples
from recurra.tasks.seq2seq.learned import Seq2seqLearned
from recurra.tasks.seq2seq.network import Seq2seqNet
from recurra.tasks.seq2seq.pairs import Pairs
from recurra.tasks.seq2seq.settings import PARTS

SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
KNOWN = ["she saw Ann twice", "he saw Bob", "Bob saw her"]
ASKED = [("Zoe saw Ann and Max and Zoe", "Zoe saw Max twice ever"), ("he saw Bob", "Bob")]


def made(**settings: Any) -> tuple[Seq2seqNet, Seq2seqLearned, PairExamples]:
    """A network whose weights are random, and two pairs of which the first has units that it does not know."""
    config = make_config(PARTS, {"hidden_size": 6, "copy": True} | settings)
    learned = Seq2seqLearned.of(Pairs(tuple(KNOWN), tuple(KNOWN)), config.task)
    torch.manual_seed(0)
    network = Seq2seqNet.of(config, learned).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    sources, targets = zip(*ASKED, strict=True)
    return network, learned, PairExamples.of(Pairs(sources, targets), learned)


def by_hand(network: Seq2seqNet, states: Tensor, looked: Tensor, copied: Tensor) -> np.ndarray:
    """What a pointer-generator gives each unit, one share after the other."""
    assert network.copying is not None
    size = network.size
    gate = 1 / (1 + math.exp(-float(network.copying.gate(states).detach())))
    known = torch.softmax(network.head(states), -1).tolist()
    shares = [gate * share for share in known] + [0.0] * (max(size, int(copied.max()) + 1) - size)
    for unit, share in zip(copied.tolist(), looked.tolist(), strict=True):
        shares[unit] += (1 - gate) * share
    return np.array(shares, dtype=np.float32)


def test_units_that_are_not_known_have_numbers_of_their_own() -> None:
    _, learned, examples = made()
    size, number = learned.source.size, learned.source.vocabulary.numbers
    assert examples.copied is not None and examples.wanted is not None and learned.shared
    zoe, also, most = size, size + 1, size + 2
    saw, twice, end = number["▁saw"], number["▁twice"], learned.source.end
    assert examples.copied.row(0).tolist() == [zoe, saw, number["▁Ann"], also, most, also, zoe, end]
    assert examples.wanted.row(0).tolist() == [zoe, saw, most, twice, UNKNOWN, end]
    assert examples.read.row(0).tolist() == [UNKNOWN, saw, number["▁Ann"], UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, end]
    assert examples.some(np.array([1, 0])).copied.row(1).tolist() == examples.copied.row(0).tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize("attention", ["additive", "multi_head"])
def test_shares_are_those_by_hand(attention: str) -> None:
    network, _, examples = made(attention=attention, heads=2)
    batch = examples.take(torch.arange(2))
    assert batch.targets is not None
    output = network(batch)
    written = network.written(batch, network.previous(batch.targets))[1]
    assert written.weights is not None
    looked = written.weights if attention == "additive" else written.weights.mean(1)
    for row in range(2):
        for step in range(2):
            expected = by_hand(network, written.outputs[row, step], looked[row, step], batch["copied"][row])
            found = output.prediction[row, step].exp().detach().numpy()
            np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-6)
            assert found.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_is_that_of_the_shares(smoothing: float) -> None:
    network, _, examples = made()
    batch = examples.take(torch.arange(2))
    assert batch.targets is not None and batch.target_mask is not None
    previous, real = network.previous(batch.targets), batch.target_mask
    logs = network(batch).prediction
    right = -logs.gather(-1, batch["wanted"].unsqueeze(-1))[..., 0][real].sum()
    every = -network.head(network.written(batch, previous)[1].outputs[real]).log_softmax(-1).mean(-1).sum()
    found = network.teach(batch, previous, smoothing).prediction
    torch.testing.assert_close(found, (1 - smoothing) * right + smoothing * every)


def test_gradients_are_numerical_ones() -> None:
    torch.manual_seed(0)
    copying = Copying(3).double()
    looked = torch.rand(4, 5, dtype=torch.double).softmax(-1).requires_grad_()
    states, scores = (torch.randn(4, n, dtype=torch.double, requires_grad=True) for n in (3, 6))
    copied = torch.tensor([[2, 6, 3, 6, 2]] * 4)
    wanted = torch.tensor([2, 6, 5, 3])
    assert torch.autograd.gradcheck(
        lambda *given: copying.loss(*given, copied, wanted, 0.1), (states, scores, looked), atol=1e-6
    )


def test_what_cannot_be_said_costs_much_and_not_infinitely_much() -> None:
    """A unit that is not known where the decoder does not look at all, as sharp attentions may."""
    copying = Copying(2)
    found = copying.loss(
        torch.zeros(1, 2), torch.zeros(1, 4), torch.tensor([[1.0, 0.0]]), torch.tensor([[2, 4]]), torch.tensor([4]), 0.0
    )
    assert 40 < found.item() < 60
    found.backward()
    assert all(bool(one.grad.isfinite().all()) for one in copying.parameters() if one.grad is not None)


def test_step_by_step_it_says_what_all_steps_at_once_say() -> None:
    """The best answer is as likely as the network says when it is given; units of the text are read back as unknown."""
    network, learned, examples = made()
    asked = PairExamples(examples.sources, examples.read, None, examples.copied)
    found = searched([network], asked, learned, Search(9, 0.0, learned.target.end, (PADDING,)))
    copied = 0
    for row, answers in enumerate(found):
        for one in answers:
            wanted = torch.tensor([[*one.units, learned.target.end]])
            batch = asked.take(torch.tensor([row]))
            states = network.written(batch, network.previous(network.known(wanted)))[1]
            logs = network.scores(states.outputs, states.looked, batch["copied"])
            total = logs.gather(-1, wanted.unsqueeze(-1)).sum()
            assert one.logs == pytest.approx(total.item(), abs=1e-4)
            copied += any(unit >= learned.target.size for unit in one.units)
    assert copied


def test_one_that_copies_and_one_that_does_not_decide_together() -> None:
    class Says:
        def __init__(self, count: int):
            self.count = count

        def say(self, units: Tensor) -> tuple[Tensor, None]:
            return torch.zeros(1, self.count), None

    scores, _ = Together([Says(2), Says(4)]).say(torch.zeros(1, dtype=torch.long))  # type: ignore[list-item]
    torch.testing.assert_close(scores.softmax(-1), torch.tensor([[0.375, 0.375, 0.125, 0.125]]))


def test_what_is_forgotten_is_so_in_the_text_and_its_answer() -> None:
    network, learned, examples = made()
    batch = examples.take(torch.arange(2))
    torch.manual_seed(3)
    every = forgetting(batch, 1.0, learned.source.end + 1, network.size)
    number = learned.source.vocabulary.numbers
    assert batch.targets is not None and every.targets is not None
    # All units of the texts but their ends; in the answers those that stand in the texts, and so can be copied.
    real = batch.inputs > learned.source.end
    assert (every.inputs[real] == UNKNOWN).all() and (every.inputs[~real] == batch.inputs[~real]).all()
    assert every.targets[0].tolist() == [UNKNOWN] * 3 + [number["▁twice"], UNKNOWN, learned.source.end]
    for row in range(2):
        texts = [one["copied"][row].tolist() for one in (batch, every)]
        answers = [one["wanted"][row].tolist() for one in (batch, every)]
        same = [[a == b for a in one for b in other] for one, other in zip(texts, answers, strict=True)]
        assert same[0] == same[1]
    assert forgetting(batch, 0.0, learned.source.end + 1, network.size)["copied"].equal(batch["copied"])
    some = [forgetting(batch, 0.5, learned.source.end + 1, network.size)["copied"] for _ in range(50)]
    share = np.mean([float((one != batch["copied"]).float().mean()) for one in some])
    assert 0.1 < share < 0.5  # of the known units alone


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"attention": "none"}, "copy needs an attention"),
        ({"copy": False, "forget": 0.3}, "forget"),
        ({"target_level": "character"}, "target_level"),
    ],
)
def test_what_does_not_go_together_is_said(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Translator(**{"copy": True, "hidden_size": 4, "max_epochs": 1} | settings).fit(KNOWN * 4, KNOWN * 4)


def marked(random: np.random.Generator, words: list[str], new: list[str], share: float) -> tuple[str, str]:
    """A text of words of which some are marked; those are its answer. A ``share`` of the words are ``new`` ones."""
    said = [str(random.choice(new if random.random() < share else words)) for _ in range(random.integers(6, 13))]
    places = sorted(random.choice(len(said), random.integers(1, 4), replace=False))
    text = [f"* {word}" if n in places else word for n, word in enumerate(said)]
    return " ".join(text), " ".join(said[n] for n in places)


@pytest.mark.slow
def test_words_never_seen_are_copied() -> None:
    random = np.random.default_rng(0)
    every = sorted({"".join(random.choice(SYLLABLES, random.integers(2, 4))) for _ in range(300)})
    words, new = every[::2], every[1::2]
    train = [marked(random, words, new, 0.0) for _ in range(2000)]
    test = [marked(random, words, new, 0.2) for _ in range(200)]
    settings = {"hidden_size": 48, "batch_size": 32, "max_epochs": 10, "smoothing": 0.0, "level": "word"}
    right = {}
    for copy in (True, False):
        translator = Translator(**settings, copy=copy).fit(train)
        with warnings.catch_warnings(record=True) as said_before:
            warnings.simplefilter("always")
            said = translator.predict([source for source, _ in test])
        # One that copies tells them apart.
        assert copy != any("not known" in str(one.message) for one in said_before)
        right[copy] = np.mean([one == target for one, (_, target) in zip(said, test, strict=True)])
    assert right[True] > 0.95 and right[False] < 0.5

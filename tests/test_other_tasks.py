"""Tasks the package does not have, each in a few lines, learned through the same ``fit``.

The core knows nothing of forecasting: these stand for the kinds of task that are to come. All accuracies are
on sequences that were not trained on.
"""

import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from recurra.attention import AdditiveAttention
from recurra.cells import CELLS, GRUCell
from recurra.data.batch import Batch
from recurra.nn.attending import AttendingCell
from recurra.nn.layers import Embed, Pool, Recurrent
from recurra.nn.models import Output, Reader, Writer
from recurra.settings.config import TrainingSettings
from recurra.training.loop import fit
from recurra.training.task import Loss, Memorised, Task


def learn(model: nn.Module, task: Task, batch: Batch, steps: int) -> None:
    settings = TrainingSettings(
        batch_size=64, max_steps=steps, max_epochs=1000, patience=1000, learning_rate=0.01, warmup=20, weight_decay=0
    )
    for _ in fit(model, task, Memorised(batch), None, settings):
        pass


class Tagging:
    """Name every step: cross entropy over the real ones."""

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        return model(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        losses = F.cross_entropy(output.prediction.mT, batch.targets, reduction="none")
        return Loss.over(losses, batch.target_mask)


# Classification: the parity of 16 bits.


def bits(seed: int, count: int) -> Batch:
    """Bits (B, 16), and after each the parity so far."""
    x = torch.randint(0, 2, (count, 16), generator=torch.Generator().manual_seed(seed))
    return Batch(x, x.cumsum(1) % 2)


def unseen(batch: Batch, train: Batch) -> Batch:
    known = {tuple(row) for row in train.inputs.tolist()}
    new = torch.tensor([tuple(row) not in known for row in batch.inputs.tolist()])
    return Memorised(batch).take(new.nonzero().flatten())


@pytest.mark.parametrize("cell", ["lstm", "lstm_gru"])
def test_a_reader_learns_parity(cell: str) -> None:
    """Trained on the parity of every prefix, asked for the parity of the whole by its last state."""
    embed, recurrent = Embed(4, symbols=2), Recurrent([[CELLS[cell](4, 16)]])  # type: ignore[call-arg]
    head = nn.Linear(16, 2)
    train = bits(1, 3000)
    learn(Reader(embed, recurrent, None, head), Tagging(), train, steps=300)
    test = unseen(bits(2, 1000), train)
    assert len(test) > 900
    with torch.no_grad():
        answer = Reader(embed, recurrent, Pool("last"), head)(test).prediction.argmax(-1)
    assert (answer == test.targets[:, -1]).float().mean() >= 0.99


# Sequence to sequence: say 20 symbols backwards.

SYMBOLS, LENGTH = 8, 20


class Reversing:
    """Write the input from its end, each symbol after the right one before it."""

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        begin = torch.full((len(batch), 1), SYMBOLS)
        return model(batch, torch.cat([begin, batch.targets[:, :-1]], 1))

    def loss(self, output: Output, batch: Batch) -> Loss:
        return Loss.over(F.cross_entropy(output.prediction.mT, batch.targets, reduction="none"))


def words(seed: int, count: int) -> Batch:
    x = torch.randint(0, SYMBOLS, (count, LENGTH), generator=torch.Generator().manual_seed(seed))
    return Batch(x, x.flip(1))


def reversing_writer(attends: bool) -> Writer:
    hidden, width = 64, 16
    recurrent = Recurrent([[GRUCell(width, hidden), GRUCell(width, hidden)]])
    attention = AdditiveAttention(hidden, 2 * hidden, attention_size=hidden) if attends else None
    decoder = AttendingCell(GRUCell(width, hidden), attention)
    embed, target_embed = Embed(width, symbols=SYMBOLS), Embed(width, symbols=SYMBOLS + 1)
    return Writer(embed, recurrent, decoder, target_embed, nn.Linear(hidden, SYMBOLS))


def written(writer: Writer, batch: Batch) -> Output:
    with torch.no_grad():
        return writer.write(batch, torch.full((len(batch),), SYMBOLS), LENGTH, lambda said: said.argmax(-1))


@pytest.mark.slow
@pytest.mark.parametrize("attends", [True, False])
def test_a_writer_learns_to_reverse_if_it_can_attend(attends: bool) -> None:
    """Reading back what it wrote itself; without attention the same budget does not carry 20 symbols."""
    writer = reversing_writer(attends)
    learn(writer, Reversing(), words(1, 20_000), steps=400)
    test = words(2, 200)
    output = written(writer, test)
    right = (output.prediction.argmax(-1) == test.targets).float().mean()
    if not attends:
        assert 1 / SYMBOLS < right < 0.6
        return
    assert right >= 0.99
    looked = output.weights.argmax(-1)  # (B, Q): where each written symbol looked most
    mirrored = torch.arange(LENGTH).flip(0)
    assert ((looked - mirrored).abs() <= 1).float().mean() > 0.9, "attention runs backwards over the input"


# Tagging: who does what in a tiny language.

TAGS = {"determiner": 0, "adjective": 1, "noun": 2, "verb": 3}
WORDS = {"-": 0, "the": 1, "old": 2, "man": 3, "boats": 4, "see": 5}


def sentences(seed: int, count: int) -> Batch:
    """``the (old)* NOUN VERB the (old)* NOUN``, where ``old`` may be a noun and ``man`` a verb.

    What a word is depends on what follows: "the old man the boats", "the old man see the boats".
    """
    draw = random.Random(seed)

    def noun_phrase() -> list[tuple[str, str]]:
        adjectives = [("old", "adjective")] * draw.randrange(3)
        return [("the", "determiner"), *adjectives, (draw.choice(["old", "man", "boats"]), "noun")]

    made = [[*noun_phrase(), (draw.choice(["man", "see"]), "verb"), *noun_phrase()] for _ in range(count)]
    longest = max(map(len, made))
    inputs, tags = torch.zeros(count, longest, dtype=torch.long), torch.zeros(count, longest, dtype=torch.long)
    for row, sentence in enumerate(made):
        inputs[row, : len(sentence)] = torch.tensor([WORDS[word] for word, _ in sentence])
        tags[row, : len(sentence)] = torch.tensor([TAGS[tag] for _, tag in sentence])
    mask = inputs != WORDS["-"]
    return Batch(inputs, tags, mask, mask)


@pytest.mark.parametrize("both", [True, False])
def test_a_tagger_learns_a_grammar_if_it_reads_both_ways(both: bool) -> None:
    directions = 1 + both
    recurrent = Recurrent([[CELLS["lstm_gru"](8, 12) for _ in range(directions)]])  # type: ignore[call-arg]
    tagger = Reader(Embed(8, symbols=len(WORDS)), recurrent, None, nn.Linear(12 * directions, len(TAGS)))
    learn(tagger, Tagging(), sentences(1, 500), steps=200)
    test = sentences(2, 200)
    with torch.no_grad():
        right = tagger(test).prediction.argmax(-1) == test.targets
    accuracy = right[test.mask].float().mean()
    assert accuracy >= 0.99 if both else 0.7 < accuracy < 0.95

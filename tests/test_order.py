"""Examples that decide their order, and state that goes from batch to batch: a small language model on one text."""

import copy
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recurra.cells import GRUCell, LSTMCell, map_state, state_tensors
from recurra.data.batch import Batch
from recurra.errors import ConfigError
from recurra.nn.layers import Recurrent, States
from recurra.nn.models import Output
from recurra.random import Dropout
from recurra.settings.config import TrainingSettings
from recurra.training.loop import Epoch, Progress, fit, order_of
from recurra.training.runs import read_checkpoint, write_checkpoint
from recurra.training.task import Loss, Memorised, Ordered

COLUMNS, CHUNKS, STEPS, SYMBOLS = 4, 7, 3, 5


class Text:
    """One long text in COLUMNS columns of CHUNKS chunks, STEPS symbols each: a batch is every column's next chunk."""

    def __init__(self, seed: int = 0):
        draw, length = torch.Generator().manual_seed(seed), COLUMNS * CHUNKS * STEPS + 1
        self.symbols = torch.randint(0, SYMBOLS, (length,), generator=draw)
        self.asked: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return COLUMNS * CHUNKS

    def order(self, size: int, first: int, count: int, generator: torch.Generator) -> Iterator[Tensor]:
        self.asked.append((size, first, count))
        return (torch.arange(COLUMNS) * CHUNKS + step % CHUNKS for step in range(first, first + count))

    def take(self, numbers: Tensor) -> Batch:
        x = self.symbols[numbers.unsqueeze(1) * STEPS + torch.arange(STEPS + 1)]
        return Batch(x[:, :-1], x[:, 1:], others={"begins": numbers % CHUNKS == 0})


class LanguageModel(nn.Module):
    """Says the next symbol of every step, and goes on where the batch before ended."""

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        torch.manual_seed(3)
        self.embed = nn.Embedding(SYMBOLS, 6)
        self.recurrent = Recurrent([[GRUCell(6, 8)], [LSTMCell(8, 8)]])
        self.out = nn.Sequential(Dropout(dropout), nn.Linear(8, SYMBOLS))

    def forward(self, batch: Batch) -> Output:
        read = self.recurrent(self.embed(batch.inputs), self.first(batch))
        carried = tuple(tensor for layer in read.states for state in layer for tensor in state_tensors(state))
        return Output(self.out(read.outputs), recurrence=read, carried=carried)

    def first(self, batch: Batch) -> States:
        states = self.recurrent.initial(len(batch))
        if not batch.carried:
            return states
        goes_on = ~batch["begins"].unsqueeze(1)
        parts = iter(batch.carried)
        return tuple(tuple(map_state(lambda _: next(parts) * goes_on, state) for state in layer) for layer in states)


class Language:
    def ask(self, model: nn.Module, batch: Batch) -> Output:
        return model(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        return Loss.over(F.cross_entropy(output.prediction.mT, batch["target"], reduction="none"))


class Forgetful(Language):
    """The same, without what was carried."""

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        return model(batch.with_carried(()))


def make_settings(**settings: Any) -> TrainingSettings:
    common = {"batch_size": COLUMNS, "epoch_steps": 5, "max_epochs": 4, "warmup": 4, "learning_rate": 0.02}
    return TrainingSettings(**{**common, **settings})


def whole_loss(model: nn.Module, text: Text) -> float:
    """The loss of every column read in one go."""
    symbols = text.symbols
    x = torch.stack([symbols[at : at + CHUNKS * STEPS + 1] for at in range(0, len(symbols) - 1, CHUNKS * STEPS)])
    batch = Batch(x[:, :-1], x[:, 1:])
    with torch.no_grad():
        return float(Language().loss(model.eval()(batch), batch).mean)


def weights_of(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def timeless(history: list[Epoch]) -> list[dict[str, Any]]:
    return [{name: value for name, value in vars(epoch).items() if name != "seconds"} for epoch in history]


def test_in_pieces_is_as_in_one_go() -> None:
    """In training and in validation, each of which begins without state; forgetting is another loss."""
    model, text, unseen = LanguageModel(), Text(), Text(1)
    still = make_settings(max_epochs=2, epoch_steps=CHUNKS, learning_rate=1e-12)
    expected = whole_loss(model, text), whole_loss(model, unseen)
    for epoch in fit(model, Language(), text, unseen, still):
        assert (epoch.train_loss, epoch.valid_loss) == pytest.approx(expected, rel=1e-5)
    (epoch,) = fit(
        model, Forgetful(), text, unseen, make_settings(max_epochs=1, epoch_steps=CHUNKS, learning_rate=1e-12)
    )
    assert epoch.train_loss != pytest.approx(expected[0], rel=1e-3)
    assert epoch.valid_loss != pytest.approx(expected[1], rel=1e-3)


def test_what_is_handed_on_has_no_gradient_and_is_as_large_as_ever() -> None:
    progress = Progress()
    for _ in fit(LanguageModel(), Language(), Text(), None, make_settings(), progress):
        assert [tuple(tensor.shape) for tensor in progress.carried] == [(COLUMNS, 8)] * 3
        assert not any(tensor.requires_grad for tensor in progress.carried)


def test_only_a_training_and_every_validation_begin_with_nothing() -> None:
    class Noting(Language):
        begun: list[tuple[bool, int]] = []

        def ask(self, model: nn.Module, batch: Batch) -> Output:
            self.begun.append((model.training, len(batch.carried)))
            return super().ask(model, batch)

    list(fit(LanguageModel(), Noting(), Text(), Text(1), make_settings(max_epochs=2)))
    trained = [(True, 0), *[(True, 3)] * 4], [(True, 3)] * 5
    validated = [(False, 0), *[(False, 3)] * (CHUNKS - 1)]
    assert Noting.begun == [*trained[0], *validated, *trained[1], *validated]


def test_the_examples_are_asked_for_their_order() -> None:
    train, valid = Text(), Text(1)
    assert isinstance(train, Ordered) and not isinstance(Memorised(train.take(torch.arange(2))), Ordered)
    list(fit(LanguageModel(), Language(), train, valid, make_settings(max_epochs=3, max_steps=13)))
    assert train.asked == [(COLUMNS, 0, 5), (COLUMNS, 5, 5), (COLUMNS, 10, 3)]
    assert valid.asked == [(COLUMNS, 0, CHUNKS)] * 3


def test_an_order_may_be_random_but_not_end_early() -> None:
    class Drawn(Text):
        def order(self, size: int, first: int, count: int, generator: torch.Generator) -> Iterator[Tensor]:
            while True:  # more than is asked for is not taken
                yield torch.randint(0, len(self), (size,), generator=generator)

    class Short(Text):
        def order(self, size: int, first: int, count: int, generator: torch.Generator) -> Iterator[Tensor]:
            return super().order(size, first, count - 1, generator)

    histories = [timeless(list(fit(LanguageModel(), Forgetful(), Drawn(), Text(), make_settings()))) for _ in range(2)]
    assert histories[0] == histories[1] and histories[0][-1]["steps"] == 20
    with pytest.raises(ConfigError, match="order of Short ended after 4 batches of 5"):
        list(fit(LanguageModel(), Language(), Short(), None, make_settings()))


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_training_resumed_in_the_middle_of_the_text_is_the_uninterrupted_one(stop: int, tmp_path: Path) -> None:
    whole_model, settings = LanguageModel(0.2), make_settings()
    whole = list(fit(whole_model, Language(), Text(), Text(1), settings))

    model, progress, first = LanguageModel(0.2), Progress(), []
    for epoch in fit(model, Language(), Text(), Text(1), settings, progress):
        first.append(epoch)
        if epoch.number == stop:
            write_checkpoint(tmp_path, {}, model.state_dict(), progress, [asdict(one) for one in first])
            break
    found = read_checkpoint(tmp_path)
    assert len(found.progress.carried) == 3

    def resumed(progress: Progress) -> tuple[list[dict[str, Any]], Tensor]:
        fresh = LanguageModel(0.2)
        fresh.load_state_dict(found.weights)
        second = list(fit(fresh, Language(), Text(), Text(1), settings, progress))
        return timeless(first + second), weights_of(fresh)

    forgot = copy.deepcopy(found.progress)
    forgot.carried = ()
    history, weights = resumed(found.progress)
    assert history == timeless(whole) and torch.equal(weights, weights_of(whole_model))
    assert resumed(forgot)[0] != timeless(whole), "this test can fail"


class Lengths:
    """Examples of which only the lengths matter."""

    def __init__(self, lengths: list[int]):
        self.lengths = torch.tensor(lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, numbers: Tensor) -> Batch:
        return Batch(self.lengths[numbers].double().unsqueeze(1).unsqueeze(2))


def taken(lengths: list[int], size: int, count: int) -> list[Tensor]:
    return list(order_of(Lengths(lengths), size, 0, count, torch.Generator().manual_seed(1)))


def test_examples_of_about_one_length_are_taken_together() -> None:
    lengths = [3 + n * 7 % 64 for n in range(64)]  # each from 3 to 66 once
    batches = taken(lengths, 4, 16)
    assert [len(batch) for batch in batches] == [4] * 16
    assert sorted(torch.cat(batches).tolist()) == list(range(64))  # a pass sees every example once
    spans = [max(found) - min(found) for found in ([lengths[n] for n in batch.tolist()] for batch in batches)]
    assert sum(spans) / 16 < 15  # by chance alone they span 39 of 64
    longest = [max(lengths[n] for n in batch.tolist()) for batch in batches]
    assert longest[:8] != sorted(longest[:8])  # short ones do not always come first
    assert not all(map(torch.equal, batches, taken(lengths, 4, 32)[16:]))  # drawn anew in every pass


def test_examples_of_one_length_are_shuffled_and_nothing_else() -> None:
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    assert torch.equal(torch.cat(taken([5] * 10, 5, 2)), order)


class Told(Lengths):
    """Examples that call something else so."""

    def __len__(self) -> int:
        return 8


def test_what_is_called_lengths_and_is_none_leaves_the_order() -> None:
    plain = [batch.tolist() for batch in taken([5] * 8, 4, 2)]
    for other in (torch.tensor([3, 1, 2]), "24 frames"):
        examples = Told([1])
        examples.lengths = other  # type: ignore[assignment]
        found = order_of(examples, 4, 0, 2, torch.Generator().manual_seed(1))
        assert [batch.tolist() for batch in found] == plain

"""Random numbers are those of a seed, whoever else draws, and nobody else's are touched."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks import seeded
from recurra.cells import GRUCell
from recurra.data.batch import Batch
from recurra.nn.layers import Pool, Recurrent
from recurra.nn.models import Output, Reader
from recurra.random import Dropout, _lent, bernoulli, current, drawing, dropout, using, watching
from recurra.settings.config import TrainingSettings, make_config
from recurra.tasks.forecast.build import _segment_core
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.settings import PARTS
from recurra.training.loop import fit
from recurra.training.task import Loss, Memorised


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def _nothing_stays_current() -> Iterator[None]:
    yield
    assert current() is None


# The current generator


@pytest.mark.parametrize("p", [0.0, 0.1, 0.3, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_that_of_torch_bit_for_bit(p: float, training: bool) -> None:
    x = torch.randn(33, 7, requires_grad=True)
    torch.manual_seed(4)
    theirs = F.dropout(x, p, training)
    after = torch.rand(1)
    torch.manual_seed(4)
    assert torch.equal(dropout(x, p, training), theirs), "torch's own generator, where there is no other"
    ours = generator(4)
    with using(ours):
        found, module = dropout(x, p, training), Dropout(p).train(training)
        assert torch.equal(torch.rand(1, generator=ours), after), "no more and no less is drawn"
        ours.manual_seed(4)
        assert torch.equal(module(x), theirs)
        ours.manual_seed(4)
        same = x.detach().clone()
        assert dropout(same, p, training, inplace=True) is same and torch.equal(same, theirs)
    assert torch.equal(found, theirs)
    assert torch.equal(*[torch.autograd.grad(y.square().sum(), x)[0] for y in (found, theirs)])


def test_bernoulli_is_that_of_torch_bit_for_bit() -> None:
    p = torch.rand(50)
    torch.manual_seed(4)
    theirs = torch.bernoulli(p)
    with using(generator(4)):
        assert torch.equal(bernoulli(p), theirs)


def test_first_biases_for_long_memory_are_drawn_from_it() -> None:
    cells = [GRUCell(3, 5), GRUCell(3, 5)]
    torch.manual_seed(4)
    cells[0].remember(50)
    with using(generator(4)):
        cells[1].remember(50)
    assert torch.equal(cells[0].bias_ih, cells[1].bias_ih)


def test_a_generator_is_current_inside_its_block_and_in_its_thread_only() -> None:
    outer, inner, elsewhere = generator(1), generator(2), []
    with using(outer):
        with pytest.raises(ZeroDivisionError), using(inner):
            assert current() is inner
            thread = threading.Thread(target=lambda: elsewhere.append(current()))
            thread.start()
            thread.join()
            raise ZeroDivisionError
        assert current() is outer
    assert elsewhere == [None]


# What knows nothing of it


def everything_that_draws() -> dict[str, Callable[[], Tensor]]:
    x = torch.ones(4, 6, 5)
    calls: dict[str, Callable[[], Tensor]] = {
        "rand": lambda: torch.rand(3, dtype=torch.float64),
        "randn": lambda: torch.randn(20),
        "randint": lambda: torch.randint(2, 9, (5,)),
        "randperm": lambda: torch.randperm(9),
        "normal": lambda: torch.normal(0.0, 1.0, (3,)),
        "bernoulli": lambda: torch.bernoulli(x / 2),
        "multinomial": lambda: torch.multinomial(x[0], 2),
        "rand_like": lambda: torch.rand_like(x),
        "randn_like": lambda: torch.randn_like(x),
        "a distribution": lambda: torch.distributions.Dirichlet(x).sample(),
        "dropout": lambda: F.dropout(x, 0.3),
        "dropout in place": lambda: F.dropout(x.clone(), 0.3, True, True),
        "nn.Dropout": lambda: nn.Dropout(0.3)(x),
        "dropout of channels": lambda: nn.Dropout1d()(x),
        "alpha dropout": lambda: nn.AlphaDropout()(x),
        "gumbel": lambda: F.gumbel_softmax(x),
        "nn.LSTM": lambda: nn.LSTM(5, 3, 2, dropout=0.5)(x)[0],
        "transformer": lambda: nn.TransformerEncoderLayer(6, 2)(x.mT),
    }
    for name in ("uniform_", "normal_", "bernoulli_", "random_", "exponential_", "cauchy_", "log_normal_"):
        calls[name] = lambda name=name: getattr(x.clone(), name)()  # type: ignore[misc]
    for name in ("uniform_", "normal_", "kaiming_uniform_", "xavier_uniform_", "orthogonal_", "trunc_normal_"):
        calls[f"init.{name}"] = lambda name=name: getattr(nn.init, name)(torch.empty(4, 5))  # type: ignore[misc]
    for make in (nn.Linear, nn.Embedding, nn.LSTM, nn.MultiheadAttention):
        calls[f"a new {make.__name__}"] = lambda make=make: torch.cat(  # type: ignore[misc]
            [p.flatten() for p in make(4, 2).parameters()]
        )
    return calls


@pytest.mark.parametrize("name", list(everything_that_draws()))
def test_what_torch_draws_is_drawn_from_the_generator(name: str) -> None:
    call = everything_that_draws()[name]
    torch.manual_seed(3)
    expected = [call(), torch.rand(1)]
    torch.manual_seed(77)
    before, ours = torch.random.get_rng_state(), generator(3)
    with drawing(ours):
        found = call()
    assert torch.equal(found, expected[0]) and torch.equal(torch.rand(1, generator=ours), expected[1])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_torchs_own_generator_is_lent_to_one_thread_at_a_time() -> None:
    def twice() -> list[float]:
        first = float(torch.rand(()))
        sleep(0.01)
        return [first, float(torch.rand(()))]

    def in_turn(seed: int) -> list[float]:
        with using(generator(seed)):
            return _lent(torch.device("cpu"), twice, (), {})

    before = torch.random.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(in_turn, range(4)))
    assert found == [torch.rand(2, generator=generator(seed)).tolist() for seed in range(4)]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_generator_that_was_given_is_used() -> None:
    with drawing(generator(3)):
        found = torch.rand(3, generator=generator(9)), torch.empty(3).normal_(generator=generator(9))
    assert torch.equal(found[0], torch.rand(3, generator=generator(9)))
    assert torch.equal(found[1], torch.empty(3).normal_(generator=generator(9)))


def test_every_device_has_one_generator_of_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be no second device here, so its generator is a pretence."""

    class Pretended:
        def __init__(self, device: torch.device):
            self.device = device

        def manual_seed(self, seed: int) -> "Pretended":
            self.seed = seed
            return self

    ours, there = generator(3), torch.device("cuda", 1)
    with using(ours):
        monkeypatch.setattr(torch, "Generator", Pretended)
        found: Any = current(there)
        assert (found.device, found.seed) == (there, 3) and current(there) is found and current() is ours


def test_a_device_without_generators() -> None:
    with drawing(generator(3)), torch.device("meta"):
        assert nn.Linear(2, 2).weight.is_meta and nn.Dropout()(torch.ones(2)).is_meta


def test_code_of_others_is_watched_and_our_own_is_not() -> None:
    """Watching costs about a microsecond for every call of torch."""

    def watched(*parts: object) -> bool:
        with watching(*parts)():
            return torch._C._len_torch_function_stack() > 0

    network, task = seeded({"attention": "dot", "hidden_size": 16}, LAYOUT)
    assert not watched(network, task, Memorised(Batch(torch.zeros(1, 1, 1))), None)
    network.append = nn.Sequential(nn.Linear(1, 1), nn.Dropout())
    assert watched(network) and watched(Strange(2, 2)) and watched(object())


# Through the package


class Strange(GRUCell):
    """A cell by somebody who draws as torch does."""

    native = torch_function = None

    def reset_parameters(self) -> None:
        super().reset_parameters()
        with torch.no_grad():
            self.weight_hh += torch.randn(self.weight_hh.shape).mul_(0.1)

    def step(self, projected: Tensor, state: Any) -> Any:
        state = super().step(F.dropout(projected, 0.2, self.training), state)
        return state._replace(h=state.h + 0.1 * torch.rand_like(state.h) * self.training)


LAYOUT = Layout(lookback=12, horizon=4, segment=3, season=1, cycle=False, channels=1, series=1, missing=False)


@pytest.mark.parametrize("cell", ["gru", "lstm_gru", "strange"])
def test_first_weights_are_those_of_the_seed(cell: str) -> None:
    """The same as torch.manual_seed gives, for a cell of somebody else, too."""
    settings = {"seed": 3, "chrono": 9, "attention": "monotonic", "hidden_size": 16}
    settings["cell"] = Strange if cell == "strange" else cell
    config = make_config(PARTS, settings)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    network, _ = seeded(settings, LAYOUT)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(3)
    expected = _segment_core(config.model, LAYOUT, network.head, None)
    for (name, found), wanted in zip(network.core.named_parameters(), expected.parameters(), strict=True):
        assert torch.equal(found, wanted), name


class Gumbel(nn.Module):
    """Draws by a function that takes no generator."""

    def forward(self, x: Tensor) -> Tensor:
        return x * F.gumbel_softmax(x) if self.training else x


class Guessing:
    """A task that draws, too."""

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        return model(batch.with_values("source", batch.inputs + 0.1 * torch.randn(batch.inputs.shape)))

    def loss(self, output: Output, batch: Batch) -> Loss:
        return Loss.over((output.prediction - batch["target"]).square())


def strange_training(seed: int) -> list[Any]:
    with drawing(generator(0)):
        model = Reader(
            nn.Identity(),
            Recurrent([[Strange(2, 6)]]),
            Pool("last"),
            nn.Sequential(nn.Dropout(), Gumbel(), nn.Linear(6, 1)),
        )
    x = torch.randn(40, 5, 2, generator=generator(1))
    examples = Memorised(Batch(x, x[:, :, :1].sum(1)))
    settings = TrainingSettings(batch_size=16, epoch_steps=3, max_epochs=3, seed=seed)
    losses = [(epoch.train_loss, epoch.valid_loss) for epoch in fit(model, Guessing(), examples, examples, settings)]
    return [losses, torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()]


def test_code_of_others_trains_the_same_in_eight_threads() -> None:
    torch.manual_seed(8)
    before = torch.random.get_rng_state()
    alone = [strange_training(seed) for seed in (0, 1)]
    assert alone[0] != alone[1] and torch.equal(torch.random.get_rng_state(), before)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(strange_training, [0, 1] * 4)) == alone * 4
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.parametrize("omp", ["1", None])
def test_eight_threads_equal_one(omp: str | None) -> None:
    """In a process of its own, for how many threads torch takes is decided when it is loaded."""
    script = Path(__file__).with_name("eight_threads.py")
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment |= {"OMP_NUM_THREADS": omp} if omp else {}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""The network that says what comes next.

Shapes: B texts, T units of each, E numbers of a unit, H hidden units, V units that are known.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...cells import map_state, state_tensors
from ...data.batch import Batch
from ...nn.build import make_recurrent
from ...nn.layers import Recurrence, Recurrent, States, drop
from ...nn.models import Output
from ...random import bernoulli
from ...settings import Config
from .adaptive import Adaptive
from .looking import Boom, LookBack, Past, make_look_back

MANY = 20_000  # units, from which on the softmax is adaptive


class Heard(NamedTuple):
    """What a network made of the units that it read."""

    states: Tensor  # (B, T, H), from which the next units are said
    read: Recurrence
    weights: Tensor | None  # where each looked back
    carried: tuple[Tensor, ...]  # what it goes on from


class LanguageNet(nn.Module):
    """Read a text, and say at every unit which one comes next: ``softmax(W P h_t + b)``.

    W are the vectors of the units themselves if they are ``tied`` (Press & Wolf 2017, arXiv 1608.05859), and P takes
    the states to their width; the softmax may be ``adaptive``. It goes on from what the batch before ``carried``.
    Behind the recurrent layers a state may ``look`` back, and be widened by a ``boom``. In training vectors of whole
    units are dropped, then numbers of all of them, the same at every step, as in the AWD-LSTM (Merity et al., arXiv
    1708.02182).
    """

    def __init__(
        self,
        vocabulary: int,
        recurrent: Recurrent,
        tied: bool,
        dropouts: tuple[float, float, float],
        look: LookBack | None = None,
        boom: Boom | None = None,
        adaptive: Adaptive | None = None,
    ):
        super().__init__()
        self.forget, self.input_dropout, self.output_dropout = dropouts
        size = recurrent.input_size
        self.embed = nn.Parameter(torch.randn(vocabulary, size) * 0.1)
        self.recurrent, self.look, self.boom, self.adaptive = recurrent, look, boom, adaptive
        same = recurrent.output_size == size
        self.narrow = nn.Linear(recurrent.output_size, size, bias=False) if tied and not same else None
        self.weight = None if tied else nn.Parameter(torch.randn(vocabulary, recurrent.output_size) * 0.05)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    @classmethod
    def of(cls, config: Config, vocabulary: int) -> "LanguageNet":
        """Make an untrained network."""
        task, model = config.task, config.model
        recurrent = make_recurrent(model, task.embedding_size or model.hidden_size)
        size = recurrent.output_size
        adaptive = vocabulary >= MANY if task.adaptive is None else task.adaptive
        return cls(
            vocabulary,
            recurrent,
            task.tied,
            (task.embedding_dropout, task.input_dropout, model.dropout),
            make_look_back(config, size),
            Boom(size, task.boom) if task.boom else None,
            Adaptive(recurrent.input_size if task.tied else size, vocabulary) if adaptive else None,
        )

    def forward(self, batch: Batch, record: bool = False, judge: bool = False) -> Output:
        """Return the scores (B, T, V) of what comes after each unit (B, T); see ``nats`` of what ``judge`` returns."""
        heard = self.hear(batch, record)
        states = drop(heard.states, self.output_dropout, self.training, self.recurrent.regularisers.locked)
        said = self.nats(states, batch["target"]) if judge else self.scores(states)
        return Output(said, heard.weights, heard.read, heard.carried)

    def hear(self, batch: Batch, record: bool = False) -> Heard:
        """Read units (B, T)."""
        first, past = self.first(batch.carried) if batch.carried else (None, None)
        read = self.recurrent(self.read(batch.inputs), first, batch.mask, record)
        states, weights, kept = read.outputs, None, ()
        if self.look is not None:
            looked = self.look(states, batch.mask, past)
            states, weights, kept = looked.states, looked.weights, looked.past
        states = states if self.boom is None else self.boom(states)
        return Heard(states, read, weights, (*last_states(read), *kept))

    def read(self, numbers: Tensor) -> Tensor:
        """Return what the recurrent layers read of units (B, T): (B, T, E)."""
        table: Tensor = self.embed
        if self.training and self.forget:
            kept = bernoulli(table.new_full((len(table), 1), 1 - self.forget))
            table = table * kept / (1 - self.forget)
        return drop(F.embedding(numbers, table), self.input_dropout, self.training, locked=True)

    def scores(self, states: Tensor) -> Tensor:
        """Return the scores (…, V) of what comes after ``states`` (…, H)."""
        states, weight = self._answering(states)
        if self.adaptive is not None:
            return self.adaptive.scores(states, weight, self.bias)
        return F.linear(states, weight, self.bias)

    def nats(self, states: Tensor, targets: Tensor) -> Tensor:
        """Return −log of the probability of each of ``targets`` (B, T) after ``states`` (B, T, H)."""
        states, weight = self._answering(states)
        flat, wanted = states.flatten(0, 1), targets.flatten()
        if self.adaptive is not None:
            return self.adaptive.nats(flat, wanted, weight, self.bias).view(targets.shape)
        return F.cross_entropy(F.linear(flat, weight, self.bias), wanted, reduction="none").view(targets.shape)

    def _answering(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is compared: ``states`` (…, H or E), and a vector (V, H or E) of each unit."""
        states = states if self.narrow is None else self.narrow(states)
        return states, self.embed if self.weight is None else self.weight

    def first(self, tensors: tuple[Tensor, ...]) -> tuple[States, Past | None]:
        """Return what was carried: the states, and what can be looked back at."""
        parts = iter(tensors)
        like = self.recurrent.initial(1)
        states = tuple(tuple(map_state(lambda _: next(parts), state) for state in layer) for layer in like)
        return states, None if self.look is None else Past(next(parts), next(parts))


def last_states(read: Recurrence) -> tuple[Tensor, ...]:
    """Return the last states as tensors."""
    return tuple(tensor for layer in read.states for state in layer for tensor in state_tensors(state))

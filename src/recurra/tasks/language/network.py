"""The network that says what comes next.

Shapes: B texts, T units of each, E numbers of a unit, H hidden units, V units that are known.
"""

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


class LanguageNet(nn.Module):
    """Read a text, and say at every unit which one comes next: ``softmax(W P h_t + b)``.

    W are the vectors of the units themselves if they are ``tied`` (Press & Wolf 2017, arXiv 1608.05859), and P takes
    the states to their width. It goes on from what the batch before ``carried``. In training vectors of whole units are
    dropped, then numbers of all of them, the same at every step, as in the AWD-LSTM (Merity et al., arXiv 1708.02182).
    """

    def __init__(self, vocabulary: int, recurrent: Recurrent, tied: bool, dropouts: tuple[float, float, float]):
        super().__init__()
        self.forget, self.input_dropout, self.output_dropout = dropouts
        size = recurrent.input_size
        self.embed = nn.Parameter(torch.randn(vocabulary, size) * 0.1)
        self.recurrent = recurrent
        same = recurrent.output_size == size
        self.narrow = nn.Linear(recurrent.output_size, size, bias=False) if tied and not same else None
        self.weight = None if tied else nn.Parameter(torch.randn(vocabulary, recurrent.output_size) * 0.05)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    @classmethod
    def of(cls, config: Config, vocabulary: int) -> "LanguageNet":
        """Make an untrained network."""
        task, model = config.task, config.model
        recurrent = make_recurrent(model, task.embedding_size or model.hidden_size)
        return cls(vocabulary, recurrent, task.tied, (task.embedding_dropout, task.input_dropout, model.dropout))

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return the scores (B, T, V) of what comes after each unit (B, T)."""
        first = self.first(batch.carried) if batch.carried else None
        read = self.recurrent(self.read(batch.inputs), first, batch.mask, record)
        states = drop(read.outputs, self.output_dropout, self.training, self.recurrent.regularisers.locked)
        return Output(self.scores(states), recurrence=read, carried=carried(read))

    def read(self, numbers: Tensor) -> Tensor:
        """Return what the recurrent layers read of units (B, T): (B, T, E)."""
        table: Tensor = self.embed
        if self.training and self.forget:
            kept = bernoulli(table.new_full((len(table), 1), 1 - self.forget))
            table = table * kept / (1 - self.forget)
        return drop(F.embedding(numbers, table), self.input_dropout, self.training, locked=True)

    def scores(self, states: Tensor) -> Tensor:
        """Return the scores (…, V) of what comes after ``states`` (…, H)."""
        states = states if self.narrow is None else self.narrow(states)
        return F.linear(states, self.embed if self.weight is None else self.weight, self.bias)

    def first(self, tensors: tuple[Tensor, ...]) -> States:
        """Return the states that were carried."""
        parts = iter(tensors)
        like = self.recurrent.initial(1)
        return tuple(tuple(map_state(lambda _: next(parts), state) for state in layer) for layer in like)


def carried(read: Recurrence) -> tuple[Tensor, ...]:
    """Return the last states as tensors."""
    return tuple(tensor for layer in read.states for state in layer for tensor in state_tensors(state))

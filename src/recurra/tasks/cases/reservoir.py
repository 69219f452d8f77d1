"""Echo state networks that read cases: a reservoir reads each one, a ridge regression reads the reservoir.

Shapes: B cases, T steps, I inputs, F features, O numbers that are regressed.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...nn.build import make_recurrent
from ...nn.layers import Pool, Recurrence
from ...nn.models import Output
from ...settings import Config
from ...training.loop import Epoch, Progress, Watch
from ...training.reservoirs import Fit, described, search
from ...training.ridge import NormalEquations
from ...training.task import Task
from ..base import Fitted, Prepared
from .build import plain_readout
from .examples import CaseExamples
from .network import Layout

PENALTIES = tuple(10.0**power for power in range(-10, 3))  # as a share of the mean square of the features
AT_ONCE = 256  # cases that the reservoir reads at a time


class Counted(Task, Protocol):
    """A task whose cases may count differently."""

    def counts(self, batch: Batch) -> Tensor | None:
        """Return how much each case counts (B,); None if all count the same."""
        ...


class ReservoirNet(nn.Module, ABC):
    """``V z + b``, of which a kind makes its answers: z the mean over the steps of a case and the last states.

    V and b come from a ridge regression. All in float64.
    """

    penalty: Tensor
    pool = None  # it looks nowhere

    def __init__(self, config: Config, layout: Layout, outputs: int):
        super().__init__()
        self.layout = layout
        self.recurrent = make_recurrent(config.model, layout.width)
        readout = plain_readout(config)
        self.pools = nn.ModuleList(Pool(kind) for kind in ((readout,) if readout else ("mean", "last")))
        lower = sum(direction.cell.hidden_size for layer in self.recurrent.stack()[:-1] for direction in layer)
        self.out = nn.Linear(lower + len(self.pools) * self.recurrent.output_size, outputs)
        self.register_buffer("penalty", torch.ones(()))  # with which the read-out was found
        self.double()

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return what is said of each case of ``batch.inputs`` (B, T, I)."""
        read, features = self.read(batch, record)
        return Output(self.said(features), None, read)

    def read(self, batch: Batch, record: bool = False) -> tuple[Recurrence, Tensor]:
        """Run the reservoir over each case; return that, and what the read-out sees of it (B, F)."""
        read: Recurrence = self.recurrent(self.layout.joined(batch).double(), mask=batch.mask, record=record)
        lower = [state.h for layer in read.states[:-1] for state in layer]
        return read, torch.cat([*lower, *(pool(read, batch.mask).summary for pool in self.pools)], -1)

    @abstractmethod
    def said(self, features: Tensor) -> Tensor:
        """Return what the network says (B, ...) of ``features`` (B, F)."""

    @abstractmethod
    def goals(self, targets: Tensor) -> Tensor:
        """Return what is regressed (B, O), float64, from what should be said of cases."""

    @abstractmethod
    def adapt(self, valid: "Known", loss: "Callable[[Known], float]") -> float:
        """Choose by validation cases what else an answer needs, where the read-out is found; return their ``loss``."""

    def settle(self, missed: np.ndarray) -> None:
        """Choose again what ``adapt`` chose, by how far the read-out of all others has ``missed`` each case (N, O)."""

    def put(self, sums: NormalEquations, penalty: float) -> None:
        """Take the read-out with this ``penalty``."""
        weights = sums.solve(penalty)
        self.out.weight.copy_(torch.from_numpy(np.ascontiguousarray(weights[:-1].T)))
        self.out.bias.copy_(torch.from_numpy(weights[-1]))
        self.penalty.fill_(penalty)


class Known(NamedTuple):
    """Cases that the reservoir has read."""

    x: Tensor  # (N, F)
    batch: Batch  # their targets and weights, without inputs

    @classmethod
    def of(cls, network: ReservoirNet, examples: CaseExamples) -> "Known":
        """Let the reservoir read all ``examples``."""
        device = network.out.weight.device
        parts = [network.read(examples.take(some).to(device))[1] for some in examples.by_length(AT_ONCE)]
        x = torch.cat(parts)[examples.back()]
        others = {} if examples.weights is None else {"weight": examples.weights}
        return cls(x, Batch(torch.empty(len(x), 0), examples.targets, others=others).to(device))

    @property
    def targets(self) -> Tensor:
        """What should be said of each case (N, ...)."""
        assert self.batch.targets is not None
        return self.batch.targets

    def equations(self, network: ReservoirNet, task: Counted) -> NormalEquations:
        """Return the equations of the regression; cases count as in any training."""
        goals, counts = network.goals(self.targets), task.counts(self.batch)
        sums = NormalEquations(self.x.shape[1], goals.shape[1])
        sums.add(self.x.cpu().numpy(), goals.cpu().numpy(), None if counts is None else counts.cpu().numpy())
        return sums


class Finder:
    """Finds the read-out of whatever reservoir the network of ``fitted`` is just now."""

    def __init__(self, fitted: Fitted, prepared: Prepared):
        train, valid = prepared.train, prepared.valid
        assert isinstance(train, CaseExamples) and isinstance(valid, CaseExamples)
        assert isinstance(fitted.network, ReservoirNet)
        self.train, self.valid, self.network = train, valid, fitted.network
        self.task: Counted = fitted.task  # type: ignore[assignment]

    @torch.inference_mode()
    def fit(self) -> Fit:
        """Put the read-out, of all penalties, that validates best into the network."""
        network = self.network.eval()
        train, valid = Known.of(network, self.train), Known.of(network, self.valid)
        sums = train.equations(network, self.task)

        def put(penalty: float) -> float:
            network.put(sums, penalty)
            return network.adapt(valid, self.loss)

        best = min((put(penalty), penalty) for penalty in PENALTIES)[1]
        loss = put(best)
        return Fit(self.loss(train), loss)

    def loss(self, known: Known) -> float:
        """Return the loss of the network's answers."""
        return float(self.task.loss(Output(self.network.said(known.x)), known.batch).mean)

    @torch.inference_mode()
    def again(self, every: CaseExamples) -> Epoch:
        """Find the read-out again from ``every`` case, with the same penalty; return that as an Epoch."""
        started, known, network = time.perf_counter(), Known.of(self.network, every), self.network
        penalty, counts = float(network.penalty), self.task.counts(known.batch)
        sums = known.equations(network, self.task)
        network.put(sums, penalty)
        x, goals = known.x.cpu().numpy(), network.goals(known.targets).cpu().numpy()
        network.settle(sums.missed(x, goals, penalty, None if counts is None else counts.cpu().numpy()))
        return Epoch(1, 0, self.loss(known), None, False, {}, {}, time.perf_counter() - started)


def train_reservoir(fitted: Fitted, prepared: Prepared, progress: Progress, watch: Watch | None) -> Iterator[Epoch]:
    """Try one reservoir after the other on the validation cases; an Epoch is one of them."""
    finder, config = Finder(fitted, prepared), fitted.config
    yield from search(finder.network, finder.fit, config.model, config.training, progress, watch)
    fitted.record.notes.append(described(finder.network, progress, float(finder.network.penalty)))

"""Classification by an echo state network: a reservoir reads each case, a ridge regression reads the reservoir.

Shapes: B cases, T steps, I inputs, F features, K classes.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...data.batch import Batch
from ...nn.layers import Pool, Recurrence, Recurrent
from ...nn.models import Output
from ...training.loop import Epoch, Progress, Watch
from ...training.reservoirs import Fit, described, search
from ...training.ridge import NormalEquations
from ..base import Fitted, Prepared
from ..cases.examples import CaseExamples
from ..cases.network import Layout

PENALTIES = tuple(10.0**power for power in range(-10, 3))  # as a share of the mean square of the features
SHARPNESS = tuple(2.0**power for power in range(-1, 9))
AT_ONCE = 256  # cases that the reservoir reads at a time


class ReservoirNet(nn.Module):
    """``s (V z + b)`` are the scores of the classes: z the mean over the steps of a case and the last states.

    V and b regress labels of 0 and 1, which are no scores of a softmax yet: the sharpness s makes them some. All in
    float64.
    """

    sharpness: Tensor
    penalty: Tensor
    pool = None  # it looks nowhere

    def __init__(self, layout: Layout, recurrent: Recurrent, readout: str | None, classes: int):
        super().__init__()
        self.layout, self.recurrent = layout, recurrent
        self.pools = nn.ModuleList(Pool(kind) for kind in ((readout,) if readout else ("mean", "last")))
        lower = sum(direction.cell.hidden_size for layer in recurrent.stack()[:-1] for direction in layer)
        self.out = nn.Linear(lower + len(self.pools) * recurrent.output_size, classes)
        self.register_buffer("sharpness", torch.ones(()))
        self.register_buffer("penalty", torch.ones(()))  # with which the read-out was found
        self.double()

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return the scores (B, K) of ``batch.inputs`` (B, T, I)."""
        read, features = self.read(batch, record)
        return Output(self.scores(features), None, read)

    def read(self, batch: Batch, record: bool = False) -> tuple[Recurrence, Tensor]:
        """Run the reservoir over each case; return that, and what the read-out sees of it (B, F)."""
        x = batch.inputs
        x = torch.cat([x, batch["known"].to(x.dtype)], -1) if self.layout.told else x
        read: Recurrence = self.recurrent(x.double(), mask=batch.mask, record=record)
        lower = [state.h for layer in read.states[:-1] for state in layer]
        return read, torch.cat([*lower, *(pool(read, batch.mask).summary for pool in self.pools)], -1)

    def scores(self, features: Tensor) -> Tensor:
        """Return the scores (B, K) of ``features`` (B, F)."""
        return self.sharpness * self.out(features)


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

    def equations(self, fitted: Fitted) -> NormalEquations:
        """Return the equations of the regression to 1 for the class of a case and 0 for others; cases count as ever."""
        targets, classes = self.batch.targets, fitted.network.out.out_features  # type: ignore[union-attr]
        assert targets is not None
        counts = fitted.task.counts(self.batch)  # type: ignore[attr-defined]
        goals = F.one_hot(targets, classes).double()  # type: ignore[arg-type]
        sums = NormalEquations(self.x.shape[1], goals.shape[1])
        sums.add(self.x.cpu().numpy(), goals.cpu().numpy(), None if counts is None else counts.cpu().numpy())
        return sums


class Finder:
    """Finds the read-out of whatever reservoir the network of ``fitted`` is just now."""

    def __init__(self, fitted: Fitted, prepared: Prepared):
        train, valid = prepared.train, prepared.valid
        assert isinstance(train, CaseExamples) and isinstance(valid, CaseExamples)
        self.fitted, self.train, self.valid = fitted, train, valid
        self.network: ReservoirNet = fitted.network  # type: ignore[assignment]

    @torch.inference_mode()
    def fit(self) -> Fit:
        """Put the read-out, of all penalties and sharpnesses, that validates best into the network."""
        network = self.network.eval()
        train, valid = Known.of(network, self.train), Known.of(network, self.valid)
        sums, tried = train.equations(self.fitted), []
        for penalty in PENALTIES:
            put(network, sums, penalty)
            for sharpness in SHARPNESS:
                network.sharpness.fill_(sharpness)
                tried.append((self.loss(valid), penalty, sharpness))
        best, penalty, sharpness = min(tried)
        put(network, sums, penalty)
        network.sharpness.fill_(sharpness)
        return Fit(self.loss(train), best)

    def loss(self, known: Known) -> float:
        """Return the loss of the network's answers."""
        return float(self.fitted.task.loss(Output(self.network.scores(known.x)), known.batch).mean)

    @torch.inference_mode()
    def again(self, every: CaseExamples) -> Epoch:
        """Find the read-out again from ``every`` case, with the same penalty and sharpness; return that as an Epoch."""
        started, known = time.perf_counter(), Known.of(self.network, every)
        put(self.network, known.equations(self.fitted), float(self.network.penalty))
        return Epoch(1, 0, self.loss(known), None, False, {}, {}, time.perf_counter() - started)


def put(network: ReservoirNet, sums: NormalEquations, penalty: float) -> None:
    """Give the network the read-out with this ``penalty``."""
    weights = sums.solve(penalty)
    network.out.weight.copy_(torch.from_numpy(np.ascontiguousarray(weights[:-1].T)))
    network.out.bias.copy_(torch.from_numpy(weights[-1]))
    network.penalty.fill_(penalty)


def train_reservoir(fitted: Fitted, prepared: Prepared, progress: Progress, watch: Watch | None) -> Iterator[Epoch]:
    """Try one reservoir after the other on the validation cases; an Epoch is one of them."""
    finder, config = Finder(fitted, prepared), fitted.config
    yield from search(finder.network, finder.fit, config.model, config.training, progress, watch)
    fitted.record.notes.append(described(finder.network, progress, float(finder.network.penalty)))

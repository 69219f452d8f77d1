"""How the read-out of a reservoir is found: in closed form, its penalty on the validation windows.

Shapes: W windows, H horizon, C channels, F states of the reservoir, P head numbers.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from ...nn.heads import Head, SquaredHead
from ...nn.models import Output
from ...training.loop import Epoch, Progress, Watch
from ...training.reservoirs import Fit, described, search
from ...training.ridge import NormalEquations, predicted
from ..base import Fitted, Prepared
from .placing import to_log
from .plan import ForecastPlan
from .reservoir import ReservoirNet
from .windows import Windows

Array = np.ndarray
PENALTIES = tuple(10.0**power for power in range(-13, 3))  # as a share of the mean square of the features
TRAIN, VALID, SHOWN = 20_000, 2_000, 256  # windows that are used at most: for weights, for choices, for the loss shown
CHECKED = 4  # windows by which is seen how much it matters where a run begins
FADED = 0.01  # of the loss; where it matters less, many windows are answered by one run
FEW = 10  # windows whose whole future is known, below which all are learned from


class Features(NamedTuple):
    """Some windows as a regression sees them."""

    states: Tensor  # (W, F)
    batch: Batch
    x: Array  # (W, F + C): the states and the last values
    values: Array  # (W, H·C): the future, NaN where unknown
    changes: Array  # (W, H·C): and its change from the last value

    @classmethod
    def of(cls, network: ReservoirNet, windows: Windows, states: Tensor) -> "Features":
        """Return ``windows``, after which the reservoir has these ``states``."""
        batch = windows.take(torch.arange(len(windows))).to(states.device)
        assert batch.targets is not None
        last, future, ratio = network.last(batch), batch.targets.double(), batch.get("ratio")
        future = future if ratio is None else to_log(future, ratio)
        if batch.target_mask is not None:
            future = future.masked_fill(~batch.target_mask, torch.nan)
        x = torch.cat([states, last[:, 0]], -1)
        values, changes = (part.flatten(1).cpu().numpy() for part in (future, future - last))
        return cls(states, batch, x.cpu().numpy(), values, changes)

    def equations(self, few: int = FEW) -> NormalEquations:
        """Return the equations for values and changes of windows whose whole future is known; of all, if so few are."""
        whole = np.isfinite(self.values).all(1)
        keep = whole if whole.sum() > few else np.ones(len(whole), bool)
        futures = np.nan_to_num(np.concatenate([self.values, self.changes], 1)[keep])
        sums = NormalEquations(self.x.shape[1], futures.shape[1])
        sums.add(self.x[keep], futures)
        return sums


class Finder:
    """Finds the read-out of whatever reservoir the network of ``fitted`` is just now."""

    def __init__(self, fitted: Fitted, prepared: Prepared):
        network, train, valid = fitted.network, prepared.train, prepared.valid
        assert isinstance(network, ReservoirNet) and isinstance(train, Windows) and isinstance(valid, Windows)
        self.network, self.task, self.sums = network, fitted.task, NormalEquations(0, 0)
        self.seen: tuple[Windows, Tensor] | None = None
        self.train, self.valid = train.some(TRAIN), valid.some(VALID)
        # Together, so that one run over the rows is enough.
        places = ((part.starts, part.series, part.phases) for part in (self.train, self.valid))
        starts, series, phases = (torch.cat(parts) for parts in zip(*places, strict=True))
        self.both = replace(train, starts=starts, series=series, phases=phases)

    @torch.inference_mode()
    def fit(self) -> Fit:
        """Put the best read-out, of all penalties and both targets, into the network; return its losses."""
        network, self.network.seen = self.network, None
        states = network.states(self.both)
        self.seen = self.valid, states[len(self.train) :]
        train = Features.of(network, self.train, states[: len(self.train)])
        valid = Features.of(network, self.valid, states[len(self.train) :])
        self.sums = train.equations()
        put_best(network, self.sums, valid)
        network.spread.copy_(spread_of(network, valid))
        loss = self.loss(valid)
        begun = self._begun(valid)
        network.faded.fill_(begun < FADED * loss)
        shown = np.linspace(0, len(self.train) - 1, min(SHOWN, len(self.train))).round().astype(int)
        seen = Features.of(network, self.train.at(torch.from_numpy(shown)), states[shown])
        return Fit(self.loss(seen), loss + begun)

    def loss(self, some: Features) -> float:
        """Return the loss of what the network says of ``some`` windows."""
        return float(self.task.loss(Output(self.network.answers(some.states, some.batch)), some.batch).mean)

    def _begun(self, valid: Features) -> float:
        """Return by how much forecasts differ that begin with the look-back, not with the series: a mean distance."""
        if not self.network.runs_over(self.both):
            return 0.0
        chosen = torch.linspace(0, len(self.valid) - 1, min(CHECKED, len(self.valid))).round().long()
        windows = self.valid.at(chosen)
        batch = windows.take(torch.arange(len(windows))).to(valid.states.device)
        own = self.network.states(windows, one_by_one=True)
        apart = self.network.answers(own, batch) - self.network.answers(valid.states[chosen], batch)
        return float(apart.abs().mean())


def put_best(network: ReservoirNet, sums: NormalEquations, valid: Features) -> None:
    """Give the network the read-out that does best on the ``valid`` windows."""
    tried = []
    for penalty in PENALTIES:
        both = np.split(predicted(valid.x, sums.solve(penalty)), 2, 1)
        for from_last, (said, truth) in enumerate(zip(both, (valid.values, valid.changes), strict=True)):
            tried.append((mean_error(network.head, said, truth), penalty, bool(from_last)))
    _, penalty, from_last = min(tried)
    put(network, sums.solve(penalty), penalty, from_last)


def put(network: ReservoirNet, both: Array, penalty: float, from_last: bool) -> None:
    """Give the network the read-out of the change ``from_last`` or of the values, which ``both`` have this penalty."""
    weights = np.split(both, 2, 1)[int(from_last)]
    network.readout.weight.copy_(torch.from_numpy(weights[:-1].T))
    network.readout.bias.copy_(torch.from_numpy(weights[-1]))
    network.penalty.fill_(penalty)
    network.from_last.fill_(float(from_last))


def mean_error(head: Head, said: Array, truth: Array) -> float:
    """Return the mean error where the ``truth`` is known: squared if the ``head`` counts so, else absolute."""
    errors = (said - truth)[np.isfinite(truth)]
    return float(np.square(errors).mean() if isinstance(head, SquaredHead) else np.abs(errors).mean())


def spread_of(network: ReservoirNet, valid: Features) -> Tensor:
    """Return how far each number of the head lies from the forecast (H, C, P): the quantiles of what was missed."""
    head, spread = network.head, torch.zeros_like(network.spread)
    if not head.quantiles:
        return spread
    truth = valid.changes if network.from_last else valid.values
    missed = truth - (network.readout(torch.from_numpy(valid.x).to(spread)).cpu().numpy())
    known = np.where(np.isfinite(missed).any(0), missed, 0.0)
    for number, quantile in enumerate(head.quantiles):
        ends = torch.from_numpy(np.nanquantile(known, quantile, axis=0)).view_as(spread[..., 0]).to(spread)
        spread[..., number] = ends.clamp(max=0.0) if quantile < 0.5 else ends.clamp(min=0.0)
    spread[..., head.quantiles.index(0.5)] = 0.0
    return spread


def train_reservoir(fitted: Fitted, prepared: Prepared, progress: Progress, watch: Watch | None) -> Iterator[Epoch]:
    """Try one reservoir after the other on the validation windows; an Epoch is one of them."""
    finder, config = Finder(fitted, prepared), fitted.config
    sums = seen = None
    for epoch in search(fitted.network, finder.fit, config.model, config.training, progress, watch):
        if epoch.best:
            sums, seen = finder.sums, finder.seen
        yield epoch
    finder.network.sums, finder.network.seen = sums, seen
    fitted.record.notes.append(described(finder.network, progress, float(finder.network.penalty)))


@torch.inference_mode()
def refit(fitted: Fitted, prepared: Prepared) -> Epoch:
    """Find the read-out again, with the same penalty, from all windows that are not held out; return that as an Epoch.

    The reservoir stays, and so do the intervals.
    """
    started, network, plan = time.perf_counter(), fitted.network, prepared.plan
    assert isinstance(network, ReservoirNet) and isinstance(plan, ForecastPlan)
    windows = fitted.kind.encode(prepared.data, fitted.learned, plan.whole)
    if network.sums is None or network.seen is None:  # it was interrupted
        parts = [windows.some(TRAIN)]
        sums = NormalEquations(network.readout.in_features, 2 * network.readout.out_features)
    else:
        known = torch.cat([prepared.train.starts, network.seen[0].starts])  # type: ignore[attr-defined]
        others = windows.at(torch.from_numpy(~np.isin(windows.starts.numpy(), known.numpy())).nonzero()[:, 0])
        parts, sums = [network.seen[0], others.some(TRAIN)], network.sums
    added = [Features.of(network, part, network.states(part)) for part in parts if len(part)]
    for part in added:
        sums.join(part.equations(FEW if len(parts) == 1 else -1))
    penalty = float(network.penalty)
    put(network, sums.solve_once(penalty), penalty, bool(network.from_last))
    network.sums = network.seen = None
    said = Output(network.answers(added[0].states, added[0].batch))
    loss = float(fitted.task.loss(said, added[0].batch).mean)
    return Epoch(1, 0, loss, None, False, {}, {}, time.perf_counter() - started)

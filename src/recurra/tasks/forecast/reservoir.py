"""Forecasting by an echo state network: a reservoir reads the series, a ridge regression reads the reservoir.

A forecast reads its look-back from a state of zero. As a reservoir forgets where it began, one run over a whole series
gives the states of all its windows; by how much a forecast differs then counts as its loss.
Shapes: B windows, L look-back, H horizon, C channels, F states of all layers and directions, P head numbers.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...nn.heads import Head
from ...nn.layers import Recurrent, States
from ...nn.models import Output
from ...nn.scan import EVERY_STEP
from ...training.ridge import NormalEquations
from .layout import Layout
from .network import ForecastNet, level
from .placing import from_log, to_log

if TYPE_CHECKING:
    from .windows import Rows, Windows

ONE_BY_ONE = 1e8  # products, up to which windows are read one by one even where a run over the rows would do
AT_ONCE, STEPS = 16, 2048  # stretches of series that are run over at a time, and the most steps of one


def joined(states: States) -> Tensor:
    """Return the states of all layers and directions beside each other (B, F)."""
    return torch.cat([state.h for layer in states for state in layer], -1)


class ReservoirNet(ForecastNet):
    """``ŷ_{t+1..t+H} = V [h_t; x_t] + b + λ x_t``: h_t the states of all layers and directions, x_t the last value.

    λ is 0 or 1: whether the values or their changes from the last one are regressed. All in float64: a read-out of a
    smooth series has weights so large that the rounding of float32 would show.
    """

    spread: Tensor
    from_last: Tensor
    penalty: Tensor
    faded: Tensor
    # While it trains: the equations of the training windows, and the validation windows with the states after them.
    sums: NormalEquations | None = None
    seen: "tuple[Windows, Tensor] | None" = None

    def __init__(self, recurrent: Recurrent, head: Head, layout: Layout):
        super().__init__(nn.Identity(), head, layout, "none")
        self.recurrent = recurrent
        self.size = sum(cell.hidden_size for cell in recurrent.cells())
        self.readout = nn.Linear(self.size + layout.channels, layout.horizon * layout.channels)
        # How far each number of the head lies from the forecast itself.
        self.register_buffer("spread", torch.zeros(layout.horizon, layout.channels, head.size))
        self.register_buffer("from_last", torch.zeros(()))
        self.register_buffer("penalty", torch.ones(()))  # with which the read-out was found
        self.register_buffer("faded", torch.tensor(False))  # whether one run stands for all windows
        self.double()

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return the head's numbers (B, H, C, P) for ``batch.inputs`` (B, L, C)."""
        read = self.recurrent(self.read_of(batch), record=record)
        return Output(self.answers(joined(read.states), batch), None, read)

    def read_of(self, batch: Batch) -> Tensor:
        """Return what the reservoir reads of the look-backs in ``batch`` (B, L, ·)."""
        return self._told(self._seen(batch), batch.get("observed"))

    def read_step(self, x: Tensor, ratio: Tensor | None) -> Tensor:
        """Return what the reservoir reads of single steps (B, C), NaN where unknown: (B, ·)."""
        observed = x.isfinite()
        x = torch.where(observed, x, 0.0).double()
        return self._told(x if ratio is None else to_log(x, ratio), observed)

    def step(self, x: Tensor, states: States) -> States:
        """Return the states after one step more, ``x`` (B, ·) as it is read."""
        outputs, after = x.unsqueeze(1), []
        for (direction,), (state,) in zip(self.recurrent.stack(), states, strict=True):
            # The other engines lay out the weights first, which takes longer than one step does.
            done = direction(outputs, state, EVERY_STEP, "reference")
            outputs = done.outputs
            after.append((done.state,))
        return tuple(after)

    def answers(self, states: Tensor, batch: Batch) -> Tensor:
        """Return the head's numbers (B, H, C, P) from the ``states`` (B, F) after the look-backs in ``batch``."""
        last, ratio = self.last(batch), batch.get("ratio")
        points = self.readout(torch.cat([states, last[:, 0]], -1)).view(len(states), self.layout.horizon, -1)
        params = (points + self.from_last * last).unsqueeze(-1) + self.spread
        return params if ratio is None else from_log(params, ratio.unsqueeze(-1))

    def _seen(self, batch: Batch) -> Tensor:
        """Return the values of ``batch``, or their logarithms, (B, L, C)."""
        x, ratio = batch.inputs.double(), batch.get("ratio")
        return x if ratio is None else to_log(x, ratio)

    def _told(self, x: Tensor, observed: Tensor | None) -> Tensor:
        """Return what the reservoir reads of ``x`` (..., C): zero where it is unknown, and which values are known."""
        x = x if observed is None else torch.where(observed, x, 0.0)
        if not self.layout.missing:
            return x
        return torch.cat([x, torch.ones_like(x) if observed is None else observed.to(x)], -1)

    def last(self, batch: Batch) -> Tensor:
        """Return the last known value of each window (B, 1, C), as the network sees it."""
        return level(self._seen(batch), batch.get("observed"), "last")

    def over(self, windows: "Windows", batch_size: int = 512) -> Iterator[tuple[Tensor, Batch, Tensor]]:
        """Yield numbers, batch and the head's numbers (B, H, C, P) of all ``windows``, some at a time."""
        if not (self.faded and self.runs_over(windows)):
            yield from super().over(windows, batch_size)
            return
        states = self.states(windows)
        for numbers in torch.arange(len(windows)).split(batch_size):
            batch = windows.take(numbers).to(states.device)
            yield numbers, batch, self.answers(states[numbers], batch)

    def runs_over(self, windows: "Windows") -> bool:
        """Tell whether a run over all rows is possible, and so much less than one over each window that it matters."""
        products = sum(cell.hidden_size**2 for cell in self.recurrent.cells())
        steps = len(windows) * windows.lookback
        return self.recurrent.directions == 1 and steps > len(windows.rows.values) and steps * products > ONE_BY_ONE

    def states(self, windows: "Windows", one_by_one: bool = False) -> Tensor:
        """Return the states (W, F) after all ``windows``; from one run over the rows, unless ``one_by_one``."""
        if self.seen is not None and self.seen[0] is windows and not one_by_one:
            return self.seen[1]
        states = torch.empty(len(windows), self.size, dtype=torch.float64, device=self.readout.weight.device)
        one_by_one = one_by_one or not self.runs_over(windows)
        for numbers, some in self._each(windows) if one_by_one else self._run(windows):
            states[numbers] = some
        return states

    def _each(self, windows: "Windows") -> Iterator[tuple[Tensor, Tensor]]:
        """Yield numbers and states, every window read by itself from a state of zero."""
        for numbers in torch.arange(len(windows)).split(512):
            batch = windows.take(numbers).to(self.readout.weight.device)
            yield numbers, joined(self.recurrent(self.read_of(batch)).states)

    def _run(self, windows: "Windows") -> Iterator[tuple[Tensor, Tensor]]:
        """Yield numbers and states, from runs over stretches of the series that are longer than a look-back.

        A stretch begins with the first step of its first window, so that every window is read to its end, and more.
        """
        first, last = windows.starts.numpy(), windows.starts.numpy() + windows.lookback - 1
        length = max(2 * windows.lookback, min(len(first) // AT_ONCE, STEPS))
        # Rows of all series are below each other, so that a window ends in its own series alone.
        _, at = np.unique(np.stack([windows.series.numpy(), last // length]), axis=1, return_inverse=True)
        begins, ends = np.full(at.max() + 1, len(windows.rows.values)), np.zeros(at.max() + 1, np.int64)
        np.minimum.at(begins, at, first)
        np.maximum.at(ends, at, last + 1)
        for group in np.array_split(np.argsort(ends - begins), -(-len(begins) // AT_ONCE)):
            x = self._stretches(windows.rows, begins[group], int((ends - begins)[group].max()))
            outputs = []
            for (direction,) in self.recurrent.stack():
                x = direction(x, None, EVERY_STEP, self.recurrent.engine).outputs
                outputs.append(x)
            lines = np.full(len(begins), -1)
            lines[group] = np.arange(len(group))
            chosen = np.flatnonzero(lines[at] >= 0)
            line, step = (torch.from_numpy(part[chosen]) for part in (lines[at], last - begins[at]))
            yield torch.from_numpy(chosen), torch.cat([part[line, step] for part in outputs], -1)

    def _stretches(self, rows: "Rows", begins: np.ndarray, steps: int) -> Tensor:
        """Return so many ``steps`` of ``rows`` from each of ``begins`` on, as they are read: (B, steps, ·)."""
        # Beyond the end of a stretch, where nobody looks, anything will do.
        places = torch.from_numpy(np.minimum(begins[:, None] + np.arange(steps), len(rows.values) - 1))
        x, observed = rows.values[places].double(), None if rows.observed is None else rows.observed[places]
        if rows.ratios is not None:
            series = np.searchsorted(rows.offsets - rows.pad, begins, "right") - 1
            x = to_log(x, rows.ratios[torch.from_numpy(series)].unsqueeze(1))
        return self._told(x, observed).to(self.readout.weight.device)

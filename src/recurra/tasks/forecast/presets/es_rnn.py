"""ES-RNN: exponential smoothing of each series, and a network for all of them on what it leaves (Smyl 2020).

https://doi.org/10.1016/j.ijforecast.2019.03.017. Shapes: B windows, L look-back, H horizon, C channels, P head numbers,
m season, S series.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ....data.batch import Batch
from ....nn.build import cell_names, make_cell
from ....nn.dilated import Dilated, DilatedStack
from ....nn.heads import Head
from ....nn.layers import Recurrent, Regularisers
from ....nn.models import Output
from ....random import Dropout
from ....settings import Config
from ..layout import Layout
from ..steps import Steps, known

BLOCKS = ((1, 2), (4,))  # steps between a state and the one before it; a season is one more of the second block


class Smoothed(NamedTuple):
    """What is known of windows."""

    level: Tensor  # l_L (B, 1, C)
    season: Tensor  # s_1, ..., s_{L+H} (B, L + H, C)


class Smoothing(nn.Module):
    """Level and season of each window, with a share of each new value that is learned of every series.

        l_t = l_{t−1} + α (x_t − s_t − l_{t−1}),  s_{t+m} = s_t + γ (x_t − l_t − s_t),  α = σ(a),  γ = σ(g)

    The first season of a window begins it: l_m is its mean, s_t = x_t − l_m there, and s_{t+m} = s_t. Where a value is
    missing, both stay. Without a season, or with fewer than two in the look-back, s is 0 and l_1 = x_1.
    """

    def __init__(self, layout: Layout):
        super().__init__()
        self.horizon = layout.horizon
        self.season = layout.season if layout.lookback >= 2 * layout.season else 1

    def forward(self, x: Tensor, known: Tensor, shares: Tensor) -> Smoothed:
        """Smooth ``x`` (B, L, C), where ``known`` (B, L, C) is 1, not 0, with ``shares`` (B, 2·C), a beside g."""
        m, seasonal = self.season, float(self.season > 1)
        alpha, gamma = shares.sigmoid().chunk(2, -1)
        level = _mean(x[:, :m], known[:, :m], _mean(x, known, torch.zeros_like(x[:, 0])))
        places = list((seasonal * known[:, :m] * (x[:, :m] - level.unsqueeze(1))).unbind(1)) * 2
        for value, there in zip(x[:, m:].unbind(1), known[:, m:].unbind(1), strict=True):
            place = places[-m]
            level = level + alpha * there * (value - place - level)
            places.append(place + seasonal * gamma * there * (value - level - place))
        while len(places) < x.shape[1] + self.horizon:
            places.append(places[-m])
        return Smoothed(level.unsqueeze(1), torch.stack(places[: x.shape[1] + self.horizon], 1))


def _mean(x: Tensor, known: Tensor, otherwise: Tensor) -> Tensor:
    """Return the mean of what is known of ``x`` (B, T, C), ``otherwise`` (B, C) where that is nothing."""
    count = known.sum(1)
    return torch.where(count > 0, (x * known).sum(1) / count.clamp(min=1), otherwise)


class SmoothingCore(nn.Module):
    """Smooth, read what is left by dilated layers, and put level and season back: they are learned together.

        z_t = x_t − l_L − s_t,  ŷ_{L+i} = l_L + s_{L+i} + (W tanh(V [h_L; k_{L+1}; ...; k_{L+H}] + b) + c)_i

    h_L is the last state of layers over z, 0 where a value is missing, and the columns beside it; k is known ahead.
    Where the network sees logarithms (``log``) these sums are the products of the paper, ``y / (level · season)``; of
    other values they are its additive form. Other than there, windows are smoothed from their own first season on and
    not whole series from their beginning, what is smoothed are the logarithms, and the loss is that of the head.
    """

    def __init__(self, layout: Layout, layer: Callable[[int, int], Dilated], units: int, head: Head, dropout: float):
        super().__init__()
        self.layout, self.head, self.steps = layout, head, Steps(layout)
        # The shares have the name of what any core knows of each series: by it they are found for new series, and the
        # last row is of those that were not there in training.
        self.identities = nn.Embedding(layout.series + 1, 2 * layout.channels)
        nn.init.zeros_(self.identities.weight)
        self.smoothing = Smoothing(layout)
        dilations = blocks_of(layout)
        widths = [self.steps.read_width, *[units] * (len(dilations) - 1)]
        self.stack = DilatedStack(
            [
                [layer(units if n else width, d) for n, d in enumerate(b)]
                for width, b in zip(widths, dilations, strict=True)
            ]
        )
        read = units + layout.horizon * self.steps.ahead_width
        self.adapter, self.dropout = nn.Linear(read, units), Dropout(dropout)
        self.out = nn.Linear(units, layout.horizon * layout.channels * head.size)

    def forward(self, batch: Batch, record: bool) -> Output:
        """Return (B, H, C, P)."""
        layout, x = self.layout, batch.inputs
        there = known(batch)
        smoothed = self.smoothing(x, there, self.identities(batch["series"]))
        left = there * (x - smoothed.level - smoothed.season[:, : layout.lookback])
        last = self.stack(self.steps(batch.with_values("source", left)))[:, -1]
        read = torch.cat([last, self.steps.ahead(batch).flatten(1)], -1)
        said = self.out(self.dropout(self.adapter(read).tanh()))
        params = said.view(len(batch), layout.horizon, layout.channels, self.head.size)
        return Output(self.head.shift(params, smoothed.level + smoothed.season[:, layout.lookback :]))


def blocks_of(layout: Layout) -> list[list[int]]:
    """Return the dilations of all layers, block by block: those of which two fit into the look-back."""
    first, second = BLOCKS
    later = sorted({*second, layout.season} - {*first})
    fitting = [[d for d in block if d == 1 or 2 * d <= layout.lookback] for block in (first, later)]
    return [block for block in fitting if block]


def make_core(config: Config, layout: Layout, head: Head) -> nn.Module:
    """Make it of the last cell of the settings."""
    model = config.model
    name, size = cell_names(model)[-1], model.hidden_size

    def layer(read: int, dilation: int) -> Dilated:
        cell = make_cell(name, read, size, model.chrono)
        return Dilated(Recurrent([[cell]], Regularisers(), model.truncate, model.engine), dilation)

    return SmoothingCore(layout, layer, size, head, model.dropout)

"""LSTNet: filters, a recurrent network, one that skips whole seasons, and a straight line (Lai et al. 2018).

https://arxiv.org/abs/1703.07015. Shapes: B windows, L look-back, H horizon, C channels, P head numbers, M hidden
units, m season, S units of the layer that skips.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....data.batch import Batch
from ....nn.build import cell_names, make_cell
from ....nn.heads import Head
from ....nn.layers import Recurrent, Regularisers
from ....nn.models import Output
from ....random import Dropout
from ....settings import Config
from ..layout import Layout
from ..steps import Steps
from .straight import Straight

WIDTH = 6  # steps that a filter sees
SKIPPED = 8  # so many times fewer units has the layer that skips


class SkippingCore(nn.Module):
    """``y = W h_L + Σ_{i<m} V_i s_{L−i} + b`` and a straight line: the last state, and the last ones of every phase.

    Both layers read filters over time, ``relu(W * x + b)``. Without a season, or with fewer than two in the look-back,
    nothing is skipped.
    """

    def __init__(self, layout: Layout, recurrent: Recurrent, skipping: Recurrent | None, head: Head, dropout: float):
        super().__init__()
        self.layout, self.steps, self.size, self.skipping = layout, Steps(layout), head.size, skipping
        self.recurrent, self.dropout = recurrent, Dropout(dropout)
        self.filters = nn.Conv1d(self.steps.read_width, recurrent.input_size, WIDTH)
        width = recurrent.output_size + (0 if skipping is None else layout.season * skipping.output_size)
        self.out = nn.Linear(width, layout.horizon * layout.channels * head.size)
        self.straight = Straight(layout, self.steps, head.size)

    def forward(self, batch: Batch, record: bool) -> Output:
        """Return (B, H, C, P)."""
        layout = self.layout
        steps = F.pad(self.steps(batch).transpose(1, 2), (WIDTH - 1, 0))
        found = self.dropout(self.filters(steps).relu().transpose(1, 2))
        read = self.recurrent(found, record=record)
        states = read.outputs[:, -1]
        if self.skipping is not None:
            states = torch.cat([states, self._skipped(found)], -1)
        shape = len(batch), layout.horizon, layout.channels, self.size
        said: Tensor = self.out(self.dropout(states)).view(shape)
        return Output(said + self.straight(batch), recurrence=read)

    def _skipped(self, found: Tensor) -> Tensor:
        """Return the last states of a layer over every m-th step, of all phases: (B, m·S)."""
        assert self.skipping is not None
        season = self.layout.season
        whole = found[:, -(found.shape[1] // season * season) :]
        phases = whole.unflatten(1, (-1, season)).transpose(1, 2).flatten(0, 1)
        return self.skipping(phases).outputs[:, -1].reshape(len(found), -1)


def make_core(config: Config, layout: Layout, head: Head) -> nn.Module:
    """Make it of the last cell of the settings."""
    model = config.model
    size, name = model.hidden_size, cell_names(model)[-1]

    def layer(units: int) -> Recurrent:
        return Recurrent([[make_cell(name, size, units, model.chrono)]], Regularisers(), model.truncate, model.engine)

    skips = layout.season > 1 and layout.lookback >= 2 * layout.season
    skipping = layer(max(1, size // SKIPPED)) if skips else None
    return SkippingCore(layout, layer(size), skipping, head, model.dropout)

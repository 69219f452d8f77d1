"""DA-RNN: a recurrent network that looks twice, at drivers and at steps (Qin et al. 2017, arXiv 1704.02971).

Shapes: B windows, L look-back, H horizon, C channels, N drivers, P head numbers, M hidden units, S of a whole state.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ....attention import AdditiveAttention, Memory
from ....cells import Cell, Gates, State, state_tensors
from ....data.batch import Batch
from ....nn.build import cell_names, make_cell
from ....nn.drivers import InputAttention
from ....nn.heads import Head
from ....nn.models import Output
from ....nn.scan import EVERY_STEP, scan
from ....random import Dropout
from ....settings import Config
from ..layout import Layout
from ..steps import Steps


class Looking(NamedTuple):
    """The state of the decoder."""

    d: Tensor  # (B, M)
    cell: State
    context: Tensor  # (B, M) that the next step reads
    weights: Tensor  # (B, L) of the encoder's steps in it


class TemporalDecoder:
    """The second stage, bound to what it looks at: it reads the series, and looks at all states of the first.

    l_i = v · tanh(W s_{t−1} + U h_i),  β = softmax(l),  c_t = Σ_i β_i h_i,  s_{t+1} = cell(w [y_t; c_t] + b, s_t)
    """

    def __init__(self, core: "DualStageCore", memory: Memory):
        self.core, self.memory = core, memory

    def initial(self) -> Looking:
        """Return the state before the first step."""
        state = self.core.decoder.initial(len(self.memory.values))
        return Looking(state[0], state, *self._look(state))

    def project(self, x: Tensor) -> Tensor:
        """Return the series as it is."""
        return x

    def gates(self, projected: Tensor, state: Looking) -> Gates:
        """Return the gates of the cell inside."""
        return self.core.decoder.gates(self._read(projected, state), state.cell)

    def step(self, projected: Tensor, state: Looking) -> Looking:
        """Read one value (B, ·), and look from the state before it."""
        new = self.core.decoder.step(self._read(projected, state), state.cell)
        return Looking(new[0], new, *self._look(state.cell))

    def _read(self, projected: Tensor, state: Looking) -> Tensor:
        return self.core.decoder.project(self.core.join(torch.cat([projected, state.context], -1)))

    def _look(self, state: State) -> tuple[Tensor, Tensor]:
        query = torch.cat(state_tensors(state), -1).unsqueeze(1)
        seen = self.core.temporal(query, self.memory)
        return seen.context[:, 0], seen.weights[:, 0]


class DualStageCore(nn.Module):
    """Both stages and the read-out ``V (W [d_L; c_L] + b) + b'`` of all steps ahead.

    Drivers are the columns that are known ahead, up to the last step that is forecast, those known up to now, and
    without either the series itself.
    """

    def __init__(self, layout: Layout, steps: Steps, encoder: Cell, decoder: Cell, head: Head, dropout: float):
        super().__init__()
        self.layout, self.steps, self.size, size = layout, steps, head.size, decoder.hidden_size
        state = sum(part.shape[-1] for part in state_tensors(decoder.initial(1)))
        self.drivers, self.decoder = InputAttention(encoder, layout.lookback), decoder
        self.temporal = AdditiveAttention(state, encoder.hidden_size)
        self.join = nn.Linear(layout.channels + encoder.hidden_size, decoder.input_size)
        self.combine = nn.Linear(size + encoder.hidden_size, size)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(size, layout.horizon * layout.channels * head.size)

    def forward(self, batch: Batch, record: bool) -> Output:
        """Return (B, H, C, P) and where the last step looked (B, H, L), the same for all steps ahead."""
        layout, drivers = self.layout, self.steps.driving(batch)
        bound = self.drivers.bind(drivers)
        read = scan(bound, drivers, bound.initial(), EVERY_STEP, "reference")
        decoder = TemporalDecoder(self, self.temporal.project(read.outputs))
        last: Looking = scan(decoder, batch.inputs, decoder.initial(), EVERY_STEP, "reference").state
        said = self.out(self.dropout(self.combine(torch.cat([last.d, last.context], -1))))
        params = said.view(-1, layout.horizon, layout.channels, self.size)
        return Output(params, last.weights.unsqueeze(1).expand(-1, layout.horizon, -1))


def make_core(config: Config, layout: Layout, head: Head) -> nn.Module:
    """Make both stages of the last cell of the settings."""
    model = config.model
    name, size, steps = cell_names(model)[-1], model.hidden_size, Steps(layout)
    encoder = make_cell(name, steps.drivers, size, model.chrono)
    decoder = make_cell(name, layout.channels, size, model.chrono)
    return DualStageCore(layout, steps, encoder, decoder, head, model.dropout)

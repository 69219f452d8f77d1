"""An LSTM and a GRU side by side, mixed unit by unit."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .base import Cell, Gates, Hidden, HiddenAndMemory
from .gru import GRUCell
from .lstm import LSTMCell


class ParallelState(NamedTuple):
    """The mixed output, and the two cells that go on by themselves."""

    h: Tensor  # (B, H)
    lstm: HiddenAndMemory
    gru: Hidden


class ParallelCell(Cell):
    """The parallel LSTM-GRU hybrid: both read the same input, each keeps its own state.

    ``h = m ⊙ h_lstm + (1 − m) ⊙ h_gru`` with ``m = σ(a)``, one learned ``a`` per unit, zero at first.
    The mixed h is what the next layer sees; the cells see their own.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.lstm = LSTMCell(input_size, hidden_size, bias)
        self.gru = GRUCell(input_size, hidden_size, bias)
        self.mix = nn.Parameter(torch.zeros(hidden_size))

    def remember(self, time_scale: int) -> None:
        """Apply chrono initialisation to both cells."""
        self.lstm.remember(time_scale)
        self.gru.remember(time_scale)

    def forward(self, x: Any = None, state: Any = None, plan: Any = None, run: Callable[..., Any] | None = None) -> Any:
        """Return what ``run`` returns, as every cell does; what is hooked onto the two cells before it acts, too."""
        if run is None:
            return super().forward()
        if self.lstm._forward_hooks or self.gru._forward_hooks:
            raise ConfigError(
                "What each of the two cells of a ParallelCell gives is not seen by itself: register the forward hook "
                "on the ParallelCell."
            )
        lstm, gru = (None, None) if state is None else (state.lstm, state.gru)
        whole = partial(run, self, x, state, plan)
        return self.lstm(x, lstm, plan, lambda *_: self.gru(x, gru, plan, lambda *_: whole()))

    def project(self, x: Tensor) -> Tensor:
        """Return both projections, side by side."""
        return torch.cat([self.lstm.project(x), self.gru.project(x)], -1)

    def _parts(self, projected: Tensor) -> tuple[Tensor, ...]:
        return projected.split([4 * self.hidden_size, 3 * self.hidden_size], -1)

    def gates(self, projected: Tensor, state: ParallelState) -> Gates:
        for_lstm, for_gru = self._parts(projected)
        lstm, gru = self.lstm.gates(for_lstm, state.lstm), self.gru.gates(for_gru, state.gru)
        named = {f"lstm {name}": gate for name, gate in lstm.items()}
        named |= {f"gru {name}": gate for name, gate in gru.items()}
        return named | {"mix": self.mix.sigmoid().expand_as(state.h)}

    def step(self, projected: Tensor, state: ParallelState) -> ParallelState:
        for_lstm, for_gru = self._parts(projected)
        lstm = self.lstm.step(for_lstm, state.lstm)
        gru = self.gru.step(for_gru, state.gru)
        return ParallelState(torch.lerp(gru.h, lstm.h, self.mix.sigmoid()), lstm, gru)

    def initial(self, batch_size: int) -> ParallelState:
        """Return zeros for the mix and for both cells."""
        lstm, gru = self.lstm.initial(batch_size), self.gru.initial(batch_size)
        return ParallelState(torch.zeros_like(gru.h), lstm, gru)

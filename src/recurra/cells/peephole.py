"""The LSTM with peepholes (Gers & Schmidhuber 2000, "Recurrent nets that time and count")."""

import torch
from torch import Tensor, nn

from .base import GatedCell, Gates, HiddenAndMemory


class PeepholeCell(GatedCell):
    """An LSTM whose gates look at the memory, which may be full while the output shows nothing.

    ``i = σ(W_i x + U_i h + p_i ⊙ c)``, ``f = σ(W_f x + U_f h + p_f ⊙ c)``, ``g = tanh(W_g x + U_g h)``;
    ``c' = f ⊙ c + i ⊙ g``; ``o = σ(W_o x + U_o h + p_o ⊙ c')``; ``h' = o ⊙ tanh(c')``.
    Blocks in the order i, f, g, o, those of the peepholes ``weight_ch`` (3·H) in the order i, f, o.
    These start at zero: at first it is the LSTM.
    """

    blocks = 4
    per_unit = {"weight_ch": 3}
    state_type = HiddenAndMemory
    native = "peephole"
    first_bias = {1: 1.0}
    chrono_sign = {0: -1, 1: +1}

    def make_parameters(self, bias: bool) -> None:
        super().make_parameters(bias)
        self.weight_ch = nn.Parameter(torch.empty(3 * self.hidden_size))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        super().reset_parameters()
        self.weight_ch.zero_()

    def gates(self, projected: Tensor, state: HiddenAndMemory) -> Gates:
        i, f, g, o = (projected + self.recur(state.h)).chunk(4, -1)
        to_i, to_f, to_o = self.weight_ch.chunk(3)
        i, f, g = (i + to_i * state.c).sigmoid(), (f + to_f * state.c).sigmoid(), g.tanh()
        o = (o + to_o * (f * state.c + i * g)).sigmoid()
        return {"input": i, "forget": f, "candidate": g, "output": o}

    def step(self, projected: Tensor, state: HiddenAndMemory) -> HiddenAndMemory:
        i, f, g, o = self.gates(projected, state).values()
        c = f * state.c + i * g
        return HiddenAndMemory(o * c.tanh(), c)

"""Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000)."""

import torch
from torch import Tensor

from .base import GatedCell, Gates, HiddenAndMemory


class LSTMCell(GatedCell):
    """Long short-term memory: what to write, what to forget and what to show are separate decisions.

    ``i = σ(W_i x + U_i h)``, ``f = σ(W_f x + U_f h)``, ``g = tanh(W_g x + U_g h)``, ``o = σ(W_o x + U_o h)``;
    ``c' = f ⊙ c + i ⊙ g``; ``h' = o ⊙ tanh(c')``. Blocks in the order i, f, g, o, as ``torch.nn.LSTM``.
    """

    blocks = 4
    state_type = HiddenAndMemory
    native = "lstm"
    first_bias = {1: 1.0}
    chrono_sign = {0: -1, 1: +1}
    torch_function = torch.lstm

    def gates(self, projected: Tensor, state: HiddenAndMemory) -> Gates:
        i, f, g, o = (projected + self.recur(state.h)).chunk(4, -1)
        return {"input": i.sigmoid(), "forget": f.sigmoid(), "candidate": g.tanh(), "output": o.sigmoid()}

    def step(self, projected: Tensor, state: HiddenAndMemory) -> HiddenAndMemory:
        i, f, g, o = self.gates(projected, state).values()
        c = f * state.c + i * g
        return HiddenAndMemory(o * c.tanh(), c)

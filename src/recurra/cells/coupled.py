"""The LSTM with coupled input and forget gates (CIFG; Greff et al. 2017, arXiv 1503.04069)."""

from torch import Tensor

from .base import GatedCell, Gates, HiddenAndMemory


class CoupledCell(GatedCell):
    """An LSTM that forgets exactly as much as it writes: ``f = 1 − i``, a quarter fewer parameters.

    ``i = σ(W_i x + U_i h)``, ``g = tanh(W_g x + U_g h)``, ``o = σ(W_o x + U_o h)``;
    ``c' = (1 − i) ⊙ c + i ⊙ g``; ``h' = o ⊙ tanh(c')``. Blocks in the order i, g, o.
    """

    blocks = 3
    state_type = HiddenAndMemory
    native = "coupled"
    first_bias = {0: -1.0}
    chrono_sign = {0: -1}

    def gates(self, projected: Tensor, state: HiddenAndMemory) -> Gates:
        i, g, o = (projected + self.recur(state.h)).chunk(3, -1)
        return {"input": i.sigmoid(), "candidate": g.tanh(), "output": o.sigmoid()}

    def step(self, projected: Tensor, state: HiddenAndMemory) -> HiddenAndMemory:
        i, g, o = self.gates(projected, state).values()
        c = state.c + i * (g - state.c)
        return HiddenAndMemory(o * c.tanh(), c)

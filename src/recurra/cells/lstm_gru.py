"""The LSTM and the GRU fused into one cell: the LSTM's guarded memory, the GRU's economy of gates.

There is no published definition of a fused cell with code that is maintained; these two are the reference.
"""

from torch import Tensor

from .base import GatedCell, Gates, HiddenAndMemory


class LSTMGRUCell(GatedCell):
    """The fused LSTM-GRU cell with four blocks, as many parameters as an LSTM.

    From the GRU it has the reset gate and the single update gate, from the LSTM the memory behind an output
    gate: ``r = σ(W_r x + U_r h)``, ``u = σ(W_u x + U_u h)``, ``o = σ(W_o x + U_o h)``;
    ``c̃ = tanh(W_c x + r ⊙ (U_c h))``; ``c' = (1 − u) ⊙ c + u ⊙ c̃``; ``h' = o ⊙ tanh(c')``.
    With r → 1 it is the coupled LSTM. Blocks in the order r, u, c, o.
    """

    blocks = 4
    state_type = HiddenAndMemory
    native = "lstm_gru"
    first_bias = {1: -1.0}
    chrono_sign = {1: -1}

    def gates(self, projected: Tensor, state: HiddenAndMemory) -> Gates:
        x_r, x_u, x_c, x_o = projected.chunk(4, -1)
        h_r, h_u, h_c, h_o = self.recur(state.h).chunk(4, -1)
        r = (x_r + h_r).sigmoid()
        u = (x_u + h_u).sigmoid()
        return {"reset": r, "update": u, "candidate": (x_c + r * h_c).tanh(), "output": (x_o + h_o).sigmoid()}

    def step(self, projected: Tensor, state: HiddenAndMemory) -> HiddenAndMemory:
        _, u, candidate, o = self.gates(projected, state).values()
        c = state.c + u * (candidate - state.c)
        return HiddenAndMemory(o * c.tanh(), c)


class FullLSTMGRUCell(GatedCell):
    """The fused LSTM-GRU cell with six blocks: every gate of both parents.

    ``i, f, o`` as in the LSTM, ``r, z`` as in the GRU; ``c̃ = tanh(W_c x + r ⊙ (U_c h))``;
    ``c' = f ⊙ c + i ⊙ c̃``; ``h' = (1 − z) ⊙ o ⊙ tanh(c') + z ⊙ h``. With r → 1 and z → 0 it is the LSTM.
    Blocks in the order i, f, c, o, r, z.
    """

    blocks = 6
    state_type = HiddenAndMemory
    native = "lstm_gru_full"
    first_bias = {1: 1.0, 5: -1.0}  # here z lets the old output pass, so it starts low
    chrono_sign = {0: -1, 1: +1}

    def gates(self, projected: Tensor, state: HiddenAndMemory) -> Gates:
        x_i, x_f, x_c, x_o, x_r, x_z = projected.chunk(6, -1)
        h_i, h_f, h_c, h_o, h_r, h_z = self.recur(state.h).chunk(6, -1)
        r = (x_r + h_r).sigmoid()
        return {
            "input": (x_i + h_i).sigmoid(),
            "forget": (x_f + h_f).sigmoid(),
            "candidate": (x_c + r * h_c).tanh(),
            "output": (x_o + h_o).sigmoid(),
            "reset": r,
            "skip": (x_z + h_z).sigmoid(),
        }

    def step(self, projected: Tensor, state: HiddenAndMemory) -> HiddenAndMemory:
        i, f, candidate, o, _, z = self.gates(projected, state).values()
        c = f * state.c + i * candidate
        shown = o * c.tanh()
        return HiddenAndMemory(shown + z * (state.h - shown), c)

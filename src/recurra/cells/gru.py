"""The gated recurrent unit (Cho et al. 2014, arXiv 1406.1078), with the reset after the product."""

import torch
from torch import Tensor

from .base import GatedCell, Gates, Hidden


class GRUCell(GatedCell):
    """The gated recurrent unit: one gate decides how much of the output stays.

    ``r = σ(W_r x + U_r h)``, ``z = σ(W_z x + U_z h)``, ``n = tanh(W_n x + r ⊙ (U_n h))``;
    ``h' = (1 − z) ⊙ n + z ⊙ h``. Blocks in the order r, z, n, as ``torch.nn.GRU``.
    """

    blocks = 3
    state_type = Hidden
    native = "gru"
    first_bias = {1: 1.0}
    chrono_sign = {1: +1}
    torch_function = torch.gru

    def gates(self, projected: Tensor, state: Hidden) -> Gates:
        x_r, x_z, x_n = projected.chunk(3, -1)
        h_r, h_z, h_n = self.recur(state.h).chunk(3, -1)
        r = (x_r + h_r).sigmoid()
        return {"reset": r, "update": (x_z + h_z).sigmoid(), "candidate": (x_n + r * h_n).tanh()}

    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        _, z, n = self.gates(projected, state).values()
        return Hidden(n + z * (state.h - n))

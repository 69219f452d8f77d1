"""The plain recurrent network (Elman 1990)."""

import torch
from torch import Tensor

from .base import GatedCell, Gates, Hidden


class RNNCell(GatedCell):
    """The plain cell: its output is its whole memory.

    ``h' = tanh(W x + U h)``, as ``torch.nn.RNN`` with ``nonlinearity="tanh"``.
    """

    blocks = 1
    state_type = Hidden
    native = "rnn"
    torch_function = torch.rnn_tanh

    def gates(self, projected: Tensor, state: Hidden) -> Gates:
        return {"candidate": torch.tanh(projected + self.recur(state.h))}

    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        return Hidden(self.gates(projected, state)["candidate"])


class ReluRNNCell(GatedCell):
    """The plain cell with a rectifier: ``h' = max(0, W x + U h)``, as ``torch.nn.RNN`` with ``"relu"``.

    Its recurrent weights start at the identity (Le et al., arXiv 1504.00941), so that it remembers at first.
    """

    blocks = 1
    state_type = Hidden
    native = "rnn_relu"
    torch_function = torch.rnn_relu

    @torch.no_grad()
    def reset_parameters(self) -> None:
        super().reset_parameters()
        self.weight_hh.zero_().fill_diagonal_(1.0)

    def gates(self, projected: Tensor, state: Hidden) -> Gates:
        return {"candidate": torch.relu(projected + self.recur(state.h))}

    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        return Hidden(self.gates(projected, state)["candidate"])

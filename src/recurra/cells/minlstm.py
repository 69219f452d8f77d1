"""The minimal LSTM (Feng et al. 2024, "Were RNNs All We Needed?", arXiv 2410.01201)."""

from torch import Tensor
from torch.nn.functional import logsigmoid

from .base import Gates, Hidden
from .linear import Linear, LinearCell


class MinLSTMCell(LinearCell):
    """An LSTM whose gates do not look at the old output, and share what is kept and written between them.

    ``i = σ(W_i x)``, ``f = σ(W_f x)``, ``n = W_n x``; ``h' = f / (f + i) ⊙ h + i / (f + i) ⊙ n``.
    Blocks in the order i, f, n. The share f / (f + i) is computed as ``σ(log f − log i)``.
    """

    blocks = 3
    native = "minlstm"
    first_bias = {0: -1.0, 1: 1.0}
    chrono_sign = {0: -1, 1: +1}

    def gates(self, projected: Tensor, state: Hidden) -> Gates:
        i, f, n = projected.chunk(3, -1)
        kept = (logsigmoid(f) - logsigmoid(i)).sigmoid()
        return {"input": 1 - kept, "forget": kept, "candidate": n}

    def linear(self, projected: Tensor) -> Linear:
        i, f, n = projected.chunk(3, -1)
        kept = (logsigmoid(f) - logsigmoid(i)).sigmoid()
        return Linear(kept, (1 - kept) * n)

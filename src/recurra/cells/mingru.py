"""The minimal GRU (Feng et al. 2024, "Were RNNs All We Needed?", arXiv 2410.01201)."""

from torch import Tensor

from .base import Gates, Hidden
from .linear import Linear, LinearCell


class MinGRUCell(LinearCell):
    """A GRU whose gate does not look at the old output: no recurrent weights, and no loop over time.

    ``z = σ(W_z x)``, ``n = W_n x``; ``h' = (1 − z) ⊙ h + z ⊙ n``. Blocks in the order z, n.
    What one layer cannot know of its past, a second one can: stack at least two.
    """

    blocks = 2
    native = "mingru"
    first_bias = {0: -1.0}
    chrono_sign = {0: -1}

    def gates(self, projected: Tensor, state: Hidden) -> Gates:
        z, n = projected.chunk(2, -1)
        return {"input": z.sigmoid(), "candidate": n}

    def linear(self, projected: Tensor) -> Linear:
        z, n = projected.chunk(2, -1)
        z = z.sigmoid()
        return Linear(1 - z, z * n)

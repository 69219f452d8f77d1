"""Looking at units instead of steps: which of them went through a pattern that counts now.

Shapes: B windows, T steps, M hidden units, K patterns.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Patterned(NamedTuple):
    """What was seen, and how much each unit counted."""

    context: Tensor  # (B, O)
    weights: Tensor  # (B, M), each by itself between 0 and 1


class TemporalPatternAttention(nn.Module):
    """The past of every unit, compared with patterns in time, weighs the units.

        C = Hᵀ F,  a_i = sigmoid(C_i · W_a h_T),  v = Σ_i a_i C_i,  h' = W_h h_T + W_v v

    H (T − 1, M) are the states before the last one h_T, F (T − 1, K) learned patterns over all of them, C_i (K,) what
    unit i has of each. Weights are no shares of one: several units may count.
    Shih et al. 2019, https://arxiv.org/abs/1809.04206.
    """

    def __init__(self, steps: int, size: int, patterns: int):
        super().__init__()
        self.patterns = nn.Linear(steps - 1, patterns, bias=False)  # F
        self.query = nn.Linear(size, patterns, bias=False)  # W_a
        self.state = nn.Linear(size, size, bias=False)  # W_h
        self.seen = nn.Linear(patterns, size, bias=False)  # W_v

    def forward(self, states: Tensor) -> Patterned:
        """Return h' (B, M) for ``states`` (B, T, M) and the weights."""
        past, last = states[:, :-1], states[:, -1]
        found = self.patterns(past.transpose(1, 2))
        weights = (found @ self.query(last).unsqueeze(-1)).squeeze(-1).sigmoid()
        context = torch.einsum("bm,bmk->bk", weights, found)
        return Patterned(self.state(last) + self.seen(context), weights)

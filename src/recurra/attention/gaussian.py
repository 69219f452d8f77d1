"""Gaussian windows that move on: each query says how far and how wide.

Shapes: B batch, Q queries, T steps, D query width, K key width, A attention width, M windows.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .base import Memory, SequentialAttention, ranks, require_positive
from .normalise import softmax

WINDOWS = 3
AHEAD, WIDE = 1.0, 2.0  # steps that an untrained window moves on at each query, and its deviation


class GaussianAttention(SequentialAttention):
    """Windows over positions, whatever stands there, each of which only moves forwards.

        [w^; d^; s^] = V tanh(U s + c) + b
        w = softmax(w^),  u_m = u'_m + softplus(d^_m),  σ_m = softplus(s^_m)
        a_j ∝ Σ_m w_m / σ_m exp(-(j - u_m)² / (2 σ_m²)),  Σ_j a_j = 1

    u' are the middles of the windows at the previous query, before the first one on step 0; j counts the allowed steps
    from 0, so that padding moves nothing. Weights are divided by their sum, as a window may reach beyond the last step.
    Untrained windows move on by 1 step and are 2 steps wide. Query s (B, Q, D), weights (B, Q, T), context (B, Q, K),
    history u (B, M). A is K unless given.
    Graves 2013, https://arxiv.org/abs/1308.0850, with the mixture of Battenberg et al. 2020,
    https://arxiv.org/abs/1910.10288.
    """

    def __init__(self, query_size: int, key_size: int, *, attention_size: int | None = None) -> None:
        super().__init__()
        width = key_size if attention_size is None else attention_size
        require_positive(attention_size=width)
        self.context_size = key_size
        self.query = nn.Linear(query_size, width)  # U, c
        self.windows = nn.Linear(width, 3 * WINDOWS)  # V, b
        with torch.no_grad():
            first = torch.tensor([0.0, _before_softplus(AHEAD), _before_softplus(WIDE)])
            self.windows.bias.copy_(first.repeat_interleave(WINDOWS))

    def start(self, memory: Memory) -> Tensor:
        return memory.values.new_zeros(memory.values.shape[0], WINDOWS)

    def weigh_one(self, query: Tensor, memory: Memory, history: Tensor) -> tuple[Tensor, Tensor]:
        shares, ahead, wide = self.windows(torch.tanh(self.query(query))).chunk(3, -1)  # (B, M) each
        middles, deviation = history + F.softplus(ahead), F.softplus(wide)
        away = (ranks(memory).unsqueeze(1) - middles.unsqueeze(2)) / deviation.unsqueeze(2)  # (B, M, T)
        logs = (shares.log_softmax(-1) - deviation.log()).unsqueeze(2) - away.square() / 2
        return softmax(logs.logsumexp(1), memory.mask), middles


def _before_softplus(value: float) -> float:
    """Return what softplus makes ``value`` of."""
    return math.log(math.expm1(value))

"""Inner product with a squashed map of the key.

Shapes: B batch, Q queries, T steps, D query width, K key width.
"""

import torch
from torch import Tensor, nn

from .base import Score, ScoreAttention
from .normalise import pick_normaliser


class TanhDotAttention(ScoreAttention):
    """The inner product of the query and what one layer makes of the key.

        e_j = s · tanh(W h_j)

    With learned queries s_1, ..., s_R that are the same for every sequence it is the self-attentive pooling
    ``softmax(W_2 tanh(W_1 H))`` of Lin et al. 2017, https://arxiv.org/abs/1703.03130, whose W_2 they are; with one,
    the word attention of Yang et al. 2016 (Hierarchical Attention Networks).
    Query s (B, Q, D), keys tanh(W h) (B, T, D), weights (B, Q, T), context (B, Q, K).
    """

    def __init__(self, query_size: int, key_size: int, *, normaliser: str = "softmax") -> None:
        super().__init__()
        self.context_size = key_size
        self.normaliser = pick_normaliser(normaliser)
        self.key = nn.Linear(key_size, query_size, bias=False)  # W

    def keys(self, states: Tensor) -> Tensor:
        return torch.tanh(self.key(states))

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.mT

    def as_score(self) -> Score:
        return Score()

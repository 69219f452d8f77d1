"""General attention with a learned strength.

Shapes: B batch, Q queries, T steps, D query width, K key width.
"""

import torch
from torch import Tensor, nn

from .base import Score
from .general import GeneralAttention


class ScaledGeneralAttention(GeneralAttention):
    """The general score times one learned number, so that its sharpness is learned apart from its direction.

        e_j = g (h_j · (W s)),  g from 1

    Query s (B, Q, D), keys h (B, T, K), weights (B, Q, T), context (B, Q, K).
    Luong et al. 2015, https://arxiv.org/abs/1508.04025; "scaled Luong" of TensorFlow's translator (Luong et al. 2017).
    """

    def __init__(self, query_size: int, key_size: int, *, normaliser: str = "softmax") -> None:
        super().__init__(query_size, key_size, normaliser=normaliser)
        self.gain = nn.Parameter(torch.tensor(1.0))  # g

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().score(self.gain * query, keys)

    def as_score(self) -> Score:
        return Score(self.gain * self.query.weight)

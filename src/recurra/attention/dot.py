"""Dot-product attention.

Shapes: B batch, Q queries, T steps, K width of query and key.
"""

from torch import Tensor

from .base import Score, ScoreAttention, require_equal_widths
from .normalise import pick_normaliser


class DotAttention(ScoreAttention):
    """The inner product of query and key, without parameters.

        e_j = h_j · s

    Query s (B, Q, K), keys h (B, T, K), weights (B, Q, T), context (B, Q, K).
    Luong et al. 2015, https://arxiv.org/abs/1508.04025.
    """

    def __init__(self, query_size: int, key_size: int, *, normaliser: str = "softmax") -> None:
        super().__init__()
        require_equal_widths("dot", query_size, key_size)
        self.context_size = key_size
        self.normaliser = pick_normaliser(normaliser)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return query @ keys.mT

    def as_score(self) -> Score:
        return Score()

"""Scaled dot-product attention.

Shapes: B batch, Q queries, T steps, K width of query and key.
"""

from torch import Tensor

from .base import Score, ScoreAttention, require_equal_widths
from .normalise import pick_normaliser


class ScaledDotAttention(ScoreAttention):
    """The inner product of query and key, divided so that its spread does not grow with the width.

        e_j = h_j · s / √K

    Query s (B, Q, K), keys h (B, T, K), weights (B, Q, T), context (B, Q, K).
    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.
    """

    def __init__(self, query_size: int, key_size: int, *, normaliser: str = "softmax") -> None:
        super().__init__()
        require_equal_widths("scaled_dot", query_size, key_size)
        self.context_size = key_size
        self.normaliser = pick_normaliser(normaliser)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return (query * query.shape[-1] ** -0.5) @ keys.mT

    def as_score(self) -> Score:
        return Score(scale=self.context_size**-0.5)

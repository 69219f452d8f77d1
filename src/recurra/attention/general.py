"""General (bilinear) attention.

Shapes: B batch, Q queries, T steps, D query width, K key width.
"""

from torch import Tensor, nn

from .base import Score, ScoreAttention
from .normalise import pick_normaliser


class GeneralAttention(ScoreAttention):
    """The inner product of the key and a learned map of the query, so their widths may differ.

        e_j = h_j · (W s)

    Query s (B, Q, D), keys h (B, T, K), weights (B, Q, T), context (B, Q, K).
    Luong et al. 2015, https://arxiv.org/abs/1508.04025.
    """

    def __init__(self, query_size: int, key_size: int, *, normaliser: str = "softmax") -> None:
        super().__init__()
        self.context_size = key_size
        self.normaliser = pick_normaliser(normaliser)
        self.query = nn.Linear(query_size, key_size, bias=False)  # W

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return self.query(query) @ keys.mT

    def as_score(self) -> Score:
        return Score(self.query.weight)

"""Cosine (content) attention.

Shapes: B batch, Q queries, T steps, K width of query and key.
"""

from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from .base import ScoreAttention, require_equal_widths
from .normalise import pick_normaliser

TINY = 1e-4  # norms below this count as this, so that a state of zeros has a gradient of useful size


class CosineAttention(ScoreAttention):
    """The angle between query and key, sharpened by a strength read from the query.

        e_j = β cos(s, h_j),  β = softplus(w · s + b) > 0

    Query s (B, Q, K), keys h / |h| (B, T, K), weights (B, Q, T), context (B, Q, K).
    Graves et al. 2014 (Neural Turing Machines), https://arxiv.org/abs/1410.5401.
    """

    def __init__(self, query_size: int, key_size: int, *, normaliser: str = "softmax") -> None:
        super().__init__()
        require_equal_widths("cosine", query_size, key_size)
        self.context_size = key_size
        self.normaliser = pick_normaliser(normaliser)
        self.strength = nn.Linear(query_size, 1)  # w, b

    def keys(self, states: Tensor) -> Tensor:
        return normalize(states, dim=-1, eps=TINY)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        beta = softplus(self.strength(query))  # (B, Q, 1)
        return beta * (normalize(query, dim=-1, eps=TINY) @ keys.mT)

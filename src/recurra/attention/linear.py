"""Linear attention: one weight for every unit of the key, and one for its product with the query.

Shapes: B batch, Q queries, T steps, K width of query and key.
"""

import torch
from torch import Tensor, nn

from .base import ScoreAttention, require_equal_widths
from .normalise import pick_normaliser


class LinearAttention(ScoreAttention):
    """A weighted sum of the query, the key, and their product unit by unit.

        e_j = w · [s; h_j; s ⊙ h_j] + b

    What is the same for every step, the part of s alone and b, no normaliser sees, so it is left out.
    Query s (B, Q, K), keys h (B, T, K), weights (B, Q, T), context (B, Q, K).
    Seo et al. 2017 (BiDAF), https://arxiv.org/abs/1611.01603.
    """

    def __init__(self, query_size: int, key_size: int, *, normaliser: str = "softmax") -> None:
        super().__init__()
        require_equal_widths("linear", query_size, key_size)
        self.context_size = key_size
        self.normaliser = pick_normaliser(normaliser)
        bound = key_size**-0.5
        self.key = nn.Parameter(torch.empty(key_size).uniform_(-bound, bound))  # w of h
        self.product = nn.Parameter(torch.empty(key_size).uniform_(-bound, bound))  # w of s ⊙ h

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return (self.key + self.product * query) @ keys.mT

"""Additive attention whose last layer is a direction and a length.

Shapes: B batch, Q queries, T steps, D query width, K key width, A attention width.
"""

import math

import torch
from torch import Tensor, nn

from .base import Score, ScoreAttention, require_positive
from .energy import additive_energy
from .normalise import pick_normaliser


class NormedAdditiveAttention(ScoreAttention):
    """The additive score with its last layer normed, so that its size is one number that can be learned fast.

        e_j = g v/|v| · tanh(W s + U h_j + b),  g from √(1/A)

    Query s (B, Q, D), keys U h + b (B, T, A), weights (B, Q, T), context (B, Q, K). A is K unless given.
    Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473, with the weights of Salimans and Kingma 2016,
    https://arxiv.org/abs/1602.07868.
    """

    def __init__(
        self,
        query_size: int,
        key_size: int,
        *,
        attention_size: int | None = None,
        normaliser: str = "softmax",
    ) -> None:
        super().__init__()
        width = key_size if attention_size is None else attention_size
        require_positive(attention_size=width)
        self.context_size = key_size
        self.normaliser = pick_normaliser(normaliser)
        self.query = nn.Linear(query_size, width, bias=False)  # W
        self.key = nn.Linear(key_size, width)  # U, b
        self.direction = nn.Parameter(torch.randn(width))  # v
        self.gain = nn.Parameter(torch.tensor(1.0 / math.sqrt(width)))  # g

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return additive_energy(self.query(query), keys, normed(self.direction, self.gain))

    def as_score(self) -> Score:
        return Score(self.query.weight, normed(self.direction, self.gain))


def normed(direction: Tensor, gain: Tensor) -> Tensor:
    """Return ``g v/|v|`` (A)."""
    return gain * direction / direction.norm()

"""Additive attention.

Shapes: B batch, Q queries, T steps, D query width, K key width, A attention width.
"""

from torch import Tensor, nn

from .base import Score, ScoreAttention, require_positive
from .energy import additive_energy
from .normalise import pick_normaliser


class AdditiveAttention(ScoreAttention):
    """A network with one hidden layer compares query and key.

        e_j = v · tanh(W s + U h_j)

    Query s (B, Q, D), keys U h (B, T, A), weights (B, Q, T), context (B, Q, K). A is K unless given.
    Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473.
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
        self.key = nn.Linear(key_size, width, bias=False)  # U
        self.energy = nn.Linear(width, 1, bias=False)  # v

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return additive_energy(self.query(query), keys, self.energy.weight.squeeze(0))

    def as_score(self) -> Score:
        return Score(self.query.weight, self.energy.weight.squeeze(0))

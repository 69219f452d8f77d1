"""Coverage attention.

Shapes: B batch, Q queries, T steps, D query width, K key width, A attention width.
"""

import torch
from torch import Tensor, nn

from .base import Memory, SequentialAttention, require_positive, spread
from .normalise import pick_normaliser


class CoverageAttention(SequentialAttention):
    """The additive score, which also sees how much every step was looked at so far.

        κ = Σ a',  e_j = v · tanh(W s + U h_j + w κ_j + b)

    a' are the weights of all earlier queries. So a summary does not repeat itself, and no word is translated twice;
    ``coverage_penalty`` in training says so to the loss. Query s (B, Q, D), keys U h + b (B, T, A), weights (B, Q, T),
    context (B, Q, K), history κ (B, T).
    Tu et al. 2016, https://arxiv.org/abs/1601.04811; See et al. 2017, https://arxiv.org/abs/1704.04368.
    """

    def __init__(
        self, query_size: int, key_size: int, *, attention_size: int | None = None, normaliser: str = "softmax"
    ) -> None:
        super().__init__()
        width = key_size if attention_size is None else attention_size
        require_positive(attention_size=width)
        self.context_size = key_size
        self.normaliser = pick_normaliser(normaliser)
        self.query = nn.Linear(query_size, width, bias=False)  # W
        self.key = nn.Linear(key_size, width)  # U, b
        self.covered = nn.Linear(1, width, bias=False)  # w
        self.energy = nn.Linear(width, 1, bias=False)  # v

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def start(self, memory: Memory) -> Tensor:
        return memory.keys.new_zeros(memory.keys.shape[:2])

    def weigh_one(self, query: Tensor, memory: Memory, history: Tensor) -> tuple[Tensor, Tensor]:
        covered = self.covered(history.unsqueeze(-1))  # (B, T, A)
        scores = self.energy(torch.tanh(self.query(query).unsqueeze(1) + memory.keys + covered)).squeeze(-1)
        weights = self.normaliser(scores, spread(memory.mask, scores))
        return weights, history + weights

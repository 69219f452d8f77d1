"""Location-aware attention.

Shapes: B batch, Q queries, T steps, D query width, K key width, A attention width, F filters.
"""

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .base import Memory, SequentialAttention, require_positive, spread
from .normalise import softmax


class LocationAwareAttention(SequentialAttention):
    """The additive score, which also sees where the previous query looked.

        f = conv1d(a'),  e_j = w · tanh(W s + V h_j + U f_j + b)

    a' are the weights of the previous query, zero before the first one. The filters span ``kernel_size``
    neighbouring steps of the memory: a gap in the mask counts as steps, padding on either side does not.
    Query s (B, Q, D), keys V h + b (B, T, A), weights (B, Q, T), context (B, Q, K), history a' (B, T).
    Chorowski et al. 2015, https://arxiv.org/abs/1506.07503.
    """

    def __init__(
        self,
        query_size: int,
        key_size: int,
        *,
        attention_size: int | None = None,
        kernel_size: int = 15,
        filters: int = 8,
    ) -> None:
        super().__init__()
        width = key_size if attention_size is None else attention_size
        require_positive(attention_size=width, kernel_size=kernel_size, filters=filters)
        if kernel_size % 2 == 0:
            raise ConfigError(
                f"The attention 'location_aware' centres its filters on a step, so kernel_size must be odd, "
                f"but got {kernel_size}. The nearest are {kernel_size - 1} and {kernel_size + 1}."
            )
        self.context_size = key_size
        self.query = nn.Linear(query_size, width, bias=False)  # W
        self.key = nn.Linear(key_size, width)  # V, b
        self.location = nn.Conv1d(1, filters, kernel_size, padding="same", bias=False)
        self.feature = nn.Linear(filters, width, bias=False)  # U
        self.energy = nn.Linear(width, 1, bias=False)  # w

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def start(self, memory: Memory) -> Tensor:
        return memory.keys.new_zeros(memory.keys.shape[:2])

    def weigh_one(self, query: Tensor, memory: Memory, history: Tensor) -> tuple[Tensor, Tensor]:
        features = self.location(history.unsqueeze(1)).mT  # (B, T, F)
        hidden = torch.tanh(self.query(query).unsqueeze(1) + memory.keys + self.feature(features))
        scores = self.energy(hidden).squeeze(-1)
        weights = softmax(scores, spread(memory.mask, scores))
        return weights, weights

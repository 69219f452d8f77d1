"""Local monotonic attention: a window that moves one step with each query.

Shapes: B batch, Q queries, T steps, D query width, K key width.
"""

import torch
from torch import Tensor

from .base import Attention, Memory, ranks, require_positive
from .general import GeneralAttention
from .normalise import softmax


class LocalMonotonicAttention(Attention):
    """The general score, limited to a window round the number of the query.

        e_j = h_j · (W s_t),  j in [p_t - window, p_t + window],  p_t = t

    t = 0, 1, ... counts the queries and j the allowed steps, so padding on either side is not counted.
    A query whose window lies beyond the last step attends to nothing: its weights are zero.
    Query s (B, Q, D), keys h (B, T, K), weights (B, Q, T), context (B, Q, K), history (B): queries so far.
    Luong et al. 2015 (local-m), https://arxiv.org/abs/1508.04025.
    """

    sequential = True

    def __init__(self, query_size: int, key_size: int, *, window: int = 10) -> None:
        super().__init__()
        require_positive(window=window)
        self.context_size = key_size
        self.window = window
        self.general = GeneralAttention(query_size, key_size)

    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor]:
        steps = ranks(memory)
        asked = steps.new_zeros(query.shape[0]) if history is None else history
        centre = asked.unsqueeze(1) + torch.arange(query.shape[1], device=asked.device)  # (B, Q)
        inside = (steps.unsqueeze(1) - centre.unsqueeze(2)).abs() <= self.window  # (B, Q, T)
        if memory.mask is not None:
            inside = inside & memory.mask.unsqueeze(1)
        return softmax(self.general.score(query, memory.keys), inside), asked + query.shape[1]

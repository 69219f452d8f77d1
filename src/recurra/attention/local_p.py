"""Local predictive attention: each query says where to look.

Shapes: B batch, Q queries, T steps, D query width, K key width, A attention width.
"""

import torch
from torch import Tensor, nn

from .base import Attention, Memory, ranks, require_positive
from .general import GeneralAttention
from .normalise import softmax


class LocalPredictiveAttention(Attention):
    """The general score in a window round a predicted position, faded by a Gaussian.

        p = L σ(v · tanh(W_p s)),  e_j = h_j · (W s),  j in [p - window, p + window]
        a_j = softmax(e)_j exp(-(j - p)² / (2 (window / 2)²))

    L is the number of allowed steps and j = 1, ..., L counts them, so padding on either side moves nothing.
    The weights are not normalised again: they sum to at most 1.
    Query s (B, Q, D), keys h (B, T, K), weights (B, Q, T), context (B, Q, K). A is K unless given.
    Luong et al. 2015 (local-p), https://arxiv.org/abs/1508.04025.
    """

    def __init__(self, query_size: int, key_size: int, *, attention_size: int | None = None, window: int = 10) -> None:
        super().__init__()
        width = key_size if attention_size is None else attention_size
        require_positive(attention_size=width, window=window)
        self.context_size = key_size
        self.window = window
        self.general = GeneralAttention(query_size, key_size)
        self.where = nn.Linear(query_size, width, bias=False)  # W_p
        self.position = nn.Linear(width, 1, bias=False)  # v

    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, None]:
        steps = ranks(memory).unsqueeze(1) + 1  # (B, 1, T)
        length = steps[..., -1:]  # (B, 1, 1)
        centre = length * torch.sigmoid(self.position(torch.tanh(self.where(query))))  # (B, Q, 1)
        distance = steps - centre
        inside = distance.abs() <= self.window
        if memory.mask is not None:
            inside = inside & memory.mask.unsqueeze(1)
        weights = softmax(self.general.score(query, memory.keys), inside)
        return weights * torch.exp(-2.0 * (distance / self.window) ** 2), None

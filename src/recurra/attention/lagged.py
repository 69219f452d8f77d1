"""Attention that knows how long ago each step was.

Shapes: B batch, Q queries, T steps, N heads, D query width, K key width.
"""

import torch
from torch import Tensor, nn

from .base import ScoreAttention

SPEED = 30.0  # how much faster the preferences are learned than other weights: as those, they change by small steps


class LaggedAttention(ScoreAttention):
    """A preference for every lag, learned, beside the score of query and key.

        e_qj = b_(T+q−j) + c · s(q, h_j)

    The queries q = 0, 1, ... stand behind the memory, one step of it after the other, so that T + q − j is how many
    steps ago h_j was: 1 is the step before. So all queries are asked at once, in their order, and padding counts as
    steps. All b and c start at zero: the first look is at everything alike, and what is in a key counts only as far
    as it helps. ``longest`` is the largest lag with a preference of its own; longer ones share it. With heads every
    head has its own preferences, (N, longest).
    The lags are those of T5 (Raffel et al. 2020, https://arxiv.org/abs/1910.10683), one for each instead of ranges;
    the start is that of ReZero (Bachlechner et al. 2021, https://arxiv.org/abs/2003.04887).
    """

    def __init__(self, content: ScoreAttention, longest: int) -> None:
        super().__init__()
        self.content, self.longest = content, longest
        self.context_size, self.normaliser = content.context_size, content.normaliser
        self.preferences = nn.Parameter(torch.zeros(getattr(content, "heads", 1), longest))  # b / SPEED
        self.share = nn.Parameter(torch.zeros(()))  # c

    def keys(self, states: Tensor) -> Tensor:
        return self.content.keys(states)

    def values(self, states: Tensor) -> Tensor:
        return self.content.values(states)

    def merge(self, context: Tensor) -> Tensor:
        return self.content.merge(context)

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        score = self.content.score(query, keys)
        preferred = self.bias(score.shape[-2], score.shape[-1])
        return self.share * score + (preferred if score.dim() == 4 else preferred[0])

    def bias(self, queries: int, steps: int) -> Tensor:
        """Return b for every query and step: (N, Q, T)."""
        device = self.preferences.device
        lags = steps + torch.arange(queries, device=device).unsqueeze(1) - torch.arange(steps, device=device)
        return SPEED * self.preferences[:, lags.clamp(max=self.longest) - 1]

"""Vectors of words by how they are written.

Shapes: B sentences, T words, L letters of the longest word.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.text import PADDING
from ..random import Dropout
from .layers import Pool, Recurrent

LONGEST = 24  # letters of a word: of a longer one the first and the last ones


class Letters(nn.Module):
    """Read every word letter by letter from both sides: ``[h_L ; h'_1]``, the last states of the two directions.

    Lample et al. 2016, https://arxiv.org/abs/1603.01360.
    """

    def __init__(self, letters: int, recurrent: Recurrent, dropout: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(letters, recurrent.input_size) * 0.1)
        self.recurrent, self.pool, self.dropout = recurrent, Pool("last"), Dropout(dropout)
        self.output_size = recurrent.output_size
        with torch.no_grad():
            self.weight[PADDING] = 0.0

    def forward(self, letters: Tensor, mask: Tensor | None) -> Tensor:
        """Return vectors (B, T, E) of words by their ``letters`` (B, T, L), zero where ``mask`` (B, T) says no word."""
        words = letters.flatten(0, 1) if mask is None else letters[mask]
        words = words[:, : max(1, int((words != PADDING).sum(1).max()))]
        read = self.recurrent(F.embedding(words, self.weight, PADDING), mask=words != PADDING)
        found = self.dropout(self.pool(read).summary)
        if mask is None:
            return found.view(*letters.shape[:2], -1)
        return found.new_zeros(*mask.shape, found.shape[1]).masked_scatter(mask.unsqueeze(-1), found)

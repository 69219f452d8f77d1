"""Vectors of tokens.

Shapes: B texts, T tokens, V tokens that are known, E their width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.text import PADDING, UNKNOWN
from ..random import Dropout, current


class Words(nn.Module):
    """A learned vector for each token: ``e_t = E[w_t]``.

    In training a share ``forget`` of all tokens is taken for unknown, so that a vector for those is learned, too; then
    units are dropped with ``dropout``. Padding is zero, and stays so.
    """

    def __init__(self, tokens: int, pieces: int, width: int, forget: float = 0.0, dropout: float = 0.0):
        super().__init__()
        self.output_size, self.forget = width, forget
        self.weight = nn.Parameter(torch.randn(tokens, width) * 0.1)
        self.pieces = nn.Parameter(torch.randn(1 + pieces, width) * 0.1) if pieces else None
        with torch.no_grad():
            self.weight[PADDING] = 0.0
            if self.pieces is not None:
                self.pieces[0] = 0.0
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return vectors (B, T, E) of ``tokens`` (B, T, 1 + G), int64: of each its number and those of its pieces."""
        words = tokens[..., 0]
        if self.training and self.forget:
            lots = torch.rand(words.shape, generator=current(words.device), device=words.device)
            words = torch.where((lots < self.forget) & (words != PADDING), UNKNOWN, words)
        found = F.embedding(words, self.weight, PADDING)
        if self.pieces is not None:
            parts = tokens[..., 1:].flatten(0, 1)
            found = found + F.embedding_bag(parts, self.pieces, mode="mean", padding_idx=0).view_as(found)
        dropped: Tensor = self.dropout(found)
        return dropped

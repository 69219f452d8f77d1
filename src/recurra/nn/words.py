"""Vectors of tokens.

Shapes: B texts, T tokens, V tokens that are known, E their width, K more tokens, which are not learned, G pieces.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.text import PADDING, UNKNOWN
from ..random import Dropout, current


class Words(nn.Module):
    """A learned vector for each token: ``e_t = E[w_t]``.

    In training a share ``forget`` of all tokens is taken for unknown, so that a vector for those is learned, too; then
    units are dropped with ``dropout``. Padding is zero, and stays so. Tokens numbered V and above have the vectors that
    ``begin`` was given.
    """

    others: Tensor | None

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
        self.register_buffer("others", None, persistent=False)  # whoever gave them keeps them

    @torch.no_grad()
    def begin(self, numbers: Tensor, vectors: Tensor, others: Tensor) -> None:
        """Begin with ``vectors`` (n, E) of the tokens ``numbers`` (n,), and know ``others`` (K, E) besides.

        Tokens without a vector begin as wide as these are; pieces begin at zero, so that vectors are as they came.
        """
        if len(numbers):
            self.weight.mul_(vectors.square().mean().sqrt() / self.weight[UNKNOWN:].square().mean().sqrt())
            self.weight[numbers] = vectors
            if self.pieces is not None:
                self.pieces.zero_()
        self.others = others.to(self.weight.device) if len(others) else None

    def forward(self, tokens: Tensor) -> Tensor:
        """Return vectors (B, T, E) of ``tokens`` (B, T, 1 + G), int64: of each its number and those of its pieces."""
        words = tokens[..., 0]
        if self.training and self.forget:
            lots = torch.rand(words.shape, generator=current(words.device), device=words.device)
            words = torch.where((lots < self.forget) & (words != PADDING), UNKNOWN, words)
        found = self._vectors(words)
        if self.pieces is not None:
            parts = tokens[..., 1:].flatten(0, 1)
            found = found + F.embedding_bag(parts, self.pieces, mode="mean", padding_idx=0).view_as(found)
        dropped: Tensor = self.dropout(found)
        return dropped

    def _vectors(self, words: Tensor) -> Tensor:
        if self.others is None:
            return F.embedding(words, self.weight, PADDING)
        more = words >= len(self.weight)
        known = F.embedding(words.masked_fill(more, PADDING), self.weight, PADDING)
        others = F.embedding((words - len(self.weight)).clamp(min=0), self.others).to(known.dtype)
        return torch.where(more.unsqueeze(-1), others, known)

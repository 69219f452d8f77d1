"""Layers that a gate can close, of the temporal fusion transformer (Lim et al. 2021, arXiv 1912.09363).

Shapes: I numbers read, E numbers of a context, D numbers written; all but the last dimension are as they come.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..random import Dropout


class GatedLinear(nn.Module):
    """``GLU(γ) = (W_5 γ + b_5) ⊙ σ(W_4 γ + b_4)``, (..., I) to (..., D); some of γ is dropped in training.

    The rows of W_5 stand above those of W_4, so that one product does for both.
    """

    def __init__(self, read: int, size: int, dropout: float = 0.0):
        super().__init__()
        self.both, self.dropout = nn.Linear(read, 2 * size), Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., D)."""
        return F.glu(self.both(self.dropout(x)), -1)


class GatedSkip(nn.Module):
    """``LayerNorm(x + GLU(y))``: what stood before a layer, x, and as much of what it said, y, as the gate lets by."""

    def __init__(self, read: int, size: int, dropout: float = 0.0):
        super().__init__()
        self.gated, self.norm = GatedLinear(read, size, dropout), nn.LayerNorm(size)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return (..., D) for x (..., D) and y (..., I)."""
        normed: Tensor = self.norm(x + self.gated(y))
        return normed


class GatedResidual(nn.Module):
    """The gated residual network: as much of a hidden layer as is needed, beside what it reads.

        GRN(a, c) = LayerNorm(a' + GLU(η_1)),  η_1 = W_1 η_2 + b_1,  η_2 = ELU(W_2 a + b_2 + W_3 c)

    a' is a where it is as wide as what is written, else ``W_6 a + b_6``. Without a context c its term is left out.
    """

    def __init__(self, read: int, hidden: int, size: int, context: int = 0, dropout: float = 0.0):
        super().__init__()
        self.read, self.inner = nn.Linear(read, hidden), nn.Linear(hidden, hidden)
        self.context = nn.Linear(context, hidden, bias=False) if context else None
        self.around = nn.Identity() if read == size else nn.Linear(read, size)
        self.skip = GatedSkip(hidden, size, dropout)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return (..., D) for a (..., I) and c (..., E)."""
        hidden = self.read(x)
        if self.context is not None:
            assert context is not None
            hidden = hidden + self.context(context)
        said: Tensor = self.skip(self.around(x), self.inner(F.elu(hidden)))
        return said


class GatedSelection(nn.Module):
    """Several variables as one vector, each with a weight that says how much it counts.

        x = Σ_v w_v GRN_v(ξ_v),  w = softmax(GRN([ξ_1; ...; ξ_V], c)),  ξ_v = A_v z_v + a_v

    Variables z_v (..., W_v), weights w (..., V), x (..., D). One alone is not weighed.
    """

    def __init__(self, widths: Sequence[int], size: int, context: int = 0, dropout: float = 0.0):
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(width, size) for width in widths)
        self.networks = nn.ModuleList(GatedResidual(size, size, size, dropout=dropout) for _ in widths)
        count = len(widths)
        self.weigh = GatedResidual(count * size, size, count, context, dropout) if count > 1 else None

    def forward(self, variables: Sequence[Tensor], context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return x and the weights."""
        parts = [one(values) for one, values in zip(self.maps, variables, strict=True)]
        said = [one(part) for one, part in zip(self.networks, parts, strict=True)]
        if self.weigh is None:
            return said[0], torch.ones_like(said[0][..., :1])
        weights = self.weigh(torch.cat(parts, -1), context).softmax(-1)
        return (torch.stack(said, -1) @ weights.unsqueeze(-1)).squeeze(-1), weights

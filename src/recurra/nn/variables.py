"""Several variables as one vector, each with a weight that says how much it counts.

Shapes: B rows, n places, V variables, W_v numbers of variable v, E numbers of the vector.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ..random import bernoulli


class VariableSelection(nn.Module):
    """The weighted sum of what each variable says, weighted by all of them together.

        x = b + V Σ_v w_v A_v ξ_v,  w = softmax(U [ξ_1; ...; ξ_V] + u)

    All weights are equal to begin with, and then x is a layer over all variables side by side.
    Variables ξ_v (B, n, W_v), weights w (B, n, V), x (B, n, E). The weights are those of the variable selection of
    Lim et al. 2021, https://arxiv.org/abs/1912.09363, with a layer for each gated residual network there.
    """

    def __init__(self, widths: Sequence[int], size: int):
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(width, size, bias=False) for width in widths)
        self.bias = nn.Parameter(torch.zeros(size))
        self.weigh = nn.Linear(sum(widths), len(widths))
        nn.init.zeros_(self.weigh.weight)
        nn.init.zeros_(self.weigh.bias)
        for one in self.maps:  # as one layer over all of them would begin
            nn.init.uniform_(one.weight, -(bound := sum(widths) ** -0.5), bound)  # type: ignore[arg-type]

    def begin_without(self, variables: Iterable[int]) -> None:
        """Let these variables be nothing to begin with."""
        for one in variables:
            nn.init.zeros_(self.maps[one].weight)  # type: ignore[arg-type]

    def forward(self, variables: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return x and the weights."""
        weights = self.weigh(torch.cat(list(variables), -1)).softmax(-1)
        scaled = (len(self.maps) * weights).unsqueeze(-1)
        parts = [scaled[..., v, :] * one(variables[v]) for v, one in enumerate(self.maps)]
        return self.bias + torch.stack(parts).sum(0), weights


def left_out(variables: Iterable[Tensor], share: float) -> list[Tensor]:
    """Return ``variables`` (B, n, W_v), each of which is zero in about a ``share`` of the rows, whichever these are."""
    return [one * bernoulli(one.new_full((len(one), 1, 1), 1 - share)) for one in variables]

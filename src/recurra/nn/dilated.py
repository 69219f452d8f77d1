"""A layer over time whose states are further back than one step.

Shapes: B batch, T steps, I inputs, H hidden units, d steps between a state and the one that it follows.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from .layers import Recurrent


class Dilated(nn.Module):
    """``h_t = cell(x_t, h_{t−d})``: every d-th step is read as a sequence of its own.

    Chang et al. 2017, https://arxiv.org/abs/1710.02224.
    """

    def __init__(self, recurrent: Recurrent, dilation: int):
        super().__init__()
        self.recurrent, self.dilation = recurrent, dilation

    def forward(self, x: Tensor) -> Tensor:
        """Return the states (B, T, H) of all steps of ``x`` (B, T, I)."""
        d, missing = self.dilation, -x.shape[1] % self.dilation
        # What fills the last turn stands behind all steps, so no state has seen it.
        turns = F.pad(x, (0, 0, 0, missing)).unflatten(1, (-1, d)).transpose(1, 2)
        states: Tensor = self.recurrent(turns.flatten(0, 1)).outputs
        return states.unflatten(0, (-1, d)).transpose(1, 2).flatten(1, 2)[:, : x.shape[1]]


class DilatedStack(nn.Module):
    """Blocks of such layers, with what a block read added to what it says, from the second one on.

        x_1 = block_1(x_0),  x_k = x_{k−1} + block_k(x_{k−1})

    Blocks (B, T, I) to (B, T, H), as in the hybrid of Smyl 2020, https://doi.org/10.1016/j.ijforecast.2019.03.017.
    """

    def __init__(self, blocks: Sequence[Sequence[Dilated]]):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(*block) for block in blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Return the states (B, T, H) of the last block."""
        for number, block in enumerate(self.blocks):
            x = block(x) + (x if number else 0.0)
        return x

"""A straight line beside a network: each column from its own last values, and from what is known ahead.

Shapes: B windows, L look-back, H horizon, C channels, P head numbers, Q values that it reads, K numbers known ahead.
"""

from torch import Tensor, nn

from ....data.batch import Batch
from ..layout import Layout
from ..steps import Steps

LONGEST = 24  # last values that it reads at most, as in the papers


class Straight(nn.Module):
    """The autoregressive part of LSTNet: ``y_{t+h,c} = Σ_q w_hq y_{t−q,c} + b_h``, the same for all columns.

    All numbers of the head are moved by it alike, so that what spreads around a value stays with it. What is known
    ahead, k, adds ``V k_{t+h}``.
    """

    def __init__(self, layout: Layout, steps: Steps, numbers: int):
        super().__init__()
        self.steps, self.read, self.numbers = steps, min(LONGEST, layout.lookback), numbers
        self.line = nn.Linear(self.read, layout.horizon)
        width = steps.ahead_width
        self.ahead = nn.Linear(width, layout.channels * numbers, bias=False) if width else None

    def forward(self, batch: Batch) -> Tensor:
        """Return (B, H, C, P)."""
        said: Tensor = self.line(batch.inputs[:, -self.read :].transpose(1, 2)).transpose(1, 2)
        said = said.unsqueeze(-1).expand(-1, -1, -1, self.numbers)
        if self.ahead is None:
            return said
        return said + self.ahead(self.steps.ahead(batch)).view(said.shape)

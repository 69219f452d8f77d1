"""TPA-LSTM: which units of a recurrent network went through a pattern that counts (Shih et al. 2019, arXiv 1809.04206).

Shapes: B windows, L look-back, H horizon, C channels, P head numbers.
"""

from torch import Tensor, nn

from ....data.batch import Batch
from ....errors import ConfigError
from ....nn.build import make_recurrent
from ....nn.heads import Head
from ....nn.layers import Recurrent
from ....nn.models import Output
from ....nn.patterns import TemporalPatternAttention
from ....random import Dropout
from ....settings import Config
from ..layout import Layout
from ..steps import Steps
from .straight import Straight

PATTERNS = 32  # as in the paper


class PatternCore(nn.Module):
    """A linear layer on what is seen says all steps ahead; a straight line from the last values is added."""

    def __init__(self, layout: Layout, steps: Steps, recurrent: Recurrent, head: Head, dropout: float):
        super().__init__()
        self.layout, self.steps, self.size, width = layout, steps, head.size, recurrent.output_size
        self.recurrent, self.dropout = recurrent, Dropout(dropout)
        self.attention = TemporalPatternAttention(layout.lookback, width, PATTERNS)
        self.out = nn.Linear(width, layout.horizon * layout.channels * head.size)
        self.straight = Straight(layout, steps, head.size)

    def forward(self, batch: Batch, record: bool) -> Output:
        """Return (B, H, C, P)."""
        layout = self.layout
        read = self.recurrent(self.steps(batch), record=record)
        seen = self.attention(read.outputs)
        shape = len(batch), layout.horizon, layout.channels, self.size
        said: Tensor = self.out(self.dropout(seen.context)).view(shape)
        return Output(said + self.straight(batch), recurrence=read)


def make_core(config: Config, layout: Layout, head: Head) -> nn.Module:
    """Make it of the cells of the settings."""
    if layout.lookback < 2:
        raise ConfigError(
            f"preset='tpa_lstm' compares states over time, and lookback={layout.lookback} has one: use 2."
        )
    steps = Steps(layout)
    return PatternCore(layout, steps, make_recurrent(config.model, steps.read_width), head, config.model.dropout)

"""MQ-RNN: quantiles of all steps ahead from one encoder, without feeding back (Wen et al. 2017, arXiv 1711.11053).

Shapes: B windows, L look-back, H horizon, C channels, P head numbers, K numbers known of a step, E of a context.
"""

import torch
from torch import Tensor, nn

from ....data.batch import Batch
from ....nn.build import make_recurrent
from ....nn.heads import Head
from ....nn.layers import Recurrent
from ....nn.models import Output
from ....random import Dropout
from ....settings import Config
from ..layout import Layout
from ..steps import Steps


class ForkingCore(nn.Module):
    """One layer for all steps says what is ahead of each, one that is the same for every step says its numbers.

        (c_1, ..., c_H, c_a) = global(h_L, x_{L+1}, ..., x_{L+H}),  y_k = local(c_k, c_a, x_{L+k})

    Both have one hidden layer. Training windows begin at every step, which is what the paper calls forking sequences.
    """

    def __init__(self, layout: Layout, steps: Steps, recurrent: Recurrent, head: Head, dropout: float):
        super().__init__()
        self.layout, self.steps, self.size, width = layout, steps, head.size, recurrent.output_size
        ahead, self.context = steps.ahead_width, max(4, width // 8)
        self.recurrent = recurrent
        contexts = (layout.horizon + 1) * self.context
        self.everything = _perceptron(width + layout.horizon * ahead, width, contexts, dropout)
        self.one = _perceptron(2 * self.context + ahead, width, layout.channels * head.size, dropout)

    def forward(self, batch: Batch, record: bool) -> Output:
        """Return (B, H, C, P)."""
        layout, ahead = self.layout, self.steps.ahead(batch)
        read = self.recurrent(self.steps(batch), record=record)
        said: Tensor = self.everything(torch.cat([read.outputs[:, -1], ahead.flatten(1)], -1))
        contexts = said.view(len(batch), layout.horizon + 1, self.context)
        own, common = contexts[:, :-1], contexts[:, -1:].expand(-1, layout.horizon, -1)
        params = self.one(torch.cat([own, common, ahead], -1))
        return Output(params.view(len(batch), layout.horizon, layout.channels, self.size), recurrence=read)


def _perceptron(read: int, hidden: int, written: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(read, hidden), nn.ReLU(), Dropout(dropout), nn.Linear(hidden, written))


def make_core(config: Config, layout: Layout, head: Head) -> nn.Module:
    """Make it of the cells of the settings."""
    steps = Steps(layout)
    return ForkingCore(layout, steps, make_recurrent(config.model, steps.read_width), head, config.model.dropout)

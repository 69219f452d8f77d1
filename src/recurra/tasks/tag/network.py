"""The network that answers every step: one by one, or all together, and what the whole is before that.

Shapes: B pieces of cases, T steps, H hidden units of all directions, K labels, W intents.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ...nn.build import cell_names, make_recurrent, make_self_attention
from ...nn.crf import Chain
from ...nn.layers import Recurrent, SelfAttention
from ...settings import Config
from ..cases.build import make_reader
from ..cases.network import CaseNet, Frames, Layout, Segments, Tokens


class Intents(nn.Module):
    """What each step says of the whole, and a stack that reads on with that in mind.

        q_t = softmax(W h_t),  h'_t = recurrent([h_t; q_t])

    Stack-Propagation, Qin et al. 2019, https://arxiv.org/abs/1909.02188.
    """

    def __init__(self, size: int, intents: int, recurrent: Recurrent):
        super().__init__()
        self.linear, self.recurrent = nn.Linear(size, intents), recurrent
        self.output_size = recurrent.output_size

    def forward(self, states: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return h' (B, T, H') of ``states`` h (B, T, H), and the scores of the intents (B, T, W)."""
        scores = self.linear(states)
        read = self.recurrent(torch.cat([states, scores.softmax(-1)], -1), mask=mask)
        return read.outputs, scores


class TagNet(CaseNet):
    """Scores of the labels of every step; a ``chain`` says which follow each other, if all are decided together."""

    def __init__(
        self,
        read: tuple[Segments | Frames | Tokens, Recurrent],
        sizes: tuple[int, int],
        dropout: float,
        among: SelfAttention | None,
        chain: Chain | None,
        intents: Intents | None,
    ):
        super().__init__(*read, None, sizes, dropout, among)
        self.chain, self.intents = chain, intents

    @classmethod
    def of(cls, config: Config, layout: Layout, labels: int, intents: int, chain: Chain | None) -> "TagNet":
        """Make an untrained network."""
        read, model = make_reader(config, layout), config.model
        size = read[1].output_size
        beside = None
        if intents:
            one = replace(model, num_layers=1, cell=cell_names(model)[-1])
            beside = Intents(size, intents, make_recurrent(one, size + intents))
        width = beside.output_size if beside else size
        return cls(read, (width, labels), model.dropout, make_self_attention(model, size), chain, beside)

    def answered(self, states: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the scores of each step (B, T, K), and what each says of the whole (B, T, W)."""
        if self.intents is None:
            return super().answered(states, mask)
        states, whole = self.intents(states, mask)
        return self.out(self.dropout(states)), whole

"""Two parts of one sequence that look at each other: a passage and the question about it.

Shapes: B batch, T steps, D numbers of a state.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Flowed(NamedTuple):
    """What the steps of a sequence know once both of its parts have looked at each other."""

    states: Tensor  # (B, T, 4 D)
    weights: Tensor  # (B, T, T): where each step looked in the question


class Flow(nn.Module):
    """Attention flow between a passage and a question, states ``h`` of which are steps of one sequence.

        S_tj = w · [h_t; h_j; h_t ⊙ h_j]
        u_t  = Σ_j softmax_j(S_tj) h_j           over the steps j of the question
        v    = Σ_t softmax_t(max_j S_tj) h_t     over the steps t of the passage
        g_t  = [h_t; u_t; h_t ⊙ u_t; h_t ⊙ v]

    Seo et al. 2017, "Bidirectional attention flow for machine comprehension", arXiv 1611.01603. The passage there is a
    sequence of its own; here its states may have read the question before.
    """

    def __init__(self, size: int):
        super().__init__()
        self.own, self.other = nn.Linear(size, 1), nn.Linear(size, 1, bias=False)
        self.both = nn.Parameter(torch.randn(size) * size**-0.5)
        self.output_size = 4 * size

    def forward(self, states: Tensor, question: Tensor, passage: Tensor) -> Flowed:
        """Return what all ``states`` (B, T, D) know, whose steps are of the ``question`` or the ``passage``, (B, T).

        Either must have a step in each sequence.
        """
        scores = self.own(states) + self.other(states).mT + (states * self.both) @ states.mT
        scores = scores.masked_fill(~question.unsqueeze(1), -torch.inf)
        weights = scores.softmax(-1)
        asked = weights @ states
        most = scores.amax(-1).masked_fill(~passage, -torch.inf)
        about = most.softmax(-1).unsqueeze(1) @ states
        return Flowed(torch.cat([states, asked, states * asked, states * about], -1), weights)

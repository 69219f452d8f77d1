"""A softmax in two steps, for very many units.

Shapes: E numbers of a unit, V units that are known, G groups of rare ones, F units that are frequent.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Adaptive(nn.Module):
    """Say first whether a unit is a frequent one, and which, or of which group of rare ones; then which of these.

        P(w) = P(w | frequent or a group) for frequent ones, else P(group of w) P(w | its group)

    Each of them is a softmax over vectors of units and groups, so that a step of training computes the rare ones only
    where they are. The twenty-fifth part of the units is frequent, the fifth behind it is one group, the rest another:
    they are numbered by how frequent they are. Grave et al. 2017, https://arxiv.org/abs/1609.04309, but with vectors of
    one width, so that they can be those of the units themselves.
    """

    def __init__(self, size: int, vocabulary: int):
        super().__init__()
        shares = {max(1, vocabulary // 25), max(2, vocabulary // 5)}
        self.borders = [*sorted(border for border in shares if border < vocabulary), vocabulary]
        self.groups = nn.Parameter(torch.randn(len(self.borders) - 1, size) * 0.1)
        self.bias = nn.Parameter(torch.zeros(len(self.groups)))

    def scores(self, states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return the log-probabilities (…, V) after ``states`` (…, E), by vectors (V, E) and biases (V) of units."""
        frequent, groups = self._first(states, weight, bias).split([self.borders[0], len(self.groups)], -1)
        parts = [frequent]
        for number, (first, end) in enumerate(self._parts()):
            rare = F.linear(states, weight[first:end], bias[first:end]).log_softmax(-1)
            parts.append(rare + groups[..., number : number + 1])
        return torch.cat(parts, -1)

    def nats(self, states: Tensor, targets: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return −log of the probability of each of ``targets`` (N,) after ``states`` (N, E)."""
        where = targets.clone()
        members = []
        for number, (first, end) in enumerate(self._parts()):
            rows = ((targets >= first) & (targets < end)).nonzero()[:, 0]
            where[rows] = self.borders[0] + number
            members.append((rows, first, end))
        nats = F.cross_entropy(self._first(states, weight, bias), where, reduction="none")
        for rows, first, end in members:
            scores = F.linear(states[rows], weight[first:end], bias[first:end])
            nats = nats.index_add(0, rows, F.cross_entropy(scores, targets[rows] - first, reduction="none"))
        return nats

    def _first(self, states: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return the log-probabilities (…, F + G) of frequent units and of groups."""
        size = self.borders[0]
        vectors, biases = torch.cat([weight[:size], self.groups]), torch.cat([bias[:size], self.bias])
        return F.linear(states, vectors, biases).log_softmax(-1)

    def _parts(self) -> list[tuple[int, int]]:
        """Return the first and the last number of every group."""
        return list(zip(self.borders[:-1], self.borders[1:], strict=True))

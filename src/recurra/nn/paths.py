"""Label sequences of a chain: the score of one, the best ones by Viterbi's algorithm.

Shapes: B batch, T steps, K labels, N paths. Inside, the time comes first, as in ``sums``.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .sums import Gradients, Potentials, at_ends, is_real


class Path(NamedTuple):
    """The score of one sequence for each row, and what is in it."""

    value: Tensor  # (B,)
    nodes: Tensor  # (T, B, K), 1 at the labels, 0 behind the end
    pairs: Tensor  # (T - 1, B), the number of each pair of neighbours
    real: Tensor  # (T - 1, B), 1.0 where there is one
    lengths: Tensor | None

    def gradients(self, weights: Tensor) -> Gradients:
        """Return the gradients of ``value``, summed over the rows by their ``weights`` (B,)."""
        labels = self.nodes.shape[-1]
        edges = weights.new_zeros(labels * labels)
        edges.index_add_(0, self.pairs.flatten(), (self.real * weights).flatten())
        nodes = self.nodes * weights.unsqueeze(-1)
        ends = at_ends(nodes, self.lengths).sum(0)
        return Gradients(nodes.transpose(0, 1), edges.view(labels, labels), nodes[0].sum(0), ends)


def follow(potentials: Potentials, labels: Tensor) -> Path:
    """Return the path of ``labels`` (B, T), which are known; behind the end of a row they are not read."""
    given, labels = potentials.in_steps(), labels.mT
    steps, batch, count = given.scores.shape
    real = given.scores.new_ones(steps, batch)
    if given.lengths is not None:
        real = is_real(given.lengths, steps).to(real.dtype)
        labels = labels.masked_fill(real == 0, 0)
    at, pairs = labels.unsqueeze(-1), labels[:-1] * count + labels[1:]
    nodes = torch.zeros_like(given.scores).scatter_(-1, at, real.unsqueeze(-1))
    # Not a product with ``real``: what is forbidden behind the end must not count.
    between = torch.where(real[1:] > 0, given.transitions.flatten()[pairs], 0.0).sum(0)
    ends = given.first[labels[0]] + given.last[at_ends(labels, given.lengths)]
    seen = torch.where(real > 0, given.scores.gather(-1, at).squeeze(-1), 0.0).sum(0)
    return Path(seen + between + ends, nodes, pairs, real[1:], given.lengths)


def best_paths(potentials: Potentials, count: int) -> tuple[Tensor, Tensor]:
    """Return the N best sequences of each row (B, N, T) and their scores (B, N), in falling order.

    Every label keeps the N best ways that lead to it (Schwartz & Chow 1990, the N-best list of a Viterbi search). Where
    there are fewer, the score is −∞ and the sequence is zeros, as it is behind the end of a row.
    """
    given = potentials.in_steps()
    _, batch, labels = given.scores.shape
    state = given.scores.new_full((batch, labels, count), -torch.inf)
    state[..., 0] = given.first + given.scores[0]
    into = given.transitions.mT.unsqueeze(-1)  # (K to, K from, 1)
    states, ways = [state], []
    for score in given.scores[1:]:
        state, way = _greatest((state.unsqueeze(1) + into).flatten(2), count)  # of (B, K to, K from · N)
        state = state + score.unsqueeze(-1)
        states.append(state)
        ways.append(way)
    ends = state if given.lengths is None else at_ends(torch.stack(states), given.lengths)
    values, at = _greatest((ends + given.last.unsqueeze(-1)).flatten(1), count)
    return _backwards(given, at, ways, count).masked_fill(values.isneginf().unsqueeze(-1), 0), values


def _greatest(numbers: Tensor, count: int) -> tuple[Tensor, Tensor]:
    values, places = numbers.max(-1, keepdim=True) if count == 1 else numbers.topk(count)  # the first is faster
    return values, places


def _backwards(given: Potentials, at: Tensor, ways: list[Tensor], count: int) -> Tensor:
    """Return the sequences (B, N, T) that end ``at`` (B, N), places among the K · N ways of the last real step."""
    steps = len(given.scores)
    real = None if given.lengths is None else is_real(given.lengths, steps).unsqueeze(-1)  # (T, B, 1)
    places = [at]
    for step in range(steps - 1, 0, -1):
        before = ways[step - 1].flatten(1).gather(1, at)
        at = before if real is None else torch.where(real[step], before, at)
        places.append(at)
    paths = torch.stack(places[::-1], -1) // count
    return paths if real is None else paths.masked_fill(~real.permute(1, 2, 0), 0)

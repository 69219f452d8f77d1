"""Sums over all label sequences of a chain: forward and backward in one loop, without a graph of the steps.

Shapes: B batch, T steps, K labels; D = 2 directions. Inside, the time comes first, so that a step lies in one piece.
"""

from typing import NamedTuple

import torch
from torch import Tensor

TINY = 1e-140  # a product of two such numbers is still a number, and what was lost below 1e-308 is nothing beside one


class Potentials(NamedTuple):
    """What is summed up, as logarithms in float64; −∞ is what is forbidden."""

    scores: Tensor  # (B, T, K), anything behind the end of a row
    transitions: Tensor  # (K, K), from the row to the column
    first: Tensor  # (K,)
    last: Tensor  # (K,)
    lengths: Tensor | None  # (B,) int64, at least 1; None: all T

    def in_steps(self) -> "Potentials":
        """Return the same with the scores (T, B, K), 0 behind the end of a row."""
        steps = self.scores.transpose(0, 1).contiguous()
        if self.lengths is not None:
            steps = steps.masked_fill(~is_real(self.lengths, len(steps)).unsqueeze(-1), 0.0)
        return self._replace(scores=steps)


class Gradients(NamedTuple):
    """Those of the potentials, shaped as they are."""

    scores: Tensor
    transitions: Tensor
    first: Tensor
    last: Tensor


class Exact(NamedTuple):
    """Rows that were summed up in logarithms."""

    rows: Tensor  # (R,), which of the batch
    log_z: Tensor  # (R,)
    log_nodes: Tensor  # (T, R, K)
    edges: Tensor  # (R, K, K), sums over the steps


class Beliefs(NamedTuple):
    """The logarithm of the sum over all sequences, and how probable each label and each pair of neighbours is.

    The pair (i, j) at the steps t and t + 1 has the probability ``left[t, b, i] · follow[i, j] · right[t, b, j]``.
    """

    value: Tensor  # (B,)
    nodes: Tensor  # (T, B, K), 0 behind the end
    left: Tensor  # (T - 1, B, K)
    right: Tensor  # (T - 1, B, K), 0 behind the end and in the rows of ``exact``
    follow: Tensor  # (K, K)
    lengths: Tensor | None
    exact: Exact | None

    def gradients(self, weights: Tensor) -> Gradients:
        """Return the gradients of ``value``, summed over the rows by their ``weights`` (B,)."""
        weighted = (self.right * weights.unsqueeze(-1)).flatten(0, 1)
        edges = self.follow * (self.left.flatten(0, 1).mT @ weighted)
        if self.exact is not None:
            edges += torch.einsum("rij,r->ij", self.exact.edges, weights[self.exact.rows])
        nodes = self.nodes * weights.unsqueeze(-1)
        return Gradients(nodes.transpose(0, 1), edges, nodes[0].sum(0), at_ends(nodes, self.lengths).sum(0))

    def log_nodes(self) -> Tensor:
        """Return the logarithm of ``nodes`` as (B, T, K), which is finite for all that is possible."""
        logs = self.nodes.log()
        if self.exact is not None:
            logs[:, self.exact.rows] = self.exact.log_nodes
        return logs.transpose(0, 1)


def believe(potentials: Potentials) -> Beliefs:
    """Return the sums over all sequences of every row.

    They are sums of products, brought to the size of 1 at each step. A row in which something possible becomes
    smaller than TINY is done again in logarithms, which takes longer and loses nothing.
    """
    given = potentials.in_steps()
    highest = given.scores.amax(-1, keepdim=True)
    weights = _both_ways((given.scores - highest).exp(), given.lengths)
    (first, first_by), (last, last_by), (follow, follow_by) = map(_scaled, (given.first, given.last, given.transitions))
    before, raw, scale, state = _sweep(weights, torch.stack((first, last)), torch.stack((follow, follow.mT)))
    forward, backward = state[:, 0], turn(state[:, 1], given.lengths)
    outside = turn(before[:, 1], given.lengths)

    sizes = (scale[:, 0].log() + highest).squeeze(-1)  # (T, B)
    count: Tensor | int = len(sizes)
    right = backward[1:] / _or_one((before[1:, 0] * backward[1:]).sum(-1, keepdim=True))
    if given.lengths is not None:
        real, count = is_real(given.lengths, len(sizes)), given.lengths
        sizes, outside, right = sizes * real, outside * real.unsqueeze(-1), right * real[1:].unsqueeze(-1)
    ends = (at_ends(forward, given.lengths) * last).sum(-1).log()
    value = sizes.sum(0) + (count - 1) * follow_by + first_by + last_by + ends
    nodes = forward * outside
    nodes = nodes / _or_one(nodes.sum(-1, keepdim=True))
    done = Beliefs(value, nodes, forward[:-1], right, follow, given.lengths, None)
    rows = _rows_in_danger(given, raw, scale)
    return done if rows is None else _corrected(done, _exactly(given, rows))


def turn(numbers: Tensor, lengths: Tensor | None) -> Tensor:
    """Return ``numbers`` (T, B, K) with the real steps of each row in the other order."""
    if lengths is None:
        return numbers.flip(0)
    steps = torch.arange(len(numbers), device=numbers.device).unsqueeze(-1)
    other = lengths - 1 - steps
    return numbers.gather(0, torch.where(other < 0, steps, other).unsqueeze(-1).expand_as(numbers))


def is_real(lengths: Tensor, steps: int) -> Tensor:
    """Return which steps are real, (T, B)."""
    return torch.arange(steps, device=lengths.device).unsqueeze(-1) < lengths


def at_ends(numbers: Tensor, lengths: Tensor | None) -> Tensor:
    """Return what ``numbers`` (T, B, …) are at the last real step of each row, (B, …)."""
    if lengths is None:
        return numbers[-1]
    return numbers[lengths - 1, torch.arange(len(lengths), device=lengths.device)]


def _both_ways(numbers: Tensor, lengths: Tensor | None) -> Tensor:
    return torch.stack((numbers, turn(numbers, lengths)), 1)  # (T, D, B, K)


def _scaled(logs: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``exp(logs − by)``, of which the greatest is 1, and ``by``."""
    by = logs.amax()
    by = torch.where(by.isneginf(), 0.0, by)
    return (logs - by).exp(), by


def _or_one(numbers: Tensor) -> Tensor:
    return torch.where(numbers == 0, 1.0, numbers)


def _sweep(weights: Tensor, start: Tensor, follow: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Go over the steps in both directions at once.

    Returns, all (T, D, B, K) but the scale (T, D, B, 1): what comes from the steps before; its product with the
    ``weights`` of the step; the greatest of the products; the products divided by it.
    """
    before, raw, state = (torch.empty_like(weights) for _ in range(3))
    scale = weights.new_empty(*weights.shape[:-1], 1)
    before[0] = start.unsqueeze(1)
    old = None
    for weight, come, product, by, new in zip(*map(torch.unbind, (weights, before, raw, scale, state)), strict=True):
        if old is not None:
            torch.bmm(old, follow, out=come)
        torch.mul(come, weight, out=product)
        torch.amax(product, -1, keepdim=True, out=by)
        old = torch.div(product, by, out=new)
    return before, raw, scale, state


def _rows_in_danger(given: Potentials, raw: Tensor, scale: Tensor) -> Tensor | None:
    """Return the rows (R,) in which something possible has become too small, or None if there are none."""
    starts = torch.stack((given.first, given.last)).isneginf().unsqueeze(1)
    if not raw.numel():
        return None
    smallest = raw[1:].amin() if len(raw) > 1 else 1.0
    if smallest >= TINY and raw[0].masked_fill(starts, 1.0).amin() >= TINY:
        return None
    lost = (raw < TINY) & _reachable(given)
    rows = (lost | (scale == 0)).any(-1).flatten(0, 1).any(0).nonzero().squeeze(-1)
    return rows if len(rows) else None


def _reachable(given: Potentials) -> Tensor:
    """Return which labels some allowed sequence reaches, (T, D, B, K)."""
    alive = _both_ways(~given.scores.isneginf(), given.lengths).to(given.scores.dtype)
    allowed = (~given.transitions.isneginf()).to(alive.dtype)
    follow = torch.stack((allowed, allowed.mT))
    alive[0] *= (~torch.stack((given.first, given.last)).isneginf()).unsqueeze(1)
    for step in range(1, len(alive)):
        alive[step] *= torch.bmm(alive[step - 1], follow) > 0
    return alive > 0


def _exactly(given: Potentials, rows: Tensor) -> Exact:
    """Sum up some ``rows`` in logarithms, of every pair of labels at every step."""
    scores, lengths = given.scores[:, rows], None if given.lengths is None else given.lengths[rows]
    both = _both_ways(scores, lengths)
    follow = torch.stack((given.transitions, given.transitions.mT)).unsqueeze(1)
    before, state = torch.empty_like(both), torch.empty_like(both)
    before[0] = torch.stack((given.first, given.last)).unsqueeze(1)
    state[0] = before[0] + both[0]
    for step in range(1, len(both)):
        before[step] = (state[step - 1].unsqueeze(-1) + follow).logsumexp(-2)
        state[step] = before[step] + both[step]
    forward, backward = state[:, 0], turn(state[:, 1], lengths)
    log_nodes = forward + turn(before[:, 1], lengths)
    log_z = log_nodes[0].logsumexp(-1)
    log_nodes = log_nodes - log_z.unsqueeze(-1)
    real = torch.ones_like(scores[..., 0], dtype=torch.bool) if lengths is None else is_real(lengths, len(both))
    edges = scores.new_zeros(len(rows), *given.transitions.shape)
    for step in range(1, len(both)):
        pairs = forward[step - 1].unsqueeze(-1) + given.transitions + backward[step].unsqueeze(1)
        edges += torch.where(real[step, :, None, None], (pairs - log_z[:, None, None]).exp(), 0.0)
    return Exact(rows, log_z, log_nodes.masked_fill(~real.unsqueeze(-1), -torch.inf), edges)


def _corrected(done: Beliefs, exact: Exact) -> Beliefs:
    """Put what was summed up exactly into its rows."""
    value, nodes, left, right = done.value, done.nodes, done.left.clone(), done.right
    value[exact.rows], nodes[:, exact.rows] = exact.log_z, exact.log_nodes.exp()
    left[:, exact.rows] = right[:, exact.rows] = 0.0  # both, for 0 times what is no number would be none
    return done._replace(left=left, exact=exact)

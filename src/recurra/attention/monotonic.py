"""Monotonic attention, as its expected alignment.

Shapes: B batch, Q queries, T steps, D query width, K key width, A attention width.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from .base import Memory, SequentialAttention, require_positive
from .normed_additive import normed


class MonotonicAttention(SequentialAttention):
    """Each query walks on from where the last one stopped, and stops at a step with probability p_j.

        e_j = g v/|v| · tanh(W s + V h_j + b) + r,  p_j = σ(e_j)
        a_j = p_j m_j,  m_j = (1 - p_{j-1}) m_{j-1} + a'_j

    m_j is the chance to arrive at step j and a' are the weights of the previous query; before the first one
    the walk stands on step 0. The chance to walk off the end is lost, so the weights sum to at most 1. Steps
    that are not allowed are walked past. Training and evaluation both use the expectation, without noise, so
    that they agree and one query at a time equals all at once; the hard walk of the paper is not offered.
    r starts at -1: about four steps per query; it is learned.
    Query s (B, Q, D), keys V h + b (B, T, A), weights (B, Q, T), context (B, Q, K), history a' (B, T).
    Raffel et al. 2017, https://arxiv.org/abs/1704.00784.
    """

    def __init__(self, query_size: int, key_size: int, *, attention_size: int | None = None) -> None:
        super().__init__()
        width = key_size if attention_size is None else attention_size
        require_positive(attention_size=width)
        self.context_size = key_size
        self.query = nn.Linear(query_size, width, bias=False)  # W
        self.key = nn.Linear(key_size, width)  # V, b
        self.direction = nn.Parameter(torch.randn(width))  # v
        self.gain = nn.Parameter(torch.tensor(1.0 / math.sqrt(width)))  # g
        self.offset = nn.Parameter(torch.tensor(-1.0))  # r

    def keys(self, states: Tensor) -> Tensor:
        return self.key(states)

    def start(self, memory: Memory) -> Tensor:
        first = memory.keys.new_zeros(memory.keys.shape[:2])
        first[:, 0] = 1.0
        return first

    def weigh_one(self, query: Tensor, memory: Memory, history: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(self.query(query).unsqueeze(1) + memory.keys)  # (B, T, A)
        scores = hidden @ normed(self.direction, self.gain) + self.offset
        stop, walk = torch.sigmoid(scores), torch.sigmoid(-scores)  # not 1 - p: that rounds to 0
        if memory.mask is not None:
            stop, walk = stop.masked_fill(~memory.mask, 0.0), walk.masked_fill(~memory.mask, 1.0)
        weights = stop * arrivals(walk, history)
        return weights, weights


def arrivals(walk: Tensor, start: Tensor) -> Tensor:
    """Return m with ``m_j = walk_{j-1} m_{j-1} + start_j`` along the last dimension: (B, T) to (B, T).

    Runs of 1, 2, 4, ... steps are joined, so T steps take log2(T) rounds, and nothing is ever divided: the
    closed form in the paper divides by a product of (1 - p), which underflows.
    """
    through, mass, span = pad(walk, (1, -1)), start, 1  # through_j: the chance to pass the last `span` steps
    while span < start.shape[-1]:
        mass = mass + through * pad(mass, (span, -span))
        through = through * pad(through, (span, -span))
        span *= 2
    return mass

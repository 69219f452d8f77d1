"""What an attention is: keys projected once, weights for each query, one weighted sum.

Shapes: B batch, Q queries, T steps of the memory, D query width, K key width, V value width, N heads.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from ..random import dropout as drop
from .normalise import Normaliser


class Memory(NamedTuple):
    """What can be attended to, projected once for all queries."""

    keys: Tensor  # (B, T, ·), or (B, N, T, ·) with heads
    values: Tensor  # (B, T, V), or (B, N, T, ·) with heads
    mask: Tensor | None  # (B, T), True where a step may be attended to


class Attended(NamedTuple):
    """The answer to a set of queries."""

    context: Tensor  # (B, Q, V)
    weights: Tensor  # (B, Q, T), or (B, N, Q, T) with heads
    history: Tensor | None  # (B, ...): what the next query needs to know of the earlier ones; None if nothing


def attend(weights: Tensor, values: Tensor) -> Tensor:
    """Return the weighted sum ``c_q = Σ_j a_qj v_j``: (..., Q, T) and (..., T, V) to (..., Q, V)."""
    return weights @ values


class Attention(nn.Module, ABC):
    """One score and one normaliser over a memory: ``a = norm(e)``, ``c = Σ_j a_j v_j``.

    A subclass fills in ``weigh`` through :class:`ScoreAttention` (weights depend on query and keys only)
    or :class:`SequentialAttention` (weights depend on the weights of earlier queries); one that fits neither,
    such as a window over positions, writes ``weigh`` itself.
    ``context_size`` is the width V of the context that comes back.
    """

    context_size: int
    sequential: bool = False  # True: a query's weights depend on the queries before it

    def project(self, states: Tensor, mask: Tensor | None = None) -> Memory:
        """Prepare ``states`` (B, T, K) for any number of queries."""
        return Memory(self.keys(states), self.values(states), mask)

    def keys(self, states: Tensor) -> Tensor:
        """Return the keys the score compares with: by default the states themselves."""
        return states

    def values(self, states: Tensor) -> Tensor:
        """Return what the context is a sum of: by default the states themselves."""
        return states

    @abstractmethod
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return the weights of ``query`` (B, Q, D), and the history for the queries that follow."""

    def merge(self, context: Tensor) -> Tensor:
        """Turn the weighted sum into (B, Q, V): where there are heads, this joins them."""
        return context

    def forward(self, query: Tensor, memory: Memory, history: Tensor | None = None, dropout: float = 0.0) -> Attended:
        """Attend: ``dropout`` drops weights in the sum, never in the weights that are returned."""
        weights, history = self.weigh(query, memory, history)
        dropped = drop(weights, dropout, self.training)
        return Attended(self.merge(attend(dropped, memory.values)), weights, history)


class Score(NamedTuple):
    """A score as a kernel knows it: ``c (W s) · k``, or with a vector ``v · tanh(W s + k)``."""

    query: Tensor | None = None  # W (A, D); None: the query is compared as it is
    vector: Tensor | None = None  # v (A)
    scale: float = 1.0  # c


class ScoreAttention(Attention):
    """An attention whose weights are a normalised score of query and key, independent of other queries.

    One whose score is of a form that kernels know returns it from a method ``as_score``, which is not inherited.
    """

    normaliser: Normaliser

    @abstractmethod
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the energies ``e`` of shape (B, Q, T), or (B, N, Q, T) with heads."""

    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        scores = self.score(query, memory.keys)
        return self.normaliser(scores, spread(memory.mask, scores)), None


class SequentialAttention(Attention):
    """An attention that answers queries one after the other, carrying ``history`` between them."""

    sequential = True

    @abstractmethod
    def start(self, memory: Memory) -> Tensor:
        """Return the history before the first query."""

    @abstractmethod
    def weigh_one(self, query: Tensor, memory: Memory, history: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights (B, T) of one ``query`` (B, D), and the next history."""

    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        history = self.start(memory) if history is None else history
        rows = []
        for one in query.unbind(1):
            row, history = self.weigh_one(one, memory, history)
            rows.append(row)
        return torch.stack(rows, 1), history


def spread(mask: Tensor | None, scores: Tensor) -> Tensor | None:
    """Give the (B, T) ``mask`` the dimensions of ``scores`` (B, ..., T)."""
    if mask is None:
        return None
    return mask.view(mask.shape[0], *[1] * (scores.dim() - 2), mask.shape[1])


def ranks(memory: Memory) -> Tensor:
    """Return the place 0, 1, 2, ... of each step among the allowed ones: (B, T).

    Windows count these places, so padding on either side, or a gap, moves nothing.
    """
    if memory.mask is None:
        batch, steps = memory.values.shape[0], memory.values.shape[-2]
        return torch.arange(steps, device=memory.values.device).expand(batch, steps)
    return memory.mask.long().cumsum(-1) - 1


def require_equal_widths(name: str, query_size: int, key_size: int) -> None:
    """Refuse a score that compares query and key directly when their widths differ."""
    if query_size != key_size:
        raise ConfigError(
            f"The attention '{name}' needs query and key of equal width, but got query_size={query_size} "
            f"and key_size={key_size}. Use 'general', which maps one to the other."
        )


def require_positive(**settings: int) -> None:
    """Refuse a width, window or count below 1."""
    for name, value in settings.items():
        if value < 1:
            raise ConfigError(f"The attention setting {name} must be at least 1, but got {value}.")

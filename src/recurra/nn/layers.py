"""Cells over time: stacks, directions and their regularisers; embedding and pooling.

Shapes: B batch, T steps, I inputs, H hidden units, D directions.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ..attention import Attention
from ..attention.base import require_positive
from ..cells import Cell, Gates, State, state_tensors
from ..errors import ConfigError
from ..random import bernoulli, dropout
from .scan import Plan, Scanned, choose_engine, scan

States = tuple[tuple[State, ...], ...]  # one per layer, in it one per direction


class Recurrence(NamedTuple):
    """What comes out of a stack of layers."""

    outputs: Tensor  # (B, T, D·H) of the last layer
    states: States  # after the last step, of every layer and direction
    gates: tuple[tuple[Gates, ...], ...] | None  # as ``states``, each gate (B, T, H); only on request
    engines: tuple[str, ...]  # which engine ran each layer
    inputs: Tensor | None = None  # (B, T, I) what was read; only on request


class Regularisers(NamedTuple):
    """What is done to a stack of layers against over-fitting; nothing by default."""

    dropout: float = 0.0  # on what one layer hands to the next
    locked: bool = True  # the same units dropped at every step (variational dropout, arXiv 1512.05287)
    weight_drop: float = 0.0  # on the recurrent weights, once per call (arXiv 1708.02182)
    zoneout: float = 0.0  # share of state units that keep their old value (arXiv 1606.01305)
    layer_norm: bool = False  # normalise what one layer hands to the next
    residual: bool = False  # add a layer's input to its output where the widths agree


class Direction(nn.Module):
    """One cell over time, forwards or backwards."""

    def __init__(self, cell: Cell, reverse: bool):
        super().__init__()
        self.cell, self.reverse = cell, reverse

    def forward(self, x: Tensor, state: State, plan: Plan, engine: str) -> Scanned:
        """Scan ``x`` (B, T, I) from ``state``, or from the cell's own first state."""
        return scan(self.cell, x, state, plan._replace(reverse=self.reverse), engine)


class Directed(Protocol):
    """A cell and which way it goes: a Direction, or what stands for one."""

    @property
    def cell(self) -> Cell: ...
    @property
    def reverse(self) -> bool: ...
    def __call__(self, x: Tensor, state: State, plan: Plan, engine: str) -> Scanned: ...


class Stack:
    """Layers of cells over time, whoever holds the cells: ``stack`` says which they are."""

    regularisers: Regularisers
    truncate: int
    engine: str
    training: bool
    norms: Any  # a module between each layer and the next, or nothing

    def stack(self) -> Sequence[Sequence[Directed]]:
        """Return the directions of every layer."""
        raise NotImplementedError

    @property
    def directions(self) -> int:
        """1, or 2 if any layer reads from both sides."""
        return max(len(layer) for layer in self.stack())

    def cells(self) -> list[Cell]:
        """Return all cells, layer by layer, forwards before backwards."""
        return [direction.cell for layer in self.stack() for direction in layer]

    def initial(self, batch_size: int) -> States:
        """Return the states before the first step."""
        return tuple(tuple(d.cell.initial(batch_size) for d in layer) for layer in self.stack())

    def engines(self, mask: bool = False, record: bool = False) -> tuple[str, ...]:
        """Return which engine each layer would run on, with or without a mask or recorded gates."""
        if self._engine(record) != "auto":
            return tuple(self.engine for _ in self.stack())
        some = torch.empty(0)
        plan = Plan(some if mask else None, keep=some if self.regularisers.zoneout else None, record=record)
        learns = any(one.requires_grad for cell in self.cells() for one in cell.parameters())
        with torch.set_grad_enabled(learns and torch.is_grad_enabled()):  # which some engines have none of
            return tuple(_joined(choose_engine(one.cell, plan) for one in layer) for layer in self.stack())

    def forward(
        self, x: Tensor, states: States | None = None, mask: Tensor | None = None, record: bool = False
    ) -> Recurrence:
        """Run all layers over ``x`` (B, T, I); ``mask`` (B, T) is True where a step is real.

        Gates are recorded by an engine that can, whatever ``engine`` is; the result names it.
        """
        inputs = x if record else None
        how = self.regularisers
        drop = how.weight_drop if self.training else 0.0
        plan = Plan(mask, record=record, truncate=self.truncate, weight_drop=drop)
        last, gates, engines = [], [], []
        for number, layer in enumerate(self.stack()):
            x = self._between(x, number, how)
            begun = (None,) * len(layer) if states is None else states[number]
            done = [self._run(direction, x, state, plan, how) for direction, state in zip(layer, begun, strict=True)]
            outputs = done[0].outputs if len(done) == 1 else torch.cat([one.outputs for one in done], -1)
            x = _residual(x, outputs, mask) if how.residual else outputs
            last.append(tuple(one.state for one in done))
            gates.append(tuple(one.gates or {} for one in done))
            engines.append(_joined(one.engine for one in done))
        return Recurrence(x, tuple(last), tuple(gates) if record else None, tuple(engines), inputs)

    def step(self, x: Tensor, states: States) -> tuple[Tensor, States]:
        """Take one observation (B, I) and return the output (B, H) and the new states: streaming."""
        if self.directions == 2:
            raise ConfigError("A bidirectional stack reads from the end of the sequence, so it cannot stream.")
        result: Recurrence = self(x.unsqueeze(1), states)  # type: ignore[operator]
        return result.outputs[:, 0], result.states

    def _between(self, x: Tensor, number: int, how: Regularisers) -> Tensor:
        if number == 0:
            return x
        if self.norms:
            x = self.norms[number - 1](x)
        return drop(x, how.dropout, self.training, how.locked)

    def _run(self, direction: Directed, x: Tensor, state: State, plan: Plan, how: Regularisers) -> Scanned:
        if how.zoneout:
            keep = x.new_full((x.shape[0], x.shape[1], direction.cell.hidden_size), how.zoneout)
            plan = plan._replace(keep=bernoulli(keep) if self.training else keep)
        return direction(x, state, plan, self._engine(plan.record))

    def _engine(self, record: bool) -> str:
        # Gates are what somebody looks at afterwards: whichever engine is asked to run must not stand in the way.
        return "auto" if record else self.engine


class Recurrent(Stack, nn.Module):
    """A stack of cells over time.

    ``layers`` lists the layers; each is one cell, or two for both directions, whose outputs are joined.
    Different cells may follow each other, so ``[[LSTMCell(8, 16)], [GRUCell(16, 16)]]`` is a stacked hybrid.
    ``truncate`` cuts the gradient through the state every so many steps; ``engine`` is a name in ENGINES.
    """

    def __init__(
        self,
        layers: Sequence[Sequence[Cell]],
        regularisers: Regularisers = Regularisers(),  # noqa: B008  (immutable)
        truncate: int = 0,
        engine: str = "auto",
    ):
        super().__init__()
        if not layers:
            raise ConfigError("A recurrent stack needs at least one layer.")
        self.layers = nn.ModuleList(
            nn.ModuleList(Direction(cell, reverse=bool(n)) for n, cell in enumerate(layer)) for layer in layers
        )
        self.regularisers, self.truncate, self.engine = regularisers, truncate, engine
        self.input_size = layers[0][0].input_size
        self.output_size = sum(cell.hidden_size for cell in layers[-1])
        widths = [sum(cell.hidden_size for cell in layer) for layer in layers[:-1]]
        self.norms = nn.ModuleList(nn.LayerNorm(w) for w in widths if regularisers.layer_norm)

    def stack(self) -> list[list[Direction]]:
        """Return the directions of every layer."""
        return [list(layer) for layer in self.layers]  # type: ignore[call-overload]


def _joined(engines: Iterable[str]) -> str:
    """Name the engine of a layer; two, if its directions are different cells that ran on different ones."""
    return "+".join(dict.fromkeys(engines))


def _residual(x: Tensor, outputs: Tensor, mask: Tensor | None) -> Tensor:
    """Add what a layer has read to its outputs, where the widths agree."""
    if x.shape != outputs.shape:
        return outputs
    return outputs + (x if mask is None else x.masked_fill(~mask.unsqueeze(-1), 0.0))


def drop(x: Tensor, rate: float, training: bool, locked: bool) -> Tensor:
    """Drop units of ``x`` (B, T, H); ``locked`` drops the same ones at every step."""
    if not (rate and training):
        return x
    if not locked:
        return dropout(x, rate)
    return x * dropout(x.new_ones(x.shape[0], 1, x.shape[2]), rate)


class Embed(nn.Module):
    """Turn symbols (B, T) or vectors (B, T, I) into vectors (B, T, E).

    With ``symbols`` the input is whole numbers below it; otherwise it is vectors of ``input_size``.
    """

    def __init__(self, embedding_size: int, symbols: int = 0, input_size: int = 0):
        super().__init__()
        if bool(symbols) == bool(input_size):
            raise ConfigError("An embedding takes either symbols or vectors of input_size, not both.")
        self.table: nn.Module = (
            nn.Embedding(symbols, embedding_size) if symbols else nn.Linear(input_size, embedding_size)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors (B, T, E)."""
        return self.table(x)


class SelfAttention(nn.Module):
    """Every state looks at all states of its sequence, itself among them, and adds what it saw.

        h'_t = h_t + W c_t,  c_t = Σ_j a(h_t, h_j) h_j

    ``attention`` has queries and keys of the width H of the states; ``dropout`` is the share of weights that are
    dropped in training. States h (B, T, H), weights (B, T, T) or (B, N, T, T) with heads: a row is a state that looks.
    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; within one sequence first by Cheng et al. 2016,
    https://arxiv.org/abs/1601.06733, there only backwards.
    """

    def __init__(self, attention: Attention, size: int, dropout: float = 0.0):
        super().__init__()
        self.attention, self.dropout = attention, dropout
        self.out = nn.Linear(attention.context_size, size, bias=False)  # W

    def forward(self, states: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return h' and the weights; both are zero at a step that ``mask`` (B, T) does not allow.

        A ``mask`` (B, T, T) says of each step at which ones it may look; one that may look nowhere is not allowed.
        """
        seen = self.attention(states, self.attention.project(states, mask), dropout=self.dropout)
        states, weights = states + self.out(seen.context), seen.weights
        if mask is None:
            return states, weights
        allowed = mask if mask.dim() == 2 else mask.any(-1)
        looking = allowed.view(len(mask), *[1] * (weights.dim() - 3), -1, 1)
        return states.masked_fill(~allowed.unsqueeze(-1), 0.0), weights.masked_fill(~looking, 0.0)


class Pooled(NamedTuple):
    """One vector per sequence, and what was looked at to make it."""

    summary: Tensor  # (B, D·H), or (B, R·V) by R looks at what is V wide
    weights: Tensor | None  # (B, R, T), or (B, N, R, T) with heads


class Pool(nn.Module):
    """Make one vector of the outputs of a stack: ``last`` state, ``mean``, ``max``, or by ``attention``.

    Pooling by attention has ``rows`` learned queries s_r, the same for every sequence, whose contexts are joined:
    ``[c_1; ...; c_R]``, ``c_r = Σ_j a_r(s_r, h_j) h_j``. With the attention ``tanh_dot`` these are the rows
    ``A = softmax(W_2 tanh(W_1 H))``, ``M = A H`` of Lin et al. 2017, arXiv 1703.03130.
    ``dropout`` is the share of weights that are dropped in training.
    """

    KINDS = ("last", "mean", "max", "attention")

    def __init__(
        self, kind: str, attention: Attention | None = None, query_size: int = 0, rows: int = 1, dropout: float = 0.0
    ):
        super().__init__()
        if kind not in self.KINDS:
            raise ConfigError(f"Unknown pooling '{kind}'. Choose one of: {', '.join(self.KINDS)}.")
        self.kind, self.attention, self.rows, self.dropout = kind, attention, rows, dropout
        if kind == "attention":
            if attention is None or not query_size:
                raise ConfigError("Pooling by attention needs an attention and the size of its query.")
            require_positive(rows=rows)
            # One row is a vector, as it was before there could be several.
            shape = (query_size,) if rows == 1 else (rows, query_size)
            self.query = nn.Parameter(torch.randn(shape) / query_size**0.5)

    def size(self, outputs: int) -> int:
        """Return how wide a summary is of ``outputs`` that are so wide."""
        return outputs if self.attention is None else self.rows * self.attention.context_size

    def forward(self, recurrence: Recurrence, mask: Tensor | None = None) -> Pooled:
        """Pool ``recurrence.outputs`` (B, T, D·H) over the steps that ``mask`` (B, T) allows."""
        outputs = recurrence.outputs
        if self.kind == "last":
            return Pooled(torch.cat([state[0] for state in recurrence.states[-1]], -1), None)
        if self.attention is not None:
            query = self.query.expand(outputs.shape[0], self.rows, -1)
            attended = self.attention(query, self.attention.project(outputs, mask), dropout=self.dropout)
            return Pooled(attended.context.flatten(1), attended.weights)
        if mask is None:
            return Pooled(outputs.mean(1) if self.kind == "mean" else outputs.amax(1), None)
        hidden = ~mask.unsqueeze(-1)
        if self.kind == "mean":
            return Pooled(outputs.masked_fill(hidden, 0.0).sum(1) / mask.sum(1, keepdim=True).clamp(min=1), None)
        largest = outputs.masked_fill(hidden, torch.finfo(outputs.dtype).min).amax(1)
        return Pooled(largest.masked_fill(hidden.all(1), 0.0), None)


def join(states: Sequence[State]) -> Tensor:
    """Return all tensors of some states side by side: (B, sum of widths)."""
    return torch.cat([tensor for state in states for tensor in state_tensors(state)], -1)

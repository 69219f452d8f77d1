"""A cell that looks at a memory as it goes: the decoder of a sequence-to-sequence model.

Shapes: B batch, T steps of the memory, Q steps written, I inputs, H hidden units, G gate blocks, N heads.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from ..attention import Attended, Attention, Memory, SequentialAttention
from ..cells import Cell, Gates, State, map_state, state_tensors
from ..cells.base import is_settled, settled
from ..errors import ConfigError, pick
from .engines.attending import Given, attending_refuses, read_weights, run_attending
from .scan import EVERY_STEP, choose_engine, scan

Rows = TypeVar("Rows")  # an AttendingState, the state of a cell, or a Memory


class AttendingState(NamedTuple):
    """The state of a cell that looks at a memory as it goes."""

    output: Tensor  # (B, H): h~
    cell: State
    weights: Tensor  # (B, T) or (B, N, T): where this step looked
    history: Tensor | None  # what the attention carries from step to step


class Written(NamedTuple):
    """All steps of an attending cell."""

    outputs: Tensor  # (B, Q, H): h~ after each step
    weights: Tensor | None  # (B, Q, T) or (B, N, Q, T): where each step looked; None without attention
    state: AttendingState  # after the last step
    engine: str  # which engine ran

    @property
    def looked(self) -> Tensor | None:
        """Where each step looked, (B, Q, T), of several heads on average; None without attention."""
        return self.weights if self.weights is None or self.weights.dim() == 3 else self.weights.mean(1)


class AttendingCell(nn.Module):
    """A cell that looks at a memory after each step, and reads what it saw in the next one.

    ``s_t = cell([x_t; h~_{t−1}], s_{t−1})``, ``a_t, c_t = attention(s_t)``, ``h~_t = tanh(W [c_t; s_t])``
    (Luong et al., arXiv 1508.04025, with input feeding). Without ``feeding`` the cell reads ``x_t`` alone, so that
    all steps are one scan and one look. Without an attention ``h~_t = s_t``.
    """

    def __init__(self, cell: Cell, attention: Attention | None, dropout: float = 0.0, feeding: bool = True):
        super().__init__()
        self.cell, self.attention, self.dropout = cell, attention, dropout
        self.hidden_size, self.feeding = cell.hidden_size, feeding and attention is not None
        if self.feeding:
            gates = cell.project(cell.initial(1)[0].new_zeros(1, cell.input_size)).shape[-1]
            self.feed = nn.Linear(cell.hidden_size, gates, bias=False)
        if attention is not None:
            self.combine = nn.Linear(attention.context_size + cell.hidden_size, cell.hidden_size, bias=False)

    def forward(self, loop: Callable[[], Any]) -> Any:
        """Return what ``loop``, which steps this cell, returns; what torch has hooked onto the cells acts before it."""
        return self.cell(None, None, EVERY_STEP, lambda *_: loop())

    def engine(self) -> str:
        """Return which engine ``write_all`` runs this cell on."""
        if not self.feeding:
            return choose_engine(self.cell, EVERY_STEP)
        reason = self(lambda: attending_refuses(settled_owner(self), list(self.parameters())))
        return "reference" if reason else "native"

    def bind(self, memory: Memory | None) -> "BoundCell":
        """Return what ``scan`` and ``write_all`` can run: this cell looking at one memory."""
        return BoundCell(self, memory)


class BoundCell:
    """An attending cell together with the memory it looks at."""

    def __init__(self, owner: AttendingCell, memory: Memory | None):
        if (memory is None) != (owner.attention is None):
            raise ConfigError("An attending cell needs a memory to look at, and a cell without attention takes none.")
        self.owner, self.memory = owner, memory

    def initial(self, state: State) -> AttendingState:
        """Return the state before the first step, from the ``state`` of the cell inside."""
        h = state[0]
        none = h.new_zeros(h.shape[0], 0)
        if self.memory is None:
            return AttendingState(h, state, none, None)
        attention = self.owner.attention
        history = attention.start(self.memory) if isinstance(attention, SequentialAttention) else None
        with torch.no_grad():  # one look gives the weights their shape: before the first step nothing was seen
            weights = torch.zeros_like(self.look(h.unsqueeze(1), history).weights[..., 0, :])
        return AttendingState(torch.zeros_like(h), state, weights, history)

    def project(self, x: Tensor) -> Tensor:
        """Return the cell's own projection of ``x``; what was seen is added step by step."""
        return self.owner.cell.project(x)

    def gates(self, projected: Tensor, state: AttendingState) -> Gates:
        """Return the gates of the cell inside."""
        return self.owner.cell.gates(self._fed(projected, state), state.cell)

    def step(self, projected: Tensor, state: AttendingState) -> AttendingState:
        """Step the cell, look, and combine."""
        cell = self.owner.cell.step(self._fed(projected, state), state.cell)
        if self.memory is None:
            return AttendingState(cell[0], cell, state.weights, None)
        seen = self.look(cell[0].unsqueeze(1), state.history)
        output = self.combine(seen.context[:, 0], cell[0])
        return AttendingState(output, cell, seen.weights[..., 0, :], seen.history)

    def look(self, states: Tensor, history: Tensor | None) -> Attended:
        """Return what the ``states`` (B, Q, H) see in the memory, one after the other."""
        return self.owner.attention(states, self.memory, history, self.owner.dropout)  # type: ignore[misc]

    def combine(self, context: Tensor, states: Tensor) -> Tensor:
        """Return h~ (..., H) from what was seen (..., V) and the states (..., H) that looked."""
        return torch.tanh(self.owner.combine(torch.cat([context, states], -1)))

    def _fed(self, projected: Tensor, state: AttendingState) -> Tensor:
        return projected + self.owner.feed(state.output) if self.owner.feeding else projected


def take_rows(of: Rows, rows: Tensor) -> Rows:
    """Return a state or a memory with the ``rows`` (R) of its batch, any number of times each: (B, ...) to (R, ...)."""
    taken: Rows = map_state(lambda part: part.index_select(0, rows), of)
    return taken


def write_all(bound: BoundCell, x: Tensor, state: AttendingState, engine: str = "auto") -> Written:
    """Run an attending cell over all steps of ``x`` (B, Q, I), which is known beforehand, from ``state``.

    Without input feeding that is one scan, by the ``engine`` that is named as for ``scan``, and one look. With it the
    engine is one of WRITERS, or ``"auto"`` for the fastest that applies. Raises ConfigError if there is no step, or if
    the engine asked for cannot do what is asked.
    """
    if bound.owner.feeding:
        written: Written = bound.owner(lambda: _fed_steps(bound, x, state, engine))
        return written
    done = scan(bound.owner.cell, x, state.cell, EVERY_STEP, engine)
    if bound.memory is None:
        last = AttendingState(done.outputs[:, -1], done.state, state.weights, None)
        return Written(done.outputs, None, last, done.engine)
    seen = bound.look(done.outputs, state.history)
    outputs = bound.combine(seen.context, done.outputs)
    last = AttendingState(outputs[:, -1], done.state, seen.weights[..., -1, :], seen.history)
    return Written(outputs, seen.weights, last, done.engine)


def _fed_steps(bound: BoundCell, x: Tensor, state: AttendingState, engine: str) -> Written:
    if not torch.jit.is_tracing() and x.shape[1] == 0:
        raise ConfigError("There is no step to run over: the input has length 0 in time.")
    if engine == "auto":
        engine = next(name for name, writer in WRITERS.items() if not writer.refuses(bound, state))
    writer = pick(WRITERS, engine, "engine")
    if reason := writer.refuses(bound, state):
        raise ConfigError(f"The engine '{engine}' cannot run this: {reason}. Use 'auto' or 'reference'.")
    return writer.run(bound, x, state)


class Writer(NamedTuple):
    """A way to run an attending cell that is fed with what it said, and the reason why it cannot, or nothing."""

    run: Callable[[BoundCell, Tensor, AttendingState], Written]
    refuses: Callable[[BoundCell, AttendingState], str]


def write_by_steps(bound: BoundCell, x: Tensor, state: AttendingState) -> Written:
    """Run one step after the other: what every other engine must agree with."""
    outputs, weights = [], []
    for projected in bound.project(x).unbind(1):
        state = bound.step(projected, state)
        outputs.append(state.output)
        weights.append(state.weights)
    return Written(torch.stack(outputs, 1), torch.stack(weights, -2), state, "reference")


def write_natively(bound: BoundCell, x: Tensor, state: AttendingState) -> Written:
    """Run all steps by the compiled library.

    Raises ConfigError if the shape, type or device of what it reads does not go with the weights.
    """
    owner, memory = settled_owner(bound.owner), bound.memory
    assert memory is not None
    form, weights = read_weights(owner)
    starts = {"first": state.output, "h0": state.cell.h, "c0": getattr(state.cell, "c", None)}
    given = Given(x=owner.cell.project(x), **weights, **memory._asdict(), **starts)  # type: ignore[arg-type]
    outputs, looked, h, c = run_attending(form, given)
    kind = type(state.cell)
    last = AttendingState(outputs[:, -1], kind(h) if given.c0 is None else kind(h, c), looked[:, -1], None)
    return Written(outputs, looked, last, "native")


def native_refuses(bound: BoundCell, state: AttendingState) -> str:
    """Return why the compiled library cannot run this, or an empty string if it can."""
    tensors = [*bound.owner.parameters(), *state_tensors(bound.memory), *state_tensors(state)]
    return attending_refuses(settled_owner(bound.owner), tensors)


def settled_owner(owner: AttendingCell) -> Any:
    """Return an attending cell with its weights as they are now."""
    return owner if is_settled(owner) else settled(owner)


# The ways to run an attending cell that is fed with what it said, the fastest first.
WRITERS: dict[str, Writer] = {
    "native": Writer(write_natively, native_refuses),
    "reference": Writer(write_by_steps, lambda bound, state: ""),
}

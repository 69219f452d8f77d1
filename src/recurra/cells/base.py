"""What a cell is: a projection of all inputs at once, and one step of a recurrence.

Shapes: B batch, T steps, I inputs, H hidden units, G gate blocks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..random import current

# A state is a small named tuple of tensors (B, H), or of such tuples; its first field is the output.
State = Any
Gates = dict[str, Tensor]


class Hidden(NamedTuple):
    """The state of a cell that has nothing but its output."""

    h: Tensor  # (B, H)


class HiddenAndMemory(NamedTuple):
    """The state of a cell that keeps a memory behind its output."""

    h: Tensor  # (B, H)
    c: Tensor  # (B, H)


def map_state(function: Callable[..., Tensor], *states: State) -> State:
    """Apply ``function`` to the tensors that stand at the same place of each state; None stays None."""
    first = states[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return function(*states)
    return type(first)(*[map_state(function, *parts) for parts in zip(*states, strict=True)])


def state_tensors(state: State) -> list[Tensor]:
    """Return the tensors of a state, in their order; None is none."""
    if state is None:
        return []
    if isinstance(state, Tensor):
        return [state]
    return [tensor for part in state for tensor in state_tensors(part)]


class Cell(nn.Module, ABC):
    """One recurrence. ``step`` returns a new state and changes nothing on the module."""

    input_size: int
    hidden_size: int

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """Return what all inputs contribute, (..., I) to (..., G·H), outside the loop over time."""

    @abstractmethod
    def gates(self, projected: Tensor, state: State) -> Gates:
        """Return the named gates (B, H) of one step: what ``step`` uses, and what pictures show."""

    @abstractmethod
    def step(self, projected: Tensor, state: State) -> State:
        """Return the state after one step, from the ``projected`` input (B, G·H) and the ``state``."""

    @abstractmethod
    def initial(self, batch_size: int) -> State:
        """Return the state before the first step: zeros."""

    def remember(self, time_scale: int) -> None:
        """Set gate biases so that memory lasts up to ``time_scale`` steps (chrono initialisation)."""


class GatedCell(Cell):
    """A cell whose gates are blocks of ``weight_ih x + bias_ih`` and ``weight_hh h + bias_hh``.

    A subclass says how many ``blocks`` it has, what its ``state_type`` is, and writes ``gates`` and ``step``.
    Weights are laid out as in ``torch.nn``: ``weight_ih`` (G·H, I), ``weight_hh`` (G·H, H), biases (G·H).
    """

    blocks: ClassVar[int]
    state_type: ClassVar[type]
    # Block number to the value its bias has at first: memory should be kept at the start of training.
    first_bias: ClassVar[dict[int, float]] = {}
    # Block number to the sign of its chrono bias: +1 where a large gate keeps memory, -1 where it writes.
    chrono_sign: ClassVar[dict[int, int]] = {}
    # The function of torch that computes the same recurrence over time, where there is one.
    torch_function: ClassVar[Callable[..., tuple[Tensor, ...]] | None] = None
    # The native engine's name of exactly this equation; as torch_function, it is not inherited.
    native: ClassVar[str | None] = None
    bias_ih: nn.Parameter | None
    bias_hh: nn.Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        rows = self.blocks * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.register_parameter("bias_ih", nn.Parameter(torch.empty(rows)) if bias else None)
        self.register_parameter("bias_hh", nn.Parameter(torch.empty(rows)) if bias else None)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw each input block Xavier-uniform and each recurrent block orthogonal; set the biases."""
        for block in self.weight_ih.chunk(self.blocks):
            nn.init.xavier_uniform_(block)
        for block in self.weight_hh.chunk(self.blocks):
            # Half precision has no QR decomposition.
            block.copy_(nn.init.orthogonal_(block if block.dtype.itemsize > 2 else block.float()))
        for bias in (self.bias_ih, self.bias_hh):
            if bias is not None:
                bias.zero_()
        if self.bias_ih is not None:
            for number, value in self.first_bias.items():
                self.bias_ih.chunk(self.blocks)[number].fill_(value)

    @torch.no_grad()
    def remember(self, time_scale: int) -> None:
        """Draw the gate biases as ``±log U(1, time_scale − 1)`` (Tallec & Ollivier, arXiv 1804.11188)."""
        if self.bias_ih is None or not self.chrono_sign:
            return
        longest = max(2.0, time_scale - 1.0)
        scale = torch.empty(self.hidden_size).uniform_(1.0, longest, generator=current()).log()
        for number, sign in self.chrono_sign.items():
            self.bias_ih.chunk(self.blocks)[number].copy_(sign * scale)

    def project(self, x: Tensor) -> Tensor:
        """Return ``W x + b`` for all steps in one product."""
        return F.linear(x, self.weight_ih, self.bias_ih)

    def recur(self, h: Tensor) -> Tensor:
        """Return ``U h + b`` for one step."""
        return F.linear(h, self.weight_hh, self.bias_hh)

    def initial(self, batch_size: int) -> State:
        """Return zeros for every field of the state."""
        zeros = self.weight_hh.new_zeros(batch_size, self.hidden_size)
        return self.state_type(*[zeros] * len(self.state_type._fields))  # type: ignore[attr-defined]

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"

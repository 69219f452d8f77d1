"""What an engine is: a way to run a cell over its steps, and the reason why it cannot.

Shapes: B batch, T steps, I inputs, H hidden units.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from torch import Tensor
from torch.nn import functional as F

from ...cells.base import Cell, Gates, State


class Steps(Protocol):
    """What can be scanned: a cell, or a cell bound to something it attends to."""

    def project(self, x: Tensor) -> Tensor: ...
    def gates(self, projected: Tensor, state: Any) -> Gates: ...
    def step(self, projected: Tensor, state: Any) -> Any: ...


class SelfFed(NamedTuple):
    """A cell whose input is its own last output, ``x_t = h_{t−1}``, through weights of its own.

    ``weight`` (G·H, H) and ``bias`` (G·H) stand in for those that the cell has for inputs. What is scanned has
    steps but no width: (B, T, 0).
    """

    cell: Cell
    weight: Tensor
    bias: Tensor | None

    def project(self, x: Tensor) -> Tensor:
        """Return ``x`` (B, T, 0): nothing is known before the step."""
        return x

    def gates(self, projected: Tensor, state: State) -> Gates:
        """Return the gates of the cell inside."""
        return self.cell.gates(self._fed(state), state)

    def step(self, projected: Tensor, state: State) -> State:
        """Step the cell inside."""
        return self.cell.step(self._fed(state), state)

    def _fed(self, state: State) -> Tensor:
        return F.linear(state[0], self.weight, self.bias)


class Projected(NamedTuple):
    """A cell that is given what its ``project`` has returned already: (B, T, G·H)."""

    cell: Cell

    def project(self, x: Tensor) -> Tensor:
        """Return ``x``."""
        return x

    def gates(self, projected: Tensor, state: State) -> Gates:
        """Return the gates of the cell inside."""
        return self.cell.gates(projected, state)

    def step(self, projected: Tensor, state: State) -> State:
        """Step the cell inside."""
        return self.cell.step(projected, state)


class Scanned(NamedTuple):
    """What comes out of a scan."""

    outputs: Tensor  # (B, T, H): the first field of the state after each step, zero where masked
    state: State  # after the last step (after the first one, if reversed)
    gates: Gates | None  # each (B, T, H), only if they were asked for
    engine: str  # which engine ran


class Plan(NamedTuple):
    """How to go over the steps."""

    mask: Tensor | None = None  # (B, T) bool: where False the state is kept and the output is zero
    reverse: bool = False  # from the last step to the first
    keep: Tensor | None = None  # (B, T, H) in [0, 1]: the share of the old state that stays (zoneout)
    record: bool = False  # return the gates of every step
    truncate: int = 0  # cut the gradient through the state every so many steps; 0 is never
    weight_drop: float = 0.0  # the share of the recurrent weights that are zero, the same ones at every step


EVERY_STEP = Plan()


class Engine(NamedTuple):
    """A way to run the loop, and the reason why it cannot, or an empty string if it can."""

    run: Callable[[Any, Tensor, State, Plan], Scanned]
    refuses: Callable[[Any, Plan], str]

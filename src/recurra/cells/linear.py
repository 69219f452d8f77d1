"""What a cell is whose gates read the input alone: one step is linear in the state, so steps can be joined.

Shapes: B batch, H hidden units, G gate blocks.
"""

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor

from .base import GatedCell, Hidden


class Linear(NamedTuple):
    """One step, or several joined, as a linear map of the state: ``h' = keep ⊙ h + write``."""

    keep: Tensor  # (..., H)
    write: Tensor  # (..., H)


class LinearCell(GatedCell):
    """A cell without recurrent weights. A subclass writes ``gates`` and ``linear``, and names its ``blocks``.

    Such a cell needs no loop over time: the engine ``associative`` joins steps in any order.
    """

    state_type = Hidden
    recurrent = False

    @abstractmethod
    def linear(self, projected: Tensor) -> Linear:
        """Return what steps do to the state, from their ``projected`` inputs (..., G·H)."""

    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        keep, write = self.linear(projected)
        return Hidden(keep * state.h + write)

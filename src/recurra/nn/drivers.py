"""Looking at the drivers of a series: at every step, how much each of them counts.

Shapes: B windows, T steps, N drivers, H hidden units, S numbers of a cell's whole state.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..cells import Cell, Gates, State, state_tensors


class DriverState(NamedTuple):
    """The state of a cell that looks at drivers."""

    h: Tensor  # (B, H)
    cell: State
    weights: Tensor  # (B, N) of the drivers in this step


class InputAttention(nn.Module):
    """A cell that weighs its inputs by their whole past before it reads them.

        e_k = v · tanh(W s_{t−1} + U x^k),  a = softmax(e),  s_t = cell((a_1 x^1_t, ..., a_N x^N_t), s_{t−1})

    x^k (T,) is driver k over all steps, s the whole state of the cell: of an LSTM its output and its memory.
    The first stage of Qin et al. 2017, https://arxiv.org/abs/1704.02971. Drivers (B, T, N), weights (B, N) a step.
    """

    def __init__(self, cell: Cell, steps: int):
        super().__init__()
        self.cell = cell
        state = sum(part.shape[-1] for part in state_tensors(cell.initial(1)))
        self.state = nn.Linear(state, steps, bias=False)  # W
        self.driver = nn.Linear(steps, steps, bias=False)  # U
        self.energy = nn.Linear(steps, 1, bias=False)  # v

    def bind(self, drivers: Tensor) -> "BoundDrivers":
        """Return what ``scan`` can run over ``drivers`` (B, T, N)."""
        return BoundDrivers(self, self.driver(drivers.transpose(1, 2)))


class BoundDrivers:
    """A cell together with the drivers it looks at, ``keys`` (B, N, T)."""

    def __init__(self, owner: InputAttention, keys: Tensor):
        self.owner, self.keys = owner, keys

    def initial(self) -> DriverState:
        """Return the state before the first step."""
        state = self.owner.cell.initial(len(self.keys))
        return DriverState(state[0], state, self.keys.new_zeros(self.keys.shape[:2]))

    def project(self, x: Tensor) -> Tensor:
        """Return the drivers as they are: what they count is known step by step."""
        return x

    def gates(self, projected: Tensor, state: DriverState) -> Gates:
        """Return the gates of the cell inside."""
        cell = self.owner.cell
        return cell.gates(cell.project(self._weights(state) * projected), state.cell)

    def step(self, projected: Tensor, state: DriverState) -> DriverState:
        """Weigh the drivers of one step (B, N), and read them."""
        weights, cell = self._weights(state), self.owner.cell
        new = cell.step(cell.project(weights * projected), state.cell)
        return DriverState(new[0], new, weights)

    def _weights(self, state: DriverState) -> Tensor:
        owner, whole = self.owner, torch.cat(state_tensors(state.cell), -1)
        energy = owner.energy(torch.tanh(owner.state(whole).unsqueeze(1) + self.keys))
        return energy.squeeze(-1).softmax(-1)

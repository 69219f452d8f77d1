"""The state of a reservoir that is carried along a stream, so that a step costs one step and not a look-back.

Shapes: S row series, L look-back, C channels, F states.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ...cells import map_state, state_tensors
from ...nn.layers import States
from .reservoir import ReservoirNet, joined
from .windows import Windows

FORGOTTEN = 1e-6  # training deviations, by which a forecast may depend on where reading began


class Carried:
    """States (S, F) after all that was read; a forecast is what the read-out says of them.

    A forecast of ``predict`` reads its look-back from a state of zero. Both are the same where a look-back is enough
    for the reservoir to forget where it began.
    """

    def __init__(self, network: ReservoirNet, states: States):
        self.network, self.states = network, states

    @classmethod
    def of(cls, network: nn.Module, windows: Windows) -> "Carried | None":
        """Read the look-backs of ``windows``; None for another network, or one that does not forget.

        That is tried: the look-back is read again from the state that it left.
        """
        if not isinstance(network, ReservoirNet) or network.recurrent.directions == 2:
            return None
        batch = windows.take(torch.arange(len(windows))).to(network.readout.weight.device)
        read = network.read_of(batch)
        once = network.recurrent(read).states
        again = network.recurrent(read, once).states
        apart = network.answers(joined(once), batch) - network.answers(joined(again), batch)
        return cls(network, once) if float(apart.abs().max()) <= FORGOTTEN else None

    def step(self, rows: list[int], scaled: np.ndarray, ratios: Tensor | None) -> None:
        """Read one step of these ``rows``, ``scaled`` (R, C), NaN where unknown; ``ratios`` (R, C) of logarithms."""
        device = self.network.readout.weight.device
        places = torch.tensor(rows, device=device)
        x = self.network.read_step(torch.from_numpy(scaled.astype(np.float32)), ratios).to(device)
        before = tuple(tuple(map_state(lambda part: part[places], one) for one in layer) for layer in self.states)
        after = self.network.step(x, before)
        for old, new in zip(state_tensors(self.states), state_tensors(after), strict=True):
            old.index_copy_(0, places, new)

    def params(self, windows: Windows) -> Tensor:
        """Return the head's numbers (S, H, C, P)."""
        batch = windows.take(torch.arange(len(windows))).to(self.network.readout.weight.device)
        return self.network.answers(joined(self.states), batch)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the states, by name."""
        return {f"carried_{n}": part.cpu().numpy().copy() for n, part in enumerate(state_tensors(self.states))}

    @classmethod
    def from_arrays(cls, network: nn.Module, arrays: Mapping[str, np.ndarray]) -> "Carried | None":
        """Return what ``to_arrays`` gave; None if there is nothing."""
        if "carried_0" not in arrays:
            return None
        assert isinstance(network, ReservoirNet)
        states = network.recurrent.initial(len(arrays["carried_0"]))
        copies = tuple(tuple(map_state(torch.clone, one) for one in layer) for layer in states)
        for n, part in enumerate(state_tensors(copies)):
            part.copy_(torch.from_numpy(np.array(arrays[f"carried_{n}"])))
        return cls(network, copies)

"""The cell of an echo state network (Jaeger 2001; leaky units: Jaeger et al. 2007)."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..random import current
from .base import Cell, Gates, Hidden, bare
from .rnn import RNNCell

BIAS = 0.2  # biases lie between minus and plus so much: without one, all units are odd functions of the past
DENSE = 256  # units, up to which all eigenvalues are computed; of more only the largest


class ReservoirCell(Cell):
    """A leaky plain cell with random weights that stay as they are.

    ``h' = (1 − a) h + a tanh(s W x + r U h + b)``: ``leak`` a, ``input_scaling`` s, ``spectral_radius`` r. W is uniform
    in ±1, a share ``connectivity`` of U is not zero, and the largest eigenvalue of U is 1 in size. Nothing has a
    gradient; the three numbers are buffers, as the weights are, and are changed by ``tune``.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    spectral_radius: Tensor
    leak: Tensor
    input_scaling: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        spectral_radius: float = 0.9,
        leak: float = 0.5,
        input_scaling: float = 0.5,
        connectivity: float = 0.1,
    ):
        super().__init__()
        self.input_size, self.hidden_size, self.connectivity = input_size, hidden_size, connectivity
        self.register_buffer("weight_ih", torch.empty(hidden_size, input_size))
        self.register_buffer("weight_hh", torch.zeros(hidden_size, hidden_size))
        self.register_buffer("bias_ih", torch.empty(hidden_size) if bias else None)
        for name in ("spectral_radius", "leak", "input_scaling"):
            self.register_buffer(name, torch.empty(()))
        self.tune(spectral_radius, leak, input_scaling)
        self.reset_parameters()

    def tune(self, spectral_radius: float, leak: float, input_scaling: float) -> None:
        """Set the three numbers of the equation; the random weights stay."""
        self.spectral_radius.fill_(spectral_radius)
        self.leak.fill_(leak)
        self.input_scaling.fill_(input_scaling)

    def reset_parameters(self) -> None:
        """Draw W and b uniform, and as many weights of U in each row as the connectivity says."""
        generator = current(self.weight_ih.device)
        self.weight_ih.uniform_(-1.0, 1.0, generator=generator)
        if self.bias_ih is not None:
            self.bias_ih.uniform_(-BIAS, BIAS, generator=generator)
        size = self.hidden_size
        some = max(1, round(self.connectivity * size))  # with one in each row, they already make a circle
        lots = torch.rand(size, size, generator=generator, device=self.weight_hh.device)
        chosen = lots.topk(some, sorted=False).indices
        drawn = torch.empty(size, some, device=self.weight_hh.device, dtype=self.weight_hh.dtype)
        drawn.uniform_(-1.0, 1.0, generator=generator)
        self.weight_hh.zero_().scatter_(1, chosen, drawn)
        if not self.weight_hh.is_meta:
            self.weight_hh.div_(spectral_radius_of(self.weight_hh))

    def project(self, x: Tensor) -> Tensor:
        """Return ``s W x + b`` for all steps in one product."""
        return F.linear(self.input_scaling * x, self.weight_ih, self.bias_ih)

    def gates(self, projected: Tensor, state: Hidden) -> Gates:
        return {"candidate": torch.tanh(projected + F.linear(self.spectral_radius * state.h, self.weight_hh))}

    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        return Hidden(torch.lerp(state.h, self.gates(projected, state)["candidate"], self.leak))

    def initial(self, batch_size: int) -> Hidden:
        """Return zeros."""
        return Hidden(self.weight_hh.new_zeros(batch_size, self.hidden_size))

    def as_another(self) -> tuple[Cell, Tensor]:
        """Return the plain cell of the same candidate, and the share ``1 − a`` of the state that stays."""
        weights: dict[str, Any] = {
            "weight_ih": self.input_scaling * self.weight_ih,
            "weight_hh": self.spectral_radius * self.weight_hh,
            "bias_ih": self.bias_ih,
            "bias_hh": None,
        }
        return RNNCell.holding(weights, {}, bare(self.input_size, self.hidden_size)), 1 - self.leak

    def extra_repr(self) -> str:
        numbers = (self.spectral_radius, self.leak, self.input_scaling)
        return "{}, {}, spectral_radius={:.4g}, leak={:.4g}, input_scaling={:.4g}".format(
            self.input_size, self.hidden_size, *map(float, numbers)
        )


def spectral_radius_of(matrix: Tensor) -> float:
    """Return the size of the largest eigenvalue of a ``matrix`` (H, H)."""
    exact = matrix.detach().double().cpu()
    if len(exact) > DENSE:
        from scipy.sparse import csr_array
        from scipy.sparse.linalg import ArpackNoConvergence, eigs

        try:
            start = torch.ones(len(exact), dtype=exact.dtype).numpy()
            # Sizes are close to each other: with fewer vectors than this, another one than the largest may be found.
            found = eigs(csr_array(exact.numpy()), 1, v0=start, ncv=40, tol=1e-6, return_eigenvectors=False)
            return float(abs(found[0]))
        except ArpackNoConvergence:
            pass  # several are nearly the largest
    return float(torch.linalg.eigvals(exact).abs().max())
